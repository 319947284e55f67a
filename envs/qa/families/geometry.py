"""Drawn figures: angles, areas, similar triangles."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import product

import numpy as np

from saccade.envs.palette import PALETTE
from saccade.envs.qa.canvas import UNITS, Canvas, Point
from saccade.envs.qa.families.base import Family, Picture, numbers, whole
from saccade.envs.qa.tasks import pick

COLOURS = tuple(PALETTE)
Sides = tuple[int, ...]


@dataclass(frozen=True)
class Corner(Picture):
    """Two rays from the middle; the first points `turn` degrees away from the right, clockwise."""

    turn: int
    degrees: int
    lengths: tuple[int, int]
    colour: str
    questions = (
        "How many degrees is the angle?",
        "What is the size of the angle in degrees?",
        "Measure the angle, in degrees.",
    )

    @property
    def answer(self) -> str:
        """The degrees between the rays."""
        return str(self.degrees)

    @property
    def thought(self) -> str:
        """Which kind of angle it is."""
        return "right" if self.degrees == 90 else "less than 90" if self.degrees < 90 else "more than 90"

    @property
    def caption(self) -> str:
        """The two directions in degrees from the top, clockwise, to the nearest ten."""
        tens = (round((each + 90) % 360, -1) % 360 for each in (self.turn, self.turn + self.degrees))
        return f"{self.colour} rays at " + " and ".join(map(str, tens))

    def draw(self, canvas: Canvas) -> None:
        """An arc and two rays."""
        middle = UNITS / 2
        canvas.sector(middle, middle, 15, self.turn + 90, self.turn + 90 + self.degrees, (222, 222, 222))
        for degrees, length in zip((self.turn, self.turn + self.degrees), self.lengths, strict=True):
            canvas.line((middle, middle), _towards((middle, middle), degrees, length), self.colour, 2.5)


class Angles(Family):
    """Measure an angle: to 30 degrees, to 15, to 10."""

    def answers(self) -> tuple[str, ...]:
        """Multiples below 180 degrees."""
        step = (30, 15, 10)[self.level - 1]
        return numbers(step, 179, step)

    def make(self, rng: np.random.Generator, answer: str) -> Corner:
        """Turned at random."""
        lengths = whole(rng, 30, 50), whole(rng, 30, 50)
        return Corner(whole(rng, 0, 359), int(answer), lengths, pick(rng, COLOURS))


@dataclass(frozen=True)
class Figure(Picture):
    """A rectangle, a right triangle, or a rectangle without a corner, its sides marked.

    Attributes:
        sides: width and height; for the third kind also those of the corner that is missing.
        kind: `rectangle`, `triangle` or `step`.
        unit: canvas units that a side of 1 is long.
        mirrored: whether left and right are exchanged.
    """

    kind: str
    sides: Sides
    unit: float
    colour: str
    mirrored: bool
    questions = (
        "What is the area of the figure?",
        "Work out the area of the figure from its sides.",
        "How many square units does the figure cover?",
    )

    @property
    def answer(self) -> str:
        """The area."""
        return str(area(self.kind, self.sides))

    @property
    def thought(self) -> str:
        """The calculation."""
        width, height, *gap = self.sides
        match self.kind:
            case "rectangle":
                return f"{width} * {height}"
            case "triangle":
                return f"{width} * {height} / 2"
            case _:
                return f"{width} * {height} - {gap[0]} * {gap[1]} = {width * height} - {gap[0] * gap[1]}"

    @property
    def caption(self) -> str:
        """Its kind, and the sides that are marked."""
        return f"{self.colour} {self.kind}: {', '.join(map(str, self.sides))}"

    def draw(self, canvas: Canvas) -> None:
        """The figure in the middle, a number at each side that is needed."""
        width, height, *gap = (side * self.unit for side in self.sides)
        left, top = (UNITS - width) / 2, (UNITS - height) / 2

        def at(x: float, y: float) -> Point:
            return (left + (width - x if self.mirrored else x), top + y)

        marks = [(at(width / 2, height + 8), self.sides[0]), (at(-9, height / 2), self.sides[1])]
        corners = [at(0, 0), at(width, height), at(0, height)]
        canvas.polygon(corners if self.kind == "triangle" else [*corners[:1], at(width, 0), *corners[1:]], self.colour)
        if gap:
            inner = [at(width - gap[0], 0), at(width, 0), at(width, gap[1]), at(width - gap[0], gap[1])]
            canvas.polygon(inner, (246, 246, 246))
            canvas.lines(inner[1:], pen=1)
            canvas.line(inner[0], inner[3], pen=1)
            canvas.line(inner[0], inner[1], (190, 190, 190), 1)
            marks += [(at(width - gap[0] / 2, -8), self.sides[2]), (at(width + 9, gap[1] / 2), self.sides[3])]
        for (x, y), number in marks:
            canvas.text(x, y, str(number))


def area(kind: str, sides: Sides) -> int:
    """Square units of a figure; only whole ones are asked for."""
    width, height, *gap = sides
    return width * height // 2 if kind == "triangle" else width * height - (gap[0] * gap[1] if gap else 0)


@cache
def figures(kind: str) -> dict[int, list[Sides]]:
    """Area -> the sides that have it."""
    grid: Iterable[Sides] = product(range(3, 13), range(3, 13))
    if kind == "triangle":
        grid = (sides for sides in grid if sides[0] * sides[1] % 2 == 0)
    if kind == "step":
        grid = (
            (width, height, across, down)
            for width, height in grid
            for across, down in product(range(2, width - 1), range(2, height - 1))
            if width * height <= 80
        )
    return _by_result((area(kind, sides), sides) for sides in grid)


class Areas(Family):
    """Work out an area: of a rectangle, of a right triangle, of a rectangle without one of its corners."""

    @property
    def kind(self) -> str:
        """The figure of this level."""
        return ("rectangle", "triangle", "step")[self.level - 1]

    def answers(self) -> tuple[str, ...]:
        """Areas that several sides lead to."""
        most = (6, 10, 24)[self.level - 1]
        least = (3, 3, 20)[self.level - 1]
        common = sorted(figures(self.kind), key=lambda size: (-len(figures(self.kind)[size]), size))
        return tuple(str(size) for size in sorted(common[:most]) if len(figures(self.kind)[size]) >= least)

    def make(self, rng: np.random.Generator, answer: str) -> Figure:
        """Sides at random, drawn to scale."""
        sides = pick(rng, figures(self.kind)[int(answer)])
        unit = whole(rng, 40, 56) * 1.4 / max(sides)
        return Figure(self.kind, sides, unit, pick(rng, COLOURS), bool(rng.integers(2)))


@dataclass(frozen=True)
class Similar(Picture):
    """Two right triangles of one form; `sides` are the legs of the first, and the foot of the second."""

    sides: tuple[int, int, int]
    colours: tuple[str, str]
    mirrored: bool
    lift: int
    questions = (
        "The triangles are similar. How long is the side x?",
        "Both triangles have the same angles. What is x?",
        "Find x: the two triangles are similar.",
    )

    @property
    def ratio(self) -> Fraction:
        """How many times larger the second is."""
        return Fraction(self.sides[2], self.sides[0])

    @property
    def answer(self) -> str:
        """The height of the second."""
        return str(self.ratio * self.sides[1])

    @property
    def thought(self) -> str:
        """The ratio of the feet, and what follows."""
        foot, height, other = self.sides
        over, under = self.ratio.as_integer_ratio()
        if under == 1:
            return f"{other} / {foot} = {over}, x = {height} * {over}"
        return f"{other} / {foot} = {over} / {under}, x = {height} * {over} / {under}"

    @property
    def caption(self) -> str:
        """The triangles and their marked sides."""
        foot, height, other = self.sides
        first, second = self.colours
        return f"{first} triangle: {foot}, {height}; {second} triangle: {other}, x"

    def draw(self, canvas: Canvas) -> None:
        """Side by side, to scale, marks below and beside."""
        foot, height = self.sides[:2]
        ratio = float(self.ratio)
        unit = min(62 / (foot * (1 + ratio)), 74 / (height * ratio))
        left = 12.0
        for colour, scale, marks in zip(
            self.colours, (1.0, ratio), ((str(foot), str(height)), (str(self.sides[2]), "x")), strict=True
        ):
            wide, high, floor = foot * unit * scale, height * unit * scale, 92 - self.lift
            right = left + wide
            upright = right if self.mirrored else left
            canvas.polygon([(left, floor), (right, floor), (upright, floor - high)], colour)
            canvas.text((left + right) / 2, floor + 8, marks[0])
            canvas.text(upright + (8 if self.mirrored else -7), floor - high / 2, marks[1])
            left = right + 24


@cache
def triangles(level: int) -> dict[int, list[Sides]]:
    """The length x -> (foot, height, foot of the second) that lead to it."""
    ratios = (
        [Fraction(2)],
        [Fraction(2), Fraction(3)],
        [Fraction(3, 2), Fraction(5, 2), Fraction(4, 3), Fraction(5, 3)],
    )[level - 1]
    legs = product(range(3, 11), range(3, 11))
    return _by_result(
        (int(ratio * height), (foot, height, int(ratio * foot)))
        for (foot, height), ratio in product(legs, ratios)
        if (ratio * height).denominator == (ratio * foot).denominator == 1 and foot <= 2 * height <= 4 * foot
    )


class SimilarTriangles(Family):
    """Find the side of a similar triangle: twice as large, two or three times, or in a ratio of small numbers."""

    def answers(self) -> tuple[str, ...]:
        """Lengths that at least three pairs lead to."""
        return tuple(str(x) for x, pairs in sorted(triangles(self.level).items()) if len(pairs) >= 3)

    def make(self, rng: np.random.Generator, answer: str) -> Similar:
        """Numbers at random."""
        foot, height, other = pick(rng, triangles(self.level)[int(answer)])
        colours = pick(rng, COLOURS), pick(rng, COLOURS)
        return Similar((foot, height, other), colours, bool(rng.integers(2)), whole(rng, 0, 4))


def _by_result(found: Iterable[tuple[int, Sides]]) -> dict[int, list[Sides]]:
    groups: dict[int, list[Sides]] = {}
    for result, sides in found:
        if sides not in groups.setdefault(result, []):
            groups[result].append(sides)
    return groups


def _towards(start: Point, degrees: float, length: float) -> Point:
    turn = math.radians(degrees)
    return start[0] + length * math.cos(turn), start[1] + length * math.sin(turn)
