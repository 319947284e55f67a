from dataclasses import replace

import pytest

from saccade.agents.evaluation import Evaluation, evaluate, paired_difference, proportion
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
