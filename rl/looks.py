"""Each picture, video or sound through its encoder once an update, however many rows and micro-batches look at it.

    looks = Looks(backbone, features)
    for part in parts:
        loss(part, looks.encoded).backward()    # stops at the media, and collects what they are to change
    looks.backward()                            # goes on through the encoders, once

The gradient is that of the whole graph (a two-stage backward); only the order of its sums differs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from saccade.agents.backbone import Backbone, Encoded
from saccade.agents.media import Features


class Looks:
    """Encoded media, cut off from the encoders that made them until `backward`.

    Args:
        backbone: its encoders.
        features: the media of an update; equal ones are encoded once.
    """

    def __init__(self, backbone: Backbone, features: Sequence[Features]) -> None:
        whole = backbone.encode(features)
        self._made: list[Tensor] = []
        self._seen: list[Tensor] = []
        self.encoded = Encoded(
            whole.modality,
            {name: self._cut(embeds) for name, embeds in whole.embeds.items()},
            {name: [self._cut(layer) for layer in layers] for name, layers in whole.deepstack.items()},
        )

    def backward(self) -> None:
        """Hand the collected gradients on to the encoders."""
        pairs = [(made, seen.grad) for made, seen in zip(self._made, self._seen, strict=True) if seen.grad is not None]
        if pairs:
            made, gradients = zip(*pairs, strict=True)
            torch.autograd.backward(made, gradients)

    def _cut(self, made: Tensor) -> Tensor:
        if not made.requires_grad:  # a frozen encoder
            return made
        seen = made.detach().requires_grad_()
        self._made.append(made)
        self._seen.append(seen)
        return seen
