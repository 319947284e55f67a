"""A reply taken apart, and what a reply format does: between what the model writes and what the world receives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from saccade.envs.actions import ActionFormat, Answer

FREE: ActionFormat = Answer()
"""What a reply is for where no world is asked, such as the caption of a picture: a free answer."""


@dataclass(frozen=True)
class Reply:
    """A reply taken apart.

    Attributes:
        thought: what was thought, for people and metrics; the environment never sees it.
        action: what the environment receives.
        well_formed: whether the format was followed exactly.
        rest: further actions, to be done after `action` in this order.
        error: what was wrong, for the model; only where a malformed reply is no action.
    """

    thought: str
    action: str
    well_formed: bool
    rest: tuple[str, ...] = ()
    error: str = ""


class ReplyFormat(Protocol):
    """Between a reply and its parts."""

    @property
    def strict(self) -> bool:
        """Whether a malformed reply is answered with what was wrong; else the world receives all of it."""

    @property
    def pattern(self) -> str:
        """A regular expression, without look-around, that well-formed replies match; empty where anything is one."""

    def explain(self, actions: ActionFormat, coordinates: str) -> list[str]:
        """What the system turn says after the world's instructions: what can be done, and how to write it."""

    def read(self, text: str, actions: ActionFormat = FREE) -> Reply:
        """Take a reply apart; never raises."""

    def write(self, thought: str, action: str, actions: ActionFormat = FREE) -> str:
        """Put a reply together, for demonstrations."""
