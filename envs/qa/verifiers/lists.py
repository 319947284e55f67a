"""Several things at once: sets, lists in any order, and ordered lists."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Sequence

from saccade.envs.qa.verifiers.number import read_number
from saccade.envs.qa.verifiers.text import normal_form
from saccade.envs.qa.verifiers.verdict import RIGHT, Verdict, trim, wrong

MAX_LIST = 4_000
"""Characters of an answer that is a list."""
MAX_ITEMS = 100
_BRACKETS = {"[": "]", "(": ")", "{": "}"}


def read_list(text: str) -> list[str] | None:
    """The items of a list: JSON, or separated by newlines, else semicolons, else commas, else `and`; `None` for none.

    A comma splits `1,234`: lists of such numbers need another separator.
    """
    text = text.strip() if len(text) <= MAX_LIST else ""
    if not text:
        return None
    if text[0] == "[" and text[-1] == "]":
        try:
            items = json.loads(text)
        except (ValueError, RecursionError):
            pass
        else:
            plain = all(isinstance(item, (str, int, float)) and not isinstance(item, bool) for item in items)
            return [str(item) for item in items] if plain and 0 < len(items) <= MAX_ITEMS else None
    if _BRACKETS.get(text[0]) == text[-1]:
        text = text[1:-1]
    separator = next((mark for mark in "\n;," if mark in text), None)
    items = [trim(item) for item in text.split(separator or " and ")]
    if separator and len(items) > 1:
        items[-1] = items[-1].removeprefix("and ")
    return items if 0 < len(items) <= MAX_ITEMS and all(items) else None


def as_set(answer: str, gold: str, *, partial: bool = False) -> Verdict:
    """The same things, whatever their order and number; `partial` gives F1 instead of all or nothing."""
    read = _read(answer, gold)
    if isinstance(read, Verdict):
        return read
    given, wanted = (list(dict.fromkeys(keys)) for keys in read)
    return _score(len(set(given) & set(wanted)), len(given), len(wanted), partial)


def as_list(answer: str, gold: str, *, partial: bool = False) -> Verdict:
    """The same things, each as often, in any order; `partial` gives F1."""
    read = _read(answer, gold)
    if isinstance(read, Verdict):
        return read
    given, wanted = read
    return _score((Counter(given) & Counter(wanted)).total(), len(given), len(wanted), partial)


def as_ordered(answer: str, gold: str, *, partial: bool = False) -> Verdict:
    """The same things in the same order; `partial` gives F1 of the longest common subsequence."""
    read = _read(answer, gold)
    if isinstance(read, Verdict):
        return read
    given, wanted = read
    return _score(_common(given, wanted), len(given), len(wanted), partial)


def _read(answer: str, gold: str) -> tuple[list[Hashable], list[Hashable]] | Verdict:
    given, wanted = read_list(answer), read_list(gold)
    if wanted is None:
        return wrong("the right answer is no list")
    if given is None:
        return wrong("not a list")
    return [_key(item) for item in given], [_key(item) for item in wanted]


def _key(item: str) -> Hashable:
    """What items are compared by: numbers by value, other text by its normal form."""
    read = read_number(item)
    return read if read is not None else normal_form(item)


def _score(common: int, given: int, wanted: int, partial: bool) -> Verdict:
    if common == given == wanted:
        return RIGHT
    if partial and common:
        return Verdict(2 * common / (given + wanted), f"{common} of {wanted} right, {given} given")
    return wrong("another list")


def _common(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(b) + 1)
    for left in a:
        diagonal = 0
        for place, right in enumerate(b, 1):
            diagonal, row[place] = row[place], diagonal + 1 if left == right else max(row[place], row[place - 1])
    return row[-1]
