"""The physical world: a layout as a MuJoCo model, a mover that is driven by its actuators, and what it touches.

    world = World(scene, TABLE)
    touched = world.glide((120.0, -40.0))    # indices of the pieces that the finger came into contact with

After the start nothing is placed by hand: positions change only by stepping the simulation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.envs.embodied.observe import load_mujoco
from saccade.envs.embodied.tasks import Layout, Point
from saccade.envs.errors import WorldFailure
from saccade.envs.palette import PALETTE

ASSETS = Path(__file__).parent / "assets"
SETTLE_STEPS = 10
RAMP_STEPS = 40
HOLD_STEPS = 10
"""A move: the set-point glides to its target in 0.2 s, then the mover comes to rest in 0.05 s."""
MAX_SPEED = 20.0
"""Metres or radians a second; nothing gets near it unless the simulation diverges."""


@dataclass(frozen=True)
class Stage:
    """An empty world, to which the pieces are added.

    Attributes:
        file: its MJCF in `assets/`; a body `carriage` that slides along x and y carries the mover.
        mover: the geom that is driven and whose contacts count.
        loose: whether pieces can be pushed; else they stand fast.
    """

    file: str
    mover: str
    loose: bool


TABLE = Stage("table.xml", mover="finger", loose=True)
ROOM = Stage("room.xml", mover="robot", loose=False)


def build(layout: Layout, stage: Stage) -> Any:
    """Compile the stage with the layout's pieces, each resting on the ground, and the mover at its start."""
    mujoco = load_mujoco()
    spec = mujoco.MjSpec.from_file(str(ASSETS / stage.file))
    kinds = {
        "cube": mujoco.mjtGeom.mjGEOM_BOX,
        "ball": mujoco.mjtGeom.mjGEOM_SPHERE,
        "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    }
    spec.body("carriage").pos = [layout.start[0] / 1000, layout.start[1] / 1000, 0]
    for index, piece in enumerate(layout.pieces):
        half, turn = piece.half / 1000, math.radians(piece.yaw) / 2
        body = spec.worldbody.add_body(name=f"piece{index}", pos=[piece.x / 1000, piece.y / 1000, half])
        if stage.loose:
            body.add_freejoint()
        geom = body.add_geom(spec.find_default("piece"), name=f"piece{index}", type=kinds[piece.shape])
        geom.rgba = [*(channel / 255 for channel in PALETTE[piece.colour]), 1]
        geom.size = [half, piece.length / 1000, 0] if piece.shape == "cylinder" else [half] * 3
        # A cylinder's own axis is z: lay it down along x, then turn it about the vertical.
        lie = [math.sqrt(0.5), 0, math.sqrt(0.5), 0] if piece.shape == "cylinder" else [1, 0, 0, 0]
        yaw = [math.cos(turn), 0, 0, math.sin(turn)]
        quat = np.zeros(4)
        mujoco.mju_mulQuat(quat, np.array(yaw), np.array(lie))
        geom.quat = quat
    return spec.compile()


class World:
    """A layout in motion."""

    def __init__(self, layout: Layout, stage: Stage) -> None:
        self._mujoco = load_mujoco()
        self.layout = layout
        self.model = build(layout, stage)
        self.data = self._mujoco.MjData(self.model)
        self._start = np.array(layout.start, float) / 1000
        self._mover = self.model.geom(stage.mover).id
        self._first = self.model.geom("piece0").id  # pieces are the last geoms and bodies, in order
        self._bodies = self.model.body("piece0").id
        self._signature = int(self._mujoco.mjtState.mjSTATE_INTEGRATION.value)
        for _ in range(SETTLE_STEPS):
            self._mujoco.mj_step(self.model, self.data)
        self._show()

    @property
    def mover(self) -> Point:
        """Where the mover is, in millimetres."""
        x, y = (self._start + self.data.qpos[:2]) * 1000
        return float(x), float(y)

    @property
    def pieces(self) -> tuple[Point, ...]:
        """Where each piece is, in millimetres."""
        places = self.data.xpos[self._bodies :, :2] * 1000
        return tuple((float(x), float(y)) for x, y in places)

    def glide(self, target: Point) -> list[int]:
        """Drive the mover to a point in millimetres, as far as contacts let it, and stop at the first touch.

        Returns the indices of the pieces touched in that instant.

        Raises:
            WorldFailure: the simulation diverged.
        """
        origin = self.data.qpos[:2].copy()
        goal = np.array(target, float) / 1000 - self._start
        touched: list[int] = []
        for step in range(RAMP_STEPS + HOLD_STEPS):
            share = min(1.0, (step + 1) / RAMP_STEPS)
            smooth = share**3 * (10 - 15 * share + 6 * share**2)  # minimum jerk: rest to rest
            self.data.ctrl[:] = origin + smooth * (goal - origin)
            try:
                self._mujoco.mj_step(self.model, self.data)
            except self._mujoco.FatalError as error:
                raise WorldFailure(f"the simulation broke: {error}") from error
            touched = self._touched()
            if touched:
                break
        self._check()
        self._show()
        return touched or self._touched()

    def physics(self) -> NDArray[np.float64]:
        """The full integration state: what `mj_step` reads, warm starts included."""
        state = np.empty(self._mujoco.mj_stateSize(self.model, self._signature))
        self._mujoco.mj_getState(self.model, self.data, state, self._signature)
        return state

    def set_physics(self, state: NDArray[np.float64]) -> None:
        """Return to a state of `physics`; the continuation is the same bit for bit."""
        self._mujoco.mj_setState(self.model, self.data, state, self._signature)
        self._show()

    def _touched(self) -> list[int]:
        pairs = self.data.contact.geom
        with_mover = pairs[(pairs == self._mover).any(axis=1)]
        return sorted({int(geom) - self._first for geom in with_mover.ravel() if geom >= self._first})

    def _check(self) -> None:
        warnings = self._mujoco.mjtWarning
        for name in ("mjWARN_BADQPOS", "mjWARN_BADQVEL", "mjWARN_BADQACC"):
            if self.data.warning[int(getattr(warnings, name).value)].number:
                raise WorldFailure(f"the simulation diverged ({name} at {self.data.time:.3f} s)")
        speed = np.abs(self.data.qvel).max()
        if not np.isfinite(self.data.qpos).all() or not speed < MAX_SPEED:
            raise WorldFailure(f"the simulation diverged (speed {speed:.3g}, limit {MAX_SPEED})")

    def _show(self) -> None:
        """Bring what is drawn and the contacts up to date: a step leaves them as they were before it.

        Nothing that the next step reads is changed.
        """
        self._mujoco.mj_fwdPosition(self.model, self.data)
