"""One forward pass for sampling and for training: a Hugging Face vision-language model with explicit positions.

Prompts are computed once and shared: a batch is a few unique prefixes and many continuations, each of which names its
prefix. Every unique picture, video or sound goes through its encoder once. Rotary positions are computed per sequence
before any padding, so a row never depends on its neighbours.

Shapes: P prefixes, B rows, L tokens, D width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from saccade.agents.attention import take_masks
from saccade.agents.media import Features, placeholders
from saccade.agents.modality import Modality
from saccade.envs.errors import ConfigError

if TYPE_CHECKING:
    from saccade.agents.lora import Adapter

ENCODERS = ("visual", "audio_tower")
"""What the classes call their encoders."""


@dataclass(frozen=True)
class Encoded:
    """Encoder outputs by the name of the medium: its kind, its embeddings, and its deepstack features by layer."""

    modality: dict[str, Modality] = field(default_factory=dict)
    embeds: dict[str, Tensor] = field(default_factory=dict)
    deepstack: dict[str, list[Tensor]] = field(default_factory=dict)

    def of(self, modality: Modality, names: Sequence[str]) -> list[str]:
        """Those of the names that are of one kind, in order."""
        return [name for name in names if self.modality[name] is modality]


@dataclass(frozen=True)
class Block:
    """A padded block of sequences.

    Attributes:
        ids: int64 [B, L].
        mask: bool [B, L], true at real tokens.
        positions: int64 [3, B, L].
        media: names of media in reading order over the whole block, row by row.
    """

    ids: Tensor
    mask: Tensor
    positions: Tensor
    media: tuple[str, ...]


class Backbone:
    """Wraps a model of the Qwen-VL kind (grids of patches, three rotary axes).

    Args:
        model: a `...ForConditionalGeneration` module whose forward takes `mm_encoder_outputs`.

    Attributes:
        adapter: what the model wears (`saccade.agents.lora`), if anything.
    """

    def __init__(self, model: Any) -> None:
        if not hasattr(self._towers(model), "get_rope_index"):
            raise ConfigError(
                f"{type(model).__name__} is not supported yet: use a Qwen2-VL, Qwen2.5-VL or Qwen3-VL checkpoint, or a "
                "Qwen2.5-Omni thinker"
            )
        if "linear_attention" in (getattr(model.config.get_text_config(), "layer_types", None) or ()):
            raise ConfigError(
                f"{type(model).__name__} is not supported yet: its layers of linear attention keep no keys and values "
                "that the rows of a group could share; use a Qwen3-VL checkpoint"
            )
        self.model = model
        self.adapter: Adapter | None = None
        self.placeholders = placeholders(model.config)
        self.vocabulary: int = model.config.get_text_config().vocab_size
        self._positions: dict[bytes, Tensor] = {}
        self._kept: dict[tuple[str, ...], Encoded] | None = None

    @classmethod
    def from_pretrained(cls, path: str | Path, device: str = "cpu") -> Backbone:
        """Load a checkpoint from a folder or the hub, in float32."""
        from transformers import AutoModelForImageTextToText

        from saccade.agents.omni import OmniBackbone  # it is a Backbone

        model = AutoModelForImageTextToText.from_pretrained(path, dtype=torch.float32).to(device)
        return (OmniBackbone if model.config.model_type == "qwen2_5_omni_thinker" else cls)(model)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = self.model.device
        return device

    @property
    def encoders(self) -> list[nn.Module]:
        """The vision tower, projector included, and that of sounds where there is one."""
        towers = self._towers(self.model)
        return [getattr(towers, name) for name in ENCODERS if hasattr(towers, name)]

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """Full tensors under the names of a plain checkpoint; an adapter is added to those that it changes."""
        if self.adapter is not None:
            yield from self.adapter.merged()
        else:
            yield from ((name, weight.detach()) for name, weight in self.model.named_parameters())

    def save_pretrained(self, path: str | Path) -> None:
        """Write a plain Hugging Face folder, an adapter merged into it."""
        self.model.save_pretrained(path, state_dict=dict(self.weights()) if self.adapter is not None else None)

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Inside, encoders that are frozen are not asked twice for the same media."""
        frozen = not any(weight.requires_grad for encoder in self.encoders for weight in encoder.parameters())
        self._kept = {} if frozen else None
        try:
            yield
        finally:
            self._kept = None

    def encode(self, media: Sequence[Features]) -> Encoded:
        """Run the encoders once over the unique media."""
        if self._kept is None:
            return self._encode_all(media)
        names = tuple(each.digest for each in media)  # all of them: what else is in a batch moves the last bits
        if names not in self._kept:
            self._kept[names] = self._encode_all(media)
        return self._kept[names]

    def _encode_all(self, media: Sequence[Features]) -> Encoded:
        encoded = Encoded()
        for modality in Modality:
            unique = list({each.digest: each for each in media if each.modality is modality}.values())
            if not unique:
                continue
            embeds, layers = self._encode(modality, unique)
            for index, each in enumerate(unique):
                encoded.modality[each.digest] = modality
                encoded.embeds[each.digest] = embeds[index]
                encoded.deepstack[each.digest] = [layer[index] for layer in layers]
        return encoded

    def positions(self, ids: Sequence[int], media: Sequence[Features]) -> Tensor:
        """Rotary positions of one whole sequence, int64 [3, L]."""
        row = torch.tensor([list(ids)])
        types = torch.zeros_like(row, dtype=torch.int)
        for number, modality in enumerate(Modality, start=1):
            if modality in self.placeholders:
                types += number * (row == self.placeholders[modality]).int()
        name = types.numpy().tobytes() + repr([(each.grid, each.seconds) for each in media]).encode()
        found = self._positions.get(name)
        if found is None:
            if len(self._positions) > 4096:
                self._positions.clear()
            self._positions[name] = found = self._rope(row, types, media)[:, 0]
        return found

    def hidden(
        self,
        block: Block,
        encoded: Encoded,
        cache: Any = None,
        past_mask: Tensor | None = None,
        attention: Any = None,
    ) -> Tensor:
        """Last hidden states of a block, [B, L, D]; appends to `cache` where one is given.

        Args:
            block: the tokens.
            encoded: features of (at least) the block's media.
            cache: a `DynamicCache` that holds the tokens before the block.
            past_mask: bool [B, past], true at real tokens in the cache.
            attention: which tokens see which, for packed rows (`tree_mask`); without cache.
        """
        outputs = {}
        for modality in dict.fromkeys(encoded.modality[name] for name in block.media):
            names = encoded.of(modality, block.media)
            stacks = [encoded.deepstack[name] for name in names]
            outputs[str(modality)] = SimpleNamespace(
                pooler_output=[encoded.embeds[name] for name in names],
                deepstack_features=[list(layer) for layer in zip(*stacks, strict=True)],
            )
        out = self.model.model(
            input_ids=block.ids,
            attention_mask=self._mask(block, past_mask, attention),
            position_ids=block.positions,
            past_key_values=cache,
            mm_encoder_outputs=outputs or None,
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

    def _mask(self, block: Block, past_mask: Tensor | None, attention: Any) -> Any:
        if attention is not None:
            take_masks(self.model, attention)
            return attention
        return (block.mask if past_mask is None else torch.cat([past_mask, block.mask], dim=1)).long()

    def _towers(self, model: Any) -> Any:
        """The module that holds the encoders and knows rotary positions."""
        return getattr(model, "model", None)

    def _encode(self, modality: Modality, media: Sequence[Features]) -> tuple[Sequence[Tensor], Sequence[Any]]:
        """Embeddings of each medium, and deepstack features of each layer and medium."""
        values = torch.cat([each.values for each in media]).to(self.device)
        grid = torch.tensor([each.grid for each in media], device=self.device)
        towers = self._towers(self.model)
        encode = towers.get_image_features if modality is Modality.IMAGE else towers.get_video_features
        out = encode(values, grid, return_dict=True)
        return out.pooler_output, getattr(out, "deepstack_features", None) or []

    def _rope(self, row: Tensor, types: Tensor, media: Sequence[Features]) -> Tensor:
        """Rotary positions, int64 [3, 1, L]; `types` says of each token which kind of medium it stands for."""
        images, videos = grids(media, Modality.IMAGE), grids(media, Modality.VIDEO)
        index: Tensor
        index, _ = self.model.model.get_rope_index(row, types, image_grid_thw=images, video_grid_thw=videos)
        return index


def grids(media: Sequence[Features], modality: Modality) -> Tensor | None:
    """Grids of the media of one kind, int64 [media, 3]; `None` where there is none."""
    found = [each.grid for each in media if each.modality is modality]
    return torch.tensor(found) if found else None


def pad_block(
    ids: Sequence[Sequence[int]],
    positions: Sequence[Tensor],
    media: Sequence[Sequence[str]],
    left: bool,
    device: torch.device,
) -> Block:
    """Stack sequences into a block, padded on the left or on the right; padding has token 0 and is masked."""
    length = max(len(row) for row in ids)
    block_ids = torch.zeros(len(ids), length, dtype=torch.long)
    mask = torch.zeros(len(ids), length, dtype=torch.bool)
    block_positions = torch.zeros(3, len(ids), length, dtype=torch.long)
    for index, (row, places) in enumerate(zip(ids, positions, strict=True)):
        where = slice(length - len(row), length) if left else slice(0, len(row))
        block_ids[index, where] = torch.as_tensor(row)
        mask[index, where] = True
        block_positions[:, index, where] = places
    names = tuple(name for row in media for name in row)
    return Block(block_ids.to(device), mask.to(device), block_positions.to(device), names)
