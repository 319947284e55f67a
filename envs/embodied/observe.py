"""Seeing a world: OpenGL without a display, pictures of a model's cameras, and the overhead camera of a table.

    mujoco = load_mujoco()                 # chooses a renderer first: it cannot be changed afterwards
    canvas = Canvas(size=64)
    pixels = canvas.look(model, data, "overhead")      # uint8, 64 x 64 x 3
    metres = canvas.distances(model, data, "overhead")  # float32, 64 x 64
    geoms = canvas.segments(model, data, "overhead")    # int32, 64 x 64

A canvas' OpenGL context belongs to the thread of its first picture. Shadows are off: they cost ten times the rest.
"""

from __future__ import annotations

import ctypes
import importlib
import logging
import os
import sys
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.envs.embodied.tasks import EXTENT, Point
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Pixels

MAX_GEOMS = 512
"""The most shapes that a picture shows."""

_log = logging.getLogger(__name__)
_FIX = "install Mesa (`apt-get install libegl1 libgl1-mesa-dri`, or `libosmesa6`), or set MUJOCO_GL to what you have"


def load_mujoco() -> Any:
    """Import mujoco, with `MUJOCO_GL` as the user set it, else EGL, else OSMesa.

    Raises:
        ConfigError: mujoco is not installed, or Linux has no library that draws without a display.
    """
    if sys.platform.startswith("linux") and not os.environ.get("MUJOCO_GL"):
        os.environ["MUJOCO_GL"] = choose_renderer()
    try:
        mujoco = importlib.import_module("mujoco")
    except ImportError as error:
        raise ConfigError(f"embodied worlds need mujoco ({error}); run `pip install saccade[embodied]`") from error
    except RuntimeError as error:  # what mujoco raises for a MUJOCO_GL that it does not know
        raise ConfigError(f"{error}; use MUJOCO_GL=egl or MUJOCO_GL=osmesa") from error
    if mujoco.get_mju_user_warning() is None:  # by default every warning is written to a file in the working directory
        mujoco.set_mju_user_warning(_log.warning)
    return mujoco


def choose_renderer() -> str:
    """`egl` where a driver lists a device, else `osmesa`; mujoco cannot fall back by itself."""
    if _egl_devices():
        return "egl"
    try:
        ctypes.CDLL("libOSMesa.so.8")
    except OSError:
        raise ConfigError(f"no OpenGL library that draws without a display was found: {_FIX}") from None
    return "osmesa"


def _egl_devices() -> int:
    try:
        egl = ctypes.CDLL("libEGL.so.1")
    except OSError:
        return 0
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    address = egl.eglGetProcAddress(b"eglQueryDevicesEXT")
    if not address:
        return 0
    prototype = ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int))
    count = ctypes.c_int(0)
    prototype(address)(0, None, ctypes.byref(count))
    return count.value


class Canvas:
    """Pictures of a model's cameras, `size` x `size` pixels.

    One context serves every scene: the models hold primitive shapes only, so that nothing of a scene is uploaded.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._context: Any = None

    def look(self, model: Any, data: Any, camera: str = "overhead") -> Pixels:
        """Draw the scene; uint8, H x W x 3.

        Raises:
            ConfigError: no OpenGL context can be made, or this is not the thread that made it.
        """
        return self._draw(model, data, camera)

    def distances(self, model: Any, data: Any, camera: str = "overhead") -> NDArray[np.float32]:
        """How far each pixel's surface is along the camera's axis, in metres; float32, H x W."""
        self._draw(model, data, camera)
        depth = np.empty((self.size, self.size), np.float32)
        self._mujoco.mjr_readPixels(None, depth, self._rectangle, self._context)
        near = model.vis.map.znear * model.stat.extent
        far = model.vis.map.zfar * model.stat.extent
        metres = near * far / (near + depth[::-1].astype(np.float64) * (far - near))  # 1 is near, 0 is far
        return metres.astype(np.float32)

    def segments(self, model: Any, data: Any, camera: str = "overhead") -> NDArray[np.int32]:
        """The id of the geom that each pixel shows, -1 for none; int32, H x W."""
        rgb = self._draw(model, data, camera, ids=True).astype(np.int32)
        drawn = rgb[..., 0] + (rgb[..., 1] << 8) + (rgb[..., 2] << 16)  # 1 + index among what was drawn, 0 for none
        geom = int(self._mujoco.mjtObj.mjOBJ_GEOM)
        ids = np.full(self._scene.ngeom + 1, -1, np.int32)
        for each in self._scene.geoms[: self._scene.ngeom]:
            if each.segid >= 0 and int(each.objtype) == geom:
                ids[each.segid + 1] = each.objid
        return ids[drawn]

    def close(self) -> None:
        """Free the OpenGL context; call it in the thread that drew."""
        if self._context is not None:
            self._gl.make_current()
            self._context.free()
            self._gl.free()
            self._context = None

    def _draw(self, model: Any, data: Any, camera: str, ids: bool = False) -> Pixels:
        if self._context is None:
            self._open(model)
        if threading.get_ident() != self._thread:
            raise ConfigError(
                "an embodied environment draws only in the thread of its first picture; "
                "reset, step and close it there, or make one environment for each thread"
            )
        mujoco = self._mujoco
        self._gl.make_current()
        self._view.fixedcamid = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA.value, camera)
        mujoco.mjv_updateScene(
            model, data, self._option, None, self._view, mujoco.mjtCatBit.mjCAT_ALL.value, self._scene
        )
        flags = mujoco.mjtRndFlag
        self._scene.flags[flags.mjRND_SHADOW.value] = 0
        self._scene.flags[flags.mjRND_REFLECTION.value] = 0
        self._scene.flags[flags.mjRND_SEGMENT.value] = self._scene.flags[flags.mjRND_IDCOLOR.value] = int(ids)
        mujoco.mjr_render(self._rectangle, self._scene, self._context)
        pixels = np.empty((self.size, self.size, 3), np.uint8)
        mujoco.mjr_readPixels(pixels, None, self._rectangle, self._context)
        return np.ascontiguousarray(pixels[::-1])

    def _open(self, model: Any) -> None:
        mujoco = self._mujoco = load_mujoco()
        try:
            backend = os.environ.get("MUJOCO_GL", "")
            # Named directly, as mujoco itself looks at the variable only when it is imported.
            module = f"mujoco.{backend}" if backend in ("egl", "osmesa") else "mujoco.gl_context"
            self._gl = importlib.import_module(module).GLContext(self.size, self.size)
            self._gl.make_current()
            # A context allocates its buffers once: no larger than the picture, and none for shadows, which are off.
            # Larger ones, such as those of a 2048-pixel picture, cost hundreds of megabytes an environment.
            model.vis.global_.offwidth = model.vis.global_.offheight = self.size
            model.vis.quality.shadowsize = 0
            context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        except Exception as error:  # each backend raises its own kind
            name = f"MUJOCO_GL={backend}" if backend else "the platform's OpenGL"
            raise ConfigError(f"cannot draw through {name} ({error}): {_FIX}") from error
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, context)
        context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        self._context = context
        self._thread = threading.get_ident()
        self._scene = mujoco.MjvScene(model, maxgeom=MAX_GEOMS)
        self._option = mujoco.MjvOption()
        self._rectangle = mujoco.MjrRect(0, 0, self.size, self.size)
        self._view = mujoco.MjvCamera()
        self._view.type = mujoco.mjtCamera.mjCAMERA_FIXED.value


class Camera(Canvas):
    """The camera `overhead`, which looks straight down on `EXTENT` millimetres of a table."""

    def to_pixel(self, point: Point) -> tuple[int, int]:
        """The pixel that shows a point of the table, in millimetres."""
        x, y = (round((each / EXTENT + 0.5) * self.size - 0.5) for each in (point[0], -point[1]))
        return min(max(x, 0), self.size - 1), min(max(y, 0), self.size - 1)

    def to_table(self, x: float, y: float) -> Point:
        """The point of the table in the middle of a pixel, in millimetres."""
        return ((x + 0.5) / self.size - 0.5) * EXTENT, (0.5 - (y + 0.5) / self.size) * EXTENT
