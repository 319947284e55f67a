"""Seeded changes of light and cameras: the same world, looked at a little differently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

SHIFT = 0.012
"""Standard deviation of a camera's place along each axis, in metres."""
TILT = 0.004
"""Standard deviation of its direction about each of the picture's axes, in radians."""
LIGHT = 0.15
"""The light is scaled by 1 +- this."""


@dataclass(frozen=True)
class Jitter:
    """What differs from the model's own light and cameras.

    Attributes:
        shift: metres, added to the place of every camera that stands in the world.
        tilt: radians about the picture's x and y.
        light: factor on all lights.
    """

    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    tilt: tuple[float, float] = (0.0, 0.0)
    light: float = 1.0

    @classmethod
    def draw(cls, rng: np.random.Generator, scale: float) -> Jitter:
        """Random ones; none where `scale` is 0."""
        x, y, z, across, up = rng.standard_normal(5).clip(-2, 2).tolist()
        light = 1 + scale * LIGHT * rng.uniform(-1, 1)
        return cls(
            (scale * SHIFT * x, scale * SHIFT * y, scale * SHIFT * z), (scale * TILT * across, scale * TILT * up), light
        )

    def apply(self, mujoco: Any, model: Any) -> None:
        """Change a freshly compiled model."""
        turn = np.array([1.0, self.tilt[0] / 2, self.tilt[1] / 2, 0.0])
        turn /= np.linalg.norm(turn)
        for camera in range(model.ncam):
            if model.cam_bodyid[camera] == 0:
                model.cam_pos[camera] += self.shift
                quat = np.empty(4)
                mujoco.mju_mulQuat(quat, model.cam_quat[camera], turn)
                model.cam_quat[camera] = quat
        for light in (model.vis.headlight.ambient, model.vis.headlight.diffuse, model.light_diffuse):
            light[:] = np.clip(light * self.light, 0, 1)
