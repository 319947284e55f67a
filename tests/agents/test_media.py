import numpy as np
import pytest

from saccade.agents.load import load_model
from saccade.agents.media import Media
from saccade.agents.modality import name_of
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Audio, Image, Video


def picture(seed, size=64):
    return Image(np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8))


def film(seed, frames=4, fps=2.0):
    return Video(np.random.default_rng(seed).integers(0, 256, (frames, 32, 48, 3), dtype=np.uint8), fps)


def noise(seed, count=6400):
    return Audio(np.random.default_rng(seed).uniform(-1, 1, count).astype(np.float32), 16000)


@pytest.mark.parametrize("make", [picture, film, noise])
def test_equal_media_are_processed_once(omni, make):
    media = Media(omni.chat.media.processors, omni.chat.media.placeholders)
    assert media.process(make(0)) is media.process(make(0))
    assert media.process(make(1)) is not media.process(make(0))
    assert media.process(make(0)).digest == name_of(make(0)) != name_of(make(1))


def test_the_same_frames_at_another_speed_are_another_video(omni):
    media = omni.chat.media
    slow, fast = media.process(film(0, fps=1.0)), media.process(film(0, fps=4.0))
    assert (slow.seconds, fast.seconds) == (2.0, 0.5)
    assert slow.digest != fast.digest


def test_the_cache_is_bounded_by_its_bytes(agent):
    known = agent.chat.media
    one = known.process(picture(0)).values.nbytes
    media = Media(known.processors, known.placeholders, capacity=3 * one)
    for seed in range(10):
        media.process(picture(seed))
    assert len(media._cache) == 3 and media._size == 3 * one
    media.process(picture(0, size=208))  # larger than the whole cache: kept alone
    assert len(media._cache) == 1


def test_a_kind_that_the_model_lacks_is_refused_with_models_that_take_it(agent):
    with pytest.raises(ConfigError, match=r"shows audio, which .* \(it takes image, video\): use a Qwen2.5-Omni"):
        agent.chat.media.process(noise(0))


def test_processors_saved_beside_a_model_load_again(omni, tmp_path):
    omni.engine.backbone.model.save_pretrained(tmp_path)
    omni.chat.save_pretrained(tmp_path)
    _, chat = load_model(tmp_path)
    for make in (picture, film, noise):
        one, other = omni.chat.media.process(make(3)), chat.media.process(make(3))
        assert one.runs == other.runs and bool((one.values == other.values).all())
