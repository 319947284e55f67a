"""Grids: mazes, ways over coloured cells, and maps of towns and roads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from saccade.envs.palette import PALETTE
from saccade.envs.qa.canvas import GREY, INK, UNITS, Canvas, Point
from saccade.envs.qa.families.base import LETTERS, NO_ANSWER, Family, Picture, numbers, some, whole
from saccade.envs.qa.tasks import pick

COLOURS = tuple(PALETTE)
MOVES = {"right": (1, 0), "left": (-1, 0), "down": (0, 1), "up": (0, -1)}
Pair = tuple[int, int]


def neighbours(width: int, height: int) -> Iterator[Pair]:
    """All pairs of cells side by side; cells are counted row by row from 0."""
    for cell in range(width * height):
        if cell % width < width - 1:
            yield cell, cell + 1
        if cell < width * (height - 1):
            yield cell, cell + width


def grow(rng: np.random.Generator, pairs: Sequence[Pair], count: int, roots: Sequence[int] = ()) -> tuple[Pair, ...]:
    """Random trees over `count` cells, one for each of the `roots` (Kruskal); one tree without roots."""
    parent = list(range(count))
    rooted = [cell in roots for cell in range(count)]

    def top(cell: int) -> int:
        while parent[cell] != cell:
            parent[cell] = cell = parent[parent[cell]]
        return cell

    kept = []
    for index in rng.permutation(len(pairs)):
        one, other = map(top, pairs[index])
        if one != other and not (rooted[one] and rooted[other]):
            parent[one] = other
            rooted[other] |= rooted[one]
            kept.append(pairs[index])
    return tuple(sorted(kept))


def way(passages: Sequence[Pair], start: int, ends: Sequence[int]) -> tuple[int, ...]:
    """The cells of a shortest way from `start` to the nearest of the `ends`, both included; empty if there is none."""
    beside: dict[int, list[int]] = {}
    for one, other in passages:
        beside.setdefault(one, []).append(other)
        beside.setdefault(other, []).append(one)
    before, queue = {start: start}, [start]
    for cell in queue:
        if cell in ends:
            path = [cell]
            while path[-1] != start:
                path.append(before[path[-1]])
            return tuple(reversed(path))
        for each in beside.get(cell, ()):
            if each not in before:
                before[each] = cell
                queue.append(each)
    return ()


@cache
def _pairs(width: int, height: int) -> tuple[Pair, ...]:
    return tuple(neighbours(width, height))


@dataclass(frozen=True)
class Labyrinth(Picture):
    """A square maze: open passages between cells, a start, and lettered goals; one of them can be reached."""

    side: int
    passages: tuple[Pair, ...]
    start: int
    goals: tuple[int, ...]
    questions = (
        "Which letter can be reached from the red dot?",
        "A mouse sits at the red dot. To which letter does its way lead?",
        "The red dot is in a maze: which letter is not walled off from it?",
    )

    @property
    def path(self) -> tuple[int, ...]:
        """The cells from the start to the goal."""
        return way(self.passages, self.start, self.goals)

    @property
    def answer(self) -> str:
        """The letter of the goal at the end of the way."""
        return LETTERS[self.goals.index(self.path[-1])] if self.path else NO_ANSWER

    @property
    def thought(self) -> str:
        """The way, turn by turn."""
        steps = {1: "right", -1: "left", self.side: "down", -self.side: "up"}
        return " ".join(steps[after - before] for before, after in zip(self.path, self.path[1:], strict=False))

    @property
    def caption(self) -> str:
        """Where the dot and the letters are."""
        places = [("dot", self.start), *zip(LETTERS, self.goals, strict=False)]
        return ", ".join(f"{name} row {at // self.side + 1} column {at % self.side + 1}" for name, at in places)

    def draw(self, canvas: Canvas) -> None:
        """Walls where there is no passage; letters and the dot in their cells."""
        cell = (UNITS - 4) / self.side
        canvas.frame(1, 1, UNITS - 2, UNITS - 2, INK, 2)
        open_ = set(self.passages)
        for one, other in _pairs(self.side, self.side):
            if (one, other) not in open_:
                x, y = 2 + other % self.side * cell, 2 + other // self.side * cell
                wide, high = (2.0, cell + 2) if other == one + 1 else (cell + 2, 2.0)
                canvas.box(x - 1, y - 1, wide, high, INK)
        for letter, at in zip(LETTERS, self.goals, strict=False):
            canvas.text(2 + (at % self.side + 0.5) * cell, 2 + (at // self.side + 0.5) * cell, letter)
        canvas.disc(2 + (self.start % self.side + 0.5) * cell, 2 + (self.start // self.side + 0.5) * cell, 4, "red")


class Mazes(Family):
    """Say which goal a maze leads to: of 2 in 4 x 4 cells, of 3 in 6 x 6, of 4 in 8 x 8."""

    def answers(self) -> tuple[str, ...]:
        """The letters of the goals."""
        return tuple(LETTERS[: self.level + 1])

    def make(self, rng: np.random.Generator, answer: str) -> Labyrinth | None:
        """One tree of passages for each goal; the start is some steps away from the answer's."""
        side = 2 * self.level + 2
        goals = some(rng, range(side * side), len(self.answers()))
        passages = grow(rng, _pairs(side, side), side * side, goals)
        start = whole(rng, 0, side * side - 1)
        path = way(passages, start, goals)
        if len(path) <= side // 2:
            return None
        others = [goal for goal in goals if goal != path[-1]]
        others.insert(LETTERS.index(answer), path[-1])
        return Labyrinth(side, passages, start, tuple(others))


@dataclass(frozen=True)
class Walk(Picture):
    """Coloured cells, a start, and moves."""

    side: int
    cells: tuple[str, ...]
    start: int
    moves: tuple[str, ...]

    @property
    def questions(self) -> tuple[str, ...]:
        """The moves are told."""
        moves = ", ".join(self.moves)
        return (
            f"Start at the dot and go {moves}. Which colour is the cell there?",
            f"From the dot, move {moves}. What colour do you reach?",
        )

    @property
    def path(self) -> tuple[int, ...]:
        """The cells that are entered; it ends early at the border."""
        x, y = self.start % self.side, self.start // self.side
        path = []
        for move in self.moves:
            x, y = x + MOVES[move][0], y + MOVES[move][1]
            if not (0 <= x < self.side and 0 <= y < self.side):
                break
            path.append(y * self.side + x)
        return tuple(path)

    @property
    def answer(self) -> str:
        """The colour of the last cell."""
        return self.cells[self.path[-1]] if len(self.path) == len(self.moves) else NO_ANSWER

    @property
    def thought(self) -> str:
        """The colours on the way."""
        return " ".join(self.cells[cell] for cell in self.path)

    @property
    def caption(self) -> str:
        """The colours row by row, and the dot."""
        rows = (" ".join(self.cells[at : at + self.side]) for at in range(0, len(self.cells), self.side))
        return f"{'; '.join(rows)}; dot in row {self.start // self.side + 1} column {self.start % self.side + 1}"

    def draw(self, canvas: Canvas) -> None:
        """Cells without gaps, a dark dot."""
        cell = UNITS / self.side
        for index, colour in enumerate(self.cells):
            canvas.box(index % self.side * cell, index // self.side * cell, cell - 1, cell - 1, colour)
        x, y = (self.start % self.side + 0.5) * cell, (self.start // self.side + 0.5) * cell
        canvas.disc(x, y, 5, (255, 255, 255))
        canvas.disc(x, y, 3.5, INK)


class Walks(Family):
    """Follow 2, 4 or 7 moves over 3 x 3, 4 x 4 or 6 x 6 coloured cells."""

    def answers(self) -> tuple[str, ...]:
        """The colours."""
        return COLOURS

    def make(self, rng: np.random.Generator, answer: str) -> Walk:
        """A way that stays inside and never turns straight back; its last cell takes the colour."""
        side, count = ((3, 2), (4, 4), (6, 7))[self.level - 1]
        start = whole(rng, 0, side * side - 1)
        x, y, last = start % side, start // side, (0, 0)
        moves: list[str] = []
        for _ in range(count):
            inside = [
                (name, (dx, dy))
                for name, (dx, dy) in MOVES.items()
                if 0 <= x + dx < side and 0 <= y + dy < side and (dx, dy) != (-last[0], -last[1])
            ]
            name, last = pick(rng, inside)
            x, y = x + last[0], y + last[1]
            moves.append(name)
        cells = [COLOURS[int(index)] for index in rng.integers(0, len(COLOURS), side * side)]
        cells[y * side + x] = answer
        return Walk(side, tuple(cells), start, tuple(moves))


@dataclass(frozen=True)
class Roads(Picture):
    """Towns with letters at places, and roads between them."""

    places: tuple[tuple[int, int], ...]
    roads: tuple[Pair, ...]
    start: int
    end: int

    @property
    def questions(self) -> tuple[str, ...]:
        """The shortest way is asked, in roads."""
        start, end = LETTERS[self.start], LETTERS[self.end]
        return (
            f"How many roads does the shortest way from {start} to {end} take?",
            f"From {start} to {end}: how many roads at least?",
            f"What is the least number of roads between {start} and {end}?",
        )

    @property
    def path(self) -> tuple[int, ...]:
        """The towns of a shortest way."""
        return way(self.roads, self.start, (self.end,))

    @property
    def answer(self) -> str:
        """The number of roads."""
        return str(len(self.path) - 1)

    @property
    def thought(self) -> str:
        """The towns on the way."""
        return " ".join(LETTERS[town] for town in self.path)

    @property
    def caption(self) -> str:
        """All roads, by their ends."""
        return "roads " + ", ".join(f"{LETTERS[one]}{LETTERS[other]}" for one, other in self.roads)

    def draw(self, canvas: Canvas) -> None:
        """Roads, then towns over their ends."""
        for one, other in self.roads:
            canvas.line(self.places[one], self.places[other], GREY, 2.5)
        for letter, (x, y) in zip(LETTERS, self.places, strict=False):
            canvas.disc(x, y, 8, "yellow")
            canvas.text(x, y, letter)


SHAPES_OF_MAPS: Mapping[int, tuple[int, int]] = {1: (3, 2), 2: (3, 3), 3: (3, 4)}
"""Level -> towns in a row, and rows."""


class RoadMaps(Family):
    """Find the shortest way: up to 3 roads among 6 towns, 4 among 9, 6 among 12."""

    def answers(self) -> tuple[str, ...]:
        """Numbers of roads."""
        return numbers(1, (3, 4, 6)[self.level - 1])

    def make(self, rng: np.random.Generator, answer: str) -> Roads | None:
        """A tree of roads and a few more; two towns at that distance, if there are."""
        width, height = SHAPES_OF_MAPS[self.level]
        count, pairs = width * height, _pairs(width, height)
        names = some(rng, range(count), count)
        kept = {*grow(rng, pairs, count), *some(rng, pairs, self.level)}
        roads = tuple(sorted((min(ends), max(ends)) for a, b in kept for ends in [(names[a], names[b])]))
        start = whole(rng, 0, count - 1)
        ends = [town for town in range(count) if len(way(roads, start, (town,))) == int(answer) + 1]
        if not ends:
            return None
        cell: Point = (UNITS / width, UNITS / height)
        spots = {
            name: tuple(int((at + 0.5) * each) for at, each in zip((index % width, index // width), cell, strict=True))
            for index, name in enumerate(names)
        }
        shift = rng.integers(-4, 5, (count, 2))
        places = tuple((spots[town][0] + int(dx), spots[town][1] + int(dy)) for town, (dx, dy) in enumerate(shift))
        return Roads(places, roads, start, pick(rng, ends))
