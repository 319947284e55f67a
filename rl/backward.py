"""The gradient of a whole batch, micro-batch by micro-batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from saccade.agents.backbone import Backbone, Encoded
from saccade.agents.media import Media
from saccade.rl.batch import Batching, MicroBatch, Row, batches
from saccade.rl.looks import Looks

LossOf = Callable[[MicroBatch, Encoded], tuple[Tensor, dict[str, Tensor]]]
"""The loss of a micro-batch and its metrics; both are parts of sums over the whole batch."""


def accumulate(
    backbone: Backbone, media: Media, rows: Sequence[Row], batching: Batching, loss_of: LossOf
) -> dict[str, float]:
    """Add the gradient of all rows to that of the weights; returns sums of the metrics, the largest of `.../max`.

    Args:
        backbone: goes through its encoders once, whatever the number of micro-batches.
        media: processes what the rows show.
        rows: whose weights were fixed over the whole batch.
        batching: how they are cut into micro-batches.
        loss_of: loss and metrics of a micro-batch.
    """
    sums: dict[str, float] = {}
    looks = Looks(backbone, [media.process(medium) for row in rows for medium in row.sample.media])
    for _, batch in batches(rows, backbone, media, batching):
        loss, metrics = loss_of(batch, looks.encoded)
        torch.autograd.backward(loss)
        for name, value in metrics.items():
            merge = max if name.endswith("/max") else float.__add__
            sums[name] = merge(sums.get(name, 0.0), float(value))
    looks.backward()
    return sums
