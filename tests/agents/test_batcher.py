import asyncio
import random
import threading
import time

import pytest

from saccade.agents.engines.batcher import Batcher
from saccade.envs.errors import ConfigError


def run(deterministic, loops=6, turns=5, max_batch=4, seed=0):
    """Loops that ask at random times; returns the batches that were served."""
    batches = []

    def serve(requests):
        batches.append(list(requests))
        return [request * 10 for request in requests]

    async def main():
        batcher = Batcher(serve, max_batch, deterministic)
        chance = random.Random(seed)

        async def loop(index):
            with batcher.participant():
                for turn in range(turns - index % 3):
                    await asyncio.sleep(chance.random() * 0.01)
                    request = turn * 100 + index
                    assert await batcher.submit(request, f"{index:03d}") == request * 10

        await asyncio.gather(*(loop(index) for index in range(loops)))
        batcher.close()

    asyncio.run(main())
    return batches


def test_deterministic_batches_do_not_depend_on_timing():
    first = run(True, seed=1)
    assert first == run(True, seed=2) == run(True, seed=3)
    assert max(map(len, first)) == 4


def test_fast_mode_serves_everyone_without_waiting_for_all():
    batches = run(False)
    assert sum(map(len, batches)) == 6 * 5 - (0 + 1 + 2) * 2


def test_a_failure_reaches_everyone_who_waits():
    async def main():
        def serve(requests):
            raise RuntimeError("out of memory")

        batcher = Batcher(serve, 4, False)
        found = await asyncio.gather(*(batcher.submit(i, str(i)) for i in range(3)), return_exceptions=True)
        batcher.close()
        return found

    assert [str(error) for error in asyncio.run(main())] == ["out of memory"] * 3


def test_who_was_cancelled_is_not_served_and_holds_up_nobody():
    """As after Ctrl-C in a notebook: the next run is served as if there had been none before."""
    batches = []

    def serve(requests):
        batches.append(list(requests))
        return requests

    batcher = Batcher(serve, 4, True)

    async def ask(request):
        with batcher.participant():
            return await batcher.submit(request, str(request))

    async def stopped():
        with batcher.participant():  # it never asks, so nobody is served
            asked = [asyncio.create_task(ask(request)) for request in range(2)]
            await asyncio.sleep(0.01)
            for each in asked:
                each.cancel()
            await asyncio.wait(asked)

    asyncio.run(stopped())
    assert asyncio.run(asyncio.wait_for(ask(2), 20)) == 2
    assert batches == [[2]]
    batcher.close()


def test_a_batch_under_way_is_over_when_its_run_is():
    """As after Ctrl-C in a notebook: the learner may move the weights at once, and nobody reads them."""
    begun, over = threading.Event(), threading.Event()

    def serve(requests):
        begun.set()
        time.sleep(0.2)
        over.set()
        return requests

    batcher = Batcher(serve, 4, True)

    async def stopped():
        asked = asyncio.create_task(batcher.submit(0, "0"))
        await asyncio.to_thread(begun.wait, 20)
        asked.cancel()
        await asyncio.wait([asked])

    asyncio.run(stopped())
    assert over.is_set()
    batcher.close()


def test_an_empty_batch_is_refused():
    with pytest.raises(ConfigError, match="max_batch"):
        Batcher(list, 0, True)
