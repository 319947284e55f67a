"""Policy losses: pure functions of flat token vectors, one table.

A loss returns one number an action token. How tokens are averaged is decided apart, by `token_weights`, from the whole
batch and before the first backward pass: so the gradient does not depend on how a batch is cut into micro-batches or
ranks.

Shapes: N action tokens of a (micro-)batch, S sequences.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from saccade.envs.errors import ConfigError, near

LOG_RATIO_LIMIT = 20.0
"""Log-ratios are clamped to this before exp, as in verl; gradients beyond it are zero."""


@dataclass(frozen=True)
class Clip:
    """Bounds of the probability ratio: [1 - low, 1 + high] (asymmetric: DAPO, arXiv 2503.14476)."""

    low: float = 0.2
    high: float = 0.28

    def __post_init__(self) -> None:
        if not 0 < self.low <= 1 or self.high <= 0:
            raise ConfigError(f"clip needs 0 < low <= 1 and high > 0, got low {self.low}, high {self.high}")


@dataclass(frozen=True)
class TokenLoss:
    """A policy loss by token, and which tokens were clipped (both [N])."""

    loss: Tensor
    clipped: Tensor


Loss = Callable[[Tensor, Tensor, Tensor, Clip], TokenLoss]


def clipped_surrogate(logprobs: Tensor, old: Tensor, advantages: Tensor, clip: Clip) -> TokenLoss:
    """PPO's pessimistic surrogate (arXiv 1707.06347, equation 7): -min(r A, clip(r) A).

    Args:
        logprobs: of the policy that learns, [N], with gradient.
        old: of the policy that sampled, [N].
        advantages: [N].
        clip: bounds of the ratio.
    """
    ratio = (logprobs - old).clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT).exp()
    bounded = ratio.clamp(1 - clip.low, 1 + clip.high)
    free, held = ratio * advantages, bounded * advantages
    return TokenLoss(-torch.minimum(free, held), (held < free).detach())


def reinforce(logprobs: Tensor, old: Tensor, advantages: Tensor, clip: Clip) -> TokenLoss:
    """The plain policy gradient: -A log pi. Exact on-policy only; `old` and `clip` are not used."""
    return TokenLoss(-advantages * logprobs, torch.zeros_like(logprobs, dtype=torch.bool))


LOSSES: dict[str, Loss] = {"clipped": clipped_surrogate, "reinforce": reinforce}


def make_loss(name: str) -> Loss:
    """The loss of that name."""
    if name not in LOSSES:
        raise ConfigError(f"unknown loss {name!r}; {near(name, LOSSES, 'losses')}")
    return LOSSES[name]


def k3(logprobs: Tensor, reference: Tensor) -> Tensor:
    """Per-token estimate of KL(pi || reference): exp(d) - d - 1 with d = reference - logprobs; never negative.

    Schulman's low-variance estimator, used by GRPO (arXiv 2402.03300, equation 4).
    """
    difference = (reference - logprobs).clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT)
    return difference.exp() - difference - 1


AGGREGATIONS = ("token-mean", "sequence-mean")


def token_weights(lengths: Sequence[int], aggregation: str) -> list[float]:
    """Weight of each token of each sequence; all weights of a batch sum to 1.

    Args:
        lengths: action tokens of every sequence of the whole batch, over all micro-batches and ranks.
        aggregation: `token-mean` (DAPO: every token counts the same) or `sequence-mean` (GRPO: every sequence does).
    """
    if aggregation not in AGGREGATIONS:
        raise ConfigError(f"unknown aggregation {aggregation!r}; {near(aggregation, AGGREGATIONS, 'aggregations')}")
    if aggregation == "token-mean":
        total = max(sum(lengths), 1)
        return [1 / total] * len(lengths)
    return [1 / (len(lengths) * max(length, 1)) for length in lengths]
