"""Embodied worlds, turn by turn: the first contact with a piece decides.

    env = gym.make("saccade/Reach-v0", level=2)
    observation, info = env.reset(seed=0)    # text "Touch the red cube." and a picture from above
    env.step("move(40, 12)")                 # one move towards a pixel, then a new picture

    env = gym.make("saccade/Navigate-v0", level=2)
    observation, info = env.reset(seed=0)    # text "Go to the red cube." and a picture from above
    env.step('go("up")')                     # one step of the robot, then a new picture

Create, step and close an environment in one thread: its OpenGL context lives there.
"""

from __future__ import annotations

import math

import numpy as np

from saccade.envs.actions import ActionSet, Call, Param, X, Y, verb
from saccade.envs.embodied.base import FirstContact
from saccade.envs.embodied.control import ROOM, TABLE
from saccade.envs.embodied.lattice import DIRECTIONS, STEP, shortest_way, towards
from saccade.envs.embodied.rooms import Room, make_room
from saccade.envs.embodied.route import next_stop
from saccade.envs.embodied.tasks import Point, Scene, make_scene
from saccade.envs.episode import Demo
from saccade.envs.errors import ActionError

MOVE = 150
"""The longest move of one turn of `Reach`, in millimetres."""


class Reach(FirstContact):
    """Move a finger across a table until it touches the piece that was named.

    Levels: 1 for one piece, 2 for three of different colours, 3 for four that share colours and shapes.
    """

    instructions = "Move the finger until it touches the named object and no other."
    action_format = ActionSet(verb("move", f"Move the finger towards a pixel, at most {MOVE // 10} cm.", x=X, y=Y))
    max_turns = 6
    stage = TABLE

    def layout(self, rng: np.random.Generator) -> Scene:
        """A table with pieces."""
        return make_scene(rng, self.level)

    def goal(self, name: str) -> str:
        """The finger is to touch it."""
        return f"Touch the {name}."

    def aim(self, action: Call) -> Point:
        """The pixel, or as far towards it as one move goes."""
        x, y = float(action.args["x"]), float(action.args["y"])  # type: ignore[arg-type]
        for name, value in (("x", x), ("y", y)):
            if not 0 <= value < self.size:
                raise ActionError(f"{name} must be inside the picture, 0 to {self.size - 1}, got {value:g}")
        target = self.camera.to_table(x, y)
        finger = self.world.mover
        share = min(1.0, MOVE / max(math.dist(finger, target), 1e-9))
        return finger[0] + share * (target[0] - finger[0]), finger[1] + share * (target[1] - finger[1])

    def plan(self) -> Demo:
        """Go to the target, straight from the start of a task, around the other pieces from anywhere else."""
        layout, places, named = self.world.layout, self.world.pieces, self.named()
        others = [(places[i], piece.reach) for i, piece in enumerate(layout.pieces) if i != layout.target]
        x, y = self.camera.to_pixel(next_stop(self.world.mover, places[layout.target], others))
        return Demo(f"move({x}, {y})", named[layout.target], " ".join(named))


class Navigate(FirstContact):
    """Drive a round robot through a walled room to the post that was named.

    Levels: 1 for one post, 2 for two of different colours, 3 for four that share two colours and two shapes.
    Walls only stop the robot.
    """

    instructions = "Drive the robot to the named object and touch no other."
    action_format = ActionSet(
        verb(
            "go",
            f'Drive the robot {STEP // 10} cm in the picture: "up", "down", "left" or "right".',
            direction=Param("str", choices=tuple(DIRECTIONS)),
        )
    )
    max_turns = 10
    stage = ROOM

    def layout(self, rng: np.random.Generator) -> Room:
        """A room with posts."""
        return make_room(rng, self.level)

    def goal(self, name: str) -> str:
        """The robot is to go there."""
        return f"Go to the {name}."

    def aim(self, action: Call) -> Point:
        """One step on, walls or not."""
        along = DIRECTIONS[str(action.args["direction"])]
        x, y = self.world.mover
        return x + STEP * along[0], y + STEP * along[1]

    def plan(self) -> Demo:
        """The first of the fewest steps to the target that touch no other post; straight on where no way is free."""
        layout, named = self.world.layout, self.named()
        others = [piece for piece in layout.pieces if piece is not layout.goal]
        way = shortest_way(self.world.mover, layout.goal, others) or towards(self.world.mover, layout.goal)
        return Demo(f'go("{way[0]}")', f"{named[layout.target]} {named[-1]}", " ".join(named))
