"""Advantages: how much better each action token did than expected. Pure functions, one table.

Every estimator maps `Rollouts` to one float array an episode, one number an action token. Conventions, since public
implementations disagree: the standard deviation has ddof 1; epsilon 1e-6 is added to it; a group with fewer than two
episodes that count has advantage 0 (no baseline, no signal) and is counted in `singletons`; episodes whose cause is
outside the baseline (`infra`, `engine`, `stale`) are invisible to the others and get 0.

A new estimator is a function and a row in `ADVANTAGES`, or, from outside, any `"module:function"`.

Shapes: E episodes, T turns of an episode, N action tokens of an episode.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from saccade.envs.errors import ConfigError, near

Floats = NDArray[np.float64]
EPSILON = 1e-6
FLAT = 1e-9
"""Returns that differ by no more are equal: rounding is no signal."""


@dataclass(frozen=True)
class Rollouts:
    """What an estimator may look at.

    Attributes:
        groups: [E], episodes with equal entries share a baseline.
        rewards: E arrays [T], reward of each turn.
        tokens: E arrays [T], action tokens of each turn.
        counts: bool [E], whether the episode enters baselines and is trained on.
        bootstrapped: bool [E], whether what was cut off had value (truncation); for estimators with a critic.
        state_keys: E lists [T], digest of the state before each turn; for step-level groups.
        gamma: discount between turns.
    """

    groups: Sequence[str]
    rewards: Sequence[Floats]
    tokens: Sequence[NDArray[np.int64]]
    counts: NDArray[np.bool_]
    bootstrapped: NDArray[np.bool_]
    state_keys: Sequence[Sequence[str]]
    gamma: float = 1.0

    @property
    def returns(self) -> Floats:
        """Undiscounted return of each episode, [E]."""
        return np.array([rewards.sum() for rewards in self.rewards])

    def members(self) -> dict[str, list[int]]:
        """Indices of the episodes of each group that count."""
        members: dict[str, list[int]] = {}
        for index, group in enumerate(self.groups):
            if self.counts[index]:
                members.setdefault(group, []).append(index)
        return members

    def spread(self, per_turn: Sequence[Floats]) -> list[Floats]:
        """Repeat each turn's number over its action tokens."""
        return [np.repeat(turns, tokens) for turns, tokens in zip(per_turn, self.tokens, strict=True)]

    def spread_episodes(self, per_episode: Floats) -> list[Floats]:
        """Repeat each episode's number over all its action tokens."""
        return [np.full(int(tokens.sum()), value) for value, tokens in zip(per_episode, self.tokens, strict=True)]


Estimator = Callable[[Rollouts], list[Floats]]


def grpo(rollouts: Rollouts, std: bool = True) -> list[Floats]:
    """Group-relative advantage: (R_i - mean) / (std + eps), equal for all tokens of an episode.

    DeepSeekMath (arXiv 2402.03300), equation 3 with outcome supervision. `std=False` is Dr. GRPO's
    (arXiv 2503.20783): the group's spread no longer decides how much a task weighs.
    """

    def relative(group: Floats) -> Floats:
        centred: Floats = group - group.mean()
        return centred / (group.std(ddof=1) + EPSILON) if std else centred

    return by_group(rollouts, relative)


def rloo(rollouts: Rollouts) -> list[Floats]:
    """Leave-one-out: R_i - mean of the others' returns (arXiv 2402.14740). Unbiased: G/(G-1) times no-std GRPO."""
    return by_group(rollouts, lambda group: group - (group.sum() - group) / (len(group) - 1))


def turn_grpo(rollouts: Rollouts) -> list[Floats]:
    """Credit by turn: the discounted reward to go of a turn, minus the group's mean at the same turn number.

    Scaled by the standard deviation over the whole batch (ddof 1), so that easy and hard tasks keep their proportion.
    Episodes that ended earlier are out of the later baselines; a turn that only one episode reached gets 0.
    """
    to_go = [reward_to_go(rewards, rollouts.gamma) for rewards in rollouts.rewards]
    advantages = [np.zeros(len(turns)) for turns in to_go]
    for members in rollouts.members().values():
        for turn in range(max(len(to_go[index]) for index in members)):
            present = [index for index in members if turn < len(to_go[index])]
            if len(present) < 2:
                continue
            mean = np.mean([to_go[index][turn] for index in present])
            for index in present:
                advantages[index][turn] = to_go[index][turn] - mean
    counted = [advantages[index] for index in range(len(advantages)) if rollouts.counts[index]]
    flat = np.concatenate(counted) if counted else np.zeros(0)
    scale = flat.std(ddof=1) + EPSILON if len(flat) > 1 else 1.0
    return rollouts.spread([turns / scale for turns in advantages])


def by_group(rollouts: Rollouts, advantage: Callable[[Floats], Floats]) -> list[Floats]:
    """Apply `advantage` to the returns of each group of two or more; all tokens of an episode get its number."""
    advantages = np.zeros(len(rollouts.groups))
    returns = rollouts.returns
    for members in rollouts.members().values():
        if len(members) >= 2 and np.ptp(returns[members]) > FLAT:
            advantages[members] = advantage(returns[members])
    return rollouts.spread_episodes(advantages)


def reward_to_go(rewards: Floats, gamma: float) -> Floats:
    """Discounted sum of this and all later rewards, [T]."""
    out = np.zeros(len(rewards))
    running = 0.0
    for turn in range(len(rewards) - 1, -1, -1):
        running = rewards[turn] + gamma * running
        out[turn] = running
    return out


ADVANTAGES: dict[str, Estimator] = {
    "grpo": grpo,
    "dr-grpo": partial(grpo, std=False),
    "rloo": rloo,
    "turn-grpo": turn_grpo,
}


def make_estimator(name: str) -> Estimator:
    """The estimator of that name, or `module:function` from outside the package."""
    if name in ADVANTAGES:
        return ADVANTAGES[name]
    module, colon, function = name.partition(":")
    if not colon:
        raise ConfigError(f"unknown advantage {name!r}; {near(name, ADVANTAGES, 'advantages')}, or module:function")
    try:
        found: Estimator = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"advantage {name!r} cannot be imported: {error}; is its folder on PYTHONPATH?") from error
    return found


def group_counts(rollouts: Rollouts) -> dict[str, float]:
    """How many groups could not teach: singletons, and groups whose returns are all equal."""
    returns = rollouts.returns
    groups = list(rollouts.members().values())
    singletons = sum(len(members) < 2 for members in groups)
    flat = sum(len(members) >= 2 and bool(np.ptp(returns[members]) <= FLAT) for members in groups)
    return {"groups": len(groups), "groups/singletons": singletons, "groups/zero_variance": flat}
