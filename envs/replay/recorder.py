"""`RecordEpisodes`: a Gymnasium wrapper that stores what is played by hand, by a script or by any other agent.

    env = RecordEpisodes(gym.make("saccade/Shapes-v0", level=2), store)
    env.reset(seed=0)
    env.step("2")        # the episode ends, and is in the store

An episode that is given up half-way (a new `reset`, or `close`) is not stored: it has no ending, and none is invented.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import gymnasium as gym

from saccade.envs.episode import Cause, Episode, Step
from saccade.envs.errors import ConfigError, ResetNeeded
from saccade.envs.observation import Observation
from saccade.envs.replay.store import ReplayStore
from saccade.envs.task import TaskSpec

LanguageGym = gym.Env[dict[str, Any], str]


class RecordEpisodes(gym.Wrapper[dict[str, Any], str, dict[str, Any], str]):
    """Store every episode that is played to its end.

    Args:
        env: a `LanguageEnv` from `gym.make`, wrapped or not; its settings must be JSON values.
        store: where the episodes go.
        update: training update that they are filed under.
        phase: what they were played for.
    """

    def __init__(self, env: LanguageGym, store: ReplayStore, *, update: int = 0, phase: str = "play") -> None:
        super().__init__(env)
        self._store = store
        self._update = update
        self._phase = phase
        self._id, self._settings = _name(env)
        self._split = self._settings.pop("split", "train")
        self._settings.pop("render_mode", None)
        self._steps: list[Step] | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin an episode, and drop the one that was not played to its end."""
        self._steps = None
        observation, info = self.env.reset(seed=seed, options=options)
        self._task = TaskSpec(self._id, info["task_seed"], self._split, self._settings)
        self._state_key = info["state_key"]
        self._steps = []
        return observation, info

    def step(self, action: str) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Act, note what came of it, and store the episode when it ends."""
        if self._steps is None:
            raise ResetNeeded("the episode is over or was never begun: call reset before step")
        seen = self._view()
        start = time.perf_counter()
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._steps.append(
            Step(
                index=len(self._steps),
                observation=seen,
                reply=action,
                thought="",
                action=action,
                action_error=info["action_error"],
                reward=float(reward),
                reward_terms=info["reward_terms"],
                terminated=terminated,
                truncated=truncated,
                state_key=self._state_key,
                seconds=time.perf_counter() - start,
            )
        )
        self._state_key = info["state_key"]
        if terminated or truncated:
            self._finish(self._steps, info)
        return observation, float(reward), terminated, truncated, info

    def _finish(self, steps: list[Step], info: dict[str, Any]) -> None:
        self._steps = None
        cause = Cause(info["cause"] or Cause.HORIZON)  # an outer limit on time ends without a cause of the world's own
        failure = info.get("failure_message")
        episode = Episode(
            id=uuid.uuid4().hex[:12],
            task=self._task,
            instructions=str(self.env.get_wrapper_attr("instructions")),
            steps=steps,
            final=self._view() if failure is None else None,
            cause=cause,
            success=info["success"],
            failure=failure,
        )
        self._store.add(episode, update=self._update, phase=self._phase)

    def _view(self) -> Observation:
        view: Observation = self.env.get_wrapper_attr("view")
        return view


def _name(env: LanguageGym) -> tuple[str, dict[str, Any]]:
    """The id and the settings that make this environment again."""
    if env.spec is None:
        raise ConfigError("a recorded environment must be nameable, but this one has no spec; make it with gym.make")
    settings = dict(env.spec.kwargs)
    try:
        json.dumps(settings, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the settings of a recorded environment must be JSON values: {error}") from error
    return env.spec.id, settings
