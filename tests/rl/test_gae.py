"""The recursions by hand, and what they must be at the ends of lambda."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saccade.rl.advantages import ADVANTAGES
from saccade.rl.appraisal import RECURSIONS, appraise, value_targets
from saccade.rl.gae import bi_level_gae, gae, token_discounts, turn_ends, turn_gae, turn_starts

TOKENS = np.array([2, 1, 3])
floats = st.floats(-3, 3)


def arrays(*numbers):
    return tuple(np.array(each, float) for each in numbers)


def test_gae_by_hand():
    # deltas, from behind: 4 + .5*2 - 3 = 2, 0 + .5*3 - 1 = .5; then .5 + .5*.8*2 = 1.3
    rewards, values, discounts = arrays([0, 4], [1, 3], [0.5, 0.5])
    assert gae(rewards, values, discounts, 0.8, tail=2.0) == pytest.approx([1.3, 2.0])
    # nothing follows: 4 - 3 = 1; .5 + .4*1 = .9
    assert gae(rewards, values, discounts, 0.8) == pytest.approx([0.9, 1.0])


def test_turns_are_told_apart_by_their_tokens():
    assert turn_ends(TOKENS).tolist() == [1, 2, 5]
    assert turn_starts(TOKENS).tolist() == [0, 2, 3]
    assert token_discounts(TOKENS, 0.9, 0.5).tolist() == [0.5, 0.9, 0.9, 0.5, 0.5, 0.9]


def test_gae_over_turns_by_hand():
    # values at first tokens: 1, 2, 3. deltas: 0 + .5*2 - 1 = 0, 1 + .5*3 - 2 = .5, 4 + 0 - 3 = 1
    rewards, values = arrays([0, 1, 4], [1, 9, 2, 3, 9, 9])
    turns, targets = turn_gae(rewards, values, TOKENS, 0.5, 0.5)
    assert turns == pytest.approx([0.1875, 0.75, 1.0])  # .5 + .25*1 = .75; 0 + .25*.75
    assert targets[[0, 2, 3]] == pytest.approx([1.1875, 2.75, 4.0])
    assert np.isnan(targets[[1, 4, 5]]).all()


def test_bi_level_gae_by_hand():
    # turn ends have values 2, 4, 1. above, gamma .5, lambda .5: 3 + 0 - 1 = 2; 0 + .5*1 - 4 + .25*2 = -3;
    # 1 + .5*4 - 2 + .25*-3 = .25
    rewards, values = arrays([1, 0, 3], [3, 2, 4, 0, 5, 1])
    found = bi_level_gae(rewards, values, TOKENS, 0.5, 1.0, 0.5)
    # below, discount 1: 2 - 3 + .5*.25 = -.875; the middle turn is its end alone; 1 - 5 + .5*2 = -3, 5 + .5*-3 = 3.5
    assert found == pytest.approx([-0.875, 0.25, -3.0, 3.5, -3.0, 2.0])


def test_a_turn_without_reward_ends_too():
    """Some code finds the ends of turns by their rewards; a turn that earned nothing is one all the same."""
    values = np.array([0.5, 1.0, 2.0])
    found = bi_level_gae(np.array([0.0, 1.0]), values, np.array([2, 1]), 0.5, 1.0, 1.0)
    assert found == pytest.approx([1.0 - 0.5 + 0.5 * 2 - 1.0 + 0.5 * -1.0, 0.5 * 2 - 1.0 + 0.5 * -1.0, -1.0])


@given(st.lists(st.tuples(floats, floats, st.floats(0, 1)), min_size=1, max_size=8), floats)
def test_lambda_one_is_monte_carlo_and_zero_is_td(steps, tail):
    rewards, values, discounts = map(np.array, zip(*steps, strict=True))
    following = np.append(values[1:], tail)
    assert gae(rewards, values, discounts, 0.0, tail) == pytest.approx(rewards + discounts * following - values)
    running, returns = tail, []
    for reward, discount in zip(rewards[::-1], discounts[::-1], strict=True):
        running = reward + discount * running
        returns.append(running)
    assert gae(rewards, values, discounts, 1.0, tail) == pytest.approx(np.array(returns[::-1]) - values, abs=1e-9)


@given(st.data())
def test_without_discounts_lambda_one_is_monte_carlo_at_every_level(data):
    tokens = np.array(data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=4)))
    rewards = np.array(data.draw(st.lists(floats, min_size=len(tokens), max_size=len(tokens))))
    values = np.array(data.draw(st.lists(floats, min_size=int(tokens.sum()), max_size=int(tokens.sum()))))
    to_go = np.repeat(rewards[::-1].cumsum()[::-1], tokens)
    assert bi_level_gae(rewards, values, tokens, 1.0, 1.0, 1.0) == pytest.approx(to_go - values, abs=1e-9)
    turns, _ = turn_gae(rewards, values, tokens, 1.0, 1.0)
    assert np.repeat(turns, tokens) == pytest.approx(to_go - np.repeat(values[turn_starts(tokens)], tokens), abs=1e-9)


@pytest.fixture
def truncated(rollouts):
    """One episode of two turns (2 and 1 tokens) that was cut off; the value behind it is given."""

    def build(tail):
        return rollouts(
            [("a", [0.0, 1.0], [2, 1])], values=[[1.0, 2.0, 3.0]], bootstrapped=[True], tails=[tail], lam=0.5
        )

    return build


def test_what_was_cut_off_is_bootstrapped(truncated):
    # 1 + 5 - 3 = 3; 0 + 3 - 2 + .5*3 = 2.5; 0 + 2 - 1 + .5*2.5 = 2.25
    found = appraise(truncated(5.0), RECURSIONS["gae"])
    assert found.advantages[0] == pytest.approx([2.25, 2.5, 3.0])
    assert found.targets[0] == pytest.approx([3.25, 4.5, 6.0])


@pytest.mark.parametrize("name", RECURSIONS)
def test_without_a_final_value_the_last_turn_teaches_nothing(truncated, name):
    """The episode is one that was cut off before it: its first value, 3, is the tail of what is left."""
    data = truncated(np.nan)
    found = appraise(data, RECURSIONS[name])
    assert np.isnan(found.advantages[0][2]) and np.isnan(found.targets[0][2])
    expected = {"gae": [1.5, 1.0], "turn-gae": [2.0, 2.0], "bi-level-gae": [1.5, 1.0]}[name]
    assert found.advantages[0][:2] == pytest.approx(expected)
    assert ADVANTAGES[name](data)[0][2] == 0
    assert value_targets(data, name)[0][0] == pytest.approx(expected[0] + 1.0)


def test_an_episode_that_ended_is_worth_nothing_afterwards(rollouts):
    data = rollouts([("a", [1.0], [1])], values=[[0.25]], tails=[7.0])
    assert appraise(data, RECURSIONS["gae"]).advantages[0] == pytest.approx([0.75])


@given(st.lists(st.tuples(floats, floats, floats), min_size=2, max_size=6))
def test_whitened_advantages_have_mean_zero_and_deviation_one(rollouts, episodes):
    data = rollouts(
        [("a", [reward], [2]) for reward, _, _ in episodes], values=[[one, two] for _, one, two in episodes]
    )
    found = np.concatenate(ADVANTAGES["gae"](data))
    if np.abs(found).max() > 0 and np.concatenate(appraise(data, RECURSIONS["gae"]).advantages).std() > 1e-3:
        assert found.mean() == pytest.approx(0, abs=1e-6)
        assert found.std(ddof=1) == pytest.approx(1, rel=2e-3)


def test_values_are_needed(rollouts):
    from saccade.envs.errors import ConfigError

    with pytest.raises(ConfigError, match="needs values"):
        ADVANTAGES["gae"](rollouts([("a", [1.0], [1])]))
