from dataclasses import replace

import pytest

from saccade.envs.episode import Cause
from saccade.rl.notes import rollout_metrics


def test_a_lost_episode_is_in_no_mean(trajectories):
    first, *others = trajectories
    lost = replace(first, episode=replace(first.episode, cause=Cause.INFRA))
    alone, mixed = rollout_metrics(others), rollout_metrics([lost, *others])
    assert mixed["ended/infra"] == pytest.approx(1 / len(trajectories))

    def means(metrics):
        return {name: value for name, value in metrics.items() if not name.startswith("ended/")}

    assert means(alone) == means(mixed) and "reply_tokens" in means(alone)
    assert rollout_metrics([lost]) == {"ended/infra": 1.0}
