"""Rooms with posts, a robot, and the post to go to. Content only; `control.py` makes it physical.

    make_room(rng, level=2)
    # Room(target=0, robot=(-180, 40), pieces=(Piece('red', 'ball', 130, -120, 60, 0), ...))

Lengths are whole millimetres, with the room's centre as origin, x to the right and y to the top of the picture.
Target and distractors are drawn alike, each at the end of a way of `STEPS`: nothing but the goal tells them apart, and
with one distractor it is nearer than the target in half of the rooms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from saccade.envs.embodied.lattice import ROBOT_RADIUS, ROOM_WIDTH, SURE, fewest_steps, shortest_way
from saccade.envs.embodied.tasks import COLOURS, SHAPES, Layout, Piece, scatter

POSTS = {1: 1, 2: 2, 3: 4}
"""Level -> posts."""
HALVES = {"cube": (54, 60), "ball": (56, 62), "cylinder": (35, 39)}
"""Shape -> least and most of a post's `half`: each is about 12 pixels wide at 64 x 64, a cylinder along its axis."""
STEPS = (3, 6)
"""Least and most steps of the shortest way to any post that touches no other."""


@dataclass(frozen=True)
class Room(Layout):
    """Posts that stand in a room, and where the robot starts."""

    target: int
    robot: tuple[int, int]
    pieces: tuple[Piece, ...]

    @property
    def start(self) -> tuple[int, int]:
        """The place of the robot."""
        return self.robot


def make_room(rng: np.random.Generator, level: int) -> Room:
    """Draw looks, then places until the ways to all posts are as long as they should be, then the target."""
    looks = _looks(rng, level)
    bound = ROOM_WIDTH // 2 - ROBOT_RADIUS - 5
    while True:
        x, y = (int(each) for each in rng.integers(-bound, bound + 1, size=2))
        posts = scatter(rng, looks, HALVES, ROOM_WIDTH, lambda post: _near((x, y), post))  # noqa: B023 - called here
        if posts and all(_reached((x, y), post, [each for each in posts if each is not post]) for post in posts):
            target = int(rng.integers(len(posts)))
            return Room(target, (x, y), tuple(sorted(posts, key=lambda post: post.order)))


def _looks(rng: np.random.Generator, level: int) -> list[tuple[str, str]]:
    """Colour and shape of each post; no two are alike."""
    colours = [COLOURS[index] for index in rng.permutation(len(COLOURS))]
    shapes = [SHAPES[index] for index in rng.permutation(len(SHAPES))]
    if level == 3:  # two colours in two shapes: neither word alone says which
        return [(colour, shape) for colour in colours[:2] for shape in shapes[:2]]
    return [(colour, SHAPES[int(rng.integers(len(SHAPES)))]) for colour in colours[: POSTS[level]]]


def _near(robot: tuple[int, int], post: Piece) -> bool:
    """Whether the way to a post is not too short, should a graze count as a touch, and need not be too long."""
    few, many = STEPS
    return few - 1 <= fewest_steps(robot, post) <= many and not shortest_way(robot, post, [], few - 1, sure=-SURE)


def _reached(robot: tuple[int, int], post: Piece, others: Sequence[Piece]) -> bool:
    """Whether there is a way that is not too long."""
    return bool(shortest_way(robot, post, others, STEPS[1]))
