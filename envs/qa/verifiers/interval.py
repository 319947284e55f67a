"""An interval of time, as temporal grounding scores it (Charades-STA, arXiv 1705.02101)."""

from __future__ import annotations

import re

from saccade.envs.qa.verifiers.verdict import MAX_ANSWER, TOO_LONG, Verdict, normalise, wrong

_TIME = r"(?:([0-9]{1,3}):)?(?:([0-9]{1,3}):)?([0-9]{1,7}(?:\.[0-9]{1,9})?) ?(?:s|sec|seconds?)?"
_INTERVAL = re.compile(rf"(?:from |between )?[\[(]? ?{_TIME} ?(?:-|\u2013|,|to|and|until) ?{_TIME} ?[\])]?")


def read_interval(text: str) -> tuple[float, float] | None:
    """Start and end in seconds: `[3.2, 7.5]`, `3.2 - 7.5 s`, `from 0:03 to 1:02:07.5`; the end is after the start."""
    match = _INTERVAL.fullmatch(normalise(text))
    if match is None:
        return None
    start, end = _seconds(*match.groups()[:3]), _seconds(*match.groups()[3:])
    return (start, end) if start < end else None


def interval(answer: str, gold: str, *, threshold: float | None = None) -> Verdict:
    """Intersection over union of two intervals, or with a `threshold`, whether it reaches it."""
    if len(answer) > MAX_ANSWER:
        return TOO_LONG
    given, wanted = read_interval(answer), read_interval(gold)
    if wanted is None:
        return wrong("the right answer is no interval")
    if given is None:
        return wrong("not one interval")
    common = max(min(given[1], wanted[1]) - max(given[0], wanted[0]), 0.0)
    value = common / (given[1] - given[0] + wanted[1] - wanted[0] - common)
    return Verdict(value if threshold is None else float(value >= threshold), f"IoU {value:.3f}")


def _seconds(first: str | None, second: str | None, third: str) -> float:
    if second is None:  # minutes and seconds
        return 60.0 * int(first or 0) + float(third)
    return 3600.0 * int(first or 0) + 60.0 * int(second) + float(third)
