"""Ways for a round robot between walls and things: the shortest over a grid, then straightened.

    ground = Ground.of(house)
    stop = ground.next_stop((0.0, 0.0), near((2.0, 1.0), 0.0, 0.3), room=0.38)

Lengths are metres. It is the planner of the demonstrations; agents have their eyes.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade.envs.embodied.rover.houses import WALL, House

GRID = 0.1
"""Between two places that a way can bend at."""

Point = tuple[float, float]
Places = NDArray[np.float64]
Goal = Callable[[Places], NDArray[np.bool_]]
"""Which of N places (N x 2) are where the way may end."""


def near(point: Point, least: float, most: float) -> Goal:
    """The places that far from a point."""
    return lambda places: _between(np.hypot(*(places - point).T), least, most)


@dataclass(frozen=True, eq=False)
class Ground:
    """What stands in the way.

    Attributes:
        boxes: N x 4: least x and y, greatest x and y.
        discs: M x 3: x, y and radius.
        bounds: of the grid: least x and y, greatest x and y.
    """

    boxes: Places
    discs: Places
    bounds: tuple[float, float, float, float]

    @classmethod
    def of(cls, house: House, things: Iterable[tuple[float, float, float]] | None = None) -> Ground:
        """A house with its things where they are now (x, y and radius), by default where they were placed."""
        walls = [(x0 - WALL, y0 - WALL, x1 + WALL, y1 + WALL) for x0, y0, x1, y1 in house.walls()]
        if things is None:
            things = [(each.x / 1000, each.y / 1000, each.reach / 1000) for each in house.things]
        discs = np.array(list(things), float).reshape(-1, 3)
        x0, y0, x1, y1 = (each / 1000 for each in house.bounds())
        return cls(np.array(walls, float) / 1000, discs, (x0, y0, x1, y1))

    def clearance(self, places: Places) -> NDArray[np.float64]:
        """How far each of N places is from all that stands there; at most 9."""
        x, y = places[:, :1], places[:, 1:]
        x0, y0, x1, y1 = self.boxes.T
        boxes = np.hypot(np.maximum(0, np.maximum(x0 - x, x - x1)), np.maximum(0, np.maximum(y0 - y, y - y1)))
        discs = np.hypot(x - self.discs[:, 0], y - self.discs[:, 1]) - self.discs[:, 2]
        return np.asarray(np.concatenate([boxes, discs], axis=1).min(axis=1, initial=9.0))

    def free(self, start: Point, end: Point, room: float) -> bool:
        """Whether a circle of radius `room` can go straight from one place to another."""
        share = np.linspace(0, 1, max(2, math.ceil(math.dist(start, end) / 0.03)))[:, None]
        return bool((self.clearance(np.array(start) + share * (np.array(end) - start)) >= room).all())

    def next_stop(self, start: Point, goal: Goal, room: float) -> Point | None:
        """Where to go straight from `start` on the shortest way to the goal; `None` without a way."""
        x0, y0, x1, y1 = self.bounds
        xs, ys = np.arange(x0 + GRID / 2, x1, GRID), np.arange(y0 + GRID / 2, y1, GRID)
        places = np.stack(np.meshgrid(xs, ys, indexing="ij"), axis=-1).reshape(-1, 2)
        wide = self.clearance(places)
        free, ends = wide >= room, goal(places) & (wide >= room)
        if not free.any() or not ends.any():
            return None
        way = _shortest(free, ends, len(ys), int(np.argmin(np.hypot(*(places - start).T) + 9.0 * ~free)))
        stops = [(float(x), float(y)) for x, y in places[way]]
        straight = [stop for stop in stops if self.free(start, stop, room)]
        if straight or not stops:
            return straight[-1] if straight else None
        # Who stands too close to something may leave it, but not come closer.
        loose = float(self.clearance(np.array([start]))[0]) - 1e-6
        return next((stop for stop in reversed(stops[:6]) if self.free(start, stop, loose)), stops[0])


def _shortest(free: NDArray[np.bool_], ends: NDArray[np.bool_], columns: int, start: int) -> list[int]:
    """Indices from `start` to the nearest end over the eight neighbours; empty without a way."""
    steps = [(dx * columns + dy, dy, math.hypot(dx, dy)) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if dx or dy]
    came: dict[int, int] = {}
    queue: list[tuple[float, int, int]] = [(0.0, start, start)]
    while queue:
        length, here, before = heapq.heappop(queue)
        if here in came:
            continue
        came[here] = before
        if ends[here]:
            way = [here]
            while way[-1] != start:
                way.append(came[way[-1]])
            return way[::-1]
        for step, dy, far in steps:
            there = here + step
            inside = 0 <= there < len(free) and 0 <= here % columns + dy < columns
            if inside and free[there] and there not in came:
                heapq.heappush(queue, (length + far, there, here))
    return []


def _between(values: NDArray[np.float64], least: float, most: float) -> NDArray[np.bool_]:
    return np.asarray((values >= least) & (values <= most))
