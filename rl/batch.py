"""Training samples into tensors: rows that share a prompt share its computation.

A row is a sample with its advantages. The tokens before a row's first action are its prefix; rows with the same prefix
(the episodes of a group) compute it once, under grad, and continue from its cache. Numbers for the losses are flat
vectors over action tokens, so no loss ever sees padding.

Shapes: P prefixes, B rows, N action tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from saccade.agents.backbone import Backbone, Block, Encoded, pad_block
from saccade.agents.engines.sampling import masked_logprobs
from saccade.agents.media import Features, Media
from saccade.agents.modality import name_of
from saccade.agents.trajectory import Sample


@dataclass(frozen=True, eq=False)
class Row:
    """A sample to train on.

    Attributes:
        sample: the tokens.
        advantages: float [action tokens], in order.
        weight: of each of its tokens in the loss; set from the whole batch.
        reference: float [action tokens], log-probabilities under the reference, where there is one.
        old: float [action tokens], log-probabilities when the update began; by default the sampler's stand for them.
        importance: float [action tokens], weight of the policy loss of each; 0 leaves a token out. All 1 by default.
        values, targets: float [action tokens], what a critic said, and should have said (NaN: nothing to learn).
        episode: equal for the rows of one episode, which is one sequence to the loss; by default a row is all of its.
    """

    sample: Sample
    advantages: NDArray[np.float64]
    weight: float = 0.0
    reference: NDArray[np.float32] | None = None
    old: NDArray[np.float32] | None = None
    importance: NDArray[np.float64] | None = None
    values: NDArray[np.float64] | None = None
    targets: NDArray[np.float64] | None = None
    episode: int | None = None

    def __post_init__(self) -> None:
        if len(self.advantages) != self.tokens:
            raise ValueError(f"{self.tokens} action tokens but {len(self.advantages)} advantages")

    @property
    def tokens(self) -> int:
        """Number of action tokens."""
        return int(self.sample.action_mask.sum())

    @property
    def taught(self) -> int:
        """Number of action tokens that are in the loss."""
        return self.tokens if self.importance is None else int(np.count_nonzero(self.importance))

    @property
    def prefix(self) -> int:
        """Tokens before the first action; of a row without any, all but the last, as a continuation is never empty."""
        return int(self.sample.action_mask.argmax()) if self.tokens else len(self.sample.ids) - 1

    @property
    def continuation(self) -> int:
        """Tokens from the first action on."""
        return len(self.sample.ids) - self.prefix

    @cached_property
    def prefix_key(self) -> tuple[bytes, tuple[str, ...]]:
        """Equal for rows whose prefixes are equal, media included."""
        inside = [
            name_of(medium)
            for medium, (_, stop) in zip(self.sample.media, self.sample.media_spans, strict=True)
            if stop <= self.prefix
        ]
        return self.sample.ids[: self.prefix].tobytes(), tuple(inside)


def by_episode(rows: Sequence[Row]) -> list[list[int]]:
    """Indices of the rows of each episode, in order of appearance; a row that names none is an episode of its own."""
    found: dict[tuple[bool, int], list[int]] = {}
    for index, row in enumerate(rows):
        key = (False, index) if row.episode is None else (True, row.episode)
        found.setdefault(key, []).append(index)
    return list(found.values())


@dataclass(frozen=True)
class MicroBatch:
    """Tensors of some rows.

    Attributes:
        prefix: P unique prefixes, left-padded, so that all end at the same column.
        suffix: B continuations, right-padded.
        prefix_of: int64 [B], index of each row's prefix.
        features: media of all blocks; equal ones once.
        action: bool [B, L], action tokens of the suffix.
        targets, sampled, old, advantages, weights: [N], of the action tokens, row by row.
        sequences: int64 [N], number of the row of each.
        reference, importance, values, value_targets: [N] likewise; `None` unless every row has them.
    """

    prefix: Block
    suffix: Block
    prefix_of: Tensor
    features: tuple[Features, ...]
    action: Tensor
    targets: Tensor
    sampled: Tensor
    old: Tensor
    advantages: Tensor
    weights: Tensor
    sequences: Tensor
    reference: Tensor | None
    importance: Tensor | None
    values: Tensor | None
    value_targets: Tensor | None


def cut(rows: Sequence[Row], budget: int) -> Iterator[list[Row]]:
    """Cut rows into micro-batches of at most `budget` tokens, padding included.

    Rows of like length come together: no prefix and no continuation is padded to more than twice the shortest one of
    its micro-batch, since padding costs as much as tokens. One row larger than the budget is a micro-batch of its own.
    """
    part: list[Row] = []
    prefixes: set[object] = set()
    longest_prefix = 0
    for row in sorted(rows, key=lambda row: (row.prefix.bit_length(), row.continuation, row.prefix_key)):
        keys = prefixes | {row.prefix_key}
        head = max(longest_prefix, row.prefix)
        tokens = len(keys) * head + (len(part) + 1) * row.continuation
        unlike = part and (
            row.prefix.bit_length() != part[0].prefix.bit_length() or row.continuation > 2 * part[0].continuation
        )
        if unlike or (part and tokens > budget):
            yield part
            part, keys, head = [], {row.prefix_key}, row.prefix
        part.append(row)
        prefixes, longest_prefix = keys, head
    if part:
        yield part


def collate(rows: Sequence[Row], backbone: Backbone, media: Media) -> MicroBatch:
    """Rows into tensors."""
    device = backbone.device
    heads: dict[object, int] = {}
    features: list[list[Features]] = []
    positions: list[Tensor] = []
    for index, row in enumerate(rows):
        heads.setdefault(row.prefix_key, index)
        row_features = [media.process(medium) for medium in row.sample.media]
        for (start, stop), each in zip(row.sample.media_spans, row_features, strict=True):
            found = np.count_nonzero(row.sample.ids[start:stop] == backbone.placeholders[each.modality])
            if found != each.tokens:
                raise ValueError(f"this {each.modality} has {each.tokens} features but {found} placeholders")
        features.append(row_features)
        positions.append(backbone.positions(row.sample.ids.tolist(), row_features))

    def block(indices: Sequence[int], head: bool) -> Block:
        parts = [slice(0, rows[i].prefix) if head else slice(rows[i].prefix, None) for i in indices]
        names = [
            [
                each.digest
                for each, (_, stop) in zip(features[i], rows[i].sample.media_spans, strict=True)
                if (stop <= rows[i].prefix) == head
            ]
            for i in indices
        ]
        return pad_block(
            [rows[i].sample.ids[part].tolist() for i, part in zip(indices, parts, strict=True)],
            [positions[i][:, part] for i, part in zip(indices, parts, strict=True)],
            names,
            left=head,
            device=device,
        )

    order = {key: index for index, key in enumerate(heads)}
    prefix, suffix = block(list(heads.values()), head=True), block(range(len(rows)), head=False)
    prefix_of = [order[row.prefix_key] for row in rows]
    action = torch.zeros_like(suffix.mask)
    for index, row in enumerate(rows):
        tail = row.sample.action_mask[row.prefix :]
        action[index, : len(tail)] = torch.from_numpy(tail)

    def joined(parts: Sequence[NDArray[np.floating[Any]] | None]) -> Tensor | None:
        known = [part for part in parts if part is not None]
        return torch.from_numpy(np.concatenate(known)).float().to(device) if len(known) == len(rows) else None

    sampled = joined([row.sample.logprobs[row.sample.action_mask] for row in rows])
    assert sampled is not None
    old = joined([row.old for row in rows])
    importance = joined([row.importance for row in rows])
    weights = torch.cat([torch.full((row.tokens,), row.weight) for row in rows]).to(device)
    return MicroBatch(
        prefix=prefix,
        suffix=suffix,
        prefix_of=torch.tensor(prefix_of, device=device),
        features=tuple({each.digest: each for row in features for each in row}.values()),
        action=action,
        targets=suffix.ids[action],
        sampled=sampled,
        old=sampled if old is None else old,
        advantages=torch.from_numpy(np.concatenate([row.advantages for row in rows])).float().to(device),
        weights=weights if importance is None else weights * (importance > 0),
        sequences=torch.arange(len(rows)).repeat_interleave(torch.tensor([row.tokens for row in rows])).to(device),
        reference=joined([row.reference for row in rows]),
        importance=importance,
        values=joined([row.values for row in rows]),
        value_targets=joined([row.targets for row in rows]),
    )


def states(backbone: Backbone, batch: MicroBatch, encoded: Encoded) -> tuple[Tensor, Tensor]:
    """Hidden states before each action token, [N, D], and behind the last token of each row, [B, D]."""
    cache = backbone.new_cache()
    head = backbone.hidden(batch.prefix, encoded, cache)
    cache.batch_select_indices(batch.prefix_of)
    tail = backbone.hidden(batch.suffix, encoded, cache, batch.prefix.mask[batch.prefix_of])
    # The state before each suffix token: the prefix's last for the first one, else its left neighbour's.
    before = torch.cat([head[batch.prefix_of, -1:], tail[:, :-1]], dim=1)
    rows = torch.arange(len(tail), device=tail.device)
    return before[batch.action], tail[rows, batch.suffix.mask.sum(1) - 1]


def read(
    backbone: Backbone, states: Tensor, targets: Tensor, banned: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """Log-probability of each target and entropy in the state before it, both [N].

    Exactly what the sampler stored: the masked, tempered distribution.
    """
    logprobs = masked_logprobs(backbone.logits(states), banned, temperature)
    chosen = logprobs.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    entropy = -(logprobs.exp() * logprobs.masked_fill(banned, 0.0)).sum(-1)
    return chosen, entropy


def score(
    backbone: Backbone, batch: MicroBatch, banned: Tensor, temperature: float, encoded: Encoded | None = None
) -> tuple[Tensor, Tensor]:
    """Log-probability and entropy of each action token under the current weights, both [N].

    The media are the learner's; they are encoded here unless `encoded` holds them already.
    """
    before, _ = states(backbone, batch, encoded or backbone.encode(batch.features))
    return read(backbone, before, batch.targets, banned, temperature)
