"""One forward pass for sampling and for training: a Hugging Face vision-language model with explicit positions.

Prompts are computed once and shared: a batch is a few unique prefixes and many continuations, each of which names its
prefix. Every unique picture goes through the vision tower once. Rotary positions are computed per sequence before any
padding, so a row never depends on its neighbours.

Shapes: P prefixes, B rows, L tokens, D width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from saccade.agents.pictures import Features
from saccade.envs.errors import ConfigError


@dataclass(frozen=True)
class Encoded:
    """Vision-tower outputs by content hash: the embeddings of a picture, and its deepstack features by layer."""

    embeds: dict[str, Tensor]
    deepstack: dict[str, list[Tensor]]


@dataclass(frozen=True)
class Block:
    """A padded block of sequences.

    Attributes:
        ids: int64 [B, L].
        mask: bool [B, L], true at real tokens.
        positions: int64 [3, B, L].
        pictures: content hashes in reading order over the whole block, row by row.
    """

    ids: Tensor
    mask: Tensor
    positions: Tensor
    pictures: tuple[str, ...]


class Backbone:
    """Wraps a model of the Qwen-VL kind (grids of patches, three rotary axes).

    Args:
        model: a `...ForConditionalGeneration` module whose forward takes `mm_encoder_outputs`.
    """

    def __init__(self, model: Any) -> None:
        if not hasattr(getattr(model, "model", None), "get_rope_index"):
            raise ConfigError(
                f"{type(model).__name__} is not supported yet: use a Qwen2-VL, Qwen2.5-VL or Qwen3-VL checkpoint"
            )
        self.model = model
        self.image_token: int = model.config.image_token_id
        self.vocabulary: int = model.config.get_text_config().vocab_size
        self._positions: dict[bytes, Tensor] = {}

    @classmethod
    def from_pretrained(cls, path: str | Path, device: str = "cpu") -> Backbone:
        """Load a checkpoint from a folder or the hub, in float32."""
        from transformers import AutoModelForImageTextToText

        return cls(AutoModelForImageTextToText.from_pretrained(path, dtype=torch.float32).to(device))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = self.model.device
        return device

    def encode(self, pictures: Sequence[Features]) -> Encoded:
        """Run the vision tower once over the unique pictures."""
        unique = list({each.digest: each for each in pictures}.values())
        if not unique:
            return Encoded({}, {})
        pixels = torch.cat([each.pixel_values for each in unique]).to(self.device)
        grid = torch.tensor([each.grid for each in unique], device=self.device)
        out = self.model.model.get_image_features(pixels, grid, return_dict=True)
        layers = getattr(out, "deepstack_features", None) or []
        names = [each.digest for each in unique]
        return Encoded(
            dict(zip(names, out.pooler_output, strict=True)),
            {name: [layer[index] for layer in layers] for index, name in enumerate(names)},
        )

    def positions(self, ids: Sequence[int], pictures: Sequence[Features]) -> Tensor:
        """Rotary positions of one whole sequence, int64 [3, L]."""
        row = torch.tensor([list(ids)])
        types = (row == self.image_token).int()
        grids = torch.tensor([each.grid for each in pictures]) if pictures else None
        name = types.numpy().tobytes() + repr([each.grid for each in pictures]).encode()
        found = self._positions.get(name)
        if found is None:
            if len(self._positions) > 4096:
                self._positions.clear()
            index, _ = self.model.model.get_rope_index(row, types, image_grid_thw=grids)
            self._positions[name] = found = index[:, 0]
        return found

    def hidden(self, block: Block, encoded: Encoded, cache: Any = None, past_mask: Tensor | None = None) -> Tensor:
        """Last hidden states of a block, [B, L, D]; appends to `cache` where one is given.

        Args:
            block: the tokens.
            encoded: vision features of (at least) the block's pictures.
            cache: a `DynamicCache` that holds the tokens before the block.
            past_mask: bool [B, past], true at real tokens in the cache.
        """
        mask = block.mask if past_mask is None else torch.cat([past_mask, block.mask], dim=1)
        images = None
        if block.pictures:
            stacks = [encoded.deepstack[name] for name in block.pictures]
            images = SimpleNamespace(
                pooler_output=[encoded.embeds[name] for name in block.pictures],
                deepstack_features=[list(layer) for layer in zip(*stacks, strict=True)],
            )
        out = self.model.model(
            input_ids=block.ids,
            attention_mask=mask.long(),
            position_ids=block.positions,
            past_key_values=cache,
            mm_encoder_outputs={"image": images} if images else None,
            use_cache=cache is not None,
        )
        hidden: Tensor = out.last_hidden_state
        return hidden

    def logits(self, hidden: Tensor) -> Tensor:
        """Vocabulary projection of hidden states, [..., V]."""
        projected: Tensor = self.model.lm_head(hidden)
        return projected

    def new_cache(self) -> Any:
        """An empty key-value cache."""
        from transformers import DynamicCache

        return DynamicCache(config=self.model.config.get_text_config())


def pad_block(
    ids: Sequence[Sequence[int]],
    positions: Sequence[Tensor],
    pictures: Sequence[Sequence[str]],
    left: bool,
    device: torch.device,
    pad_to: int = 0,
) -> Block:
    """Stack sequences into a block, padded on the left or on the right; padding has token 0 and is masked."""
    length = max(pad_to, max(len(row) for row in ids))
    block_ids = torch.zeros(len(ids), length, dtype=torch.long)
    mask = torch.zeros(len(ids), length, dtype=torch.bool)
    block_positions = torch.zeros(3, len(ids), length, dtype=torch.long)
    for index, (row, places) in enumerate(zip(ids, positions, strict=True)):
        where = slice(length - len(row), length) if left else slice(0, len(row))
        block_ids[index, where] = torch.as_tensor(row)
        mask[index, where] = True
        block_positions[:, index, where] = places
    names = tuple(name for row in pictures for name in row)
    return Block(block_ids.to(device), mask.to(device), block_positions.to(device), names)
