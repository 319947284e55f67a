"""Reach: move a finger across a table, turn by turn, until it touches the piece that was named.

    env = gym.make("saccade/Reach-v0", level=2)
    observation, info = env.reset(seed=0)    # text "Touch the red cube." and a picture from above
    env.step("move(40, 12)")                 # one move towards a pixel, then a new picture

The first contact decides: the named piece ends the episode with reward 1, any other one fails it.
Create, step and close an environment in one thread: its OpenGL context lives there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from saccade.envs.actions import ActionSet, Call, X, Y, verb
from saccade.envs.core import LanguageEnv, Outcome
from saccade.envs.embodied.control import World
from saccade.envs.embodied.observe import Camera
from saccade.envs.embodied.route import next_stop
from saccade.envs.embodied.tasks import COUNTS, Scene, make_scene
from saccade.envs.episode import Cause, Demo
from saccade.envs.errors import ActionError, ConfigError
from saccade.envs.observation import Image, Observation

MOVE = 150
"""The longest move of one turn, in millimetres."""
MIN_SIZE, MAX_SIZE = 32, 2048


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Everything that a `Reach` environment needs to go on from where it was."""

    scene: Scene
    physics: NDArray[np.float64]
    touched: str
    base: dict[str, Any]


class Reach(LanguageEnv):
    """Touch the named piece and no other.

    Args:
        level: 1 for one piece, 2 for two or three of different colours, 3 for four that share colours and shapes.
        size: width and height of the picture in pixels.
        shaping: weight of the potential-based `progress` term (Ng et al., 1999); it sums to zero over an episode that
            ends by a touch, so it changes no ranking of policies.
        **settings: those of `LanguageEnv`.
    """

    instructions = "Move the finger until it touches the named object and no other."
    action_format = ActionSet(verb("move", f"Move the finger towards a pixel, at most {MOVE // 10} cm.", x=X, y=Y))
    max_turns = 6
    affinity = "thread"
    can_snapshot = True

    def __init__(self, *, level: Literal[1, 2, 3] = 1, size: int = 64, shaping: float = 0.0, **settings: Any) -> None:
        super().__init__(**settings)
        if level not in COUNTS:
            raise ConfigError(f"level must be one of {', '.join(map(str, COUNTS))}, got {level!r}")
        if not MIN_SIZE <= size <= MAX_SIZE:
            raise ConfigError(f"size must be {MIN_SIZE} to {MAX_SIZE} pixels, got {size}")
        if not (shaping >= 0 and math.isfinite(shaping)):
            raise ConfigError(f"shaping must be a finite number >= 0, got {shaping}")
        self.level = level
        self.size = size
        self.shaping = shaping
        self.camera = Camera(size)

    def begin(self, rng: np.random.Generator) -> Observation:
        """Build the scene, let it settle, and show the goal and the picture."""
        scene = self.draw(lambda rng: make_scene(rng, self.level), rng)
        self.world = World(scene)
        self._touched = ""
        return Observation.of(f"Touch the {scene.goal.name}.", self._picture())

    def act(self, action: Call) -> Outcome:
        """Glide towards the pixel; the first contact on the way ends the episode."""
        target = self.camera.to_table(*self._inside(action))
        finger = self.world.finger
        share = min(1.0, MOVE / max(math.dist(finger, target), 1e-9))
        before = self._potential()
        touched = self.world.glide(
            (finger[0] + share * (target[0] - finger[0]), finger[1] + share * (target[1] - finger[1]))
        )
        goal = self.world.scene.target
        # Touching two pieces in one instant is touching another one.
        wrong = [index for index in touched if index != goal]
        ended = Cause.FAILED if wrong else Cause.GOAL if touched else None
        self._touched = self.world.scene.pieces[(wrong or touched)[0]].name if touched else ""
        touch = 1.0 if ended is Cause.GOAL else 0.0
        progress = self.shaping * ((0.0 if ended else self._potential()) - before)
        said = f"Touched the {self._touched}." if touched else "Moved."
        return Outcome(
            Observation.of(said, self._picture()),
            reward=touch + progress,
            terms={"touch": touch, "progress": progress},
            ended=ended,
        )

    def state(self) -> Any:
        """Places in whole millimetres, the goal, and what was touched."""
        places = [self.world.finger, *self.world.pieces]
        return [self.world.scene.goal.name, [[round(x), round(y)] for x, y in places], self._touched]

    def demo(self) -> Iterator[Demo]:
        """Go to the target, straight from the start of a task, around the other pieces from anywhere else."""
        scene = self.world.scene
        while not self._touched:
            places = self.world.pieces
            named = [self._name(piece.name, place) for piece, place in zip(scene.pieces, places, strict=True)]
            others = [(places[i], piece.reach) for i, piece in enumerate(scene.pieces) if i != scene.target]
            x, y = self.camera.to_pixel(next_stop(self.world.finger, places[scene.target], others))
            caption = " ".join([*named, self._name("finger", self.world.finger)])
            yield Demo(f"move({x}, {y})", named[scene.target], caption)

    def snapshot(self) -> Snapshot:
        """The physics and the bookkeeping."""
        base = {name: getattr(self, name) for name in ("_turn", "_view", "_shown", "_running", "_task_seed")}
        return Snapshot(self.world.scene, self.world.physics(), self._touched, base)

    def restore(self, state: Snapshot) -> None:
        """Go on from a snapshot, which may come from another environment with the same settings."""
        if not hasattr(self, "world") or self.world.scene != state.scene:
            self.world = World(state.scene)
        self.world.set_physics(state.physics)
        self._touched = state.touched
        vars(self).update(state.base)

    def close(self) -> None:
        """Free the OpenGL context."""
        self.camera.close()

    def _inside(self, action: Call) -> tuple[float, float]:
        x, y = float(action.args["x"]), float(action.args["y"])  # type: ignore[arg-type]
        for name, value in (("x", x), ("y", y)):
            if not 0 <= value < self.size:
                raise ActionError(f"{name} must be inside the picture, 0 to {self.size - 1}, got {value:g}")
        return x, y

    def _potential(self) -> float:
        """Share of the way that is done: 0 at the start."""
        scene = self.world.scene
        start = math.dist(scene.finger, (scene.goal.x, scene.goal.y))
        return 1.0 - math.dist(self.world.finger, self.world.pieces[scene.target]) / start

    def _picture(self) -> Image:
        return Image(self.camera.look(self.world.model, self.world.data))

    def _name(self, name: str, place: tuple[float, float]) -> str:
        x, y = self.camera.to_pixel(place)
        return f"{name} ({x}, {y})"
