"""Words: the same string, the same string in normal form, or the same class."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from saccade.envs.qa.verifiers.verdict import MAX_ANSWER, RIGHT, TOO_LONG, Verdict, lower, normalise, wrong

_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBERS = {word: str(value) for value, word in enumerate(_WORDS)}
_ARTICLES = ("a", "an", "the")
_MARKS = re.compile(r"[\"'“”\u2018\u2019`.,;:!?()\[\]{}]+")


def exact(answer: str, gold: str) -> Verdict:
    """The same string after `normalise`: for words and classes."""
    if len(answer) > MAX_ANSWER:
        return TOO_LONG
    return RIGHT if normalise(answer) == normalise(gold) else wrong("another answer")


def normal_form(text: str) -> str:
    """The form in which VQA v2 (arXiv 1505.00468) compares words, a little stricter.

    Composed Unicode, ASCII in lower case, no articles, no quotation marks and brackets, no other marks but inside a
    word or number (`3.5`, `o'clock`), `zero` to `ten` as digits. Letters that only look alike stay different.
    """
    words = []
    for word in lower(unicodedata.normalize("NFC", text)).split():
        while (bare := _strip(word)) != word:
            word = bare
        if word and word not in _ARTICLES:
            words.append(_NUMBERS.get(word, word))
    return " ".join(words) or " ".join(lower(text).split())


def text(answer: str, gold: str) -> Verdict:
    """The same words in `normal_form`; words around the answer make it another one."""
    if len(answer) > MAX_ANSWER:
        return TOO_LONG
    given = normal_form(answer)
    if not given:
        return wrong("empty")
    return RIGHT if given == normal_form(gold) else wrong("another answer")


def label(answer: str, gold: str, *, classes: Sequence[str] = ()) -> Verdict:
    """The same class in `normal_form`, where `_` and `-` are spaces; `classes` tells a wrong class from none."""
    if len(answer) > MAX_ANSWER:
        return TOO_LONG
    given = _class(answer)
    if given and given == _class(gold):
        return RIGHT
    return wrong("another class" if not classes or given in map(_class, classes) else "no such class")


def _strip(word: str) -> str:
    """Without marks at both ends; a sign or a decimal point before a digit is no mark."""
    head = _MARKS.match(word)
    start = head.end() if head else 0
    if start and word[start - 1] == "." and word[start : start + 1].isdigit():
        start -= 1
    word = word[start:]
    tail = len(word)
    while tail and _MARKS.fullmatch(word[tail - 1]):
        tail -= 1
    return word[:tail]


def _class(text: str) -> str:
    return normal_form(text.replace("_", " ").replace("-", " "))
