"""Training samples into tensors: rows that share a prompt share its computation.

A row is a sample with its advantages. The tokens before a row's first action are its prefix; rows with the same prefix
(the episodes of a group) compute it once, under grad. Numbers for the losses are flat vectors over action tokens, so
no loss ever sees padding.

    for part, batch in batches(rows, backbone, media, Batching(tokens=16384)):
        logprobs, entropy = score(backbone, batch, banned, temperature)    # of the action tokens of `part`

Shapes: B rows, N action tokens, D width, V vocabulary.
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
from torch.utils.checkpoint import checkpoint

from saccade.agents.attention import row_tokens
from saccade.agents.backbone import Backbone, Encoded
from saccade.agents.engines.sampling import masked_logprobs
from saccade.agents.media import Features, Media
from saccade.agents.modality import name_of
from saccade.agents.trajectory import Sample
from saccade.envs.errors import ConfigError
from saccade.rl.layout import Layout, Packed, Padded, Placed

LOGITS_BYTES = 256 << 20
"""Largest matrix of logits, by default."""


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
class Batching:
    """How rows are cut into micro-batches; changes memory and speed, never the gradient."""

    tokens: int = 16384
    """Largest micro-batch in tokens, padding included; a longer row is one of its own."""
    packed: bool = False
    """Several samples behind each other in one row of the forward pass, instead of padded ones beside each other."""

    def __post_init__(self) -> None:
        if self.tokens < 1:
            raise ConfigError(f"micro_batch_tokens must be >= 1, got {self.tokens}")


@dataclass(frozen=True)
class MicroBatch:
    """Tensors of some rows.

    Attributes:
        layout: where the tokens lie in the forward pass.
        features: media of all rows; equal ones once.
        targets, sampled, old, advantages, weights: [N], of the action tokens, row by row.
        sequences: int64 [N], number of the row of each.
        reference, importance, values, value_targets: [N] likewise; `None` unless every row has them.
    """

    layout: Layout
    features: tuple[Features, ...]
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


def pack(rows: Sequence[Row], budget: int, capacity: int) -> Iterator[list[list[list[Row]]]]:
    """Cut rows into micro-batches of packed rows of trees: rows of one prefix, which is there once.

    Trees go, the longest first, into the first packed row that has room (first-fit decreasing). A group that is longer
    than a packed row becomes several trees. Packed rows of a micro-batch are padded to no more than twice the shortest.

    Args:
        rows: in any order.
        budget: largest micro-batch in tokens, padding included.
        capacity: longest packed row; a longer sample has one of its own.
    """
    groups: dict[object, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.prefix_key, []).append(row)
    trees: list[tuple[int, list[Row]]] = []
    for group in groups.values():
        size, tree = group[0].prefix, list[Row]()
        for row in sorted(group, key=lambda row: -row.continuation):
            if tree and size + row.continuation > capacity:
                trees.append((size, tree))
                size, tree = row.prefix, []
            size += row.continuation
            tree.append(row)
        trees.append((size, tree))
    sizes: list[int] = []
    packed: list[list[list[Row]]] = []
    for size, tree in sorted(trees, key=lambda each: -each[0]):
        room = next((at for at, taken in enumerate(sizes) if taken + size <= capacity), None)
        if room is None:
            room = len(sizes)
            sizes.append(0)
            packed.append([])
        sizes[room] += size
        packed[room].append(tree)
    part: list[list[list[Row]]] = []
    longest = 0
    for size, each in sorted(zip(sizes, packed, strict=True), key=lambda each: -each[0]):
        if part and (2 * size < longest or (len(part) + 1) * longest > budget):
            yield part
            part = []
        longest = longest if part else size
        part.append(each)
    if part:
        yield part


def batches(
    rows: Sequence[Row], backbone: Backbone, media: Media, batching: Batching
) -> Iterator[tuple[list[Row], MicroBatch]]:
    """Micro-batches of rows; of each, its rows in the order of its tensors."""
    if batching.packed:
        for packed in pack(rows, batching.tokens, row_tokens(backbone.device, batching.tokens)):
            part = [row for trees in packed for tree in trees for row in tree]
            yield part, collate(part, backbone, media, [[len(tree) for tree in trees] for trees in packed])
    else:
        for part in cut(rows, batching.tokens):
            yield part, collate(part, backbone, media)


def collate(
    rows: Sequence[Row], backbone: Backbone, media: Media, trees: Sequence[Sequence[int]] | None = None
) -> MicroBatch:
    """Rows into tensors.

    Args:
        rows: of the micro-batch.
        backbone: knows positions.
        media: processes what the rows show.
        trees: of each packed row, how many rows each of its trees has; without it they are padded.
    """
    device = backbone.device
    features: list[list[Features]] = []
    placed: list[Placed] = []
    for row in rows:
        sample = row.sample
        found = [media.process(medium) for medium in sample.media]
        for (start, stop), each in zip(sample.media_spans, found, strict=True):
            count = np.count_nonzero(sample.ids[start:stop] == backbone.placeholders[each.modality])
            if count != each.tokens:
                raise ValueError(f"this {each.modality} has {each.tokens} features but {count} placeholders")
        features.append(found)
        placed.append(
            Placed(
                ids=sample.ids,
                actions=np.flatnonzero(sample.action_mask),
                prefix=row.prefix,
                key=row.prefix_key,
                positions=backbone.positions(sample.ids.tolist(), found),
                media=[(stop, each.digest) for (_, stop), each in zip(sample.media_spans, found, strict=True)],
            )
        )

    def joined(parts: Sequence[NDArray[np.floating[Any]] | None]) -> Tensor | None:
        known = [part for part in parts if part is not None]
        return torch.from_numpy(np.concatenate(known)).float().to(device) if len(known) == len(rows) else None

    sampled = joined([row.sample.logprobs[row.sample.action_mask] for row in rows])
    assert sampled is not None
    old = joined([row.old for row in rows])
    importance = joined([row.importance for row in rows])
    weights = torch.cat([torch.full((row.tokens,), row.weight) for row in rows]).to(device)
    return MicroBatch(
        layout=Padded.of(placed, device) if trees is None else Packed.of(placed, trees, device),
        features=tuple({each.digest: each for row in features for each in row}.values()),
        targets=torch.from_numpy(np.concatenate([each.ids[each.actions] for each in placed])).to(device),
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
    return batch.layout.states(backbone, encoded)


def read(
    backbone: Backbone,
    states_ND: Tensor,
    targets: Tensor,
    banned: Tensor,
    temperature: float,
    logits_bytes: int = LOGITS_BYTES,
) -> tuple[Tensor, Tensor]:
    """Log-probability of each target and entropy in the state before it, both [N].

    Exactly what the sampler stored: the masked, tempered distribution. Where the logits of all N states, [N, V], are
    larger than `logits_bytes`, they are computed in chunks that are thrown away, and once more for the backward pass:
    at any time there are a few matrices of one chunk's size, whatever N is.
    """

    def project(states_CD: Tensor, targets_C: Tensor) -> tuple[Tensor, Tensor]:
        logprobs = masked_logprobs(backbone.logits(states_CD), banned, temperature)
        chosen = logprobs.gather(-1, targets_C.unsqueeze(-1)).squeeze(-1)
        return chosen, -(logprobs.exp() * logprobs.masked_fill(banned, 0.0)).sum(-1)

    chunk = max(logits_bytes // (4 * len(banned)), 1)
    if len(targets) <= chunk:
        return project(states_ND, targets)
    parts = [
        checkpoint(project, states_CD, targets_C, use_reentrant=False, preserve_rng_state=False)
        for states_CD, targets_C in zip(torch.split(states_ND, chunk), torch.split(targets, chunk), strict=True)
    ]
    chosen, entropy = zip(*parts, strict=True)
    return torch.cat(chosen), torch.cat(entropy)


def score(
    backbone: Backbone,
    batch: MicroBatch,
    banned: Tensor,
    temperature: float,
    encoded: Encoded | None = None,
    logits_bytes: int = LOGITS_BYTES,
) -> tuple[Tensor, Tensor]:
    """Log-probability and entropy of each action token under the current weights, both [N].

    The media are the learner's; they are encoded here unless `encoded` holds them already.
    """
    before, _ = states(backbone, batch, encoded or backbone.encode(batch.features))
    return read(backbone, before, batch.targets, banned, temperature, logits_bytes)
