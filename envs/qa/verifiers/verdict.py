"""What every verifier returns, and the spelling that all of them forgive."""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from typing import NamedTuple

MAX_ANSWER = 1_000
"""Characters; a longer answer scores 0 unread, so that no reply can cost time."""
_SPACES = re.compile(r"[ \t\r\n]+")
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_WRAPPERS = (
    ("**", "**"),
    ("$$", "$$"),
    ("$", "$"),
    ("\\(", "\\)"),
    ("\\[", "\\]"),
    ("\\boxed{", "}"),
    ("\\text{", "}"),
)


class Verdict(NamedTuple):
    """A score in [0, 1] and why."""

    score: float
    reason: str


Verifier = Callable[..., Verdict]
"""A rule: (the answer given, a right answer, its own settings by name) -> verdict; total, pure and bounded in time."""


RIGHT = Verdict(1.0, "right")
TOO_LONG = Verdict(0.0, f"longer than {MAX_ANSWER} characters")


def wrong(reason: str) -> Verdict:
    """A score of 0 and why."""
    return Verdict(0.0, reason)


def trim(answer: str) -> str:
    """Without spaces at the ends, runs of spaces and one full stop at the end."""
    return _SPACES.sub(" ", answer).strip(" ").removesuffix(".").rstrip(" ")


def lower(text: str) -> str:
    """Lower case of ASCII alone, as Unicode folds look-alikes (Kelvin sign) into letters."""
    return text.translate(_LOWER)


def normalise(answer: str) -> str:
    """Drop what does not matter: `trim`, then `lower`."""
    return lower(trim(answer))


def unwrap(answer: str) -> str:
    r"""`trim`, and what mark-up may stand around the whole: `**B**`, `$B$`, `\(B\)`, `\boxed{B}`, `\text{B}`."""
    answer = trim(answer)
    for _ in range(4):
        if not answer.startswith(("*", "$", "\\")):
            break
        for left, right in _WRAPPERS:
            inner = answer[len(left) : len(answer) - len(right)]
            if answer.startswith(left) and answer.endswith(right) and inner and _closed(inner, left, right):
                answer = trim(inner)
                break
        else:
            break
    return answer


def _closed(inner: str, left: str, right: str) -> bool:
    r"""Whether the two ends belong together, as those of `$a$ or $b$` and `\text{a}{b}` do not."""
    if right != "}":
        return left not in inner and right not in inner
    depth = 0
    for character in inner:
        depth += (character == "{") - (character == "}")
        if depth < 0:
            return False
    return depth == 0
