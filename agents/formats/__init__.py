"""Reply formats: how thought and action are written in one reply.

    form = make_format("tool-call")
    form.write("the circle", "click(3, 4)", actions)        # <think>the circle</think><tool_call>...
    form.read(text, actions)                                # Reply("the circle", "click(x=3, y=4)", True)

A reply that does not follow its format is no exception: a legal step, answered with what was wrong. `well_formed` goes
into the trajectory; the `format` reward and `malformed_replies` count it.
"""

from __future__ import annotations

from collections.abc import Callable

from saccade.agents.formats.calls import Json, ToolCall
from saccade.agents.formats.reply import FREE, Reply, ReplyFormat
from saccade.agents.formats.tags import NoThink, Plain, ThinkAnswer
from saccade.envs.errors import ConfigError, near

__all__ = [
    "FORMATS",
    "FREE",
    "Json",
    "NoThink",
    "Plain",
    "Reply",
    "ReplyFormat",
    "ThinkAnswer",
    "ToolCall",
    "make_format",
]

FORMATS: dict[str, Callable[[int], ReplyFormat]] = {
    "think-answer": ThinkAnswer,
    "plain": Plain,
    "no-think": NoThink,
    "tool-call": ToolCall,
    "json": Json,
}
TYPED = ("tool-call", "json")
"""Formats that write places as numbers."""


def make_format(name: str, limit: int = 1) -> ReplyFormat:
    """The reply format of that name, with at most `limit` actions in a reply."""
    if name not in FORMATS:
        raise ConfigError(f"unknown reply format {name!r}; {near(name, FORMATS, 'formats')}")
    return FORMATS[name](limit)
