"""A mathematical expression, equal to the right one whatever its form."""

from __future__ import annotations

import re

from saccade.envs.qa.verifiers.latex import read_formula
from saccade.envs.qa.verifiers.math_process import PROCESS, is_installed
from saccade.envs.qa.verifiers.number import Quantity, compare, read_number
from saccade.envs.qa.verifiers.units import UNITS
from saccade.envs.qa.verifiers.verdict import MAX_ANSWER, RIGHT, TOO_LONG, Verdict, unwrap, wrong

INSTALL = "expressions need math-verify; install it with `pip install saccade[qa]`"
_LEFT_SIDE = re.compile(r"([A-Za-z](?:_(?:[0-9A-Za-z]|\{[0-9A-Za-z]\}))?|\\[a-z]{2,8}|[fgh]\([a-z]\)) ?= ?(?=[^=])")


def expression(answer: str, gold: str) -> Verdict:
    r"""Equal to `gold`, exactly: `\frac{\sqrt2}{2}`, `sqrt(2)/2` and `2^{-1/2}` are one answer, `0.7071` is another.

    Numbers, with their units, are compared here; other formulas by math-verify in a worker that is killed after
    `math_process.ANSWER_SECONDS`, behind the list of tokens and the bounds of `latex`. A left side such as `x =` may
    stand or be left out. Variables, lists and relations that the right answer does not have make another answer: they
    would be several answers at once.
    """
    if len(answer) > MAX_ANSWER:
        return TOO_LONG
    given, wanted = unwrap(answer), unwrap(gold)
    if not given:
        return wrong("empty")
    left, given = _split(given)
    wanted_left, wanted = _split(wanted)
    if left and wanted_left and left != wanted_left:
        return wrong("another variable")
    number, right_number = _plain_number(given), _plain_number(wanted)
    if number and right_number:
        return compare(number, right_number)
    formula, right = read_formula(given), read_formula(wanted)
    if right is None:
        return RIGHT if given == wanted else wrong("the right answer is no expression that can be compared")
    if formula is None:
        return wrong("not an expression")
    if not formula.letters <= right.letters | {"e", "i"}:
        return wrong("other variables")
    if formula.relations != right.relations or formula.several > right.several:
        return wrong("several answers")
    if formula.latex == right.latex:
        return RIGHT
    if not is_installed():
        return wrong(INSTALL)
    same = PROCESS.same(formula.latex, right.latex)
    if same is None:
        return wrong("could not be compared in time")
    return RIGHT if same else wrong("another expression")


def needs_math_verify(gold: str) -> bool:
    """Whether answers to this can only be judged with math-verify installed."""
    return not _plain_number(_split(unwrap(gold))[1]) and not is_installed()


def _plain_number(text: str) -> Quantity | None:
    """A number whose unit cannot be a variable: `5 cm`, but neither `5 m` nor `5x`."""
    read = read_number(text)
    if read is None or not read.unit:
        return read
    is_letter = len(read.unit) == 1 and read.unit.isalpha()
    return read if read.unit in UNITS and not is_letter else None


def _split(text: str) -> tuple[str, str]:
    """The left side of `x = 5`, without spaces and braces, and the right side."""
    match = _LEFT_SIDE.match(text)
    if match is None or "=" in text[match.end() :]:
        return "", text
    return match[1].replace("{", "").replace("}", ""), text[match.end() :]
