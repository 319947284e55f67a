"""Your own questions as single-step episodes.

    gym.make("saccade/QA-v0", data="mine.jsonl")                                  # question, answer, image
    gym.make("saccade/QA-v0", data="testmini.parquet", schema="mathvista")
    gym.make("saccade/QA-v0", data={"train": "a.jsonl", "test": "b.jsonl"}, schema={"answer": "label"})

Of one file, one picture in five belongs to the test split, by its content: no picture is in both.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from saccade.envs.actions import Answer
from saccade.envs.core import LanguageEnv, Outcome
from saccade.envs.episode import Cause, Demo
from saccade.envs.errors import ActionError, ConfigError, near
from saccade.envs.observation import Observation
from saccade.envs.qa.data.dataset import Dataset, Schema, open_dataset
from saccade.envs.qa.verifiers.extract import EXTRACTIONS
from saccade.envs.qa.verifiers.option import LETTERS
from saccade.envs.qa.verify import judge, solution
from saccade.envs.task import SPLITS


class QA(LanguageEnv):
    """A row of a data set: its pictures, its question, one answer.

    Args:
        data: a `.jsonl`, `.json` or `.parquet` file, a pattern of parquet files, a folder of pictures, or
            `hf://owner/name`; or a dictionary of them by split, whose files are then taken whole.
        schema: a name in `PRESETS`, or the keys of `Fields`; by default columns named `question`, `answer`, `image`.
        extract: where the answer stands in the action: `whole`, `tags`, `boxed` or `last_line`.
        max_pixels: larger pictures and frames are made smaller.
        frames: how many frames of a video are seen.
        **settings: those of `LanguageEnv`.
    """

    instructions = "Answer the question."
    action_format = Answer("Answer as the question asks.")

    def __init__(
        self,
        *,
        data: str | Mapping[str, str],
        schema: Schema = None,
        extract: str = "whole",
        max_pixels: int = 1_003_520,
        frames: int = 8,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        if extract not in EXTRACTIONS:
            raise ConfigError(f"unknown extract {extract!r}; {near(str(extract), EXTRACTIONS, 'ways')}")
        if not isinstance(data, str):
            for name in data:
                if name not in SPLITS:
                    raise ConfigError(f"data by split has no {name!r}; {near(str(name), SPLITS, 'splits')}")
            if self.split not in data:
                raise ConfigError(f"data has no {self.split!r}: add its file, or give one file for both splits")
        if max_pixels < 1 or frames < 1:
            raise ConfigError(f"max_pixels and frames must be >= 1, got {max_pixels} and {frames}")
        self.extract = extract
        file = data if isinstance(data, str) else data[self.split]
        self.dataset: Dataset = open_dataset(file, json.dumps(schema, sort_keys=True), max_pixels, frames)
        self._drawn_from = self.split if isinstance(data, str) else None

    def begin(self, rng: np.random.Generator) -> Observation:
        """Show the question of the task's seed."""
        self._loaded = self.dataset.draw(self._task_seed, self._drawn_from, rng)
        self._status = "asked"
        return self._loaded.observation

    def act(self, action: str) -> Outcome:
        """Judge the answer; the reward is the verifier's score."""
        answer, well_formed = EXTRACTIONS[self.extract](action)
        if not answer.strip():
            raise ActionError(f"there is not exactly one answer ({self.extract.replace('_', ' ')})")
        item = self._loaded.item
        score, reason = judge(item.verifier, answer, item.golds, item.settings)
        self._status = "right" if score == 1.0 else "wrong"
        info = {name: value for name, value in item.info.items() if isinstance(value, (str, int, float))}
        return Outcome(
            Observation.of("Right." if score == 1.0 else "Wrong."),
            reward=score,
            ended=Cause.GOAL if score == 1.0 else Cause.FAILED,
            info=info | {"verdict": reason, "row": self._loaded.row, "well_formed": well_formed},
        )

    def state(self) -> Any:
        """The row and whether it was answered; a data set does not move."""
        return [self._loaded.row, list(self._loaded.digests), self._status]

    def demo(self) -> Iterator[Demo]:
        """The right answer, written as `extract` reads it."""
        if self._status == "asked":
            answer = solution(self._loaded.item.verifier, self._loaded.item.golds[0])
            wrapped = {"tags": f"<answer>{answer}</answer>", "boxed": f"\\boxed{{{answer}}}"}
            yield Demo(wrapped.get(self.extract, answer))

    def sample_action(self, rng: random.Random) -> str:
        """One of the choices, where there are any."""
        choices = self._loaded.item.choices
        if self._loaded.item.verifier == "option":
            return rng.choice(LETTERS[: len(choices) or 5])
        return super().sample_action(rng)
