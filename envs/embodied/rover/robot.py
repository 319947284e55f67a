"""The mobile robot: what its wheels, head and gripper do, all of it through actuators.

    rover = Rover(simulation)
    rover.drive(1.0, 0.0, 2.4)      # metres, radians, seconds; how far it came
    rover.grip()                    # whether there is something between the fingers now

A drive is a path of set-points that begins and ends at rest. What is in the way stops it: the motors are too weak to
push a wall, and a robot that falls behind its set-point stops where it is.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.envs.embodied.simulation import Simulation

MJCF = Path(__file__).parents[1] / "assets" / "rover.xml"
RADIUS = 0.17
"""Of the robot seen from above, in metres."""
SPAN = 0.38
"""Of the circle that it needs for a turn, gripper and what is in it included."""
REACH = 0.27
"""From its centre to the middle of what is between its fingers."""
SPEED, TURN = 0.8, 2.4
"""Fastest metres and radians a second of a drive that takes as little time as it can."""
PAN, TILT = (-90.0, 90.0), (-50.0, 30.0)
"""How far the head turns, in degrees: to the left and up is positive."""
FRONT = -15.0
"""Where the head looks at the start: a little down."""
CLOSED, LIFTED = 0.11, 0.05
"""Set-points of the fingers and of the hand, in metres."""
_STEPS, _CHUNK = 4, 5
"""Physics steps a set-point, and set-points between two looks at what is touched: 0.02 s and 0.1 s."""
_LAG, _CLOSE = (0.12, 0.12, 0.25), (0.01, 0.01, 0.02)
"""How far x, y and heading may be from their set-points, under way and at rest."""
_REST = 40
"""Physics steps to come to rest: 0.2 s."""
_X, _Y, _HEADING, _PAN, _TILT, _LIFT, _LEFT, _RIGHT = range(8)
JOINTS = 8
"""The robot's joints come first among the positions, in the order of its actuators."""


class Rover:
    """The robot of a simulation.

    Attributes:
        touched: the bodies that it came into contact with in the last action, those in its gripper included.
    """

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        model = simulation.model
        self._root = model.body("rover").id
        self._fingers = model.body("left").id, model.body("right").id
        self.touched: set[int] = set()

    @property
    def place(self) -> tuple[float, float]:
        """Where its centre is, in metres."""
        x, y = self.simulation.data.qpos[:2]
        return float(x), float(y)

    @property
    def heading(self) -> float:
        """Where it goes, in degrees from x to y, -180 to 180."""
        return wrapped(math.degrees(self.simulation.data.qpos[_HEADING]))

    @property
    def gaze(self) -> tuple[float, float]:
        """Where the head looks, in degrees from the heading and from level."""
        pan, tilt = np.degrees(self.simulation.data.qpos[[_PAN, _TILT]])
        return float(pan), float(tilt)

    def put(self, x: float, y: float, heading: float) -> None:
        """Stand there at the start of a task, in metres and degrees; never afterwards."""
        data = self.simulation.data
        data.qpos[:3] = x, y, math.radians(heading)
        data.qpos[_TILT] = math.radians(FRONT)
        data.ctrl[:JOINTS] = data.qpos[:JOINTS]
        self.simulation.refresh()

    def drive(self, metres: float, radians: float, seconds: float = 0.0) -> tuple[float, float]:
        """Go along an arc in so many seconds, or as fast as it may; metres and radians that it came."""
        fastest = max(abs(metres) / SPEED, abs(radians) / TURN, 0.2) * 1.875  # peak of minimum jerk over its mean
        share = np.concatenate([[0.0], _smooth(max(seconds, fastest))])
        start = self.simulation.data.ctrl[:JOINTS].copy()
        path = np.repeat(start[None], len(share) - 1, axis=0)
        headings = start[_HEADING] + radians * share
        middle, ahead = (headings[1:] + headings[:-1]) / 2, metres * np.diff(share)
        path[:, _X] += np.cumsum(ahead * np.cos(middle))
        path[:, _Y] += np.cumsum(ahead * np.sin(middle))
        path[:, _HEADING] = headings[1:]
        before = self.simulation.data.qpos[:3].copy()
        self._follow(path)
        dx, dy, turned = self.simulation.data.qpos[:3] - before
        mean = before[2] + turned / 2
        return float(dx * math.cos(mean) + dy * math.sin(mean)), float(turned)

    def look(self, pan: float, tilt: float) -> None:
        """Turn the head, in degrees."""
        self._glide({_PAN: math.radians(pan), _TILT: math.radians(tilt)}, 0.4)

    def grip(self) -> int | None:
        """Close the fingers, and lift what is between them: its body; `None`, and open again, if there is nothing."""
        self._glide({_LEFT: CLOSED, _RIGHT: CLOSED}, 0.5)
        held = self.held()
        if held is None:
            self._glide({_LEFT: 0.0, _RIGHT: 0.0}, 0.3)
        else:
            self._glide({_LIFT: LIFTED}, 0.4)
        return self.held()

    def release(self) -> None:
        """Lower the hand and open the fingers."""
        self._glide({_LIFT: 0.0}, 0.4)
        self._glide({_LEFT: 0.0, _RIGHT: 0.0}, 0.4)

    def held(self) -> int | None:
        """The body that both fingers touch."""
        left, right = (self.simulation.touching(finger) for finger in self._fingers)
        both = sorted((left & right) - {0})  # 0 is the world: floor and walls
        return both[0] if both else None

    def _glide(self, goals: dict[int, float], seconds: float) -> None:
        start = self.simulation.data.ctrl[:JOINTS].copy()
        path = np.repeat(start[None], len(share := _smooth(seconds)), axis=0)
        for joint, goal in goals.items():
            path[:, joint] += share * (goal - start[joint])
        self._follow(path)

    def _follow(self, path: NDArray[np.float64]) -> None:
        """Run through set-points of the robot's joints (T x 8), then come to rest."""
        data = self.simulation.data
        for first in range(0, len(path), _CHUNK):
            self.simulation.run(path[first : first + _CHUNK], _STEPS)
            self._feel()
            if (np.abs(data.ctrl[:3] - data.qpos[:3]) > _LAG).any():
                break
        else:
            self.simulation.hold(_REST)
        behind = np.abs(data.ctrl[:3] - data.qpos[:3]) > _CLOSE
        if behind.any():  # what was in the way is not pushed against any longer
            data.ctrl[:3] = np.where(behind, data.qpos[:3], data.ctrl[:3])
            self.simulation.hold(_REST)
        self._feel()

    def _feel(self) -> None:
        model, geoms = self.simulation.model, self.simulation.data.contact.geom
        bodies = model.geom_bodyid[geoms]
        own = model.body_rootid[bodies] == self._root
        self.touched |= {int(each) for each in bodies[own.any(axis=1)][~own[own.any(axis=1)]]}


def wrapped(degrees: float) -> float:
    """The same direction as -180 to 180."""
    return (degrees + 180.0) % 360.0 - 180.0


def _smooth(seconds: float) -> NDArray[np.float64]:
    """Shares of the way at each set-point, from rest to rest with minimum jerk."""
    rows = max(1, math.ceil(seconds / (0.005 * _STEPS)))
    share = np.arange(1, rows + 1) / rows
    return np.asarray(share**3 * (10 - 15 * share + 6 * share**2))


def load(mujoco: Any) -> Any:
    """The robot alone, as an `MjSpec`."""
    return mujoco.MjSpec.from_file(str(MJCF))
