"""What augmentations do to pixels, by numbers, and that they do it to nothing else."""

import gymnasium as gym
import numpy as np
import pytest

from saccade.envs.actions import Answer
from saccade.envs.augment import CHANGES, Augment, annealed, kept_signal, worse
from saccade.envs.core import LanguageEnv, Outcome
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Audio, Image, Observation, Text, Video
from saccade.envs.task import make

GREY = np.full((1, 40, 60, 3), 128, np.float32)


class Gallery(LanguageEnv):
    """Shows every kind of part; the picture depends on the seed."""

    instructions = "Look."
    action_format = Answer()
    max_turns = 3

    def begin(self, rng):
        self.pixels = rng.integers(0, 255, (12, 16, 3)).astype(np.uint8)
        film = rng.integers(0, 255, (6, 12, 16, 3)).astype(np.uint8)
        return Observation.of("Look.", Image(self.pixels), Video(film, 2.0), Audio(np.full(5, 0.5, np.float32), 100))

    def act(self, action):
        return Outcome(Observation.of(Image(self.pixels)))

    def state(self):
        return self._turn


gym.register("test/Gallery-v0", entry_point=Gallery)


def change(name, frames, strength, seed=0):
    return CHANGES[name](frames, np.random.default_rng(seed), strength)


def chequered(frames=1, height=40, width=60):
    rng = np.random.default_rng(7)
    return rng.integers(0, 256, (frames, height, width, 3)).astype(np.float32)


@pytest.mark.parametrize("name", CHANGES)
def test_strength_0_changes_nothing_and_the_rest_keeps_shape(name):
    frames = chequered(4)
    kept = frames.copy()
    assert np.allclose(change(name, frames, 0.0), frames, atol=1e-3)
    for strength in (0.01, 0.3, 1.0):
        changed = change(name, frames, strength)
        assert changed.shape == frames.shape and changed.dtype == np.float32 and np.isfinite(changed).all()
    assert np.array_equal(frames, kept), "the frames that were given are left alone"


def test_noise_has_the_named_spread():
    error = change("noise", GREY, 0.1) - GREY
    assert abs(error.std() - 25.5) < 1.0 and abs(error.mean()) < 1.5


def test_a_diffusion_keeps_what_its_schedule_says():
    kept = kept_signal()
    assert len(kept) == 1000 and (np.diff(kept) < 0).all()
    # By hand: beta begins at 1e-5 + 4.99e-3 sigmoid(-6) = 2.2338e-5, and is symmetrical around the middle, so that the
    # sum of all is 1000 (1e-5 + 5e-3) / 2 = 2.505; the product of 1 - beta is near exp(-2.505 - sum of squares / 2).
    assert kept[0] == pytest.approx(1 - 2.2338e-5, abs=1e-8)
    assert kept[-1] == pytest.approx(np.exp(-2.505), rel=0.01)
    half = change("diffuse", GREY, 0.5)
    assert half.mean() == pytest.approx(128 * np.sqrt(kept[499]), abs=6)
    assert half.std() == pytest.approx(255 * np.sqrt(1 - kept[499]), rel=0.03)


def test_blur_is_a_gaussian_that_keeps_the_sum():
    frames = np.zeros((1, 41, 64, 3), np.float32)
    frames[0, 20, 32] = 1000
    blurred = change("blur", frames, 0.25)  # 2 pixels
    assert blurred.sum() == pytest.approx(frames.sum(), rel=1e-4)
    assert blurred[0, 20, 34, 0] / blurred[0, 20, 32, 0] == pytest.approx(np.exp(-0.5), rel=1e-3)
    assert np.allclose(blurred[0, 20, 20:45, 0], blurred[0, 8:33, 32, 0], rtol=1e-3)
    assert np.allclose(change("blur", GREY, 0.5), 128, atol=1e-3)


def test_crop_stretches_a_part_to_the_whole():
    ramp = np.broadcast_to(np.arange(100, dtype=np.float32)[None, None, :, None], (1, 100, 100, 3))
    for seed in range(5):
        line = change("crop", ramp, 0.5, seed)[0, 50, :, 0]
        assert np.diff(line).mean() == pytest.approx(0.5, abs=0.02)
        assert 0 <= line[0] <= 50 and line[-1] - line[0] == pytest.approx(49.5, abs=1)


def test_rotation_turns_around_the_middle():
    frames = chequered(1, 31, 31)
    for seed in range(20):
        turn = 180 * np.random.default_rng(seed).uniform(-1, 1)
        turned = change("rotate", frames, 1.0, seed)
        assert np.allclose(turned[0, 15, 15], frames[0, 15, 15], atol=1e-3)
        x, y = (round(15 + 10 * each) for each in (np.cos(np.radians(turn)), np.sin(np.radians(turn))))
        smooth = np.zeros((1, 31, 31, 3), np.float32)
        smooth[0, 13:18, 23:28] = 255  # right of the middle; it turns with the clock
        mass = change("rotate", smooth, 1.0, seed)[0, ..., 0] * (np.hypot(*np.mgrid[-15:16, -15:16]) < 15)
        rows, columns = np.mgrid[:31, :31]
        assert abs((mass * columns).sum() / mass.sum() - x) < 1.5 and abs((mass * rows).sum() / mass.sum() - y) < 1.5


def test_colours_shift_within_bounds_and_grey_stays_grey():
    seen = [change("colour", GREY, 0.3, seed) for seed in range(30)]
    assert all(np.ptp(each) < 0.01 for each in seen), "one grey stays one grey"
    levels = np.array([each.mean() for each in seen]) / 128
    assert 0.7 <= levels.min() < 0.85 and 1.15 < levels.max() <= 1.3


@pytest.mark.parametrize("seed", range(5))
def test_a_box_covers_its_share(seed):
    covered = change("occlude", chequered(2) + 1, 0.5, seed)
    black = (covered == 0).all(-1)
    assert black[0].sum() == 20 * 30 and np.array_equal(black[0], black[1])
    assert np.array_equal(covered[~black], (chequered(2) + 1)[~black])


@pytest.mark.parametrize(("strength", "moved"), [(1.0, 8), (0.5, 4), (0.01, 2)])
def test_frames_come_in_another_order(strength, moved):
    film = np.broadcast_to(np.arange(8, dtype=np.float32)[:, None, None, None], (8, 2, 2, 3))
    for seed in range(20):
        order = change("shuffle", film, strength, seed)[:, 0, 0, 0]
        assert sorted(order) == list(range(8)) and 2 <= (order != np.arange(8)).sum() <= moved
    assert np.array_equal(change("shuffle", film[:1], 1.0), film[:1]), "a picture has no order"


def test_blank_is_a_chance():
    white = [bool((change("blank", GREY, 0.25, seed) == 255).all()) for seed in range(400)]
    assert 70 < sum(white) < 130


def test_the_task_and_the_picture_decide_and_nothing_else():
    one, other = (Augment(make("test/Gallery-v0"), "noise", 0.2) for _ in range(2))
    first = one.reset(seed=3)[0]
    other.reset(seed=9)
    again = other.reset(seed=3)[0]
    assert np.array_equal(first["images"][0], again["images"][0])
    assert np.array_equal(first["videos"][0], again["videos"][0])
    assert np.array_equal(one.step("x")[0]["images"][0], first["images"][0]), "the same picture, a turn later"
    pixels = one.unwrapped.pixels[None]
    assert not np.array_equal(worse(pixels, "noise", 0.2, (3, "ab")), worse(pixels, "noise", 0.2, (4, "ab")))
    assert not np.array_equal(worse(pixels, "noise", 0.2, (3, "ab")), worse(pixels, "noise", 0.2, (3, "ac")))


@pytest.mark.parametrize("name", CHANGES)
def test_texts_and_sounds_stay(name):
    env = Augment(make("test/Gallery-v0"), name, 0.5)
    env.reset(seed=0)
    text, _, film, sound = env.get_wrapper_attr("view").parts
    assert text == Text("Look.") and (sound.samples == 0.5).all() and film.fps == 2.0
    assert np.array_equal(env.unwrapped.view.images[0].pixels, env.unwrapped.pixels)


def test_the_sampler_alone_can_be_shown_the_change():
    class Pictures(Gallery):
        def begin(self, rng):
            return Observation.of(*(part for part in super().begin(rng).parts if not isinstance(part, Video)))

    env = Augment(Augment(Pictures(), "noise", 0.2, sampler_only=True), "occlude", 0.5, sampler_only=True)
    seen, _ = env.reset(seed=0)
    image = env.view.images[0]
    assert np.array_equal(seen["images"][0], env.unwrapped.pixels) and np.array_equal(
        image.pixels, env.unwrapped.pixels
    )
    assert (image.sampled.pixels == 0).all(-1).sum() >= 6 * 8
    assert (image.sampled.pixels != image.pixels).mean() > 0.5, "both changes are on it"
    both = Augment(Augment(Pictures(), "noise", 0.2, sampler_only=True), "occlude", 0.5)
    both.reset(seed=0)
    image = both.view.images[0]
    assert (image.pixels == 0).all(-1).sum() >= 6 * 8 and (image.sampled.pixels == 0).all(-1).sum() >= 6 * 8


def test_what_cannot_be_is_said():
    with pytest.raises(ConfigError, match="did you mean 'diffuse'"):
        Augment(make("test/Gallery-v0"), "difuse", 0.1)
    with pytest.raises(ConfigError, match="strength must be from 0 to 1, got 2"):
        Augment(make("test/Gallery-v0"), "noise", 2)
    with pytest.raises(ConfigError, match="rotate moves what is seen"):
        Augment(make("saccade/PagePoint-v0"), "rotate", 0.1)
    with pytest.raises(ConfigError, match="sampler_only is for pictures"):
        Augment(make("test/Gallery-v0"), "noise", 0.1, sampler_only=True).reset(seed=0)


def test_noise_fades_out_over_a_training():
    strengths = [annealed(0.5, progress) for progress in (0, 0.25, 0.5, 0.75, 1)]
    assert strengths == sorted(strengths, reverse=True)
    assert strengths[2] == pytest.approx(0.25)
    assert strengths[0] == pytest.approx(0.5 / (1 + np.exp(-5))) and strengths[-1] < 0.01
