"""What an advantage estimator may look at: a batch of episodes as numbers, and what every estimator needs of it.

Shapes: E episodes, T turns of an episode, N action tokens of an episode.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade.rl.gae import Counts, Floats, turn_ends

EPSILON = 1e-6
"""Added to every standard deviation before it divides."""
FLAT = 1e-9
"""Numbers that differ by no more are equal: rounding is no signal."""


@dataclass(frozen=True)
class Rollouts:
    """A batch of episodes.

    Attributes:
        groups: [E], episodes with equal entries share a baseline.
        rewards: E arrays [T], reward of each turn.
        tokens: E arrays [T], action tokens of each turn.
        counts: bool [E], whether the episode enters baselines and is trained on.
        bootstrapped: bool [E], whether what was cut off had value (truncation); for estimators with a critic.
        state_keys: E lists [T], digest of the state before each turn; for step-level groups. Empty: not known.
        gamma: discount between turns.
        token_gamma: discount between the tokens of a turn.
        lam: lambda of generalised advantage estimation.
        penalties: E arrays [N], the part of `rewards` that fell on single tokens (a KL penalty); none by default.
        values: E arrays [N], the critic's value of the state before each action token; `None` without a critic.
        tails: [E], the critic's value of the final observation of a `bootstrapped` episode; NaN where it did not fit.
    """

    groups: Sequence[str]
    rewards: Sequence[Floats]
    tokens: Sequence[Counts]
    counts: NDArray[np.bool_]
    bootstrapped: NDArray[np.bool_]
    state_keys: Sequence[Sequence[str]]
    gamma: float = 1.0
    token_gamma: float = 1.0
    lam: float = 1.0
    penalties: Sequence[Floats] | None = None
    values: Sequence[Floats] | None = None
    tails: Floats | None = None

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

    def counted(self) -> list[int]:
        """Indices of all episodes that count."""
        return [index for index in range(len(self.groups)) if self.counts[index]]

    def token_rewards(self, index: int) -> Floats:
        """Reward of each action token of an episode, [N]: a turn's at its last token, penalties at their own."""
        tokens = self.tokens[index]
        rewards = np.zeros(int(tokens.sum()))
        rewards[turn_ends(tokens)] = self.rewards[index]
        if self.penalties is not None:
            rewards[turn_ends(tokens)] -= turn_sums(self.penalties[index], tokens)
            rewards += self.penalties[index]
        return rewards

    def spread(self, per_turn: Sequence[Floats]) -> list[Floats]:
        """Repeat each turn's number over its action tokens."""
        return [np.repeat(turns, tokens) for turns, tokens in zip(per_turn, self.tokens, strict=True)]

    def spread_episodes(self, per_episode: Floats) -> list[Floats]:
        """Repeat each episode's number over all its action tokens."""
        return [np.full(int(tokens.sum()), value) for value, tokens in zip(per_episode, self.tokens, strict=True)]

    def whiten(self, advantages: Sequence[Floats]) -> list[Floats]:
        """Subtract the mean and divide by the standard deviation (ddof 1) of the tokens of all episodes that count.

        The others get 0; all do where no two tokens differ.
        """
        flat = np.concatenate([np.zeros(0), *(advantages[index] for index in self.counted())])
        flat = flat[~np.isnan(flat)]
        if len(flat) < 2 or np.ptp(flat) <= FLAT:
            return [np.zeros(len(tokens)) for tokens in advantages]
        mean, scale = flat.mean(), flat.std(ddof=1) + EPSILON
        return [
            np.nan_to_num((tokens - mean) / scale) if count else np.zeros(len(tokens))
            for tokens, count in zip(advantages, self.counts, strict=True)
        ]


def turn_sums(per_token: Floats, tokens: Counts) -> Floats:
    """Sum of the numbers of each turn's tokens, [T]."""
    turns = np.repeat(np.arange(len(tokens)), tokens)
    return np.bincount(turns, weights=per_token, minlength=len(tokens)).astype(np.float64)
