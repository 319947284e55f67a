"""What happened in one episode, as world facts: no tokens, no log-probabilities, JSON-serialisable.

Every episode ends for exactly one `Cause`. One table, `RULES`, says what each cause means for learning, so that no
other file decides it again: a world that fails is not an agent that fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from saccade.envs.observation import Audio, Image, Observation, Part, Text, Video
from saccade.envs.task import TaskSpec

SCHEMA_VERSION = 1


class Cause(StrEnum):
    """Why an episode ended."""

    GOAL = "goal"
    FAILED = "failed"
    GAVE_UP = "gave_up"
    HORIZON = "horizon"
    CONTEXT = "context"
    LENGTH = "length"
    INFRA = "infra"
    ENGINE = "engine"
    STALE = "stale"


class Ending(StrEnum):
    """Gymnasium's two endings, and a third for episodes that are void."""

    TERMINATED = "terminated"
    TRUNCATED = "truncated"
    ABORTED = "aborted"


@dataclass(frozen=True)
class Rule:
    """What a cause means.

    Attributes:
        ending: how Gymnasium would call it.
        trained: whether the episode's tokens enter the loss.
        in_baseline: whether its return enters its group's baseline.
        bootstrapped: whether the value of the final observation stands for what was cut off.
    """

    ending: Ending
    trained: bool
    in_baseline: bool
    bootstrapped: bool


RULES: Mapping[Cause, Rule] = {
    Cause.GOAL: Rule(Ending.TERMINATED, trained=True, in_baseline=True, bootstrapped=False),
    Cause.FAILED: Rule(Ending.TERMINATED, trained=True, in_baseline=True, bootstrapped=False),
    Cause.GAVE_UP: Rule(Ending.TERMINATED, trained=True, in_baseline=True, bootstrapped=False),
    Cause.HORIZON: Rule(Ending.TRUNCATED, trained=True, in_baseline=True, bootstrapped=True),
    Cause.CONTEXT: Rule(Ending.TRUNCATED, trained=True, in_baseline=True, bootstrapped=True),
    Cause.LENGTH: Rule(Ending.TRUNCATED, trained=True, in_baseline=True, bootstrapped=False),
    Cause.INFRA: Rule(Ending.ABORTED, trained=False, in_baseline=False, bootstrapped=False),
    Cause.ENGINE: Rule(Ending.ABORTED, trained=False, in_baseline=False, bootstrapped=False),
    Cause.STALE: Rule(Ending.ABORTED, trained=False, in_baseline=False, bootstrapped=False),
}


@dataclass(frozen=True)
class Step:
    """One turn: what was seen, what was said, what came of it.

    Attributes:
        index: turn number, from 0; turns are always addressed by it, never inferred from rewards.
        observation: what the agent saw before it acted.
        reply: everything the agent wrote; `thought` and `action` are its parts.
        action: the string that the environment acted on; `None` if it never did (a reply cut off, a world that broke).
        action_error: what the world said about an action that it did not understand.
        reward: the world's reward for this turn; `reward_terms` sum to it.
        terminated, truncated: as the environment returned them.
        state_key: digest of the state that `observation` shows.
        seconds: time spent in the environment's `step`.
    """

    index: int
    observation: Observation
    reply: str
    thought: str
    action: str | None
    action_error: str | None
    reward: float
    reward_terms: Mapping[str, float]
    terminated: bool
    truncated: bool
    state_key: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Episode:
    """One episode, whole.

    Attributes:
        id: unique within a run.
        group: episodes of one task at one update share it; baselines are taken within it.
        parent: the episode and step that this one branched from.
        final: what the world showed after the last step; `None` when it never came to be.
        failure: the message of a world or engine failure.
    """

    id: str
    task: TaskSpec
    instructions: str
    steps: Sequence[Step]
    final: Observation | None
    cause: Cause
    success: bool
    group: str = ""
    parent: tuple[str, int] | None = None
    failure: str | None = None
    info: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rule(self) -> Rule:
        """What the cause means for learning."""
        return RULES[self.cause]

    @property
    def rewards(self) -> list[float]:
        """Reward of each turn."""
        return [step.reward for step in self.steps]

    @property
    def total_reward(self) -> float:
        """The undiscounted return."""
        return float(sum(self.rewards))

    def without_observations(self) -> Episode:
        """The same without what was seen, which is nearly all of its size: enough to count and to compare."""
        steps = tuple(replace(step, observation=Observation(())) for step in self.steps)
        return replace(self, steps=steps, final=None)

    def to_json(self, keep: Callable[[Part], str]) -> dict[str, Any]:
        """Plain JSON values; `keep` stores a picture, video or sound and returns its content hash."""
        return {
            "schema_version": SCHEMA_VERSION,
            "id": self.id,
            "group": self.group,
            "parent": list(self.parent) if self.parent else None,
            "task": self.task.to_json(),
            "instructions": self.instructions,
            "cause": str(self.cause),
            "ending": str(self.rule.ending),
            "success": self.success,
            "return": self.total_reward,
            "failure": self.failure,
            "info": dict(self.info),
            "steps": [
                asdict_shallow(step) | {"observation": observation_to_json(step.observation, keep)}
                for step in self.steps
            ],
            "final": observation_to_json(self.final, keep) if self.final else None,
        }


def asdict_shallow(step: Step) -> dict[str, Any]:
    """The plain fields of a step."""
    plain = {name: value for name, value in vars(step).items() if name != "observation"}
    return plain | {"reward_terms": dict(step.reward_terms)}


def observation_to_json(observation: Observation, keep: Callable[[Part], str]) -> list[dict[str, Any]]:
    """Parts in order; media by content hash."""
    out: list[dict[str, Any]] = []
    for part in observation.parts:
        match part:
            case Text(text):
                out.append({"text": text})
            case Image():
                out.append({"image": keep(part), "size": list(part.size)})
            case Video():
                out.append({"video": keep(part), "fps": part.fps, "frames": len(part.frames)})
            case Audio():
                out.append({"audio": keep(part), "rate": part.rate, "samples": len(part.samples)})
    return out


@dataclass(frozen=True)
class Demo:
    """One turn of a demonstration.

    Attributes:
        action: the action string, in pixels of the delivered picture.
        thought: what to think first; places are written `(x, y)` so that a coordinate codec can rewrite them.
        caption: a full description of the picture, in a fixed order; it teaches a small model to see.
    """

    action: str
    thought: str = ""
    caption: str = ""

    def to_json(self) -> dict[str, str]:
        """Plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Lesson:
    """A demonstrated episode, for supervised learning: what was shown and what to say of it, turn by turn."""

    turns: tuple[tuple[Observation, Demo], ...]
