"""Where the tokens of a micro-batch lie in the forward pass: padded beside each other, or packed behind each other.

Both compute a prefix that several rows share once, both with rotary positions of the whole sample, so neither changes
a log-probability by more than rounding. `Padded` goes through the model twice (prefixes, then continuations on their
cache); `Packed` once.

Shapes: B samples, N action tokens, R packed rows of L tokens, P prefixes, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from saccade.agents.attention import tree_mask
from saccade.agents.backbone import Backbone, Block, Encoded, pad_block


@dataclass(frozen=True, eq=False)
class Placed:
    """A sample, ready to be laid out.

    Attributes:
        ids: int64 [tokens].
        actions: int64, indices of the action tokens.
        prefix: tokens before the first of them.
        key: equal where prefixes are.
        positions: int64 [3, tokens], rotary.
        media: (stop, name) of each medium in reading order; `stop` is behind its last placeholder.
    """

    ids: NDArray[np.int64]
    actions: NDArray[np.int64]
    prefix: int
    key: object
    positions: Tensor
    media: Sequence[tuple[int, str]]

    def names(self, head: bool) -> list[str]:
        """Media of the prefix, or of the continuation."""
        return [name for stop, name in self.media if (stop <= self.prefix) == head]


class Layout(Protocol):
    """Knows where the state before each action token is."""

    def states(self, backbone: Backbone, encoded: Encoded) -> tuple[Tensor, Tensor]:
        """Hidden states before each action token, [N, D], and behind the last token of each sample, [B, D]."""


@dataclass(frozen=True, eq=False)
class Padded:
    """Prefixes and continuations as two padded blocks.

    Attributes:
        prefix: P unique prefixes, left-padded, so that all end at the same column.
        suffix: B continuations, right-padded.
        prefix_of: int64 [B], index of each sample's prefix.
        action: bool [B, tokens], action tokens of the suffix.
    """

    prefix: Block
    suffix: Block
    prefix_of: Tensor
    action: Tensor

    @classmethod
    def of(cls, samples: Sequence[Placed], device: torch.device) -> Padded:
        """Lay out samples."""
        heads: dict[object, int] = {}
        for index, each in enumerate(samples):
            heads.setdefault(each.key, index)
        order = {key: index for index, key in enumerate(heads)}

        def block(some: Sequence[Placed], head: bool) -> Block:
            parts = [slice(0, each.prefix) if head else slice(each.prefix, None) for each in some]
            return pad_block(
                [each.ids[part].tolist() for each, part in zip(some, parts, strict=True)],
                [each.positions[:, part] for each, part in zip(some, parts, strict=True)],
                [each.names(head) for each in some],
                left=head,
                device=device,
            )

        suffix = block(samples, head=False)
        action = torch.zeros_like(suffix.mask)
        for index, each in enumerate(samples):
            action[index, torch.from_numpy(each.actions - each.prefix)] = True
        return cls(
            prefix=block([samples[index] for index in heads.values()], head=True),
            suffix=suffix,
            prefix_of=torch.tensor([order[each.key] for each in samples], device=device),
            action=action,
        )

    def states(self, backbone: Backbone, encoded: Encoded) -> tuple[Tensor, Tensor]:
        """Hidden states before each action token, [N, D], and behind the last token of each sample, [B, D]."""
        cache = backbone.new_cache()
        head = backbone.hidden(self.prefix, encoded, cache)
        cache.batch_select_indices(self.prefix_of)
        tail = backbone.hidden(self.suffix, encoded, cache, self.prefix.mask[self.prefix_of])
        # The state before each suffix token: the prefix's last for the first one, else its left neighbour's.
        before = torch.cat([head[self.prefix_of, -1:], tail[:, :-1]], dim=1)
        rows = torch.arange(len(tail), device=tail.device)
        return before[self.action], tail[rows, self.suffix.mask.sum(1) - 1]


@dataclass(frozen=True, eq=False)
class Packed:
    """Trees of samples, several in a row: a prefix, then all its continuations.

    Attributes:
        block: R rows, right-padded.
        segments, parents: int64 [R, L], as `tree_mask` takes them.
        before: int64 [N], index in the flattened rows of the token before each action token.
        last: int64 [B], of the last token of each sample.
    """

    block: Block
    segments: Tensor
    parents: Tensor
    before: Tensor
    last: Tensor

    @classmethod
    def of(cls, samples: Sequence[Placed], trees: Sequence[Sequence[int]], device: torch.device) -> Packed:
        """Lay out samples.

        Args:
            samples: in the order of rows and trees.
            trees: of each row, how many samples each of its trees has; those of a tree have one prefix.
            device: of the tensors.
        """
        left = iter(samples)
        groups = [[[next(left) for _ in range(count)] for count in row] for row in trees]
        size = [sum(g[0].prefix + sum(len(each.ids) - each.prefix for each in g) for g in row) for row in groups]
        shape = len(groups), max(size)
        ids, segments, parents = torch.zeros(3, *shape, dtype=torch.long).unbind()
        positions = torch.zeros(3, *shape, dtype=torch.long)
        names: list[str] = []
        before: list[NDArray[np.int64]] = []
        last: list[int] = []
        count = 0  # segment 0 is padding

        def place(row: int, at: int, each: Placed, part: slice, parent: int | None) -> int:
            """Write a segment; returns where the next one begins."""
            nonlocal count
            count += 1
            tokens = torch.from_numpy(each.ids[part])
            where = slice(at, at + len(tokens))
            ids[row, where] = tokens
            positions[:, row, where] = each.positions[:, part]
            segments[row, where] = count
            parents[row, where] = count if parent is None else parent
            names.extend(each.names(head=parent is None))
            return at + len(tokens)

        for row, groups_of_row in enumerate(groups):
            at = 0
            for group in groups_of_row:
                prefix = group[0].prefix
                at = stop = place(row, at, group[0], slice(0, prefix), None)
                root = count
                for each in group:
                    # What comes before the first token of a continuation is the prefix's last one.
                    left_of = np.where(each.actions == prefix, stop, at + each.actions - prefix) - 1
                    before.append(left_of + row * shape[1])
                    at = place(row, at, each, slice(prefix, None), root)
                    last.append(row * shape[1] + at - 1)
        return cls(
            Block(ids.to(device), (segments > 0).to(device), positions.to(device), tuple(names)),
            segments.to(device),
            parents.to(device),
            torch.from_numpy(np.concatenate(before)).to(device),
            torch.tensor(last, device=device),
        )

    def states(self, backbone: Backbone, encoded: Encoded) -> tuple[Tensor, Tensor]:
        """Hidden states before each action token, [N, D], and behind the last token of each sample, [B, D]."""
        attention = tree_mask(self.segments, self.parents)
        hidden = backbone.hidden(self.block, encoded, attention=attention).flatten(0, 1)
        return hidden[self.before], hidden[self.last]
