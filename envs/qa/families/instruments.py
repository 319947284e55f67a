"""Instruments with hands and needles."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from saccade.envs.palette import PALETTE
from saccade.envs.qa.canvas import INK, UNITS, Canvas, Point
from saccade.envs.qa.families.base import Family, Picture, numbers, whole
from saccade.envs.qa.tasks import pick

COLOURS = tuple(PALETTE)


def clockwise(x: float, y: float, degrees: float, length: float) -> Point:
    """The point that far from (x, y), `degrees` clockwise from the top."""
    turn = math.radians(degrees)
    return x + length * math.sin(turn), y - length * math.cos(turn)


@dataclass(frozen=True)
class Face(Picture):
    """A clock face; `numbered` faces show 3, 6, 9 and 12, others only marks."""

    hour: int
    minute: int
    x: int
    y: int
    radius: int
    colour: str
    numbered: bool
    questions = (
        "What time is it? Write hours and minutes as 4:30.",
        "Which time does the clock show? Write it as 4:30.",
        "Read the clock; write the time as 4:30.",
    )

    @property
    def answer(self) -> str:
        """The time."""
        return f"{self.hour}:{self.minute:02}"

    @property
    def thought(self) -> str:
        """Where the hands point, as numbers of the face."""
        after = f" and {self.hour % 12 + 1}" if self.minute else ""
        return f"short hand at {self.hour}{after}, long hand at {self.minute // 5 or 12}"

    @property
    def caption(self) -> str:
        """The time, and the look of the face."""
        return f"{self.colour} clock {'with' if self.numbered else 'without'} numbers at {self.answer}"

    def draw(self, canvas: Canvas) -> None:
        """Marks, perhaps numbers, two hands."""
        x, y, radius = self.x, self.y, self.radius
        canvas.ring(x, y, radius, self.colour, 2.5)
        for mark in range(12):
            if self.numbered and mark % 3 == 0:
                canvas.text(*clockwise(x, y, mark * 30, radius - 9), str(mark or 12))
            else:
                canvas.disc(*clockwise(x, y, mark * 30, radius - 5), 1.2, INK)
        canvas.line((x, y), clockwise(x, y, 30 * self.hour + self.minute / 2, radius * 0.45), INK, 4)
        canvas.line((x, y), clockwise(x, y, 6 * self.minute, radius * 0.72), INK, 2)


class Clocks(Family):
    """Read a clock: full hours, quarters, five minutes on a face without numbers."""

    def answers(self) -> tuple[str, ...]:
        """The times."""
        step = (60, 15, 5)[self.level - 1]
        return tuple(f"{hour}:{minute:02}" for hour in range(1, 13) for minute in range(0, 60, step))

    def make(self, rng: np.random.Generator, answer: str) -> Face:
        """A face of any size and place."""
        hour, minute = answer.split(":")
        radius = whole(rng, 40, 52)
        x, y = (whole(rng, radius + 2, UNITS - radius - 2) for _ in range(2))
        return Face(int(hour), int(minute), x, y, radius, pick(rng, COLOURS), self.level < 3)


@dataclass(frozen=True)
class Dial(Picture):
    """A needle over a scale from 0 to `most`, a mark for each unit, whose middle is at `turn` degrees from the top."""

    value: int
    most: int
    turn: int
    colour: str
    questions = ("What does the instrument show?", "Which number does the needle point at?", "Read the dial.")

    @property
    def answer(self) -> str:
        """The number at the needle."""
        return str(self.value)

    @property
    def thought(self) -> str:
        """How far the needle is, in quarters of the scale, and where the scale ends."""
        near = round(4 * self.value / self.most)
        return f"near {near} quarters of {self.most}"

    @property
    def caption(self) -> str:
        """The scale and the needle."""
        return f"{self.colour} needle at {self.value}, scale from 0 to {self.most}"

    def draw(self, canvas: Canvas) -> None:
        """Marks on three quarters of a circle, longer at every fifth, numbers at its ends and in the middle."""
        x, y, radius = UNITS / 2, UNITS / 2, 38
        for mark in range(self.most + 1):
            degrees = self._degrees(mark)
            start = clockwise(x, y, degrees, radius - (6 if mark % 5 == 0 else 3))
            canvas.line(start, clockwise(x, y, degrees, radius), INK, 1)
        for mark in (0, self.most // 2, self.most):
            canvas.text(*clockwise(x, y, self._degrees(mark), radius + 9), str(mark))
        canvas.line((x, y), clockwise(x, y, self._degrees(self.value), radius - 4), self.colour, 2.5)
        canvas.disc(x, y, 3, INK)

    def _degrees(self, mark: int) -> float:
        return self.turn - 135 + 270 * mark / self.most


class Dials(Family):
    """Read a dial with 10, 20 or 40 marks."""

    @property
    def most(self) -> int:
        """Where the scale ends."""
        return (10, 20, 40)[self.level - 1]

    def answers(self) -> tuple[str, ...]:
        """Every mark."""
        return numbers(0, self.most)

    def make(self, rng: np.random.Generator, answer: str) -> Dial:
        """The dial is turned a little."""
        return Dial(int(answer), self.most, whole(rng, -30, 30), pick(rng, COLOURS))
