"""The letter of an option."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

from saccade.envs.qa.verifiers.text import normal_form
from saccade.envs.qa.verifiers.verdict import MAX_ANSWER, RIGHT, TOO_LONG, Verdict, lower, unwrap, wrong

LETTERS = string.ascii_uppercase
_LEAD = re.compile(r"(?:the )?(?:correct |right |final )?(?:answer|option|choice)(?: is:? |: ?| )")
_LETTER = re.compile(r"\(([A-Za-z])\)|\[([A-Za-z])\]|([A-Za-z])[.):]?")
_LETTER_AND_TEXT = re.compile(r"(?:\(([A-Za-z])\)|\[([A-Za-z])\]|([A-Za-z])[.):])\s+(.+)", re.S)


def option(answer: str, gold: str, *, choices: Sequence[str] = ()) -> Verdict:
    """The letter `gold`: `B`, `b`, `(B)`, `B.`, `B: its text`, `the answer is B`, or the text of the choice alone.

    A single letter is always read as a letter. Text must be that of the choice, in `normal_form`, and of no other
    choice; a letter beside the text of another choice is two answers.
    """
    if len(answer) > MAX_ANSWER:
        return TOO_LONG
    given = unwrap(answer)
    if lead := _LEAD.match(lower(given)):
        given = unwrap(given[lead.end() :])
    wanted = gold.strip().upper()
    if len(wanted) != 1 or wanted not in LETTERS:
        return wrong("the right answer is no letter")
    if letter := _LETTER.fullmatch(given):
        return _compare(_first(letter.groups()), wanted)
    forms = [normal_form(choice) for choice in choices]
    if both := _LETTER_AND_TEXT.fullmatch(given):
        chosen = _first(both.groups()[:3])
        place = LETTERS.index(chosen)
        if place < len(forms) and normal_form(both[4]) == forms[place]:
            return _compare(chosen, wanted)
    form = normal_form(given)
    if form and forms.count(form) == 1:
        return _compare(LETTERS[forms.index(form)] if forms.index(form) < len(LETTERS) else "", wanted)
    return wrong("not one option")


def _first(groups: Sequence[str | None]) -> str:
    return next(group for group in groups if group).upper()


def _compare(given: str, wanted: str) -> Verdict:
    return RIGHT if given == wanted else wrong("another option")
