"""`LanguageEnv`: the contract that every world of Saccade fulfils.

A subclass says what the world is; the base class keeps the bookkeeping, so that it is the same everywhere:

    class Guess(LanguageEnv):
        instructions = "Guess the number."
        action_format = Answer("Answer with a digit.")

        def begin(self, rng):
            self.number = int(rng.integers(10))
            return Observation.of("Which number?")

        def act(self, answer):
            right = answer == str(self.number)
            return Outcome(Observation.of("right" if right else "wrong"), reward=float(right),
                           ended=Cause.GOAL if right else Cause.FAILED)

        def state(self):
            return self.number

        def demo(self):
            yield Demo(str(self.number))

The action is one string. A string that does not parse, or that names nothing the world knows, is a legal step: the
observation says what was wrong and `info["action_error"]` holds it. A world that breaks raises `WorldFailure`, and the
episode ends truncated with `info["failure"]`, never trained on.
"""

from __future__ import annotations

import hashlib
import json
import random
import zlib
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, TypeVar

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from saccade.envs.actions import ActionFormat
from saccade.envs.episode import RULES, Cause, Demo, Ending, Lesson
from saccade.envs.errors import ActionError, ConfigError, ResetNeeded, WorldFailure
from saccade.envs.observation import Image, Observation
from saccade.envs.spaces import Unicode, observation_space
from saccade.envs.task import SPLITS, Split, check_split

Item = TypeVar("Item")
TEST_SHARE = 5
"""One in this many contents belongs to the test split."""


@dataclass(frozen=True)
class Outcome:
    """What one action led to.

    Attributes:
        observation: what the world shows now.
        reward: this turn's reward.
        terms: its parts; they must sum to `reward`; by default one term named `task`.
        ended: `Cause.GOAL`, `FAILED` or `GAVE_UP` when the task is over, `HORIZON` at a time limit of the world's own,
            else `None`.
        error: why an action that parsed could not be done; it is shown under the observation.
        info: anything more, JSON values only.
    """

    observation: Observation
    reward: float = 0.0
    terms: Mapping[str, float] = field(default_factory=dict)
    ended: Cause | None = None
    error: str | None = None
    info: Mapping[str, Any] = field(default_factory=dict)


class LanguageEnv(gym.Env[dict[str, Any], str]):
    """A Gymnasium environment that shows text, pictures, videos and sounds and is acted on by strings.

    Args:
        split: `train` or `test`; they draw from disjoint seed streams and, through `draw`, from disjoint contents.
        max_turns: turns after which the episode is truncated; the class's own number by default.
        error_penalty: subtracted from the reward of a turn whose action was not understood, or could not be done.
        render_mode: `rgb_array` or nothing.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 2}  # type: ignore[misc]
    instructions: str = ""
    action_format: ActionFormat
    max_turns: int = 1
    affinity: Literal["any", "thread", "process"] = "any"
    """Where `step` may run: in any thread, only in the thread that made it, or best in a process of its own."""
    deterministic_pictures: bool = True
    """Whether the same actions show the same pixels again."""
    can_snapshot: bool = False
    """Whether `snapshot` and `restore` work; without them a branch is made by executing the actions again."""

    def __init__(
        self,
        *,
        split: Split = "train",
        max_turns: int | None = None,
        error_penalty: float = 0.0,
        render_mode: str | None = None,
    ) -> None:
        check_split(split)
        if max_turns is not None and max_turns < 1:
            raise ConfigError(f"max_turns must be >= 1, got {max_turns}")
        if error_penalty < 0:
            raise ConfigError(f"error_penalty must be >= 0 (it is subtracted), got {error_penalty}")
        self.split = split
        self.max_turns = max_turns or self.max_turns
        self.error_penalty = error_penalty
        self.render_mode = render_mode
        self.observation_space = observation_space()
        self.action_space = Unicode()
        self._view: Observation | None = None
        self._shown = Observation(())  # the last observation without feedback on errors
        self._turn = 0
        self._running = False

    # What a world says about itself.

    @abstractmethod
    def begin(self, rng: np.random.Generator) -> Observation:
        """Build the task that `rng` determines and show it, the goal included."""

    @abstractmethod
    def act(self, action: Any) -> Outcome:
        """Do what `action_format.parse` returned; raise `ActionError` if the world has no such thing."""

    @abstractmethod
    def state(self) -> Any:
        """The state that the current observation shows, goal progress included, as JSON values.

        Quantise what jitters; leave out volatile ids, element refs and clocks. Its digest is `state_key`.
        """

    def demo(self) -> Iterator[Demo]:
        """Lazily yield the next turns of a solution from the current state; nothing where none is known."""
        return iter(())

    def lessons(self, seeds: Iterable[int]) -> Iterator[tuple[int, Lesson]]:
        """Demonstrate the tasks of these seeds: each with a lesson, or with several about one picture.

        Override it where many are made faster together. A demonstration of one turn is taken at its word; one of
        several turns is played to its end.

        Raises:
            ConfigError: there is no demonstration, or one of several turns did not reach its goal.
            WorldFailure: the world broke.
        """
        for seed in seeds:
            self.reset(seed=seed)
            turns: list[tuple[Observation, Demo]] = []
            info: dict[str, Any] = {}
            while self._running:
                demo = next(self.demo(), None)
                if demo is None:
                    raise ConfigError(f"{type(self).__name__} has no demonstration for task {seed}: give it a demo()")
                turns.append((self.view, demo))
                if self.max_turns == 1:
                    break  # its one action is the whole solution, and nobody looks at what follows
                *_, info = self.step(demo.action)
            if info.get("failure"):
                raise WorldFailure(f"{type(self).__name__} failed at task {seed}: {info['failure_message']}")
            if self.max_turns > 1 and not info["success"]:
                raise ConfigError(
                    f"the demonstration of {type(self).__name__} for task {seed} ended with {info['cause']}, not with "
                    "its goal: mend its demo()"
                )
            yield seed, Lesson(tuple(turns))

    def snapshot(self) -> Any:
        """The full state, for `restore`; only where `can_snapshot`."""
        raise ConfigError(f"{type(self).__name__} cannot be snapshot; branch it by executing its actions again")

    def restore(self, state: Any) -> None:
        """Return to a `snapshot`."""
        raise ConfigError(f"{type(self).__name__} cannot be restored; branch it by executing its actions again")

    @classmethod
    def prefetch(cls, seeds: Iterable[int], split: Split = "train", **settings: Any) -> int:
        """Prepare the first pictures of many tasks at once, where that is faster; how many were made."""
        return 0

    # What Gymnasium and the agents see.

    @property
    def view(self) -> Observation:
        """The current observation with its parts in order; wrappers override it."""
        if self._view is None:
            raise ResetNeeded("there is nothing to see yet: call reset first")
        return self._view

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin the task named by `seed`; without a seed, the next task of the stream."""
        super().reset(seed=seed)
        task_seed = seed if seed is not None else int(self.np_random.integers(2**31))
        self._turn = 0
        self._running = False
        self._view = self._shown = self.begin(self._task_rng(task_seed))
        info = {"state_key": self.state_key(), "task_seed": task_seed}
        self._running = True
        return self._view.as_dict(), info

    def step(self, action: str) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Act once. Whatever the string says, this is a legal step and returns Gymnasium's five values."""
        if not self._running:
            raise ResetNeeded("the episode is over or was never begun: call reset before step")
        if not isinstance(action, str):
            raise TypeError(f"an action is a string such as {self._example()!r}, got {type(action).__name__}")
        try:
            outcome = self._attempt(action)
            self._view = outcome.observation
            state_key = self.state_key()
        except WorldFailure as failure:
            return self._fail(failure)
        self._turn += 1
        cause = outcome.ended
        if cause is None and self._turn >= self.max_turns:
            cause = Cause.HORIZON if self.max_turns > 1 else Cause.FAILED  # one turn leaves nothing to bootstrap
        self._running = cause is None
        info: dict[str, Any] = dict(outcome.info) | {
            "reward_terms": dict(outcome.terms) or {"task": outcome.reward},
            "action_error": outcome.error,
            "success": cause is Cause.GOAL,
            "cause": str(cause) if cause else None,
            "state_key": state_key,
        }
        ending = RULES[cause].ending if cause else None
        return (
            self._view.as_dict(),
            float(outcome.reward),
            ending is Ending.TERMINATED,
            ending is Ending.TRUNCATED,
            info,
        )

    def render(self) -> NDArray[np.uint8] | None:
        """The last picture of the current observation."""
        if self.render_mode is None:
            return None
        pictures = [part for part in self.view.parts if isinstance(part, Image)]
        return pictures[-1].pixels.copy() if pictures else np.full((64, 64, 3), 255, np.uint8)

    def state_key(self) -> str:
        """Digest of `state`, scoped to the task, for step-level credit (GiGPO, arXiv 2505.10978)."""
        scope = [type(self).__name__, self.split, self._task_seed, self.state()]
        canonical = json.dumps(scope, sort_keys=True, default=_plain)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def sample_action(self, rng: random.Random) -> str:
        """A random well-formed action: the random agent of every environment."""
        pictures = self.view.images
        return self.action_format.sample(rng, pictures[-1].size if pictures else (64, 64))

    def draw(self, make: Callable[[np.random.Generator], Item], rng: np.random.Generator) -> Item:
        """Draw items until one whose content belongs to this split: no content is ever in both.

        The content is the item's `repr`, so an item must be a value with a complete one (a frozen dataclass).
        """
        for _ in range(10_000):
            item = make(rng)
            is_test = zlib.crc32(repr(item).encode()) % TEST_SHARE == 0
            if is_test == (self.split == "test"):
                return item
        raise ConfigError(f"{type(self).__name__} has too few distinct tasks for a {self.split} split")

    # Bookkeeping.

    def _task_rng(self, seed: int) -> np.random.Generator:
        self._task_seed = seed
        stream = (SPLITS.index(self.split), zlib.crc32(type(self).__name__.encode()))
        return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=stream))

    def _attempt(self, action: str) -> Outcome:
        try:
            outcome = self.act(self.action_format.parse(action))
            self._shown = outcome.observation
        except ActionError as error:
            outcome = Outcome(self._shown, error=str(error))
        if outcome.error is None:
            return outcome
        # Under what is shown, and no part of it: the next turn does not tell it again.
        outcome = replace(outcome, observation=outcome.observation + Observation.of(f"Error: {outcome.error}"))
        if not self.error_penalty:
            return outcome
        # A reward of 0 that nothing explains is no term of its own.
        terms = dict(outcome.terms) or ({"task": outcome.reward} if outcome.reward else {})
        terms |= {"action_error": -self.error_penalty}
        return replace(outcome, reward=outcome.reward - self.error_penalty, terms=terms)

    def _fail(self, failure: WorldFailure) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        self._running = False
        info: dict[str, Any] = {
            "reward_terms": {},
            "action_error": None,
            "success": False,
            "cause": str(Cause.INFRA),
            "failure": "infra",
            "failure_message": str(failure),
            "state_key": "",
        }
        return self.view.as_dict(), 0.0, False, True, info

    def _example(self) -> str:
        return self.action_format.sample(random.Random(0), (64, 64))


def _plain(value: Any) -> Any:
    """JSON for NumPy scalars and arrays inside a state."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"state() must return JSON values, found {type(value).__name__}")
