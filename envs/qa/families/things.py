"""Coloured things: how many, which, where, and which one differs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from saccade.envs.palette import PALETTE, SHAPES
from saccade.envs.qa.canvas import UNITS, Canvas
from saccade.envs.qa.families.base import NO_ANSWER, Family, Picture, leads, numbers, some, whole
from saccade.envs.qa.tasks import Thing, pick

COLOURS = tuple(PALETTE)
LOOKS = tuple((colour, shape) for colour in COLOURS for shape in SHAPES)
CELLS, CELL = 4, UNITS // 4
"""Things lie in the cells of a 4 x 4 grid, shifted at random: they never overlap."""


@dataclass(frozen=True)
class Things(Picture):
    """Things that do not overlap."""

    things: tuple[Thing, ...]

    @property
    def caption(self) -> str:
        """Each thing's look, by colour, shape and place."""
        return ", ".join(f"{thing.colour} {thing.shape}" for thing in sorted(self.things, key=lambda one: one.order))

    def draw(self, canvas: Canvas) -> None:
        """Each thing at its place."""
        for thing in self.things:
            canvas.shape(thing.shape, thing.x, thing.y, thing.width, thing.colour)


def scatter(rng: np.random.Generator, looks: Sequence[tuple[str, str]], widths: tuple[int, int]) -> tuple[Thing, ...]:
    """Things of these looks in random cells, `widths` units wide."""
    cells = rng.permutation(CELLS * CELLS)
    things = []
    for (colour, shape), cell in zip(looks, cells, strict=False):
        width = whole(rng, *widths)
        half = width // 2 + 1
        x, y = (int(each) for each in rng.integers(half, CELL - half + 1, 2))
        things.append(Thing(colour, shape, int(cell) % CELLS * CELL + x, int(cell) // CELLS * CELL + y, width))
    return tuple(things)


@dataclass(frozen=True)
class Counted(Things):
    """Some things to count: those of a colour, of a shape, or of both."""

    colour: str
    shape: str

    @property
    def look(self) -> str:
        """What the counted things have in common."""
        return f"{self.colour} {self.shape or 'thing'}".strip()

    @property
    def questions(self) -> tuple[str, ...]:
        """How many there are."""
        return (f"How many {self.look}s are there?", f"Count the {self.look}s.", f"What is the number of {self.look}s?")

    @property
    def counted(self) -> tuple[Thing, ...]:
        """Those that count."""
        return tuple(
            thing for thing in self.things if self.colour in ("", thing.colour) and self.shape in ("", thing.shape)
        )

    @property
    def answer(self) -> str:
        """Their number."""
        return str(len(self.counted))

    @property
    def thought(self) -> str:
        """The look at each place where it is, by rows."""
        places = sorted((thing.y // CELL + 1, thing.x // CELL + 1) for thing in self.counted)
        return ", ".join(f"{self.look} in row {row} column {column}" for row, column in places) or "none"


class Counting(Family):
    """Count things: 1 to 3 of a shape among 5, to 5 of a colour among 9, to 8 of a colour and shape among 15."""

    def answers(self) -> tuple[str, ...]:
        """One to three, five or eight."""
        return numbers(1, (3, 5, 8)[self.level - 1])

    def make(self, rng: np.random.Generator, answer: str) -> Counted:
        """The counted ones first, then others that share a part of their look."""
        colour, shape = pick(rng, LOOKS)
        colour, shape = ("" if self.level == 1 else colour), ("" if self.level == 2 else shape)
        match = [look for look in LOOKS if colour in ("", look[0]) and shape in ("", look[1])]
        other = [look for look in LOOKS if look not in match]
        near = [look for look in other if colour == look[0] or shape == look[1]] or other
        total = whole(rng, *((3, 5), (6, 9), (9, 15))[self.level - 1])
        looks = [pick(rng, match) for _ in range(int(answer))]
        looks += [pick(rng, pick(rng, (near, other))) for _ in range(total - int(answer))]
        return Counted(scatter(rng, looks, ((16, 22), (14, 20), (12, 18))[self.level - 1]), colour, shape)


SUPERLATIVES: Mapping[str, Callable[[Thing], int]] = {
    "largest": lambda thing: -thing.width,
    "smallest": lambda thing: thing.width,
    "leftmost": lambda thing: thing.x,
    "rightmost": lambda thing: -thing.x,
    "highest": lambda thing: thing.y,
    "lowest": lambda thing: -thing.y,
}
LEAD = 4
"""Units by which a thing must be larger, or further out, than any other."""


@dataclass(frozen=True)
class Outermost(Things):
    """The thing that is the largest, or the furthest to a side, of all or of those of a shape."""

    which: str
    shape: str

    @property
    def questions(self) -> tuple[str, ...]:
        """Its colour is asked."""
        name = f"{self.which} {self.shape or 'thing'}"
        return f"What colour is the {name}?", f"Which colour has the {name}?", f"Name the colour of the {name}."

    @property
    def ranked(self) -> list[Thing]:
        """Those that compete, the winner first."""
        compete = [thing for thing in self.things if self.shape in ("", thing.shape)]
        return sorted(compete, key=SUPERLATIVES[self.which])

    @property
    def answer(self) -> str:
        """The winner's colour, unless another one is nearly as far out."""
        ranked = self.ranked
        values = [-SUPERLATIVES[self.which](thing) for thing in ranked]
        return ranked[0].colour if leads(values, LEAD) else NO_ANSWER

    @property
    def thought(self) -> str:
        """Those that compete, the winner first."""
        return ", ".join(f"{thing.colour} {thing.shape}" for thing in self.ranked)


class Superlatives(Family):
    """Name the colour of the largest, the leftmost, ... of 3 or 6 things, or of one shape among 10 things."""

    def answers(self) -> tuple[str, ...]:
        """The colours."""
        return COLOURS

    def make(self, rng: np.random.Generator, answer: str) -> Outermost:
        """Random things; the winner then takes the colour of the answer."""
        count = (3, 6, 10)[self.level - 1]
        which, shape = pick(rng, tuple(SUPERLATIVES)), (pick(rng, SHAPES) if self.level == 3 else "")
        looks = [pick(rng, LOOKS) for _ in range(count)]
        looks[:4] = [(colour, shape or name) for colour, name in looks[:4]]
        content = Outermost(scatter(rng, looks, (10, 26)), which, shape)
        winner = content.ranked[0]
        recoloured = tuple(replace(one, colour=answer) if one is winner else one for one in content.things)
        return replace(content, things=recoloured)


SIDES = {"right": 0, "below right": 45, "below": 90, "below left": 135, "left": 180, "above left": 225}
SIDES |= {"above": 270, "above right": 315}
STRAIGHT = tuple(name for name, degrees in SIDES.items() if degrees % 90 == 0)
CLEAR = 14
"""Degrees that a direction may be off."""


@dataclass(frozen=True)
class Seen(Things):
    """Where the first thing is, seen from the second."""

    @property
    def names(self) -> tuple[str, str]:
        """The two looks, each of which only one thing has."""
        first, second = self.things[:2]
        return f"{first.colour} {first.shape}", f"{second.colour} {second.shape}"

    @property
    def questions(self) -> tuple[str, ...]:
        """A direction is asked."""
        first, second = self.names
        return (
            f"Where is the {first}, seen from the {second}?",
            f"From the {second}, in which direction is the {first}?",
            f"Starting at the {second}, which way is the {first}?",
        )

    @property
    def answer(self) -> str:
        """The direction, unless it lies between two."""
        first, second = self.things[:2]
        degrees = math.degrees(math.atan2(first.y - second.y, first.x - second.x)) % 360
        near = [name for name, mean in SIDES.items() if abs((degrees - mean + 180) % 360 - 180) <= CLEAR]
        return near[0] if near else NO_ANSWER

    @property
    def thought(self) -> str:
        """Where both are."""
        return ", ".join(
            f"{name} in row {thing.y // CELL + 1} column {thing.x // CELL + 1}"
            for name, thing in zip(self.names, self.things, strict=False)
        )


class Relations(Family):
    """Say where one thing is, seen from another: among 2 things or 5 in four directions, among 8 in eight."""

    def answers(self) -> tuple[str, ...]:
        """Four or eight directions."""
        return tuple(SIDES) if self.level == 3 else STRAIGHT

    def make(self, rng: np.random.Generator, answer: str) -> Seen | None:
        """Things of different looks; the first moves to where it should be, if there is room."""
        across, down = (round(turn(math.radians(SIDES[answer]))) for turn in (math.cos, math.sin))
        first, *others = scatter(rng, some(rng, LOOKS, (2, 5, 8)[self.level - 1]), (14, 20))
        reach = whole(rng, 1, 3) * CELL
        x, y = others[0].x + across * reach + whole(rng, -5, 5), others[0].y + down * reach + whole(rng, -5, 5)
        half = first.width // 2 + 1
        inside = all(half <= each <= UNITS - half for each in (x, y))
        apart = all(math.hypot(one.x - x, one.y - y) > 24 for one in others)
        return Seen((replace(first, x=x, y=y), *others)) if inside and apart else None


@dataclass(frozen=True)
class Odd(Picture):
    """A square of things that look alike, but for one."""

    side: int
    look: tuple[str, str, int]
    odd: tuple[str, str, int]
    at: int
    width: int
    questions = (
        "In which cell, counted from 1 row by row, is the thing that differs?",
        "One thing is unlike the others. What is its number, counted row by row from 1?",
        "Count row by row from 1: which number has the odd one out?",
    )

    @property
    def answer(self) -> str:
        """The number of its cell."""
        return str(self.at + 1)

    @property
    def thought(self) -> str:
        """Its row and column."""
        return f"row {self.at // self.side + 1}, column {self.at % self.side + 1}"

    @property
    def caption(self) -> str:
        """The look of all, that of the odd one, and where it is."""
        common, odd = (f"{colour} {shape}" for colour, shape, _ in (self.look, self.odd))
        smaller = "smaller " if self.odd[2] else ""
        return f"{self.side * self.side - 1} {common}s, one {smaller}{odd}: {self.thought}"

    def draw(self, canvas: Canvas) -> None:
        """Cell by cell."""
        cell = UNITS / self.side
        for index in range(self.side * self.side):
            colour, shape, shrink = self.odd if index == self.at else self.look
            x, y = (index % self.side + 0.5) * cell, (index // self.side + 0.5) * cell
            canvas.shape(shape, x, y, self.width - shrink, colour)


class OddOneOut(Family):
    """Find the thing that differs: in colour or shape of 9, in shape or size of 16, in size alone of 25."""

    def answers(self) -> tuple[str, ...]:
        """The cells."""
        return numbers(1, (self.level + 2) ** 2)

    def make(self, rng: np.random.Generator, answer: str) -> Odd:
        """One property changes."""
        side = self.level + 2
        (colour, shape), width = pick(rng, LOOKS), whole(rng, *((16, 30), (14, 24), (13, 19))[self.level - 1])
        change = pick(rng, (("colour", "shape"), ("shape", "size"), ("size",))[self.level - 1])
        odd = (colour, shape, 6 if self.level == 2 else 4)
        if change == "colour":
            odd = (pick(rng, [each for each in COLOURS if each != colour]), shape, 0)
        elif change == "shape":
            odd = (colour, pick(rng, [each for each in SHAPES if each != shape]), 0)
        return Odd(side, (colour, shape, 0), odd, int(answer) - 1, width)
