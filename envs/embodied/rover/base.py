"""`RovingEnv`: what the tasks of the mobile robot have in common. It sees with the camera on its head.

    class GoTo(RovingEnv):
        verbs = (verb("done", "Say that you are there."),)

        def layout(self, rng): ...        # a House
        def goal(self): ...
        def reached(self): ...
        def plan(self): ...               # the next action of a solution, or None

Two action levels: `skills` are `forward(metres)`, `turn(degrees)` and `look(yaw, pitch)`; `velocity` drives at given
speeds for a given time instead.
"""

from __future__ import annotations

import math
import random
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from saccade.envs.actions import ActionSet, Call, Param, Verb, verb
from saccade.envs.core import Outcome
from saccade.envs.embodied.observe import load_mujoco
from saccade.envs.embodied.rover.houses import WALL, House, Thing
from saccade.envs.embodied.rover.robot import PAN, SPAN, TILT, Rover, load, wrapped
from saccade.envs.embodied.rover.ways import Goal, Ground, Point
from saccade.envs.embodied.simulated import SimulatedEnv
from saccade.envs.episode import Demo
from saccade.envs.errors import ActionError, ConfigError
from saccade.envs.observation import Observation
from saccade.envs.palette import PALETTE

FLOAT = Param("float")
FARTHEST, SECONDS = 2.0, 4.0
"""Of one action: metres, and seconds of a drive."""
FASTEST, TURNING = 0.5, 90.0
"""Mean metres and degrees a second of a drive, at most."""
LOOK = verb("look", "Turn the head: degrees to the left (-90 to 90) and up (-50 to 30).", yaw=FLOAT, pitch=FLOAT)
LEVELS_OF_ACTION: dict[str, tuple[Verb, ...]] = {
    "skills": (
        verb("forward", "Drive so many metres, -2 to 2; negative is backwards.", metres=FLOAT),
        verb("turn", "Turn so many degrees, -180 to 180; positive is to the left.", degrees=FLOAT),
        LOOK,
    ),
    "velocity": (
        verb(
            "drive",
            "Drive at so many metres a second (-0.5 to 0.5) while turning so many degrees a second to the left "
            "(-90 to 90), for up to 4 seconds.",
            speed=FLOAT,
            turning=FLOAT,
            seconds=FLOAT,
        ),
        LOOK,
    ),
}
TURN_FIRST = 4.0
"""Degrees that the robot may be off before the demonstration turns it."""
FLOOR = (0.66, 0.64, 0.6)
"""Colour of a floor that means nothing."""
SEEN = 4
"""Pixels that are enough to see a thing by."""


class RovingEnv(SimulatedEnv):
    """A robot in rooms with walls.

    Args:
        actions: `skills` or `velocity`.
        cameras: `ego`, on the robot's head, or `overhead`, or both.
        **settings: those of `SimulatedEnv`.
    """

    instructions = "You are a robot on wheels, and the picture is what you see. Objects stand on the floor."
    views: ClassVar = {"ego": (0.2, 5.0), "overhead": (7.5, 9.0)}
    action_format: ActionSet
    verbs: ClassVar[tuple[Verb, ...]] = ()
    """What can be done beside driving and looking."""
    loose: ClassVar[bool] = False
    """Whether things can be moved."""

    def __init__(
        self,
        *,
        actions: Literal["skills", "velocity"] = "skills",
        cameras: str | Sequence[str] = "ego",
        **settings: Any,
    ) -> None:
        super().__init__(cameras=cameras, **settings)
        if actions not in LEVELS_OF_ACTION:
            raise ConfigError(f"actions must be skills or velocity, got {actions!r}")
        self.actions = actions
        self.action_format = ActionSet(*LEVELS_OF_ACTION[actions], *self.verbs)

    @abstractmethod
    def layout(self, rng: np.random.Generator) -> House:
        """Draw the house of a task."""

    @abstractmethod
    def plan(self) -> Demo | None:
        """The next turn of a solution; `None` where none is known."""

    # The world.

    def assemble(self, layout: House) -> Any:
        """Floors, walls, things and the robot."""
        mujoco = load_mujoco()
        spec, kind = load(mujoco), mujoco.mjtGeom
        world, wall, thing, paint = spec.worldbody, *(spec.find_default(name) for name in ("wall", "thing", "paint"))
        for index in range(len(layout.rooms)):
            across, up = layout.middle(index)
            rgb = [0.4 * each / 255 + 0.4 for each in PALETTE[layout.floors[index]]] if layout.floors else FLOOR
            world.add_geom(
                type=kind.mjGEOM_BOX, pos=[across / 1000, up / 1000, -0.05], size=[1.3, 1.3, 0.05], rgba=[*rgb, 1]
            )
        for x0, y0, x1, y1 in layout.walls():
            size = [(x1 - x0) / 2000 + WALL / 1000, (y1 - y0) / 2000 + WALL / 1000, 0.4]
            world.add_geom(wall, type=kind.mjGEOM_BOX, pos=[(x0 + x1) / 2000, (y0 + y1) / 2000, 0.4], size=size)
        if layout.pad:
            x, y = (each / 1000 for each in layout.pad)
            world.add_geom(
                paint, type=kind.mjGEOM_CYLINDER, pos=[x, y, 0.001], size=[0.3, 0.001, 0], rgba=[0.1, 0.1, 0.1, 1]
            )
        shapes = {"cube": kind.mjGEOM_BOX, "ball": kind.mjGEOM_SPHERE, "cylinder": kind.mjGEOM_CYLINDER}
        for index, each in enumerate(layout.things):
            half, turn = each.half / 1000, math.radians(each.yaw) / 2
            body = world.add_body(
                name=f"thing{index}",
                pos=[each.x / 1000, each.y / 1000, half],
                quat=[math.cos(turn), 0, 0, math.sin(turn)],
            )
            if self.loose:
                body.add_freejoint()
            rgba = [*(channel / 255 for channel in PALETTE[each.colour]), 1]
            body.add_geom(thing, type=shapes[each.shape], size=[half] * 3, rgba=rgba)
        west, south, east, north = (each / 1000 for each in layout.bounds())
        camera = spec.camera("overhead")
        camera.pos = [(west + east) / 2, (south + north) / 2, 9.0]
        camera.fovy = 2 * math.degrees(math.atan((max(east - west, north - south) / 2 + 0.15) / 8.2))
        return spec

    def ready(self) -> None:
        """Put the robot at its start; its own camera is off by as much as those that stand in the world."""
        x, y, heading = self.content.robot
        self.rover = Rover(self.simulation)
        self.rover.put(x / 1000, y / 1000, heading)
        model = self.simulation.model
        model.cam_pos[model.camera("ego").id] += self._jitter.shift
        self._first = model.body("thing0").id if self.content.things else model.nbody

    def settle(self) -> None:
        """Let loose things come to rest."""
        self.simulation.hold(40 if self.loose else 2)

    def place_of(self, thing: int) -> Point:
        """Where a thing is now, in metres."""
        x, y = self.simulation.data.xpos[self._first + thing, :2]
        return float(x), float(y)

    def gap(self, thing: int) -> float:
        """Metres from the robot's centre to the surface of a thing, seen from above."""
        return math.dist(self.rover.place, self.place_of(thing)) - self.things[thing].reach / 1000

    @property
    def things(self) -> tuple[Thing, ...]:
        """The things of the task."""
        return self.content.things  # type: ignore[no-any-return]

    def touched(self) -> list[int]:
        """The things that the robot came into contact with in the last action."""
        return sorted(body - self._first for body in self.rover.touched if body >= self._first)

    def marked(self) -> Sequence[int]:
        """All things."""
        return range(self._first, self.simulation.model.nbody)

    def posture(self) -> str:
        """Place, heading and gaze."""
        (x, y), (pan, tilt) = self.rover.place, self.rover.gaze
        return f"At x {x:.2f} m, y {y:.2f} m, heading {self.rover.heading:.0f}, head {pan:.0f} and {tilt:.0f} degrees."

    # Acting.

    def perform(self, call: Call) -> str | Outcome:
        """Drive or look; a subclass does its own verbs and hands on the rest."""
        self.rover.touched.clear()
        args: dict[str, Any] = dict(call.args)
        match call.verb:
            case "forward":
                metres = _within("metres", args["metres"], -FARTHEST, FARTHEST)
                done, _ = self.rover.drive(metres, 0.0)
                return _came("Moved", f"{_plain(done, 2)} m", abs(done - metres) <= 0.06)
            case "turn":
                degrees = _within("degrees", args["degrees"], -180, 180)
                turned = math.degrees(self.rover.drive(0.0, math.radians(degrees))[1])
                return _came("Turned", f"{_plain(turned, 0)} degrees", abs(turned - degrees) <= 4)
            case "drive":
                speed = _within("speed", args["speed"], -FASTEST, FASTEST)
                turning = _within("turning", args["turning"], -TURNING, TURNING)
                seconds = _within("seconds", args["seconds"], 0, SECONDS)
                metres, radians = speed * seconds, math.radians(turning * seconds)
                done, turned = self.rover.drive(metres, radians, seconds)
                told = f"{_plain(done, 2)} m and {_plain(math.degrees(turned), 0)} degrees"
                straight = math.sin(radians / 2) / (radians / 2) if radians else 1.0  # chord of the arc over its length
                free = abs(done - metres * straight) <= 0.06 and abs(turned - radians) <= 0.07
                return _came("Moved", told, free)
            case _:
                pan, tilt = _within("yaw", args["yaw"], *PAN), _within("pitch", args["pitch"], *TILT)
                self.rover.look(pan, tilt)
                return f"Looking {pan:g} and {tilt:g} degrees."

    def sample_action(self, rng: random.Random) -> str:
        """A random action whose numbers are of the size that makes a difference."""
        chosen = rng.choice(list(self.action_format.verbs))
        match chosen:
            case "forward":
                return f"forward({rng.uniform(-0.5, FARTHEST):.2f})"
            case "turn":
                return f"turn({rng.randint(-180, 180)})"
            case "drive":
                speed, turning = rng.uniform(-0.2, FASTEST), rng.uniform(-TURNING, TURNING)
                return f"drive({speed:.2f}, {turning:.0f}, {rng.uniform(0.5, SECONDS):.1f})"
            case "look":
                return f"look({rng.randint(-90, 90)}, {rng.randint(-50, 30)})"
        return self.sample_own(chosen, rng)

    def sample_own(self, chosen: str, rng: random.Random) -> str:
        """A random call of one of the task's own verbs."""
        return self.action_format.sample_of(self.action_format.verbs[chosen], rng, (self.size, self.size))

    # Showing how it is done.

    def demo(self) -> Iterator[Demo]:
        """The next turns of a solution from wherever the robot is."""
        while (demo := self.plan()) is not None:
            yield demo

    def visible(self) -> dict[int, tuple[int, int]]:
        """The things in the first camera's picture, and the pixel in the middle of what is seen of each."""
        model = self.simulation.model
        segments = self.canvas.segments(model, self.simulation.data, self.cameras[0])
        bodies = np.append(model.geom_bodyid, -1)[segments] - self._first
        found = {}
        for thing in range(len(self.things)):
            rows, columns = np.nonzero(bodies == thing)
            if len(rows) >= SEEN:
                found[thing] = round(float(columns.mean())), round(float(rows.mean()))
        return found

    def turn_of(self, action: str, thought: str = "") -> Demo:
        """A turn of a demonstration, with what is seen as its caption."""
        seen = [f"{self.things[thing].name} ({x}, {y})" for thing, (x, y) in self.visible().items()]
        return Demo(action, thought, " ".join(seen))

    def thought_of(self, thing: int) -> str:
        """What is looked for, and where it is seen."""
        name, seen = self.things[thing].name, self.visible().get(thing)
        return f"{name} ({seen[0]}, {seen[1]})" if seen else f"{name} not in sight"

    def ground(self, without: int | None = None) -> Ground:
        """What is in the way now, but for one thing."""
        rest = [index for index in range(len(self.things)) if index != without]
        return Ground.of(self.content, [(*self.place_of(index), self.things[index].reach / 1000) for index in rest])

    def towards(self, goal: Goal, without: int | None = None) -> str | None:
        """The next action on the shortest way to a place that `goal` allows; `None` without a way."""
        stop = self.ground(without).next_stop(self.rover.place, goal, SPAN)
        return None if stop is None else self.turning(stop) or self.going(math.dist(self.rover.place, stop))

    def turning(self, point: Point, within: float = TURN_FIRST) -> str | None:
        """The action that faces a point; `None` if the robot does."""
        x, y = self.rover.place
        off = round(wrapped(math.degrees(math.atan2(point[1] - y, point[0] - x)) - self.rover.heading))
        return None if abs(off) < within else self.rotating(off)

    def rotating(self, degrees: float) -> str:
        """The action that turns by so much, in the words of the action level."""
        if self.actions == "skills":
            return f"turn({degrees:.0f})"
        return f"drive(0, {math.copysign(60.0, degrees):.0f}, {abs(degrees) / 60:.2f})"

    def going(self, metres: float) -> str:
        """The action that goes so far straight on."""
        metres = max(-FARTHEST, min(FARTHEST, metres))
        if self.actions == "skills":
            return f"forward({metres:.2f})"
        return f"drive({math.copysign(0.5, metres):g}, 0, {abs(metres) / 0.5:.2f})"


def said(text: str, error: str | None = None) -> Outcome:
    """What happened, and what could not."""
    return Outcome(Observation.of(text) if text else Observation(()), error=error)


def _within(name: str, value: float, least: float, most: float) -> float:
    if not least <= value <= most:
        raise ActionError(f"{name} must be {least:g} to {most:g}, got {value:g}")
    return float(value)


def _came(verb: str, told: str, free: bool) -> str:
    return f"{verb} {told}." if free else f"Blocked after {told}."


def _plain(value: float, digits: int) -> str:
    """Rounded, and never a negative zero."""
    return f"{round(value, digits) + 0.0:.{digits}f}"
