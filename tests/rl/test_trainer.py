import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest
from safetensors.torch import load_file

from saccade.agents.agent import AgentConfig
from saccade.agents.runner import RunnerConfig
from saccade.envs.errors import ConfigError
from saccade.envs.replay import ReplayStore, verify
from saccade.rl.config import TrainConfig
from saccade.rl.learner import LearnerConfig
from saccade.rl.trainer import Trainer


@pytest.fixture
def config(taught_path, tmp_path):
    """Builds a short run on the multi-turn environment of the examples."""

    def build(run="run", **changes):
        settings = {
            "model": str(taught_path),
            "envs": ("grid_walk:GridWalk-v0",),
            "run": str(tmp_path / run),
            "steps": 4,
            "tasks_per_step": 3,
            "group_size": 3,
            "eval_tasks": 4,
            "checkpoint_every": 1,
            "rewards": {"task": 1.0, "valid_action": 0.1},
            "runner": RunnerConfig(concurrency=4),
            "learner": LearnerConfig(warmup=1, learning_rate=1e-2),
        }
        return TrainConfig(**settings | changes)

    return build


def weights(folder):
    return load_file(folder / "model" / "model.safetensors")


def same(one, other):
    return one.keys() == other.keys() and all((one[name] == other[name]).all() for name in one)


def episodes(folder):
    lines = (folder / "replay" / "episodes.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    for record in found:
        for step in record["steps"]:
            step.pop("seconds")
    return found


def numbers(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if "time" not in k and "second" not in k} for line in lines]


def test_two_runs_with_one_seed_are_one_run(config, tmp_path):
    for name in "ab":
        Trainer(config(name)).run()
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert numbers(tmp_path / "a") == numbers(tmp_path / "b")
    assert sum(line["rows"] > 0 and line["learner/gradient_norm"] > 0 for line in numbers(tmp_path / "a")) >= 2
    assert episodes(tmp_path / "a") == episodes(tmp_path / "b")
    Trainer(config("c", seed=1)).run()
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "c"))


def imports(config):
    """What the representation of a configuration needs."""
    found = {f"from {type(config).__module__} import {type(config).__name__}"}
    values = [getattr(config, field.name) for field in dataclasses.fields(config)]
    return found.union(*(imports(value) for value in values if dataclasses.is_dataclass(value)))


def test_a_killed_run_resumes_to_the_same_weights(config, tmp_path):
    Trainer(config("whole")).run()
    script = textwrap.dedent("""
        import os, signal, torch
        torch.set_num_threads(1)
        from tests_config import config
        from saccade.rl.trainer import Trainer

        def die(update, metrics):
            if update == 2:
                os.kill(os.getpid(), signal.SIGKILL)

        Trainer(config).run(die)
    """)
    killed = config("killed")
    (tmp_path / "tests_config.py").write_text("\n".join(sorted(imports(killed))) + f"\nconfig = {killed!r}\n")
    (tmp_path / "killed_run.py").write_text(script)
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run([sys.executable, tmp_path / "killed_run.py"], env=os.environ | {"PYTHONPATH": path})
    assert done.returncode == -signal.SIGKILL
    # Two whole updates and a third whose checkpoint is there; as if it had also been torn in the middle of a line:
    with (tmp_path / "killed" / "metrics.jsonl").open("a") as file:
        file.write('{"update": 3, "ret')
    with (tmp_path / "killed" / "replay" / "episodes.jsonl").open("a") as file:
        file.write('{"schema_version": 1, "id": "torn')
    trainer = Trainer(killed, resume=True)
    assert trainer.start == 3
    result = trainer.run()
    assert result.before and result.after
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "killed"))
    assert numbers(tmp_path / "whole") == numbers(tmp_path / "killed")
    one, other = episodes(tmp_path / "whole"), episodes(tmp_path / "killed")
    assert one == other


def test_every_stored_episode_can_be_executed_again(config, tmp_path):
    Trainer(config(steps=2)).run()
    report = verify(ReplayStore.open(tmp_path / "run" / "replay"))
    assert report.ok and report.episodes == 2 * 9 + 2 * 4, str(report)


def test_the_trained_model_is_a_plain_folder_that_loads_again(config, tmp_path):
    from saccade.agents.load import load_model, saved_agent_config

    settings = config(steps=1)
    Trainer(settings).run()
    backbone, chat = load_model(tmp_path / "run" / "model")
    assert backbone.vocabulary == chat.vocabulary
    assert saved_agent_config(tmp_path / "run" / "model") == saved_agent_config(settings.model)


def test_a_run_folder_is_not_overwritten(config):
    Trainer(config(steps=1)).run()
    with pytest.raises(ConfigError, match="holds a run already"):
        Trainer(config(steps=1))


def test_another_runs_settings_are_refused(config):
    Trainer(config(steps=1)).run()
    with pytest.raises(ConfigError, match="started with seed=0, now it is 5"):
        Trainer(config(steps=1, seed=5), resume=True)


def test_an_unknown_environment_leaves_no_folder(config, tmp_path):
    with pytest.raises(ConfigError, match="did you mean"):
        Trainer(config(envs=("saccade/Shape-v0",)))
    with pytest.raises(ConfigError, match="no setting 'sise'"):
        Trainer(config(envs=("grid_walk:GridWalk-v0?sise=3",)))
    assert not (tmp_path / "run").exists()


def test_an_unknown_model_says_what_to_do(config):
    with pytest.raises(ConfigError, match=r"config\.json"):
        Trainer(config(model="./nowhere"))
    Trainer(config())  # the mistake left nothing behind that would refuse the right one


def test_the_evaluation_before_is_kept_apart(config, tmp_path):
    result = Trainer(config(steps=2, eval_every=1)).run()
    name = "grid_walk:GridWalk-v0"
    assert len(result.before[name].episodes) == len(result.after[name].episodes) == 4
    phases = [record["phase"] for record in episodes(tmp_path / "run")]
    assert {phase: phases.count(phase) for phase in phases} == {"before": 4, "train": 18, "eval": 4, "after": 4}


def test_the_accuracy_of_thoughts_is_logged_and_kept(config, tmp_path):
    result = Trainer(config(steps=2, eval_every=1)).run()
    lines = numbers(tmp_path / "run")
    for update, line in enumerate(lines):
        found = [e for e in episodes(tmp_path / "run") if e["phase"] == "train" and e["update"] == update]
        verdicts = [right for e in found for right in e["info"]["thoughts_right"]]
        assert line["thought/accuracy"] == pytest.approx(sum(verdicts) / len(verdicts))
        assert len(verdicts) == sum(len(e["steps"]) for e in found)
    name = "grid_walk:GridWalk-v0"
    assert 0 <= lines[0][f"eval/thought_accuracy/{name}"] <= 1
    assert result.before[name].thoughts.count == sum(len(e.steps) for e in result.before[name].episodes)
    quiet = config("quiet", steps=1, runner=RunnerConfig(concurrency=4, check_thoughts=False))
    Trainer(quiet).run()
    assert "thought/accuracy" not in numbers(tmp_path / "quiet")[0]
    # Checking changes no draw and no weight: the first update is the same.
    assert lines[0]["policy/loss"] == numbers(tmp_path / "quiet")[0]["policy/loss"]


def test_several_passes_move_beyond_the_sampler(config, tmp_path):
    Trainer(config(learner=LearnerConfig(warmup=1, learning_rate=1e-2, passes=3))).run()
    taught = [line for line in numbers(tmp_path / "run") if line["rows"] > 0]
    assert max(line["policy/kl"] for line in taught) > 0
    assert all(line["mismatch/max"] < 1e-4 for line in taught)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"group_size": 1}, "group_size must be >= 2"),
        ({"steps": 0}, "steps must be >= 1"),
        ({"gamma": 1.5}, "gamma"),
        ({"advantage": "grp"}, "did you mean 'grpo'"),
        ({"rewards": {"tsk": 1.0}}, "did you mean 'task'"),
        ({"envs": ()}, "envs"),
        ({"agent": AgentConfig(temperature=0)}, "temperature"),
    ],
)
def test_bad_settings_are_refused(config, bad, message):
    with pytest.raises(ConfigError, match=message):
        config(**bad)


def test_an_advantage_from_outside_plugs_in(config, tmp_path):
    Trainer(config(steps=2, advantage="best_of_group:best_of_group")).run()
    found = [t["advantages"] for e in episodes(tmp_path / "run") if e["phase"] == "train" for t in e["turns"]]
    assert {value for tokens in found for value in tokens} == {0.0, 1.0}


def test_the_plug_ins_are_short():
    from pathlib import Path

    import best_of_group
    import grid_walk

    for module in (best_of_group, grid_walk):
        lines = [line for line in Path(module.__file__).read_text().splitlines() if line.strip()]
        assert len(lines) <= 60, module.__name__


def test_a_lost_update_is_an_error_and_a_lost_episode_is_not(config, monkeypatch):
    import grid_walk

    from saccade.envs.errors import WorldFailure

    act = grid_walk.GridWalk.act
    calls = {"count": 0}

    def sometimes(self, call):
        calls["count"] += 1
        if calls["count"] % 5 == 0:
            raise WorldFailure("gone")
        return act(self, call)

    def never(self, rng):
        raise WorldFailure("gone")

    monkeypatch.setattr(grid_walk.GridWalk, "act", sometimes)
    Trainer(config("some", steps=1)).run()
    monkeypatch.setattr(grid_walk.GridWalk, "begin", never)
    with pytest.raises(WorldFailure, match="all 9 episodes"):
        trainer = Trainer(config("none", steps=1))
        try:
            trainer.update(0)
        finally:
            trainer.runner.close()
