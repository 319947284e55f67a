"""Where a camera shows a point of the world, and what a pixel may be: the pinhole camera of MuJoCo.

    view = Projection.of(model, data, "overhead", size=128)
    x, y = view.pixel((0.1, 0.0, 0.02))     # floats; whole numbers are the middles of pixels
    origin, direction = view.ray(70, 63)

Lengths are metres. A camera looks along its own -z, with x to the right and y up in the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Projection:
    """A camera in one instant.

    Attributes:
        size: width and height of the picture in pixels.
        slope: tangent of half the angle of view.
        position: of the camera, 3.
        rotation: its axes as columns, 3 x 3.
    """

    size: int
    slope: float
    position: Vector
    rotation: Vector

    @classmethod
    def of(cls, model: Any, data: Any, camera: str, size: int) -> Projection:
        """A camera of a model, where it is now."""
        index = model.camera(camera).id
        slope = math.tan(math.radians(float(model.cam_fovy[index])) / 2)
        return cls(size, slope, data.cam_xpos[index].copy(), data.cam_xmat[index].reshape(3, 3).copy())

    def pixel(self, point: ArrayLike) -> tuple[float, float]:
        """The place in the picture of a point before the camera; it may be outside of the picture."""
        x, y, z = self.rotation.T @ (np.asarray(point, float) - self.position)
        half = self.size / 2
        return float(half - 0.5 - half * x / (z * self.slope)), float(half - 0.5 + half * y / (z * self.slope))

    def ray(self, x: float, y: float) -> tuple[Vector, Vector]:
        """The camera's place, and the unit vector towards what the pixel shows."""
        half = self.size / 2
        direction = self.rotation @ np.array(
            [((x + 0.5) / half - 1) * self.slope, (1 - (y + 0.5) / half) * self.slope, -1.0]
        )
        return self.position.copy(), direction / np.linalg.norm(direction)
