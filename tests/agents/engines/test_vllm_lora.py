"""The real vLLM serves an adapter that a learner trains."""

import asyncio
import importlib.util

import numpy as np
import pytest

from saccade.agents.agent import Agent
from saccade.agents.engines.vllm import VLLMEngine
from saccade.agents.load import load_model, save_agent_config, saved_agent_config
from saccade.agents.lora import LoRAConfig, attach
from saccade.envs.observation import Image, Observation
from saccade.rl.batch import Row
from saccade.rl.learner import Learner, LearnerConfig
from saccade.rl.probes import asked, mismatch, serves

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vllm is not installed"),
]


@pytest.fixture
def adapter_path(tiny_path, tmp_path):
    """The folder of an adapter of the tiny model that has learned something."""
    backbone, _ = load_model(tiny_path)
    adapter = attach(backbone, LoRAConfig(rank=4))
    for layer in adapter.layers.values():
        layer.lora_B["default"].weight.data.fill_(0.02)
    adapter.save(tmp_path, str(tiny_path))
    save_agent_config(tmp_path, saved_agent_config(tiny_path))
    return tmp_path


def play(agent, seeds=range(4)):
    """Replies to a picture each, as rows to train on."""

    async def reply(seed):
        ledger = agent.chat.open("Walk the blue dot to the red ring. " * 30)
        picture = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        agent.chat.observe(ledger, Observation.of("Reach the ring.", Image(picture)), 0)
        ledger.append_action(await agent.engine.generate(ledger.prompt(), agent.params, seed, ""), 0)
        sample = ledger.sample()
        return Row(sample, np.random.default_rng(seed).normal(size=int(sample.action_mask.sum())))

    async def all_of_them():
        return await asyncio.gather(*map(reply, seeds))

    return asyncio.run(all_of_them())


def test_vllm_serves_an_adapter_from_its_folder_and_after_every_update(adapter_path, tiny_path):
    backbone, chat = load_model(adapter_path)
    agent = Agent(VLLMEngine(adapter_path, chat, max_context=1024), chat, saved_agent_config(adapter_path))
    lora = LoRAConfig(rank=4, vision=True)
    learner = Learner(backbone, chat, LearnerConfig(learning_rate=1e-2, warmup=1, kl_coef=0.1, lora=lora), 10)
    base = Learner(*load_model(tiny_path), LearnerConfig(kl_coef=0.0), 1)
    try:
        rows = play(agent)
        assert mismatch(learner, rows) < 1e-4 and mismatch(base, rows) > 1e-3
        for version in (1, 2):
            learner.step(rows)
            assert mismatch(learner, rows) > 1e-3  # so that old weights would be seen
            agent.engine.update(learner.weights(), version)
            assert serves(learner, rows, asked(agent, rows), agent.engine.tolerance) < 1e-4
            rows = play(agent)
            assert mismatch(learner, rows) < 1e-4
    finally:
        agent.engine.close()
