"""Sketches of simple machines: a beam with weights, a ball on ramps, wheels and belts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from saccade.envs.palette import PALETTE
from saccade.envs.qa.canvas import GREY, INK, PALE, UNITS, Canvas
from saccade.envs.qa.families.base import LETTERS, NO_ANSWER, Family, Picture, some, whole
from saccade.envs.qa.tasks import pick

COLOURS = tuple(PALETTE)
MIDDLE, ARM = UNITS // 2, 5
"""Units of the beam's support; places for weights on each side."""
PLACE = 10


@dataclass(frozen=True)
class Beam(Picture):
    """A beam on a support; weights as (place, mass): places -5 to 5, the support at 0."""

    weights: tuple[tuple[int, int], ...]
    colour: str
    questions = (
        "Which side of the beam goes down: left, right or neither?",
        "The numbers are masses. To which side does the beam tip: left, right or neither?",
        "Left, right or neither: which end of the lever sinks?",
    )

    @property
    def turns(self) -> tuple[int, int]:
        """The sums of mass times distance, left and right."""
        left, right = (sum(mass * abs(at) for at, mass in self.weights if at * side > 0) for side in (-1, 1))
        return left, right

    @property
    def answer(self) -> str:
        """The side with the larger sum."""
        left, right = self.turns
        return "left" if left > right else "right" if right > left else "neither"

    @property
    def thought(self) -> str:
        """Both sums."""
        sides = []
        for side in (-1, 1):
            on = [(at, mass) for at, mass in self.weights if at * side > 0]
            sides.append(" + ".join(f"{mass} * {abs(at)}" for at, mass in on) or "0")
        left, right = self.turns
        return f"left {sides[0]} = {left}, right {sides[1]} = {right}"

    @property
    def caption(self) -> str:
        """Each weight and its place."""
        return ", ".join(f"{mass} at {abs(at)} {'left' if at < 0 else 'right'}" for at, mass in sorted(self.weights))

    def draw(self, canvas: Canvas) -> None:
        """The beam with a mark at each place, weights above it."""
        canvas.polygon([(MIDDLE, 71), (MIDDLE - 10, 92), (MIDDLE + 10, 92)], GREY)
        canvas.box(2, 68, UNITS - 4, 3, INK)
        for at in range(-ARM, ARM + 1):
            canvas.box(MIDDLE + at * PLACE - 0.5, 71, 1, 4, INK)
        for at, mass in self.weights:
            x, high = MIDDLE + at * PLACE, 10 + 3 * mass
            canvas.box(x - 4.5, 68 - high, 9, high, self.colour)
            canvas.text(x, 68 - high / 2, str(mass), INK if self.colour == "yellow" else (255, 255, 255))


class Levers(Family):
    """Say to which side a beam tips with one, two or three weights on each side."""

    def answers(self) -> tuple[str, ...]:
        """Both sides, and balance."""
        return "left", "right", "neither"

    def make(self, rng: np.random.Generator, answer: str) -> Beam | None:
        """Weights at random; for balance, the last one's mass makes up for the others."""
        places = [side * at for side in (-1, 1) for at in some(rng, range(1, ARM + 1), self.level)]
        weights = [(at, whole(rng, 1, 9)) for at in places]
        if answer == "neither":
            at = places[-1]
            missing = -sum(place * mass for place, mass in weights[:-1])
            if missing % at or not 1 <= missing // at <= 9:
                return None
            weights[-1] = (at, missing // at)
        return Beam(tuple(sorted(weights)), pick(rng, COLOURS))


RADIUS, FLOOR, CLEAR = 3, 94, 3
"""Of the ball; where cups begin; how far, in units, a ball must be from every edge that it could catch."""


@dataclass(frozen=True)
class Ramp:
    """A straight slope from (left, y - rise) to (right, y + rise), falling to the right if `rise` > 0."""

    left: int
    right: int
    y: int
    rise: int


@dataclass(frozen=True)
class Drop(Picture):
    """A ball above ramps, from top to bottom, and lettered cups on the floor."""

    ball: int
    ramps: tuple[Ramp, ...]
    cups: int
    colour: str
    questions = (
        "The ball falls and rolls down the ramps. Into which cup does it fall?",
        "Let go of the ball: which letter does it reach?",
        "In which cup does the ball land? It always rolls down and drops off the lower end.",
    )

    @property
    def path(self) -> tuple[int, ...] | None:
        """The ball's x where it starts, and after each ramp that it meets; `None` where it would catch an edge."""
        path = [self.ball]
        for ramp in self.ramps:
            x = path[-1]
            if min(abs(x - ramp.left), abs(x - ramp.right)) < RADIUS + CLEAR:
                return None
            if ramp.left < x < ramp.right:
                path.append(ramp.right + RADIUS if ramp.rise > 0 else ramp.left - RADIUS)
        return tuple(path)

    @property
    def answer(self) -> str:
        """The letter of the cup below the end of the path."""
        if self.path is None:
            return NO_ANSWER
        x, width = self.path[-1], UNITS / self.cups
        plain = RADIUS + CLEAR <= x % width <= width - RADIUS - CLEAR and 0 < x < UNITS
        return LETTERS[int(x // width)] if plain else NO_ANSWER

    @property
    def thought(self) -> str:
        """Which way it rolls on each ramp that it meets."""
        path = self.path or ()
        rolls = ("right" if after > before else "left" for before, after in pairwise(path))
        return " ".join(rolls) or "straight down"

    @property
    def caption(self) -> str:
        """Each ramp's ends and its lower side, in tenths of the width, and the ball's place."""
        ramps = (
            f"ramp {round(each.left * 10 / UNITS)} to {round(each.right * 10 / UNITS)} falls "
            f"{'right' if each.rise > 0 else 'left'}"
            for each in self.ramps
        )
        return f"ball at {round(self.ball * 10 / UNITS)}, " + ", ".join(ramps)

    def draw(self, canvas: Canvas) -> None:
        """Ball, ramps, cups."""
        canvas.disc(self.ball, 6, RADIUS, self.colour)
        for ramp in self.ramps:
            canvas.line((ramp.left, ramp.y - ramp.rise), (ramp.right, ramp.y + ramp.rise), INK, 2)
        width = UNITS / self.cups
        canvas.box(0, UNITS - 1, UNITS, 1, INK)
        for cup in range(self.cups + 1):
            canvas.box(min(cup * width, UNITS - 1), FLOOR, 1, UNITS - FLOOR, INK)
        for cup in range(self.cups):
            canvas.text((cup + 0.5) * width, 104, LETTERS[cup])


class Ramps(Family):
    """Say into which cup a ball falls: of 3 below one ramp, of 4 below three, of 5 below five."""

    def answers(self) -> tuple[str, ...]:
        """The letters of the cups."""
        return tuple(LETTERS[: self.level + 2])

    def make(self, rng: np.random.Generator, answer: str) -> Drop:
        """Ramps at random, two of three where the ball comes by."""
        count, far = 2 * self.level - 1, RADIUS + CLEAR + 1
        ball = x = whole(rng, far + 4, UNITS - far - 4)
        ramps = []
        for index in range(count):
            length = whole(rng, 26, 48)
            least, most = 4, UNITS - length - 4
            if rng.random() < 2 / 3:
                least, most = max(least, x + far - length), max(least, min(most, x - far))
            left = whole(rng, min(least, most), most)
            ramps.append(Ramp(left, left + length, round(14 + (index + 0.5) * 78 / count), 4 * pick(rng, (-1, 1))))
            if left < x < left + length:
                x = left + length + RADIUS if ramps[-1].rise > 0 else left - RADIUS
        return Drop(ball, tuple(ramps), self.level + 2, pick(rng, COLOURS))


@dataclass(frozen=True)
class Belts(Picture):
    """Wheels from left to right; a belt, open or crossed, joins each to the next; the first turns."""

    wheels: tuple[tuple[int, int], ...]
    crossed: tuple[bool, ...]
    clockwise: bool
    radius: int
    colours: tuple[str, str]

    @property
    def questions(self) -> tuple[str, ...]:
        """The turn of the last is asked."""
        first, last = self.colours
        return (
            f"The arrow shows how the top of the {first} wheel moves. Which way does the {last} wheel turn?",
            f"The {first} wheel turns as the arrow above it shows. How does the {last} wheel turn?",
        )

    @property
    def turns(self) -> tuple[bool, ...]:
        """Whether each wheel turns clockwise; a crossed belt turns the next one the other way."""
        turns = [self.clockwise]
        for crossed in self.crossed:
            turns.append(turns[-1] != crossed)
        return tuple(turns)

    @property
    def answer(self) -> str:
        """The last wheel's turn."""
        return CLOCKWISE[self.turns[-1]]

    @property
    def thought(self) -> str:
        """Wheel by wheel."""
        return " ".join(CLOCKWISE[turn] for turn in self.turns)

    @property
    def caption(self) -> str:
        """The first turn, and the belts in order."""
        belts = " ".join("crossed" if crossed else "open" for crossed in self.crossed)
        return f"{self.colours[0]} wheel {CLOCKWISE[self.clockwise]}, belts {belts}, {self.colours[1]} wheel"

    def draw(self, canvas: Canvas) -> None:
        """Belts touch both wheels on the same side, or cross over."""
        for (ax, ay), (bx, by), crossed in zip(self.wheels, self.wheels[1:], self.crossed, strict=False):
            length = math.hypot(bx - ax, by - ay)
            # A crossed belt leaves and meets the wheels where its lines touch them.
            slant = 2 * self.radius / length if crossed else 0.0
            along = math.atan2(by - ay, bx - ax)
            for side in (-1, 1):
                start = along + side * math.acos(slant)
                stop = start + math.pi if crossed else start
                canvas.line(
                    (ax + self.radius * math.cos(start), ay + self.radius * math.sin(start)),
                    (bx + self.radius * math.cos(stop), by + self.radius * math.sin(stop)),
                    INK,
                    1.2,
                )
        for index, (x, y) in enumerate(self.wheels):
            ends = {0: self.colours[0], len(self.wheels) - 1: self.colours[1]}
            canvas.disc(x, y, self.radius - 1, ends.get(index, PALE))
            canvas.ring(x, y, self.radius, INK, 1)
        x, y = self.wheels[0]
        way = 7 if self.clockwise else -7
        canvas.arrow((x - way, y - self.radius - 5), (x + way, y - self.radius - 5), INK, 1.5, 4)


CLOCKWISE = {True: "clockwise", False: "anticlockwise"}


class Pulleys(Family):
    """Say which way the last of 3, 5 or 7 wheels turns."""

    def answers(self) -> tuple[str, ...]:
        """Both ways."""
        return CLOCKWISE[True], CLOCKWISE[False]

    def make(self, rng: np.random.Generator, answer: str) -> Belts:
        """Wheels up and down in turn, belts at random."""
        count, radius = 2 * self.level + 1, (11, 9, 7)[self.level - 1]
        step, up = (UNITS - 2 * radius - 4) / (count - 1), bool(rng.integers(2))
        wheels = tuple(
            (
                round(radius + 2 + index * step),
                (whole(rng, 30, 44) if (index % 2 == 0) == up else whole(rng, 74, 92)),
            )
            for index in range(count)
        )
        crossed = tuple(bool(each) for each in rng.integers(0, 2, count - 1))
        first, last = some(rng, COLOURS, 2)
        return Belts(wheels, crossed, bool(rng.integers(2)), radius, (first, last))
