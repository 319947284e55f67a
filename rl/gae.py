"""Generalised advantage estimation over the action tokens of one episode: pure functions of plain arrays.

Time is action tokens: observation tokens between two turns are not steps, the state after a turn's last token is the
one before the next turn's first. A value belongs to the state before its token. Turns are told apart by their token
counts, never by their rewards.

    delta_t = r_t + discount_t V_{t+1} - V_t        A_t = delta_t + discount_t lambda A_{t+1}

`tail` is V behind the last token: the value of the final observation where an episode was cut off, 0 where it ended.

Shapes: T turns, N action tokens.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def gae(rewards: Floats, values: Floats, discounts: Floats, lam: float, tail: float = 0.0) -> Floats:
    """Generalised advantages of a chain of steps (arXiv 1506.02438, equation 16), [N].

    With `lam` 0 they are TD errors, with 1 Monte Carlo returns minus values.

    Args:
        rewards: of each step, [N].
        values: of the state before each step, [N].
        discounts: of what follows each step, [N].
        lam: decay of the trace.
        tail: value of the state behind the last step.
    """
    advantages = np.zeros(len(rewards))
    following, running = tail, 0.0
    for step in range(len(rewards) - 1, -1, -1):
        delta = rewards[step] + discounts[step] * following - values[step]
        running = delta + discounts[step] * lam * running
        advantages[step] = running
        following = values[step]
    return advantages


def turn_ends(tokens: Counts) -> Counts:
    """Index of the last action token of each turn, [T]; every turn has at least one token."""
    return np.cumsum(tokens) - 1


def turn_starts(tokens: Counts) -> Counts:
    """Index of the first action token of each turn, [T]."""
    return np.cumsum(tokens) - tokens


def token_discounts(tokens: Counts, gamma: float, token_gamma: float) -> Floats:
    """Discount of what follows each action token, [N]: `gamma` at the end of a turn, `token_gamma` inside."""
    discounts = np.full(int(tokens.sum()), token_gamma)
    discounts[turn_ends(tokens)] = gamma
    return discounts


def turn_gae(
    rewards: Floats, values: Floats, tokens: Counts, gamma: float, lam: float, tail: float = 0.0
) -> tuple[Floats, Floats]:
    """GAE whose steps are turns: advantages [T] and value targets [N], which stand at first tokens, else NaN.

    The value of a turn is that of the state before its first token (VAGEN, arXiv 2510.16907, its turn-wise form).

    Args:
        rewards: of each turn, [T].
        values: of the state before each action token, [N].
        tokens: action tokens of each turn, [T].
        gamma: discount between turns.
        lam: decay of the trace from turn to turn.
        tail: value of the state behind the last turn.
    """
    starts = turn_starts(tokens)
    advantages = gae(rewards, values[starts], np.full(len(rewards), gamma), lam, tail)
    targets = np.full(len(values), np.nan)
    targets[starts] = advantages + values[starts]
    return advantages, targets


def bi_level_gae(
    rewards: Floats, values: Floats, tokens: Counts, gamma: float, token_gamma: float, lam: float, tail: float = 0.0
) -> Floats:
    """Bi-level GAE (VAGEN, arXiv 2510.16907): turns first, then the tokens inside each turn, [N].

    The upper level runs over the last tokens of turns and gives each its turn's advantage; the lower level starts
    there and runs back to the turn's first token, where it stops: credit passes from turn to turn above only.

    Args: as of `turn_gae`; `token_gamma` is the discount inside a turn.
    """
    ends, starts = turn_ends(tokens), turn_starts(tokens)
    above = gae(rewards, values[ends], np.full(len(rewards), gamma), lam, tail)
    advantages = np.zeros(len(values))
    for start, end, running in zip(starts, ends, above, strict=True):
        advantages[end] = running
        for step in range(end - 1, start - 1, -1):
            delta = token_gamma * values[step + 1] - values[step]
            running = delta + token_gamma * lam * running
            advantages[step] = running
    return advantages
