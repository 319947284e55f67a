"""The critic on the tiny model: what it says, what it learns, and whole PPO updates in a world of several turns."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from made_up import say_little

from saccade.agents.engines.base import Completion, StopReason
from saccade.agents.engines.sampling import banned_mask
from saccade.agents.runner import Job, Runner, RunnerConfig
from saccade.envs.episode import Cause
from saccade.envs.errors import ConfigError
from saccade.envs.task import TaskSource
from saccade.rl.advantages import ADVANTAGES
from saccade.rl.appraisal import value_targets
from saccade.rl.batch import Row
from saccade.rl.config import TrainConfig
from saccade.rl.credit import assign, consult, rollouts_of
from saccade.rl.critic import CriticConfig, explained_variance
from saccade.rl.kl import KLConfig
from saccade.rl.learner import LearnerConfig
from saccade.rl.trainer import Trainer

SEPARATE = CriticConfig("separate", learning_rate=3e-3, clip=0.0)
SHARED = CriticConfig("shared", learning_rate=3e-2, clip=0.0)


def rows_of(trajectories):
    """Rows whose advantages are noise and whose targets are their turns."""
    rng = np.random.default_rng(0)
    rows = []
    for sample in (sample for each in trajectories for sample in each.samples):
        turns = sample.turns[sample.action_mask].astype(float)
        rows.append(Row(sample, rng.normal(size=len(turns)), values=np.zeros(len(turns)), targets=turns))
    return rows


def copies(parameters):
    return {name: weight.detach().clone() for name, weight in parameters.items()}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_explained_variance_by_hand():
    values, targets = np.array([0.0, 1.0, 5.0]), np.array([1.0, 3.0, np.nan])
    # residuals 1 and 2: variance .25, of the targets 1
    assert explained_variance(values, targets) == pytest.approx(0.75)
    assert explained_variance(values, np.full(3, 2.0)) == 0.0


@pytest.mark.parametrize("critic", [SEPARATE, SHARED], ids=["separate", "shared"])
def test_it_begins_at_zero_and_learns_while_the_policy_waits(learner, turns, critic):
    subject, rows = learner(critic=replace(critic, pretrain=12), kl_coef=0), rows_of(turns)
    values, behind = subject.values(rows)
    assert all((each == 0).all() for each in values) and np.isnan(behind).all()
    policy = copies(subject.parameters)
    metrics = [subject.step(rows) for _ in range(12)]
    losses = [line["critic/loss"] for line in metrics]
    assert losses[-1] < (0.5 if critic is SEPARATE else 0.95) * losses[0]
    assert equal(policy, subject.parameters) and subject.steps == 0 and "policy/loss" not in metrics[-1]
    told = np.concatenate(subject.values(rows)[0])
    # Only a head on the features of an untrained model, or a whole model: more than a constant explains.
    assert explained_variance(told, np.concatenate([row.targets for row in rows])) > 0.02
    assert "policy/loss" in subject.step(rows) and not equal(policy, subject.parameters)


def test_a_separate_critic_leaves_the_policy_alone(learner, turns):
    rows = rows_of(turns)
    start = copies(learner(kl_coef=0).parameters)
    found = []
    for critic in (CriticConfig(), SEPARATE):
        subject = learner(critic=critic, kl_coef=0)
        with torch.no_grad():
            for name, weight in subject.parameters.items():
                weight.copy_(start[name])
        subject.step(rows)
        found.append(copies(subject.parameters))
    assert equal(*found) and not equal(found[0], start)


def test_rows_without_values_are_refused(learner, turns):
    rows = [replace(row, values=None, targets=None) for row in rows_of(turns)]
    with pytest.raises(ConfigError, match="needs values and targets"):
        learner(critic=SHARED).step(rows)


@pytest.fixture
def cut_off(agent):
    """Episodes of a world that allows two turns, with their final observations, and the same without."""
    say_little(agent.chat)
    source = TaskSource("grid_walk:GridWalk-v0", {"max_turns": 2})
    found = []
    for show_final in (True, False):
        runner = Runner(agent, RunnerConfig(concurrency=6), show_final=show_final)
        found.append(runner.run([Job(source.task(seed), sample) for seed in range(4) for sample in range(3)]))
        runner.close()
    return found


def test_what_was_cut_off_shows_its_final_observation_for_its_value(cut_off, learner):
    shown, plain = cut_off
    causes = {each.episode.cause for each in shown}
    assert {Cause.HORIZON, Cause.LENGTH} <= causes
    for one, other in zip(shown, plain, strict=True):
        sample, bare = one.samples[0], other.samples[0]
        truncated = one.episode.cause is Cause.HORIZON
        assert (sample.tail > 0) == truncated and (len(sample.media) > len(bare.media)) == truncated
        assert sample.without_tail().ids.tolist() == bare.ids.tolist() and bare.tail == 0
        assert sample.without_tail().media_spans == bare.media_spans
    subject = learner(critic=SHARED)
    torch.nn.init.normal_(subject.critic.head.weight, generator=torch.Generator().manual_seed(0))
    rollouts, metrics = consult(shown, rollouts_of(shown, {"task": 1.0}, 1.0), subject)
    assert [not math.isnan(tail) for tail in rollouts.tails] == [e.episode.cause is Cause.HORIZON for e in shown]
    assert metrics == {"critic/unbootstrapped": 0.0}
    _, lost = consult(plain, rollouts_of(plain, {"task": 1.0}, 1.0), subject)
    assert lost == {"critic/unbootstrapped": sum(e.episode.cause is Cause.HORIZON for e in plain)}
    # What is trained on is free of it, and each value stands beside its token.
    rows = assign(shown, rollouts, lambda r: [np.ones(len(v)) for v in r.values], rollouts.values)[1]
    for row in rows:
        assert row.sample.tail == 0 and row.values == pytest.approx(subject.values([row])[0][0], abs=1e-4)


def test_an_episode_that_the_world_lost_changes_no_row(cut_off, learner):
    shown, _ = cut_off
    subject = learner(critic=SHARED)
    torch.nn.init.normal_(subject.critic.head.weight, generator=torch.Generator().manual_seed(0))
    lost = replace(shown[5], episode=replace(shown[5].episode, cause=Cause.INFRA))
    found = []
    for batch in ([*shown[:5], *shown[6:]], [*shown[:5], lost, *shown[6:]]):
        rollouts, _ = consult(batch, rollouts_of(batch, {"brevity": 1.0}, 1.0, lam=0.9), subject)
        targets = value_targets(rollouts, "gae")
        found.append(assign(batch, rollouts, ADVANTAGES["gae"], targets)[1])
    assert len(found[0]) == len(shown) - 1
    for one, other in zip(*found, strict=True):
        assert one.sample.ids.tolist() == other.sample.ids.tolist()
        assert one.advantages.tolist() == other.advantages.tolist()
        assert str(one.targets.tolist()) == str(other.targets.tolist())


def test_a_final_observation_that_does_not_fit_is_left_out(agent, walk):
    env = walk.task(0).make()
    env.reset(seed=0)
    session, view = agent.begin(env), env.get_wrapper_attr("view")
    prompt = session.observe(view)
    session.hear(Completion((agent.chat.stop,), (-1.0,), (0,), StopReason.STOP, prompt.ids))
    length, cost = len(session.ledger.ids), agent.chat.cost(session.ledger, view)
    agent.config = replace(agent.config, max_context=length + cost - 1)
    assert not session.show_final(view) and len(session.ledger.ids) == length
    agent.config = replace(agent.config, max_context=length + cost)
    assert session.show_final(view) and len(session.ledger.ids) == length + cost
    env.close()


def test_a_divergence_in_the_reward_is_subtracted_token_by_token(trajectories, learner):
    subject = learner(kl_coef=0.5, kl=KLConfig(place="reward", estimator="k1"))
    with torch.no_grad():
        for weight in subject.reference.weights.values():
            weight.mul_(1.5)
    bare = rollouts_of(trajectories, {"brevity": 1.0}, 1.0)
    rollouts, metrics = consult(trajectories, bare, subject)
    for index, trajectory in enumerate(trajectories):
        sample = trajectory.samples[0]
        row = Row(sample, np.zeros(int(sample.action_mask.sum())))
        theirs = subject.logprobs([row], subject.reference)[0].numpy()
        wanted = -0.5 * (sample.logprobs[sample.action_mask] - theirs)
        assert rollouts.penalties[index] == pytest.approx(wanted, abs=1e-4) and np.abs(wanted).max() > 1e-3
        assert rollouts.rewards[index].sum() == pytest.approx(bare.rewards[index].sum() + wanted.sum(), abs=1e-3)
        assert rollouts.token_rewards(index).sum() == pytest.approx(rollouts.rewards[index].sum())
    assert metrics["policy/kl"] > 0 and metrics["policy/kl_coef"] == 0.5
    assert "policy/kl" not in subject.step([Row(s, np.ones(int(s.action_mask.sum()))) for s in trajectories[0].samples])


@pytest.fixture
def trainer(tiny_path, tmp_path):
    """Builds a trainer of the untrained tiny model that draws from few tokens: its episodes have several turns."""

    def build(run="run", resume=False, **changes):
        settings = {
            "model": str(tiny_path),
            "envs": ("grid_walk:GridWalk-v0",),
            "run": str(tmp_path / run),
            "steps": 3,
            "tasks_per_step": 3,
            "group_size": 2,
            "eval_tasks": 2,
            "checkpoint_every": 1,
            "rewards": {"task": 1.0, "valid_action": 0.1, "brevity": 1.0},
            "runner": RunnerConfig(concurrency=6, check_thoughts=False),
        }
        built = Trainer(TrainConfig(**settings | changes), resume)
        chat = built.chat
        say_little(chat)
        built.learner.banned = banned_mask(chat.banned, chat.vocabulary)
        return built

    return build


@pytest.mark.parametrize(("name", "kind"), [("gae", "separate"), ("turn-gae", "shared"), ("bi-level-gae", "shared")])
def test_ppo_updates_in_a_world_of_several_turns(trainer, name, kind):
    learner = LearnerConfig(warmup=1, learning_rate=1e-3, passes=2, critic=CriticConfig(kind, pretrain=1))
    subject = trainer(advantage=name, learner=learner, gae_lambda=0.9, gamma=0.95, group_size=1, tasks_per_step=6)
    start = copies(subject.learner.parameters)
    lines = []
    for update in range(3):
        lines.append(subject.update(update))
        assert equal(start, subject.learner.parameters) == (update == 0)
        assert subject.engine.version == update
    subject.runner.close()
    subject.engine.close()
    assert "policy/loss" not in lines[0] and lines[0]["critic/value"] == 0.0
    assert all(line["critic/loss"] > 0 and line["rows"] == 6 and line["critic/unbootstrapped"] == 0 for line in lines)
    assert all(math.isfinite(value) for line in lines for value in line.values())
    assert all(line["policy/clip_fraction"] >= 0 and line["mismatch/max"] < 1e-4 for line in lines[1:])
    assert lines[2]["critic/value"] != 0.0 and max(line["turns"] for line in lines) > 1


def test_an_interrupted_run_with_a_critic_resumes_exactly(trainer, tmp_path):
    kl = KLConfig(control="adaptive", target=1e-3, horizon=50, reference="average", decay=0.9)
    settings = {
        "advantage": "gae",
        "steps": 4,
        "learner": LearnerConfig(warmup=1, learning_rate=1e-3, kl=kl, critic=CriticConfig("separate", pretrain=1)),
    }

    def interrupt(update, metrics):
        if update == 1:
            raise InterruptedError

    trainer("whole", **settings).run()
    with pytest.raises(InterruptedError):
        trainer("torn", **settings).run(interrupt)
    resumed = trainer("torn", resume=True, **settings)
    assert resumed.start == 2 and resumed.learner.critic.updates == 2 and resumed.learner.kl.adapted != 0.03
    resumed.run()
    one, other = (tmp_path / name / "checkpoints" / "step-00004" for name in ("whole", "torn"))
    files = {file.name for file in one.glob("*.safetensors")}
    assert files == {
        f"{name}.safetensors" for name in ("model", "optimizer", "critic", "critic_optimizer", "reference")
    }
    for name in files:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_bad_settings_are_refused(trainer):
    critic = LearnerConfig(critic=CriticConfig("shared"))
    waiting = LearnerConfig(critic=CriticConfig("shared", pretrain=3))
    for bad, message in (
        ({"advantage": "gae"}, "set learner.critic.kind to 'shared' or 'separate'"),
        ({"learner": critic}, "'dr-grpo' asks no critic"),
        ({"advantage": "gae", "learner": waiting}, "must be < steps"),
        ({"group_size": 1}, "group_size must be >= 2"),
        ({"gae_lambda": 1.5}, "gae_lambda must be between 0 and 1"),
    ):
        with pytest.raises(ConfigError, match=message):
            trainer(**bad)
    for bad, message in (({"kind": "share"}, "did you mean 'shared'"), ({"clip": -1}, "clip and pretrain must be")):
        with pytest.raises(ConfigError, match=message):
            CriticConfig(**bad)
