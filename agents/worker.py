"""A thread of its own for a world: daemonic, so that a world that never returns cannot keep the process alive."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from saccade.envs.errors import WorldFailure

R = TypeVar("R")


class Worker:
    """Runs functions one after another in one thread."""

    def __init__(self, name: str) -> None:
        self._work: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        threading.Thread(target=self._loop, name=name, daemon=True).start()

    def submit(self, function: Callable[[], R]) -> Future[R]:
        """Queue a function; its result or exception comes through the future."""
        future: Future[R] = Future()
        self._work.put((future, function))
        return future

    async def call(self, function: Callable[[], R], limit: float | None) -> R:
        """Run a function and wait for it.

        Raises:
            WorldFailure: it took longer than `limit` seconds, or raised what no coroutine can hand on.
        """
        try:
            async with asyncio.timeout(limit) as clock:  # `wait_for` of Python 3.11 can swallow a cancellation
                return await asyncio.wrap_future(self.submit(lambda: _guarded(function)))
        except TimeoutError as error:
            if limit is None or not clock.expired():
                raise
            raise WorldFailure(f"the world did not answer within {limit:g} s") from error

    def stop(self) -> None:
        """End the thread once its queue is empty; does not wait."""
        self._work.put(None)

    def _loop(self) -> None:
        while (item := self._work.get()) is not None:
            future, function = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)


def _guarded(function: Callable[[], R]) -> R:
    try:
        return function()
    except (StopIteration, SystemExit) as error:  # an event loop never hears of the one, and is ended by the other
        raise WorldFailure(f"the world raised {error!r}") from error


def end(loop: asyncio.AbstractEventLoop) -> None:
    """Close a loop that was stopped; what is left in it is cancelled and ends first, as in `asyncio.run`."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left))
    loop.close()
