"""The real vLLM, on a CPU, with the tiny model: in this process, and as `AsyncLLM` in one of its own."""

import asyncio
import importlib.util
import inspect
import os
import signal
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from saccade.agents.agent import Agent
from saccade.agents.engines.base import Prompt, SamplingParams, StopReason
from saccade.agents.engines.vllm import VLLMEngine, VLLMEngineConfig
from saccade.agents.engines.vllm_core import EngineError
from saccade.agents.load import load_model, saved_agent_config
from saccade.agents.runner import Job, Runner, RunnerConfig
from saccade.envs.episode import Cause
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Image, Observation
from saccade.rl.batch import Row
from saccade.rl.learner import Learner, LearnerConfig
from saccade.rl.probes import asked, mismatch, serves

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vllm is not installed"),
]
TURNS, BLOCK = 3, 128  # tokens of a KV block on a CPU


@pytest.fixture(scope="module", params=[False, True], ids=["in process", "own process"])
def world(tiny_path, request):
    """A learner, and an agent whose engine is vLLM."""
    backbone, chat = load_model(tiny_path)
    engine = VLLMEngine(tiny_path, chat, VLLMEngineConfig(retries=0, own_process=request.param), max_context=1024)
    agent = Agent(engine, chat, saved_agent_config(tiny_path))
    yield agent, Learner(backbone, chat, LearnerConfig(learning_rate=5e-3, warmup=1, kl_coef=0.0), 100)
    engine.close()


@pytest.fixture
def agent(world):
    """The agent, under the learner's present weights."""
    made, learner = world
    made.engine.update(learner.weights(), made.engine.version + 1)
    yield made
    made.engine.config = VLLMEngineConfig(retries=0)


@pytest.fixture
def learner(world):
    return world[1]


def picture(seed, height=64, width=64):
    return Image(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def opened(agent, seed):
    """A ledger whose first prompt has two pictures and is longer than two KV blocks."""
    ledger = agent.chat.open("Walk the blue dot to the red ring. " * 30)
    view = Observation.of("Reach the ring. " * 10, picture(seed), "and", picture(seed + 50, 48, 80))
    agent.chat.observe(ledger, view, 0)
    assert len(ledger.ids) > 2 * BLOCK
    return ledger


async def converse(agent, seed):
    """An episode of several turns with two pictures each, as a row to train on; `None` if the engine was lost."""
    ledger = opened(agent, seed)
    for turn in range(TURNS):
        if turn:
            agent.chat.observe(ledger, Observation.of("again", picture(seed + turn), picture(turn, 80, 48)), turn)
        reply = await agent.engine.generate(ledger.prompt(), agent.params, seed + turn, "")
        if reply.stop_reason is StopReason.ABORT:
            return None
        ledger.append_action(reply, turn)  # asserts prompt ids, banned tokens and signs
    sample = ledger.sample()
    return Row(sample, np.random.default_rng(seed).normal(size=int(sample.action_mask.sum())))


def play(agent, count=4):
    async def all_of_them():
        return await asyncio.gather(*(converse(agent, seed) for seed in range(count)))

    return asyncio.run(all_of_them())


def ask(agent, prompts, params, seeds):
    async def all_of_them():
        asked = [agent.engine.generate(p, params, seed, "") for p, seed in zip(prompts, seeds, strict=True)]
        return await asyncio.gather(*asked)

    return asyncio.run(all_of_them())


def own_process(agent):
    return agent.engine._own_process


def vllm_s_answer(agent, method):
    """What a method of vLLM's own engine gives, at once or later."""

    async def asked(driver):
        found = getattr(driver.engine, method)()
        return await found if inspect.isawaitable(found) else found

    return agent.engine._core._call(asked).result()


async def done(*_):
    return True


def agrees(agent, learner):
    rows = play(agent)
    return None not in rows and mismatch(learner, rows) < 1e-4


def test_vllm_and_transformers_agree_through_training(agent, learner):
    for _ in range(4):
        rows = play(agent)
        assert mismatch(learner, rows) < 1e-4
        assert len({int(version) for row in rows for version in row.sample.versions[row.sample.action_mask]}) == 1
        learner.step(rows)
        assert mismatch(learner, rows) > 1e-3  # so that old weights would be seen
        agent.engine.update(learner.weights(), agent.engine.version + 1)
        assert serves(learner, rows, asked(agent, rows), agent.engine.tolerance) < 1e-4


@pytest.mark.parametrize("reset", ["reset_prefix_cache", "reset_encoder_cache"])
def test_no_cache_may_outlive_its_weights(agent, learner, monkeypatch, reset):
    rows = play(agent)
    learner.step(rows)
    kind = type(agent.engine._core._driver.engine)
    with monkeypatch.context() as patch:
        patch.setattr(kind, reset, done if own_process(agent) else lambda *_: True)
        agent.engine.update(learner.weights(), agent.engine.version + 1)
        with pytest.raises(EngineError):
            serves(learner, rows, asked(agent, rows), agent.engine.tolerance)
    agent.engine.update(learner.weights(), agent.engine.version + 1)
    assert agrees(agent, learner)


@pytest.mark.parametrize("hold", [True, False])
def test_replies_in_flight_begin_again_under_new_weights(agent, learner, monkeypatch, hold):
    core, ledgers = agent.engine._core, [opened(agent, seed) for seed in range(3)]
    params = replace(agent.params, max_tokens=200, stop=())
    if not hold:  # left in, they would keep keys and values of the old weights
        monkeypatch.setattr(type(core._driver), "pause", done)

    def change():
        while not core._held:
            time.sleep(0.01)
        agent.engine.update(learner.weights(), version)

    version = agent.engine.version + 1
    learner.step(play(agent))
    updater = threading.Thread(target=change)
    updater.start()
    replies = ask(agent, [ledger.prompt() for ledger in ledgers], params, range(3))
    updater.join()
    assert (agent.engine._core is core) == hold
    if hold:
        assert {found for reply in replies for found in reply.versions} == {version}
        for ledger, reply in zip(ledgers, replies, strict=True):
            ledger.append_action(reply, 0)
        rows = [Row(ledger.sample(), np.zeros(200)) for ledger in ledgers]
        assert mismatch(learner, rows) < 1e-4
    else:
        assert {reply.stop_reason for reply in replies} == {StopReason.ABORT}


def test_sampling_follows_seed_stop_and_ban(agent):
    prompt = opened(agent, 0).prompt()
    one, same, other = ask(agent, [prompt] * 3, replace(agent.params, max_tokens=24), [7, 7, 8])
    assert one.ids == same.ids != other.ids
    assert one.logprobs == pytest.approx(same.logprobs, abs=1e-4)

    allowed = [agent.chat.stop, *agent.chat.encode("a")]
    banned = tuple(set(range(agent.chat.vocabulary)) - set(allowed))
    for reply in ask(agent, [prompt] * 8, SamplingParams(64, 1.0, (agent.chat.stop,), banned), range(8)):
        assert set(reply.ids) <= set(allowed)
        assert (reply.stop_reason is StopReason.STOP) == (reply.ids[-1] == agent.chat.stop)
        assert agent.chat.stop not in reply.ids[:-1]
        assert all(np.exp(value) <= 1 for value in reply.logprobs)

    greedy = replace(agent.params, temperature=0.0)
    first, second, sampled = ask(agent, [prompt] * 3, greedy, [1, 2, 3])
    assert first.ids == second.ids == sampled.ids


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.3])
def test_log_probabilities_are_those_of_the_tempered_distribution(agent, learner, temperature):
    ledgers = [opened(agent, seed) for seed in range(2)]
    params = replace(agent.params, temperature=temperature)
    for ledger, reply in zip(ledgers, ask(agent, [each.prompt() for each in ledgers], params, range(2)), strict=True):
        ledger.append_action(reply, 0)
    rows = [Row(ledger.sample(), np.zeros(len(ledger.logprobs))) for ledger in ledgers]
    scorer = Learner(learner.backbone, agent.chat, LearnerConfig(kl_coef=0.0), 1, temperature)
    assert mismatch(scorer, rows) < 1e-4


def test_a_reply_that_nobody_waits_for_is_withdrawn(agent):
    async def give_up():
        params = replace(agent.params, max_tokens=400, stop=())
        task = asyncio.create_task(agent.engine.generate(opened(agent, 0).prompt(), params, 0, ""))
        while not agent.engine._core._held:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up())
    assert vllm_s_answer(agent, "reset_prefix_cache") is True  # no request holds blocks of it


def test_what_vllm_refuses_harms_nobody_else(agent, learner):
    core, prompt = agent.engine._core, opened(agent, 0).prompt()
    with pytest.raises(ValueError, match="placeholders"):
        ask(agent, [Prompt(prompt.ids, ())], agent.params, [0])
    with pytest.raises(ConfigError, match="temperature 0 or at least"):
        ask(agent, [prompt], replace(agent.params, temperature=0.001), [0])
    with pytest.raises(ValueError, match="1024"):
        ask(agent, [Prompt(prompt.ids * 8, prompt.media * 8)], agent.params, [0])
    assert agrees(agent, learner) and agent.engine._core is core


def test_sleep_and_wake_keep_the_weights_and_what_waits(agent, learner):
    agent.engine.sleep()
    waker = threading.Timer(0.5, agent.engine.wake)
    waker.start()
    assert agrees(agent, learner)
    waker.join()


def test_a_hung_engine_is_replaced_and_its_replies_are_asked_for_again(agent, learner, walk):
    core = agent.engine._core
    processes = core._driver.processes if own_process(agent) else []
    agent.engine.config = VLLMEngineConfig(hang_seconds=20, retries=1)
    runner = Runner(agent, RunnerConfig(concurrency=4))
    hung = threading.Event()

    async def block(_):
        time.sleep(10_000)

    def hang(_):
        if not hung.is_set():
            hung.set()
            for process in processes:
                os.kill(process.pid, signal.SIGSTOP)
            if not processes:
                core._call(block)

    done = runner.run([Job(walk.task(seed), sample) for seed in range(2) for sample in range(4)], progress=hang)
    runner.close()
    assert core.lost is not None and "hung" in core.lost and agent.engine._core is not core
    assert not any(process.is_alive() for process in processes)
    assert Cause.ENGINE not in {each.episode.cause for each in done}
    rows = [Row(sample, np.zeros(int(sample.action_mask.sum()))) for each in done for sample in each.samples]
    assert mismatch(learner, rows) < 1e-4  # the new engine took the newest weights


def test_a_killed_engine_costs_the_episodes_in_flight_and_no_more(agent, learner, walk):
    if not own_process(agent):
        pytest.skip("would kill the tests")
    core = agent.engine._core
    runner, jobs = Runner(agent, RunnerConfig(concurrency=4)), [Job(walk.task(seed)) for seed in range(12)]
    killed = threading.Event()

    def kill(_):
        if not killed.is_set():
            killed.set()
            (process,) = core._driver.processes
            os.kill(process.pid, signal.SIGKILL)

    first, second = runner.run(jobs, progress=kill), runner.run(jobs)
    runner.close()
    lost = [each for each in first if each.episode.cause is Cause.ENGINE]
    assert 0 < len(lost) <= 4
    for each in lost:
        assert "vLLM" in (each.episode.failure or "")
        assert not each.episode.rule.trained and not each.episode.rule.in_baseline
    assert Cause.ENGINE not in {each.episode.cause for each in second}
    rows = [Row(s, np.zeros(int(s.action_mask.sum()))) for each in second for s in each.samples]
    assert mismatch(learner, rows) < 1e-4
