"""`Family`: generated questions of one kind, at several levels; a new one is a content and two short methods.

    @dataclass(frozen=True)
    class Lamp(Picture):                          # what is drawn, complete: nothing else decides the answer
        colour: str
        questions = ("Which colour is the lamp?",)

        @property
        def answer(self):                         # computed from what is drawn
            return self.colour

        def draw(self, canvas):
            canvas.disc(56, 56, 30, self.colour)

    class Lamps(Family):
        def answers(self):
            return tuple(PALETTE)

        def make(self, rng, answer):              # a content that has this answer, or a random one
            return Lamp(answer)

The base draws the answer first, each equally likely, and asks `make` again until the content has it: answers are
balanced whatever the content, and a blind guess is at chance. The gold answer is always the content's own, so that a
`make` that errs makes nothing wrong. Contents, without phrasings, decide the split.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from saccade.envs.actions import Answer
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Image
from saccade.envs.qa.canvas import Canvas
from saccade.envs.qa.env import Medium, Question, QuestionEnv
from saccade.envs.qa.tasks import pick

LEVELS = (1, 2, 3)
NO_ANSWER = ""
"""The `answer` of a content that has none, or one that is not plain to see: it is drawn anew."""
MOST_NAMED = 12
"""More answers than this are not listed in the help."""
TRIES = 2_000
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

Option = TypeVar("Option")


class Content(ABC):
    """What is shown: a frozen dataclass whose `repr` is complete."""

    @property
    @abstractmethod
    def questions(self) -> Sequence[str]:
        """Phrasings of the question that mean the same."""

    @property
    @abstractmethod
    def answer(self) -> str:
        """The right answer, computed from what is shown; `NO_ANSWER` if it is not plain."""

    @property
    def thought(self) -> str:
        """What is seen or worked out on the way to the answer, in a few words."""
        return ""

    @property
    def caption(self) -> str:
        """Everything that matters in the picture, in a fixed order."""
        return ""

    @abstractmethod
    def show(self, size: int) -> Medium:
        """The picture or film, `size` x `size` pixels, or the sound."""


class Picture(Content):
    """A content that is drawn on one canvas."""

    @abstractmethod
    def draw(self, canvas: Canvas) -> None:
        """Draw it on an empty canvas."""

    def show(self, size: int) -> Image:
        """The drawn picture."""
        canvas = Canvas(size)
        self.draw(canvas)
        return canvas.image()


class Family(QuestionEnv):
    """Base of the families: a subclass says which answers there are (`answers`) and makes contents (`make`).

    Args:
        level: 1, 2 or 3; more to see, more to work out, or more answers to choose from.
        size: width and height of pictures in pixels; letters can be read from 112 up.
        **settings: those of `LanguageEnv`.
    """

    def __init__(self, *, level: int = 1, size: int = 112, **settings: Any) -> None:
        super().__init__(size=size, **settings)
        if level not in LEVELS:
            raise ConfigError(f"level must be one of {', '.join(map(str, LEVELS))}, got {level!r}")
        self.level = level
        self.choices = self.answers()
        self.action_format = Answer(self.help, self.choices)
        self.verifier = "integer" if self.numeric else "exact"

    @abstractmethod
    def answers(self) -> tuple[str, ...]:
        """The possible answers at this level; each is equally likely."""

    @abstractmethod
    def make(self, rng: np.random.Generator, answer: str) -> Content | None:
        """A random content of this level that has the answer; `None`, or one with another answer, is drawn anew."""

    @property
    def chance(self) -> float:
        """The expected score of a random answer."""
        return 1 / len(self.choices)

    @property
    def numeric(self) -> bool:
        """Whether all answers are whole numbers."""
        return all(answer.removeprefix("-").isdecimal() for answer in self.choices)

    @property
    def help(self) -> str:
        """How to answer; few words are listed, numbers and many words are not."""
        if self.numeric:
            return "Answer with a whole number."
        return f"Answer with one of: {', '.join(self.choices)}." if len(self.choices) <= MOST_NAMED else Answer().help

    def item(self, rng: np.random.Generator) -> Content:
        """The content that `rng` determines, of this split."""
        answer = pick(rng, self.choices)
        return self.draw(lambda rng: self._with(answer, rng), rng)

    def pose(self, rng: np.random.Generator) -> Question:
        """Draw a content and one of its phrasings."""
        item = self.item(rng)
        text = pick(rng, item.questions)
        return Question(text, item.show(self.size), item.answer, self.verifier, item.thought, item.caption)

    def _with(self, answer: str, rng: np.random.Generator) -> Content:
        for _ in range(TRIES):
            item = self.make(rng, answer)
            if item is not None and item.answer == answer:
                return item
        raise ConfigError(f"{type(self).__name__} made no content with the answer {answer!r} in {TRIES} tries")


def whole(rng: np.random.Generator, least: int, most: int) -> int:
    """A whole number from `least` to `most`, both included."""
    return int(rng.integers(least, most + 1))


def some(rng: np.random.Generator, options: Sequence[Option], count: int) -> tuple[Option, ...]:
    """`count` different options in random order."""
    return tuple(options[int(index)] for index in rng.permutation(len(options))[:count])


def numbers(least: int, most: int, step: int = 1) -> tuple[str, ...]:
    """Whole numbers as answers, both ends included."""
    return tuple(str(number) for number in range(least, most + 1, step))


def leads(values: Sequence[float], margin: float) -> bool:
    """Whether the values, in order, fall by at least `margin` from the first to the second."""
    return len(values) < 2 or values[0] - values[1] >= margin
