"""Seeing the table: OpenGL without a display, one overhead camera, and the mapping between pixels and millimetres.

    mujoco = load_mujoco()                 # chooses a renderer first: it cannot be changed afterwards
    camera = Camera(size=64)
    pixels = camera.look(model, data)      # uint8, 64 x 64 x 3

A camera's OpenGL context belongs to the thread of its first picture. Shadows are off: they cost ten times the rest.
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

from saccade.envs.embodied.tasks import EXTENT, Point
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Pixels

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


class Camera:
    """Pictures of the camera `overhead`, `size` x `size` pixels.

    One context serves every scene: the models hold primitive shapes only, so that nothing of a scene is uploaded.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._context: Any = None

    def look(self, model: Any, data: Any) -> Pixels:
        """Draw the scene; uint8, H x W x 3.

        Raises:
            ConfigError: no OpenGL context can be made, or this is not the thread that made it.
        """
        mujoco = load_mujoco()
        if self._context is None:
            self._open(mujoco, model)
        if threading.get_ident() != self._thread:
            raise ConfigError(
                "an embodied environment draws only in the thread of its first picture; "
                "reset, step and close it there, or make one environment for each thread"
            )
        self._gl.make_current()
        mujoco.mjv_updateScene(
            model, data, self._option, None, self._view, mujoco.mjtCatBit.mjCAT_ALL.value, self._scene
        )
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW.value] = 0
        self._scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION.value] = 0
        mujoco.mjr_render(self._rectangle, self._scene, self._context)
        pixels = np.empty((self.size, self.size, 3), np.uint8)
        mujoco.mjr_readPixels(pixels, None, self._rectangle, self._context)
        return np.ascontiguousarray(pixels[::-1])

    def to_pixel(self, point: Point) -> tuple[int, int]:
        """The pixel that shows a point of the table, in millimetres."""
        x, y = (round((each / EXTENT + 0.5) * self.size - 0.5) for each in (point[0], -point[1]))
        return min(max(x, 0), self.size - 1), min(max(y, 0), self.size - 1)

    def to_table(self, x: float, y: float) -> Point:
        """The point of the table in the middle of a pixel, in millimetres."""
        return ((x + 0.5) / self.size - 0.5) * EXTENT, (0.5 - (y + 0.5) / self.size) * EXTENT

    def close(self) -> None:
        """Free the OpenGL context; call it in the thread that drew."""
        if self._context is not None:
            self._gl.make_current()
            self._context.free()
            self._gl.free()
            self._context = None

    def _open(self, mujoco: Any, model: Any) -> None:
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
        self._context = context
        self._thread = threading.get_ident()
        self._scene = mujoco.MjvScene(model, maxgeom=64)
        self._option = mujoco.MjvOption()
        self._rectangle = mujoco.MjrRect(0, 0, self.size, self.size)
        self._view = mujoco.MjvCamera()
        self._view.type = mujoco.mjtCamera.mjCAMERA_FIXED.value
        self._view.fixedcamid = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA.value, "overhead")
