"""An engine that keeps the keys and values of earlier turns says the same, with less work, until the weights change."""

import asyncio
import threading

import numpy as np
import pytest
import torch
from made_up import say_little

from saccade.agents.agent import Agent
from saccade.agents.engines.base import SamplingParams
from saccade.agents.engines.transformers import TransformersEngine, TransformersEngineConfig
from saccade.agents.engines.turns import Kept, Turns
from saccade.agents.runner import Job, Runner, RunnerConfig
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Image, Observation


@pytest.fixture
def engine(agent):
    """Builds a second engine on the agent's model, with room for what it keeps."""
    built = []

    def build(cache_bytes=1 << 30):
        config = TransformersEngineConfig(cache_bytes=cache_bytes)
        built.append(TransformersEngine(agent.engine.backbone, agent.chat.media, config))
        return built[-1]

    yield build
    for each in built:
        each.close()


def talk(agent, engine, turns=4, between=lambda turn: None):
    """Three conversations of several turns, a picture in each turn of two of them; replies of all turns."""
    rng = np.random.default_rng(0)
    ledgers = [agent.chat.open("Walk" * (1 + index)) for index in range(3)]
    params = SamplingParams(max_tokens=6, stop=(agent.chat.stop,), banned=agent.chat.banned)
    found = []
    for turn in range(turns):
        for index, ledger in enumerate(ledgers):
            shown = [Image(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))] if index else []
            agent.chat.observe(ledger, Observation.of("go " * index, *shown), turn)

        async def ask(turn=turn):
            return await asyncio.gather(
                *(engine.generate(each.prompt(), params, 10 * turn + i, str(i)) for i, each in enumerate(ledgers))
            )

        replies = asyncio.run(ask())
        for ledger, reply in zip(ledgers, replies, strict=True):
            ledger.append_action(reply, turn)
        found.append(replies)
        between(turn)
    return found


def test_turns_on_what_was_kept_say_the_same(agent, engine, monkeypatch):
    computed = []
    hidden = agent.engine.backbone.hidden

    def counted(block, *more, **options):
        computed.append(int(block.mask.sum()) * (block.mask.shape[1] > 1))
        return hidden(block, *more, **options)

    monkeypatch.setattr(agent.engine.backbone, "hidden", counted)
    plain = talk(agent, engine(0))
    all_of_them, computed[:] = sum(computed), []
    again = talk(agent, engine())
    assert sum(computed) < 0.6 * all_of_them
    for turn, same_turn in zip(plain, again, strict=True):
        for one, other in zip(turn, same_turn, strict=True):
            assert one.ids == other.ids
            assert np.abs(np.subtract(one.logprobs, other.logprobs)).max() < 1e-5


def test_each_picture_of_a_conversation_is_looked_at_once(agent, engine, monkeypatch):
    looks = []
    encode = agent.engine.backbone.encode
    monkeypatch.setattr(agent.engine.backbone, "encode", lambda media: looks.append(len(media)) or encode(media))
    talk(agent, engine())
    assert looks == [2, 2, 2, 2]


def stale(agent, fresh, engine):
    """How far the replies after new weights are from those of an engine that never kept anything."""
    start = {name: weight.detach().clone() for name, weight in agent.engine.backbone.model.named_parameters()}

    def move(of):
        def between(turn):
            if turn == 1:
                moved = {n: w + 0.1 * torch.sin(torch.arange(w.numel()).view(w.shape)) for n, w in start.items()}
                of.update(moved.items(), 1)

        return between

    def run(of):
        of.update(start.items(), 0)
        return talk(agent, of, 3, move(of))

    one, other = run(fresh)[2], run(engine)[2]
    return max(abs(a.logprobs[0] - b.logprobs[0]) for a, b in zip(one, other, strict=True))


def test_new_weights_drop_what_was_kept(agent, engine):
    assert stale(agent, engine(0), engine()) < 1e-5


def test_without_the_drop_old_keys_would_serve(agent, engine):
    careless = engine()
    careless._turns.clear = lambda: None
    assert stale(agent, engine(0), careless) > 1e-3


def test_episodes_are_equal_and_nothing_is_kept_behind_them(agent, engine, walk):
    """A learner that reads the whole episode finds the log-probabilities of every turn."""
    say_little(agent.chat, "z")
    jobs = [Job(walk.task(seed), sample) for seed in range(2) for sample in range(2)]
    keeping = engine()
    found = []
    for each in (engine(0), keeping):
        runner = Runner(Agent(each, agent.chat, agent.config), RunnerConfig(concurrency=4))
        found.append(runner.run(jobs))
        runner.close()
    assert max(len(each.episode.steps) for each in found[0]) >= 3
    for one, other in zip(*found, strict=True):
        for first, second in zip(one.samples, other.samples, strict=True):
            assert np.array_equal(first.ids, second.ids)
            assert np.abs(first.logprobs - second.logprobs).max() < 1e-5
    assert len(keeping._turns) == keeping._turns.size == 0


def test_a_batch_that_was_given_up_keeps_nothing(agent, engine, monkeypatch):
    """It ends behind its episode, which no turn follows."""
    keeping, begun, go_on = engine(), threading.Event(), threading.Event()
    hidden = keeping.backbone.hidden

    def slow(*inputs, **options):
        begun.set()
        go_on.wait(60)
        return hidden(*inputs, **options)

    monkeypatch.setattr(keeping.backbone, "hidden", slow)
    ledger = agent.chat.open("Walk")
    agent.chat.observe(ledger, Observation.of("go"), 0)

    async def episode():
        with keeping.participant():
            await keeping.generate(ledger.prompt(), agent.params, 0, "")

    async def given_up():
        asked = asyncio.create_task(episode())
        await asyncio.to_thread(begun.wait, 60)
        asked.cancel()
        await asyncio.wait([asked])
        go_on.set()

    asyncio.run(given_up())  # waits for the batch
    keeping.close()
    assert len(keeping._turns) == 0


def kept(ids, media=(), numbers=10):
    return Kept(tuple(ids), tuple(media), [(torch.zeros(1, numbers, 1), torch.zeros(1, numbers, 1))])


def test_memory_is_bounded_and_the_oldest_goes_first(agent, engine):
    turns = Turns(200)
    for number in range(5):
        turns.keep(kept([number]))
        assert turns.size == 80 * len(turns) <= 200
    assert turns.take((2, 9), ()) is None and turns.take((4, 9), ()) is not None and turns.size == 80
    turns.keep(kept([7], numbers=100))
    assert len(turns) == 1
    small = engine(300_000)
    talk(agent, small)
    assert 0 < small._turns.size <= 300_000


def test_the_longest_beginning_is_taken_and_once():
    turns = Turns(1 << 20)
    for ids, media in [((1, 2), ("a",)), ((1, 2, 3), ("a",)), ((1, 2, 3), ("b",)), ((1, 2, 3, 4), ("a",))]:
        turns.keep(kept(ids, media))
    assert turns.take((1, 2, 3, 4), ("a",)).ids == (1, 2, 3)  # the whole prompt would leave no state to go on from
    assert turns.take((1, 2, 3, 5), ("b", "c")).media == ("b",)
    assert turns.take((1, 2, 3, 5), ("c",)) is None
    assert turns.take((1, 2, 3, 5), ("a",)).ids == (1, 2)
    assert len(turns) == 1


def test_what_cannot_work_is_refused():
    with pytest.raises(ConfigError, match="cache_bytes must be >= 0"):
        TransformersEngineConfig(cache_bytes=-1)


def test_a_sliding_window_keeps_nothing(agent, engine):
    """It forgets what a next turn needs."""
    agent.engine.backbone.model.config.get_text_config().layer_types = ["sliding_attention"]
    assert engine()._turns.capacity == 0
