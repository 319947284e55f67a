"""A way for the robot to its post in steps up, down, left and right that touches nothing else: the fewest steps.

    shortest_way((-200, 150), target, others)    # ["right", "right", "down"]

Steps are as `go` makes them: of one length, shorter only where a wall ends them.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence

from saccade.envs.embodied.tasks import Piece, Point

STEP = 100
"""Length of a step, in millimetres: a sixth of the room."""
ROOM_WIDTH = 600
"""Width and height of the room between its walls."""
ROBOT_RADIUS = 50
MARGIN = 8
"""Kept from the posts that must not be touched, in millimetres."""
SURE = 3
"""By how much a planned touch runs into the post, in millimetres: a graze might miss."""
DRIFT = 0.5
"""What each step ahead adds to both, in millimetres: more than a step errs, so that a way that was free stays free."""
FARTHEST = 24
"""Steps after which no way is looked for: more than any way in a room needs."""
DIRECTIONS: Mapping[str, tuple[int, int]] = {"up": (0, 1), "down": (0, -1), "left": (-1, 0), "right": (1, 0)}

_BOUND = ROOM_WIDTH / 2 - ROBOT_RADIUS


Box = tuple[float, float, float, float, float]
"""A post as the robot's centre meets it: centre, half width, half height, and the radius around these."""


def shortest_way(
    start: Point, target: Piece, others: Sequence[Piece], limit: int = FARTHEST, sure: float = SURE
) -> list[str]:
    """Directions of the fewest steps that end at the target; none where `limit` steps do not suffice.

    Of ways of equal length it is the one whose first step leads straightest to the target: along the longer axis.
    """
    goal, boxes = _box(target), [_box(post) for post in others]
    # A robot that is closer to a post than the margin may leave, but not come nearer.
    needs = [min(MARGIN, _gap(box, start, start) - 1) for box in boxes]
    names = towards(start, target)
    seen = {_key(start)}
    queue: deque[tuple[Point, list[str]]] = deque([(start, [])])
    while queue:
        here, way = queue.popleft()
        ahead = DRIFT * len(way)
        for name in names:
            there = step(here, name)
            until = _touch(goal, here, DIRECTIONS[name], sure + ahead)
            reached = until <= abs(there[0] - here[0]) + abs(there[1] - here[1])
            if reached:
                there = here[0] + until * DIRECTIONS[name][0], here[1] + until * DIRECTIONS[name][1]
            elif _key(there) in seen:
                continue
            if any(_gap(box, here, there) < need + ahead for box, need in zip(boxes, needs, strict=True)):
                continue
            if reached:
                return [*way, name]
            seen.add(_key(there))
            if len(way) + 1 < limit:
                queue.append((there, [*way, name]))
        needs = [MARGIN] * len(boxes)
    return []


def fewest_steps(start: Point, target: Piece) -> int:
    """A lower bound of the length of the shortest way, at most one too low where nothing is in the way."""
    x, y, width, height, radius = _box(target)
    gaps = abs(x - start[0]) - width - radius, abs(y - start[1]) - height - radius
    return sum(max(0, math.ceil(gap / STEP)) for gap in gaps)


def towards(start: Point, target: Piece) -> list[str]:
    """The four directions, the one that leads straightest to the target first."""
    dx, dy = target.x - start[0], target.y - start[1]
    return sorted(DIRECTIONS, key=lambda name: -(dx * DIRECTIONS[name][0] + dy * DIRECTIONS[name][1]))


def step(start: Point, direction: str) -> Point:
    """Where a step leads in an empty room."""
    along = DIRECTIONS[direction]
    x, y = start[0] + STEP * along[0], start[1] + STEP * along[1]
    return min(max(x, -_BOUND), _BOUND), min(max(y, -_BOUND), _BOUND)


def _box(piece: Piece) -> Box:
    if piece.shape == "ball":
        return piece.x, piece.y, 0, 0, piece.half + ROBOT_RADIUS
    width, height = (piece.length, piece.half) if piece.yaw == 0 else (piece.half, piece.length)
    return piece.x, piece.y, width, height, ROBOT_RADIUS


def _gap(box: Box, start: Point, end: Point) -> float:
    """Least gap between a post and the robot on a step."""
    x, y, width, height, radius = box
    aside = max(0.0, min(start[0], end[0]) - x - width, x - width - max(start[0], end[0]))
    above = max(0.0, min(start[1], end[1]) - y - height, y - height - max(start[1], end[1]))
    return math.hypot(aside, above) - radius


def _touch(box: Box, start: Point, direction: tuple[int, int], sure: float) -> float:
    """How far the robot goes until it runs into a post by `sure`; infinite where it passes by."""
    x, y, width, height, radius = box
    dx, dy = x - start[0], y - start[1]
    along, deep, aside = (dx, width, abs(dy) - height) if direction[0] else (dy, height, abs(dx) - width)
    along *= sum(direction)
    reach, aside = radius - sure, max(0.0, aside)
    if along <= 0 or aside >= reach:
        return math.inf
    return max(0.0, along - deep - math.sqrt(reach**2 - aside**2))


def _key(place: Point) -> tuple[int, int]:
    return round(place[0]), round(place[1])
