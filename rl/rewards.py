"""Rewards that the learner adds to the world's own: pure functions of a trajectory, one number a turn.

`REWARDS` is the table; a training run weighs its entries: `{"task": 1.0, "valid_action": 0.1}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from saccade.agents.trajectory import Trajectory
from saccade.envs.errors import ConfigError, near

Reward = Callable[[Trajectory], NDArray[np.float64]]


def task(trajectory: Trajectory) -> NDArray[np.float64]:
    """What the world gave, float [turns]."""
    return np.array(trajectory.episode.rewards, np.float64)


def valid_action(trajectory: Trajectory) -> NDArray[np.float64]:
    """-1 for each turn whose action the world did not understand or never received, float [turns]."""
    bad = [step.action is None or step.action_error is not None for step in trajectory.episode.steps]
    return -np.array(bad, np.float64)


def format_followed(trajectory: Trajectory) -> NDArray[np.float64]:
    """-1 for each turn whose reply did not follow its format, even where the world made sense of it, float [turns]."""
    return np.array(trajectory.well_formed, np.float64) - 1.0


def brevity(trajectory: Trajectory) -> NDArray[np.float64]:
    """Minus the number of tokens written, in hundreds, float [turns]."""
    return -trajectory.tokens_per_turn() / 100.0


REWARDS: dict[str, Reward] = {"task": task, "valid_action": valid_action, "format": format_followed, "brevity": brevity}


def check_weights(weights: Mapping[str, float]) -> None:
    """Raise `ConfigError` unless every name is in the table."""
    for name in weights:
        if name not in REWARDS:
            raise ConfigError(f"unknown reward {name!r}; {near(name, REWARDS, 'rewards')}")
    if not weights:
        raise ConfigError('rewards must name at least one reward, such as {"task": 1.0}')


def turn_rewards(trajectory: Trajectory, weights: Mapping[str, float]) -> NDArray[np.float64]:
    """The weighted sum of rewards, float [turns]."""
    total = np.zeros(len(trajectory.episode.steps))
    for name, weight in weights.items():
        total += weight * REWARDS[name](trajectory)
    return total
