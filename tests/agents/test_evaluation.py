import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saccade.agents.evaluation import (
    Evaluation,
    evaluate,
    mean_of_shares,
    paired_difference,
    pass_at_k,
    proportion,
)
from saccade.agents.runner import Runner
from saccade.envs.episode import Cause, Episode
from saccade.envs.errors import ConfigError
from saccade.envs.task import TaskSpec


def episode(seed, success, cause=None):
    cause = cause or (Cause.GOAL if success else Cause.FAILED)
    return Episode(str(seed), TaskSpec("x-v0", seed), "", (), None, cause, success)


def test_wilson_interval_by_hand():
    # 8 of 10: centre (.8 + 3.8415 / 20) / 1.38415, half-width 1.96 / 1.38415 * sqrt(.016 + 3.8415 / 400)
    found = proportion([True] * 8 + [False] * 2)
    assert (found.mean, found.low, found.high) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)
    assert proportion([True] * 5).high == pytest.approx(1.0)
    assert proportion([False] * 5).low == pytest.approx(0.0)


def test_paired_difference_by_hand():
    # differences 1, 0, 0, 1: mean .5, deviation with ddof 1 .57735, half-width 1.96 * .57735 / 2
    found = paired_difference([0, 1, 0, 0], [1, 1, 0, 1])
    assert (found.mean, found.low, found.high) == pytest.approx((0.5, -0.0658, 1.0658), abs=1e-4)


def test_void_episodes_are_left_out_and_pairs_meet_by_task():
    before = Evaluation([episode(0, False), episode(1, False), episode(2, True), episode(3, True, Cause.INFRA)])
    after = Evaluation([episode(2, True), episode(0, True), episode(1, False), episode(3, True)])
    assert before.success.count == 3
    assert before.causes == {"failed": 2, "goal": 1, "infra": 1}
    assert after.against(before).mean == pytest.approx(1 / 3)


def test_thought_accuracy_is_over_the_turns_that_had_a_reference():
    def thinking(seed, verdicts, cause=Cause.GOAL):
        return replace(episode(seed, True, cause), info={"thoughts_right": verdicts} if verdicts else {})

    found = Evaluation([thinking(0, [True, None]), thinking(1, [False, True]), thinking(2, [True], Cause.INFRA)])
    assert (found.thoughts.mean, found.thoughts.count) == (pytest.approx(2 / 3), 3)
    assert Evaluation([thinking(0, None)]).thoughts is None


def test_an_evaluation_of_nothing_is_refused(agent, walk):
    with pytest.raises(ConfigError, match="at least one task"):
        _ = Evaluation([episode(0, True, Cause.INFRA)]).success
    with pytest.raises(ConfigError, match="tasks must be >= 1"):
        evaluate(Runner(agent), walk, 0)
    with pytest.raises(ConfigError, match="same tasks"):
        paired_difference([1], [1, 0])


def test_two_evaluations_of_one_policy_are_equal_and_have_other_names(agent, walk):
    runner = Runner(agent, policy="random")
    one, two = evaluate(runner, walk, 6, label="a"), evaluate(runner, walk, 6, label="b")
    runner.close()
    assert [each.episode.success for each in one] == [each.episode.success for each in two]
    assert {each.episode.id for each in one}.isdisjoint({each.episode.id for each in two})
    assert all(each.episode.task.split == "test" for each in one)


def test_intervals_over_seeds_are_students():
    """By hand: mean 2, sample deviation 1, three runs: 4.303 / sqrt(3) = 2.484."""
    from saccade.agents.evaluation import over_seeds

    found = over_seeds([1.0, 2.0, 3.0])
    assert (found.mean, found.count) == (2.0, 3)
    assert found.high - found.mean == pytest.approx(2.484, abs=1e-3)
    assert found.mean - found.low == pytest.approx(2.484, abs=1e-3)
    for count, quantile in ((12, 2.201), (20, 2.093), (100, 1.984)):  # 11, 19 and 99 degrees of freedom
        deviation = (count / 4 / (count - 1)) ** 0.5
        many = over_seeds([0.0, 1.0] * (count // 2))
        assert (many.high - many.mean) * count**0.5 / deviation == pytest.approx(quantile, abs=3e-3)
    with pytest.raises(ConfigError, match="at least two"):
        over_seeds([1.0])


@pytest.mark.parametrize(
    ("tries", "successes", "k", "wanted"),
    [
        (5, 2, 1, 2 / 5),
        (5, 2, 2, 1 - 3 / 10),  # 3 of the 10 pairs hold two failures
        (5, 2, 3, 1 - 1 / 10),  # 1 of the 10 triples does not hold a success
        (5, 2, 4, 1.0),  # there are only 3 failures
        (4, 0, 4, 0.0),
        (3, 3, 2, 1.0),
    ],
)
def test_pass_at_k_by_hand(tries, successes, k, wanted):
    assert pass_at_k(tries, successes, k) == pytest.approx(wanted)


@given(st.integers(1, 8), st.data())
def test_pass_at_k_is_the_share_of_subsets_with_a_success(tries, data):
    successes, k = data.draw(st.integers(0, tries)), data.draw(st.integers(1, tries))
    subsets = list(itertools.combinations([True] * successes + [False] * (tries - successes), k))
    assert pass_at_k(tries, successes, k) == pytest.approx(sum(map(any, subsets)) / len(subsets))


def test_pass_at_k_has_no_bias():
    """By enumeration: of 4 tries that succeed with 0.3 each, the estimates of pass@2 are 1 - 0.7 ** 2 on average."""
    chances = [math.comb(4, c) * 0.3**c * 0.7 ** (4 - c) for c in range(5)]
    assert sum(chance * pass_at_k(4, c, 2) for c, chance in enumerate(chances)) == pytest.approx(1 - 0.7**2)
    with pytest.raises(ConfigError, match="1 <= k <= tries"):
        pass_at_k(4, 2, 5)


def test_tries_of_a_task_count_as_one_task():
    """Two tasks, four tries each: 4 and 0 successes; and one with a void try, which is left out."""
    one, other = [episode(0, True)] * 4, [episode(1, False)] * 4
    found = Evaluation([*one, *other, episode(2, True), episode(2, False, Cause.INFRA)])
    assert found.successes == {each.task.key: share for each, share in ((one[0], 1.0), (other[0], 0.0))} | {
        episode(2, True).task.key: 1.0
    }
    assert (found.success.mean, found.success.count) == (pytest.approx(2 / 3), 3)
    alike = proportion([True, False, True])  # as if each had been tried once
    assert (found.success.low, found.success.high) == pytest.approx((alike.low, alike.high))
    assert found.pass_at(4).mean == 0.5 and found.pass_at(4).count == 2 and found.pass_at(5) is None


def test_the_interval_of_tries_lies_between_those_of_tasks_and_of_tries():
    """Four tasks, shares 1/4, 1/2, 1/2, 3/4 of four tries: variance 1/32, so 4 * 1/4 / (1/32) = 32 > 16 tries."""
    assert mean_of_shares([0.25, 0.5, 0.5, 0.75], 16).low == proportion([True, False] * 8).low
    # shares 0, 1/2, 1/2, 1: variance 1/8, 4 * 1/4 / (1/8) = 8 independent tries
    assert mean_of_shares([0.0, 0.5, 0.5, 1.0], 16).low == pytest.approx(proportion([True, False] * 4).low)
    assert mean_of_shares([1.0] * 5, 50).low == proportion([True] * 5).low
    assert mean_of_shares([1.0, 0.0, 0.0], 3).high == pytest.approx(proportion([True, False, False]).high)
