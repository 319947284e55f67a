"""Turns requests that arrive one by one into batches.

Fast mode serves whatever waits. Deterministic mode waits until every participant waits, sorts the requests by key, and
cuts batches of a fixed size: the same requests always share a batch, so their numbers are equal bit for bit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from saccade.envs.errors import ConfigError

Request = TypeVar("Request")
Result = TypeVar("Result")


@dataclass
class _Waiting(Generic[Request, Result]):
    key: str
    request: Request
    future: asyncio.Future[Result]


class Batcher(Generic[Request, Result]):
    """Collects requests of one event loop and runs them in one worker thread.

    Once the loop of a run is over, however it ended, nothing is computed any more: the weights may change.

    Args:
        serve: runs a batch and returns one result a request, in order.
        max_batch: most requests in one batch.
        deterministic: whether to wait for all participants.

    Attributes:
        participants: how many loops ask now.
    """

    def __init__(
        self, serve: Callable[[Sequence[Request]], Sequence[Result]], max_batch: int, deterministic: bool
    ) -> None:
        if max_batch < 1:
            raise ConfigError(f"max_batch must be >= 1, got {max_batch}")
        self._serve = serve
        self._max_batch = max_batch
        self._deterministic = deterministic
        self._waiting: list[_Waiting[Request, Result]] = []
        self.participants = 0
        self._busy = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="saccade-engine")

    @contextmanager
    def participant(self) -> Iterator[None]:
        """Held by a loop that will ask again and again; a deterministic batch waits for all of them."""
        self.participants += 1
        try:
            yield
        finally:
            self.participants -= 1
            self._wake()

    async def submit(self, request: Request, key: str) -> Result:
        """Ask, and wait for the result."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting[Request, Result](key, request, loop.create_future())
        self._waiting.append(waiting)
        # Others of this round of the event loop may still join the batch.
        loop.call_soon(self._wake)
        return await waiting.future

    def close(self) -> None:
        """Stop the worker thread."""
        self._thread.shutdown(wait=True)

    def _wake(self) -> None:
        self._waiting = [each for each in self._waiting if not each.future.done()]  # but for who was cancelled
        if self._busy or not self._waiting:
            return
        if self._deterministic and len(self._waiting) < self.participants:
            return
        self._waiting.sort(key=lambda waiting: waiting.key)
        batch = self._waiting[: self._max_batch]
        if self._deterministic:
            batch, self._waiting = self._waiting, []
        else:
            self._waiting = self._waiting[self._max_batch :]
        self._busy = True
        self._task = asyncio.get_running_loop().create_task(self._run(batch))

    async def _run(self, batch: list[_Waiting[Request, Result]]) -> None:
        loop = asyncio.get_running_loop()
        try:
            for start in range(0, len(batch), self._max_batch):
                part = batch[start : start + self._max_batch]
                work = loop.run_in_executor(self._thread, self._serve, [each.request for each in part])
                try:
                    results = await asyncio.shield(work)
                except asyncio.CancelledError:
                    await asyncio.wait([work])  # no thread can be stopped, and this one reads the weights
                    raise
                for waiting, result in zip(part, results, strict=True):
                    if not waiting.future.done():
                        waiting.future.set_result(result)
        except Exception as error:  # every waiting episode must hear of it, or it would wait forever
            for waiting in batch:
                if not waiting.future.done():
                    waiting.future.set_exception(error)
        finally:
            self._busy = False
            self._wake()
