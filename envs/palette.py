"""The colours and shapes that the worlds draw and name: one vocabulary, so that what is learnt in one helps in all.

PALETTE["red"]          # (220, 40, 40)
describe("red", "circle", 12.2, 40)   # "red circle (12, 40)"
"""

from collections.abc import Mapping

RGB = tuple[int, int, int]

PALETTE: Mapping[str, RGB] = {
    "red": (220, 40, 40),
    "green": (30, 150, 60),
    "blue": (40, 80, 230),
    "yellow": (245, 215, 30),
    "purple": (130, 40, 170),
    "orange": (250, 135, 20),
}
"""Word -> RGB; its order is the order of captions."""

SHAPES: tuple[str, ...] = ("circle", "square", "triangle")
"""The flat shapes, in the order of captions."""


def describe(colour: str, shape: str, x: float, y: float) -> str:
    """How captions and thoughts write an object: its name and the pixel of its centre, `red circle (12, 40)`."""
    return f"{colour} {shape} ({round(x)}, {round(y)})"
