"""`Record`: one stored episode, as it was written, with what every reader asks for."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from saccade.envs.episode import Cause, Episode, Step
from saccade.envs.errors import ConfigError, StoreError
from saccade.envs.observation import Observation, Part, Text
from saccade.envs.replay.media import MediaFolder
from saccade.envs.task import TaskSpec

Turn = Mapping[str, Any]
"""Annotations of one step: `tokens`, `logprobs`, `advantages`, `versions`, lists of one length; more keys are kept."""
PER_TOKEN = ("tokens", "logprobs", "advantages", "versions")
_STEP = tuple(each.name for each in fields(Step))


@dataclass(frozen=True)
class Record:
    """One line of `episodes.jsonl`.

    Attributes:
        data: `Episode.to_json` plus `run_id`, `update`, `phase` and `turns`. Floats that were not finite are `None`.
        line: its line number, from 1.
    """

    data: Mapping[str, Any]
    line: int = 0

    @classmethod
    def decode(cls, line: bytes, number: int = 0) -> Record:
        """Read a line; `StoreError` if it is not a record."""
        try:
            data = json.loads(line)
            record = cls(data, number)
            _ = record.id, record.task, record.cause, record.success, record.group, record.update, record.phase
            _ = [data[name] for name in ("final", "parent", "instructions", "failure", "info", "return")]
            _ = [step[name] for step in record.steps for name in _STEP]
            seen = [*(step["observation"] for step in record.steps), data["final"] or []]
            well = all(isinstance(parts, list) and all(isinstance(part, dict) for part in parts) for parts in seen)
            well &= all(isinstance(step["action"], str | None) for step in record.steps)
            if not well or len(record.turns) != len(record.steps):
                raise ValueError
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise StoreError(f"line {number} is not the record of an episode ({type(error).__name__})") from error
        return record

    def encode(self) -> bytes:
        """One line of strict JSON, without its newline."""
        return strict_json(self.data).encode("ascii")

    @property
    def id(self) -> str:
        """The episode's id, unique within the run."""
        return str(self.data["id"])

    @property
    def task(self) -> TaskSpec:
        """The task, complete."""
        return TaskSpec.from_json(self.data["task"])

    @property
    def cause(self) -> Cause:
        """Why the episode ended."""
        return Cause(self.data["cause"])

    @property
    def success(self) -> bool:
        """Whether the task was achieved."""
        return bool(self.data["success"])

    @property
    def group(self) -> str:
        """Episodes of one task at one update share it; empty for none."""
        return str(self.data["group"])

    @property
    def update(self) -> int:
        """The training update that the episode belongs to."""
        return int(self.data["update"])

    @property
    def phase(self) -> str:
        """What it was played for: `train`, `eval`, `play`, ..."""
        return str(self.data["phase"])

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The turns: the fields of `Step`, observations as lists of parts."""
        return list(self.data["steps"])

    @property
    def turns(self) -> list[Turn]:
        """The annotations, aligned with `steps`."""
        return list(self.data["turns"])

    def episode(self, media: MediaFolder | None) -> Episode:
        """The episode again; a reward that was not finite comes back as NaN.

        Args:
            media: where its pictures are; `None` for the episode without observations.
        """

        def seen(parts: list[dict[str, Any]]) -> Observation:
            return Observation(()) if media is None else _observation(parts, media)

        data = self.data
        steps = [
            Step(**{**step, "reward": _number(step["reward"]), "observation": seen(step["observation"])})
            for step in self.steps
        ]
        return Episode(
            id=self.id,
            task=self.task,
            instructions=data["instructions"],
            steps=steps,
            final=None if data["final"] is None or media is None else _observation(data["final"], media),
            cause=self.cause,
            success=self.success,
            group=self.group,
            parent=tuple(data["parent"]) if data["parent"] else None,
            failure=data["failure"],
            info=data["info"],
        )


def strict_json(value: Any) -> str:
    """JSON in ASCII as the standard has it: floats that are not finite are `null`, arrays and tensors are lists."""
    try:
        try:
            return json.dumps(value, allow_nan=False, separators=(",", ":"), default=_listed)
        except ValueError:  # a float that is not finite: rare, so that finding it may cost something
            return json.dumps(_finite(value), allow_nan=False, separators=(",", ":"))
    except (TypeError, RecursionError) as error:
        raise ConfigError(f"a record must hold JSON values only: {error}; check info, turns and kwargs") from error


def check_turns(turns: list[Turn], steps: int) -> None:
    """Raise `ConfigError` unless there is one annotation a step, and one value a token."""
    if len(turns) != steps:
        raise ConfigError(
            f"turns must be aligned with the episode's {steps} steps, got {len(turns)}; use {{}} for none"
        )
    for index, turn in enumerate(turns):
        lengths = {key: len(turn[key]) for key in PER_TOKEN if turn.get(key) is not None}
        if len(set(lengths.values())) > 1:
            raise ConfigError(f"the lists of turn {index} must have one value a token, got lengths {lengths}")


def _observation(parts: list[dict[str, Any]], media: MediaFolder) -> Observation:
    return Observation(tuple(_part(part, media) for part in parts))


def _part(part: dict[str, Any], media: MediaFolder) -> Part:
    match part:
        case {"image": digest}:
            return media.image(digest)
        case {"video": digest, "fps": fps}:
            return media.video(digest, fps)
        case {"audio": digest, "rate": rate}:
            return media.audio(digest, rate)
        case {"text": str(text)}:
            return Text(text)
    raise StoreError(f"a part is text, image, video or audio; got one with the keys {sorted(part)}")


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _listed(value: Any) -> Any:
    """Arrays, tensors and their scalars as lists and numbers."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"found {type(value).__name__}")


def _finite(value: Any) -> Any:
    """The same JSON value with every float that is not finite as `None`."""
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    if value is None or isinstance(value, (str, int)):
        return value
    return _finite(_listed(value))
