"""Set-of-marks (arXiv 2310.11441): the refs of what can be used, drawn on the picture.

    marked = draw_marks(pixels, tree.marked((640, 480)), scale=1.0)

What stands on the picture can be named in actions, by models that read better than they measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from saccade.envs.gui.tree import Element
from saccade.envs.observation import Pixels

COLOURS = ((200, 30, 30), (20, 100, 200), (20, 130, 60), (160, 80, 0), (130, 40, 160), (0, 120, 130))
FONT_SIZE = 11


def draw_marks(pixels: Pixels, elements: Sequence[Element], scale: float = 1.0) -> Pixels:
    """A copy of `pixels` (uint8, H x W x 3) with a frame around each element and its ref at the frame's corner.

    Args:
        pixels: the picture of the viewport.
        elements: what to mark; boxes in CSS pixels.
        scale: pixels of the picture for each CSS pixel.
    """
    from PIL import Image, ImageDraw

    picture = Image.fromarray(pixels)
    pen = ImageDraw.Draw(picture)
    taken: list[tuple[float, float, float, float]] = []
    for index, element in enumerate(elements):
        if element.box is None:
            continue
        left, top, width, height = (side * scale for side in element.box)
        colour = COLOURS[index % len(COLOURS)]
        right, bottom = max(left + width - 1, left), max(top + height - 1, top)
        pen.rectangle((left, top, right, bottom), outline=colour)
        _, _, wide, high = pen.textbbox((0, 0), element.ref, font=_font())
        # Beside the element, else above or below it: where no label stands yet, and off what it says.
        corners = ((right + 2, top), (left - wide - 3, top), (left, top - high), (left, bottom + 1), (left, top))
        labels = [
            (min(max(x, 0), picture.width - wide - 2), min(max(y, 0), picture.height - high - 2)) for x, y in corners
        ]
        x, y = next((at for at in labels if not _overlaps((*at, wide, high), taken)), labels[0])
        taken.append((x, y, wide, high))
        pen.rectangle((x, y, x + wide + 1, y + high), fill=colour)
        pen.text((x + 1, y - 1), element.ref, fill=(255, 255, 255), font=_font())
    return np.asarray(picture)


def _overlaps(one: tuple[float, float, float, float], others: Sequence[tuple[float, float, float, float]]) -> bool:
    x, y, w, h = one
    return any(x < ox + ow and ox < x + w and y < oy + oh and oy < y + h for ox, oy, ow, oh in others)


@lru_cache
def _font() -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size=FONT_SIZE)
