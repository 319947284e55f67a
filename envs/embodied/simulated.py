"""`SimulatedEnv`: a language environment whose world is a MuJoCo simulation.

A subclass says what the world is made of, what an action does and what counts; the base class shows it:

    class Lift(SimulatedEnv):
        views = {"overhead": (2.6, 3.02)}        # cameras, and the distances that a depth picture shows

        def layout(self, rng):                   # content, a frozen dataclass; `draw` splits it
            return Scene(...)

        def assemble(self, layout):              # the world, an MjSpec
            return spec

        def goal(self):                          # the instruction
            return "Lift the red cube."

        def perform(self, call):                 # step the simulation; say what happened
            self.simulation.run(controls)
            return "Moved."

        def reached(self):                       # sub-goals; the task is done when all are true
            return {"lifted": self.simulation.data.body("cube").xpos[2] > 0.1}

Create, step and close an environment in one thread: its OpenGL context lives there.
"""

from __future__ import annotations

import copy
import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from saccade.envs.actions import Call
from saccade.envs.core import LanguageEnv, Outcome
from saccade.envs.embodied.jitter import Jitter
from saccade.envs.embodied.marks import draw_numbers
from saccade.envs.embodied.observe import Canvas, load_mujoco
from saccade.envs.embodied.projection import Projection
from saccade.envs.embodied.simulation import FRAME_SECONDS, Simulation, State
from saccade.envs.episode import Cause
from saccade.envs.errors import ConfigError, near
from saccade.envs.observation import Image, Observation, Part, Pixels, Text, Video

LEVELS = (1, 2, 3)
MIN_SIZE, MAX_SIZE = 32, 2048
LENGTH, ANGLE = 0.005, 0.05
"""What `state` rounds places to, in metres, and angles, in radians."""
_BOOKKEEPING = ("_turn", "_view", "_shown", "_running", "_task_seed")


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Everything that a `SimulatedEnv` needs to go on from where it was."""

    layout: Any
    jitter: Jitter
    physics: State
    memory: dict[str, Any]
    base: dict[str, Any]


class SimulatedEnv(LanguageEnv):
    """A world that physics moves and cameras show.

    Args:
        level: how hard the task is.
        cameras: name or names of the cameras that are shown; actions mean pixels of the first one's picture.
        size: width and height of every picture in pixels.
        depth: whether each picture is followed by one of distances, white where near.
        marks: whether numbers are drawn on the things that can be named by them (set-of-marks).
        proprioception: whether the posture is told as text.
        video: how many of the last frames of an action are shown, ten a second; 0 for none.
        jitter: scale of the seeded changes of light and cameras; 0 for none.
        shaping: weight of the potential-based term `progress` (Ng et al., 1999): it sums to a constant over an episode
            that ends, so it changes no ranking of policies.
        subgoals: weight of the sub-goals: each pays its share when it is reached, and takes it back when undone.
        **settings: those of `LanguageEnv`.
    """

    affinity = "process"
    can_snapshot = True
    views: ClassVar[Mapping[str, tuple[float, float]]]
    """Camera -> the nearest and the farthest distance that its depth picture tells apart, in metres."""

    def __init__(
        self,
        *,
        level: Literal[1, 2, 3] = 1,
        cameras: str | Sequence[str] = "overhead",
        size: int = 128,
        depth: bool = False,
        marks: bool = False,
        proprioception: bool = False,
        video: int = 0,
        jitter: float = 1.0,
        shaping: float = 0.0,
        subgoals: float = 0.0,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        if level not in LEVELS:
            raise ConfigError(f"level must be one of {', '.join(map(str, LEVELS))}, got {level!r}")
        if not MIN_SIZE <= size <= MAX_SIZE:
            raise ConfigError(f"size must be {MIN_SIZE} to {MAX_SIZE} pixels, got {size}")
        for name, value in (("video", video), ("jitter", jitter), ("shaping", shaping), ("subgoals", subgoals)):
            if not (value >= 0 and math.isfinite(value)):
                raise ConfigError(f"{name} must be a finite number >= 0, got {value}")
        self.cameras = (cameras,) if isinstance(cameras, str) else tuple(cameras)
        if not self.cameras:
            raise ConfigError(f"cameras must name at least one; known: {', '.join(self.views)}")
        for camera in self.cameras:
            if camera not in self.views:
                raise ConfigError(f"unknown camera {camera!r}; {near(camera, self.views, 'cameras')}")
        self.level = level
        self.size = size
        self.depth = depth
        self.marks = marks
        self.proprioception = proprioception
        self.video = video
        self.jitter = jitter
        self.shaping = shaping
        self.subgoals = subgoals
        self.canvas = Canvas(size)
        self.memory: dict[str, Any] = {}
        """What the physical state does not tell, such as a button that was pressed: JSON values."""

    # What a subclass says.

    @abstractmethod
    def layout(self, rng: np.random.Generator) -> Any:
        """Draw the content of a task: a value with a complete `repr`, such as a frozen dataclass."""

    @abstractmethod
    def assemble(self, layout: Any) -> Any:
        """The world of a layout, an `MjSpec`; it has every camera of `views`."""

    @abstractmethod
    def goal(self) -> str:
        """The instruction of the task."""

    @abstractmethod
    def perform(self, call: Call) -> str | Outcome:
        """Do it, and say what happened, or give an `Outcome` with an `error`; `ActionError` where nothing was done."""

    @abstractmethod
    def reached(self) -> Mapping[str, bool]:
        """Which sub-goals hold now; the task is done when all of them do."""

    def failed(self) -> bool:
        """Whether the task cannot be done any more."""
        return False

    def potential(self) -> float:
        """How far the task is, 0 to 1: for `shaping`."""
        reached = self.reached()
        return sum(reached.values()) / len(reached)

    def ready(self) -> None:
        """Called when the world was built, before anything moves."""

    def settle(self) -> None:
        """Called once at the start of a task: let things come to rest."""

    def posture(self) -> str:
        """What the body feels of itself, as text."""
        return ""

    def marked(self) -> Sequence[int]:
        """The bodies that have a mark: number 1 first."""
        return ()

    # What follows from it.

    def begin(self, rng: np.random.Generator) -> Observation:
        """Build the world, let it settle, and show the goal and the pictures."""
        self._build(self.draw(self.layout, rng), Jitter.draw(rng, self.jitter))
        self.memory = {}
        self.settle()
        self.simulation.trail.clear()
        return Observation.of(self.goal(), *self.look())

    def act(self, action: Call) -> Outcome:
        """Perform an action; the physical state afterwards decides."""
        self.simulation.trail.clear()
        potential, before = self._potential(), self._subgoals()
        done = self.perform(action)
        after = self._subgoals()
        ended = Cause.GOAL if all(after.values()) else Cause.FAILED if self.failed() else None
        terms = {"success": 1.0 if ended is Cause.GOAL else 0.0}
        terms["progress"] = self.shaping * ((0.0 if ended else self._potential()) - potential)
        share = self.subgoals / len(after)
        terms |= {f"subgoal {name}": share * (after[name] - before[name]) for name in after}
        outcome = done if isinstance(done, Outcome) else Outcome(Observation.of(done))
        return Outcome(
            outcome.observation + Observation.of(*self.look()),
            reward=math.fsum(terms.values()),
            terms=terms,
            ended=ended,
            error=outcome.error,
            info={"subgoals": after} | dict(outcome.info),
        )

    def state(self) -> Any:
        """Where everything is, roughly, and what was done."""
        return [np.rint(self.simulation.data.qpos * self._scale).astype(int).tolist(), self.memory]

    def look(self) -> list[Part]:
        """What the settings ask to be shown of the current state."""
        parts: list[Part] = [Text(self.posture())] if self.proprioception else []
        model, data = self.simulation.model, self.simulation.data
        for camera in self.cameras:
            if len(self.cameras) > 1:
                parts.append(Text(f"Camera {camera}:"))
            parts.append(Image(self._picture(data, camera)))
            if self.depth:
                nearest, farthest = self.views[camera]
                metres = self.canvas.distances(model, data, camera)
                grey = np.clip(255 * (farthest - metres) / (farthest - nearest), 0, 255).astype(np.uint8)
                parts.append(Image(np.repeat(grey[..., None], 3, axis=2)))
        if self.simulation.trail:
            frames = [
                self.canvas.look(model, self.simulation.past(qpos), self.cameras[0]) for qpos in self.simulation.trail
            ]
            parts.append(Video(np.stack(frames), 1 / FRAME_SECONDS))
        return parts

    def projection(self) -> Projection:
        """The camera whose pixels actions mean, as it stands now."""
        return Projection.of(self.simulation.model, self.simulation.data, self.cameras[0], self.size)

    def snapshot(self) -> Snapshot:
        """The physics and the bookkeeping."""
        base = {name: getattr(self, name) for name in _BOOKKEEPING}
        return Snapshot(self.content, self._jitter, self.simulation.state(), copy.deepcopy(self.memory), base)

    def restore(self, state: Snapshot) -> None:
        """Go on from a snapshot, which may come from another environment with the same settings."""
        if not hasattr(self, "content") or (self.content, self._jitter) != (state.layout, state.jitter):
            self._build(state.layout, state.jitter)
        self.simulation.set_state(state.physics)
        self.memory = copy.deepcopy(state.memory)
        vars(self).update(state.base)

    def close(self) -> None:
        """Free the OpenGL context."""
        self.canvas.close()

    def _build(self, layout: Any, jitter: Jitter) -> None:
        self.content, self._jitter = layout, jitter
        self.simulation = Simulation(self.assemble(layout), frames=self.video)
        jitter.apply(load_mujoco(), self.simulation.model)
        self.simulation.refresh()
        self._scale = _scale(self.simulation.model)
        self.ready()

    def _subgoals(self) -> dict[str, bool]:
        return {name: bool(holds) for name, holds in self.reached().items()}

    def _potential(self) -> float:
        return self.potential() if self.shaping else 0.0

    def _picture(self, data: Any, camera: str) -> Pixels:
        model = self.simulation.model
        pixels = self.canvas.look(model, data, camera)
        if not self.marks:
            return pixels
        numbers = np.zeros(model.nbody + 1, np.int32)  # the last one stands for the background
        numbers[list(self.marked())] = np.arange(1, len(self.marked()) + 1)
        bodies = np.append(model.geom_bodyid, model.nbody)
        return draw_numbers(pixels, numbers[bodies[self.canvas.segments(model, data, camera)]])


def _scale(model: Any) -> State:
    """Per position coordinate: 1 / what it is rounded to. Of a quaternion, each number is half an angle."""
    free, ball, slide, hinge = range(4)  # mjtJoint
    scales = {
        free: [1 / LENGTH] * 3 + [2 / ANGLE] * 4,
        ball: [2 / ANGLE] * 4,
        slide: [1 / LENGTH],
        hinge: [1 / ANGLE],
    }
    return np.array([scale for joint in model.jnt_type for scale in scales[int(joint)]])
