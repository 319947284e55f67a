"""Several copies of the model behind one engine (vLLM's data parallelism), on a CPU: every update reaches all."""

import asyncio
import importlib.util
import os
import signal
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from saccade.agents.agent import Agent
from saccade.agents.engines.vllm import VLLMEngine, VLLMEngineConfig
from saccade.agents.engines.vllm_request import completion, engine_input, sampling_params
from saccade.agents.load import load_model, saved_agent_config
from saccade.envs.observation import Image, Observation
from saccade.rl.batch import Row
from saccade.rl.learner import Learner, LearnerConfig
from saccade.rl.probes import mismatch

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vllm is not installed"),
]
COPIES = 2


@pytest.fixture(scope="module")
def world(tiny_path):
    """A learner, and an agent whose engine has two copies of the model."""
    backbone, chat = load_model(tiny_path)
    engine = VLLMEngine(tiny_path, chat, VLLMEngineConfig(data_parallel=COPIES), max_context=1024)
    agent = Agent(engine, chat, saved_agent_config(tiny_path))
    yield agent, Learner(backbone, chat, LearnerConfig(learning_rate=5e-3, warmup=1, kl_coef=0.0), 100)
    engine.close()


def opened(agent, seed):
    """A ledger whose prompt has a picture and is longer than a KV block."""
    ledger = agent.chat.open("Walk the blue dot to the red ring. " * 30)
    picture = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    agent.chat.observe(ledger, Observation.of("Reach the ring.", Image(picture)), 0)
    return ledger


def row(ledger, reply, seed=0):
    ledger.append_action(reply, 0)
    return Row(ledger.sample(), np.random.default_rng(seed).normal(size=len(reply.ids)))


def of_each_copy(agent, seed):
    """The reply of each copy to one prompt with one seed."""
    prompt = engine_input(opened(agent, seed).prompt(), agent.chat.media)
    params = sampling_params(agent.params, seed, agent.chat.vocabulary)

    async def asked(driver):
        draws = [driver.engine.generate(prompt, params, f"{n}", data_parallel_rank=n) for n in range(COPIES)]
        return [completion([output async for output in draw][-1]) for draw in draws]

    return agent.engine._core._call(asked).result()


def test_every_update_reaches_every_copy(world):
    agent, learner = world
    assert len(agent.engine._core._driver.processes) == COPIES
    for version in (1, 2, 3):
        agent.engine.update(learner.weights(), version)
        replies = [of_each_copy(agent, seed) for seed in range(3)]
        assert {label for each in replies for reply in each for label in reply.versions} == {version}
        for first, second in replies:
            assert first.ids == second.ids and first.logprobs == pytest.approx(second.logprobs, abs=1e-4)
        for copy in range(COPIES):
            rows = [row(opened(agent, seed), each[copy], seed) for seed, each in enumerate(replies)]
            assert mismatch(learner, rows) < 1e-4
        learner.step(rows)
        assert mismatch(learner, rows) > 1e-3  # so that old weights would be seen


def draw(agent, ledgers, meanwhile, tokens=200):
    """Replies to all of these, and what is done once every copy draws some."""
    core, params = agent.engine._core, replace(agent.params, max_tokens=tokens, stop=())
    drawn_by = core._driver.engine.engine_core.reqs_in_flight

    def wait():
        while len(set(drawn_by.values())) < COPIES:
            time.sleep(0.01)
        meanwhile()

    async def all_of_them():
        return await asyncio.gather(*(agent.engine.generate(each.prompt(), params, 0, "") for each in ledgers))

    waiter = threading.Thread(target=wait)
    waiter.start()
    replies = asyncio.run(all_of_them())
    waiter.join()
    return replies


def test_replies_are_shared_and_begin_again_under_new_weights(world):
    agent, learner = world
    version, ledgers = agent.engine.version + 1, [opened(agent, seed) for seed in range(6)]
    replies = draw(agent, ledgers, lambda: agent.engine.update(learner.weights(), version))
    assert {label for reply in replies for label in reply.versions} == {version}
    assert mismatch(learner, [row(*each) for each in zip(ledgers, replies, strict=True)]) < 1e-4


def test_a_copy_that_dies_is_replaced_with_the_others(world):
    agent, learner = world
    core, ledgers = agent.engine._core, [opened(agent, seed) for seed in range(6)]
    processes = core._driver.processes
    replies = draw(agent, ledgers, lambda: os.kill(processes[-1].pid, signal.SIGKILL), tokens=100)
    assert core.lost is not None and "died" in core.lost and agent.engine._core is not core
    assert not any(process.is_alive() for process in processes)
    assert {label for reply in replies for label in reply.versions} == {agent.engine.version}
    assert mismatch(learner, [row(*each) for each in zip(ledgers, replies, strict=True)]) < 1e-4
