"""Formats in which an action is written as the world reads it: between tags, or alone.

A malformed reply of one action is handed to the world whole, which says what was wrong if it cannot make sense of it.
"""

from __future__ import annotations

import re

from saccade.agents.formats.reply import FREE, Reply
from saccade.envs.actions import ActionFormat

# Repeats are possessive: what ends them can never be part of them, and the time is linear in the length of the text.
_INSIDE = r"(?:(?!</?answer>|</?think>).)*+"
_TEXT = r"([^<]|<loc[0-9][0-9]>)*"
"""What a forced format allows between tags."""
_ANSWER = re.compile(rf"<answer>({_INSIDE})</answer>", re.S)
_BARE = re.compile(rf"\s*+((?:<answer>{_INSIDE}</answer>\s*+)++)", re.S)
_EXACT = re.compile(rf"\s*+(?:<think>({_INSIDE})</think>)?\s*+((?:<answer>{_INSIDE}</answer>\s*+)++)", re.S)


class ThinkAnswer:
    """`<think>...</think><answer>...</answer>`, exactly; the thought may be left out.

    Args:
        limit: most actions of a reply, each in tags of its own.
    """

    tags = ("<think>", "</think>", "<answer>", "</answer>")

    def __init__(self, limit: int = 1) -> None:
        self.limit = limit
        self.strict = limit > 1

    @property
    def help(self) -> str:
        """How to write a reply."""
        if self.limit == 1:
            return "Think inside <think></think>, then write one action inside <answer></answer>."
        return f"Think inside <think></think>, then {_several(self.limit)}"

    @property
    def pattern(self) -> str:
        """Of well-formed replies."""
        return rf"(<think>{_TEXT}</think>)?" + _answers(self.limit)

    def explain(self, actions: ActionFormat, coordinates: str) -> list[str]:
        """The world's own help, and how to write a reply."""
        return [actions.help, coordinates, self.help]

    def read(self, text: str, actions: ActionFormat = FREE) -> Reply:
        """Only an exact reply is taken apart; anything else is handed on whole, and is not well formed."""
        match = _EXACT.fullmatch(text)
        return _reply(match and match[1], match and match[2], text, self.limit, self.help)

    def write(self, thought: str, action: str, actions: ActionFormat = FREE) -> str:
        """Both parts in their tags; an empty thought is left out."""
        head = f"<think>{thought}</think>" if thought else ""
        return f"{head}<answer>{action}</answer>"


class NoThink:
    """`<answer>...</answer>`, exactly, and no thought; a malformed reply is no action."""

    strict = True

    def __init__(self, limit: int = 1) -> None:
        self.limit = limit

    @property
    def help(self) -> str:
        """How to write a reply."""
        if self.limit == 1:
            return "Do not think aloud: write one action inside <answer></answer> and nothing else."
        return f"Do not think aloud: {_several(self.limit)}"

    @property
    def pattern(self) -> str:
        """Of well-formed replies."""
        return _answers(self.limit)

    def explain(self, actions: ActionFormat, coordinates: str) -> list[str]:
        """The world's own help, and how to write a reply."""
        return [actions.help, coordinates, self.help]

    def read(self, text: str, actions: ActionFormat = FREE) -> Reply:
        """Only tagged actions, and nothing beside them."""
        match = _BARE.fullmatch(text)
        reply = _reply("", match and match[1], text, self.limit, self.help)
        return reply if reply.well_formed else Reply("", reply.action, False, error=_wrong(self.help))

    def write(self, thought: str, action: str, actions: ActionFormat = FREE) -> str:
        """The action in its tags; the thought is dropped."""
        return f"<answer>{action}</answer>"


class Plain:
    """The whole reply is the action; where several are allowed, each line is one."""

    pattern = ""

    def __init__(self, limit: int = 1) -> None:
        self.limit = limit
        self.strict = limit > 1

    @property
    def help(self) -> str:
        """How to write a reply."""
        if self.limit == 1:
            return "Write one action and nothing else."
        return f"Write at most {self.limit} actions, one a line, to be done in order, and nothing else."

    def explain(self, actions: ActionFormat, coordinates: str) -> list[str]:
        """The world's own help, and how to write a reply."""
        return [actions.help, coordinates, self.help]

    def read(self, text: str, actions: ActionFormat = FREE) -> Reply:
        """The text, stripped, or its lines."""
        if self.limit == 1:
            return Reply("", text.strip(), True)
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if len(lines) > self.limit:
            return Reply("", text.strip(), False, error=_wrong(self.help))
        return Reply("", lines[0] if lines else "", True, tuple(lines[1:]))

    def write(self, thought: str, action: str, actions: ActionFormat = FREE) -> str:
        """The action alone."""
        return action


def _reply(thought: str | None, answers: str | None, text: str, limit: int, help: str) -> Reply:
    found = [each.strip() for each in _ANSWER.findall(answers or "")]
    if 1 <= len(found) <= limit:
        return Reply((thought or "").strip(), found[0], True, tuple(found[1:]))
    return Reply("", text.strip(), False, error=_wrong(help) if limit > 1 else "")


def _wrong(help: str) -> str:
    return f"the reply does not follow its format, and nothing was done. {help}"


def _several(limit: int) -> str:
    return f"write at most {limit} actions, to be done in order, each inside its own <answer></answer>."


def _answers(limit: int) -> str:
    return rf"(<answer>{_TEXT}</answer>){{1,{limit}}}" if limit > 1 else rf"<answer>{_TEXT}</answer>"
