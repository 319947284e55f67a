"""Policy and value losses: pure functions of flat token vectors, one table.

A loss returns one number an action token. How tokens are averaged is decided apart, by `token_weights`, from the whole
batch and before the first backward pass: so the gradient does not depend on how a batch is cut into micro-batches or
ranks. To a loss a sequence is a row, all action tokens of a sample, which is never cut; to the weights it is an
episode, of one row or of several.

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
    """Bounds of the probability ratio: [1 - low, 1 + high] (asymmetric: DAPO, arXiv 2503.14476).

    GSPO's are far narrower, such as low 3e-4 and high 4e-4: its ratio is a geometric mean.
    """

    low: float = 0.2
    """Below 1; 1 is no bound."""
    high: float = 0.28
    """Above 1."""
    dual: float = 0.0
    """Most that a token of negative advantage weighs, as a ratio (dual clip, arXiv 1912.09729; 3 there); 0 is off."""

    def __post_init__(self) -> None:
        if not 0 < self.low <= 1 or self.high <= 0:
            raise ConfigError(f"clip needs 0 < low <= 1 and high > 0, got low {self.low}, high {self.high}")
        if self.dual and self.dual <= 1 + self.high:
            raise ConfigError(f"clip.dual must be 0 or above 1 + high = {1 + self.high:g}, got {self.dual}")


@dataclass(frozen=True)
class TokenLoss:
    """A policy loss by token, and which tokens were clipped (both [N])."""

    loss: Tensor
    clipped: Tensor


Loss = Callable[[Tensor, Tensor, Tensor, Tensor, Clip], TokenLoss]


def clipped_surrogate(logprobs: Tensor, old: Tensor, advantages: Tensor, sequences: Tensor, clip: Clip) -> TokenLoss:
    """PPO's pessimistic surrogate (arXiv 1707.06347, equation 7): -min(r A, clip(r) A), with dual clip if wanted.

    Args:
        logprobs: of the policy that learns, [N], with gradient.
        old: of the policy that sampled, [N].
        advantages: [N].
        sequences: int64 [N], number of each token's sequence in the (micro-)batch.
        clip: bounds of the ratio.
    """
    return _pessimistic(_ratio(logprobs - old), advantages, clip)


def gspo(logprobs: Tensor, old: Tensor, advantages: Tensor, sequences: Tensor, clip: Clip) -> TokenLoss:
    """GSPO (arXiv 2507.18071): the ratio is the geometric mean over the tokens of a sequence.

    Written by token, as its token-wise form: each token has the ratio's value and its own gradient, so the mean over a
    sequence is the paper's loss, and tokens of one sequence may have unlike advantages. Use it with `sequence-mean`.
    """
    gap = logprobs - old
    count = int(sequences.max()) + 1 if len(sequences) else 0
    sums = gap.new_zeros(count).index_add(0, sequences, gap)
    means = (sums / torch.bincount(sequences, minlength=count).clamp(min=1))[sequences].detach()
    return _pessimistic(_ratio(means + logprobs - logprobs.detach()), advantages, clip)


def cispo(logprobs: Tensor, old: Tensor, advantages: Tensor, sequences: Tensor, clip: Clip) -> TokenLoss:
    """CISPO (MiniMax-M1, arXiv 2506.13585): -min(r, 1 + high) A log pi, the ratio without gradient.

    No token loses its gradient to the clip, only its weight is bounded; there is no lower bound, as in the paper.
    """
    ratio = _ratio(logprobs - old).detach()
    return TokenLoss(-ratio.clamp(max=1 + clip.high) * advantages * logprobs, ratio > 1 + clip.high)


def reinforce(logprobs: Tensor, old: Tensor, advantages: Tensor, sequences: Tensor, clip: Clip) -> TokenLoss:
    """The plain policy gradient: -A log pi. Exact on-policy only; `old` and `clip` are not used."""
    return TokenLoss(-advantages * logprobs, torch.zeros_like(logprobs, dtype=torch.bool))


LOSSES: dict[str, Loss] = {"clipped": clipped_surrogate, "gspo": gspo, "cispo": cispo, "reinforce": reinforce}


def make_loss(name: str) -> Loss:
    """The loss of that name."""
    if name not in LOSSES:
        raise ConfigError(f"unknown loss {name!r}; {near(name, LOSSES, 'losses')}")
    return LOSSES[name]


def value_loss(values: Tensor, old: Tensor, targets: Tensor, clip: float) -> Tensor:
    """Half the squared error of a critic, pessimistic about moves beyond `clip` from the old value, [N].

    0.5 max((V - R)^2, (V_old + clip(V - V_old) - R)^2), as PPO's reference code has it (openai/baselines, ppo2); the
    paper (arXiv 1707.06347, equation 9) does not clip. `clip` 0 is the plain error.
    """
    error = (values - targets).square()
    if clip:
        held = old + (values - old).clamp(-clip, clip)
        error = torch.maximum(error, (held - targets).square())
    return 0.5 * error


def k1(logprobs: Tensor, reference: Tensor) -> Tensor:
    """Per-token estimate of KL(pi || reference): logprobs - reference. Unbiased; its gradient is zero on average."""
    return (logprobs - reference).clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT)


def k2(logprobs: Tensor, reference: Tensor) -> Tensor:
    """Per-token estimate of KL(pi || reference): half the squared log-ratio. Biased; its on-policy gradient is not."""
    return 0.5 * k1(logprobs, reference).square()


def k3(logprobs: Tensor, reference: Tensor) -> Tensor:
    """Per-token estimate of KL(pi || reference): exp(d) - d - 1 with d = reference - logprobs; never negative.

    Schulman's low-variance estimator, used by GRPO (arXiv 2402.03300, equation 4). Unbiased; its gradient is not: on
    average it is that of KL(reference || pi).
    """
    difference = (reference - logprobs).clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT)
    return difference.exp() - difference - 1


DIVERGENCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"k1": k1, "k2": k2, "k3": k3}

AGGREGATIONS = ("token-mean", "sequence-mean", "constant")


def token_weights(lengths: Sequence[int], aggregation: str, constant: int = 0) -> list[float]:
    """Weight of each token of each sequence; all weights of a batch sum to 1, those of `constant` to less.

    Args:
        lengths: action tokens of every sequence of the whole batch, over all micro-batches and ranks; one of which no
            token is left counts for nothing.
        aggregation: `token-mean` (DAPO: every token counts the same), `sequence-mean` (GRPO: every sequence does), or
            `constant` (Dr. GRPO, arXiv 2503.20783: every sequence is divided by the same length).
        constant: that length, in tokens.
    """
    if aggregation not in AGGREGATIONS:
        raise ConfigError(f"unknown aggregation {aggregation!r}; {near(aggregation, AGGREGATIONS, 'aggregations')}")
    if aggregation == "constant" and constant < 1:
        raise ConfigError(
            f"aggregation 'constant' needs constant_length >= 1, the tokens that a row is divided by, got {constant}"
        )
    if aggregation == "token-mean":
        total = max(sum(lengths), 1)
        return [1 / total] * len(lengths)
    sequences = max(sum(length > 0 for length in lengths), 1)
    return [1 / (sequences * (constant or max(length, 1))) for length in lengths]


def _ratio(gap: Tensor) -> Tensor:
    """Probability ratio of a difference of log-probabilities."""
    return gap.clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT).exp()


def _pessimistic(ratio: Tensor, advantages: Tensor, clip: Clip) -> TokenLoss:
    bounded = ratio.clamp(1 - clip.low, 1 + clip.high)
    free, held = ratio * advantages, bounded * advantages
    objective = torch.minimum(free, held)
    clipped = held < free
    if clip.dual:
        floor = clip.dual * advantages
        clipped = clipped | ((advantages < 0) & (floor > objective))
        objective = torch.where(advantages < 0, torch.maximum(objective, floor), objective)
    return TokenLoss(-objective, clipped.detach())
