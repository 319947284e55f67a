"""Loose things on the table: what they are, where they start, and how they become bodies.

    things = scatter(rng, looks, AREA)        # Thing('red', 'cube', -120, 55, 20, 30), ...
    add_things(spec, things)                  # bodies thing0, thing1, ...

Lengths are whole millimetres, with the table's centre as origin, x to the right and y to the top of the picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from saccade.envs.embodied.observe import load_mujoco
from saccade.envs.palette import PALETTE

COLOURS = tuple(PALETTE)
SHAPES = ("cube", "cylinder", "brick")
HALVES = {"cube": (18, 23), "cylinder": (18, 23), "brick": (16, 19)}
"""Shape -> least and most of a thing's `half`."""
AREA = (-230, 230, -230, 120)
"""Left, right, bottom and top of where things start: within the arm's reach, and not under it when it rests."""
GAP = 46
"""Least space between things: a finger fits in."""

Look = tuple[str, str]
"""Colour and shape."""
Circle = tuple[float, float, float]
"""x, y and radius of something that is in the way."""


@dataclass(frozen=True)
class Thing:
    """A loose thing.

    Attributes:
        x, y: centre.
        half: half the edge of a cube, the radius of a cylinder, which stands and is as high as wide, or half the width
            and height of a brick, which is twice as long.
        yaw: degrees.
    """

    colour: str
    shape: str
    x: int
    y: int
    half: int
    yaw: int

    @property
    def name(self) -> str:
        """As `red cube`."""
        return f"{self.colour} {self.shape}"

    @property
    def reach(self) -> float:
        """Radius of the circle around it, seen from above."""
        return self.half * {"cube": math.sqrt(2), "cylinder": 1.0, "brick": math.sqrt(5)}[self.shape]

    @property
    def order(self) -> tuple[int, int, int, int]:
        """Where captions name it: by colour, then shape, then from left to right."""
        return COLOURS.index(self.colour), SHAPES.index(self.shape), self.x, self.y


def draw_looks(rng: np.random.Generator, count: int, shapes: Sequence[str] = SHAPES) -> list[Look]:
    """Different looks: each pair of colour and shape once, colours different as long as they last."""
    colours = [COLOURS[index] for index in rng.permutation(len(COLOURS))]
    looks: list[Look] = []
    for index in range(count):
        colour = colours[index % len(colours)]
        free = [shape for shape in shapes if (colour, shape) not in looks]
        looks.append((colour, free[int(rng.integers(len(free)))]))
    return looks


def draw_alike(rng: np.random.Generator, count: int, shapes: Sequence[str] = SHAPES) -> list[Look]:
    """Looks that share two colours and two shapes, then any others: neither word alone says which."""
    colours = [COLOURS[index] for index in rng.permutation(len(COLOURS))[:2]]
    kinds = [shapes[index] for index in rng.permutation(len(shapes))[:2]]
    looks = [(colours[0], kinds[0]), (colours[0], kinds[-1]), (colours[1], kinds[0]), (colours[1], kinds[-1])]
    return list(dict.fromkeys(looks))[:count]


def scatter(
    rng: np.random.Generator,
    looks: Sequence[Look],
    area: tuple[int, int, int, int] = AREA,
    taken: Sequence[Circle] = (),
    gap: int = GAP,
) -> tuple[Thing, ...] | None:
    """Free places for things of these looks, or `None` without room."""
    placed: list[Thing] = []
    for colour, shape in looks:
        for _ in range(40):
            half = int(rng.integers(HALVES[shape][0], HALVES[shape][1] + 1))
            x, y = int(rng.integers(area[0], area[1] + 1)), int(rng.integers(area[2], area[3] + 1))
            thing = Thing(colour, shape, x, y, half, int(rng.integers(-89, 91)))
            circles = [*taken, *((each.x, each.y, each.reach) for each in placed)]
            if all(math.dist((x, y), (cx, cy)) >= thing.reach + radius + gap for cx, cy, radius in circles):
                placed.append(thing)
                break
        else:
            return None
    return tuple(placed)


def find_room(
    rng: np.random.Generator,
    count: int,
    radius: float,
    area: tuple[int, int, int, int],
    gap: int,
    taken: Sequence[Circle],
) -> list[tuple[int, int]] | None:
    """Free places for `count` flat circles of one radius, or `None` without room."""
    places: list[tuple[int, int]] = []
    for _ in range(60):
        if len(places) == count:
            break
        x, y = int(rng.integers(area[0], area[1] + 1)), int(rng.integers(area[2], area[3] + 1))
        circles = [*taken, *((px, py, radius) for px, py in places)]
        if all(math.dist((x, y), (cx, cy)) >= radius + other + gap for cx, cy, other in circles):
            places.append((x, y))
    return places if len(places) == count else None


def add_things(spec: Any, things: Sequence[Thing]) -> None:
    """A free body for each, at rest on the table."""
    types = load_mujoco().mjtGeom
    for index, thing in enumerate(things):
        half = thing.half / 1000
        body = spec.worldbody.add_body(name=f"thing{index}", pos=[thing.x / 1000, thing.y / 1000, half])
        body.quat = [math.cos(math.radians(thing.yaw) / 2), 0, 0, math.sin(math.radians(thing.yaw) / 2)]
        body.add_freejoint(name=f"thing{index}")
        geom = body.add_geom(spec.find_default("thing"), name=f"thing{index}")
        geom.type = types.mjGEOM_CYLINDER if thing.shape == "cylinder" else types.mjGEOM_BOX
        geom.size = {"cube": [half] * 3, "cylinder": [half, half, 0], "brick": [2 * half, half, half]}[thing.shape]
        geom.rgba = rgba(thing.colour)


def rgba(colour: str) -> list[float]:
    """The colour for MuJoCo."""
    return [*(channel / 255 for channel in PALETTE[colour]), 1.0]
