"""Rooms, doors, walls and things: the content of the mobile robot's tasks. `base.py` makes it physical.

    house = House(robot=(0, 0, 90), rooms=((0, 0), (1, 0)), doors=(Door(0, 1, 200),), things=(...))
    house.walls()      # ((-1300, -1300, 1300, -1300), ...): the middle lines of the walls

Lengths are whole millimetres and headings whole degrees. Rooms are squares on a grid; room (0, 0) is centred at the
origin, x goes with the columns and y with the rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from saccade.envs.palette import PALETTE

COLOURS = tuple(PALETTE)
SHAPES = ("cube", "ball", "cylinder")
ROOM = 2600
"""From the middle of one wall to that of the opposite one."""
WALL = 50
"""Half the thickness of a wall."""
DOOR = 1100
"""Width of a door; a door as wide as `ROOM` leaves no wall."""
AISLE = 880
"""Between two things that the robot must be able to pass."""

START = 480
"""From the robot's centre to the nearest wall or thing at the start, in millimetres."""
DOOR_MAT = 950
"""Radius of what stays free around the middle of a door."""

Point = tuple[float, float]
Rooms = tuple[tuple[int, int], ...]
"""Column and row of each."""
Wall = tuple[int, int, int, int]
"""x and y of one end and of the other; along x or along y."""


@dataclass(frozen=True)
class Thing:
    """An object: a cube, a ball or a standing cylinder, as high as it is wide.

    Attributes:
        half: half the edge of a cube, else the radius.
        yaw: degrees.
    """

    colour: str
    shape: str
    x: int
    y: int
    half: int
    yaw: int = 0

    @property
    def name(self) -> str:
        """As `red cube`."""
        return f"{self.colour} {self.shape}"

    @property
    def reach(self) -> float:
        """Radius of the circle around it, seen from above."""
        return self.half * math.sqrt(2) if self.shape == "cube" else float(self.half)


@dataclass(frozen=True)
class Door:
    """An opening between two rooms that lie side by side.

    Attributes:
        one, other: indices of the rooms.
        offset: of its middle from the middle of the border, towards greater x or y.
    """

    one: int
    other: int
    offset: int = 0
    width: int = DOOR


@dataclass(frozen=True)
class House:
    """Everything that a task of the mobile robot is made of.

    Attributes:
        robot: x, y and heading at the start.
        rooms: column and row of each.
        doors: the openings.
        things: objects; `target` is the index of the one that counts, or of the room.
        floors: colour of each room's floor, or none.
        screens: walls that stand alone.
        pad: middle of a disc that is painted on the floor.
        words: what the goal names, and `phrase` the number of its wording.
        answer: what a question is to be answered with.
    """

    robot: tuple[int, int, int]
    rooms: Rooms
    doors: tuple[Door, ...] = ()
    things: tuple[Thing, ...] = ()
    target: int = 0
    floors: tuple[str, ...] = ()
    screens: tuple[Wall, ...] = ()
    pad: tuple[int, int] | None = None
    words: str = ""
    phrase: int = 0
    answer: str = ""

    def middle(self, room: int) -> tuple[int, int]:
        """The centre of a room."""
        column, row = self.rooms[room]
        return column * ROOM, row * ROOM

    def walls(self) -> tuple[Wall, ...]:
        """Middle lines of all walls, each once; a door leaves a wall on both of its sides, or on none."""
        doors = {frozenset((self.rooms[door.one], self.rooms[door.other])): door for door in self.doors}
        found: dict[Wall, None] = {}
        for column, row in self.rooms:
            for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                x, y = column * ROOM + dx * ROOM // 2, row * ROOM + dy * ROOM // 2
                door = doors.get(frozenset(((column, row), (column + dx, row + dy))))
                half = ROOM // 2
                edges = [-half, half]
                if door:
                    edges[1:1] = [max(-half, door.offset - door.width // 2), min(half, door.offset + door.width // 2)]
                for start, end in zip(edges[::2], edges[1::2], strict=True):
                    if start < end:
                        found[(x, y + start, x, y + end) if dx else (x + start, y, x + end, y)] = None
        return (*found, *self.screens)

    def room_of(self, x: float, y: float) -> int | None:
        """The room that a place is in, doors half and half."""
        cell = round(x / ROOM), round(y / ROOM)
        return self.rooms.index(cell) if cell in self.rooms else None

    def bounds(self) -> tuple[float, float, float, float]:
        """Least x and y, and greatest."""
        columns, rows = zip(*self.rooms, strict=True)
        return (
            (min(columns) - 0.5) * ROOM,
            (min(rows) - 0.5) * ROOM,
            (max(columns) + 0.5) * ROOM,
            (max(rows) + 0.5) * ROOM,
        )


def draw_rooms(rng: np.random.Generator, count: int) -> tuple[Rooms, tuple[Door, ...]]:
    """A house of so many rooms, grown room by room, with one door to each new one."""
    rooms, doors = [(0, 0)], list[Door]()
    while len(rooms) < count:
        one = int(rng.integers(len(rooms)))
        dx, dy = ((1, 0), (-1, 0), (0, 1), (0, -1))[int(rng.integers(4))]
        new = (rooms[one][0] + dx, rooms[one][1] + dy)
        if new not in rooms:
            doors.append(Door(one, len(rooms), int(rng.integers(-5, 6)) * 100))
            rooms.append(new)
    return tuple(rooms), tuple(doors)


def draw_looks(rng: np.random.Generator, level: int, count: int) -> list[tuple[str, str]]:
    """Colours and shapes, all different: by colour alone below level 3, where it takes both words."""
    colours = [COLOURS[index] for index in rng.permutation(len(COLOURS))]
    shapes = [SHAPES[index] for index in rng.permutation(len(SHAPES))]
    if level == 3:
        return [(colour, shape) for colour in colours[:2] for shape in shapes[:2]][:count]
    return [(colour, SHAPES[int(rng.integers(len(SHAPES)))]) for colour in colours[:count]]


def scatter(
    rng: np.random.Generator,
    looks: Sequence[tuple[str, str]],
    halves: tuple[int, int],
    place: Callable[[], Point],
    apart: float,
    keep: Sequence[tuple[float, float, float]] = (),
) -> tuple[Thing, ...] | None:
    """Things of these looks where `place` puts them, or `None` without room.

    Args:
        rng: draws sizes and directions.
        looks: colour and shape of each.
        halves: least and most `half`.
        place: draws a place that walls allow.
        apart: least gap between two things.
        keep: x, y and radius of circles that things must stay out of.
    """
    placed: list[Thing] = []
    for colour, shape in looks:
        for _ in range(40):
            x, y = (round(each) for each in place())
            half, yaw = int(rng.integers(halves[0], halves[1] + 1)), int(rng.integers(0, 6)) * 15
            thing = Thing(colour, shape, x, y, half, yaw)
            gaps = [math.dist((x, y), (each.x, each.y)) - each.reach - thing.reach - apart for each in placed]
            gaps += [math.dist((x, y), (cx, cy)) - radius - thing.reach for cx, cy, radius in keep]
            if all(gap >= 0 for gap in gaps):
                placed.append(thing)
                break
        else:
            return None
    return tuple(placed)


def furnished(
    rng: np.random.Generator,
    looks: list[tuple[str, str]],
    count: int,
    halves: tuple[int, int],
    margin: int,
    phrases: int,
    pad: bool = False,
) -> House:
    """Rooms with things that the robot can pass, and perhaps a disc on the floor.

    Args:
        rng: draws all of it.
        looks: colour and shape of each thing.
        count: how many rooms.
        halves: least and most `half` of the things.
        margin: between a wall and the middle of a thing.
        phrases: how many wordings the goal has.
        pad: whether there is a disc.
    """
    while True:
        rooms, doors = draw_rooms(rng, count)
        x, y = in_room(rng, rooms, 0, START + 50)
        keep = [(x, y, float(START)), *mats(rooms, doors)]
        disc = in_room(rng, rooms, int(rng.integers(count)), 560) if pad else None
        if disc:
            if math.dist((x, y), disc) < 800 or any(math.dist(mat[:2], disc) < DOOR_MAT for mat in mats(rooms, doors)):
                continue
            keep.append((*disc, 600.0))
        things = scatter(rng, looks, halves, lambda: anywhere(rng, rooms, margin), AISLE, keep)  # noqa: B023 - called here
        if things:
            target = int(rng.integers(len(things)))
            return House(
                (round(x), round(y), int(rng.integers(24)) * 15),
                rooms,
                doors,
                things,
                target,
                pad=(round(disc[0]), round(disc[1])) if disc else None,
                words=things[target].name,
                phrase=int(rng.integers(phrases)),
            )


def in_room(rng: np.random.Generator, rooms: Rooms, room: int, margin: float) -> Point:
    """A place in a room, so far from its walls."""
    bound = ROOM / 2 - margin
    x, y = rng.uniform(-bound, bound, 2)
    return rooms[room][0] * ROOM + float(x), rooms[room][1] * ROOM + float(y)


def anywhere(rng: np.random.Generator, rooms: Rooms, margin: float) -> Point:
    """A place in any room, so far from its walls."""
    return in_room(rng, rooms, int(rng.integers(len(rooms))), margin)


def mats(rooms: Rooms, doors: tuple[Door, ...]) -> list[tuple[float, float, float]]:
    """x, y and radius of what must stay free for the doors."""
    mats = []
    for door in doors:
        (x0, y0), (x1, y1) = rooms[door.one], rooms[door.other]
        along = (0, door.offset) if x0 != x1 else (door.offset, 0)
        mats.append(((x0 + x1) / 2 * ROOM + along[0], (y0 + y1) / 2 * ROOM + along[1], DOOR_MAT - DOOR / 8))
    return mats
