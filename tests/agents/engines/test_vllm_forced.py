"""Formats forced by vLLM's structured outputs, on the real vLLM: a random model cannot leave its format."""

import asyncio
import importlib.util
from dataclasses import replace

import numpy as np
import pytest

from saccade.agents.agent import Agent
from saccade.agents.engines.base import StopReason
from saccade.agents.engines.vllm import VLLMEngine, VLLMEngineConfig
from saccade.agents.load import load_model, saved_agent_config
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Image, Observation
from saccade.rl.batch import Row
from saccade.rl.learner import Learner, LearnerConfig

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vllm is not installed"),
]


@pytest.fixture(scope="module")
def world(tiny_path):
    """A random model behind a vLLM that forces formats, and its learner."""
    backbone, chat = load_model(tiny_path)
    engine = VLLMEngine(tiny_path, chat, VLLMEngineConfig(forced_format=True), max_context=1024)
    yield engine, chat, Learner(backbone, chat, LearnerConfig(kl_coef=0.0), 1)
    engine.close()


def ask(agent, count):
    """Ledgers of one reply each, and why each ended."""
    picture = Image(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))

    async def one(seed):
        ledger = agent.chat.open("Walk the blue dot to the red ring.")
        agent.chat.observe(ledger, Observation.of("Reach the ring.", picture), 0)
        reply = await agent.engine.generate(ledger.prompt(), agent.params, seed, "")
        ledger.append_action(reply, 0)
        return ledger, reply

    async def all_of_them():
        return await asyncio.gather(*(one(seed) for seed in range(count)))

    return asyncio.run(all_of_them())


@pytest.mark.parametrize(("name", "limit"), [("think-answer", 1), ("no-think", 2), ("tool-call", 1), ("json", 2)])
def test_a_random_model_keeps_to_its_format_and_the_learner_sees_another_distribution(world, name, limit):
    engine, chat, learner = world
    config = replace(saved_agent_config(chat.tokenizer.name_or_path), coordinates="pixels", max_reply_tokens=200)
    agent = Agent(engine, chat, replace(config, reply_format=name, actions_per_turn=limit))
    drawn = ask(agent, 12)
    ended = [chat.decode(reply.ids) for _, reply in drawn if reply.stop_reason is StopReason.STOP]
    assert ended
    for text in ended:
        read = agent.format.read(text)
        told = "call {" in read.error or "twice" in read.error  # the frame is forced, the world's names are not
        assert read.well_formed or told, (text, read.error)
    for ledger, reply in drawn:
        row = Row(ledger.sample(), np.ones(len(reply.ids)))
        (own,) = learner.logprobs([row])
        gap = np.array(reply.logprobs) - own.cpu().numpy()
        assert gap.min() > -1e-4  # forced: less is possible, so that each token is likelier
        assert gap.max() > 0.5  # which is why training with it is refused


def test_plain_has_nothing_to_force(world):
    engine, chat, _ = world
    agent = Agent(engine, chat, replace(saved_agent_config(chat.tokenizer.name_or_path), reply_format="plain"))
    with pytest.raises(ConfigError, match="nothing to force"):
        ask(agent, 1)
