"""A MuJoCo model in motion: set-points in, states out, and a simulation that breaks leaves its state behind.

    simulation = Simulation(spec)
    simulation.run(controls)               # T x U: one row of set-points for each `repeat` steps
    state = simulation.state()             # all that the next step reads
    simulation.set_state(state)            # the continuation is the same bit for bit

Nothing is placed by hand: positions change only by stepping the simulation.
"""

from __future__ import annotations

import tempfile
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.envs.embodied.observe import load_mujoco
from saccade.envs.errors import WorldFailure

MAX_SPEED = 100.0
"""Metres or radians a second; nothing gets near it unless the simulation diverges."""
FRAME_SECONDS = 0.1
"""Simulated time between two frames of a video."""

State = NDArray[np.float64]


class Simulation:
    """A compiled model and its state.

    Args:
        spec: the world, an `MjSpec`.
        frames: how many of the latest instants to remember for a video.
    """

    def __init__(self, spec: Any, frames: int = 0) -> None:
        self._mujoco = load_mujoco()
        self._spec = spec
        self.model = spec.compile()
        self.data = self._mujoco.MjData(self.model)
        self.trail: deque[State] = deque(maxlen=frames)
        self._signature = int(self._mujoco.mjtState.mjSTATE_INTEGRATION.value)
        self._ghost: Any = None  # another state of the same model, to draw the past
        self.refresh()

    def run(self, controls: NDArray[np.float64], repeat: int = 1) -> None:
        """Step through rows of set-points (T x U), each held for `repeat` steps.

        Raises:
            WorldFailure: the simulation diverged; the message names the folder that tells how.
        """
        mujoco, model, data = self._mujoco, self.model, self.data
        before, ctrl, step = self.state(), data.ctrl, mujoco.mj_step
        every = max(1, round(FRAME_SECONDS / (model.opt.timestep * repeat))) if self.trail.maxlen else len(controls) + 1
        try:
            for index, row in enumerate(controls, 1):
                ctrl[:] = row
                step(model, data, repeat)
                if index % every == 0:
                    self.trail.append(data.qpos.copy())
        except mujoco.FatalError as error:
            raise self._failure(str(error), before, controls, repeat) from error
        wrong = self._wrong()
        if wrong:
            raise self._failure(wrong, before, controls, repeat)
        self.refresh()

    def hold(self, steps: int) -> None:
        """Go on with the set-points as they are."""
        self.run(self.data.ctrl[None].copy(), steps)

    def state(self) -> State:
        """The full integration state: what `mj_step` reads, set-points and warm starts included."""
        state = np.empty(self._mujoco.mj_stateSize(self.model, self._signature))
        self._mujoco.mj_getState(self.model, self.data, state, self._signature)
        return state

    def set_state(self, state: State) -> None:
        """Return to a state."""
        self._mujoco.mj_setState(self.model, self.data, state, self._signature)
        self.refresh()

    def refresh(self) -> None:
        """Bring places and contacts up to date: a step leaves them as they were before it.

        Nothing that the next step reads is changed.
        """
        self._mujoco.mj_fwdPosition(self.model, self.data)

    def past(self, qpos: State) -> Any:
        """An `MjData` with the places of an instant of the `trail`, good until the next call."""
        if self._ghost is None:
            self._ghost = self._mujoco.MjData(self.model)
        self._ghost.qpos[:] = qpos
        self._mujoco.mj_kinematics(self.model, self._ghost)
        self._mujoco.mj_comPos(self.model, self._ghost)
        self._mujoco.mj_camlight(self.model, self._ghost)
        return self._ghost

    def touching(self, body: int) -> set[int]:
        """The bodies in contact with a body."""
        geoms = self.data.contact.geom
        bodies = self.model.geom_bodyid[geoms]
        return {int(each) for each in bodies[(bodies == body).any(axis=1)].ravel()} - {body}

    def _wrong(self) -> str:
        for name in ("mjWARN_BADQPOS", "mjWARN_BADQVEL", "mjWARN_BADQACC"):
            if self.data.warning[int(getattr(self._mujoco.mjtWarning, name).value)].number:
                return f"{name} at {self.data.time:.3f} s"
        speed = np.abs(self.data.qvel).max()
        if not (np.isfinite(self.data.qpos).all() and speed < MAX_SPEED):  # a comparison with NaN is false
            return f"speed {speed:.3g}, limit {MAX_SPEED:g}"
        return ""

    def _failure(self, why: str, before: State, controls: NDArray[np.float64], repeat: int) -> WorldFailure:
        folder = Path(tempfile.mkdtemp(prefix="saccade-diverged-"))
        (folder / "model.xml").write_text(self._spec.to_xml())
        np.savez(folder / "state.npz", before=before, after=self.state(), controls=controls, repeat=repeat)
        return WorldFailure(
            f"the simulation diverged ({why}); {folder} holds the model, the state before and the controls"
        )
