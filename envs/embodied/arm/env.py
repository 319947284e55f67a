"""`ArmEnv`: what all tasks of the table-top arm share; a task is one file that says what lies there and what counts.

    env = gym.make("saccade/PickUp-v0", level=2)
    observation, info = env.reset(seed=0)      # text "Pick up the red cube." and a picture from above
    env.step("pick(70, 41)")                   # a skill, some hundred physics steps; then a new picture

After the reset nothing is placed by hand and nothing is glued: things move by contact alone.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from saccade.envs.actions import Call
from saccade.envs.embodied.arm.arm import HOME, Arm
from saccade.envs.embodied.arm.furniture import Furniture, add_furniture
from saccade.envs.embodied.arm.kinematics import MODEL, Array, Kinematics
from saccade.envs.embodied.arm.skills import Skills
from saccade.envs.embodied.arm.solids import Spot
from saccade.envs.embodied.arm.things import COLOURS, Thing, add_things
from saccade.envs.embodied.arm.verbs import ACTIONS, TARGETS, Reading
from saccade.envs.embodied.observe import load_mujoco
from saccade.envs.embodied.simulated import SimulatedEnv
from saccade.envs.episode import Demo
from saccade.envs.errors import ActionError, ConfigError, near

Actions = Literal["skills", "deltas", "joints"]
Targets = Literal["pixels", "millimetres", "marks"]
SETTLE = 5
"""Steps that things get to settle at the start of a task."""
AT_REST = 0.05
"""Metres a second: slower is at rest."""
SMALL = 8
"""Small actions that stand for one skill: episodes with them are that much longer."""


@dataclass(frozen=True)
class Scene:
    """The content of a task.

    Attributes:
        text: the goal in words.
        wanted: what the goal means, as the task reads it: numbers of things and items.
        things: loose things, in the order of captions.
        items: what stands on the table.
    """

    text: str
    wanted: tuple[tuple[int, ...], ...]
    things: tuple[Thing, ...] = ()
    items: tuple[Furniture, ...] = ()


class ArmEnv(SimulatedEnv):
    """A task on the table.

    Args:
        level: 1, 2 or 3; see the task.
        actions: `skills`; `deltas` of the hand; or `joints`.
        targets: how skills name a place: by `pixels` of the first camera's picture, `millimetres` on the table, or the
            numbers of `marks`, which are then drawn.
        **world: those of `SimulatedEnv`: `cameras` (`overhead`, `front`, `wrist`), `size`, `depth`, `marks`, ...
    """

    views: ClassVar[Mapping[str, tuple[float, float]]] = {
        "overhead": (2.6, 3.05),
        "front": (0.3, 1.6),
        "wrist": (0.0, 0.5),
    }
    verbs: ClassVar[tuple[str, ...]]
    """The skills of the task."""
    turns: ClassVar[Mapping[int, int]]
    """Level -> turns of an episode with skills."""

    def __init__(
        self,
        *,
        level: Literal[1, 2, 3] = 1,
        actions: Actions = "skills",
        targets: Targets = "pixels",
        max_turns: int | None = None,
        **world: Any,
    ) -> None:
        if actions not in ACTIONS:
            raise ConfigError(f"unknown actions {actions!r}; {near(str(actions), ACTIONS, 'actions')}")
        if targets not in TARGETS:
            raise ConfigError(f"unknown targets {targets!r}; {near(str(targets), TARGETS, 'targets')}")
        super().__init__(level=level, max_turns=max_turns, **world)
        if max_turns is None:
            self.max_turns = self.turns[level] * (1 if actions == "skills" else SMALL)
        self.actions = actions
        self.reading = Reading(actions, targets, self.verbs)
        self.action_format = self.reading.format
        self.marks = self.marks or targets == "marks"
        self._kinematics: Kinematics | None = None
        self._empty: Any = None

    # What a task says, besides `layout`, `reached` and `failed`.

    content: Scene

    @abstractmethod
    def solve(self) -> Demo | None:
        """The next turn of a solution from the current state, in skills."""

    # What follows from it.

    def assemble(self, layout: Scene) -> Any:
        """The arm, the table, and what lies on it."""
        if self._empty is None:
            self._empty = load_mujoco().MjSpec.from_file(str(MODEL))
        spec = self._empty.copy()
        add_furniture(spec, layout.items)
        add_things(spec, layout.things)
        return spec

    def ready(self) -> None:
        """Put the arm to rest and give it its skills."""
        model = self.simulation.model
        self._kinematics = self._kinematics or Kinematics()
        self.arm = Arm(self.simulation, self._kinematics, self.watch)
        self.things = [int(model.body(f"thing{i}").id) for i in range(len(self.content.things))]
        items = [f"item{i}" for i in range(len(self.content.items))]
        known = {model.body(i).name for i in range(model.nbody)}
        self.items = [int(model.body(f"{name}_part" if f"{name}_part" in known else name).id) for name in items]
        self.skills = Skills(
            self.arm,
            dict(zip(self.things, (thing.name for thing in self.content.things), strict=True)),
            {b: i.name for b, i in zip(self.items, self.content.items, strict=True) if model.body_jntnum[b]},
        )
        self.arm.begin()

    def settle(self) -> None:
        """Let things come to rest."""
        self.simulation.hold(SETTLE)

    def goal(self) -> str:
        """As it was drawn."""
        return self.content.text

    def watch(self) -> None:
        """Called whenever the arm has finished a move, in the middle of skills too."""

    def perform(self, call: Call) -> str:
        """A skill at the places that it names, or a small move."""
        spots, rest = self.reading.places(call, self._spot)
        if self.actions == "skills":
            said: str = getattr(self.skills, call.verb)(*spots, *rest)
            return said
        self.arm.nudge(call.verb, *rest)
        held = self.arm.held()
        return f"Holding the {self.skills.names[held]}." if held in self.skills.names else "Done."

    def posture(self) -> str:
        """Place of the hand, opening of the fingers, joint angles, and what is felt between the fingers."""
        x, y, z = 1000 * self.arm.tip
        held = self.arm.held()
        return (
            f"Hand at ({x:.0f}, {y:.0f}, {z:.0f}) mm, fingers {1000 * self.arm.opening:.0f} mm apart, "
            f"{'holding something' if held else 'holding nothing'}. "
            f"Joints {', '.join(f'{math.degrees(angle):.0f}' for angle in self.arm.posture)} degrees."
        )

    def marked(self) -> Sequence[int]:
        """Things, then items, both by colour: numbers in the order of drawing would tell which are meant."""
        things = sorted(zip(self.content.things, self.things, strict=True), key=lambda pair: pair[0].order)
        items = sorted(zip(self.content.items, self.items, strict=True), key=lambda pair: COLOURS.index(pair[0].colour))
        return [body for _, body in things] + [body for _, body in items]

    def demo(self) -> Iterator[Demo]:
        """Solve it turn by turn, from wherever things are; with skills only."""
        while self.actions == "skills" and not all(self.reached().values()):
            turn = self.solve()
            if turn is None:
                return
            yield turn

    # Words for tasks.

    def place_of(self, body: int) -> Array:
        """Where a body is, in metres."""
        place: Array = self.simulation.data.xpos[body]
        return place

    def part(self, item: int) -> float:
        """How far the moving part of an item is from its start, in metres or radians."""
        address = self.simulation.model.joint(f"item{item}_part").qposadr[0]
        return float(self.simulation.data.qpos[address])

    def lies(self, thing: int) -> bool:
        """Whether a thing was let go of and is at rest."""
        body = self.things[thing]
        address = self.simulation.model.joint(f"thing{thing}").dofadr[0]
        speed = np.linalg.norm(self.simulation.data.qvel[address : address + 3])
        return bool(speed < AT_REST) and self.arm.held() != body and self.place_of(body)[2] < HOME.z - 0.08

    def holds(self, thing: int) -> bool:
        """Whether a thing is in the hand."""
        return self.arm.held() == self.things[thing]

    def say(self, verb: str, *spots: tuple[int, Array | None] | int) -> Demo:
        """A turn of a demonstration: a verb, then bodies, bodies with a place of their own, or plain numbers.

        A caption names everything in order with its pixel; a thought names what the turn is about.
        """
        view = self.projection()
        pairs = [spot for spot in spots if isinstance(spot, tuple)]
        bodies = [(body, self.place_of(body) if point is None else point) for body, point in pairs]
        action = self.reading.write(
            verb,
            bodies,
            [spot for spot in spots if not isinstance(spot, tuple)],
            view,
            list(self.marked()),
        )
        named = {body: f"{name} {_pixel(view.pixel(self.place_of(body)))}" for body, name in self._names().items()}
        about = [named.get(body) or f"table {_pixel(view.pixel(point))}" for body, point in bodies]
        return Demo(action, " ".join(about), " ".join(named.values()))

    def _names(self) -> dict[int, str]:
        things = zip(self.things, (thing.name for thing in self.content.things), strict=True)
        items = zip(self.items, (item.name for item in self.content.items), strict=True)
        return dict(things) | dict(items)

    def _spot(self, *where: float) -> Spot:
        """What an action means by two coordinates, or by a mark."""
        held = self.arm.held()
        without = held if held is not None and held in self.skills.things else -1
        solids = self.skills.solids
        match self.reading.targets:
            case "marks":
                marks = self.marked()
                number = int(where[0])
                if not 1 <= number <= len(marks):
                    raise ActionError(f"there is no mark {number}; they go from 1 to {len(marks)}")
                body = marks[number - 1]
                x, y = self.place_of(body)[:2]
                return Spot(solids.look_down(x, y, without).point, body)
            case "millimetres":
                spot = solids.look_down(where[0] / 1000, where[1] / 1000, without)
            case _:
                for name, value in zip("xy", where, strict=True):
                    if not 0 <= value < self.size:
                        raise ActionError(f"{name} must be inside the picture, 0 to {self.size - 1}, got {value:g}")
                spot = solids.hit(*self.projection().ray(*where), without)
        return spot


def _pixel(place: tuple[float, float]) -> str:
    return f"({round(place[0])}, {round(place[1])})"
