"""Drawing: contents into pixels, in NumPy alone, the same on every machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from saccade.envs.observation import Image
from saccade.envs.palette import PALETTE
from saccade.envs.qa.tasks import CANVAS, Digit, Thing

Plane = NDArray[np.float64]
BACKGROUND = 246
"""Grey level of an empty scene: near white."""

# Signed distance from the outline, negative inside; dx, dy from the centre, r half the width.
OUTLINES: Mapping[str, Callable[[Plane, Plane, float], Plane]] = {
    "circle": lambda dx, dy, r: np.sqrt(dx * dx + dy * dy) - r,
    "square": lambda dx, dy, r: np.maximum(np.abs(dx), np.abs(dy)) - r,
    "triangle": lambda dx, dy, r: np.maximum(dy - r, (2 * np.abs(dx) - dy - r) / np.sqrt(5.0)),
}


def digit_image(digit: Digit, size: int) -> Image:
    """Dark strokes on white, each of the 8 x 8 levels a block of the `size` x `size` picture."""
    ink = np.frombuffer(digit.ink, np.uint8).reshape(8, 8).astype(np.int64)
    source = np.arange(size) * 8 // size
    levels = (255 - ink * 255 // 16).astype(np.uint8)[np.ix_(source, source)]
    return Image(np.repeat(levels[..., None], 3, axis=2))


def scene_image(things: Sequence[Thing], size: int) -> Image:
    """Flat smooth-edged shapes on a near-white background, `size` x `size` pixels."""
    scale = size / CANVAS
    centres = np.arange(size, dtype=np.float64) + 0.5
    dy, dx = np.meshgrid(centres, centres, indexing="ij")
    picture = np.full((size, size, 3), BACKGROUND, np.float64)
    for thing in things:
        distance = OUTLINES[thing.shape](dx - thing.x * scale, dy - thing.y * scale, thing.width * scale / 2)
        cover = np.clip(0.5 - distance, 0, 1)[..., None]
        picture += cover * (np.array(PALETTE[thing.colour], np.float64) - picture)
    return Image(np.rint(picture).astype(np.uint8))
