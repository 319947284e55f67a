"""New weights by `ipc` and `nccl`: needs GPUs, and has not been run on any yet."""

import importlib.util

import numpy as np
import pytest
import torch

from saccade.agents.agent import Agent
from saccade.agents.engines.vllm import VLLMEngine, VLLMEngineConfig
from saccade.agents.load import load_model, saved_agent_config
from saccade.agents.runner import Job, Runner, RunnerConfig
from saccade.rl.batch import Row
from saccade.rl.learner import Learner, LearnerConfig
from saccade.rl.probes import asked, moved, serves

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.vllm,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vllm is not installed"),
]


@pytest.mark.parametrize("transport", ["ipc", "nccl"])
def test_every_update_is_served(tiny_path, walk, transport):
    if torch.cuda.device_count() < (2 if transport == "nccl" else 1):
        pytest.skip("needs two GPUs" if transport == "nccl" else "needs a GPU")
    backbone, chat = load_model(tiny_path, "cuda:0")
    options = '{"device_ids": [1]}' if transport == "nccl" else ""
    engine = VLLMEngine(tiny_path, chat, VLLMEngineConfig(gpu_share=0.2, options=options), 1024, backbone.device)
    assert engine.transport == transport
    agent = Agent(engine, chat, saved_agent_config(tiny_path))
    learner = Learner(backbone, chat, LearnerConfig(learning_rate=1e-2, warmup=1, kl_coef=0.0), 10)
    runner = Runner(agent, RunnerConfig(concurrency=4))
    try:
        for version in (1, 2):
            done = runner.run([Job(walk.task(seed)) for seed in range(4)])
            samples = [sample for each in done for sample in each.samples]
            rows = [Row(each, np.linspace(-1, 1, int(each.action_mask.sum()))) for each in samples]
            learner.step(rows)
            before = asked(agent, rows)
            engine.update(learner.weights(), version)
            after = asked(agent, rows)
            assert {token for each in after for token in each.versions} == {version}
            assert serves(learner, rows, after, engine.tolerance) < engine.tolerance
            assert moved(learner, rows, before, after, engine.tolerance) > engine.tolerance
    finally:
        runner.close()
        engine.close()
