"""One vLLM and its thread: replies go in and out one by one, never in a blocking batch.

    core = Core(arguments, own_process=False, learner=torch.device("cpu"))
    reply = core.submit(request).result()

Everything that touches vLLM runs in the event loop of that thread, through a `Driver`. A vLLM that fails, dies or hangs
is lost as a whole: whoever waits gets an aborted completion, and another `Core` has to be made.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from saccade.agents.engines.base import Completion, StopReason
from saccade.agents.engines.vllm_async import OwnProcess
from saccade.agents.engines.vllm_driver import Driver, Request
from saccade.agents.engines.vllm_request import completion
from saccade.agents.engines.vllm_step import InProcess
from saccade.agents.engines.vllm_weights import Weights
from saccade.envs.errors import SaccadeError

if TYPE_CHECKING:
    from vllm import EngineArgs

R = TypeVar("R")
CLOSED, DIED = "the engine was closed", "a process of the vLLM engine died"
_LOG = logging.getLogger(__name__)


class EngineError(SaccadeError, RuntimeError):
    """vLLM failed, died or hung; what it was doing is gone."""


class Core:
    """A running vLLM.

    Args:
        arguments: of the engine, its weight transfer among them.
        own_process: whether it runs in processes of its own, which can be killed.
        learner: where the weights come from.
        weights: what to serve instead of the checkpoint's own weights.
        after: the lost engine that this one replaces.

    Attributes:
        ready: resolved when the engine serves; holds the failure of a start that failed.
        lost: why the engine is lost; `None` as long as it is not.
    """

    def __init__(
        self,
        arguments: EngineArgs,
        own_process: bool,
        learner: torch.device,
        weights: Weights | None = None,
        after: Core | None = None,
    ) -> None:
        self.ready: Future[None] = Future()
        self.lost: str | None = None
        self._driver: Driver | None = None
        self._own_process = own_process
        self._requests: dict[str, Request] = {}  # those without a reply
        self._names = count()
        self._lock = threading.Lock()
        self._closed = False
        self._stuck = False
        self._busy: dict[object, float] = {"start": time.monotonic()}  # since when each thing is being done
        # From here on the thread's own.
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._draws: dict[str, asyncio.Task[None]] = {}
        self._held: set[str] = set()  # requests that the engine has
        self._drawing, self._open, self._ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._alone = asyncio.Lock()

        def run() -> None:
            if after is not None and not after._stuck:  # vLLM keeps globals: one leaves before the next comes
                after._thread.join()
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._live(arguments, learner, weights))

        self._thread = threading.Thread(target=run, name="saccade-vllm", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> Future[Completion]:
        """Draw a reply; an engine that is lost meanwhile gives an aborted one."""
        request.id = str(next(self._names))

        def begin() -> None:
            if request.id in self._requests:
                self._draws[request.id] = task = self._spawn(self._draw(request))
                task.add_done_callback(lambda _: self._draws.pop(request.id))

        with self._lock:
            gone = self._gone()
            if gone is None:
                self._requests[request.id] = request
                self._loop.call_soon_threadsafe(begin)
        if gone is not None:
            request.reply.set_result(_aborted(request, gone))
        return request.reply

    def withdraw(self, request: Request) -> None:
        """Give up a reply."""

        def cancel() -> None:
            if request.id in self._draws:
                self._draws[request.id].cancel()

        if self._settle(request):
            with self._lock:
                if self._gone() is None:
                    self._loop.call_soon_threadsafe(cancel)

    def load(self, weights: Weights) -> Future[None]:
        """Take new weights; replies being drawn begin again under them."""
        return self._call(lambda driver: self._load(driver, weights))

    def sleep(self) -> Future[None]:
        """Free the accelerator's memory (weights wait in the host's); replies being drawn begin again afterwards."""

        async def pause(driver: Driver) -> None:
            await self._hold(driver)
            await driver.sleep()

        return self._call(pause)

    def wake(self, weights: Weights | None) -> Future[None]:
        """Go on after `sleep`, under these weights, or those from before."""

        async def resume(driver: Driver) -> None:
            await driver.wake()
            if weights:
                await self._load(driver, weights)
            else:
                await self._begin_again(driver)

        return self._call(resume)

    def check(self, seconds: float) -> None:
        """Give the engine up if a process of it is dead, or if it has been at one thing for longer than `seconds`."""
        since = min(tuple(self._busy.values()), default=None)
        if self._driver is not None and self._driver.dead:
            self.lose(DIED)
        elif since is not None and time.monotonic() - since > seconds:
            self._stuck = not (self._own_process and self.ready.done())  # then the thread itself may never return
            self.lose(f"the vLLM engine hung: one step took longer than {seconds:g} s")

    def lose(self, reason: str, failure: BaseException | None = None) -> None:
        """Give the engine up: everybody who waits is told."""
        with self._lock:
            if self._gone() is not None:
                return
            self.lost = reason
            if not self.ready.done():
                self.ready.set_exception(failure or EngineError(reason))
            self._loop.call_soon_threadsafe(self._ended.set)
        _LOG.warning("vLLM engine lost: %s", reason, exc_info=failure)
        self._give_up(reason)

    def close(self) -> None:
        """Stop the thread and free the engine."""
        with self._lock:
            if self._gone() is None:
                self._loop.call_soon_threadsafe(self._ended.set)
            self._closed = True
        self._give_up(CLOSED)
        if not self._stuck:
            self._thread.join(timeout=30)

    async def _live(self, arguments: EngineArgs, learner: torch.device, weights: Weights | None) -> None:
        try:
            async with self._alone:
                if self._own_process:
                    self._driver = await OwnProcess.start(arguments, learner)
                else:
                    self._driver = InProcess(arguments, learner)
                if weights:
                    await self._load(self._driver, weights)
            self._open.set()
            del self._busy["start"]
            with self._lock:
                if self.lost is None:
                    self.ready.set_result(None)
            self._spawn(self._serve(self._driver))
            await self._ended.wait()
        except BaseException as failure:
            self._fail(failure)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._driver is not None:
            self._driver.close()

    async def _serve(self, driver: Driver) -> None:
        """Take step after step while something is drawn, so that a step without end is seen."""
        try:
            while await self._drawing.wait():
                with self._timed():
                    await driver.step()
                await asyncio.sleep(driver.pace)
        except Exception as failure:
            self._fail(failure)

    async def _draw(self, request: Request) -> None:
        from vllm.exceptions import VLLMClientError

        output = None
        try:
            while output is None:
                while not self._open.is_set():
                    await self._open.wait()
                assert self._driver is not None  # else nothing would be open
                self._held.add(request.id)
                self._drawing.set()
                try:
                    output = await self._driver.draw(request)
                finally:
                    self._held.remove(request.id)
                    if not self._held:
                        self._drawing.clear()
            reply = completion(output)
        except (ValueError, TypeError, VLLMClientError) as failure:  # the others go on
            if self._settle(request):
                request.reply.set_exception(ValueError(f"vLLM refuses the request: {failure}"))
        except Exception as failure:
            self._fail(failure)
        else:
            if self._settle(request):
                request.reply.set_result(reply)

    async def _load(self, driver: Driver, weights: Weights) -> None:
        await self._hold(driver)
        await driver.load(weights)
        await self._begin_again(driver)

    async def _hold(self, driver: Driver) -> None:
        """Take everything out of the engine: no reply is drawn under two versions of the weights."""
        self._open.clear()
        await driver.pause()

    async def _begin_again(self, driver: Driver) -> None:
        """Forget what old weights computed, and put the replies back in."""
        if not await driver.reset_caches():
            raise EngineError("vLLM kept its prefix cache: a request still held blocks of it")
        await driver.resume()
        self._open.set()

    def _call(self, function: Callable[[Driver], Coroutine[Any, Any, R]]) -> Future[R]:
        """Run it in the engine's thread, alone; its failure loses the engine."""
        done: Future[R] = Future()

        async def work() -> None:
            try:
                async with self._alone:
                    with self._timed():
                        assert self._driver is not None
                        result = await function(self._driver)
            except asyncio.CancelledError:
                done.set_exception(EngineError(self._gone()))
            except BaseException as failure:
                self._fail(failure)
                done.set_exception(failure)
            else:
                done.set_result(result)

        with self._lock:
            gone = self._gone()
            if gone is None:
                self._loop.call_soon_threadsafe(lambda: self._spawn(work()))
        if gone is not None:
            done.set_exception(EngineError(gone))
        return done

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """`check` looks at how long this takes."""
        key = object()
        self._busy[key] = time.monotonic()
        try:
            yield
        finally:
            del self._busy[key]

    def _gone(self) -> str | None:
        return self.lost or (CLOSED if self._closed else None)

    def _fail(self, failure: BaseException) -> None:
        dead = self._driver is not None and self._driver.dead
        self.lose(DIED if dead else f"vLLM failed: {type(failure).__name__}: {failure}", failure)

    def _settle(self, request: Request) -> bool:
        """Whether it falls to the caller to deliver this reply."""
        with self._lock:
            return self._requests.pop(request.id, None) is not None

    def _give_up(self, reason: str) -> None:
        for request in list(self._requests.values()):
            if self._settle(request):
                request.reply.set_result(_aborted(request, reason))


def _aborted(request: Request, reason: str) -> Completion:
    return Completion((), (), (), StopReason.ABORT, tuple(request.input["prompt_token_ids"]), reason)
