"""From trajectories to rows: rewards, advantages, and each advantage to its token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from saccade.agents.trajectory import Trajectory
from saccade.rl.advantages import FLAT, Estimator, Floats, Rollouts, group_counts
from saccade.rl.batch import Row
from saccade.rl.rewards import turn_rewards


def rollouts_of(trajectories: Sequence[Trajectory], rewards: Mapping[str, float], gamma: float) -> Rollouts:
    """What an advantage estimator may look at."""
    episodes = [trajectory.episode for trajectory in trajectories]
    return Rollouts(
        groups=[episode.group for episode in episodes],
        rewards=[turn_rewards(trajectory, rewards) for trajectory in trajectories],
        tokens=[trajectory.tokens_per_turn() for trajectory in trajectories],
        counts=np.array([episode.rule.in_baseline and episode.rule.trained for episode in episodes], bool),
        bootstrapped=np.array([episode.rule.bootstrapped for episode in episodes], bool),
        state_keys=[[step.state_key for step in episode.steps] for episode in episodes],
        gamma=gamma,
    )


def assign(
    trajectories: Sequence[Trajectory], rollouts: Rollouts, estimator: Estimator
) -> tuple[list[Floats], list[Row], dict[str, float]]:
    """Advantages by episode, the rows to train on, and metrics.

    Episodes that are not trained on give no row, and neither do samples whose advantages are all zero (a group without
    variance): the mean of the loss is over the tokens that teach, so an update with few such groups is no smaller.
    """
    advantages = estimator(rollouts)
    rows = []
    for index, trajectory in enumerate(trajectories):
        wanted = int(rollouts.tokens[index].sum())
        if len(advantages[index]) != wanted:
            raise ValueError(
                f"the advantage estimator gave {len(advantages[index])} numbers for an episode of {wanted} action "
                "tokens: it must give one a token (see Rollouts.spread)"
            )
        if not rollouts.counts[index]:
            continue
        starts = np.concatenate([[0], np.cumsum(rollouts.tokens[index])])
        for sample in trajectory.samples:
            turns = np.unique(sample.turns[sample.action_mask])
            parts = [advantages[index][starts[turn] : starts[turn + 1]] for turn in turns]
            tokens = np.concatenate(parts) if parts else np.zeros(0)
            if np.any(np.abs(tokens) > FLAT):
                rows.append(Row(sample, tokens))
    flat = np.concatenate(advantages) if advantages else np.zeros(0)
    metrics = group_counts(rollouts) | {"advantage/absolute_mean": float(np.abs(flat).mean()) if len(flat) else 0.0}
    return advantages, rows, metrics
