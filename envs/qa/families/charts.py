"""Charts and tables of real numbers: measurements of flowers, wines, tumours and people, from scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np

from saccade.envs.errors import ConfigError
from saccade.envs.palette import PALETTE
from saccade.envs.qa.canvas import INK, PALE, UNITS, Canvas
from saccade.envs.qa.families.base import LETTERS, NO_ANSWER, Family, Picture, leads, some, whole
from saccade.envs.qa.tasks import pick

COLOURS = tuple(PALETTE)
COLUMNS = {
    "iris": {"sepal": 0, "petal": 2},
    "wine": {"malic": 1, "ash": 2, "hue": 10},
    "breast_cancer": {"size": 0, "grain": 1},
    "diabetes": {"age": 0, "bmi": 2, "bp": 3},
}
"""Loader in `sklearn.datasets` -> short name -> column; names that fit into a chart."""
RANKS = {"highest": 0, "lowest": -1, "second highest": 1, "second lowest": -2}
LEAD = 0.05
"""Share of the largest value by which neighbours in rank must differ: they can be told apart."""


@cache
def columns() -> Mapping[str, tuple[float, ...]]:
    """`iris petal` -> its values, read once a process; names of two words: the table and the column."""
    try:
        from sklearn import datasets
    except ImportError as error:
        raise ConfigError("charts need scikit-learn; install it with `pip install saccade[qa]`") from error
    found: dict[str, tuple[float, ...]] = {}
    for table, names in COLUMNS.items():
        load: Callable[..., object] = getattr(datasets, f"load_{table}")
        data = load(scaled=False) if table == "diabetes" else load()
        for name, index in names.items():
            found[f"{table} {name}"] = tuple(float(row[index]) for row in data.data)  # type: ignore[attr-defined]
    return found


def draw_rows(rng: np.random.Generator, count: int) -> tuple[str, tuple[float, ...]]:
    """A column's short name, and `count` of its values, in random order."""
    column = pick(rng, tuple(columns()))
    return column.split()[1], some(rng, columns()[column], count)


def ranked(values: Sequence[float], rank: str) -> int | None:
    """Which value has the rank; `None` where it is not plain."""
    order = sorted(range(len(values)), key=lambda index: -values[index])
    at = RANKS[rank] % len(values)
    near = [values[index] for index in order[max(0, at - 1) : at + 2]]
    gap = LEAD * max(values)
    return order[at] if all(leads(pair, gap) for pair in pairwise(near)) else None


def _placed(values: Sequence[float], rank: str, at: int) -> tuple[float, ...]:
    """The values with the one of that rank moved to place `at`."""
    rest = list(values)
    found = ranked(values, rank)
    rest.insert(at, rest.pop(found if found is not None else at))
    return tuple(rest)


@dataclass(frozen=True)
class Bars(Picture):
    """Bars named by letters."""

    name: str
    values: tuple[float, ...]
    rank: str
    colour: str

    @property
    def questions(self) -> tuple[str, ...]:
        """A rank is asked."""
        return f"Which bar is the {self.rank}?", f"What is the letter of the {self.rank} bar?"

    @property
    def answer(self) -> str:
        """The letter of the bar."""
        found = ranked(self.values, self.rank)
        return NO_ANSWER if found is None else LETTERS[found]

    @property
    def thought(self) -> str:
        """The letters in the order of heights, as far as needed."""
        order = sorted(range(len(self.values)), key=lambda index: -self.values[index])
        if RANKS[self.rank] < 0:
            order.reverse()
        return " ".join(LETTERS[index] for index in order[: 2 if "second" in self.rank else 1])

    @property
    def caption(self) -> str:
        """Each bar's share of the highest, in tenths."""
        tenths = (f"{LETTERS[index]} {round(10 * each / max(self.values))}" for index, each in enumerate(self.values))
        return f"{self.name}: " + ", ".join(tenths)

    def draw(self, canvas: Canvas) -> None:
        """Title, bars from a floor, letters below, the highest value at the axis."""
        canvas.text(UNITS / 2, 6, self.name)
        width = 90 / len(self.values)
        for index, value in enumerate(self.values):
            height = 78 * value / max(self.values)
            canvas.box(18 + index * width + 1, 98 - height, width - 3, height, self.colour)
            canvas.text(18 + (index + 0.5) * width, 105, LETTERS[index])
        canvas.box(16, 14, 1, 85, INK)
        canvas.box(16, 98, 94, 1, INK)


class BarCharts(Family):
    """Rank bars: the highest of 3, the highest or lowest of 5, also the second of 8."""

    def answers(self) -> tuple[str, ...]:
        """The letters of the bars."""
        return tuple(LETTERS[: (3, 5, 8)[self.level - 1]])

    def make(self, rng: np.random.Generator, answer: str) -> Bars:
        """Real rows; the one that is asked for moves to the answer's place."""
        rank = pick(rng, tuple(RANKS)[: (1, 2, 4)[self.level - 1]])
        name, values = draw_rows(rng, len(self.answers()))
        return Bars(name, _placed(values, rank, LETTERS.index(answer)), rank, pick(rng, COLOURS))


@dataclass(frozen=True)
class Lines(Picture):
    """One or two lines over points named by letters; the colour of each."""

    name: str
    lines: tuple[tuple[float, ...], ...]
    colours: tuple[str, ...]
    asked: str

    @property
    def questions(self) -> tuple[str, ...]:
        """A letter is asked."""
        if self.asked == "gap":
            return "At which letter are the two lines furthest apart?", "Where is the gap between the lines the widest?"
        return (
            f"At which letter does the {self.colours[0]} line have its {self.asked} point?",
            f"Where is the {self.colours[0]} line at its {self.asked}?",
        )

    @property
    def measured(self) -> tuple[float, ...]:
        """What is ranked: the first line, or the distance of the two."""
        if self.asked == "gap":
            return tuple(abs(one - other) for one, other in zip(*self.lines, strict=True))
        return self.lines[0]

    @property
    def answer(self) -> str:
        """The letter."""
        found = ranked(self.measured, "highest" if self.asked == "gap" else self.asked)
        return NO_ANSWER if found is None or not self._plain(found) else LETTERS[found]

    def _plain(self, found: int) -> bool:
        """Whether the gap there leads by a share of the whole height, too."""
        others = [each for index, each in enumerate(self.measured) if index != found]
        return self.asked != "gap" or self.measured[found] - max(others) >= LEAD * max(map(max, self.lines))

    @property
    def thought(self) -> str:
        """The letter's neighbourhood in numbers: tenths of the largest value."""
        most = max(map(max, self.lines))
        at = LETTERS.index(self.answer)
        tenths = [str(round(10 * line[at] / most)) for line in self.lines]
        return f"{self.asked}: " + " and ".join(tenths if self.asked == "gap" else tenths[:1]) + " tenths"

    @property
    def caption(self) -> str:
        """Each line in tenths of the largest value."""
        most = max(map(max, self.lines))
        return f"{self.name}: " + "; ".join(
            f"{colour} {' '.join(str(round(10 * each / most)) for each in line)}"
            for colour, line in zip(self.colours, self.lines, strict=True)
        )

    def draw(self, canvas: Canvas) -> None:
        """Title, letters below, a faint upright at each, dots joined by lines."""
        canvas.text(UNITS / 2, 6, self.name)
        most, step = max(map(max, self.lines)), 92 / len(self.lines[0])
        for index in range(len(self.lines[0])):
            canvas.box(16 + (index + 0.5) * step, 14, 1, 84, PALE)
            canvas.text(16 + (index + 0.5) * step, 105, LETTERS[index])
        canvas.box(14, 14, 1, 85, INK)
        canvas.box(14, 98, 96, 1, INK)
        for line, colour in reversed(list(zip(self.lines, self.colours, strict=True))):
            dots = [(16.5 + (index + 0.5) * step, 97 - 78 * each / most) for index, each in enumerate(line)]
            canvas.lines(dots, colour, 2)
            for x, y in dots:
                canvas.disc(x, y, 2.5, colour)


class LineCharts(Family):
    """Find a point: the highest of a line of 4; highest or lowest on one of two lines of 6; the widest gap in 8."""

    def answers(self) -> tuple[str, ...]:
        """The letters of the points."""
        return tuple(LETTERS[: (4, 6, 8)[self.level - 1]])

    def make(self, rng: np.random.Generator, answer: str) -> Lines:
        """Real rows; those at the answer's place are exchanged with those that fit the question."""
        count, at = len(self.answers()), LETTERS.index(answer)
        name, values = draw_rows(rng, count * min(self.level, 2))
        lines = tuple(values[start : start + count] for start in range(0, len(values), count))
        asked = "gap" if self.level == 3 else pick(rng, ("highest", "lowest")[: self.level])
        content = Lines(name, lines, some(rng, COLOURS, len(lines)), asked)
        found = ranked(content.measured, "highest" if asked == "gap" else asked)
        order = list(range(count))
        if found is not None:
            order[at], order[found] = found, at
        return Lines(name, tuple(tuple(line[index] for index in order) for line in lines), content.colours, asked)


@dataclass(frozen=True)
class Pie(Picture):
    """Shares of a whole, clockwise from `turn` degrees."""

    name: str
    values: tuple[float, ...]
    colours: tuple[str, ...]
    turn: int
    rank: str

    @property
    def questions(self) -> tuple[str, ...]:
        """A rank of shares is asked."""
        rank = self.rank.replace("highest", "largest").replace("lowest", "smallest")
        return f"Which colour has the {rank} share?", f"What colour is the {rank} slice?"

    @property
    def answer(self) -> str:
        """The colour of the share."""
        found = ranked(self.values, self.rank)
        return NO_ANSWER if found is None else self.colours[found]

    @property
    def thought(self) -> str:
        """The percentages of the first two in the asked order."""
        order = sorted(range(len(self.values)), key=lambda index: -self.values[index])
        if RANKS[self.rank] < 0:
            order.reverse()
        return ", ".join(self._share(index) for index in order[:2])

    @property
    def caption(self) -> str:
        """All percentages, clockwise."""
        return f"{self.name}: " + ", ".join(map(self._share, range(len(self.values))))

    def _share(self, index: int) -> str:
        return f"{self.colours[index]} {round(100 * self.values[index] / sum(self.values))}%"

    def draw(self, canvas: Canvas) -> None:
        """Title and slices."""
        canvas.text(UNITS / 2, 6, self.name)
        start = float(self.turn)
        for value, colour in zip(self.values, self.colours, strict=True):
            stop = start + 360 * value / sum(self.values)
            canvas.sector(UNITS / 2, 61, 46, start, stop, colour)
            start = stop


class PieCharts(Family):
    """Name the colour of a share: the largest of 3, the largest or smallest of 4, also the second of 6."""

    def answers(self) -> tuple[str, ...]:
        """The colours."""
        return COLOURS

    def make(self, rng: np.random.Generator, answer: str) -> Pie:
        """Real rows; the share that is asked for takes the colour of the answer."""
        count = (3, 4, 6)[self.level - 1]
        rank = pick(rng, tuple(RANKS)[: (1, 2, 4)[self.level - 1]])
        name, values = draw_rows(rng, count)
        colours = list(some(rng, [colour for colour in COLOURS if colour != answer], count - 1))
        colours.insert(ranked(values, rank) or 0, answer)
        return Pie(name, values, tuple(colours), whole(rng, 0, 359), rank)


@dataclass(frozen=True)
class Sheet(Picture):
    """Rows named by letters, columns by what was measured; values as they are written."""

    names: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]
    column: int
    rank: str

    @property
    def questions(self) -> tuple[str, ...]:
        """The row of a rank is asked."""
        name = self.names[self.column]
        return f"Which row has the {self.rank} {name}?", f"In which row is {name} the {self.rank}?"

    @property
    def values(self) -> tuple[float, ...]:
        """The column that is asked about."""
        return tuple(row[self.column] for row in self.rows)

    @property
    def answer(self) -> str:
        """The letter of the row."""
        found = ranked(self.values, self.rank)
        return NO_ANSWER if found is None else LETTERS[found]

    @property
    def thought(self) -> str:
        """The column's values, from top to bottom."""
        return f"{self.names[self.column]}: " + " ".join(map(written, self.values))

    @property
    def caption(self) -> str:
        """The table, row by row."""
        rows = (f"{LETTERS[at]} {' '.join(map(written, row))}" for at, row in enumerate(self.rows))
        return f"{' '.join(self.names)}; " + "; ".join(rows)

    def draw(self, canvas: Canvas) -> None:
        """Names above, letters to the left, numbers between lines."""
        wide, high = 96 / len(self.names), 96 / len(self.rows)
        for index, name in enumerate(self.names):
            canvas.text(16 + (index + 0.5) * wide, 7, name)
        for index, row in enumerate(self.rows):
            canvas.box(0, 14 + index * high, UNITS, 1, PALE)
            canvas.text(7, 14 + (index + 0.5) * high, LETTERS[index])
            for at, value in enumerate(row):
                canvas.text(16 + (at + 0.5) * wide, 14 + (index + 0.5) * high, written(value))


def written(value: float) -> str:
    """At most four characters."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


class Tables(Family):
    """Rank the rows of a table by one column: of 3 x 1, 5 x 2, 8 x 3 numbers, at last also the second."""

    def answers(self) -> tuple[str, ...]:
        """The letters of the rows."""
        return tuple(LETTERS[: (3, 5, 8)[self.level - 1]])

    def make(self, rng: np.random.Generator, answer: str) -> Sheet:
        """Real rows of different columns; those of the column that is asked about take their places."""
        rank = pick(rng, tuple(RANKS)[: (1, 2, 4)[self.level - 1]])
        drawn = some(rng, tuple(columns()), self.level)
        count, column = len(self.answers()), whole(rng, 0, self.level - 1)
        values = [some(rng, columns()[name], count) for name in drawn]
        values[column] = _placed(values[column], rank, LETTERS.index(answer))
        names = tuple(name.split()[1] for name in drawn)
        return Sheet(names, tuple(zip(*values, strict=True)), column, rank)
