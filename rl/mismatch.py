"""Importance weights for a sampler that is not quite the learner: its engine differs, or its weights are older.

Three policies take part: the one that sampled, the one that the learner has when an update begins ("old"), and the one
that is optimised. The loss compares the last two; the weights here, fixed before the first step, stand for the first.

Shapes: N action tokens of a row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade.envs.errors import ConfigError, near
from saccade.rl.losses import LOG_RATIO_LIMIT

CORRECTIONS = ("none", "truncate", "mask")
LEVELS = ("token", "sequence", "geometric")


@dataclass(frozen=True)
class CorrectionConfig:
    """What is done about the difference between sampler and learner."""

    kind: str = "none"
    """`none`; `truncate` (the ratio, at most `high`); `mask` (the ratio, tokens outside the bounds are left out)."""
    level: str = "token"
    """Whose ratio: a `token`'s, its whole `sequence`'s (a product), or the `geometric` mean of its sequence."""
    low: float = 0.0
    """Lower bound of the ratio, for `mask`."""
    high: float = 2.0
    """Upper bound of the ratio."""

    def __post_init__(self) -> None:
        for name, value, known in (("kind", self.kind, CORRECTIONS), ("level", self.level, LEVELS)):
            if value not in known:
                raise ConfigError(
                    f"unknown correction.{name} {value!r}; {near(value, known, f'values of correction.{name}')}"
                )
        if not 0 <= self.low < 1 <= self.high:
            raise ConfigError(f"correction needs 0 <= low < 1 <= high, got {self.low} and {self.high}")


def importance(old: NDArray[np.float32], sampled: NDArray[np.float32], config: CorrectionConfig) -> NDArray[np.float64]:
    """Weight of each token's policy loss, [N]: old probability over the sampler's, bounded; 0 leaves a token out.

    Truncated importance sampling and its masked form (Yao et al. 2025, "Your efficient RL framework secretly brings
    you off-policy RL training"); a mask by token with both bounds is IcePop's (Ling team 2025). A product over a
    sequence is unbiased before it is bounded; by token it is not, but far less noisy.

    Args:
        old: log-probabilities under the learner's weights before the update, [N].
        sampled: the sampler's, [N].
        config: kind, level and bounds.
    """
    gap = old.astype(np.float64) - sampled.astype(np.float64)
    if config.level != "token":
        gap = np.full(len(gap), gap.sum() if config.level == "sequence" else gap.mean())
    ratio = np.exp(np.clip(gap, -LOG_RATIO_LIMIT, LOG_RATIO_LIMIT))
    inside = (ratio >= config.low) & (ratio <= config.high)
    bounded: NDArray[np.float64]
    bounded = np.minimum(ratio, config.high) if config.kind == "truncate" else np.where(inside, ratio, 0.0)
    return bounded
