"""Episodes of several samples: credit runs over turns, and what is learned does not depend on how an episode is cut."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_up import say_little

from saccade.agents.agent import Agent
from saccade.agents.context import ContextConfig
from saccade.agents.engines.sampling import banned_mask
from saccade.agents.runner import Job, Runner, RunnerConfig
from saccade.agents.trajectory import merge
from saccade.envs.episode import Cause
from saccade.envs.task import TaskSource
from saccade.rl.advantages import ADVANTAGES
from saccade.rl.appraisal import RECURSIONS, appraise, value_targets
from saccade.rl.batch import Row, by_episode, collate, score
from saccade.rl.credit import assign, consult, rollouts_of
from saccade.rl.critic import CriticConfig
from saccade.rl.kl import KLConfig
from saccade.rl.mismatch import CorrectionConfig
from saccade.rl.notes import rollout_metrics, token_notes
from saccade.rl.probes import mismatch

CONTEXTS = {
    "last-pictures": ContextConfig("last-pictures", pictures=1),
    "memory": ContextConfig("memory"),
    "budget": ContextConfig("budget", tokens=250),
}
EXACT = {"kl_coef": 0.0, "max_grad_norm": 1e9, "warmup": 1}


def walked(agent, context, max_turns=4, show_final=False):
    """Sampled episodes of several turns under a context policy: 3 tasks, 2 samples each."""
    say_little(agent.chat)
    actor = Agent(agent.engine, agent.chat, replace(agent.config, context=context, max_reply_tokens=24))
    runner = Runner(actor, RunnerConfig(concurrency=6, check_thoughts=False), show_final=show_final)
    source = TaskSource("grid_walk:GridWalk-v0", {"max_turns": max_turns})
    done = runner.run([Job(source.task(seed), sample) for seed in range(3) for sample in range(2)])
    runner.close()
    return done


def apart(sample):
    """A sample for each turn of a sample: the same tokens before it, nothing behind it."""
    found = []
    for turn in sorted(set(sample.turns[sample.action_mask].tolist())):
        stop = int(np.flatnonzero(sample.turns == turn)[-1]) + 1
        own = sample.turns[:stop] == turn
        media = [(m, span) for m, span in zip(sample.media, sample.media_spans, strict=True) if span[1] <= stop]
        found.append(
            replace(
                sample,
                ids=sample.ids[:stop],
                turns=np.where(own, turn, -1).astype(np.int32),
                logprobs=np.where(own, sample.logprobs[:stop], 0).astype(np.float32),
                versions=np.where(own, sample.versions[:stop], -1).astype(np.int32),
                media=tuple(medium for medium, _ in media),
                media_spans=tuple(span for _, span in media),
            )
        )
    return found


def gradient(learner):
    return torch.cat([p.grad.flatten() for p in learner.parameters.values() if p.grad is not None]).clone()


def numbers(trajectories, seed=0):
    """Rollouts whose rewards are noise, of turn and episode."""
    rng = np.random.default_rng(seed)
    rollouts = rollouts_of(trajectories, {"task": 1.0}, 0.9, 1.0, 0.5)
    return replace(rollouts, rewards=[rng.normal(size=len(rewards)) for rewards in rollouts.rewards])


def by_hand(learner, trajectories, advantages, weight_of):
    """Gradient of -sum w A log pi, where every turn is scored alone behind the prompt that it was sampled from."""
    net, chat = learner.backbone, learner.chat
    banned = banned_mask(chat.banned, net.vocabulary)
    for parameter in learner.parameters.values():
        parameter.grad = None
    for index, trajectory in enumerate(trajectories):
        offsets = np.cumsum([0, *trajectory.tokens_per_turn()])
        for sample in trajectory.samples:
            for alone in apart(sample):
                turn = int(alone.turns.max())
                own = advantages[index][offsets[turn] : offsets[turn + 1]]
                logprobs, _ = score(net, collate([Row(alone, own)], net, chat.media), banned, 1.0)
                (-logprobs * torch.from_numpy(own).float() * weight_of[index]).sum().backward()
    return gradient(learner)


@pytest.mark.parametrize("name", CONTEXTS)
def test_grpo_over_samples_by_hand(agent, learner, name):
    done = walked(agent, CONTEXTS[name])
    assert max(len(each.samples) for each in done) > 1
    returns = [1.0, 0.0, 3.0, -1.0, 0.5, 0.5]
    rollouts = rollouts_of(done, {"task": 1.0}, 1.0)
    pairs = zip(rollouts.rewards, returns, strict=True)
    rewards = [np.where(np.arange(len(turns)) == len(turns) - 1, value, 0.0) for turns, value in pairs]
    _, rows, metrics = assign(done, replace(rollouts, rewards=rewards), ADVANTAGES["dr-grpo"])
    # Two episodes a task, whatever their samples: 1 and 0 are half above and below their mean, 3 and -1 two, .5 none.
    wanted = [0.5, -0.5, 2.0, -2.0, 0.0, 0.0]
    assert metrics["groups"] == 3 and metrics["groups/zero_variance"] == 1
    assert len(by_episode(rows)) == 4 < len(rows)
    lengths = [int(each.tokens_per_turn().sum()) for each in done]
    subject = learner(loss="reinforce", aggregation="sequence-mean", **EXACT)
    expected = by_hand(
        subject,
        done,
        [np.full(length, value) for length, value in zip(lengths, wanted, strict=True)],
        [1 / (4 * length) for length in lengths],
    )
    subject.step(rows)
    assert (gradient(subject) - expected).abs().max() / expected.abs().max() < 1e-4


@pytest.mark.parametrize("name", CONTEXTS)
def test_gae_over_samples_by_hand(agent, learner, name):
    done = walked(agent, CONTEXTS[name])
    rng = np.random.default_rng(0)
    rollouts = rollouts_of(done, {"task": 1.0}, 0.9, 1.0, 0.5)
    rewards = [rng.normal(size=len(turns)) for turns in rollouts.rewards]
    values = [rng.normal(size=int(tokens.sum())) for tokens in rollouts.tokens]
    rollouts = replace(
        rollouts,
        rewards=rewards,
        values=values,
        tails=np.full(len(done), 0.25),
        bootstrapped=np.array([each.episode.cause is Cause.HORIZON for each in done]),
    )
    wanted = []
    for index, each in enumerate(done):
        # The recursion over the episode, straight through the ends of its samples.
        ends = set(np.cumsum(each.tokens_per_turn()) - 1)
        following, running = 0.25 if rollouts.bootstrapped[index] else 0.0, 0.0
        own, turn = np.zeros(len(values[index])), len(rewards[index])
        for place in reversed(range(len(own))):
            turn -= place in ends
            reward, discount = (rewards[index][turn], 0.9) if place in ends else (0.0, 1.0)
            running = reward + discount * following - values[index][place] + discount * 0.5 * running
            own[place], following = running, values[index][place]
        wanted.append(own)

    def plain(rollouts):
        return appraise(rollouts, RECURSIONS["gae"]).advantages

    advantages, rows, _ = assign(done, rollouts, plain)
    for mine, theirs in zip(advantages, wanted, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-12)
    total = sum(map(len, wanted))
    subject = learner(loss="reinforce", **EXACT)
    expected = by_hand(subject, done, wanted, [1 / total] * len(done))
    subject.step(rows)
    assert (gradient(subject) - expected).abs().max() / expected.abs().max() < 1e-4


@pytest.mark.parametrize("name", CONTEXTS)
def test_the_learner_reads_what_the_sampler_read(agent, learner, name):
    done = walked(agent, CONTEXTS[name])
    rows = [Row(s, np.zeros(int(s.action_mask.sum()))) for each in done for s in each.samples]
    assert mismatch(learner(kl_coef=0), rows) < 1e-4
    for each in done:
        notes = token_notes(each, agent.chat)
        assert [len(note["tokens"]) for note in notes] == each.tokens_per_turn().tolist()
        if len(each.samples) > 1:
            assert [note["prompt_tokens"] for note in notes] == each.prompt_tokens().tolist()
            assert {note["sample"] for note in notes} == set(range(len(each.samples)))
    metrics = rollout_metrics(done)
    assert metrics["samples"] == np.mean([len(each.samples) for each in done]) > 1
    assert metrics["prompt_tokens"] == np.mean(np.concatenate([each.prompt_tokens() for each in done]))


@pytest.mark.parametrize("name", CONTEXTS)
def test_the_value_of_what_was_cut_off_is_seen_as_the_policy_shows_it(agent, learner, name):
    shown, plain = (walked(agent, CONTEXTS[name], max_turns=3, show_final=final) for final in (True, False))
    subject = learner(critic=CriticConfig("shared"), kl_coef=0.1, kl=KLConfig(place="reward", estimator="k1"))
    torch.nn.init.normal_(subject.critic.head.weight, generator=torch.Generator().manual_seed(0))
    rollouts, metrics = consult(shown, rollouts_of(shown, {"task": 1.0}, 1.0), subject)
    horizon = [each.episode.cause is Cause.HORIZON for each in shown]
    assert any(horizon) and [not np.isnan(tail) for tail in rollouts.tails] == horizon
    assert metrics["critic/unbootstrapped"] == 0 and all(not np.isnan(v).any() for v in rollouts.values)
    targets = value_targets(rollouts, "gae")
    rows = assign(shown, rollouts, ADVANTAGES["gae"], targets)[1]
    bare = [sample for each in plain for sample in each.samples]
    assert [row.sample.ids.tolist() for row in rows] == [sample.ids.tolist() for sample in bare]
    for row in rows:
        assert row.sample.tail == 0 and row.values == pytest.approx(subject.values([row])[0][0], abs=1e-4)
    assert np.isfinite(list(subject.step(rows).values())).all()


def test_cut_and_merged_again_is_the_same_sample(trajectories):
    for trajectory in trajectories:
        (sample,) = trajectory.samples
        (again,) = merge(apart(sample))
        for name in ("ids", "turns", "logprobs", "versions"):
            np.testing.assert_array_equal(getattr(sample, name), getattr(again, name))
        assert sample.media == again.media and sample.media_spans == again.media_spans


SETTINGS = {
    "token-mean": {},
    "sequence-mean": {"aggregation": "sequence-mean"},
    "constant": {"aggregation": "constant", "constant_length": 40},
    "corrected": {"correction": CorrectionConfig("truncate", "sequence")},
    "critic": {"critic": CriticConfig("shared"), "advantage": "gae"},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_gradient_does_not_depend_on_the_cut(learner, trajectories, name):
    settings = dict(SETTINGS[name])
    advantage = settings.pop("advantage", "turn-grpo")
    cut = [replace(each, samples=[s for sample in each.samples for s in apart(sample)]) for each in trajectories]
    assert max(len(each.samples) for each in cut) > 2
    start = {name: p.detach().clone() for name, p in learner(kl_coef=0).parameters.items()}
    found = []
    for batch in (trajectories, cut):
        subject = learner(**EXACT, **settings)
        with torch.no_grad():
            for key, weight in subject.parameters.items():
                weight.copy_(start[key])
        if subject.critic is not None:
            torch.nn.init.normal_(subject.critic.head.weight, generator=torch.Generator().manual_seed(0))
        rollouts, _ = consult(batch, numbers(batch), subject)
        targets = value_targets(rollouts, advantage) if subject.critic else None
        advantages, rows, _ = assign(batch, rollouts, ADVANTAGES[advantage], targets)
        if name == "corrected":  # a sampler that is not the learner
            rows = [replace(r, sample=replace(r.sample, logprobs=r.sample.logprobs * 1.05)) for r in rows]
        subject.step(rows)
        found.append((gradient(subject), advantages, rows))
    (one, given, rows), (other, again, pieces) = found
    assert len(by_episode(pieces)) == len(rows) < len(pieces)
    for mine, theirs in zip(given, again, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)
    assert (one - other).abs().max() / one.abs().max() < 1e-4
