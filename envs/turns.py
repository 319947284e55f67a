"""One turn of an agent in one string: an action, several to be done in order, or none that could be read.

    env = Turns(gym.make("saccade/TwoPageForm-v0"), limit=3)
    env.step(write_turn(["mouse_click(20, 30)", "keyboard_type('Ann')"]))

Several are done until one ends the episode or cannot be done, and the observation says which were. For the world each
is a turn of its own, and counts against `max_turns`. A reply that could not be read is an action that no world
understands, with the agent's own words for what was wrong.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym

from saccade.envs.errors import ConfigError
from saccade.envs.observation import Observation, Text

KEY = "actions_per_turn"
"""Where `Episode.info` keeps the limit of an episode that was played in such turns."""
MAX_ACTIONS = 32
"""Most actions of a turn that can be asked for."""
_ERROR = "Error: "


@dataclass(frozen=True)
class Turn:
    """What an agent wants: actions in order, or what was wrong with its reply."""

    actions: tuple[str, ...]
    error: str = ""


def write_turn(actions: Sequence[str], error: str = "") -> str:
    """One string for a turn; a single action is itself wherever that cannot be misread."""
    if error:
        return json.dumps({"error": error}, ensure_ascii=False)
    if len(actions) == 1 and actions[0][:1] not in ("[", "{"):
        return actions[0]
    return json.dumps(list(actions), ensure_ascii=False)


def read_turn(text: str) -> Turn:
    """The inverse of `write_turn`; any other string is a single action."""
    if text[:1] in ("[", "{"):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, list) and found and all(isinstance(each, str) for each in found):
            return Turn(tuple(found))
        if isinstance(found, dict) and found.keys() == {"error"} and isinstance(found["error"], str):
            return Turn((), found["error"] or "nothing was done")
    return Turn((text,))


class Turns(gym.Wrapper[dict[str, Any], str, dict[str, Any], str], gym.utils.RecordConstructorArgs):
    """An environment whose action is what `write_turn` writes.

    Args:
        env: a world.
        limit: most actions of a turn; a turn of more is an error, and none of them is done.
    """

    def __init__(self, env: gym.Env[dict[str, Any], str], limit: int) -> None:
        if not 1 <= limit <= MAX_ACTIONS:
            raise ConfigError(f"a turn has 1 to {MAX_ACTIONS} actions, got {limit}")
        gym.utils.RecordConstructorArgs.__init__(self, limit=limit)
        super().__init__(env)
        self.limit = limit
        self._error = ""
        self._note = ""

    @property
    def view(self) -> Observation:
        """What the world shows, and which actions were done."""
        shown: Observation = self.env.get_wrapper_attr("view")
        if self._error:  # in place of what the world said about the empty action
            last = shown.parts[-1] if shown.parts else None
            said = isinstance(last, Text) and last.text.startswith(_ERROR)
            shown = Observation(shown.parts[: len(shown.parts) - said]) + Observation.of(f"{_ERROR}{self._error}")
        return shown + Observation.of(self._note) if self._note else shown

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Reset the world."""
        self._error = self._note = ""
        _, info = self.env.reset(seed=seed, options=options)
        return self.view.as_dict(), info

    def step(self, action: str) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Do the actions of a turn: rewards are added up, all else is what the last one came to."""
        turn = read_turn(action)
        if len(turn.actions) > self.limit:
            turn = Turn((), f"a turn has at most {self.limit} actions, got {len(turn.actions)}; nothing was done")
        total, done = 0.0, 0
        terms: dict[str, float] = {}
        for each in turn.actions or ("",):  # an empty action is an error in every world
            _, reward, terminated, truncated, info = self.env.step(each)
            done += 1
            total += float(reward)
            for name, value in info.get("reward_terms", {}).items():
                terms[name] = terms.get(name, 0.0) + value
            if terminated or truncated or info.get("action_error") or info.get("failure"):
                break
        self._error, self._note = turn.error, _note(turn.actions, done)
        info = info | {"reward_terms": terms} | ({"action_error": turn.error} if turn.error else {})
        return self.view.as_dict(), total, terminated, truncated, info


def _note(actions: Sequence[str], done: int) -> str:
    """Which of several actions were done."""
    if len(actions) < 2:
        return ""
    left = f"; not done: {'; '.join(map(_short, actions[done:]))}" if done < len(actions) else ""
    return f"Done, {done} of {len(actions)}: {'; '.join(map(_short, actions[:done]))}{left}"


def _short(action: str) -> str:
    return action if len(action) <= 80 else action[:77] + "..."
