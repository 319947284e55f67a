"""How actions of the arm are written: which verbs there are at each level, and how they name places.

reading = Reading("skills", "pixels", ("pick", "place"))
reading.format.help                      # pick(x, y): Pick up the thing at a place. ...
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from saccade.envs.actions import ActionSet, Call, Param, Verb, X, Y, verb
from saccade.envs.embodied.arm.kinematics import Array
from saccade.envs.embodied.arm.solids import Spot
from saccade.envs.embodied.projection import Projection

FLOAT, MARK = Param("float"), Param("int")
TARGETS: Mapping[str, tuple[Mapping[str, Param], Mapping[str, Param]]] = {
    "pixels": ({"x": X, "y": Y}, {"to_x": X, "to_y": Y}),
    "millimetres": ({"x": FLOAT, "y": FLOAT}, {"to_x": FLOAT, "to_y": FLOAT}),
    "marks": ({"mark": MARK}, {"dx": FLOAT, "dy": FLOAT}),
}
"""How a place is written -> the parameters of a place, and of a second one (from a mark: so many millimetres on)."""
SKILLS: Mapping[str, tuple[str, int, Mapping[str, Param]]] = {
    "pick": ("Pick up the thing at a place.", 1, {}),
    "place": ("Put down what is held.", 1, {}),
    "push": ("Push the thing at a place to another place.", 2, {}),
    "press": ("Press down at a place.", 1, {}),
    "pull": ("Move the handle at a place towards another place.", 2, {}),
    "turn": ("Turn the knob at a place, counter-clockwise if positive.", 1, {"degrees": FLOAT}),
}
"""Skill -> help, how many places it names, and what else it takes."""
FINGERS = (verb("open", "Open the fingers."), verb("close", "Close the fingers."))
DELTAS = (
    verb("move", "Move the hand: right, away, up, in millimetres.", dx=FLOAT, dy=FLOAT, dz=FLOAT),
    verb("rotate", "Rotate the hand counter-clockwise.", degrees=FLOAT),
    *FINGERS,
)
JOINTS = (
    verb(
        "joints",
        "Turn the joints by degrees.",
        **dict.fromkeys(("turret", "shoulder", "elbow", "wrist", "roll"), FLOAT),
    ),
    *FINGERS,
)
ACTIONS: Mapping[str, tuple[Verb, ...]] = {"skills": (), "deltas": DELTAS, "joints": JOINTS}


class Reading:
    """Reads and writes actions.

    Args:
        actions: a name in `ACTIONS`.
        targets: a name in `TARGETS`.
        skills: the verbs where actions are skills.
    """

    def __init__(self, actions: str, targets: str, skills: Sequence[str]) -> None:
        self.targets = targets
        self._first, self._second = TARGETS[targets]
        self._places = {name: SKILLS[name][1] for name in skills} if actions == "skills" else {}
        self.format = ActionSet(*(ACTIONS[actions] or map(self._verb, skills)))

    def places(self, call: Call, spot: Callable[..., Spot]) -> tuple[list[Spot], list[float]]:
        """The places that a call names, and its other numbers."""
        values = [float(value) for value in call.args.values()]  # type: ignore[arg-type]
        count = self._places.get(call.verb, 0)
        if not count:
            return [], values
        spots = [spot(*(values.pop(0) for _ in self._first))]
        if count == 2:
            second = [values.pop(0) for _ in self._second]
            onward = Spot(spots[0].point + np.array([*second, 0.0]) / 1000, 0) if self.targets == "marks" else None
            spots.append(onward or spot(*second))
        return spots, values

    def write(
        self,
        name: str,
        spots: Sequence[tuple[int, Array]],
        rest: Sequence[float],
        view: Projection,
        marks: Sequence[int],
    ) -> str:
        """A call that names these bodies and places, in metres."""
        values: list[float] = []
        for index, (body, point) in enumerate(spots):
            match self.targets:
                case "pixels":
                    values += [min(max(round(each), 0), view.size - 1) for each in view.pixel(point)]
                case "millimetres":
                    values += np.rint(1000 * point[:2]).astype(int).tolist()
                case _ if index:
                    values += np.rint(1000 * (point - spots[0][1])[:2]).astype(int).tolist()
                case _:
                    values.append(marks.index(body) + 1)
        return f"{name}({', '.join(f'{value:g}' for value in [*values, *rest])})"

    def _verb(self, name: str) -> Verb:
        text, count, rest = SKILLS[name]
        return Verb(name, text, {**self._first, **(self._second if count == 2 else {}), **rest})
