"""Whole runs under each context policy in a world of several turns: trained, stored, executed again, resumed."""

from dataclasses import replace

import pytest
from made_up import say_little

from saccade.agents.context import ContextConfig
from saccade.agents.engines.sampling import banned_mask
from saccade.agents.load import saved_agent_config
from saccade.agents.runner import RunnerConfig
from saccade.envs.replay import ReplayStore, verify
from saccade.rl.config import TrainConfig
from saccade.rl.learner import LearnerConfig
from saccade.rl.trainer import Trainer

CONTEXTS = {
    "last-pictures": ContextConfig("last-pictures", pictures=1),
    "memory": ContextConfig("memory"),
    "budget": ContextConfig("budget", tokens=150),
}


@pytest.fixture
def trainer(tiny_path, tmp_path):
    """Builds a trainer of the untrained tiny model that draws from few tokens: its episodes have several turns."""

    def build(run, context, resume=False):
        config = TrainConfig(
            model=str(tiny_path),
            envs=("grid_walk:GridWalk-v0",),
            run=str(tmp_path / run),
            steps=2,
            tasks_per_step=2,
            group_size=3,
            eval_tasks=2,
            checkpoint_every=1,
            rewards={"task": 1.0, "brevity": 1.0},
            agent=replace(saved_agent_config(tiny_path), context=context, max_reply_tokens=24),
            runner=RunnerConfig(concurrency=4, check_thoughts=False),
            learner=LearnerConfig(warmup=1, learning_rate=1e-3),
        )
        built = Trainer(config, resume)
        chat = built.chat
        say_little(chat)
        built.learner.banned = banned_mask(chat.banned, chat.vocabulary)
        return built

    return build


def stored(folder):
    with ReplayStore.open(folder / "replay") as store:
        return [
            (record.phase, [step["reply"] for step in record.steps], list(record.turns)) for record in store.records()
        ]


@pytest.mark.parametrize("name", CONTEXTS)
def test_a_run_learns_is_stored_and_resumes_exactly(trainer, tmp_path, name):
    context, lines = CONTEXTS[name], []
    trainer("whole", context).run(lambda update, metrics: lines.append(metrics))
    taught = [line for line in lines if line["rows"] > 0]
    assert taught and all(line["mismatch/max"] < 1e-4 and line["learner/gradient_norm"] > 0 for line in taught)
    assert max(line["samples"] for line in lines) > 1
    assert saved_agent_config(tmp_path / "whole" / "model").context == context
    turns = [turn for phase, _, turns in stored(tmp_path / "whole") if phase == "train" for turn in turns]
    assert all(len(turn["tokens"]) == len(turn["advantages"]) == len(turn["logprobs"]) for turn in turns)
    assert any(turn.get("sample", 0) > 0 for turn in turns)
    report = verify(ReplayStore.open(tmp_path / "whole" / "replay"))
    assert report.ok and report.episodes == 2 * 6 + 2 * 2, str(report)

    def interrupt(update, metrics):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        trainer("torn", context).run(interrupt)
    resumed = trainer("torn", context, resume=True)
    assert resumed.start == 1
    resumed.run()
    weights = [tmp_path / run / "model" / "model.safetensors" for run in ("whole", "torn")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert stored(tmp_path / "whole") == stored(tmp_path / "torn")
