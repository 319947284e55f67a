"""Rules that judge an answer: total pure functions, any string -> a score in [0, 1] and the reason for it.

    VERIFIERS["integer"](" 7. ", "7")                       # Verdict(score=1.0, reason="right")
    VERIFIERS["integer"]("1 or 7", "7")                     # Verdict(score=0.0, reason="not a whole number")
    judge("number", "50 mm", ("5 cm",), {"tolerance": 0.1}) # the best over several right answers, with settings

An answer is one answer: several at once, words around it, or characters that only look alike never score. Forgiven are
spaces at the ends, runs of spaces, the case of ASCII letters and one full stop at the end.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from saccade.envs.errors import ConfigError, near
from saccade.envs.qa.verifiers.anls import anls
from saccade.envs.qa.verifiers.boxes import boxes, iou, point, read_boxes
from saccade.envs.qa.verifiers.expression import expression
from saccade.envs.qa.verifiers.interval import interval
from saccade.envs.qa.verifiers.lists import as_list, as_ordered, as_set
from saccade.envs.qa.verifiers.number import integer, number
from saccade.envs.qa.verifiers.option import option
from saccade.envs.qa.verifiers.relaxed import relaxed
from saccade.envs.qa.verifiers.text import exact, label, text
from saccade.envs.qa.verifiers.verdict import MAX_ANSWER, RIGHT, Verdict, Verifier, normalise, wrong

VERIFIERS: Mapping[str, Verifier] = {
    "exact": exact,
    "integer": integer,
    "text": text,
    "class": label,
    "option": option,
    "number": number,
    "expression": expression,
    "relaxed": relaxed,
    "anls": anls,
    "set": as_set,
    "list": as_list,
    "ordered": as_ordered,
    "point": point,
    "iou": iou,
    "boxes": boxes,
    "interval": interval,
}
"""Every verifier by the name that tasks use."""


def check_verifier(name: str, settings: Mapping[str, Any] | None = None) -> None:
    """Raise `ConfigError` unless there is a verifier of this name that has all these settings."""
    if name not in VERIFIERS:
        raise ConfigError(f"unknown verifier {name!r}; {near(name, VERIFIERS, 'verifiers')}")
    allowed = settings_of(name)
    for setting in settings or {}:
        if setting not in allowed:
            raise ConfigError(f"the verifier {name!r} has no setting {setting!r}; {near(setting, allowed, 'settings')}")


def settings_of(name: str) -> dict[str, Any]:
    """The settings of a verifier and their defaults."""
    parameters = inspect.signature(VERIFIERS[name]).parameters.values()
    return {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY}


def judge(name: str, answer: str, golds: Sequence[str], settings: Mapping[str, Any] | None = None) -> Verdict:
    """The best verdict over all right answers."""
    rule, best = VERIFIERS[name], wrong("there is no right answer")
    for gold in golds:
        verdict = rule(answer, gold, **(settings or {}))
        if verdict.score == 1.0:
            return verdict
        if verdict.score > best.score or best.score == 0.0:
            best = verdict
    return best


def solution(name: str, gold: str) -> str:
    """An answer that the verifier gives 1.0: the right one itself, and for a point the middle of its box."""
    found = read_boxes(gold) if name == "point" else None
    if not found:
        return gold
    box = found[0].box
    return f"({(box.left + box.right) / 2:g}, {(box.top + box.bottom) / 2:g})"


__all__ = [
    "MAX_ANSWER",
    "RIGHT",
    "VERIFIERS",
    "Verdict",
    "Verifier",
    "check_verifier",
    "exact",
    "integer",
    "judge",
    "normalise",
    "settings_of",
    "solution",
]
