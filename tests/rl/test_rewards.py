import numpy as np
import pytest

from saccade.envs.errors import ConfigError
from saccade.rl.credit import assign, rollouts_of
from saccade.rl.rewards import REWARDS, turn_rewards


@pytest.mark.parametrize("name", REWARDS)
def test_a_reward_is_one_number_a_turn(name, trajectories):
    for trajectory in trajectories:
        found = REWARDS[name](trajectory)
        assert found.shape == (len(trajectory.episode.steps),)


def test_rewards_are_weighed(trajectories):
    trajectory = trajectories[0]
    bad = [step.action is None or step.action_error is not None for step in trajectory.episode.steps]
    expected = np.array(trajectory.episode.rewards) - 0.5 * np.array(bad)
    assert turn_rewards(trajectory, {"task": 1.0, "valid_action": 0.5}) == pytest.approx(expected)


def test_a_reply_outside_its_format_costs_even_where_the_world_understands(trajectories):
    for trajectory in trajectories:
        assert REWARDS["format"](trajectory).tolist() == [0.0 if ok else -1.0 for ok in trajectory.well_formed]
    assert not all(all(trajectory.well_formed) for trajectory in trajectories)


def test_every_action_token_gets_the_advantage_of_its_turn(trajectories):
    rollouts = rollouts_of(trajectories, {"brevity": 1.0}, 1.0)

    def by_turn(rollouts):
        return rollouts.spread([np.arange(1.0, len(turns) + 1) for turns in rollouts.rewards])

    _, rows, _ = assign(trajectories, rollouts, by_turn)
    assert len(rows) == len(trajectories)
    for row in rows:
        assert row.advantages == pytest.approx(row.sample.turns[row.sample.action_mask] + 1)


def test_a_flat_batch_gives_no_rows(trajectories):
    rollouts = rollouts_of(trajectories, {"task": 0.0}, 1.0)
    from saccade.rl.advantages import grpo

    _, rows, metrics = assign(trajectories, rollouts, grpo)
    assert rows == [] and metrics["groups/zero_variance"] == metrics["groups"] == 4


def test_an_estimator_that_miscounts_is_caught(trajectories):
    rollouts = rollouts_of(trajectories, {"task": 1.0}, 1.0)
    with pytest.raises(ValueError, match="one a token"):
        assign(trajectories, rollouts, lambda rollouts: [np.zeros(1) for _ in rollouts.groups])


def test_an_unknown_reward_is_refused():
    from saccade.rl.rewards import check_weights

    with pytest.raises(ConfigError, match="did you mean 'task'"):
        check_weights({"tasks": 1.0})
    with pytest.raises(ConfigError, match="at least one"):
        check_weights({})
