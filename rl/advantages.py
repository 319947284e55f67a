"""Advantages: how much better each action token did than expected. Pure functions, one table.

Every estimator maps `Rollouts` to one float array an episode, one number an action token. Conventions, since public
implementations disagree: the standard deviation has ddof 1; epsilon 1e-6 is added to it; a group with fewer than two
episodes that count has advantage 0 (no baseline, no signal) and is counted in `singletons`; episodes whose cause is
outside the baseline (`infra`, `engine`, `stale`) are invisible to the others and get 0.

A new estimator is a function and a row in `ADVANTAGES`, or, from outside, any `"module:function"`. docs/algorithms.md
compares them and says how far each is from the gradient of the mean return.

Shapes: E episodes, T turns of an episode, N action tokens of an episode.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial

import numpy as np

from saccade.envs.errors import ConfigError, near
from saccade.rl.appraisal import RECURSIONS, Recursion, appraise
from saccade.rl.gae import Floats, gae, token_discounts
from saccade.rl.rollouts import EPSILON, FLAT, Rollouts

Estimator = Callable[[Rollouts], list[Floats]]


def grpo(rollouts: Rollouts, std: bool = True) -> list[Floats]:
    """Group-relative advantage: (R_i - mean) / (std + eps), equal for all tokens of an episode.

    DeepSeekMath (arXiv 2402.03300), equation 3 with outcome supervision. `std=False` is Dr. GRPO's
    (arXiv 2503.20783): the group's spread no longer decides how much a task weighs.
    """
    return by_group(rollouts, partial(relative, std=std))


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


def process_grpo(rollouts: Rollouts) -> list[Floats]:
    """GRPO with process supervision (DeepSeekMath, arXiv 2402.03300, section 4.1.3).

    The rewards of all turns of a group are normalised together, by their mean and standard deviation; a token's
    advantage is the sum of the normalised rewards of its own and all later turns.
    """
    advantages = [np.zeros(len(rewards)) for rewards in rollouts.rewards]
    for members in rollouts.members().values():
        together = np.concatenate([rollouts.rewards[index] for index in members])
        if len(members) < 2 or np.ptp(together) <= FLAT:
            continue
        scale = together.std(ddof=1) + EPSILON
        for index in members:
            advantages[index] = reward_to_go((rollouts.rewards[index] - together.mean()) / scale, 1.0)
    return rollouts.spread(advantages)


def gigpo(rollouts: Rollouts, weight: float = 1.0, std: bool = False) -> list[Floats]:
    """Group-in-group (GiGPO, arXiv 2505.10978): the episode's advantage plus `weight` times the turn's.

    The turn's is its discounted reward to go minus the mean over all turns of the group that began in the same state
    (equal `state_key`); a state that was met once adds nothing, and neither does one without a key. `std` divides both
    by their standard deviations; the paper's default for agents, and ours, does not. The paper's discount is 0.95,
    ours is `gamma`; its keys are equal observations, ours equal states.
    """
    advantages = [np.zeros(len(rewards)) for rewards in rollouts.rewards]
    to_go = [reward_to_go(rewards, rollouts.gamma) for rewards in rollouts.rewards]
    for members in rollouts.members().values():
        anchors: dict[str, list[tuple[int, int]]] = {}
        for index in members:
            for turn, key in enumerate(rollouts.state_keys[index]):
                if key:
                    anchors.setdefault(key, []).append((index, turn))
        for met in anchors.values():
            found = np.array([to_go[index][turn] for index, turn in met])
            if len(met) >= 2 and np.ptp(found) > FLAT:
                for (index, turn), value in zip(met, relative(found, std), strict=True):
                    advantages[index][turn] = weight * value
    steps = rollouts.spread(advantages)
    episodes = grpo(rollouts, std)
    return [one + other for one, other in zip(episodes, steps, strict=True)]


def reinforce_plus_plus(rollouts: Rollouts) -> list[Floats]:
    """REINFORCE++ (arXiv 2501.03262): a token's discounted reward to go, whitened over all tokens of the batch.

    Groups play no part: a batch of single episodes will do.
    """
    to_go = [np.zeros(int(tokens.sum())) for tokens in rollouts.tokens]
    for index in rollouts.counted():
        discounts = token_discounts(rollouts.tokens[index], rollouts.gamma, rollouts.token_gamma)
        to_go[index] = gae(rollouts.token_rewards(index), np.zeros(len(discounts)), discounts, 1.0)
    return rollouts.whiten(to_go)


def reinforce_plus_plus_baseline(rollouts: Rollouts) -> list[Floats]:
    """REINFORCE++ with a baseline (arXiv 2501.03262): GRPO without deviation, whitened over all tokens of the batch."""
    return rollouts.whiten(grpo(rollouts, std=False))


def with_critic(rollouts: Rollouts, recursion: Recursion) -> list[Floats]:
    """PPO's generalised advantages (arXiv 1707.06347), whitened over all tokens of the batch."""
    return rollouts.whiten(appraise(rollouts, recursion).advantages)


def relative(group: Floats, std: bool) -> Floats:
    """Numbers minus their mean, over their standard deviation if wanted."""
    centred: Floats = group - group.mean()
    return centred / (group.std(ddof=1) + EPSILON) if std else centred


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
    "process-grpo": process_grpo,
    "gigpo": gigpo,
    "reinforce++": reinforce_plus_plus,
    "reinforce++-baseline": reinforce_plus_plus_baseline,
    **{name: partial(with_critic, recursion=recursion) for name, recursion in RECURSIONS.items()},
}
UNGROUPED = ("reinforce++", *RECURSIONS)
"""Estimators that need no second episode of a task."""


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
