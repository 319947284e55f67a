"""The token ledger: an episode as an append-only list of typed spans.

Sampled text is never encoded again: an action span holds the sampled ids themselves, with the log-probability and
the weight version of each. Everything that could go wrong between media and placeholders is asserted here, when a
span is appended, where the cause is still in sight.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from saccade.agents.engines.base import Completion, Prompt
from saccade.agents.modality import Medium, Modality, modality_of, sampled
from saccade.agents.trajectory import Sample
from saccade.envs.errors import SaccadeError


class LedgerError(SaccadeError, ValueError):
    """A span would break an invariant of the data path: a bug, never an agent's mistake."""


class Kind(StrEnum):
    """What a span holds; only `ACTION` is trained on."""

    SYSTEM = "system"
    OBSERVATION = "observation"
    MEDIUM = "medium"
    ACTION = "action"
    REPLY = "reply"
    """An earlier action, shown again in a new ledger; it is trained on where it was sampled."""


@dataclass(frozen=True)
class Span:
    """Tokens `start:stop` of a ledger, and the turn they belong to (-1 before the first)."""

    kind: Kind
    turn: int
    start: int
    stop: int
    medium: Medium | None = None


@dataclass
class Ledger:
    """One episode in tokens.

    Args:
        placeholders: the id that stands for features, by kind; it may appear in spans of its kind only.
        never_sampled: ids that no action may contain.
    """

    placeholders: Mapping[Modality, int]
    never_sampled: Collection[int]
    ids: list[int] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._values = frozenset(self.placeholders.values())

    def append(self, kind: Kind, ids: Sequence[int], turn: int) -> None:
        """Append text tokens of the template or of the world."""
        if kind in (Kind.ACTION, Kind.MEDIUM):
            raise LedgerError(f"{kind} spans have their own method")
        if not self._values.isdisjoint(ids):
            raise LedgerError("a text span holds a placeholder: world text must be encoded as plain text")
        self._extend(kind, ids, turn, None)

    def append_medium(self, medium: Medium, ids: Sequence[int], tokens: int, turn: int) -> None:
        """Append one medium.

        Args:
            medium: what is shown.
            ids: its placeholders, and what the model reads between them.
            tokens: how many features it has: as many placeholders must be in `ids`.
            turn: that it belongs to.
        """
        modality = modality_of(medium)
        own = self.placeholders.get(modality)
        if own is None:
            raise LedgerError(f"this model has no {modality} placeholder")
        if tokens < 1:
            raise LedgerError(f"a medium stands for at least one token, got {tokens}")
        found = sum(token in self._values for token in ids)
        if found != tokens or ids.count(own) != tokens:
            raise LedgerError(f"this {modality} needs {tokens} placeholders, all its own, in its span; got {found}")
        self._extend(Kind.MEDIUM, ids, turn, medium)

    def append_action(self, completion: Completion, turn: int) -> None:
        """Append a reply exactly as it was sampled."""
        if completion.prompt_ids != tuple(self.ids):
            raise LedgerError("the engine saw other prompt ids than the ledger holds: template or placeholders differ")
        forged = set(completion.ids) & set(self.never_sampled)
        if forged:
            raise LedgerError(f"the engine sampled banned token ids {sorted(forged)}")
        if any(not value <= 1e-6 for value in completion.logprobs):
            raise LedgerError("a log-probability above 0 or not a number came from the engine")
        self._extend(Kind.ACTION, completion.ids, turn, None)
        self.logprobs.extend(completion.logprobs)
        self.versions.extend(completion.versions)

    @property
    def media(self) -> tuple[Medium, ...]:
        """Pictures, videos and sounds in order of appearance."""
        return tuple(span.medium for span in self.spans if span.medium is not None)

    def prompt(self) -> Prompt:
        """All tokens so far; media as the sampler sees them."""
        return Prompt(tuple(self.ids), tuple(map(sampled, self.media)))

    def sample(self) -> Sample:
        """The ledger as one training sample; media as the learner sees them."""
        length = len(self.ids)
        turns = np.full(length, -1, np.int32)
        logprobs = np.zeros(length, np.float32)
        versions = np.full(length, -1, np.int32)
        for span in self.spans:
            if span.kind is Kind.ACTION:
                turns[span.start : span.stop] = span.turn
        action = turns >= 0
        logprobs[action] = self.logprobs
        versions[action] = self.versions
        spans = tuple((span.start, span.stop) for span in self.spans if span.kind is Kind.MEDIUM)
        return Sample(np.array(self.ids, np.int64), turns, logprobs, versions, self.media, spans)

    def _extend(self, kind: Kind, ids: Sequence[int], turn: int, medium: Medium | None) -> None:
        start = len(self.ids)
        self.ids.extend(ids)
        self.spans.append(Span(kind, turn, start, len(self.ids), medium))
