"""Inverse kinematics of the arm: damped least squares from the present posture, within the joint limits.

    kinematics = Kinematics()
    posture = kinematics.solve(Pose(0.1, 0.0, 0.2, 0.0), HOME_GUESS)     # 5 joint angles, or None
    way = kinematics.way(posture, Pose(0.1, 0.0, 0.02, 0.0))             # straight: T x 5, or None

A pose is where the point between the finger tips is, with the hand pointing straight down, and the direction in which
the fingers close. Wampler (1986), "Manipulator inverse kinematic solutions based on vector formulations and damped
least-squares methods", with a constant damping.
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

DAMPING = 1e-5
LEVER = 0.15
"""Metres that a radian of wrong direction counts as."""
NEAR = 4e-4
"""Metres within which a pose is reached."""
ITERATIONS = 40
LONGEST_TURN = 0.4
"""Radians that a joint may move in one iteration."""
KNOT, MOST_KNOTS = 0.1, 5
"""Metres of a straight way between two solved poses, and how many of them at most."""
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


class Kinematics:
    """The arm alone, with nothing around it."""

    def __init__(self) -> None:
        self._mujoco = load_mujoco()
        self._model = self._mujoco.MjModel.from_xml_path(str(MODEL))
        self._data = self._mujoco.MjData(self._model)
        self._tip = self._model.site("tip").id
        self._low, self._high = self._model.jnt_range[:JOINTS].T.copy()
        self._jacobian = np.zeros((6, self._model.nv))
        self.base = self._model.body("base").pos[:2].copy()
        gains = self._model.actuator_gainprm[:JOINTS, 0], -self._model.actuator_biasprm[:JOINTS, 2]
        self._lead = gains[1] / gains[0]  # kv / kp: what a set-point must be ahead for the damping not to hold it back

    def pose(self, posture: Array) -> Pose:
        """Where a posture holds the tip, the hand pointing down; half turns of the hand and more are told apart."""
        position, _ = self._forward(posture)
        return Pose(*position.tolist(), float(posture[0] - posture[4]))

    def solve(self, pose: Pose, start: Array) -> Array | None:
        """The posture near `start` that holds the pose; `None` where none was found."""
        posture = start.copy()
        target = np.array([pose.x, pose.y, pose.z])
        cos, sin = math.cos(pose.angle), math.sin(pose.angle)
        wanted = np.array([[cos, 0.0, sin], [sin, 0.0, -cos], [0.0, 1.0, 0.0]])  # fingers close along x, point along -y
        jacobian, error, eye = self._jacobian, np.empty(6), DAMPING * np.eye(JOINTS)
        for _ in range(ITERATIONS):
            position, rotation = self._forward(posture)
            turn = wanted @ rotation.T
            error[:3] = target - position
            error[3:] = turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]
            error[3:] *= LEVER / 2
            if np.abs(error).max() < NEAR:
                return posture
            self._mujoco.mj_comPos(self._model, self._data)
            self._mujoco.mj_jacSite(self._model, self._data, jacobian[:3], jacobian[3:], self._tip)
            j = jacobian[:, :JOINTS].copy()
            j[3:] *= LEVER
            step = np.linalg.solve(j.T @ j + eye, j.T @ error)
            step *= min(1.0, LONGEST_TURN / np.abs(step).max())
            posture = np.clip(posture + step, self._low, self._high)
        return None

    def way(self, start: Array, pose: Pose) -> Array | None:
        """Set-points of the straight way to a pose, minimum jerk from rest to rest: T x 5, the last one at rest.

        `None` where some of it cannot be reached.
        """
        begin = self.pose(start)
        ends = np.array([[begin.x, begin.y, begin.z, begin.angle], [pose.x, pose.y, pose.z, pose.angle]])
        length = float(np.linalg.norm(ends[1, :3] - ends[0, :3]))
        turn = abs(pose.angle - begin.angle)
        count = min(MOST_KNOTS, max(1, math.ceil(length / KNOT), math.ceil(turn / 0.8)))
        knots = [start]
        for index in range(1, count + 1):
            guess = knots[-1] if index == 1 else 2 * knots[-1] - knots[-2]
            solved = self.solve(Pose(*(ends[0] + index / count * (ends[1] - ends[0])).tolist()), guess)
            if solved is None:
                return None
            knots.append(solved)
        return self.smooth(np.array(knots), max(SHORTEST, length / pose.speed, turn / SPIN))

    def smooth(self, knots: Array, seconds: float) -> Array:
        """Set-points on the polynomial through postures (K x 5), minimum jerk from rest to rest in that time: T x 5."""
        time = np.linspace(0, 1, round(seconds / PERIOD) + 1)[1:]
        smooth = time**3 * (10 - 15 * time + 6 * time**2)
        shares = np.vander(np.linspace(0, 1, len(knots)))
        postures = np.vander(smooth, len(knots)) @ np.linalg.solve(shares, knots)
        speed = np.diff(postures, axis=0, prepend=knots[:1]) / PERIOD
        return np.vstack([postures + self._lead * speed, postures[-1:]])

    def allows(self, posture: Array) -> bool:
        """Whether the joints can take a posture that holds the tip above the table."""
        inside = bool(((posture >= self._low) & (posture <= self._high)).all())
        return inside and bool(self._forward(posture)[0][2] >= 0.015)

    def _forward(self, posture: Array) -> tuple[Array, Array]:
        self._data.qpos[:JOINTS] = posture
        self._mujoco.mj_kinematics(self._model, self._data)
        return self._data.site_xpos[self._tip], self._data.site_xmat[self._tip].reshape(3, 3)
