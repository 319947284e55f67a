"""Training and evaluation with the real vLLM."""

import importlib.util
import json

import pytest

from saccade.agents.agent import AgentConfig
from saccade.agents.engines.vllm import VLLMEngineConfig
from saccade.agents.runner import RunnerConfig
from saccade.rl.cli import main
from saccade.rl.config import TrainConfig
from saccade.rl.learner import LearnerConfig
from saccade.rl.trainer import Trainer

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vllm is not installed"),
]


def test_a_policy_is_trained_and_evaluated(tiny_path, tmp_path, capsys):
    config = TrainConfig(
        model=str(tiny_path),
        envs=("grid_walk:GridWalk-v0",),
        run=str(tmp_path / "run"),
        steps=3,
        tasks_per_step=2,
        group_size=4,
        eval_tasks=4,
        rewards={"brevity": 1.0},
        agent=AgentConfig(coordinates="location-tokens", max_reply_tokens=100, explain=False),
        engine="vllm",
        deterministic=False,
        vllm=VLLMEngineConfig(max_batch=8),
        runner=RunnerConfig(concurrency=8),
        learner=LearnerConfig(warmup=1, learning_rate=1e-2),
    )
    Trainer(config).run()
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    learned = [line for line in lines if line["rows"]]
    assert len(lines) == 3 and learned
    for line in learned:
        assert line["mismatch/max"] < 1e-4 and line["probe/engine_gap"] < 1e-4
        assert line["probe/engine_moved"] > 1e-3

    arguments = ["--engine", "vllm", "--model", str(tmp_path / "run" / "model"), "--envs", "grid_walk:GridWalk-v0"]
    assert main(["eval", *arguments, "--tasks", "4", "--greedy"]) == 0
    assert "greedy" in capsys.readouterr().out
