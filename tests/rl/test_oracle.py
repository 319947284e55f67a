"""Estimators beside the exact gradient of a policy whose every sequence is enumerated (benchmarks/oracle.py)."""

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from saccade.rl.advantages import ADVANTAGES
from saccade.rl.losses import Clip
from saccade.rl.mismatch import CorrectionConfig

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(BENCHMARKS))
    yield importlib.import_module("oracle")
    sys.path.remove(str(BENCHMARKS))
    for name in ("oracle", "page"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def oracle(script):
    return script.Oracle(0)


def same(found, true, scale=1.0):
    return torch.allclose(found, scale * true, rtol=1e-9, atol=1e-12)


def test_the_oracle_knows_every_sequence(oracle):
    assert len(oracle.sequences) == 1 + 2 + 4 * 3
    assert oracle.probabilities(oracle.theta).sum() == pytest.approx(1)
    assert float(oracle.values()[0]) == pytest.approx(float(oracle.probabilities(oracle.theta) @ oracle.rewards.sum(1)))


def test_its_gradient_agrees_with_finite_differences(oracle):
    def objective(theta):
        divergence = (oracle.logprobs(theta) - oracle.logprobs(oracle.other)).sum(1)
        return float(oracle.probabilities(theta) @ (oracle.rewards.sum(1) - 0.5 * divergence))

    found = oracle.true_gradient(beta=0.5).view_as(oracle.theta)
    for place in ((0, 1), (2, 0), (3, 2)):
        step = torch.zeros_like(oracle.theta)
        step[place] = 1e-5
        slope = (objective(oracle.theta + step) - objective(oracle.theta - step)) / 2e-5
        assert float(found[place]) == pytest.approx(slope, rel=1e-6, abs=1e-9)


def test_leave_one_out_is_unbiased_and_the_group_mean_shrinks(oracle):
    true = oracle.true_gradient()
    assert same(oracle.mean_estimate(ADVANTAGES["rloo"]), true)
    assert same(oracle.mean_estimate(ADVANTAGES["dr-grpo"]), true, 2 / 3)


@pytest.mark.parametrize("name", ["grpo", "turn-grpo", "process-grpo", "reinforce++", "reinforce++-baseline"])
def test_normalisation_turns_the_gradient(script, oracle, name):
    _, angle = script.compare(oracle.mean_estimate(ADVANTAGES[name]), oracle.true_gradient())
    assert 0.1 < angle < 60


@pytest.mark.parametrize("aggregation", ["token-mean", "sequence-mean"])
def test_dividing_by_lengths_turns_it_too(script, oracle, aggregation):
    _, angle = script.compare(oracle.mean_estimate(ADVANTAGES["rloo"], aggregation), oracle.true_gradient())
    assert 0.1 < angle < 60


@pytest.mark.parametrize("recursion", ["gae", "turn-gae", "bi-level-gae"])
def test_generalised_advantages(script, oracle, recursion):
    true = oracle.true_gradient()
    assert same(oracle.mean_with_critic(recursion, oracle.values(), 0.3), true)  # exact values: any lambda
    assert same(oracle.mean_with_critic(recursion, oracle.guess, 1.0), true)  # any values: lambda 1
    assert script.compare(oracle.mean_with_critic(recursion, oracle.guess, 0.5), true)[1] > 1


def test_a_sampled_mean_is_within_four_standard_errors(oracle):
    """The same by Monte Carlo; leave-one-out is, and the group's mean of half the size is not."""
    rows = torch.multinomial(
        oracle.probabilities(oracle.theta), 3 * 3000, True, generator=torch.Generator().manual_seed(0)
    ).view(3000, 3)
    scores = torch.stack(
        [
            oracle.gradient(lambda free, row=row: oracle.logprobs(free)[row].sum())
            for row in range(len(oracle.sequences))
        ]
    )
    returns = oracle.rewards.sum(1)[rows]
    true = oracle.true_gradient()
    for name, unbiased in (("rloo", True), ("dr-grpo", False)):
        advantages = np.array(
            [[found[0] for found in ADVANTAGES[name](oracle.rollouts(group))] for group in rows.tolist()]
        )
        assert np.allclose(advantages.mean(1), 0) and advantages.shape == returns.shape
        estimates = (torch.from_numpy(advantages).unsqueeze(-1) * scores[rows]).mean(1)
        error = estimates.std(0) / len(rows) ** 0.5
        assert bool(((estimates.mean(0) - true).abs() <= 4 * error + 1e-12).all()) == unbiased


def test_importance_of_whole_sequences_is_exact_until_it_is_bounded(script, oracle):
    true = oracle.true_gradient(oracle.other)
    free = CorrectionConfig("truncate", "sequence", high=1e9)
    assert same(oracle.mean_loss("reinforce", Clip(), free), true)
    bare = script.compare(oracle.mean_loss("reinforce", Clip()), true)[1]
    bounded = oracle.mean_loss("reinforce", Clip(), replace(free, high=1.2))
    assert not same(bounded, true) and script.compare(bounded, true)[1] < bare
    assert not same(oracle.mean_loss("reinforce", Clip(), replace(free, level="token")), true)


def test_on_policy_every_loss_has_the_policy_gradient(script):
    oracle = script.Oracle(1)
    oracle.other = oracle.theta
    for name in ("reinforce", "clipped", "cispo"):
        assert same(oracle.mean_loss(name, Clip()), oracle.true_gradient())


def test_which_divergence_has_the_gradient_of_the_divergence(script, oracle):
    true = oracle.true_divergence()
    assert same(oracle.mean_divergence("k1", "reward"), true)
    assert torch.allclose(oracle.mean_divergence("k1", "loss"), torch.zeros_like(true), atol=1e-12)
    for estimator in ("k2", "k3"):
        assert 1 < script.compare(oracle.mean_divergence(estimator, "loss"), true)[1] < 60
    bandit = script.Oracle(0, length=1)  # with one step there is no later divergence to miss: k2 is exact
    assert same(bandit.mean_divergence("k2", "loss"), bandit.true_divergence())
    assert not same(bandit.mean_divergence("k3", "loss"), bandit.true_divergence())
