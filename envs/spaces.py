"""Gymnasium spaces of the observation dictionary and of text actions.

`gymnasium.spaces.Text` knows a closed alphabet; pages and models write anything, so `Unicode` checks length only.
The media spaces accept any size, which no `Box` can say.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

_SAMPLE_ALPHABET = np.array(list("abcdefghijklmnopqrstuvwxyz 0123456789(),.<>=\"'é“日\n"))


class Unicode(gym.Space[str]):
    """Any string of at most `max_length` characters."""

    def __init__(self, max_length: int = 1_000_000, seed: int | np.random.Generator | None = None) -> None:
        self.max_length = max_length
        super().__init__(dtype=str, seed=seed)

    def sample(self, mask: None = None, probability: None = None) -> str:
        """Draw a short random string."""
        length = int(self.np_random.integers(0, min(self.max_length, 24) + 1))
        return "".join(self.np_random.choice(_SAMPLE_ALPHABET, size=length))

    def contains(self, x: Any) -> bool:
        """Whether `x` is a string that is not too long."""
        return isinstance(x, str) and len(x) <= self.max_length

    @property
    def is_np_flattenable(self) -> bool:
        """Strings do not flatten."""
        return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unicode) and other.max_length == self.max_length

    def __repr__(self) -> str:
        return f"Unicode({self.max_length})"


class _Media(gym.Space[NDArray[Any]]):
    """Arrays of one dtype and rank whose sizes are free."""

    _dtype: type[np.generic]
    _ndim: int
    _sample_shape: tuple[int, ...]

    def __init__(self, seed: int | np.random.Generator | None = None) -> None:
        super().__init__(dtype=self._dtype, seed=seed)

    def sample(self, mask: None = None, probability: None = None) -> NDArray[Any]:
        """Draw a small random array."""
        if self._dtype is np.uint8:
            return self.np_random.integers(0, 256, self._sample_shape, dtype=np.uint8)
        return self.np_random.uniform(-1, 1, self._sample_shape).astype(self._dtype)

    def contains(self, x: Any) -> bool:
        """Whether `x` has the dtype, the rank and, for pictures, three channels."""
        if not isinstance(x, np.ndarray) or x.dtype != self._dtype or x.ndim != self._ndim:
            return False
        return self._ndim == 1 or x.shape[-1] == 3

    @property
    def is_np_flattenable(self) -> bool:
        """Arrays of free size do not flatten."""
        return False

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Image(_Media):
    """A picture of any size: uint8, H x W x 3."""

    _dtype, _ndim, _sample_shape = np.uint8, 3, (8, 8, 3)


class Video(_Media):
    """A video of any length and size: uint8, T x H x W x 3."""

    _dtype, _ndim, _sample_shape = np.uint8, 4, (2, 8, 8, 3)


class Audio(_Media):
    """Sound of any length, one channel: float32 in [-1, 1]."""

    _dtype, _ndim, _sample_shape = np.float32, 1, (16,)


def observation_space() -> gym.spaces.Dict:
    """The one observation space of every environment."""
    return gym.spaces.Dict(
        {
            "text": Unicode(),
            "images": gym.spaces.Sequence(Image()),
            "videos": gym.spaces.Sequence(Video()),
            "audios": gym.spaces.Sequence(Audio()),
        }
    )
