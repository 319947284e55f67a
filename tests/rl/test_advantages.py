import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saccade.envs.errors import ConfigError
from saccade.rl.advantages import (
    ADVANTAGES,
    UNGROUPED,
    gigpo,
    group_counts,
    grpo,
    make_estimator,
    process_grpo,
    reinforce_plus_plus,
    reinforce_plus_plus_baseline,
    reward_to_go,
    rloo,
    turn_grpo,
)

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


def test_process_rewards_by_hand(rollouts):
    # all rewards of the group are 1, 0, 2: mean 1, deviation 1; normalised 0, -1, 1, and summed from behind
    found = process_grpo(rollouts([("a", [1, 0], [1, 2]), ("a", [2], [1])]))
    assert found[0] == pytest.approx([-1, -1, -1], rel=1e-5)
    assert found[1] == pytest.approx([1], rel=1e-5)


def test_group_in_group_by_hand(rollouts):
    # gamma .5: rewards to go [1, 2], [0, 0] and [1]; returns 2, 0, 1 with mean 1
    episodes = [("a", [0, 2], [1, 2]), ("a", [0, 0], [1, 1]), ("a", [1], [1])]
    keys = [["start", "door"], ["start", "door"], ["start"]]
    found = gigpo(rollouts(episodes, keys=keys, gamma=0.5))
    # "start": 1, 0, 1 with mean 2/3; "door": 2, 0 with mean 1
    assert found[0] == pytest.approx([1 + 1 / 3, 2, 2])
    assert found[1] == pytest.approx([-1 - 2 / 3, -2])
    assert found[2] == pytest.approx([1 / 3])
    halved = gigpo(rollouts(episodes, keys=keys, gamma=0.5), weight=0.5)
    assert halved[0] == pytest.approx([1 + 1 / 6, 1.5, 1.5])
    normal = gigpo(rollouts(episodes, keys=keys, gamma=0.5), std=True)
    assert normal[1] == pytest.approx([-1 - (2 / 3) / 3**-0.5, -1 - 1 / 2**0.5], rel=1e-5)


def test_states_of_other_groups_or_without_a_key_are_no_anchors(rollouts):
    episodes = [("a", [0], [1]), ("a", [2], [1]), ("b", [0], [1]), ("b", [0], [1])]
    same = gigpo(rollouts(episodes, keys=[["x"], ["y"], ["x"], ["y"]]))
    bare = gigpo(rollouts(episodes, keys=[[""], [""], [""], [""]]))
    plain = grpo(rollouts(episodes), std=False)
    assert np.concatenate(same).tolist() == np.concatenate(bare).tolist() == np.concatenate(plain).tolist()


def test_reinforce_plus_plus_by_hand(rollouts):
    # discount .5 inside a turn, 1 between turns; rewards to go 1, 1, 2 (halved before its own token) and 0
    episodes = [("a", [0, 2], [1, 2]), ("b", [0], [1])]
    found = np.concatenate(reinforce_plus_plus(rollouts(episodes, token_gamma=0.5)))
    raw = np.array([1.0, 1.0, 2.0, 0.0])
    assert found == pytest.approx((raw - 1) / np.std(raw, ddof=1), rel=1e-5)
    # with a penalty of .5 on the middle token, which is part of its turn's reward
    penalised = [("a", [0, 1.5], [1, 2]), ("b", [0], [1])]
    found = np.concatenate(reinforce_plus_plus(rollouts(penalised, penalties=[[0, -0.5, 0], [0]])))
    raw = np.array([1.5, 1.5, 2.0, 0.0])
    assert found == pytest.approx((raw - raw.mean()) / np.std(raw, ddof=1), rel=1e-5)


def test_reinforce_plus_plus_with_a_baseline_by_hand(rollouts):
    # returns minus the group's mean: 1, -1 (twice), 0 for the flat group; whitened over the five tokens
    episodes = [("a", [2], [1]), ("a", [0], [2]), ("b", [3], [1]), ("b", [3], [1])]
    raw = np.array([1.0, -1.0, -1.0, 0.0, 0.0])
    found = np.concatenate(reinforce_plus_plus_baseline(rollouts(episodes)))
    assert found == pytest.approx((raw - raw.mean()) / raw.std(ddof=1), rel=1e-5)


@pytest.mark.parametrize("name", sorted(set(ADVANTAGES) - {*UNGROUPED, "reinforce++-baseline"}))
def test_a_singleton_and_a_flat_group_get_zero_and_are_counted(rollouts, name):
    data = rollouts([("alone", [5.0], [2]), ("flat", [1.0], [1]), ("flat", [1.0], [1])])
    assert np.concatenate(ADVANTAGES[name](data)) == pytest.approx([0, 0, 0, 0])
    assert group_counts(data) == {"groups": 2, "groups/singletons": 1, "groups/zero_variance": 1}


@pytest.mark.parametrize("name", ADVANTAGES)
@given(data=st.data())
def test_an_infra_episode_changes_nothing_at_all(rollouts, name, data):
    size = data.draw(st.integers(2, 6))
    rewards = data.draw(st.lists(st.floats(-5, 5), min_size=size, max_size=size))
    episodes = [("a", [reward, 1.0], [1, 2]) for reward in rewards]
    lost = ("a", [data.draw(st.floats(-100, 100))], [4])
    where = data.draw(st.integers(0, size))
    values = [[reward, 0.5, 1.0] for reward in rewards]

    def of(episodes, values, counts):
        keys = [["start", "next"][: len(turns)] for _, turns, _ in episodes]
        return ADVANTAGES[name](rollouts(episodes, counts, keys=keys, values=values))

    alone = of(episodes, values, [True] * size)
    mixed = of(
        [*episodes[:where], lost, *episodes[where:]],
        [*values[:where], [np.nan] * 4, *values[where:]],
        [True] * where + [False] + [True] * (size - where),
    )
    assert np.all(mixed.pop(where) == 0)
    for one, other in zip(alone, mixed, strict=True):
        assert one.tolist() == other.tolist()


@given(rewards=st.lists(st.floats(-5, 5).map(lambda x: round(x, 3)), min_size=2, max_size=8), factor=st.floats(0.5, 20))
@pytest.mark.parametrize("name", ["grpo", "process-grpo", "turn-grpo", "reinforce++", "reinforce++-baseline", "gae"])
def test_scaling_rewards_leaves_normalised_advantages_unchanged(rollouts, name, rewards, factor):
    def of(scale):
        episodes = [("a", [reward * scale], [1]) for reward in rewards]
        return np.concatenate(ADVANTAGES[name](rollouts(episodes, values=[[0.0]] * len(rewards))))

    assert of(1.0) == pytest.approx(of(factor), abs=1e-2)


@pytest.mark.parametrize("name", ["grpo", "dr-grpo", "rloo"])
@given(rewards=st.lists(st.floats(-5, 5), min_size=2, max_size=8))
def test_a_group_sums_to_zero(rollouts, name, rewards):
    found = ADVANTAGES[name](rollouts([("a", [reward], [1]) for reward in rewards]))
    assert np.concatenate(found).sum() == pytest.approx(0, abs=1e-6)


def test_an_unknown_name_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'rloo'"):
        make_estimator("rlo")
    with pytest.raises(ConfigError, match="cannot be imported"):
        make_estimator("no_such_module:f")
