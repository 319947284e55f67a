"""Context policies: what of an episode's past the next prompt shows.

    policy = make_context(ContextConfig("budget", tokens=1500))
    view = policy.choose(past, observation, size)

A policy picks whole turns and whole media, never parts of them, and it is a function of the episode alone: it keeps no
state. Where its view goes on from the last prompt, the ledger grows; where the past looks different now, a new ledger
begins and the episode becomes several training samples (`agents/agent.py`, `merge` in `agents/trajectory.py`).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from saccade.agents.modality import modality_of
from saccade.envs.errors import ConfigError, near
from saccade.envs.observation import Observation, Part, Text

KINDS = {"all": "", "last-pictures": "pictures", "memory": "", "budget": "tokens"}
"""Context policies, and the setting that each needs."""


@dataclass(frozen=True)
class ContextConfig:
    """What of the past a prompt shows."""

    kind: str = "all"
    """`all`; `last-pictures`; `memory` (one turn, and what the agent wrote down for itself); or `budget`."""
    pictures: int = 0
    """For `last-pictures`: how many are shown, videos and sounds too; a short text stands for each older one."""
    tokens: int = 0
    """For `budget`: longest prompt; whole turns are left out of it, oldest first. The goal stays."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"unknown context.kind {self.kind!r}; {near(self.kind, KINDS, 'kinds of context')}")
        for name in ("pictures", "tokens"):
            value, kind = getattr(self, name), next(kind for kind, needed in KINDS.items() if needed == name)
            if self.kind == kind and value < 1:
                raise ConfigError(f"context.kind {kind!r} needs context.{name} >= 1, got {value}")
            if self.kind != kind and value:
                raise ConfigError(
                    f"context.{name} is for context.kind {kind!r}, got {value} with {self.kind!r}: leave it out, or "
                    f"set context.kind to {kind!r}"
                )


@dataclass(frozen=True)
class Turn:
    """A turn that is over.

    Attributes:
        index: its number in the episode.
        observation: what was shown, or what is shown of it now.
        reply: token ids exactly as they were sampled.
        text: the reply as text.
    """

    index: int
    observation: Observation
    reply: tuple[int, ...]
    text: str


@dataclass(frozen=True)
class View:
    """What a prompt shows: turns of the past in order, then the observation that is to be answered."""

    past: tuple[Turn, ...]
    now: Observation


Size = Callable[[View], int]
"""Tokens of the prompt that shows a view."""


class Everything:
    """The whole past; base of the others."""

    help = ""
    """What the system turn says of it."""

    def choose(self, past: Sequence[Turn], now: Observation, size: Size) -> View:
        """What the next prompt shows.

        Args:
            past: all turns so far, as the world showed them.
            now: the new observation.
            size: measures a view.
        """
        return View(tuple(past), now)

    def read(self, text: str) -> tuple[str, bool]:
        """A reply without what it says to the policy, and whether that was well formed."""
        return text, True

    def write(self, text: str, action: str) -> str:
        """A demonstrated reply with what it says to the policy."""
        return text


class LastPictures(Everything):
    """All turns, but only the last media; a short text stands for each older one.

    Args:
        pictures: how many are shown, those of the new observation included.
    """

    def __init__(self, pictures: int) -> None:
        self.pictures = pictures

    def choose(self, past: Sequence[Turn], now: Observation, size: Size) -> View:
        """Replace the oldest media."""
        observations = [*(turn.observation for turn in past), now]
        media = sum(not isinstance(part, Text) for each in observations for part in each.parts)
        hidden = max(media - self.pictures, 0)

        def shown(part: Part) -> Part:
            nonlocal hidden
            if isinstance(part, Text) or not hidden:
                return part
            hidden -= 1
            return Text(f"[{modality_of(part)} no longer shown]")

        *before, last = (Observation(tuple(map(shown, each.parts))) for each in observations)
        turns = (Turn(turn.index, each, turn.reply, turn.text) for turn, each in zip(past, before, strict=True))
        return View(tuple(turns), last)


class Budget(Everything):
    """As many of the last turns as fit, whole, and always the goal.

    Args:
        tokens: longest prompt. Where the new observation alone is longer, the episode ends as where nothing fits.
    """

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens

    def choose(self, past: Sequence[Turn], now: Observation, size: Size) -> View:
        """Leave out the oldest turns."""

        def since(start: int) -> View:
            if start == 0:
                return View(tuple(past), now)
            goal = goal_of(past[0].observation)
            if start == len(past):
                return View((), with_goal(goal, now))
            first = past[start]
            opening = Turn(first.index, with_goal(goal, first.observation), first.reply, first.text)
            return View((opening, *past[start + 1 :]), now)

        return since(bisect_left(range(len(past)), True, key=lambda start: size(since(start)) <= self.tokens))


class Memory(Everything):
    """The goal, what the agent wrote down for itself, and the new observation; no earlier turn.

    The last `<memory>` block that was well formed counts: a reply without one leaves the memory as it was.
    """

    help = (
        "End with <memory></memory> around what you must remember: next turn you will see it and the new observation, "
        "and nothing else."
    )
    _block = re.compile(r"<memory>((?:(?!</?memory>).)*)</memory>", re.S)
    _tag = re.compile(r"</?memory>")

    def choose(self, past: Sequence[Turn], now: Observation, size: Size) -> View:
        """Put goal and memory before the observation."""
        if not past:
            return View((), now)
        memory = next((found for turn in reversed(past) if (found := self._noted(turn.text)) is not None), "")
        noted = Observation.of(f"Your memory: {memory}") if memory else Observation(())
        return View((), with_goal(goal_of(past[0].observation), noted + now))

    def read(self, text: str) -> tuple[str, bool]:
        """The reply without its memory; as it is, and not well formed, where there are other such tags."""
        if self._noted(text) is not None:
            return self._block.sub("", text), True
        return text, not self._tag.search(text)

    def write(self, text: str, action: str) -> str:
        """Note the action: the least that is worth remembering."""
        return f"{text}<memory>{action}</memory>"

    def _noted(self, text: str) -> str | None:
        """What a reply wants remembered; `None` unless it holds exactly one block."""
        found = self._block.search(text)
        return found[1].strip() if found and len(self._tag.findall(text)) == 2 else None


def make_context(config: ContextConfig) -> Everything:
    """The policy of a configuration."""
    match config.kind:
        case "last-pictures":
            return LastPictures(config.pictures)
        case "budget":
            return Budget(config.tokens)
        case "memory":
            return Memory()
        case _:
            return Everything()


def goal_of(first: Observation) -> Text | None:
    """The goal of an episode: the first text of its first observation (as `saccade.envs.wrappers` has it)."""
    return next((part for part in first.parts if isinstance(part, Text)), None)


def with_goal(goal: Text | None, observation: Observation) -> Observation:
    """The observation behind the goal, unless it shows the goal itself."""
    if goal is None or goal in observation.parts:
        return observation
    return Observation((goal, *observation.parts))
