r"""From a reply to the answer in it: tags, a box, or the last line.

What is inside `<think>...</think>` is never an answer. Several answers are none, unless they are the same.
`well_formed` is for a reward of its own: it says nothing about whether the answer is right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from saccade.envs.qa.verifiers.verdict import trim

MAX_REPLY = 200_000
"""Characters; of a longer reply no answer is read."""
_LEAD = re.compile(r"(?:(?:so|thus|therefore|hence),? )?(?:the )?(?:final )?answer(?: is)?:? *", re.I | re.A)


class Extracted(NamedTuple):
    """The answer of a reply, empty where there is not exactly one, and whether the reply has the form asked for."""

    answer: str
    well_formed: bool


def whole(reply: str) -> Extracted:
    """All of the reply."""
    return Extracted(reply, bool(reply.strip()))


def tags(reply: str) -> Extracted:
    """What stands in the one `<answer>...</answer>` after the thought; well formed if nothing else does."""
    rest = after_thought(reply)
    if rest is None:
        return _NOTHING
    if rest.count("<answer>") != 1 or rest.count("</answer>") != 1:
        return _NOTHING
    before, _, tail = rest.partition("<answer>")
    answer, closed, after = tail.partition("</answer>")
    if not closed:
        return _NOTHING
    return Extracted(answer.strip(), bool(answer.strip()) and not before.strip() and not after.strip())


def boxed(reply: str) -> Extracted:
    r"""What stands in `\boxed{...}` after the thought; several boxes must agree."""
    rest = after_thought(reply)
    if rest is None:
        return _NOTHING
    found = set()
    start = 0
    while (start := rest.find("\\boxed{", start)) >= 0:
        start += len("\\boxed{")
        end = _closing(rest, start)
        if end is None:
            return _NOTHING
        found.add(trim(rest[start:end]))
        start = end
    return Extracted(found.pop(), True) if len(found) == 1 and "" not in found else _NOTHING


def last_line(reply: str) -> Extracted:
    """The last line that is not empty, after the thought and without `The answer is`."""
    rest = after_thought(reply)
    lines = [line for line in (rest or "").splitlines() if line.strip()]
    if not lines:
        return _NOTHING
    line = lines[-1].strip()
    lead = _LEAD.match(line)
    answer = line[lead.end() :] if lead else line
    return Extracted(answer, bool(answer))


EXTRACTIONS: Mapping[str, Callable[[str], Extracted]] = {
    "whole": whole,
    "tags": tags,
    "boxed": boxed,
    "last_line": last_line,
}
"""Every way to find the answer in a reply, by name."""

_NOTHING = Extracted("", False)


def after_thought(reply: str) -> str | None:
    """What follows the one `<think>...</think>` at the beginning; `None` if a thought is open, nested or later."""
    if len(reply) > MAX_REPLY:
        return None
    opened, closed = reply.count("<think>"), reply.count("</think>")
    if not opened and not closed:
        return reply
    head, _, rest = reply.partition("</think>")
    # Templates that begin the thought themselves leave only its end in the reply.
    return rest if closed == 1 and opened <= 1 and (not opened or head.lstrip().startswith("<think>")) else None


def _closing(text: str, start: int) -> int | None:
    """Where the brace that is open at `start` closes."""
    depth = 1
    for place in range(start, min(len(text), start + 2_000)):
        depth += (text[place] == "{") - (text[place] == "}")
        if not depth:
            return place
    return None
