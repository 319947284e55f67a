"""Table-top scenes: pieces at rest, a finger, and the piece to touch. Content only; `control.py` makes it physical.

    make_scene(rng, level=2)
    # Scene(target=1, finger=(-180, 40), pieces=(Piece('red', 'ball', 10, -120, 55, 0), ...))

Lengths are whole millimetres, with the table's centre as origin, x to the right and y to the top of the picture.
The way from the finger straight to the target is free by construction.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from saccade.envs.palette import PALETTE

COLOURS = tuple(PALETTE)
SHAPES = ("cube", "ball", "cylinder")
EXTENT = 640
"""Width and height of what the camera sees of the table, in millimetres."""
FINGER_RADIUS = 25
CLEARANCE = 20
"""Least gap between two pieces, and between a piece that must not be touched and the finger on its way."""
TRAVEL = (170, 570)
"""From the finger to the target's nearest point along the straight way: two to four moves of 150."""
COUNTS = {1: (1, 1), 2: (3, 3), 3: (4, 4)}
"""Level -> least and most pieces."""
HALVES = dict.fromkeys(SHAPES, (46, 58))
"""Shape -> least and most of a piece's `half`."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Piece:
    """One object on the table.

    Attributes:
        x, y: centre.
        half: half the edge of a cube, the radius of a ball or of a cylinder, which lies on its side.
        yaw: degrees; 0 or 90, the direction of a cylinder's axis.
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
    def length(self) -> int:
        """Half the length along the axis: cylinders are longer than wide."""
        return self.half * 8 // 5 if self.shape == "cylinder" else self.half

    @property
    def reach(self) -> float:
        """Radius of the circle around the piece, seen from above."""
        return float(self.half) if self.shape == "ball" else math.hypot(self.half, self.length)

    @property
    def order(self) -> tuple[int, int, int, int]:
        """Where captions name it: by colour, then shape, then from left to right."""
        return COLOURS.index(self.colour), SHAPES.index(self.shape), self.x, self.y


class Layout(ABC):
    """What a world is built from: pieces in the order of captions, and the index of the one to touch."""

    target: int
    pieces: tuple[Piece, ...]

    @property
    @abstractmethod
    def start(self) -> tuple[int, int]:
        """Where that which moves begins."""

    @property
    def goal(self) -> Piece:
        """The piece to touch."""
        return self.pieces[self.target]


@dataclass(frozen=True)
class Scene(Layout):
    """A table with pieces on it, and where the finger starts."""

    target: int
    finger: tuple[int, int]
    pieces: tuple[Piece, ...]

    @property
    def start(self) -> tuple[int, int]:
        """The place of the finger."""
        return self.finger


def make_scene(rng: np.random.Generator, level: int) -> Scene:
    """Draw looks, then places until everything is apart and the straight way to the target is free."""
    looks = _looks(rng, level)
    while True:
        pieces = scatter(rng, looks, HALVES, EXTENT)
        finger = _start(rng, pieces) if pieces else None
        if pieces and finger:
            ordered = tuple(sorted(pieces, key=lambda piece: piece.order))
            return Scene(ordered.index(pieces[0]), finger, ordered)


def _looks(rng: np.random.Generator, level: int) -> list[tuple[str, str]]:
    """Colour and shape of each piece, the target first; no two are alike."""
    fewest, most = COUNTS[level]
    count = int(rng.integers(fewest, most + 1))
    colours = [COLOURS[index] for index in rng.permutation(len(COLOURS))]
    shapes = [SHAPES[index] for index in rng.permutation(len(SHAPES))]
    if level == 3:  # one shares the target's colour, one its shape, and one stands in for either
        target, twin, other = (colours[0], shapes[0]), (colours[0], shapes[1]), (colours[1], shapes[0])
        return [target, twin, other, (colours[1], shapes[1]) if rng.random() < 0.5 else (colours[0], shapes[2])]
    return [(colour, SHAPES[int(rng.integers(len(SHAPES)))]) for colour in colours[:count]]


def scatter(
    rng: np.random.Generator,
    looks: Sequence[tuple[str, str]],
    halves: Mapping[str, tuple[int, int]],
    width: int,
    fits: Callable[[Piece], bool] = lambda piece: True,
) -> list[Piece] | None:
    """Free places for pieces of these colours and shapes in a square of that width, or `None` without room."""
    placed: list[Piece] = []
    for colour, shape in looks:
        for _ in range(30):
            half, yaw = int(rng.integers(halves[shape][0], halves[shape][1] + 1)), 90 * int(rng.integers(2))
            size = Piece(colour, shape, 0, 0, half, yaw)
            bound = width // 2 - math.ceil(size.reach)
            x, y = (int(each) for each in rng.integers(-bound, bound + 1, size=2))
            piece = Piece(colour, shape, x, y, half, yaw)
            apart = all(math.dist((x, y), (p.x, p.y)) >= piece.reach + p.reach + CLEARANCE for p in placed)
            if apart and fits(piece):
                placed.append(piece)
                break
        else:
            return None
    return placed


def _start(rng: np.random.Generator, pieces: Sequence[Piece]) -> tuple[int, int] | None:
    """A place for the finger with a free way to the first piece."""
    goal = (pieces[0].x, pieces[0].y)
    bound = EXTENT // 2 - FINGER_RADIUS - 10
    for _ in range(30):
        x, y = (int(each) for each in rng.integers(-bound, bound + 1, size=2))
        travel = math.dist((x, y), goal) - pieces[0].reach - FINGER_RADIUS
        if TRAVEL[0] <= travel <= TRAVEL[1] and all(
            distance_to_way((p.x, p.y), (x, y), goal) >= p.reach + FINGER_RADIUS + CLEARANCE for p in pieces[1:]
        ):
            return x, y
    return None


def distance_to_way(point: Point, start: Point, end: Point) -> float:
    """Distance from a point to the straight segment between two others."""
    (px, py), (sx, sy), (ex, ey) = point, start, end
    length = (ex - sx) ** 2 + (ey - sy) ** 2
    share = 0.0 if length == 0 else min(1.0, max(0.0, ((px - sx) * (ex - sx) + (py - sy) * (ey - sy)) / length))
    return math.hypot(px - sx - share * (ex - sx), py - sy - share * (ey - sy))
