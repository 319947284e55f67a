import numpy as np
import pytest
import torch
import transformers

from saccade.agents.sounds import Sounds
from saccade.envs.errors import ConfigError, MediaError
from saccade.envs.observation import Audio


@pytest.fixture(scope="module")
def sounds():
    return Sounds(transformers.WhisperFeatureExtractor(feature_size=16, chunk_length=2))


def noise(count, rate=16000):
    return Audio(np.random.default_rng(count).uniform(-1, 1, count).astype(np.float32), rate)


@pytest.mark.parametrize("count", [321, 480, 6400, 7777, 30000])
def test_frames_and_tokens_are_those_of_the_library(sounds, omni, count):
    """Qwen2.5-Omni pads every sound to the longest with silence and masks the rest."""
    found = sounds(noise(count))
    out = sounds.extractor(
        noise(count).samples,
        sampling_rate=16000,
        padding="max_length",
        return_attention_mask=True,
        return_tensors="pt",
    )
    frames = int(out["attention_mask"].sum())
    assert found.grid == (frames, 1, 1)
    assert torch.allclose(found.values, out["input_features"][0, :, :frames], atol=1e-5)
    tower = omni.engine.backbone.model.audio_tower
    assert found.tokens == int(tower._get_feat_extract_output_lengths(torch.tensor(frames))[1])


@pytest.mark.parametrize("count", [1, 320, 32001])
def test_too_short_and_too_long_sounds_are_refused(sounds, count):
    with pytest.raises(MediaError, match="321 to 32000 samples"):
        sounds(noise(count))


def test_another_rate_is_refused(sounds):
    with pytest.raises(ConfigError, match=r"hears at 16000 .* has 8000"):
        sounds(noise(4000, rate=8000))
