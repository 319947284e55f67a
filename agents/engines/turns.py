"""Keys and values of finished replies, for the next turn of their episodes.

A turn's prompt begins with the last turn's prompt and reply, token for token, so what the model computed for them still
holds: until its weights change.

    turns = Turns(capacity=1 << 30)
    kept = turns.take(ids, media)                  # of the longest conversation that the prompt goes on from, or None
    turns.keep(Kept.of(cache, row, real, ids, media))
    turns.clear()                                  # at every update of the weights
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Kept:
    """A conversation so far; L tokens.

    Attributes:
        ids: the tokens.
        media: names of the media among them.
        layers: keys and values, [heads, L, D] each, of each layer.
    """

    ids: tuple[int, ...]
    media: tuple[str, ...]
    layers: list[tuple[Tensor, Tensor]]

    @classmethod
    def of(cls, cache: Any, row: int, real: Tensor, ids: tuple[int, ...], media: tuple[str, ...]) -> Kept:
        """Copy one row out of a `DynamicCache`; `real` are the indices of its tokens, int64 [L]."""
        layers = [(layer.keys[row][:, real], layer.values[row][:, real]) for layer in cache.layers]
        return cls(ids, media, layers)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of tokens and of media."""
        return len(self.ids), len(self.media)

    @property
    def size(self) -> int:
        """Bytes of keys and values."""
        return sum(each.nbytes for pair in self.layers for each in pair)


class Turns:
    """The latest conversations, at most `capacity` bytes of them; 0 keeps none."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.size = 0
        self._kept: OrderedDict[tuple[tuple[int, ...], tuple[str, ...]], Kept] = OrderedDict()
        self._shapes: Counter[tuple[int, int]] = Counter()  # how many there are of each number of tokens and media

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, kept: Kept) -> None:
        """Add a conversation; the oldest ones make room."""
        if kept.size > self.capacity:
            return
        self._drop((kept.ids, kept.media))
        self._kept[kept.ids, kept.media] = kept
        self._shapes[kept.shape] += 1
        self.size += kept.size
        while self.size > self.capacity:
            self._drop(next(iter(self._kept)))

    def take(self, ids: tuple[int, ...], media: Sequence[str]) -> Kept | None:
        """The longest kept beginning of a prompt, shorter than it; it is given away, since its episode goes on."""
        names = tuple(media)
        for tokens, seen in sorted((shape for shape in self._shapes if shape[0] < len(ids)), reverse=True):
            if (kept := self._drop((ids[:tokens], names[:seen]))) is not None:
                return kept
        return None

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._shapes.clear()
        self.size = 0

    def _drop(self, key: tuple[tuple[int, ...], tuple[str, ...]]) -> Kept | None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self.size -= kept.size
            self._shapes[kept.shape] -= 1
            if not self._shapes[kept.shape]:
                del self._shapes[kept.shape]
        return kept


def pasts(cache: Any, kept: Sequence[Kept | None], device: torch.device) -> Tensor:
    """Fill an empty cache with conversations, left-padded; returns which of its tokens are real, bool [rows, past]."""
    lengths = [0 if each is None else len(each.ids) for each in kept]
    longest = max(lengths)
    mask = torch.zeros(len(kept), longest, dtype=torch.bool, device=device)
    for row, length in enumerate(lengths):
        mask[row, longest - length :] = True
    some = next((each for each in kept if each is not None), None)
    for number, (sample, _) in enumerate(some.layers if some else []):
        keys, values = torch.zeros(
            2, len(kept), len(sample), longest, sample.shape[-1], dtype=sample.dtype, device=device
        )
        for row, each in enumerate(kept):
            if each is not None:
                keys[row, :, longest - lengths[row] :], values[row, :, longest - lengths[row] :] = each.layers[number]
        cache.update(keys, values, number)
    return mask
