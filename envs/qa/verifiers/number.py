"""Numbers, exactly: whole ones, and those with a unit and a tolerance."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from saccade.envs.qa.verifiers.units import convert, unit_name
from saccade.envs.qa.verifiers.verdict import MAX_ANSWER, RIGHT, TOO_LONG, Verdict, normalise, unwrap, wrong

MAX_NUMBER = 120
MAX_EXPONENT = 400
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?|[0-9]+\.?[0-9]*|\.[0-9]+)"
_PLAIN = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{1,18})?")
_DIGIT = re.compile("[0-9]")
_EXPONENT = r"[+-]?[0-9]{1,3}"
_TIMES_TEN = r" ?(?:\u00d7|x|\*|·|\\times|\\cdot) ?10 ?(?:\^|\*\*)"
_POWER = rf"(?:[eE]({_EXPONENT})|{_TIMES_TEN} ?(?:\{{({_EXPONENT})\}}|({_EXPONENT})))"
_DECIMAL = re.compile(rf"({_DIGITS}){_POWER}?(?![0-9])")
_RATIO = re.compile(r"(?:([0-9]{1,18}) )?([0-9]{1,18}) ?/ ?([0-9]{1,18})(?![0-9.])")
_FRAC = re.compile(r"([0-9]{1,18})? ?\\[dt]?frac ?(?:\{ ?([0-9]{1,18}) ?\} ?\{ ?([0-9]{1,18}) ?\}|([0-9])([0-9]))")
_SIGN = re.compile(r"([+-]?) ?([$€£]?) ?([+-]?)")
_OF_UNITS = re.compile(r"[^0-9=<>|;,!?&]*(?:(?<=[A-Za-z}])(?:\^ ?\{?[23]\}?|[23]))?")


class Quantity(NamedTuple):
    """A number and its unit, empty where none was written."""

    value: Fraction
    unit: str


def integer(answer: str, gold: str) -> Verdict:
    """The same whole number, written in ASCII digits with an optional sign."""
    if len(answer) > MAX_ANSWER:
        return TOO_LONG
    given, wanted = normalise(answer), normalise(gold)
    if not _INTEGER.fullmatch(given) or not _INTEGER.fullmatch(wanted):
        return wrong("not a whole number")
    return RIGHT if int(given) == int(wanted) else wrong("another number")


def read_number(text: str) -> Quantity | None:
    r"""One number and nothing else but its unit; `None` for anything else.

    `-3`, `1,234.5`, `.5`, `2e-3`, `1.2 \times 10^{4}`, `3/4`, `1 3/4`, `\frac{3}{4}`, `12 %`, `$5`, `7 cm^2`, also
    within `$...$` or `\text{...}`. Digits are ASCII; the minus may be a true one (U+2212).
    """
    if _PLAIN.fullmatch(text):  # what nearly all answers are
        return Quantity(Fraction(text), "")
    text = unwrap(text).replace("\u2212", "-") if _DIGIT.search(text) else ""
    if not text or len(text) > MAX_NUMBER:
        return None
    if text.startswith("\\$"):
        text = text[1:]
    head = _SIGN.match(text)
    assert head is not None  # it matches the empty string too
    first, currency, second = head.groups()
    if first and second:
        return None
    sign = -1 if "-" in (first, second) else 1
    read = _read_fraction(text, head.end()) or _read_decimal(text, head.end())
    if read is None:
        return None
    value, end = read
    rest = text[end:]
    if not _OF_UNITS.fullmatch(rest):
        return None
    unit = unit_name(rest.strip())
    if currency:
        if unit:
            return None
        unit = currency
    return Quantity(sign * value, unit)


def number(
    answer: str,
    gold: str,
    *,
    unit: str = "",
    tolerance: float = 0.0,
    relative: float = 0.0,
    decimals: int | None = None,
) -> Verdict:
    """The same number.

    An answer without a unit is taken in that of the right answer; one with a unit is converted, and must measure the
    same thing. Where the right answer has none, `50%` is 0.5, a degree sign is forgiven, and any other unit is wrong.

    Args:
        answer: what was said.
        gold: the right number, with or without its unit.
        unit: the unit of `gold`, where it does not stand there.
        tolerance: the largest absolute difference.
        relative: the largest difference as a share of the right number.
        decimals: the right number was rounded to this many; what rounds to it is right.
    """
    if len(answer) > MAX_ANSWER:
        return TOO_LONG
    given, wanted = read_number(answer), read_number(gold)
    if wanted is None:
        return wrong("the right answer is no number")
    if given is None:
        return wrong("not one number")
    if unit:
        wanted = Quantity(wanted.value, unit_name(unit))
    allowed = [Fraction(str(tolerance))] if tolerance else []
    allowed += [Fraction(str(relative)) * abs(wanted.value)] if relative else []
    allowed += [Fraction(1, 2 * 10**decimals)] if decimals is not None else []
    return compare(given, wanted, max(allowed, default=Fraction(0)))


def compare(given: Quantity, wanted: Quantity, allowed: Fraction = Fraction(0)) -> Verdict:
    """Whether two quantities differ by at most `allowed`, in the unit of the one that is wanted."""
    value: Fraction | None = given.value
    if given.unit and not wanted.unit and given.unit in _ALONE:
        value = given.value * _ALONE[given.unit]
    elif given.unit:
        value = convert(given.value, given.unit, wanted.unit)
    if value is None:
        return wrong("another unit")
    return RIGHT if abs(value - wanted.value) <= allowed else wrong("another number")


_ALONE = {"%": Fraction(1, 100), "percent": Fraction(1, 100)} | dict.fromkeys(
    ("°", "deg", "degree", "degrees"), Fraction(1)
)
"""Units that an answer may have where the right answer has none, and what they are worth."""


def _read_fraction(text: str, start: int) -> tuple[Fraction, int] | None:
    if match := _RATIO.match(text, start):
        whole, above, below = match.groups()
    elif match := _FRAC.match(text, start):
        whole = match[1]
        above, below = match[2] or match[4], match[3] or match[5]
    else:
        return None
    if int(below) == 0:
        return None
    return int(whole or 0) + Fraction(int(above), int(below)), match.end()


def _read_decimal(text: str, start: int) -> tuple[Fraction, int] | None:
    match = _DECIMAL.match(text, start)
    if match is None:
        return None
    exponent = int(match[2] or match[3] or match[4] or 0)
    if abs(exponent) > MAX_EXPONENT:
        return None
    return Fraction(match[1].replace(",", "")) * Fraction(10) ** exponent, match.end()
