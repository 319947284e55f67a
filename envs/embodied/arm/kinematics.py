"""Inverse kinematics of the arm in closed form, and the straight ways of its hand.

    kinematics = Kinematics()
    posture = kinematics.solve(Pose(0.1, 0.0, 0.2, 0.0))                 # 5 joint angles, or None
    way = kinematics.way(posture, Pose(0.1, 0.0, 0.02, 0.0))             # straight: T x 5, or None

A pose is where the point between the finger tips is, with the hand pointing straight down, and the direction in which
the fingers close. The turret looks at the place; shoulder and elbow are two links in the vertical plane through it,
elbow up (the law of cosines); the wrist keeps the hand upright, and the roll turns it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saccade.envs.embodied.observe import load_mujoco

MODEL = Path(__file__).parents[1] / "assets" / "arm.xml"
JOINTS = 5
"""Turret, shoulder, elbow, wrist and roll; the fingers follow them in the model."""
PERIOD = 0.01
"""Seconds between two set-points."""
SPEED, SPIN, SHORTEST = 1.0, 4.0, 0.16
"""Mean speed in metres, and in radians, a second; the shortest time of a move in seconds."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Pose:
    """The hand, pointing down.

    Attributes:
        x, y, z: the point between the finger tips, in metres.
        angle: the direction in which the fingers close, in radians from the x axis.
        speed: mean speed of the way there, in metres a second.
    """

    x: float
    y: float
    z: float
    angle: float
    speed: float = SPEED

    def lifted(self, z: float) -> Pose:
        """The same at another height."""
        return Pose(self.x, self.y, z, self.angle)

    def apart(self, other: Pose) -> float:
        """Metres between two poses."""
        return math.dist((self.x, self.y, self.z), (other.x, other.y, other.z))


class Kinematics:
    """The arm alone, with nothing around it; lengths, limits and gains are those of the model."""

    def __init__(self) -> None:
        model = load_mujoco().MjModel.from_xml_path(str(MODEL))
        self._low, self._high = model.jnt_range[:JOINTS].T.copy()
        self.base = model.body("base").pos[:2].copy()
        self._height = float(model.body("base").pos[2] + model.body("turret").pos[2])
        self._upper, self._fore = (-float(model.body(name).pos[1]) for name in ("fore", "wrist"))
        self._hand = -float(model.body("hand").pos[1] + model.site("tip").pos[1])
        gains = model.actuator_gainprm[:JOINTS, 0], -model.actuator_biasprm[:JOINTS, 2]
        self._lead = gains[1] / gains[0]  # kv / kp: what a set-point must be ahead for the damping not to hold it back

    def pose(self, posture: Array) -> Pose:
        """Where a posture holds the tip; half turns of the hand and more are told apart, if it points down."""
        yaw, shoulder, elbow, wrist, roll = posture.tolist()
        far, z = 0.0, self._height
        for length, angle in (
            (self._upper, shoulder),
            (self._fore, shoulder + elbow),
            (self._hand, shoulder + elbow + wrist),
        ):
            far += length * math.cos(angle)
            z += length * math.sin(angle)
        x, y = self.base.tolist()
        return Pose(x + far * math.sin(yaw), y - far * math.cos(yaw), z, yaw - roll)

    def solve(self, pose: Pose) -> Array | None:
        """The posture that holds the pose; `None` where there is none within the joints' limits."""
        found = self.postures(np.array([[pose.x, pose.y, pose.z, pose.angle]]))
        return None if found is None else found[0]

    def postures(self, places: Array) -> Array | None:
        """The postures (T x 5) that hold the tip at places with angles (T x 4); `None` if one is out of reach."""
        x, y = (places[:, :2] - self.base).T
        far, up = np.hypot(x, y), places[:, 2] + self._hand - self._height
        bend = (far**2 + up**2 - self._upper**2 - self._fore**2) / (2 * self._upper * self._fore)
        if not (np.abs(bend) <= 1).all():  # a comparison with NaN is false
            return None
        elbow = -np.arccos(bend)
        shoulder = np.arctan2(up, far) - np.arctan2(self._fore * np.sin(elbow), self._upper + self._fore * bend)
        yaw = np.arctan2(x, -y)
        found: Array = np.stack([yaw, shoulder, elbow, -math.pi / 2 - shoulder - elbow, yaw - places[:, 3]], axis=1)
        return found if ((found >= self._low) & (found <= self._high)).all() else None

    def way(self, start: Array, pose: Pose) -> Array | None:
        """Set-points of the straight way from a posture whose hand points down to a pose: T x 5, the last one at rest.

        Minimum jerk from rest to rest, as quickly as the speed of the pose says; `None` where some of it is out of
        reach.
        """
        begin = self.pose(start)
        seconds = max(SHORTEST, begin.apart(pose) / pose.speed, abs(pose.angle - begin.angle) / SPIN)
        here, there = (np.array([each.x, each.y, each.z, each.angle]) for each in (begin, pose))
        postures = self.postures(here + _shares(seconds) * (there - here))
        return None if postures is None else self._led(start, postures)

    def smooth(self, start: Array, goal: Array, seconds: float) -> Array:
        """Set-points from posture to posture, each joint on its own, minimum jerk from rest to rest: T x 5."""
        return self._led(start, start + _shares(seconds) * (goal - start))

    def allows(self, posture: Array) -> bool:
        """Whether the joints can take a posture that holds the tip above the table."""
        inside = bool(((posture >= self._low) & (posture <= self._high)).all())
        return inside and self.pose(posture).z >= 0.015

    def _led(self, start: Array, postures: Array) -> Array:
        """Set-points ahead of the postures, by what the damping would hold them back, and the last one at rest."""
        speed = np.diff(postures, axis=0, prepend=start[None]) / PERIOD
        return np.vstack([postures + self._lead * speed, postures[-1:]])


def _shares(seconds: float) -> Array:
    """Share of a way that is done at each set-point, minimum jerk from rest to rest: T x 1."""
    time = np.linspace(0, 1, round(seconds / PERIOD) + 1)[1:, None]
    done: Array = time**3 * (10 - 15 * time + 6 * time**2)
    return done
