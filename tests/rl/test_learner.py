import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from made_up import rows_of

from saccade.envs.errors import ConfigError
from saccade.rl.batch import collate, cut, score
from saccade.rl.critic import CriticConfig
from saccade.rl.kl import KLConfig
from saccade.rl.learner import LearnerConfig
from saccade.rl.looks import Looks
from saccade.rl.mismatch import CorrectionConfig


def gradient(learner):
    return torch.cat([p.grad.flatten() for p in learner.parameters.values() if p.grad is not None])


SETTINGS = {
    "default": {},
    "gspo": {"loss": "gspo", "aggregation": "sequence-mean", "correction": CorrectionConfig("truncate", "sequence")},
    "cispo": {
        "loss": "cispo",
        "aggregation": "constant",
        "constant_length": 40,
        "correction": CorrectionConfig("mask", low=0.8, high=1.2),
    },
    "critic": {"critic": CriticConfig("shared")},
    "packed": {"packing": True, "logits_bytes": 1 << 14},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_gradient_does_not_depend_on_micro_batches(learner, trajectories, name):
    found = []
    first = learner()
    start = {name: p.detach().clone() for name, p in first.parameters.items()}
    rng = np.random.default_rng(1)
    rows = []
    for row in rows_of(trajectories):
        sample, noise = row.sample, rng.normal(size=len(row.sample.ids)).astype(np.float32) * 0.3
        values, targets = rng.normal(size=(2, row.tokens))
        targets[::3] = np.nan
        # A sampler that is not the learner, so that corrections and clips have something to do.
        sample = replace(sample, logprobs=np.where(sample.action_mask, sample.logprobs + noise, 0).astype(np.float32))
        rows.append(replace(row, sample=sample, values=values, targets=targets))
    for budget in (10**9, 1):
        with torch.no_grad():
            for key, parameter in first.parameters.items():
                parameter.copy_(start[key])
        subject = learner(
            micro_batch_tokens=budget, kl_coef=0.1, entropy_coef=0.01, max_grad_norm=1e9, **SETTINGS[name]
        )
        if subject.critic is not None:
            torch.nn.init.normal_(subject.critic.head.weight, generator=torch.Generator().manual_seed(0))
        metrics = subject.step(rows)
        gradients = [gradient(subject)]
        if subject.critic is not None:
            gradients.append(subject.critic.head.weight.grad.flatten())
        found.append(torch.cat(gradients).clone())
    assert (found[0] - found[1]).abs().max() / found[0].abs().max() < 2e-6
    assert ("mismatch/masked" in metrics) == (name in ("gspo", "cispo"))
    if name == "cispo":
        assert 0.1 < metrics["mismatch/masked"] < 0.9


def test_the_default_update_is_the_plain_one(agent, learner, trajectories):
    """Bit for bit: importance, clip, divergence, mean, clipping of the gradient and AdamW, written down here."""
    backbone, chat = agent.engine.backbone, agent.chat
    twin = type(backbone)(copy.deepcopy(backbone.model))
    frozen = type(backbone)(copy.deepcopy(backbone.model))
    subject, rows = learner(), rows_of(trajectories)
    weight = 1 / sum(row.tokens for row in rows)
    adam = torch.optim.AdamW(twin.model.parameters(), betas=(0.9, 0.99), weight_decay=0.0, fused=True)
    for step in range(2):
        subject.step(rows)
        adam.zero_grad()
        looks = Looks(twin, [chat.media.process(medium) for row in rows for medium in row.sample.media])
        encoded = frozen.encode([chat.media.process(medium) for row in rows for medium in row.sample.media])
        for part in cut(rows, 16384):
            batch = collate(part, twin, chat.media)
            logprobs, _ = score(twin, batch, subject.banned, 1.0, looks.encoded)
            with torch.no_grad():
                reference, _ = score(frozen, batch, subject.banned, 1.0, encoded)
            ratio = (logprobs - batch.old).exp()
            surrogate = torch.minimum(ratio * batch.advantages, ratio.clamp(0.8, 1.28) * batch.advantages)
            gap = reference - logprobs
            loss = -surrogate + 0.03 * (gap.exp() - gap - 1)
            (loss * torch.full_like(loss, weight)).sum().backward()
        looks.backward()
        torch.nn.utils.clip_grad_norm_(twin.model.parameters(), 0.5)
        adam.param_groups[0]["lr"] = 2e-4 * (step + 1) / 10
        adam.step()
    for (name, ours), theirs in zip(subject.parameters.items(), twin.model.parameters(), strict=True):
        assert torch.equal(ours, theirs), name


def test_a_batch_of_which_nothing_is_left_changes_nothing(learner, trajectories):
    rows = rows_of(trajectories)
    far = [replace(row, sample=replace(row.sample, logprobs=row.sample.logprobs - 5)) for row in rows]
    subject = learner(correction=CorrectionConfig("mask"))
    before = {name: p.detach().clone() for name, p in subject.parameters.items()}
    assert subject.step(far) == {"mismatch/masked": 1.0}
    assert all(torch.equal(before[name], p) for name, p in subject.parameters.items()) and subject.steps == 0


def test_a_token_that_was_all_but_impossible_leaves_the_metrics_finite(learner, trajectories):
    """Its ratio counts as exp(20), as in every loss: exp(2 x 45) is beyond float32, and 0 times that is no number."""
    rows = rows_of(trajectories)
    count = sum(row.tokens for row in rows)
    odd = rows[0].sample.logprobs.copy()
    odd[rows[0].prefix] -= 100
    rows[0] = replace(rows[0], sample=replace(rows[0].sample, logprobs=odd))
    kept = learner(learning_rate=1e-12).step(rows)["mismatch/ess_inverse"]
    assert kept == pytest.approx(np.exp(40) / count, rel=1e-3)
    masked = learner(learning_rate=1e-12, correction=CorrectionConfig("mask")).step(rows)
    assert masked["mismatch/ess_inverse"] == pytest.approx(1, rel=1e-3)
    assert masked["mismatch/masked"] == pytest.approx(1 / count)


def test_the_divergence_is_weighed_as_its_control_says(learner, trajectories):
    rows = rows_of(trajectories)
    kl = KLConfig(control="adaptive", target=1e9, horizon=10 * len(rows), reference="average", decay=0.5)
    subject = learner(kl_coef=0.1, kl=kl, learning_rate=1e-2, warmup=1)
    start = next(iter(subject.parameters.values())).detach().clone()
    subject.step(rows)
    assert subject.kl.coefficient(subject.done) == pytest.approx(0.1 * (1 - 0.2 / 10))
    moved, average = next(iter(subject.parameters.values())), next(iter(subject.reference.weights.values()))
    assert torch.allclose(average, (start + moved) / 2) and not torch.equal(start, moved)
    linear = learner(kl_coef=0.0, kl=KLConfig(control="linear", final=0.2))
    assert linear.reference is not None and linear.kl.coefficient(0.5) == pytest.approx(0.1)


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
    start = {name: p.detach().clone() for name, p in subject.parameters.items()}

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

    subject.step(rows)
    plain = gradient(subject).clone()
    with torch.no_grad():
        for name, parameter in subject.parameters.items():
            parameter.copy_(start[name])
    subject.step([with_tail(row) for row in rows])
    assert plain.abs().max() > 0
    assert torch.allclose(plain, gradient(subject), atol=1e-6 * float(plain.abs().max()) + 1e-9)


def test_the_divergence_to_the_start_is_zero_at_the_start_and_grows(learner, trajectories):
    rows = rows_of(trajectories)
    subject = learner(kl_coef=0.1, learning_rate=1e-3, warmup=1)
    first = subject.step(rows)
    assert first["policy/kl"] == pytest.approx(0, abs=1e-9)
    assert first["mismatch/max"] < 1e-4
    second = subject.step(rows)
    assert second["policy/kl"] > 1e-6


def test_metrics_are_means_over_tokens_where_weights_do_not_sum_to_one(learner, trajectories):
    """`constant` divides by the most that an episode can have; KL control compares a divergence a token."""
    rows = rows_of(trajectories)
    plain = learner(learning_rate=1e-12).step(rows)
    kl = KLConfig(control="adaptive", target=0.05, reference="average")
    subject = learner(learning_rate=1e-12, aggregation="constant", constant_length=1000, kl=kl)
    for weight in subject.reference.weights.values():
        weight.add_(0.02 * torch.sin(torch.arange(weight.numel(), dtype=weight.dtype).view(weight.shape)))
    gap = torch.cat(subject.logprobs(rows, subject.reference)) - torch.cat(subject.logprobs(rows))
    found = subject.step(rows)
    assert found["policy/entropy"] == pytest.approx(plain["policy/entropy"], rel=1e-4)
    assert found["mismatch/ess_inverse"] == pytest.approx(1, rel=1e-3)
    assert found["policy/kl"] == pytest.approx(float((gap.exp() - gap - 1).mean()), rel=1e-3)
    share = sum(row.tokens for row in rows) / (1000 * len(rows))
    assert found["policy/loss"] == pytest.approx(share * plain["policy/loss"], rel=1e-3, abs=1e-9)


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


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"learning_rate": 0}, "learning_rate must be > 0, got 0"),
        ({"max_grad_norm": 0}, "max_grad_norm must be > 0, got 0"),
        ({"passes": 0}, "passes must be >= 1, got 0"),
        ({"kl_coef": -1}, "must be >= 0, got -1 and 0.0"),
        ({"loss": "none"}, "unknown loss"),
        ({"aggregation": "sum"}, "unknown aggregation"),
    ],
)
def test_bad_settings_are_refused(bad, message):
    with pytest.raises(ConfigError, match=message):
        LearnerConfig(**bad)
