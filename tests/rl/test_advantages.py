import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saccade.envs.errors import ConfigError
from saccade.rl.advantages import ADVANTAGES, group_counts, grpo, make_estimator, reward_to_go, rloo, turn_grpo

BINARY = [("a", [1.0], [2]), ("a", [0.0], [1]), ("a", [0.0], [3]), ("a", [0.0], [1])]


def test_grpo_by_hand(rollouts):
    # mean .25, deviation with ddof 1 is .5: (1 - .25) / .5 = 1.5 and (0 - .25) / .5 = -.5
    found = grpo(rollouts(BINARY))
    assert [len(tokens) for tokens in found] == [2, 1, 3, 1]
    assert np.concatenate(found) == pytest.approx([1.5, 1.5, -0.5, -0.5, -0.5, -0.5, -0.5], rel=1e-5)


def test_without_std_and_leave_one_out_by_hand(rollouts):
    plain = np.concatenate(ADVANTAGES["dr-grpo"](rollouts(BINARY)))
    assert plain == pytest.approx([0.75, 0.75, -0.25, -0.25, -0.25, -0.25, -0.25])
    # the others' mean is 0 for the success, and 1/3 for each failure: G / (G - 1) times the above
    assert np.concatenate(rloo(rollouts(BINARY))) == pytest.approx(plain * 4 / 3)


def test_turn_credit_by_hand(rollouts):
    # gamma .5: rewards to go are [1, 2] and [0, 0]; the third episode ended after one turn with 2
    found = turn_grpo(rollouts([("a", [0, 2], [1, 1]), ("a", [0, 0], [1, 2]), ("a", [2], [1])], gamma=0.5))
    raw = [[1 - 1, 2 - 1], [0 - 1, 0 - 1], [2 - 1]]
    scale = np.std([0, 1, -1, -1, 1], ddof=1)
    expected = [np.array(raw[0]), np.repeat(raw[1], [1, 2]), np.array(raw[2])]
    for tokens, wanted in zip(found, expected, strict=True):
        assert tokens == pytest.approx(wanted / scale, rel=1e-5)


def test_reward_to_go_by_hand():
    assert reward_to_go(np.array([1.0, 0.0, 4.0]), 0.5).tolist() == [2.0, 2.0, 4.0]


@pytest.mark.parametrize("name", ADVANTAGES)
def test_a_singleton_and_a_flat_group_get_zero_and_are_counted(rollouts, name):
    data = rollouts([("alone", [5.0], [2]), ("flat", [1.0], [1]), ("flat", [1.0], [1])])
    assert np.concatenate(ADVANTAGES[name](data)) == pytest.approx([0, 0, 0, 0])
    assert group_counts(data) == {"groups": 2, "groups/singletons": 1, "groups/zero_variance": 1}


@pytest.mark.parametrize("name", ADVANTAGES)
@given(data=st.data())
def test_an_infra_episode_changes_nothing_at_all(name, data):
    size = data.draw(st.integers(2, 6))
    rewards = data.draw(st.lists(st.floats(-5, 5), min_size=size, max_size=size))
    episodes = [("a", [reward, 1.0], [1, 2]) for reward in rewards]
    lost = ("a", [data.draw(st.floats(-100, 100))], [4])
    where = data.draw(st.integers(0, size))
    build = make_builder()
    alone = ADVANTAGES[name](build(episodes))
    mixed = ADVANTAGES[name](
        build([*episodes[:where], lost, *episodes[where:]], [True] * where + [False] + [True] * (size - where))
    )
    assert np.all(mixed.pop(where) == 0)
    for one, other in zip(alone, mixed, strict=True):
        assert one == pytest.approx(other)


@given(rewards=st.lists(st.floats(-5, 5).map(lambda x: round(x, 3)), min_size=2, max_size=8), factor=st.floats(0.5, 20))
def test_scaling_rewards_leaves_normalised_advantages_unchanged(rewards, factor):
    build = make_builder()
    one = np.concatenate(grpo(build([("a", [reward], [1]) for reward in rewards])))
    other = np.concatenate(grpo(build([("a", [reward * factor], [1]) for reward in rewards])))
    assert one == pytest.approx(other, abs=1e-2)


@pytest.mark.parametrize("name", ["grpo", "dr-grpo", "rloo"])
@given(rewards=st.lists(st.floats(-5, 5), min_size=2, max_size=8))
def test_a_group_sums_to_zero(name, rewards):
    found = ADVANTAGES[name](make_builder()([("a", [reward], [1]) for reward in rewards]))
    assert np.concatenate(found).sum() == pytest.approx(0, abs=1e-6)


def test_an_unknown_name_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'rloo'"):
        make_estimator("rlo")
    with pytest.raises(ConfigError, match="cannot be imported"):
        make_estimator("no_such_module:f")


def make_builder():
    from saccade.rl.advantages import Rollouts

    def build(episodes, counts=None):
        return Rollouts(
            [group for group, _, _ in episodes],
            [np.array(rewards, float) for _, rewards, _ in episodes],
            [np.array(tokens, np.int64) for _, _, tokens in episodes],
            np.array(counts if counts is not None else [True] * len(episodes)),
            np.zeros(len(episodes), bool),
            [[""] * len(rewards) for _, rewards, _ in episodes],
        )

    return build
