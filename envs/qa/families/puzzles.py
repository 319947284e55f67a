"""Puzzles: a missing number, a missing piece of a pattern, the piece that fits, sums of handwritten digits."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from saccade.envs.palette import PALETTE, SHAPES
from saccade.envs.qa.canvas import GREY, INK, PALE, UNITS, Canvas
from saccade.envs.qa.families.base import LETTERS, NO_ANSWER, Family, Picture, numbers, some, whole
from saccade.envs.qa.tasks import Digit, digits, pick

COLOURS = tuple(PALETTE)
ASKED, BLANK = "?", "."


@dataclass(frozen=True)
class Latin(Picture):
    """A square in which each row and column holds the same digits once; some are left out, one is asked for."""

    rows: tuple[str, ...]
    questions = (
        "Each row and each column holds the same digits, each once. Which digit belongs at the question mark?",
        "No digit repeats in a row or a column, and all use the same digits. What is the question mark?",
    )

    @property
    def place(self) -> tuple[int, int]:
        """Row and column of the question mark."""
        row = next(index for index, line in enumerate(self.rows) if ASKED in line)
        return row, self.rows[row].index(ASKED)

    @property
    def seen(self) -> tuple[str, str, str]:
        """The digits of its row, of its column, and of all."""
        row, column = self.place
        down = "".join(line[column] for line in self.rows)
        groups = (self.rows[row], down, "".join(self.rows))
        return groups[0], groups[1], "".join(sorted(set(groups[2]) - {ASKED, BLANK}))

    @property
    def answer(self) -> str:
        """The one digit that is neither in its row nor in its column."""
        across, down, all_ = self.seen
        left = [digit for digit in all_ if digit not in across + down]
        return left[0] if len(left) == 1 and len(all_) == len(self.rows) else NO_ANSWER

    @property
    def thought(self) -> str:
        """The digits that are used, and those in its row and column."""
        across, down, all_ = (" ".join(sorted(set(each) - {ASKED, BLANK})) for each in self.seen)
        return f"of {all_}, row {across}, column {down}"

    @property
    def caption(self) -> str:
        """The rows."""
        return "; ".join(" ".join(row) for row in self.rows)

    def draw(self, canvas: Canvas) -> None:
        """Boxes with digits."""
        cell = UNITS / len(self.rows)
        for row, line in enumerate(self.rows):
            for column, digit in enumerate(line):
                canvas.frame(column * cell, row * cell, cell, cell, GREY)
                if digit != BLANK:
                    x, y = (column + 0.5) * cell, (row + 0.5) * cell
                    canvas.text(x, y, digit, PALETTE["red"] if digit == ASKED else INK, 2)


class LatinSquares(Family):
    """Find the digit that is missing: 3 x 3, 4 x 4 with 5 more left out, 5 x 5 with 11 more left out."""

    def answers(self) -> tuple[str, ...]:
        """Digits; each square uses some of them."""
        return numbers(1, 9)

    def make(self, rng: np.random.Generator, answer: str) -> Latin:
        """A cyclic square, its rows, columns and digits shuffled."""
        side, blanks = ((3, 0), (4, 5), (5, 11))[self.level - 1]
        used = [answer, *some(rng, [digit for digit in self.answers() if digit != answer], side - 1)]
        down, across = rng.permutation(side), rng.permutation(side)
        square = [[used[int(row + column) % side] for column in across] for row in down]
        cells = some(rng, range(side * side), side * side)
        at = next(cell for cell in cells if square[cell // side][cell % side] == answer)
        for cell in [cell for cell in cells if cell != at][:blanks]:
            square[cell // side][cell % side] = BLANK
        square[at // side][at % side] = ASKED
        return Latin(tuple("".join(row) for row in square))


Look = tuple[int, str, str]
"""How many, which colour, which shape."""


@dataclass(frozen=True)
class Pattern(Picture):
    """Nine cells that follow rules by row and column; one is left out (`None`)."""

    cells: tuple[Look | None, ...]
    counted: bool

    @property
    def questions(self) -> tuple[str, ...]:
        """What is missing is asked."""
        how = "number, colour and shape, as in 2 red squares" if self.counted else "colour and shape"
        return f"Which thing belongs in the empty cell? Say {how}.", f"Complete the pattern: say {how}."

    @property
    def answer(self) -> str:
        """What the rules say of number, colour and shape."""
        found = [self._rule([cell and cell[part] for cell in self.cells]) for part in range(3)]
        if None in found:
            return NO_ANSWER
        count, colour, shape = found
        return named(int(str(count)), str(colour), str(shape), self.counted)

    def _rule(self, values: Sequence[Hashable]) -> Hashable:
        """The missing value: alike in its row, alike in its column, or the third one in both."""
        at = values.index(None)
        rows = [values[start : start + 3] for start in (0, 3, 6)]
        columns = [values[start::3] for start in (0, 1, 2)]
        mine = [{*rows[at // 3]} - {None}, {*columns[at % 3]} - {None}]
        for lines, line in ((rows, at // 3), (columns, at % 3)):
            if all(len({*each} - {None}) == 1 for each in lines):
                return next(iter({*lines[line]} - {None}))
        left = {*values} - {None} - mine[0]
        return next(iter(left)) if len(left) == 1 and left == {*values} - {None} - mine[1] else None

    @property
    def thought(self) -> str:
        """For each property: what its whole row or column has, or what the rest of both has."""
        at = self.cells.index(None)
        rules = []
        for part in range(0 if self.counted else 1, 3):
            row = [str(cell[part]) for cell in self.cells[at // 3 * 3 : at // 3 * 3 + 3] if cell]
            column = [str(cell[part]) for cell in self.cells[at % 3 :: 3] if cell]
            alike = [name for name, line in (("row", row), ("column", column)) if len({*line}) == 1]
            if alike:
                rules.append(f"{alike[0]} of {(row if alike[0] == 'row' else column)[0]}")
            else:
                rules.append(f"row {' '.join(row)}, column {' '.join(column)}")
        return "; ".join(rules)

    @property
    def caption(self) -> str:
        """The cells row by row."""
        names = [named(*cell, self.counted) if cell else "empty" for cell in self.cells]
        return "; ".join(", ".join(names[start : start + 3]) for start in (0, 3, 6))

    def draw(self, canvas: Canvas) -> None:
        """Boxes with one to three things."""
        cell = UNITS / 3
        for index, look in enumerate(self.cells):
            x, y = index % 3 * cell, index // 3 * cell
            canvas.frame(x, y, cell, cell, GREY)
            count, colour, shape = look or (0, "", "")
            for number in range(count):
                width = 20 if count == 1 else 8
                canvas.shape(shape, x + cell * (number + 1) / (count + 1), y + cell / 2, width, colour)
            if look is None:
                canvas.text(x + cell / 2, y + cell / 2, "?", INK, 2)


def named(count: int, colour: str, shape: str, counted: bool) -> str:
    """`red circle`, or with the number, `2 red circles`."""
    return f"{count} {colour} {shape}{'s' if count > 1 else ''}" if counted else f"{colour} {shape}"


class Patterns(Family):
    """Complete a pattern: rows of a shape and columns of a colour, each once in a row, numbers as well."""

    def answers(self) -> tuple[str, ...]:
        """Looks, at last with numbers."""
        counts = (1, 2, 3) if self.level == 3 else (1,)
        return tuple(
            named(count, colour, shape, self.level == 3) for count in counts for colour in COLOURS for shape in SHAPES
        )

    def make(self, rng: np.random.Generator, answer: str) -> Pattern:
        """Rules at random; a cell that has the answer is left out."""
        *number, colour, shape = answer.removesuffix("s").split()
        colours = [colour, *some(rng, [each for each in COLOURS if each != colour], 2)]
        shapes = [shape, *some(rng, [each for each in SHAPES if each != shape], 2)]
        count = int(number[0]) if number else 1
        counts = [count, *some(rng, [each for each in (1, 2, 3) if each != count], 2)] if number else [1, 1, 1]
        at, turn, lean = whole(rng, 0, 8), whole(rng, 0, 1), pick(rng, (1, 2))
        cells: list[Look | None] = []
        for index in range(9):
            row, column = index // 3 - at // 3, index % 3 - at % 3
            if self.level == 1:
                first, second = (row, column) if turn else (column, row)
            else:
                first, second = row + lean * column, row - lean * column
            third = row if turn else column
            cells.append((counts[third % 3], colours[first % 3], shapes[second % 3]))
        cells[at] = None
        return Pattern(tuple(cells), self.level == 3)


Piece = tuple[int, int, int]
"""Where a piece comes from, and how it is turned over: 0 not, 1 left to right, 2 top to bottom."""
HIGH = 76
"""Units of a jigsaw's picture; the pieces lie below."""


@dataclass(frozen=True)
class Cut(Picture):
    """A picture of waves with a square hole, and lettered pieces of which one was cut out.

    Attributes:
        waves: for each, how often it repeats across and down in tenths, its phase in degrees, and its three colours.
    """

    waves: tuple[tuple[int, ...], ...]
    hole: tuple[int, int]
    side: int
    pieces: tuple[Piece, ...]
    questions = (
        "Which piece fits into the hole?",
        "One of the pieces below was cut out of the picture. Which letter has it?",
        "Find the missing piece of the jigsaw.",
    )

    @property
    def answer(self) -> str:
        """The letter of the piece that comes from the hole and is not turned over."""
        right = [index for index, piece in enumerate(self.pieces) if piece == (*self.hole, 0)]
        return LETTERS[right[0]] if len(right) == 1 else NO_ANSWER

    @property
    def caption(self) -> str:
        """Where the hole is."""
        places = (("left", "middle", "right"), ("top", "middle", "bottom"))
        x, y = (
            names[min(2, at * 3 // room)]
            for names, at, room in zip(places, self.hole, (UNITS - self.side, HIGH - self.side), strict=True)
        )
        return f"hole of {self.side} at the {y} {x}, {len(self.pieces)} pieces"

    @property
    def thought(self) -> str:
        """Where the hole is."""
        return self.caption.split(",")[0]

    def texture(self, canvas: Canvas) -> NDArray[np.float32]:
        """The whole picture before it is cut, levels 0 to 255."""
        units = canvas.columns() / np.float32(UNITS)
        x, y = units[None, :], units[: round(HIGH * canvas.scale), None]
        levels = np.full((y.shape[0], x.shape[1], 3), 128, np.float32)
        for across, down, phase, *colour in self.waves:
            turns = x * np.float32(across / 10) + y * np.float32(down / 10) + np.float32(phase / 360)
            levels += np.sin(turns * np.float32(2 * np.pi))[..., None] * np.array(colour, np.float32)
        return np.clip(levels, 0, 255)

    def cut(self, canvas: Canvas, texture: NDArray[np.float32], piece: Piece) -> NDArray[np.float32]:
        """The pixels of a piece."""
        x, y, over = piece
        left, top, side = (round(each * canvas.scale) for each in (x, y, self.side))
        found = texture[top : top + side, left : left + side]
        return found[:, ::-1] if over == 1 else found[::-1] if over == 2 else found

    def draw(self, canvas: Canvas) -> None:
        """The picture, its hole, the pieces in a row."""
        texture = self.texture(canvas)
        canvas.paste(0, 0, texture)
        canvas.box(*self.hole, self.side, self.side, PALE)
        canvas.frame(*self.hole, self.side, self.side, INK)
        step = UNITS / len(self.pieces)
        for index, piece in enumerate(self.pieces):
            canvas.text((index + 0.5) * step, 81, LETTERS[index])
            canvas.paste((index + 0.5) * step - self.side / 2, 87, self.cut(canvas, texture, piece))


class Jigsaws(Family):
    """Find the piece that fits: of 2, of 4 some of which are turned over, of 6 small ones."""

    def answers(self) -> tuple[str, ...]:
        """The letters of the pieces."""
        return tuple(LETTERS[: 2 * self.level])

    def make(self, rng: np.random.Generator, answer: str) -> Cut:
        """Other pieces come from at least half a side away, or are turned over."""
        side = (24, 22, 17)[self.level - 1]
        hole = whole(rng, 2, UNITS - side - 2), whole(rng, 2, HIGH - side - 2)
        waves = tuple(
            (*(int(each) for each in rng.integers(-35, 36, 2)), whole(rng, 0, 359), *rng.integers(-70, 71, 3).tolist())
            for _ in range(4)
        )
        pieces: list[Piece] = [(*hole, 1), (*hole, 2)][: self.level - 1]
        while len(pieces) < len(self.answers()) - 1:
            x, y = whole(rng, 0, UNITS - side), whole(rng, 0, HIGH - side)
            if all(max(abs(x - a), abs(y - b)) >= side / 2 for a, b, _ in [(*hole, 0), *pieces]):
                pieces.append((x, y, 0))
        pieces = list(some(rng, pieces, len(pieces)))
        pieces.insert(LETTERS.index(answer), (*hole, 0))
        return Cut(waves, hole, side, tuple(pieces))


@dataclass(frozen=True)
class Addends(Picture):
    """Handwritten digits in a row, or in two."""

    digits: tuple[Digit, ...]
    questions = ("What is the sum of the digits?", "Add up all the digits.", "Read the digits and add them.")

    @property
    def answer(self) -> str:
        """Their sum."""
        return str(sum(digit.label for digit in self.digits))

    @property
    def thought(self) -> str:
        """The digits, as a sum."""
        return " + ".join(str(digit.label) for digit in self.digits)

    @property
    def caption(self) -> str:
        """The digits."""
        return "digits " + " ".join(str(digit.label) for digit in self.digits)

    def draw(self, canvas: Canvas) -> None:
        """Each of the 8 x 8 levels a block."""
        side = 48
        for index, digit in enumerate(self.digits):
            x, y = 4 + index % 2 * 56, (32 if len(self.digits) <= 2 else 4 + index // 2 * 56)
            ink = np.frombuffer(digit.ink, np.uint8).reshape(8, 8)
            pixels = round(side * canvas.scale)
            source = np.arange(pixels) * 8 // pixels
            levels = (255 - ink.astype(np.float32) * (255 / 16))[np.ix_(source, source)]
            canvas.paste(x, y, np.repeat(levels[..., None], 3, 2))


@cache
def _by_label() -> dict[int, tuple[Digit, ...]]:
    return {label: tuple(digit for digit in digits() if digit.label == label) for label in range(10)}


class DigitSums(Family):
    """Add real handwritten digits: two, three, four. The splits share no digit's picture."""

    def answers(self) -> tuple[str, ...]:
        """The sums that several digits lead to."""
        return numbers(*((0, 18), (3, 24), (6, 30))[self.level - 1])

    def make(self, rng: np.random.Generator, answer: str) -> Addends | None:
        """Labels with that sum; each one's picture is of this split."""
        count = self.level + 1
        labels = [whole(rng, 0, 9) for _ in range(count - 1)]
        labels.append(int(answer) - sum(labels))
        if not 0 <= labels[-1] <= 9:
            return None
        return Addends(tuple(self.draw(partial(_written, label), rng) for label in labels))


def _written(label: int, rng: np.random.Generator) -> Digit:
    return pick(rng, _by_label()[label])
