"""The shapes of things as they lie, and what a ray meets: what a depth camera and a measuring hand would know.

Boxes and cylinders only: each thing is one geom.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from saccade.envs.embodied.arm.arm import WIDEST
from saccade.envs.embodied.arm.kinematics import Array
from saccade.envs.embodied.observe import load_mujoco
from saccade.envs.embodied.simulation import Simulation
from saccade.envs.errors import ActionError

UPRIGHT = 0.9
"""An axis this vertical, as a cosine, stands."""
_WITHOUT_THE_ARM = np.array([1, 1, 0, 1, 0, 0], np.uint8)


@dataclass(frozen=True, eq=False)
class Spot:
    """A place that an action names: a point in metres, and the body that is there (0 for the table)."""

    point: Array
    body: int


class Solids:
    """The bodies of a simulation as solids. Lengths in metres."""

    def __init__(self, simulation: Simulation) -> None:
        self._mujoco = load_mujoco()
        self._model, self._data = simulation.model, simulation.data
        self._cylinder = int(self._mujoco.mjtGeom.mjGEOM_CYLINDER)

    def half_height(self, body: int) -> float:
        """From a thing's middle to its lowest point."""
        axes, halves, _ = self._box(body)
        return float(np.abs(axes[2]) @ halves)

    def half_width(self, body: int) -> float:
        """Half of its longest side, seen from above."""
        axes, halves, _ = self._box(body)
        lying = [half for half, tall in zip(halves, np.abs(axes[2]), strict=True) if tall < UPRIGHT]
        return float(max(lying))

    def extent(self, body: int, along: Array) -> float:
        """From its middle to its edge in a horizontal direction (a unit vector, 2)."""
        axes, halves, is_round = self._box(body)
        if is_round and abs(axes[2, 2]) > UPRIGHT:
            return float(halves[0])
        return float(np.abs(axes[:2].T @ along) @ halves)

    def widths(self, body: int, ahead: float) -> list[tuple[float, float]]:
        """Directions in which fingers can close on it, and half its width in each; `ahead` suits the hand best."""
        axes, halves, is_round = self._box(body)
        upright = int(np.argmax(np.abs(axes[2])))
        if is_round and upright == 2:
            return [(ahead + turn, float(halves[0])) for turn in (0.0, math.pi / 4, math.pi / 2, -math.pi / 4)]
        return [
            (math.atan2(axes[1, axis], axes[0, axis]), float(halves[axis]))
            for axis in range(3)
            if axis != upright and halves[axis] < WIDEST - 0.006
        ]

    def surface(self, x: float, y: float, without: int = -1) -> float:
        """Height of the highest surface at a place of the table, the arm and one body left out."""
        return float(self.look_down(x, y, without).point[2])

    def look_down(self, x: float, y: float, without: int = -1) -> Spot:
        """What is at a place of the table, seen from straight above."""
        return self.hit(np.array([x, y, 1.0]), np.array([0.0, 0.0, -1.0]), without)

    def hit(self, origin: Array, direction: Array, without: int = -1) -> Spot:
        """What a ray meets first, the arm and one body left out; `ActionError` where it meets nothing."""
        geom = np.full(1, -1, np.int32)
        far = self._mujoco.mj_ray(self._model, self._data, origin, direction, _WITHOUT_THE_ARM, True, without, geom)
        if far < 0:
            raise ActionError("there is nothing there; aim at the table")
        return Spot(origin + far * direction, int(self._model.geom_bodyid[geom[0]]))

    def _box(self, body: int) -> tuple[Array, Array, bool]:
        """Axes as columns, half sizes along them, and whether it is a cylinder about the third."""
        geom = self._model.body_geomadr[body]
        is_round = int(self._model.geom_type[geom]) == self._cylinder
        radius, half, _ = size = self._model.geom_size[geom]
        axes = self._data.geom_xmat[geom].reshape(3, 3)
        return axes, np.array([radius, radius, half]) if is_round else size, is_round
