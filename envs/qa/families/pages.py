"""Drawn pages: pointing at a control, and reading what a sign says."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from saccade.envs.actions import ActionSet, X, Y, verb
from saccade.envs.core import Outcome
from saccade.envs.episode import Cause
from saccade.envs.observation import Observation
from saccade.envs.palette import PALETTE, RGB
from saccade.envs.qa.canvas import GREY, INK, UNITS, Canvas, Point, text_width
from saccade.envs.qa.env import Question
from saccade.envs.qa.families.base import Family, Picture, numbers, some, whole
from saccade.envs.qa.tasks import pick

COLOURS = tuple(PALETTE)
WHITE: RGB = (255, 255, 255)
CLICK = ActionSet(verb("click", "Press the left mouse button at a pixel.", x=X, y=Y))
_WORDS = (
    "back book call cart chat copy cost date door down edit exit file find fold game help home hide info item join "
    "keep kind last left like link list load look mail main make menu more move name news next note open page paid "
    "pick plan play post read rest right run save seat seen send show sign size sort stay stop sync tabs task team "
    "text time tool turn undo user view wait walk week word work zoom"
)
WORDS = tuple(_WORDS.split())
"""Four letters at most: a control of a third of the page holds them."""


@dataclass(frozen=True)
class Control:
    """A button, a box to tick or a field to fill, with a word; its corner and size in units."""

    kind: str
    word: str
    x: int
    y: int
    width: int
    height: int
    colour: str

    @property
    def name(self) -> str:
        """How a goal names it: the kind, and the word in quotation marks."""
        return f'{self.kind} "{self.word}"'

    @property
    def middle(self) -> Point:
        """The middle of its box, in units."""
        return self.x + self.width / 2, self.y + self.height / 2

    def holds(self, x: float, y: float) -> bool:
        """Whether a place, in units, is inside its box."""
        return self.x <= x < self.x + self.width and self.y <= y < self.y + self.height


@dataclass(frozen=True)
class Screen(Picture):
    """A page of controls; one of them is asked for."""

    controls: tuple[Control, ...]
    at: int

    @property
    def target(self) -> Control:
        """The one that is asked for."""
        return self.controls[self.at]

    @property
    def questions(self) -> tuple[str, ...]:
        """The goal in words."""
        name = self.target.name
        return f"Click the {name}.", f"Press the {name}.", f"Where is the {name}? Click it."

    @property
    def answer(self) -> str:
        """Its number, counted row by row from 1."""
        return str(self.at + 1)

    @property
    def caption(self) -> str:
        """The controls, row by row."""
        return ", ".join(each.name for each in self.controls)

    def draw(self, canvas: Canvas) -> None:
        """Filled buttons, boxes before a word, framed fields."""
        for each in self.controls:
            x, y, middle = each.x, each.y, each.y + each.height // 2
            match each.kind:
                case "button":
                    canvas.box(x, y, each.width, each.height, each.colour)
                    canvas.text(x + each.width / 2, middle, each.word, INK if each.colour == "yellow" else WHITE)
                case "field":
                    canvas.box(x, y, each.width, each.height, WHITE)
                    canvas.frame(x, y, each.width, each.height, GREY)
                    canvas.text(x + each.width / 2, middle, each.word, INK)
                case _:
                    canvas.frame(x, middle - 3, 7, 7, INK)
                    canvas.text(x + 9 + text_width(each.word) / 2, middle, each.word, INK)


class PagePoint(Family):
    """Click the control that is named: among 4, among 8, among 18 of three kinds that share words.

    The answer is an action, `click(x, y)` in pixels, and right inside the control's box; the chance is that of a click
    anywhere.
    """

    instructions = "Click what is asked for."
    GRIDS = ((2, 2), (2, 4), (3, 6))
    """Controls in a row, and rows, for each level."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.action_format = CLICK

    def answers(self) -> tuple[str, ...]:
        """Numbers of the controls."""
        across, down = self.GRIDS[self.level - 1]
        return numbers(1, across * down)

    @property
    def chance(self) -> float:
        """The largest share of the page that a control covers."""
        across, down = self.GRIDS[self.level - 1]
        return 1 / (across * down)

    def make(self, rng: np.random.Generator, answer: str) -> Screen:
        """Controls in a grid, each shifted and sized at random; a word stands once for each kind."""
        across, down = self.GRIDS[self.level - 1]
        count, wide, high = across * down, UNITS // across, UNITS // down
        kinds = ("button", "checkbox", "field")
        words = some(rng, WORDS, count if self.level < 3 else count // 3)
        names = [(kind, word) for kind in kinds for word in words] if self.level == 3 else []
        names = list(some(rng, names, count)) if names else [(pick(rng, kinds[: self.level]), word) for word in words]
        controls = []
        for index, (kind, word) in enumerate(names):
            width, height = whole(rng, wide - 5, wide - 1), whole(rng, max(11, high - 12), high - 2)
            x = index % across * wide + whole(rng, 0, wide - width)
            y = index // across * high + whole(rng, 0, high - height)
            controls.append(Control(kind, word, x, y, width, height, pick(rng, COLOURS)))
        return Screen(tuple(controls), int(answer) - 1)

    def pose(self, rng: np.random.Generator) -> Question:
        """Ask for a click; the demonstrated one is in the middle of the control."""
        screen = self.item(rng)
        assert isinstance(screen, Screen)
        self._target, scale = screen.target, self.size / UNITS
        x, y = (int(each * scale) for each in self._target.middle)
        thought = f"{self._target.name} ({x}, {y})"
        text = pick(rng, screen.questions)
        return Question(text, screen.show(self.size), f"click({x}, {y})", "exact", thought, screen.caption)

    def act(self, action: Any) -> Outcome:
        """Judge where the click went."""
        x, y = (float(action.args[name]) * UNITS / self.size for name in ("x", "y"))
        right = self._target.holds(x, y)
        self._status = "right" if right else "wrong"
        return Outcome(
            Observation.of("Right." if right else "Wrong."),
            reward=float(right),
            ended=Cause.GOAL if right else Cause.FAILED,
            info={"verdict": "right" if right else "outside of it"},
        )


CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"


@cache
def syllables(form: str) -> tuple[str, ...]:
    """All words of a form such as `cvc`: c a consonant, v a vowel; long forms use fewer consonants."""
    consonants = CONSONANTS if len(form) < 5 else CONSONANTS[::2]
    return tuple("".join(each) for each in product(*(VOWELS if part == "v" else consonants for part in form)))


@dataclass(frozen=True)
class Sign:
    """A word on a coloured board, its middle at (x, y); a dot of a letter is `dot` units wide."""

    word: str
    colour: str
    x: int
    y: int
    dot: int


@dataclass(frozen=True)
class Signs(Picture):
    """One sign, or several of different colours; the first is asked about."""

    signs: tuple[Sign, ...]

    @property
    def questions(self) -> tuple[str, ...]:
        """Its word is asked."""
        name = f"{self.signs[0].colour} sign" if len(self.signs) > 1 else "sign"
        return f"What does the {name} say?", f"Read the {name}.", f"Which word is on the {name}?"

    @property
    def answer(self) -> str:
        """The word on it."""
        return self.signs[0].word

    @property
    def thought(self) -> str:
        """The word letter by letter."""
        return " ".join(self.answer)

    @property
    def caption(self) -> str:
        """All signs from top to bottom."""
        return ", ".join(f"{sign.colour} {sign.word}" for sign in sorted(self.signs, key=lambda sign: sign.y))

    def draw(self, canvas: Canvas) -> None:
        """Boards with light letters, dark ones on yellow."""
        for sign in self.signs:
            width = text_width(sign.word, sign.dot) + 6 * sign.dot
            canvas.box(sign.x - width / 2, sign.y - 6 * sign.dot, width, 12 * sign.dot, sign.colour)
            canvas.text(sign.x, sign.y, sign.word, INK if sign.colour == "yellow" else WHITE, sign.dot)


class SignReading(Family):
    """Read made-up words: of 3 letters, of 4 on one of two signs, of 5 small ones on one of four signs."""

    def answers(self) -> tuple[str, ...]:
        """All words of the form."""
        return syllables(("cvc", "cvcv", "cvcvc")[self.level - 1])

    def make(self, rng: np.random.Generator, answer: str) -> Signs:
        """Signs below each other, in random order."""
        count = (1, 2, 4)[self.level - 1]
        words = [answer, *(pick(rng, self.choices) for _ in range(count - 1))]
        rows = some(rng, range(count), count)
        signs = []
        for word, colour, row in zip(words, some(rng, COLOURS, count), rows, strict=True):
            dot = whole(rng, *((2, 4), (2, 2), (1, 1))[self.level - 1])
            room, high = math.ceil(text_width(word, dot) / 2) + 3 * dot + 1, UNITS // count
            y = row * high + high // 2 + whole(rng, -1, 1) * (high // 2 - 6 * dot - 1)
            signs.append(Sign(word, colour, whole(rng, room, UNITS - room), y, dot))
        return Signs(tuple(signs))
