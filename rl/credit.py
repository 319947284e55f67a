"""From trajectories to rows: rewards, advantages, and each advantage to its token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from saccade.agents.trajectory import Sample, Trajectory
from saccade.rl.advantages import Estimator, group_counts
from saccade.rl.batch import Row
from saccade.rl.gae import Floats
from saccade.rl.learner import Learner
from saccade.rl.losses import k3
from saccade.rl.rewards import turn_rewards
from saccade.rl.rollouts import FLAT, Rollouts, turn_sums


def rollouts_of(
    trajectories: Sequence[Trajectory],
    rewards: Mapping[str, float],
    gamma: float,
    token_gamma: float = 1.0,
    lam: float = 1.0,
) -> Rollouts:
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
        token_gamma=token_gamma,
        lam=lam,
    )


def consult(
    trajectories: Sequence[Trajectory], rollouts: Rollouts, learner: Learner
) -> tuple[Rollouts, dict[str, float]]:
    """Ask the model what credit rests on: the KL penalty of each token and its critic's values, where they are wanted.

    Returns:
        The rollouts with `penalties` and rewards that hold them, with `values` and `tails`; and metrics.
    """
    asked = [(index, sample) for index in rollouts.counted() for sample in trajectories[index].samples]
    rows = [Row(sample, np.zeros(int(sample.action_mask.sum()))) for _, sample in asked]
    metrics: dict[str, float] = {}
    if rows and learner.kl.in_reward:
        rollouts, metrics = _penalised(rollouts, asked, rows, learner)
    if rows and learner.critic is not None:
        told, behind = learner.values(rows)
        values, tails = _blank(rollouts, np.nan), np.full(len(trajectories), np.nan)
        for (index, sample), own, tail in zip(asked, told, behind, strict=True):
            values[index][_places(sample, rollouts.tokens[index])] = own
            if sample.tail:
                tails[index] = tail
        rollouts = replace(rollouts, values=values, tails=tails)
        lost = np.isnan(tails) & rollouts.bootstrapped & rollouts.counts
        metrics["critic/unbootstrapped"] = float(np.count_nonzero(lost))
    return rollouts, metrics


def _penalised(
    rollouts: Rollouts, asked: Sequence[tuple[int, Sample]], rows: Sequence[Row], learner: Learner
) -> tuple[Rollouts, dict[str, float]]:
    """Subtract the weighted divergence of each token from the rewards."""
    weight = learner.kl.coefficient(learner.done)
    penalties = _blank(rollouts, 0.0)
    divergences = []
    for (index, sample), reference in zip(asked, learner.logprobs(rows, learner.reference), strict=True):
        sampled = torch.from_numpy(sample.logprobs[sample.action_mask]).to(reference)
        penalty = learner.divergence(sampled, reference).double().cpu().numpy()
        penalties[index][_places(sample, rollouts.tokens[index])] = -weight * penalty
        divergences.append(k3(sampled, reference))
    mean = float(torch.cat(divergences).mean())
    learner.kl.observe(mean, len({index for index, _ in asked}))
    rewards = [
        turns + turn_sums(own, tokens)
        for turns, own, tokens in zip(rollouts.rewards, penalties, rollouts.tokens, strict=True)
    ]
    metrics = {"policy/kl": mean, "policy/kl_coef": weight}
    return replace(rollouts, rewards=rewards, penalties=penalties), metrics


def assign(
    trajectories: Sequence[Trajectory],
    rollouts: Rollouts,
    estimator: Estimator,
    targets: Sequence[Floats] | None = None,
) -> tuple[list[Floats], list[Row], dict[str, float]]:
    """Advantages by episode, the rows to train on, and metrics.

    Episodes that are not trained on give no row, and neither do those whose advantages are all zero (a group without
    variance): the mean of the loss is over the tokens that teach, so an update with few such groups is no smaller. With
    `targets`, what a critic is to learn, every episode that counts gives rows, with the critic's values.
    """
    advantages = estimator(rollouts)
    rows = []
    for index, trajectory in enumerate(trajectories):
        counts = rollouts.tokens[index]
        wanted = int(counts.sum())
        if len(advantages[index]) != wanted:
            raise ValueError(
                f"the advantage estimator gave {len(advantages[index])} numbers for an episode of {wanted} action "
                "tokens: it must give one a token (see Rollouts.spread)"
            )
        told = (rollouts.values[index], targets[index]) if targets is not None and rollouts.values is not None else None
        if not rollouts.counts[index] or (told is None and not np.any(np.abs(advantages[index]) > FLAT)):
            continue
        for sample in trajectory.samples:
            places = _places(sample, counts)
            tokens = advantages[index][places]
            if not len(tokens):
                continue  # a final observation, there for its value alone
            if told is None:
                rows.append(Row(sample, tokens, episode=index))
            else:
                values, goals = (each[places] for each in told)
                rows.append(Row(sample.without_tail(), tokens, values=values, targets=goals, episode=index))
    flat = np.concatenate(advantages) if advantages else np.zeros(0)
    metrics = group_counts(rollouts) | {"advantage/absolute_mean": float(np.abs(flat).mean()) if len(flat) else 0.0}
    return advantages, rows, metrics


def _places(sample: Sample, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where a sample's action tokens, as they stand in it, stand among all of its episode, turn by turn."""
    stops = np.cumsum(counts)
    turns = dict.fromkeys(sample.turns[sample.action_mask].tolist())
    parts = [np.arange(stops[turn] - counts[turn], stops[turn]) for turn in turns]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _blank(rollouts: Rollouts, value: float) -> list[Floats]:
    return [np.full(int(tokens.sum()), value) for tokens in rollouts.tokens]
