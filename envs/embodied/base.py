"""`FirstContact`: a world in which something is driven about until its first contact with a piece decides.

The named piece ends the episode with reward 1, any other one fails it. A subclass says what the world is made of and
where an action leads:

    class Reach(FirstContact):
        stage = TABLE

        def layout(self, rng):                   # content; `draw` splits it
            return make_scene(rng, self.level)

        def goal(self, name):
            return f"Touch the {name}."

        def aim(self, action):                   # where to glide, in millimetres
            return self.camera.to_table(action.args["x"], action.args["y"])

        def plan(self):                          # the next action of a solution
            ...

Create, step and close an environment in one thread: its OpenGL context lives there.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from saccade.envs.actions import Call
from saccade.envs.core import LanguageEnv, Outcome
from saccade.envs.embodied.control import Stage, World
from saccade.envs.embodied.observe import Camera
from saccade.envs.embodied.tasks import Layout, Point
from saccade.envs.episode import Cause, Demo
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Image, Observation

LEVELS = (1, 2, 3)
MIN_SIZE, MAX_SIZE = 32, 2048
SHORT = 10
"""A move that ends this far from its aim was blocked, in millimetres."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Everything that a `FirstContact` environment needs to go on from where it was."""

    layout: Layout
    physics: NDArray[np.float64]
    touched: str
    base: dict[str, Any]


class FirstContact(LanguageEnv):
    """Touch the named piece and no other.

    Args:
        level: how many pieces there are and how alike they look; see the subclass.
        size: width and height of the picture in pixels.
        shaping: weight of the potential-based `progress` term (Ng et al., 1999); it sums to zero over an episode that
            ends by a touch, so it changes no ranking of policies.
        **settings: those of `LanguageEnv`.
    """

    affinity = "process"
    can_snapshot = True
    stage: Stage

    def __init__(self, *, level: Literal[1, 2, 3] = 1, size: int = 64, shaping: float = 0.0, **settings: Any) -> None:
        super().__init__(**settings)
        if level not in LEVELS:
            raise ConfigError(f"level must be one of {', '.join(map(str, LEVELS))}, got {level!r}")
        if not MIN_SIZE <= size <= MAX_SIZE:
            raise ConfigError(f"size must be {MIN_SIZE} to {MAX_SIZE} pixels, got {size}")
        if not (shaping >= 0 and math.isfinite(shaping)):
            raise ConfigError(f"shaping must be a finite number >= 0, got {shaping}")
        self.level = level
        self.size = size
        self.shaping = shaping
        self.camera = Camera(size)

    # What a subclass says.

    @abstractmethod
    def layout(self, rng: np.random.Generator) -> Layout:
        """Draw the content of a task."""

    @abstractmethod
    def goal(self, name: str) -> str:
        """The instruction of a task whose target has that name."""

    @abstractmethod
    def aim(self, action: Call) -> Point:
        """Where the mover is driven to, in millimetres; raise `ActionError` where it cannot be."""

    @abstractmethod
    def plan(self) -> Demo:
        """The next turn of a solution."""

    # What follows from it.

    def begin(self, rng: np.random.Generator) -> Observation:
        """Build the world, let it settle, and show the goal and the picture."""
        layout = self.draw(self.layout, rng)
        self.world = World(layout, self.stage)
        self._touched = ""
        return Observation.of(self.goal(layout.goal.name), self._picture())

    def act(self, action: Call) -> Outcome:
        """Glide towards the aim; the first contact with a piece on the way ends the episode."""
        aim, layout = self.aim(action), self.world.layout
        before = self._potential()
        touched = self.world.glide(aim)
        # Touching two pieces in one instant is touching another one.
        wrong = [index for index in touched if index != layout.target]
        ended = Cause.FAILED if wrong else Cause.GOAL if touched else None
        self._touched = layout.pieces[(wrong or touched)[0]].name if touched else ""
        touch = 1.0 if ended is Cause.GOAL else 0.0
        progress = self.shaping * ((0.0 if ended else self._potential()) - before)
        said = "Blocked." if math.dist(self.world.mover, aim) > SHORT else "Moved."
        return Outcome(
            Observation.of(f"Touched the {self._touched}." if touched else said, self._picture()),
            reward=touch + progress,
            terms={"touch": touch, "progress": progress},
            ended=ended,
        )

    def state(self) -> Any:
        """Places in whole millimetres, the goal, and what was touched."""
        places = [self.world.mover, *self.world.pieces]
        return [self.world.layout.goal.name, [[round(x), round(y)] for x, y in places], self._touched]

    def demo(self) -> Iterator[Demo]:
        """Go to the target by the plan from wherever the mover is."""
        while not self._touched:
            yield self.plan()

    def snapshot(self) -> Snapshot:
        """The physics and the bookkeeping."""
        base = {name: getattr(self, name) for name in ("_turn", "_view", "_shown", "_running", "_task_seed")}
        return Snapshot(self.world.layout, self.world.physics(), self._touched, base)

    def restore(self, state: Snapshot) -> None:
        """Go on from a snapshot, which may come from another environment with the same settings."""
        if not hasattr(self, "world") or self.world.layout != state.layout:
            self.world = World(state.layout, self.stage)
        self.world.set_physics(state.physics)
        self._touched = state.touched
        vars(self).update(state.base)

    def close(self) -> None:
        """Free the OpenGL context."""
        self.camera.close()

    def named(self) -> list[str]:
        """Every piece and then the mover with its pixel, as captions and thoughts write them: `red cube (44, 12)`."""
        names = [*(piece.name for piece in self.world.layout.pieces), self.stage.mover]
        pixels = map(self.camera.to_pixel, [*self.world.pieces, self.world.mover])
        return [f"{name} ({x}, {y})" for name, (x, y) in zip(names, pixels, strict=True)]

    def _potential(self) -> float:
        """Share of the way that is done: 0 at the start."""
        layout = self.world.layout
        start = math.dist(layout.start, (layout.goal.x, layout.goal.y))
        return 1.0 - math.dist(self.world.mover, self.world.pieces[layout.target]) / start

    def _picture(self) -> Image:
        return Image(self.camera.look(self.world.model, self.world.data))
