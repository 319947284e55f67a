"""The spaces: membership, samples, equality, and what vector environments do with them."""

import gymnasium as gym
import numpy as np
import pytest

from saccade.envs.spaces import Audio, Image, Unicode, Video, observation_space


@pytest.mark.parametrize("text", ["", "click(3)", "héllo “quotes” 日本\n\0", "x" * 1_000_000, "\ud800"])
def test_unicode_holds_any_string(text):
    assert text in Unicode()


@pytest.mark.parametrize("value", [3, None, b"bytes", ["a"], "x" * 1_000_001])
def test_unicode_holds_nothing_else(value):
    assert value not in Unicode()


@pytest.mark.parametrize(
    ("space", "good", "bad"),
    [
        (Image(), [np.zeros((1, 9, 3), np.uint8)], [np.zeros((1, 9), np.uint8), np.zeros((2, 2, 4), np.uint8)]),
        (Image(), [], [np.zeros((2, 2, 3), np.int64), [[[0, 0, 0]]], None]),
        (Video(), [np.zeros((4, 1, 9, 3), np.uint8)], [np.zeros((1, 9, 3), np.uint8)]),
        (Audio(), [np.zeros(5, np.float32)], [np.zeros(5), np.zeros((5, 1), np.float32)]),
    ],
)
def test_media_spaces(space, good, bad):
    assert all(value in space for value in good)
    assert not any(value in space for value in bad)


@pytest.mark.parametrize("make", [Unicode, Image, Video, Audio, observation_space])
def test_samples_belong_and_follow_the_seed(make):
    space, twin = make(), make()
    space.seed(3)
    twin.seed(3)
    samples = [space.sample() for _ in range(20)]
    assert all(sample in space for sample in samples)
    assert repr(samples) == repr([twin.sample() for _ in range(20)])
    assert space == twin
    assert repr(space)


def test_spaces_of_different_kinds_differ():
    spaces = [Unicode(), Unicode(5), Image(), Video(), Audio(), gym.spaces.Discrete(2)]
    assert all((a == b) == (i == j) for i, a in enumerate(spaces) for j, b in enumerate(spaces))
    assert not any(space.is_np_flattenable for space in spaces[:5])


def test_every_key_is_always_there():
    space = observation_space()
    observation = space.sample()
    assert set(observation) == {"text", "images", "videos", "audios"}
    del observation["videos"]
    assert observation not in space
