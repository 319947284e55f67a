"""Pictures and films made worse on purpose: for robustness, for contrast, or only while actions are sampled.

    env = Augment(gym.make("saccade/Clocks-v0"), "diffuse", strength=0.5, sampler_only=True)

With `sampler_only` the sampler sees the changed picture and the learner the clean one (NoisyRollout, arXiv 2504.13055).
What a picture becomes is determined by the task's seed and by the picture: every episode of a group sees the same, and
so does a replay. Texts and sounds stay as they are.

A change is a pure function of frames (T x H x W x 3, levels 0 to 255; a picture is one frame), a generator and a
strength from 0 (nothing) to 1; the frames of a film are turned, cut and covered alike.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.envs.actions import ActionSet
from saccade.envs.errors import ConfigError, near
from saccade.envs.observation import Image, Part, Pixels, Video
from saccade.envs.wrappers import LanguageGym, ViewWrapper

Frames = NDArray[np.float32]
Change = Callable[[Frames, np.random.Generator, float], Frames]
STEPS = 1000
"""Steps of the diffusion whose last one is strength 1."""


def noise(frames: Frames, rng: np.random.Generator, strength: float) -> Frames:
    """Add Gaussian noise whose standard deviation is `strength` of the range of levels."""
    return frames + np.float32(255 * strength) * rng.standard_normal(frames.shape, np.float32)


@cache
def kept_signal() -> NDArray[np.float64]:
    """How much of a picture's variance is left after each of the `STEPS` steps of a diffusion.

    The cumulative product of 1 - beta, beta rising from 1e-5 to 5e-3 along a sigmoid from -6 to 6 (visual contrastive
    decoding, arXiv 2311.16922, whose schedule NoisyRollout uses).
    """
    beta = 1e-5 + (5e-3 - 1e-5) / (1 + np.exp(-np.linspace(-6, 6, STEPS)))
    return np.cumprod(1 - beta, dtype=np.float64)


def diffuse(frames: Frames, rng: np.random.Generator, strength: float) -> Frames:
    """Take `strength` of the steps of a diffusion: sqrt(kept) x + sqrt(1 - kept) e, levels from 0 to 1."""
    steps = round(strength * STEPS)
    if not steps:
        return frames
    kept = float(kept_signal()[steps - 1])
    error = rng.standard_normal(frames.shape, np.float32)
    return np.float32(math.sqrt(kept)) * frames + np.float32(255 * math.sqrt(1 - kept)) * error


def blur(frames: Frames, rng: np.random.Generator, strength: float) -> Frames:
    """Blur with a Gaussian whose standard deviation is `strength` / 8 of the width; borders are repeated."""
    sigma = strength * frames.shape[2] / 8
    reach = math.ceil(3 * sigma)
    if not reach:
        return frames
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    for axis in (1, 2):
        length = frames.shape[axis]
        at = np.clip(np.arange(length)[:, None] + np.arange(-reach, reach + 1), 0, length - 1)
        mix = np.zeros((length, length), np.float32)
        np.add.at(mix, (np.arange(length)[:, None], at), weights[None])
        frames = np.moveaxis(np.tensordot(mix, frames, (1, axis)), 0, axis)
    return frames


def crop(frames: Frames, rng: np.random.Generator, strength: float) -> Frames:
    """Cut `strength` of width and height away, somewhere, and stretch the rest to the same size."""
    height, width = frames.shape[1:3]
    kept = max(1 - strength, 1 / min(width, height))
    top, left = rng.random(2) * (1 - kept)
    rows = (top + kept * (np.arange(height) + 0.5) / height) * height - 0.5
    columns = (left + kept * (np.arange(width) + 0.5) / width) * width - 0.5
    return resample(frames, *np.broadcast_arrays(rows[:, None], columns[None, :]))


def rotate(frames: Frames, rng: np.random.Generator, strength: float) -> Frames:
    """Turn by at most 180 `strength` degrees, either way, around the middle; where nothing was, there is white."""
    height, width = frames.shape[1:3]
    turn = math.radians(180 * strength * rng.uniform(-1, 1))
    y, x = np.arange(height)[:, None] - (height - 1) / 2, np.arange(width)[None, :] - (width - 1) / 2
    rows = math.cos(turn) * y - math.sin(turn) * x + (height - 1) / 2
    columns = math.sin(turn) * y + math.cos(turn) * x + (width - 1) / 2
    inside = (rows > -0.51) & (rows < height - 0.49) & (columns > -0.51) & (columns < width - 0.49)
    return np.where(inside[..., None], resample(frames, rows, columns), np.float32(255))


def colour(frames: Frames, rng: np.random.Generator, strength: float) -> Frames:
    """Change brightness, contrast and saturation, each by a factor within `strength` of 1."""
    brightness, contrast, saturation = (np.float32(1 + strength * each) for each in rng.uniform(-1, 1, 3))
    frames = frames * brightness
    mean = frames.mean()
    frames = mean + contrast * (frames - mean)
    grey = frames @ np.array((0.299, 0.587, 0.114), np.float32)
    return grey[..., None] + saturation * (frames - grey[..., None])


def occlude(frames: Frames, rng: np.random.Generator, strength: float) -> Frames:
    """Cover a place with a black box, `strength` as wide and high as the picture."""
    height, width = (round(strength * each) for each in frames.shape[1:3])
    top, left = (int(rng.integers(0, room + 1)) for room in (frames.shape[1] - height, frames.shape[2] - width))
    covered = frames.copy()
    covered[:, top : top + height, left : left + width] = 0
    return covered


def shuffle(frames: Frames, rng: np.random.Generator, strength: float) -> Frames:
    """Put `strength` of a film's frames, at least two, into another order."""
    count = len(frames)
    moved = min(count, max(2, round(strength * count))) if strength else 0
    if moved < 2:
        return frames
    places = np.sort(rng.permutation(count)[:moved])
    order = rng.permutation(moved)
    while np.array_equal(order, np.arange(moved)):
        order = rng.permutation(moved)
    shuffled = frames.copy()
    shuffled[places] = frames[places[order]]
    return shuffled


def blank(frames: Frames, rng: np.random.Generator, strength: float) -> Frames:
    """Make everything white, with probability `strength`."""
    return np.full_like(frames, 255) if rng.random() < strength else frames


def resample(frames: Frames, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> Frames:
    """Frames at fractional rows and columns (H x W each), from the four pixels around; borders are repeated."""
    height, width = frames.shape[1:3]
    rows, columns = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    low, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    down, across = ((each - start).astype(np.float32)[..., None] for each, start in ((rows, top), (columns, left)))
    above = frames[:, top, left] * (1 - across) + frames[:, top, right] * across
    below = frames[:, low, left] * (1 - across) + frames[:, low, right] * across
    mixed: Frames = above * (1 - down) + below * down
    return mixed


CHANGES: Mapping[str, Change] = {
    "noise": noise,
    "diffuse": diffuse,
    "blur": blur,
    "crop": crop,
    "rotate": rotate,
    "colour": colour,
    "occlude": occlude,
    "shuffle": shuffle,
    "blank": blank,
}
"""Every change by its name."""
MOVING = ("crop", "rotate")
"""Those after which things are at other places."""


class Augment(ViewWrapper):
    """Shows changed pictures and films.

    Args:
        env: a world.
        change: a name in `CHANGES`.
        strength: from 0 to 1; what it means is said by the change.
        sampler_only: keep what the learner sees; for pictures alone.

    Raises:
        ConfigError: no such change or strength; or places on the picture are clicked on and would move; or, when it is
            shown, a film is to be changed for the sampler only.
    """

    def __init__(self, env: LanguageGym, change: str, strength: float, sampler_only: bool = False) -> None:
        super().__init__(env)
        if change not in CHANGES:
            raise ConfigError(f"unknown change {change!r}; {near(change, CHANGES, 'changes')}")
        if not 0 <= strength <= 1:
            raise ConfigError(f"strength must be from 0 to 1, got {strength}")
        if change in MOVING and _points(env.get_wrapper_attr("action_format")):
            raise ConfigError(
                f"{change} moves what is seen, and the actions of this world name places: use one of "
                + ", ".join(name for name in CHANGES if name not in MOVING)
            )
        self.name, self.strength, self.sampler_only = change, strength, sampler_only
        self._task_seed = 0
        self._made: dict[str, Part] = {}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Reset, note the task, and show the changed observation."""
        _, info = self.env.reset(seed=seed, options=options)
        self._task_seed, self._made = info["task_seed"], {}
        return self.view.as_dict(), info

    def change(self, part: Part) -> Part:
        """The changed picture or film, made once an episode; texts and sounds as they are."""
        if not isinstance(part, (Image, Video)):
            return part
        if part.digest not in self._made:
            self._made[part.digest] = self._changed(part)
        return self._made[part.digest]

    def _changed(self, part: Image | Video) -> Part:
        worsen = partial(worse, name=self.name, strength=self.strength, key=(self._task_seed, part.digest))
        if isinstance(part, Video):
            if self.sampler_only:
                raise ConfigError("sampler_only is for pictures: a film is the same for sampler and learner")
            return Video(worsen(part.frames), part.fps)
        seen = part.sampled.pixels
        sampler = worsen(seen[None])[0] if self.sampler_only or part.sampler_pixels is not None else None
        return Image(part.pixels if self.sampler_only else worsen(part.pixels[None])[0], sampler)


def worse(frames: Pixels, name: str, strength: float, key: tuple[int, str]) -> Pixels:
    """Frames (T x H x W x 3) after the change of that name; equal keys change equal frames alike."""
    seed, digest = key
    rng = np.random.default_rng([seed, int(digest, 16), zlib.crc32(name.encode())])
    changed = CHANGES[name](frames.astype(np.float32), rng, strength)
    return np.rint(np.clip(changed, 0, 255)).astype(np.uint8)


def annealed(strength: float, progress: float, middle: float = 0.5, steepness: float = 10.0) -> float:
    """The strength after `progress` (0 to 1) of a training: strength (1 - sigmoid(steepness (progress - middle))).

    The sigmoid schedule of NoisyRollout (arXiv 2504.13055), whose training begins with noise and ends without.
    """
    return strength * (1 - 1 / (1 + math.exp(-steepness * (progress - middle))))


def _points(action_format: Any) -> bool:
    verbs = action_format.verbs.values() if isinstance(action_format, ActionSet) else ()
    return any(param.kind in ("x", "y") for each in verbs for param in each.params.values())
