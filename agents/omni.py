"""The backbone of a Qwen2.5-Omni thinker: pictures, videos and sounds in, hidden states out.

    backbone = Backbone.from_pretrained(path)      # an OmniBackbone where the checkpoint is a thinker

The thinker keeps its encoders beside its text model and takes no encoded sounds, so features are put in the place of
their placeholders here, and the text model is called with embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from saccade.agents.backbone import Backbone, Block, Encoded, grids
from saccade.agents.media import Features
from saccade.agents.modality import Modality


class OmniBackbone(Backbone):
    """Wraps a `Qwen2_5OmniThinkerForConditionalGeneration`; see `Backbone`."""

    def hidden(
        self,
        block: Block,
        encoded: Encoded,
        cache: Any = None,
        past_mask: Tensor | None = None,
        attention: Any = None,
    ) -> Tensor:
        """Last hidden states of a block, [B, L, D]; see `Backbone.hidden`."""
        embeds = self.model.get_input_embeddings()(block.ids)
        for modality in dict.fromkeys(encoded.modality[name] for name in block.media):
            features = torch.cat([encoded.embeds[name] for name in encoded.of(modality, block.media)])
            where = (block.ids == self.placeholders[modality]).unsqueeze(-1)
            embeds = embeds.masked_scatter(where, features)
        out = self.model.model(
            inputs_embeds=embeds,
            attention_mask=self._mask(block, past_mask, attention),
            position_ids=block.positions,
            past_key_values=cache,
            use_cache=cache is not None,
        )
        hidden: Tensor = out.last_hidden_state
        return hidden

    def _towers(self, model: Any) -> Any:
        return model

    def _encode(self, modality: Modality, media: Sequence[Features]) -> tuple[Sequence[Tensor], Sequence[Any]]:
        if modality is not Modality.AUDIO:
            return super()._encode(modality, media)
        values = torch.cat([each.values for each in media], dim=1).to(self.device)
        frames = torch.tensor([each.grid[0] for each in media], device=self.device)
        out = self.model.audio_tower(values, feature_lens=frames).last_hidden_state
        return torch.split(out, [each.tokens for each in media]), []

    def _rope(self, row: Tensor, types: Tensor, media: Sequence[Features]) -> Tensor:
        sounds = [each.grid[0] for each in media if each.modality is Modality.AUDIO]
        seconds = [each.seconds for each in media if each.modality is Modality.VIDEO]
        index: Tensor
        index, _ = self.model.get_rope_index(
            row,
            grids(media, Modality.IMAGE),
            grids(media, Modality.VIDEO),
            torch.ones_like(row),
            audio_seqlens=torch.tensor(sounds) if sounds else None,
            second_per_grids=torch.tensor(seconds) if seconds else None,
        )
        return index
