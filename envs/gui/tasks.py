"""Seeded contents of the GUI tasks: frozen values that `LanguageEnv.draw` splits by their `repr`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from saccade.envs.errors import ConfigError
from saccade.envs.palette import PALETTE, SHAPES

LEVELS = (1, 2, 3)
SIZES = (32, 512)
_GAP = 2  # pixels between two objects, so that no click can mean both

Box = tuple[int, int, int, int]
"""Left, top, width and height in pixels."""


class Item(Protocol):
    """What stands in a scene and can be clicked: a frozen dataclass."""

    @property
    def name(self) -> str:
        """What captions and thoughts call it."""

    @property
    def asked(self) -> str:
        """How the goal names it."""

    @property
    def centre(self) -> tuple[int, int]:
        """A pixel well inside it."""

    @property
    def order(self) -> tuple[int, ...]:
        """Where captions name it: items are sorted by this."""

    def drawn(self) -> tuple[str, str, str]:
        """What `scene.html` draws it from: a class of its style sheet, CSS, and a text."""


@dataclass(frozen=True)
class Shape:
    """A coloured shape; `x`, `y` is the corner of its box and `side` its width and height, in pixels (side even)."""

    colour: str
    shape: str
    x: int
    y: int
    side: int

    @property
    def name(self) -> str:
        """Such as `red circle`."""
        return f"{self.colour} {self.shape}"

    @property
    def asked(self) -> str:
        """Such as `the red circle`."""
        return f"the {self.name}"

    @property
    def centre(self) -> tuple[int, int]:
        """A pixel well inside the shape."""
        return self.x + self.side // 2, self.y + self.side // 2

    @property
    def order(self) -> tuple[int, int]:
        """By colour and then by shape."""
        return list(PALETTE).index(self.colour), SHAPES.index(self.shape)

    def drawn(self) -> tuple[str, str, str]:
        """A flat shape without text."""
        return self.shape, css(PALETTE[self.colour], (self.x, self.y, self.side, self.side)), ""


@dataclass(frozen=True)
class Scene:
    """Items in a square picture of `size` pixels, no two with the same name.

    `target` is the index of the one to click. It is not part of the `repr`: scenes are split into train and test by
    what they look like, so that no picture is in both, whatever is asked about it.
    """

    size: int
    objects: tuple[Item, ...]
    target: int = field(repr=False)

    @property
    def goal(self) -> str:
        """The sentence that names the target."""
        return f"Click {self.objects[self.target].asked}."

    @property
    def look(self) -> tuple[int, tuple[Item, ...]]:
        """Equal for scenes with equal pictures."""
        return self.size, self.objects

    def caption(self) -> str:
        """All objects with their centres, in their order."""
        ordered = sorted(self.objects, key=lambda each: each.order)
        return " ".join(f"{each.name} ({each.centre[0]}, {each.centre[1]})" for each in ordered)


def css(colour: tuple[int, int, int], box: Box) -> str:
    """The style of an item: its background and its box."""
    left, top, width, height = box
    return f"background: rgb{colour}; left: {left}px; top: {top}px; width: {width}px; height: {height}px"


def make_scene(rng: np.random.Generator, level: int, size: int) -> Scene:
    """Draw a scene.

    Args:
        rng: determines it.
        level: 1 one object; 2 two or three of different colours; 3 four, some with the target's colour, some with
            its shape.
        size: width and height of the picture in pixels.
    """
    colours, shapes = rng.permutation(list(PALETTE)).tolist(), rng.permutation(SHAPES).tolist()
    if level == 1:
        looks = [(colours[0], shapes[0])]
    elif level == 2:
        looks = [(colour, str(rng.choice(SHAPES))) for colour in colours[: rng.integers(2, 4)]]
    else:
        looks = [(colours[0], shapes[0]), (colours[0], shapes[1]), (colours[1], shapes[0])]
        others = [(c, s) for c in PALETTE for s in SHAPES if (c, s) not in looks]
        looks.append(others[rng.integers(len(others))])
    boxes = _place(rng, len(looks), size)
    objects = [Shape(*look, *box) for look, box in zip(looks, boxes, strict=True)]
    order = rng.permutation(len(objects)).tolist()  # or the target would always be drawn first
    return Scene(size, tuple(objects[index] for index in order), target=order.index(0))


def _place(rng: np.random.Generator, count: int, size: int) -> list[tuple[int, int, int]]:
    """Corners and sides of `count` boxes that do not touch; 14 to 20 pixels wide in a picture of 64."""
    while True:
        boxes: list[tuple[int, int, int]] = []
        for _ in range(50):
            side = 2 * int(rng.integers(round(size * 7 / 64), round(size * 10 / 64) + 1))
            x, y = (int(value) for value in rng.integers(1, size - side, size=2))
            if all(
                x + side + _GAP <= left or left + width + _GAP <= x or y + side + _GAP <= top or top + width + _GAP <= y
                for left, top, width in boxes
            ):
                boxes.append((x, y, side))
            if len(boxes) == count:
                return boxes


def check_scene_settings(level: int, size: int) -> None:
    """Raise `ConfigError` for a level or a size that `make_scene` cannot draw."""
    if level not in LEVELS:
        raise ConfigError(f"level must be one of {', '.join(map(str, LEVELS))}, got {level!r}")
    if not SIZES[0] <= size <= SIZES[1]:
        raise ConfigError(f"size must be {SIZES[0]} to {SIZES[1]} pixels, got {size!r}")
