"""One question as a row of data tells it, before its pictures are loaded."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from saccade.envs.qa.verifiers.lists import read_list
from saccade.envs.qa.verifiers.option import LETTERS

MAX_LITERAL = 20_000
BOXED = ("point", "iou", "boxes")
"""Verifiers whose right answers are boxes in pixels of the picture."""


@dataclass(frozen=True)
class Item:
    """A question, its media as they stand in the row, and how its answer is judged.

    Attributes:
        question: the text; `<image>` or `<image 2>` stand where a picture is to be seen.
        golds: the right answers; boxes are JSON lists `[left, top, right, bottom]` (`boxes`: a list of such lists).
        verifier: a name in `VERIFIERS`.
        settings: those of the verifier.
        choices: what can be chosen, shown as (A), (B), ...; an `option` question without any has them in its picture.
        images: bytes, paths, or dictionaries of `bytes` and `path`; `None` holds the place of one that is missing.
        video: the same for a video file, or `None`.
        audio: the same for a sound file, or `None`.
        shares: boxes are shares of the first picture's width and height instead of its pixels.
        info: what is told beside the verdict: an id, a subject, a level.
    """

    question: str
    golds: tuple[str, ...]
    verifier: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    choices: tuple[str, ...] = ()
    images: tuple[Any, ...] = ()
    video: Any = None
    audio: Any = None
    shares: bool = False
    info: Mapping[str, Any] = field(default_factory=dict)


def option_item(question: str, choices: Sequence[str], gold: str, **more: Any) -> Item:
    """A question that is answered with the letter of one of the choices."""
    return Item(question, (gold,), "option", {"choices": list(choices)}, choices=tuple(choices), **more)


def letter_of(answer: Any, choices: Sequence[str]) -> str:
    """The letter of the right choice, given as the choice's text, its letter, or its number from 0.

    Raises:
        ValueError: it is none of the choices.
    """
    if isinstance(answer, str) and answer in choices:
        return LETTERS[choices.index(answer)]
    if isinstance(answer, str) and len(answer.strip()) == 1 and answer.strip().upper() in LETTERS[: len(choices)]:
        return answer.strip().upper()
    if str(answer).isdecimal() and int(answer) < min(len(choices), len(LETTERS)):
        return LETTERS[int(answer)]
    raise ValueError(f"the answer {answer!r} is none of the {len(choices)} choices, nor a letter or number of one")


def texts(value: Any) -> tuple[str, ...]:
    """Several texts: a list, or a list written as text (`"['a', 'b']"`, as in MMMU); nothing for nothing."""
    if isinstance(value, str) and value.strip()[:1] == "[" and len(value) <= MAX_LITERAL:
        try:
            value = ast.literal_eval(value)
        except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
            raise ValueError(f"cannot read the list {value[:60]!r}") from error
    if value is None or value == "":
        return ()
    return tuple(str(each) for each in value) if isinstance(value, (list, tuple)) else (str(value),)


def list_text(items: Sequence[str]) -> str:
    """A list as right answers are written: with commas, or as JSON where an item would be taken apart."""
    plain = ", ".join(items)
    return plain if read_list(plain) == list(items) else json.dumps(list(items), ensure_ascii=False)


def box_text(box: Any, layout: str = "xyxy") -> str:
    """A box, or a list of boxes, as right answers are written; `xywh` is left, top, width and height.

    Raises:
        ValueError: it is no box.
    """
    if isinstance(box, str):
        box = json.loads(box)
    if isinstance(box, (list, tuple)) and (not box or isinstance(box[0], (list, tuple))):
        return json.dumps([json.loads(box_text(each, layout)) for each in box])
    if not isinstance(box, (list, tuple)) or len(box) != 4:
        raise ValueError(f"a box has four numbers, got {str(box)[:60]}")
    a, b, c, d = (float(side) for side in box)
    return json.dumps([a, b, a + c, b + d] if layout == "xywh" else [a, b, c, d])
