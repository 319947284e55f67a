"""An advantage estimator in one file: only the best episodes of a group teach.

saccade train --advantage best_of_group:best_of_group ...      # with this file's folder on PYTHONPATH
"""

import numpy as np

from saccade.rl.gae import Floats
from saccade.rl.rollouts import Rollouts


def best_of_group(rollouts: Rollouts) -> list[Floats]:
    """1 for the episodes whose return is the best of their group and above its mean, else 0."""
    advantages = np.zeros(len(rollouts.groups))
    returns = rollouts.returns
    for members in rollouts.members().values():
        group = returns[members]
        advantages[members] = (group == group.max()) & (group > group.mean())
    return rollouts.spread_episodes(advantages)
