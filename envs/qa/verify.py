"""Rules that judge an answer: total pure functions, any string -> a score in [0, 1] and the reason for it.

    VERIFIERS["integer"](" 7. ", "7")      # Verdict(score=1.0, reason="right")
    VERIFIERS["integer"]("1 or 7", "7")    # Verdict(score=0.0, reason="not a whole number")

An answer is one answer: several at once, words around it, or characters that only look alike never score. Forgiven are
spaces at the ends, runs of spaces, the case of ASCII letters and one full stop at the end.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping
from typing import NamedTuple

MAX_ANSWER = 1_000
_SPACES = re.compile(r"[ \t\r\n]+")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


class Verdict(NamedTuple):
    """A score in [0, 1] and why."""

    score: float
    reason: str


Verifier = Callable[[str, str], Verdict]
"""(the answer given, the right answer) -> verdict."""

RIGHT = Verdict(1.0, "right")


def normalise(answer: str) -> str:
    """Drop what does not matter; only ASCII case is folded, as Unicode folds look-alikes (Kelvin sign) into letters."""
    return _SPACES.sub(" ", answer).strip(" ").removesuffix(".").rstrip(" ").translate(_LOWER)


def exact(answer: str, gold: str) -> Verdict:
    """The same string after `normalise`: for words and classes."""
    if len(answer) > MAX_ANSWER:
        return Verdict(0.0, f"longer than {MAX_ANSWER} characters")
    return RIGHT if normalise(answer) == normalise(gold) else Verdict(0.0, "another answer")


def integer(answer: str, gold: str) -> Verdict:
    """The same whole number, written in ASCII digits with an optional sign."""
    if len(answer) > MAX_ANSWER:
        return Verdict(0.0, f"longer than {MAX_ANSWER} characters")
    given, wanted = normalise(answer), normalise(gold)
    if not _INTEGER.fullmatch(given) or not _INTEGER.fullmatch(wanted):
        return Verdict(0.0, "not a whole number")
    return RIGHT if int(given) == int(wanted) else Verdict(0.0, "another number")


VERIFIERS: Mapping[str, Verifier] = {"exact": exact, "integer": integer}
"""Every verifier by the name that tasks use."""
