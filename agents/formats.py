"""Reply formats: how thought and action are written in one reply.

A reply that does not follow its format is no exception: the world receives all of it, and says what was wrong if it
cannot make sense of it. `well_formed` goes into the trajectory; the `format` reward and `malformed_replies` count it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from saccade.envs.errors import ConfigError, near

_TEXT = r"((?:(?!</?answer>|</?think>).)*)"


@dataclass(frozen=True)
class Reply:
    """A reply taken apart.

    Attributes:
        thought: what was thought, for people and metrics; the environment never sees it.
        action: what the environment receives.
        well_formed: whether the format was followed exactly.
    """

    thought: str
    action: str
    well_formed: bool


class ReplyFormat(Protocol):
    """Between a reply and its parts."""

    help: str

    def read(self, text: str) -> Reply:
        """Take a reply apart; never raises."""

    def write(self, thought: str, action: str) -> str:
        """Put a reply together, for demonstrations."""


class ThinkAnswer:
    """`<think>...</think><answer>...</answer>`, exactly; the thought may be left out."""

    help = "Think inside <think></think>, then write one action inside <answer></answer>."
    tags = ("<think>", "</think>", "<answer>", "</answer>")
    _exact = re.compile(rf"\s*(?:<think>{_TEXT}</think>)?\s*<answer>{_TEXT}</answer>\s*", re.S)

    def read(self, text: str) -> Reply:
        """Only an exact reply is taken apart; anything else is handed to the world whole, and is not well formed."""
        match = self._exact.fullmatch(text)
        if match:
            return Reply((match[1] or "").strip(), match[2].strip(), True)
        return Reply("", text.strip(), False)

    def write(self, thought: str, action: str) -> str:
        """Both parts in their tags; an empty thought is left out."""
        head = f"<think>{thought}</think>" if thought else ""
        return f"{head}<answer>{action}</answer>"


class Plain:
    """The whole reply is the action."""

    help = "Write one action and nothing else."
    tags = ()

    def read(self, text: str) -> Reply:
        """The text, stripped."""
        return Reply("", text.strip(), True)

    def write(self, thought: str, action: str) -> str:
        """The action alone."""
        return action


FORMATS: dict[str, type[ThinkAnswer] | type[Plain]] = {"think-answer": ThinkAnswer, "plain": Plain}


def make_format(name: str) -> ReplyFormat:
    """The reply format of that name."""
    if name not in FORMATS:
        raise ConfigError(f"unknown reply format {name!r}; {near(name, FORMATS, 'formats')}")
    return FORMATS[name]()
