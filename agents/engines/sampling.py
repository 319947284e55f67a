"""The one definition of the distribution that is sampled from and trained on.

Shapes: B rows, V vocabulary, T tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def masked_logprobs(logits_BV: Tensor, banned: Tensor, temperature: float) -> Tensor:
    """log_softmax(mask(logits) / T) in float32; temperature 0 stands for 1.

    Args:
        logits_BV: float, any leading shape.
        banned: bool [V], true where a token can never be drawn.
        temperature: divides the logits.
    """
    logits = logits_BV.float().masked_fill(banned, float("-inf"))
    return torch.log_softmax(logits / (temperature or 1.0), dim=-1)


def banned_mask(banned: Sequence[int], vocabulary: int, device: torch.device | str = "cpu") -> Tensor:
    """Bool [V] from token ids."""
    mask = torch.zeros(vocabulary, dtype=torch.bool, device=device)
    mask[list(banned)] = True
    return mask


def uniforms(seed: int, count: int) -> NDArray[np.float64]:
    """`count` random numbers in [0, 1) named by `seed` alone: number t is the draw of token t."""
    return np.random.Generator(np.random.Philox(seed)).random(count)


def draw(logprobs_BV: Tensor, uniform_B: Tensor, greedy_B: Tensor) -> Tensor:
    """One token a row by inverse transform sampling, or the most probable one.

    Args:
        logprobs_BV: masked log-probabilities.
        uniform_B: float64 in [0, 1).
        greedy_B: bool; rows that take the argmax.

    Returns:
        int64 [B]; never a token of probability 0.
    """
    cumulative = logprobs_BV.double().exp().cumsum(-1)
    total = cumulative[:, -1:]
    # Rounding must not reach the total itself: no token lies beyond it.
    targets = torch.minimum(uniform_B.unsqueeze(-1) * total, torch.nextafter(total, torch.zeros_like(total)))
    sampled = torch.searchsorted(cumulative, targets, right=True).squeeze(-1)
    return torch.where(greedy_B, logprobs_BV.argmax(-1), sampled)
