"""Which tokens of a packed row see which, in the form that the device's attention takes.

A packed row holds several samples one behind the other. Each of its tokens belongs to a segment: the prefix of a
group, or one continuation of it. A token sees the tokens before it in its own segment and all tokens of the segment's
parent, so a prefix is computed once and no sample sees another one.

    hidden = backbone.hidden(block, encoded, attention=tree_mask(segments, parents))

Shapes: B rows, L tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from saccade.envs.errors import ConfigError

Sees = Callable[[Any, Any, Any, Any], Tensor]
EITHER = "sdpa_or_flex"
"""Name of the attention of models that are given block masks."""


def tree_mask(segments: Tensor, parents: Tensor) -> Any:
    """The mask of packed rows: flex attention's on a GPU, which skips blocks that see nothing; elsewhere SDPA's.

    Flash attention with variable lengths knows blocks along the diagonal only, not a prefix that several
    continuations see, and no float32.

    Args:
        segments: int64 [B, L], the segment of each token; padding has one of its own.
        parents: int64 [B, L], the parent of each token's segment; a segment without one is its own.

    Returns:
        A `BlockMask`, or bool [B, 1, L, L].
    """
    rows, length = segments.shape
    sees = seen_by(segments, parents)
    if segments.device.type == "cuda":
        from torch.nn.attention.flex_attention import create_block_mask

        # Compiled, it never holds the whole matrix.
        return create_block_mask(sees, rows, None, length, length, device="cuda", _compile=True)
    places = torch.arange(length, device=segments.device)
    return sees(torch.arange(rows, device=segments.device).view(-1, 1, 1, 1), None, places.unsqueeze(1), places)


def seen_by(segments: Tensor, parents: Tensor) -> Sees:
    """Whether a query sees a key, by the numbers of row, head, query and key, which may be tensors."""

    def sees(row: Any, head: Any, query: Any, key: Any) -> Tensor:
        mine, theirs = segments[row, query], segments[row, key]
        seen: Tensor = (key <= query) & ((mine == theirs) | (parents[row, query] == theirs))
        return seen

    return sees


def row_tokens(device: torch.device, budget: int) -> int:
    """How long packed rows should be: on a GPU as long as a micro-batch.

    SDPA computes what the mask then hides, at a cost that grows with the length of the row.
    """
    return budget if device.type == "cuda" else min(budget, 512)


def slides(model: Any) -> bool:
    """Whether a layer of a text model sees, and keeps, the latest tokens only."""
    return "sliding_attention" in (getattr(model.config.get_text_config(), "layer_types", None) or ())


def take_masks(model: Any, attention: Any) -> None:
    """Make sure that a text model's attention takes a mask of `tree_mask`.

    Raises:
        ConfigError: a layer has a sliding window, or the attention is not SDPA.
    """
    config = model.config.get_text_config()
    if slides(model):
        raise ConfigError("packed rows have no sliding windows, and this model has: use learner.packing=False")
    if config._attn_implementation not in ("sdpa", EITHER):
        raise ConfigError(
            f"packing needs attention 'sdpa', got {config._attn_implementation!r}: load the model with "
            "attn_implementation='sdpa', or use learner.packing=False"
        )
    if not isinstance(attention, Tensor) and config._attn_implementation != EITHER:
        from transformers import AttentionInterface, AttentionMaskInterface
        from transformers.masking_utils import sdpa_mask

        AttentionInterface.register(EITHER, sdpa_or_flex)
        AttentionMaskInterface.register(EITHER, sdpa_mask)
        config._attn_implementation = EITHER


def sdpa_or_flex(
    module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Any, **options: Any
) -> tuple[Tensor, Tensor | None]:
    """Flex attention for block masks, SDPA for all others: a model samples with the one and learns with the other."""
    from torch.nn.attention.flex_attention import BlockMask
    from transformers.integrations.flex_attention import flex_attention_forward
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    attend = flex_attention_forward if isinstance(attention_mask, BlockMask) else sdpa_attention_forward
    found: tuple[Tensor, Tensor | None] = attend(module, query, key, value, attention_mask, **options)
    return found
