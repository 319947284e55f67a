"""Set-of-marks (arXiv 2310.11441) for simulated worlds: a number on each thing that can be seen.

    marked = draw_numbers(pixels, things)     # things: int, H x W; 0 for none, else the number to draw

A number stands on the pixel of its thing that is nearest to the middle of what is seen of it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.envs.observation import Pixels

FONT_SHARE = 0.09
"""Height of a number as a share of the picture's, and at least `SMALLEST` pixels."""
SMALLEST = 9


def draw_numbers(pixels: Pixels, things: NDArray[np.integer[Any]]) -> Pixels:
    """A copy of `pixels` (uint8, H x W x 3) with each thing's number in white on black."""
    from PIL import Image, ImageDraw

    picture = Image.fromarray(pixels)
    pen = ImageDraw.Draw(picture)
    font = _font(max(SMALLEST, round(FONT_SHARE * picture.height)))
    for number in np.unique(things[things > 0]):
        rows, columns = np.nonzero(things == number)
        nearest = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
        left, top, right, bottom = pen.textbbox((0, 0), str(number), font=font)
        width, height = right - left + 2, bottom - top + 2
        x = min(max(int(columns[nearest] - width // 2), 0), picture.width - width)
        y = min(max(int(rows[nearest] - height // 2), 0), picture.height - height)
        pen.rectangle((x, y, x + width - 1, y + height - 1), fill=(0, 0, 0))
        pen.text((x + 1 - left, y + 1 - top), str(number), fill=(255, 255, 255), font=font)
    return np.asarray(picture)


@lru_cache
def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size=size)
