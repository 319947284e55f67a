from dataclasses import replace

import numpy as np
import pytest
import torch

from saccade.envs.errors import ConfigError
from saccade.rl.batch import Row
from saccade.rl.learner import LearnerConfig


def rows_of(trajectories, seed=0):
    rng = np.random.default_rng(seed)
    return [Row(s, rng.normal(size=int(s.action_mask.sum()))) for each in trajectories for s in each.samples]


def gradient(learner):
    return torch.cat([p.grad.flatten() for p in learner.parameters.values() if p.grad is not None])


def test_the_gradient_does_not_depend_on_micro_batches(learner, trajectories):
    found = []
    start = {name: p.detach().clone() for name, p in learner().parameters.items()}
    for budget in (10**9, 300, 1):
        with torch.no_grad():
            for name, parameter in learner().parameters.items():
                parameter.copy_(start[name])
        subject = learner(micro_batch_tokens=budget, kl_coef=0.1, entropy_coef=0.01, max_grad_norm=1e9)
        subject.step(rows_of(trajectories))
        found.append(gradient(subject).clone())
    scale = found[0].abs().max()
    assert (found[0] - found[1]).abs().max() / scale < 1e-5
    assert (found[0] - found[2]).abs().max() / scale < 1e-5


def test_a_step_moves_probability_to_better_tokens(learner, trajectories):
    rows = rows_of(trajectories)
    subject = learner(learning_rate=1e-3, warmup=1, kl_coef=0)
    before = torch.cat(subject.logprobs(rows))
    subject.step(rows)
    after = torch.cat(subject.logprobs(rows))
    advantages = torch.from_numpy(np.concatenate([row.advantages for row in rows]))
    assert ((after - before) * advantages).mean() > 0


def test_observation_tokens_have_no_gradient(learner, turns):
    """Only action tokens are scored: another world text after the last action changes nothing."""
    subject = learner(kl_coef=0, max_grad_norm=1e9)
    rows = rows_of(turns)
    subject.step(rows)
    before = gradient(subject).clone()

    def with_tail(row):
        sample, tail = row.sample, 3
        return replace(
            row,
            sample=replace(
                sample,
                ids=np.append(sample.ids, [5] * tail),
                turns=np.append(sample.turns, np.full(tail, -1, np.int32)).astype(np.int32),
                logprobs=np.append(sample.logprobs, np.zeros(tail, np.float32)).astype(np.float32),
                versions=np.append(sample.versions, np.full(tail, -1, np.int32)).astype(np.int32),
            ),
        )

    fresh = learner(kl_coef=0, max_grad_norm=1e9)
    # The same backbone was stepped once by now: compare two steps from one state instead.
    state = {name: p.detach().clone() for name, p in fresh.parameters.items()}
    fresh.step(rows)
    plain = gradient(fresh).clone()
    with torch.no_grad():
        for name, parameter in fresh.parameters.items():
            parameter.copy_(state[name])
    fresh.step([with_tail(row) for row in rows])
    assert torch.allclose(plain, gradient(fresh), atol=1e-6 * float(plain.abs().max()) + 1e-9)
    assert before.abs().max() > 0


def test_the_divergence_to_the_start_is_zero_at_the_start_and_grows(learner, trajectories):
    rows = rows_of(trajectories)
    subject = learner(kl_coef=0.1, learning_rate=1e-3, warmup=1)
    first = subject.step(rows)
    assert first["policy/kl"] == pytest.approx(0, abs=1e-9)
    assert first["mismatch/max"] < 1e-4
    second = subject.step(rows)
    assert second["policy/kl"] > 1e-6


def test_a_step_that_is_not_finite_is_skipped_and_counted(learner, trajectories):
    rows = rows_of(trajectories)
    rows[0].advantages[0] = np.nan
    subject = learner()
    before = {name: p.detach().clone() for name, p in subject.parameters.items()}
    metrics = subject.step(rows)
    assert metrics["learner/skipped_steps"] == 1
    assert all(torch.equal(before[name], p) for name, p in subject.parameters.items())


def test_imitation_lowers_its_loss(learner, turns):
    subject = learner(learning_rate=3e-3, warmup=1, kl_coef=0, max_grad_norm=1.0)
    rows = rows_of(turns)
    losses = [subject.imitate(rows)["sft/loss"] for _ in range(15)]
    assert losses[-1] < 0.7 * losses[0]


def test_the_learning_rate_warms_up_and_falls(learner):
    subject = learner(learning_rate=1.0, warmup=2, final_learning_rate=0.1)
    rates = [subject.learning_rate(step) for step in range(12)]
    assert rates[:2] == [0.5, 1.0]
    assert rates[2] == pytest.approx(1.0)
    assert rates[10] == pytest.approx(0.1)
    assert rates[1:] == sorted(rates[1:], reverse=True)


@pytest.mark.parametrize("bad", [{"learning_rate": 0}, {"kl_coef": -1}, {"loss": "none"}, {"aggregation": "sum"}])
def test_bad_settings_are_refused(bad):
    with pytest.raises(ConfigError):
        LearnerConfig(**bad)
