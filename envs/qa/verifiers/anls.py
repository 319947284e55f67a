"""ANLS, as DocVQA scores (arXiv 2007.00398; Biten et al., arXiv 1905.13648, equation 1)."""

from __future__ import annotations

from saccade.envs.qa.verifiers.verdict import MAX_ANSWER, RIGHT, TOO_LONG, Verdict, lower, wrong

THRESHOLD = 0.5


def anls(answer: str, gold: str) -> Verdict:
    """1 minus the edit distance as a share of the longer string; 0 from half of it on. Case and spaces are free.

    A question with several right answers scores the best of them (`verify.judge`).
    """
    if len(answer) > MAX_ANSWER or len(gold) > MAX_ANSWER:
        return TOO_LONG
    given, wanted = (" ".join(lower(text).split()) for text in (answer, gold))
    if not given or not wanted:
        return wrong("empty")
    if given == wanted:
        return RIGHT
    longer = max(len(given), len(wanted))
    if abs(len(given) - len(wanted)) >= THRESHOLD * longer:  # no need to compare
        return wrong("too different")
    distance = edit_distance(given, wanted) / longer
    return Verdict(1.0 - distance, "nearly") if distance < THRESHOLD else wrong("too different")


def edit_distance(a: str, b: str) -> int:
    """Levenshtein's distance, by the bit vectors of Myers (1999) in the form of Hyyrö (2001): one step a character."""
    if not a or not b:
        return len(a) + len(b)
    places: dict[str, int] = {}
    for index, character in enumerate(a):
        places[character] = places.get(character, 0) | 1 << index
    full = (1 << len(a)) - 1
    last = 1 << (len(a) - 1)
    plus, minus, distance = full, 0, len(a)
    for character in b:
        match = places.get(character, 0)
        diagonal = (((match & plus) + plus) ^ plus) | match | minus
        up = minus | (full & ~(diagonal | plus))
        down = plus & diagonal
        distance += bool(up & last) - bool(down & last)
        up = (up << 1) | 1
        down <<= 1
        plus = full & (down | ~(diagonal | up))
        minus = full & up & diagonal
    return distance
