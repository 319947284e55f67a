"""Sheets: tables of numbers, in which any cell can be written; saving a sheet closes the site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from saccade.envs.gui.sites.base import Click, SiteEnv, SiteTask, Write, task

PEOPLE = ("Ann", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gina", "Hugo")
DAYS = ("Mon", "Tue", "Wed", "Thu")
MONTHS = ("March", "April", "May", "June", "July", "August")

Sheet = dict[str, Any]
Numbers = np.ndarray[Any, np.dtype[np.int64]]


def sheet(name: str, rows: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[object]]) -> Sheet:
    """A sheet of texts; `None` is an empty cell."""
    texts = [["" if cell is None else str(cell) for cell in row] for row in cells]
    return {"name": name, "rows": list(rows), "columns": list(columns), "cells": texts}


def changed(sheets: Sequence[Sheet], name: str, cells: Mapping[tuple[int, int], object]) -> list[Sheet]:
    """The sheets with other texts in some cells (row, column) of one of them."""

    def text(each: Sheet, row: int, column: int) -> str:
        old = str(each["cells"][row][column])
        return str(cells.get((row, column), old)) if each["name"] == name else old

    spans = [(range(len(each["rows"])), range(len(each["columns"]))) for each in sheets]
    return [
        each | {"cells": [[text(each, row, column) for column in columns] for row in rows]}
        for each, (rows, columns) in zip(sheets, spans, strict=True)
    ]


class SheetSite(SiteEnv):
    """What the tasks on sheets share: the sheets that the goal names are looked at, and one of them is written."""

    document = "sheet"

    def next(self, page: Mapping[str, Any]) -> Click | Write | None:
        """Past the sheets that are only read to the one that changes; write and save."""
        sheets, path, drafts = page["state"]["sheets"], page["path"], page["drafts"]
        [(old, new)] = [(old, new) for old, new in zip(sheets, self.wanted["sheets"], strict=True) if old != new]
        here = path[-1] if path[0] == "sheet" else sheets[0]["name"] if path == [""] and len(sheets) == 1 else None
        if here == new["name"]:
            for name, before, after in _cells(old, new):
                if drafts.get(name) != after:
                    # What was written in a wrong cell is forgotten by opening the sheet again.
                    return Click("link", "Sheets") if before == after else Write(name, after)
            return Click("button", "Save")
        named = [each["name"] for each in sheets if each["name"] in self.task.goal and each is not old]
        if path[0] not in ("", "sheet"):
            return Click("link", "Sheets")
        order = [*named, new["name"]]
        return Click("link", order[order.index(here) + 1 if here in order else 0])


def _cells(old: Sheet, new: Sheet) -> list[tuple[str, str, str]]:
    """Name, text before and text wanted of each cell."""
    return [
        (f"{row} {column}", old["cells"][i][j], new["cells"][i][j])
        for i, row in enumerate(old["rows"])
        for j, column in enumerate(old["columns"])
    ]


def _some(rng: np.random.Generator, names: Sequence[str], count: int) -> list[str]:
    """Some of the names, in their order."""
    return [names[index] for index in sorted(rng.permutation(len(names))[:count].tolist())]


class SheetEnter(SheetSite):
    """Enter a number at a row and a column; at level 3 it is the largest of a row in another sheet."""

    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw sheets in which a few cells are empty, one of these and its number."""
        people, months = _some(rng, PEOPLE, 4), _some(rng, MONTHS, 1 if self.level == 1 else 3)
        tables = [rng.permutation(np.arange(10, 100))[:16].tolist() for _ in months]
        gaps = [rng.permutation(16)[:5].tolist() for _ in months]
        cells = [[None if i in gap else table[i] for i in range(16)] for table, gap in zip(tables, gaps, strict=True)]
        sheets = [
            sheet(name, people, DAYS, [flat[i : i + 4] for i in range(0, 16, 4)])
            for name, flat in zip(months, cells, strict=True)
        ]
        at, source = rng.permutation(len(months))[:2].tolist() if self.level > 1 else (0, 0)
        row, column = divmod(gaps[at][0], 4)
        where = f"for {people[row]} on {DAYS[column]}"
        number, what = int(rng.integers(10, 100)), ""
        if self.level == 3:
            rows = [[each for each in cells[source][i : i + 4] if each] for i in range(0, 16, 4)]
            other = int(rng.choice([i for i in range(4) if len(rows[i]) > 1]))
            number, what = max(rows[other]), f"the largest number that {people[other]} has in {months[source]}"
        book = f"In {months[at]}, enter" if self.level > 1 else "Enter"
        want = changed(sheets, months[at], {(row, column): number})
        return task(f"{book} {where} {what or number}, and save.", {"sheets": sheets}, {"sheets": want})


class SheetTotal(SheetSite):
    """Enter the sum of a row or a column; at level 3 who has the largest or smallest sum over two sheets, and it."""

    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw sheets of small numbers and what is to be added up."""
        people, months = _some(rng, PEOPLE, 4), _some(rng, MONTHS, 1 if self.level == 1 else 4)
        if self.level == 3:
            return self._most(rng, people, months)
        sheets = [
            sheet(
                name,
                [*people, "Sum"],
                [*DAYS, "Sum"],
                [*([*row, None] for row in rng.integers(1, 10, (4, 4)).tolist()), [None] * 5],
            )
            for name in months
        ]
        at, line = int(rng.integers(len(months))), int(rng.integers(8))
        rows = sheets[at]["cells"]
        if line < 4:
            name, cell, numbers = people[line], (line, 4), rows[line][:4]
        else:
            name, cell, numbers = DAYS[line - 4], (4, line - 4), [row[line - 4] for row in rows[:4]]
        book = "Enter" if self.level == 1 else f"In {months[at]}, enter"
        want = changed(sheets, months[at], {cell: sum(map(int, numbers))})
        return task(f"{book} the sum of {name} in its place, and save.", {"sheets": sheets}, {"sheets": want})

    def _most(self, rng: np.random.Generator, people: list[str], months: list[str]) -> SiteTask:
        first, second = sorted(rng.permutation(4)[:2].tolist())
        while True:
            numbers: Numbers = rng.integers(1, 10, (4, 4, 3))
            sums = (numbers[first] + numbers[second]).sum(axis=1).tolist()
            if len(set(sums)) == 4:
                break
        months_of = [sheet(name, people, DAYS[:3], table) for name, table in zip(months, numbers.tolist(), strict=True)]
        sheets = [*months_of, sheet("Notes", ("Most", "Least"), ("Name", "Sum"), [[None] * 2] * 2)]
        row, word, best = ((0, "largest", max), (1, "smallest", min))[rng.integers(2)]
        total = best(sums)
        want = changed(sheets, "Notes", {(row, 0): people[sums.index(total)], (row, 1): total})
        label = sheets[-1]["rows"][row]
        goal = (
            f"In Notes, enter at {label} the name of the one who has the {word} sum over {months[first]} and "
            f"{months[second]} together, and this sum. Save."
        )
        return task(goal, {"sheets": sheets}, {"sheets": want})


class SheetCorrect(SheetSite):
    """Correct one number of a row; at level 3 it is the one that differs from the same row of another sheet."""

    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw sheets with a mistake in every row, and one of these."""
        people, months = _some(rng, PEOPLE, 4), _some(rng, MONTHS, 1 if self.level == 1 else 2)
        row, at = int(rng.integers(4)), int(rng.integers(len(months)))
        columns = rng.integers(4, size=(len(months), 4)).tolist()  # where each row has its mistake
        cell = (row, columns[at][row])
        if self.level == 3:
            return self._compare(rng, people, months, at, columns)
        wrong, right = rng.permutation(np.arange(10, 100))[:2].tolist()
        others = [number for number in range(10, 100) if number != wrong]
        tables: list[Numbers] = [rng.choice(others, (4, 4)) for _ in months]
        for table, mistakes in zip(tables, columns, strict=True):
            table[np.arange(4), mistakes] = wrong
        sheets = [sheet(name, people, DAYS, table.tolist()) for name, table in zip(months, tables, strict=True)]
        book = f"In {months[at]}, {people[row]}" if self.level == 2 else people[row]
        want = changed(sheets, months[at], {cell: right})
        return task(f"{book} has {wrong} by mistake: make it {right}, and save.", {"sheets": sheets}, {"sheets": want})

    def _compare(
        self, rng: np.random.Generator, people: list[str], months: list[str], at: int, columns: list[list[int]]
    ) -> SiteTask:
        sheets = []
        for name, mistakes in zip(months, columns, strict=True):
            right: Numbers = rng.integers(10, 100, (4, 4))
            wrong = right.copy()
            wrong[np.arange(4), mistakes] = 10 + (right[np.arange(4), mistakes] - 10 + rng.integers(1, 90, 4)) % 90
            sheets += [sheet(name, people, DAYS, right.tolist()), sheet(f"{name} bills", people, DAYS, wrong.tolist())]
        row = int(rng.integers(4))
        cell = (row, columns[at][row])
        here, there = (sheets[2 * at + i] for i in rng.permutation(2).tolist())
        want = changed(sheets, here["name"], {cell: there["cells"][cell[0]][cell[1]]})
        goal = f"In {here['name']}, correct the number of {people[row]} that differs from {there['name']}, and save."
        return task(goal, {"sheets": sheets}, {"sheets": want})
