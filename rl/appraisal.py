"""Advantages that rest on a critic: PPO's on tokens, on turns and on both levels; and what the critic learns from them.

Where the world ended an episode nothing follows its last token. Where it was cut off (`Rollouts.bootstrapped`) the
value of the final observation does; an observation that did not fit has none, and then the episode is taken as cut off
one turn earlier, before a state whose value is known: its last turn teaches nothing and is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from saccade.envs.errors import ConfigError
from saccade.rl.gae import Counts, Floats, bi_level_gae, gae, token_discounts, turn_gae
from saccade.rl.rollouts import Rollouts


@dataclass(frozen=True)
class Chain:
    """One episode as far as its values reach.

    Attributes:
        rewards: of each turn, [T].
        token_rewards: of each action token, [N].
        values: of the state before each action token, [N].
        tokens: action tokens of each turn, [T].
        tail: value of what follows; 0 where the episode ended.
    """

    rewards: Floats
    token_rewards: Floats
    values: Floats
    tokens: Counts
    tail: float


@dataclass(frozen=True)
class Appraisal:
    """Advantages as the recursion gives them, and value targets; both E arrays [N], NaN where nothing is known."""

    advantages: list[Floats]
    targets: list[Floats]


Recursion = Callable[[Chain, Rollouts], tuple[Floats, Floats]]


def by_token(chain: Chain, rollouts: Rollouts) -> tuple[Floats, Floats]:
    """Steps are action tokens."""
    discounts = token_discounts(chain.tokens, rollouts.gamma, rollouts.token_gamma)
    advantages = gae(chain.token_rewards, chain.values, discounts, rollouts.lam, chain.tail)
    return advantages, advantages + chain.values


def by_turn(chain: Chain, rollouts: Rollouts) -> tuple[Floats, Floats]:
    """Steps are turns; all tokens of a turn have its advantage, and only its first has a target."""
    turns, targets = turn_gae(chain.rewards, chain.values, chain.tokens, rollouts.gamma, rollouts.lam, chain.tail)
    return np.repeat(turns, chain.tokens), targets


def by_both(chain: Chain, rollouts: Rollouts) -> tuple[Floats, Floats]:
    """Turns above, tokens below; a penalty of single tokens is part of its turn's reward."""
    advantages = bi_level_gae(
        chain.rewards, chain.values, chain.tokens, rollouts.gamma, rollouts.token_gamma, rollouts.lam, chain.tail
    )
    return advantages, advantages + chain.values


RECURSIONS: dict[str, Recursion] = {"gae": by_token, "turn-gae": by_turn, "bi-level-gae": by_both}
"""By the name of the advantage."""


def appraise(rollouts: Rollouts, recursion: Recursion) -> Appraisal:
    """Run a recursion over every episode that counts.

    Raises:
        ConfigError: there are no values, as there is no critic.
    """
    if rollouts.values is None or rollouts.tails is None:
        raise ConfigError("this advantage needs values: set learner.critic, such as CriticConfig()")
    advantages, targets = ([np.full(int(tokens.sum()), np.nan) for tokens in rollouts.tokens] for _ in range(2))
    for index in rollouts.counted():
        chain = chain_of(rollouts, index)
        length = len(chain.values)
        if length:
            advantages[index][:length], targets[index][:length] = recursion(chain, rollouts)
    return Appraisal(advantages, targets)


def chain_of(rollouts: Rollouts, index: int) -> Chain:
    """An episode up to where the value of what follows is known."""
    assert rollouts.values is not None and rollouts.tails is not None
    values, tokens, rewards = rollouts.values[index], rollouts.tokens[index], rollouts.rewards[index]
    token_rewards = rollouts.token_rewards(index)
    if not rollouts.bootstrapped[index]:
        return Chain(rewards, token_rewards, values, tokens, 0.0)
    tail = float(rollouts.tails[index])
    if not np.isnan(tail):
        return Chain(rewards, token_rewards, values, tokens, tail)
    last = len(values) - int(tokens[-1])
    return Chain(rewards[:-1], token_rewards[:last], values[:last], tokens[:-1], float(values[last]))


def value_targets(rollouts: Rollouts, advantage: str) -> list[Floats]:
    """What the critic learns beside an advantage, E arrays [N]; beside one of another kind, the returns by token."""
    return appraise(rollouts, RECURSIONS.get(advantage, by_token)).targets
