"""Static questions as single-step episodes: see a picture, read a question, answer once.

    env = gym.make("saccade/Shapes-v0", question="count", level=3)
    env.reset(seed=0)
    env.step("2")        # reward 1.0 and `goal`, or 0.0 and `failed`

An answer ends the episode, right or wrong. Only a malformed one (an empty string) can be tried again, where
`max_turns` leaves a turn. Text first, then the picture: what is asked is known before it is looked at.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from saccade.envs.actions import Answer
from saccade.envs.core import LanguageEnv, Outcome
from saccade.envs.episode import Cause, Demo, Lesson
from saccade.envs.errors import ConfigError, near
from saccade.envs.observation import Audio, Image, Observation, Video
from saccade.envs.qa.observe import digit_image, scene_image
from saccade.envs.qa.tasks import (
    CANVAS,
    KINDS,
    TOTALS,
    Kind,
    Scene,
    choices,
    digits,
    make_scene,
    other_questions,
    pick,
)
from saccade.envs.qa.verify import VERIFIERS

Medium = Image | Video | Audio
MIN_SIZE, MAX_SIZE = 16, 2048
ASKED = 4
"""Questions about one picture that lessons ask: the picture is drawn, and seen, once for all of them."""


@dataclass(frozen=True)
class Question:
    """What one episode asks; `verifier` is a name in `VERIFIERS`."""

    text: str
    medium: Medium
    answer: str
    verifier: str
    thought: str = ""
    caption: str = ""


class QuestionEnv(LanguageEnv):
    """A question about a picture; a subclass says which, in `pose`.

    Args:
        size: width and height of the picture in pixels.
        **settings: those of `LanguageEnv`.
    """

    instructions = "Answer the question about the picture."

    def __init__(self, *, size: int = 64, **settings: Any) -> None:
        super().__init__(**settings)
        if not MIN_SIZE <= size <= MAX_SIZE:
            raise ConfigError(f"size must be {MIN_SIZE} to {MAX_SIZE} pixels, got {size}")
        self.size = size

    @abstractmethod
    def pose(self, rng: np.random.Generator) -> Question:
        """Draw the question that `rng` determines."""

    def begin(self, rng: np.random.Generator) -> Observation:
        """Show the question's text, then its picture, film or sound."""
        self._question = self.pose(rng)
        self._status = "asked"
        return Observation.of(self._question.text, self._question.medium)

    def act(self, action: str) -> Outcome:
        """Judge the answer; reward is the verifier's score."""
        score, reason = VERIFIERS[self._question.verifier](action, self._question.answer)
        self._status = "right" if score == 1.0 else "wrong"
        return Outcome(
            Observation.of("Right." if score == 1.0 else "Wrong."),
            reward=score,
            ended=Cause.GOAL if score == 1.0 else Cause.FAILED,
            info={"verdict": reason},
        )

    def state(self) -> Any:
        """The question, its picture, and whether it was answered."""
        return [self._question.text, self._question.medium.digest, self._status]

    def demo(self) -> Iterator[Demo]:
        """The right answer."""
        if self._status == "asked":
            yield Demo(self._question.answer, self._question.thought, self._question.caption)


class Digits(QuestionEnv):
    """Read a real handwritten digit: 1797 pictures of 8 x 8 pixels, one in five for the test split."""

    action_format = Answer("Answer with one digit.", tuple("0123456789"))

    def pose(self, rng: np.random.Generator) -> Question:
        """Draw a digit of this split."""
        digit = self.draw(lambda rng: pick(rng, digits()), rng)
        return Question("Which digit is it?", digit_image(digit, self.size), str(digit.label), "integer")


class Shapes(QuestionEnv):
    """Questions about coloured circles, squares and triangles: colour, shape, count and place.

    Args:
        question: what is asked; `mixed` draws one of the four kinds for each task.
        level: 1 for one or two objects, 2 for two or three, 3 for four or five that can be confused, 4 for six or
            seven smaller ones with more to confuse, 5 for eight or nine tiny ones. Counts begin at 0 and go to 2, 3, 5,
            5 and 5.
        **settings: those of `QuestionEnv` and `LanguageEnv`.
    """

    def __init__(
        self,
        *,
        question: Literal["colour", "shape", "count", "position", "mixed"] = "mixed",
        level: Literal[1, 2, 3, 4, 5] = 1,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        if question not in (*KINDS, "mixed"):
            raise ConfigError(f"unknown question {question!r}; {near(str(question), (*KINDS, 'mixed'), 'questions')}")
        if level not in TOTALS:
            raise ConfigError(f"level must be one of {', '.join(map(str, TOTALS))}, got {level!r}")
        self.kinds: tuple[Kind, ...] = KINDS if question == "mixed" else (question,)
        self.level = level
        self.action_format = Answer(choices=tuple(answer for kind in self.kinds for answer in choices(kind, level)))

    def pose(self, rng: np.random.Generator) -> Question:
        """Draw a scene of this split and ask about it."""
        return self._ask(self._scene(rng))

    def lessons(self, seeds: Iterable[int]) -> Iterator[tuple[int, Lesson]]:
        """The task's own question and, where all kinds are asked, up to `ASKED` - 1 others about the same picture."""
        for seed in seeds:
            rng = self._task_rng(seed)
            scene = self._scene(rng)
            more = other_questions(rng, scene, ASKED - 1) if self.kinds == KINDS else []
            medium: Medium | None = None
            for asked in (scene.question, *more):
                question = self._ask(replace(scene, question=asked), medium)
                medium = question.medium
                demo = Demo(question.answer, question.thought, question.caption)
                yield seed, Lesson(((Observation.of(question.text, medium), demo),))

    def _scene(self, rng: np.random.Generator) -> Scene:
        kind = pick(rng, self.kinds)
        return self.draw(lambda rng: make_scene(rng, kind, self.level), rng)

    def _ask(self, scene: Scene, medium: Medium | None = None) -> Question:
        """The question of a scene as it is shown; `medium` is its picture, if that is drawn already."""
        scale = self.size / CANVAS
        return Question(
            scene.question.text,
            medium or scene_image(scene.things, self.size),
            scene.question.answer,
            "integer" if scene.question.kind == "count" else "exact",
            thought=scene.question.thought(scale),
            caption=" ".join(thing.describe(scale) for thing in scene.things),
        )
