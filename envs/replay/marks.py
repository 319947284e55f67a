"""Where an action points: the pixels of its coordinates, to draw them on the picture that they were chosen on.

The class's own `ActionSet` says which arguments are coordinates; where settings choose the actions, or the class cannot
be imported here, the usual names of pointer actions are understood.
"""

from __future__ import annotations

import functools
from typing import Any

import gymnasium as gym

from saccade.envs.actions import ActionFormat, ActionSet, Call, Param, Verb, X, Y
from saccade.envs.errors import ActionError
from saccade.envs.gui.verbs import GROUPS
from saccade.envs.turns import read_turn

Points = list[list[float]]

_ONE = ("click", "double_click", "right_click", "hover", "move", "move_to", "tap", "touch", "point", "pick", "place")
_TWO = ("drag", "swipe", "pick_place", "push", "pull")
_ANY = {f"extra_{index}": Param("str", default="") for index in range(2)}
USUAL = ActionSet(
    *(Verb(name, "", {"x": X, "y": Y, **_ANY}) for name in _ONE),
    *(Verb(name, "", {"x1": X, "y1": Y, "x2": X, "y2": Y}) for name in _TWO),
    Verb("press", "", {"x": X, "y": Y}),
    Verb("turn", "", {"x": X, "y": Y, "degrees": Param("float")}),
    *GROUPS["coord"],
)


def points(action: str | None, env_id: str) -> Points:
    """Pixels `[x, y]` that the actions of a turn name, in order: none, one for a click, two for a drag."""
    return [] if action is None else [place for each in read_turn(action).actions for place in _places(each, env_id)]


def _places(action: str, env_id: str) -> Points:
    for actions in (_action_set(env_id), USUAL):
        if actions is not None:
            try:
                return _points(actions, actions.parse(action))
            except ActionError:
                continue
    return []


def _points(actions: ActionSet, call: Call) -> Points:
    params = actions.verbs[call.verb].params
    found: dict[str, list[float]] = {"x": [], "y": []}
    for name, param in params.items():
        value = call.args[name]
        if param.kind in ("x", "y") and isinstance(value, (int, float)):
            found[param.kind].append(value)
    return [[x, y] for x, y in zip(found["x"], found["y"], strict=False)]


@functools.lru_cache(maxsize=256)
def _action_set(env_id: str) -> ActionSet | None:
    """The verbs of a registered environment's class; `None` where the class alone does not tell."""
    spec = gym.registry.get(env_id)  # by exact id: a stored id cannot name a module to import
    if spec is None or spec.entry_point is None:
        return None
    try:
        entry: Any = spec.entry_point
        creator = gym.envs.registration.load_env_creator(entry) if isinstance(entry, str) else entry
    except (ImportError, AttributeError):
        return None
    found: ActionFormat | None = getattr(creator, "action_format", None)
    return found if isinstance(found, ActionSet) else None
