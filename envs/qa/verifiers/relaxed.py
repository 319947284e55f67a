"""Relaxed accuracy, as ChartQA scores (arXiv 2203.10244, section 5.1)."""

from __future__ import annotations

from fractions import Fraction

from saccade.envs.qa.verifiers.number import read_number
from saccade.envs.qa.verifiers.verdict import MAX_ANSWER, RIGHT, TOO_LONG, Verdict, normalise, wrong

_SHARE = Fraction(1, 20)


def relaxed(answer: str, gold: str) -> Verdict:
    """A number within 5 % of the right one, ends included; of anything else, and of 0, the same string.

    As in the reference code, `12%` is 0.12 on both sides, and years are numbers too. Unlike there, a number is one
    number with nothing around it, so that `10 or 20` never scores.
    """
    if len(answer) > MAX_ANSWER:
        return TOO_LONG
    given, wanted = _value(answer), _value(gold)
    if given is not None and wanted:
        near = abs(given - wanted) <= _SHARE * abs(wanted)
        return RIGHT if near else wrong("more than 5 % off")
    same = given == wanted if given is not None and wanted is not None else normalise(answer) == normalise(gold)
    return RIGHT if same else wrong("another answer")


def _value(text: str) -> Fraction | None:
    read = read_number(text)
    if read is None or read.unit not in ("", "%", "$", "€", "£"):
        return None
    return read.value / 100 if read.unit == "%" else read.value
