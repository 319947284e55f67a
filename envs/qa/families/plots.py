"""Graphs of functions: which formula, and which value."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import product

import numpy as np
from numpy.typing import NDArray

from saccade.envs.palette import PALETTE
from saccade.envs.qa.canvas import GREY, PALE, UNITS, Canvas
from saccade.envs.qa.families.base import LETTERS, Family, Picture, numbers, some, whole
from saccade.envs.qa.tasks import pick

COLOURS = tuple(PALETTE)
REACH = 5
"""The axes go from -5 to 5."""
STEP = UNITS / (2 * REACH + 1)
Values = NDArray[np.float64]
Function = Callable[[Values], Values]
APART = 0.7
"""Formulas that are offered together differ by this much, on average, where they can be seen."""


def axes(canvas: Canvas) -> None:
    """A grid of whole numbers, two axes, and the numbers -4 and 4 on them."""
    for number in range(-REACH, REACH + 1):
        at, colour, pen = UNITS / 2 + number * STEP, (GREY if number == 0 else PALE), 1
        canvas.box(at - pen / 2, 0, pen, UNITS, colour)
        canvas.box(0, at - pen / 2, UNITS, pen, colour)
    for number in (-4, 4):
        canvas.text(UNITS / 2 + number * STEP, UNITS / 2 + 7, str(number), GREY)
        canvas.text(UNITS / 2 - 8, UNITS / 2 - number * STEP, str(number), GREY)


def graph(canvas: Canvas, function: Function, colour: str) -> None:
    """The curve of a function over the axes."""
    x = (canvas.columns().astype(np.float64) - UNITS / 2) / STEP
    canvas.curve((UNITS / 2 - function(x) * STEP).astype(np.float32), colour, 2)


def _signed(number: float) -> str:
    return f"{'+' if number > 0 else '-'} {abs(number):g}"


def _shifted(number: int) -> str:
    return f"(x {_signed(-number)})" if number else "x"


def _plus(number: int) -> str:
    return f" {_signed(number)}" if number else ""


def line(slope: float, up: float, x: Values) -> Values:
    """A straight line."""
    return slope * x + up


def parabola(scale: float, right: float, up: float, x: Values) -> Values:
    """A parabola with its vertex at (right, up)."""
    return scale * (x - right) ** 2 + up


def bend(right: float, up: float, x: Values) -> Values:
    """The distance from `right`, moved up."""
    return np.abs(x - right) + up


def wave(scale: float, ahead: float, up: float, x: Values) -> Values:
    """A sine, moved to the left by `ahead` radians, and up."""
    return scale * np.sin(x + ahead) + up


def path(heights: Sequence[float], x: Values) -> Values:
    """Straight lines between the heights at -5, -4, ..., 5."""
    return np.interp(x, np.arange(-REACH, REACH + 1), heights)


@cache
def formulas(level: int) -> Mapping[str, Function]:
    """Formula -> function: lines, parabolas, or those and others."""
    found: dict[str, Function] = {}
    shifts = range(-3, 4)
    if level in (1, 3):
        for slope, up in product((-3.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 3.0), shifts):
            name = "x" if slope == 1 else "-x" if slope == -1 else f"{slope:g}x"
            found[f"y = {name}{_plus(up)}"] = partial(line, slope, up)
    if level >= 2:
        for (sign, scale), right, up in product((("", 1), ("-", -1)), shifts, shifts):
            found[f"y = {sign}{_shifted(right)}^2{_plus(up)}"] = partial(parabola, scale, right, up)
    if level == 3:
        for right, up in product(shifts, shifts):
            inner = f"x {_signed(-right)}" if right else "x"
            found[f"y = |{inner}|{_plus(up)}"] = partial(bend, right, up)
        for scale, (name, ahead), up in product((1, 2, 3), (("sin", 0.0), ("cos", math.pi / 2)), shifts):
            found[f"y = {'' if scale == 1 else f'{scale} '}{name}(x){_plus(up)}"] = partial(wave, scale, ahead, up)
    return found


@cache
def _heights(level: int) -> Mapping[str, Values]:
    """The values that can be seen, cut off at the border."""
    x = np.linspace(-REACH, REACH, 41)
    return {name: np.clip(function(x), -REACH, REACH) for name, function in formulas(level).items()}


@dataclass(frozen=True)
class Plotted(Picture):
    """One of the offered formulas, drawn."""

    level: int
    formula: str
    offered: tuple[str, ...]
    colour: str

    @property
    def questions(self) -> tuple[str, ...]:
        """The offered formulas, by letter."""
        options = "; ".join(f"{letter}: {each}" for letter, each in zip(LETTERS, self.offered, strict=False))
        asked = ("Which formula is drawn?", "Which of these functions does the graph show?", "Name the function.")
        return tuple(f"{question} {options}" for question in asked)

    @property
    def answer(self) -> str:
        """The letter of the formula."""
        return LETTERS[self.offered.index(self.formula)]

    @property
    def thought(self) -> str:
        """The formula, and where its graph crosses the y axis if that can be seen."""
        start = float(formulas(self.level)[self.formula](np.zeros(1))[0])
        return f"{self.formula}, at x = 0 " + (f"y = {start:g}" if abs(start) <= REACH else "out of sight")

    @property
    def caption(self) -> str:
        """The formula alone: what is seen, whatever is offered."""
        return f"{self.colour} graph of {self.formula}"

    def draw(self, canvas: Canvas) -> None:
        """Axes and the graph."""
        axes(canvas)
        graph(canvas, formulas(self.level)[self.formula], self.colour)


class Formulas(Family):
    """Choose the formula of a graph: of 3 lines, of 4 parabolas, of 6 functions of any kind."""

    def answers(self) -> tuple[str, ...]:
        """Letters."""
        return tuple(LETTERS[: (3, 4, 6)[self.level - 1]])

    def make(self, rng: np.random.Generator, answer: str) -> Plotted | None:
        """Formulas that look different; the one at the place of the answer is drawn."""
        heights = _heights(self.level)
        offered = some(rng, tuple(heights), len(self.answers()))
        shown = np.stack([heights[each] for each in offered])
        away = np.abs(shown[:, None] - shown[None]).mean(-1) + 9 * np.eye(len(offered))
        if away.min() < APART:
            return None
        return Plotted(self.level, offered[LETTERS.index(answer)], offered, pick(rng, COLOURS))


@dataclass(frozen=True)
class Traced(Picture):
    """A graph through points with whole coordinates, and the x where its height is asked.

    Attributes:
        numbers: slope and height at 0 of a line; a, place and height of the vertex of a parabola; or the heights at
            -5, -4, ..., 5 of a path of straight lines.
    """

    kind: str
    numbers: tuple[int, ...]
    x: int
    colour: str

    @property
    def questions(self) -> tuple[str, ...]:
        """A value is asked."""
        return f"What is y at x = {self.x}?", f"Read the value at x = {self.x}.", f"Which height has x = {self.x}?"

    @property
    def function(self) -> Function:
        """What is drawn."""
        match self.kind:
            case "line":
                slope, start = self.numbers
                return partial(line, slope, start)
            case "parabola":
                scale, right, up = self.numbers
                return partial(parabola, scale, right, up)
            case _:
                return partial(path, self.numbers)

    @property
    def answer(self) -> str:
        """The height there."""
        return str(round(float(self.function(np.array([float(self.x)]))[0])))

    @property
    def thought(self) -> str:
        """The formula, or the heights on both sides."""
        match self.kind:
            case "line":
                return f"y = {self.numbers[0]}x {_signed(self.numbers[1])}"
            case "parabola":
                scale, right, up = self.numbers
                return f"y = {scale} (x {_signed(-right)})^2 {_signed(up)}"
            case _:
                at = self.x + REACH
                return f"from {self.numbers[at - 1]} over {self.numbers[at]} to {self.numbers[at + 1]}"

    @property
    def caption(self) -> str:
        """The kind of graph and its numbers."""
        return f"{self.colour} {self.kind} of {' '.join(map(str, self.numbers))}"

    def draw(self, canvas: Canvas) -> None:
        """Axes and the graph."""
        axes(canvas)
        graph(canvas, self.function, self.colour)


class FunctionValues(Family):
    """Read the value of a graph: of a line, of a parabola, of a path of straight lines."""

    def answers(self) -> tuple[str, ...]:
        """Whole numbers around 0."""
        return numbers(-2 - self.level, 2 + self.level)

    def make(self, rng: np.random.Generator, answer: str) -> Traced:
        """A graph through (x, answer), everything else at random."""
        x, y, colour = whole(rng, -4, 4), int(answer), pick(rng, COLOURS)
        match self.level:
            case 1:
                slope = pick(rng, (-3, -2, -1, 1, 2, 3))
                return Traced("line", (slope, y - slope * x), x, colour)
            case 2:
                scale, right = pick(rng, (-1, 1)), whole(rng, -4, 4)
                return Traced("parabola", (scale, right, y - scale * (x - right) ** 2), x, colour)
            case _:
                heights = [whole(rng, -REACH, REACH) for _ in range(2 * REACH + 1)]
                heights[x + REACH] = y
                return Traced("path", tuple(heights), x, colour)
