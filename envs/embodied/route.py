"""A way for the finger to its target that touches nothing else: shortest over a small visibility graph."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

from saccade.envs.embodied.tasks import CLEARANCE, EXTENT, FINGER_RADIUS, Point, distance_to_way

MARGIN = CLEARANCE - 2
"""Kept from the pieces that must not be touched, in millimetres; scenes leave a little more on the straight way."""
MISS = 8
"""By how much a move can miss a bend, in millimetres: moves aim at whole pixels, of 10 mm at 64 x 64."""
CORNERS = 12
"""Places around each piece where a way can bend."""

Obstacle = tuple[Point, float]
"""Centre and radius of the circle around a piece, in millimetres."""


def next_stop(start: Point, goal: Point, obstacles: Sequence[Obstacle]) -> Point:
    """The first bend of the shortest free way from `start` to `goal`, or `goal` itself.

    Where no way is free the answer is `goal`: straight on is as good as any.
    """
    rings = [(centre, radius + FINGER_RADIUS + MARGIN) for centre, radius in obstacles]
    nodes = [start, goal, *(bend for centre, radius in rings for bend in _bends(centre, radius))]

    def free(a: int, b: int) -> bool:
        if a == 0 and b > 1 and math.dist(nodes[0], nodes[b]) < MISS:
            return False  # this bend is where the finger already is
        for centre, radius in rings:
            # The first leg begins where a move ended; a finger that is closer still may leave, but not come nearer.
            need = min(radius - MISS, math.dist(start, centre) - 1e-6) if a == 0 else radius
            if distance_to_way(centre, nodes[a], nodes[b]) < need:
                return False
        return True

    best: dict[int, float] = {}
    queue: list[tuple[float, int, int]] = [(0.0, 0, 1)]  # length so far, node, first node after the start
    while queue:
        length, here, first = heapq.heappop(queue)
        if here in best:
            continue
        best[here] = length
        if here == 1:
            return nodes[first]
        for there in range(1, len(nodes)):
            if there not in best and free(here, there):
                step = math.dist(nodes[here], nodes[there])
                heapq.heappush(queue, (length + step, there, there if here == 0 else first))
    return goal


def _bends(centre: Point, radius: float) -> list[Point]:
    """Points on a circle just outside the ring whose chords stay outside, as far as they are on the table."""
    wide = radius / math.cos(math.pi / CORNERS) + 1
    limit = EXTENT / 2 - MISS
    angles = [2 * math.pi * step / CORNERS for step in range(CORNERS)]
    points = [(centre[0] + wide * math.cos(angle), centre[1] + wide * math.sin(angle)) for angle in angles]
    return [point for point in points if max(abs(point[0]), abs(point[1])) <= limit]
