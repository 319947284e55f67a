"""What the learner receives: an episode and the token samples that an agent made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.agents.modality import Medium, name_of
from saccade.agents.thoughts import thoughts_right
from saccade.agents.usage import Usage
from saccade.envs.episode import Episode


@dataclass(frozen=True, eq=False)
class Sample:
    """One token sequence to train on; L tokens.

    Attributes:
        ids: int64 [L], placeholders expanded.
        turns: int32 [L], the turn of each action token and -1 elsewhere: `turns >= 0` is the loss mask.
        logprobs: float32 [L], the sampler's, at action tokens; 0 elsewhere.
        versions: int32 [L], weight version of each action token; -1 elsewhere.
        media: pictures, videos and sounds in order, as the learner sees them.
        media_spans: (start, stop) of each: from its first placeholder to behind its last.
    """

    ids: NDArray[np.int64]
    turns: NDArray[np.int32]
    logprobs: NDArray[np.float32]
    versions: NDArray[np.int32]
    media: tuple[Medium, ...]
    media_spans: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        if len(self.media) != len(self.media_spans):
            raise ValueError(f"{len(self.media)} media but {len(self.media_spans)} spans of them")
        if not len(self.ids) == len(self.turns) == len(self.logprobs) == len(self.versions):
            raise ValueError("ids, turns, logprobs and versions must have one length")

    @property
    def action_mask(self) -> NDArray[np.bool_]:
        """Bool [L]: tokens that the agent wrote."""
        return self.turns >= 0

    @property
    def tail(self) -> int:
        """Tokens behind the last action: a final observation that nothing answered, there for its value alone."""
        actions = np.flatnonzero(self.action_mask)
        return len(self.ids) - 1 - int(actions[-1]) if len(actions) else len(self.ids)

    def begins(self, other: Sample) -> bool:
        """Whether another sample begins with this one and trains none of its action tokens."""
        length = len(self.ids)
        return (
            np.array_equal(self.ids, other.ids[:length])
            and not (self.action_mask & other.action_mask[:length]).any()
            and all(name_of(one) == name_of(two) for one, two in zip(self.media, other.media, strict=False))
        )

    def with_start(self, start: Sample) -> Sample:
        """The sample, trained on the action tokens of one that `begins` it too."""

        def put(own: NDArray[Any], theirs: NDArray[Any]) -> NDArray[Any]:
            out = own.copy()
            out[: len(theirs)][start.action_mask] = theirs[start.action_mask]
            return out

        return replace(
            self,
            turns=put(self.turns, start.turns),
            logprobs=put(self.logprobs, start.logprobs),
            versions=put(self.versions, start.versions),
        )

    def without_tail(self) -> Sample:
        """The sample up to its last action."""
        stop = len(self.ids) - self.tail
        kept = [(medium, span) for medium, span in zip(self.media, self.media_spans, strict=True) if span[1] <= stop]
        return Sample(
            self.ids[:stop],
            self.turns[:stop],
            self.logprobs[:stop],
            self.versions[:stop],
            tuple(medium for medium, _ in kept),
            tuple(span for _, span in kept),
        )


def merge(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """As few samples as can hold the same action tokens: one that begins another becomes part of it.

    The longest are kept, in the order given. One with a tail stays whole, since nothing may follow its tail.
    """
    kept: dict[int, Sample] = {}
    for index in sorted(range(len(samples)), key=lambda index: -len(samples[index].ids)):
        sample = samples[index]
        longer = (place for place, other in kept.items() if not sample.tail and sample.begins(other))
        place = next(longer, None)
        if place is None:
            kept[index] = sample
        else:
            kept[place] = kept[place].with_start(sample)
    return tuple(kept[index] for index in sorted(kept))


@dataclass(frozen=True, eq=False)
class Trajectory:
    """An episode with its samples; each action token is in exactly one of them.

    A context policy makes several samples of an episode. A last one without any action holds the final observation of
    an episode that was cut off, for its value.

    Attributes:
        key: canonical name within a run: update, task, sample.
        well_formed: of each turn, whether the reply followed its format.
        usage: tokens of each turn.
    """

    episode: Episode
    samples: Sequence[Sample]
    key: str
    well_formed: Sequence[bool] = ()
    usage: Sequence[Usage] = ()

    @property
    def thoughts_right(self) -> Sequence[bool | None]:
        """Of each turn, whether its thought was the demonstrated one; `None` where there was none to compare with."""
        return thoughts_right(self.episode)

    def prompt_tokens(self) -> NDArray[np.int64]:
        """int64 [turns]: tokens that were read before each reply."""
        lengths = np.zeros(len(self.episode.steps), np.int64)
        for sample in self.samples:
            turns, starts = np.unique(sample.turns, return_index=True)
            lengths[turns[turns >= 0]] = starts[turns >= 0]
        return lengths

    def tokens_per_turn(self) -> NDArray[np.int64]:
        """int64 [turns]: action tokens of each turn, over all samples."""
        counts = np.zeros(len(self.episode.steps), np.int64)
        for sample in self.samples:
            turns, tokens = np.unique(sample.turns[sample.action_mask], return_counts=True)
            counts[turns] += tokens
        return counts
