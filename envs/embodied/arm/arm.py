"""The arm of a simulation: straight moves of the hand, and a gripper that closes and opens.

    arm = Arm(simulation, kinematics)
    there, back = arm.plan(Pose(0.1, 0.0, 0.02, 0.0), HOME)   # nothing moves yet; ActionError if out of reach
    arm.follow(there); arm.close(); arm.follow(back)

Everything that moves is moved by the actuators.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from saccade.envs.embodied.arm.kinematics import JOINTS, PERIOD, Array, Kinematics, Pose
from saccade.envs.embodied.simulation import Simulation
from saccade.envs.errors import ActionError

HOME = Pose(0.0, 0.19, 0.26, 0.0)
"""Where the hand rests: over the back of the table, out of the overhead camera's way."""
SQUEEZE = -0.02
"""Set-point of closing fingers: they press with a spring's force that grows with what is between them."""
WIDEST = 0.042
"""How far each finger opens, in metres."""
LOWEST = 0.02
"""The hand goes no deeper, in metres."""
LARGEST = {"move": 150.0, "rotate": 90.0, "joints": 30.0}
"""The most that a small action moves: millimetres, or degrees."""
CLOSING, RESTING = 20, 8
"""Set-points, of 0.01 s, for the fingers to move and for the arm to come to rest."""


class Arm:
    """The five joints and two fingers of a simulation.

    Args:
        simulation: the world, with the arm's model in it.
        kinematics: of the same arm.
        watch: called after each move.
    """

    def __init__(
        self, simulation: Simulation, kinematics: Kinematics, watch: Callable[[], None] = lambda: None
    ) -> None:
        self._watch = watch
        self.simulation = simulation
        self.kinematics = kinematics
        model = simulation.model
        self._repeat = round(PERIOD / model.opt.timestep)
        self._tip = model.site("tip").id
        self.pads = tuple(int(model.geom(name).id) for name in ("left_pad", "right_pad"))

    def begin(self) -> None:
        """Take the resting posture: once, before anything moves."""
        posture = self.kinematics.solve(HOME)
        assert posture is not None
        data = self.simulation.data
        data.qpos[: JOINTS + 2] = data.ctrl[: JOINTS + 2] = [*posture, 0.0, 0.0]
        self.simulation.refresh()

    @property
    def posture(self) -> Array:
        """The set-points of the joints: where they are, but for what a load bends."""
        posture: Array = self.simulation.data.ctrl[:JOINTS].copy()
        return posture

    @property
    def tip(self) -> Array:
        """The point between the finger tips, in metres."""
        tip: Array = self.simulation.data.site_xpos[self._tip].copy()
        return tip

    @property
    def pose(self) -> Pose:
        """The pose that the set-points mean."""
        return self.kinematics.pose(self.posture)

    @property
    def opening(self) -> float:
        """Metres between the fingers."""
        return float(self.simulation.data.qpos[JOINTS : JOINTS + 2].sum())

    def plan(self, *poses: Pose) -> list[Array]:
        """Set-points of straight ways from pose to pose, from where the arm is.

        Raises:
            ActionError: one of them is out of reach.
        """
        ways, posture = [], self.posture
        for pose in poses:
            way = self.kinematics.way(posture, pose)
            if way is None:
                raise ActionError(f"({1000 * pose.x:.0f}, {1000 * pose.y:.0f}) mm is out of the arm's reach")
            ways.append(way)
            posture = way[-1]
        return ways

    def follow(self, way: Array) -> None:
        """Go a way with the fingers as they are."""
        fingers = self.simulation.data.ctrl[JOINTS : JOINTS + 2]
        self.simulation.run(np.hstack([way, np.tile(fingers, (len(way), 1))]), self._repeat)
        self._watch()

    def rest(self, count: int = RESTING) -> None:
        """Wait that many set-points."""
        self.simulation.hold(count * self._repeat)
        self._watch()

    def open(self, width: float = WIDEST, count: int = CLOSING) -> None:
        """Open each finger that wide, in metres."""
        self._fingers(min(width, WIDEST), count)

    def close(self, count: int = CLOSING) -> None:
        """Close the fingers on what is between them."""
        self._fingers(SQUEEZE, count)

    def held(self) -> int | None:
        """The body that both fingers press on, if any."""
        model, pairs = self.simulation.model, self.simulation.data.contact.geom
        bodies = []
        for pad in self.pads:
            touched = pairs[(pairs == pad).any(axis=1)]
            bodies.append({int(model.geom_bodyid[geom]) for geom in touched.ravel() if geom != pad})
        both = (bodies[0] & bodies[1]) - {0}
        return min(both) if both else None

    def nudge(self, verb: str, *amounts: float) -> None:
        """A small action: `move` the hand (mm), `rotate` it (degrees), turn `joints` (degrees), `open` or `close`.

        Raises:
            ActionError: it is too large, or leads out of reach.
        """
        if verb in ("open", "close"):
            getattr(self, verb)()
            return
        limit = LARGEST[verb]
        if max(map(abs, amounts)) > limit:
            raise ActionError(f"{verb} takes at most {limit:g} at once, got {max(amounts, key=abs):g}")
        if verb == "joints":
            goal = self.posture + np.radians(amounts)
            if not self.kinematics.allows(goal):
                raise ActionError("a joint would go beyond its limits, or the hand below the table")
            way = self.kinematics.smooth(self.posture, goal, 0.4)
        else:
            at = self.pose
            if verb == "rotate":
                goal_pose = Pose(at.x, at.y, at.z, at.angle + math.radians(amounts[0]))
            else:
                dx, dy, dz = (each / 1000 for each in amounts)
                goal_pose = Pose(at.x + dx, at.y + dy, at.z + dz, at.angle)
            if goal_pose.z < LOWEST:
                raise ActionError(
                    f"the hand stays {1000 * LOWEST:.0f} mm above the table, this would be {1000 * goal_pose.z:.0f}"
                )
            (way,) = self.plan(goal_pose)
        self.follow(way)
        self.rest()

    def _fingers(self, width: float, count: int) -> None:
        self.simulation.data.ctrl[JOINTS : JOINTS + 2] = width
        self.simulation.hold(count * self._repeat)
