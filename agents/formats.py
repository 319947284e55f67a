"""Reply formats: how thought and action are written in one reply.

A reply that does not follow its format is no exception: its action is then what remains, and the environment says
what was wrong with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from saccade.envs.errors import ConfigError, near


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
    """`<think>...</think><answer>...</answer>`: the last answer tag after the thought counts."""

    help = "Think inside <think></think>, then write one action inside <answer></answer>."
    tags = ("<think>", "</think>", "<answer>", "</answer>")
    _exact = re.compile(r"\s*(?:<think>(.*?)</think>)?\s*<answer>((?:(?!</?answer>|</?think>).)*)</answer>\s*", re.S)

    def read(self, text: str) -> Reply:
        """Only an exact reply yields its action; anything else is handed to the world whole, as a malformed action."""
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
