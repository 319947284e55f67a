"""What pretraining teaches: streams of lessons, each with its part in every step, as rows.

    stream = Stream(Course("saccade/Shapes-v0?level=2", tasks=4), Tutor(agent), steps=4000, seed=0, rank=0)
    rows = stream.rows(step=0)

Which lessons a step has is a function of (seed, course, rank, step) and nothing else.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from saccade.envs.errors import ConfigError
from saccade.envs.task import TaskSource
from saccade.rl.batch import Row
from saccade.rl.lessons import Tutor

BLOCK = 8
"""Steps whose lessons are made together: drawing many pictures at once is faster."""


@dataclass(frozen=True)
class Course:
    """A stream of lessons and its part in every step."""

    env: str
    """Written `saccade/Shapes-v0?level=2`; its training split is taught."""
    tasks: int = 4
    """Tasks of each step, on each rank."""
    captions: int = 1
    """Pictures of each lesson, at most, that are also described as a whole, each with another caption."""
    pool: int = 0
    """Distinct tasks of each rank, taught again and again; 0 for new ones in every step."""
    span: tuple[float, float] = (0.0, 1.0)
    """Share of the schedule at which the course begins, and at which it ends."""
    every: int = 1
    """It is taught in each step of its span whose number is a multiple of this."""

    def __post_init__(self) -> None:
        if self.tasks < 1:
            raise ConfigError(f"tasks must be >= 1, got {self.tasks}")
        if self.captions < 0 or self.pool < 0:
            raise ConfigError(f"captions and pool must be >= 0, got {self.captions} and {self.pool}")
        if not 0 <= self.span[0] < self.span[1] <= 1:
            raise ConfigError(f"span must be two growing shares between 0 and 1, got {self.span}")
        if self.every < 1:
            raise ConfigError(f"every must be >= 1, got {self.every}")

    def taught(self, share: float, step: int) -> bool:
        """Whether a step, so far into the schedule, teaches it."""
        return self.span[0] <= share < self.span[1] and step % self.every == 0


class Stream:
    """The lessons of one course on one rank, as rows.

    Args:
        course: what is taught.
        tutor: writes the rows.
        steps: of the whole schedule.
        seed: of the run.
        rank: which process this is.
    """

    def __init__(self, course: Course, tutor: Tutor, steps: int, seed: int, rank: int) -> None:
        self.course = course
        self.steps = steps
        self.tutor = tutor
        self.name = [seed, zlib.crc32(repr(course).encode()), rank]
        self.env = TaskSource.parse(course.env).task(0).make()
        self._world: Any = self.env.unwrapped
        self._block = -1
        self._rows: list[list[Row]] = []
        self._pool: dict[int, list[Row]] = {}

    def rows(self, step: int) -> list[Row]:
        """The rows of one step."""
        block, offset = divmod(step, BLOCK)
        if block != self._block:
            self._block = block
            self._rows = self._teach([self._seeds(block * BLOCK + index) for index in range(BLOCK)])
        return self._rows[offset]

    def close(self) -> None:
        """Close the world."""
        self.env.close()

    def _seeds(self, step: int) -> list[int]:
        if not self.course.taught(step / self.steps, step):
            return []
        rng = np.random.default_rng([*self.name, step])
        seeds = rng.integers(self.course.pool or 2**31, size=self.course.tasks)
        # Ranks with a pool have tasks of their own.
        return [int(seed) + self.course.pool * self.name[-1] for seed in seeds]

    def _teach(self, steps: Sequence[Sequence[int]]) -> list[list[Row]]:
        missing = list(dict.fromkeys(seed for seeds in steps for seed in seeds if seed not in self._pool))
        rows: dict[int, list[Row]] = {seed: [] for seed in missing} | self._pool
        for seed, lesson in self._world.lessons(missing):
            # Several lessons of one task are about one picture, which is described once.
            captions = 0 if rows[seed] else self.course.captions
            rows[seed] += self.tutor.rows(self.env, lesson, captions)
        if self.course.pool:
            self._pool = rows
        return [[row for seed in seeds for row in rows[seed]] for seeds in steps]
