"""A whole environment in one file: walk a dot to a ring on a grid, one move a turn.

import gymnasium as gym
env = gym.make("grid_walk:GridWalk-v0", size=4)      # with this file's folder on PYTHONPATH
"""

from dataclasses import dataclass

import gymnasium as gym
import numpy as np

from saccade.envs.actions import ActionSet, Param, verb
from saccade.envs.core import LanguageEnv, Outcome
from saccade.envs.episode import Cause, Demo
from saccade.envs.observation import Image, Observation

MOVES = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}


@dataclass(frozen=True)
class Maze:
    start: tuple[int, int]
    goal: tuple[int, int]


class GridWalk(LanguageEnv):
    """Walk the blue dot to the red ring; every move shows a new picture."""

    instructions = "Walk the blue dot to the red ring."
    action_format = ActionSet(verb("move", "Move one cell.", direction=Param("str", choices=tuple(MOVES))))

    def __init__(self, *, size: int = 4, **settings):
        super().__init__(**{"max_turns": 2 * (size - 1)} | settings)
        self.size = size

    def begin(self, rng):
        def maze(rng):
            cells = rng.choice(self.size**2, size=2, replace=False)
            return Maze(*(tuple(int(n) for n in divmod(cell, self.size)) for cell in cells))

        self.maze = self.draw(maze, rng)
        self.at = self.maze.start
        return Observation.of("Reach the ring.", self.picture())

    def act(self, call):
        dx, dy = MOVES[call.args["direction"]]
        self.at = tuple(int(n) for n in np.clip((self.at[0] + dx, self.at[1] + dy), 0, self.size - 1))
        there = self.at == self.maze.goal
        return Outcome(Observation.of(self.picture()), reward=float(there), ended=Cause.GOAL if there else None)

    def state(self):
        return [self.maze.goal, self.at]

    def demo(self):
        while self.at != self.maze.goal:
            dx, dy = np.sign(np.subtract(self.maze.goal, self.at))
            name = next(n for n, step in MOVES.items() if step == ((dx, 0) if dx else (0, dy)))
            yield Demo(f'move("{name}")', thought=f"go {name}")

    def picture(self):
        cells = np.full((self.size, self.size, 3), 245, np.uint8)
        cells[self.maze.goal[1], self.maze.goal[0]] = (220, 40, 40)
        cells[self.at[1], self.at[0]] = (37, 80, 230)
        return Image(cells.repeat(64 // self.size, 0).repeat(64 // self.size, 1))


gym.register("GridWalk-v0", entry_point=GridWalk)
