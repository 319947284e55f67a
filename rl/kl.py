"""How far a policy may move from a reference: which estimate of the divergence, where it acts, and how much it weighs.

controller = KLController(KLConfig(control="adaptive", target=0.05), coefficient=0.03)
controller.coefficient(done=0.5)     # what the divergence weighs now
controller.observe(0.08, rows=128)   # ... and what was measured, of so many episodes
"""

from __future__ import annotations

from dataclasses import dataclass

from saccade.envs.errors import ConfigError, near
from saccade.rl.losses import DIVERGENCES

PLACES = ("loss", "reward")
CONTROLS = ("fixed", "adaptive", "linear")
REFERENCES = ("start", "average")


@dataclass(frozen=True)
class KLConfig:
    """The anchor of a policy; its weight at the start is `LearnerConfig.kl_coef`."""

    estimator: str = "k3"
    """Estimate of the divergence: `k3` or `k2` in the loss, `k1` in the reward."""
    place: str = "loss"
    """`loss` (GRPO), or `reward`: subtracted from the reward of each token before credit is given (PPO)."""
    control: str = "fixed"
    """`fixed`, `adaptive` (towards `target`), or `linear` (to `final` at the end of training)."""
    target: float = 0.1
    """Divergence a token that `adaptive` control aims at, in nats."""
    horizon: float = 10_000.0
    """Episodes until `adaptive` control has changed the weight by up to a fifth."""
    final: float = 0.0
    """Weight at the end under `linear` control; larger than the first one: free to explore early, held late."""
    reference: str = "start"
    """`start` (a frozen copy; of a policy that trains an adapter its base, without a copy), or `average` (a moving
    average of the policy)."""
    decay: float = 0.99
    """What the `average` keeps of itself at each optimiser step."""

    def __post_init__(self) -> None:
        for name, value, known in (
            ("estimator", self.estimator, DIVERGENCES),
            ("place", self.place, PLACES),
            ("control", self.control, CONTROLS),
            ("reference", self.reference, REFERENCES),
        ):
            if value not in known:
                raise ConfigError(f"unknown kl.{name} {value!r}; {near(value, known, f'values of kl.{name}')}")
        if (self.place == "reward") != (self.estimator == "k1"):
            raise ConfigError(
                "kl.place 'reward' goes with kl.estimator 'k1', whose gradient is exact there and zero in the loss; "
                f"'loss' goes with 'k2' or 'k3': got {self.place!r} and {self.estimator!r}"
            )
        if self.target <= 0 or self.horizon <= 0 or self.final < 0:
            raise ConfigError(
                f"kl needs target > 0, horizon > 0 and final >= 0, got {self.target}, {self.horizon}, {self.final}"
            )
        if not 0 <= self.decay < 1:
            raise ConfigError(f"kl.decay must be in [0, 1), got {self.decay}")


class KLController:
    """Weighs the divergence.

    Args:
        config: how.
        start: weight at the start.

    Attributes:
        adapted: the weight that `adaptive` control has come to; all the state there is.
    """

    def __init__(self, config: KLConfig, start: float) -> None:
        if start < 0:
            raise ConfigError(f"kl_coef must be >= 0, got {start}")
        if config.control == "adaptive" and start == 0:
            raise ConfigError("adaptive KL control multiplies its weight: kl_coef must be > 0, got 0")
        self.config = config
        self.start = start
        self.adapted = start

    @property
    def needed(self) -> bool:
        """Whether there is a reference to keep."""
        return self.start > 0 or (self.config.control == "linear" and self.config.final > 0)

    @property
    def in_reward(self) -> bool:
        """Whether the divergence is subtracted from rewards."""
        return self.needed and self.config.place == "reward"

    def coefficient(self, done: float) -> float:
        """The weight when `done` of the training is done, in [0, 1]."""
        if self.config.control == "linear":
            return linear(self.start, self.config.final, done)
        return self.adapted

    def observe(self, divergence: float, rows: int) -> None:
        """Take note of the divergence a token of an update, before its first step; all of an episode is one row."""
        if self.config.control == "adaptive":
            self.adapted = adapted(self.adapted, divergence, self.config.target, rows, self.config.horizon)


def adapted(coefficient: float, divergence: float, target: float, rows: int, horizon: float) -> float:
    """The next weight: b (1 + clip(KL / target - 1, 0.2) n / horizon) (Ziegler et al., arXiv 1909.08593)."""
    error = min(max(divergence / target - 1, -0.2), 0.2)
    return coefficient * (1 + error * min(rows / horizon, 1.0))


def linear(start: float, final: float, done: float) -> float:
    """On the way from `start` to `final`: our reading of GRPO-D (arXiv 2503.16081), which gives no formula."""
    return start + (final - start) * min(max(done, 0.0), 1.0)
