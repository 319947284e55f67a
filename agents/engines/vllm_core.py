"""One vLLM engine and the thread that steps it: replies go in and out one by one, never in a blocking batch.

    core = Core(arguments, own_process=False, learner=torch.device("cpu"))
    reply = core.submit(request).result()

Everything that touches the engine runs in its thread, between two steps. An engine that fails, dies or hangs is lost as
a whole: whoever waits gets an aborted completion, and another `Core` has to be made.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from saccade.agents.engines.base import Completion, StopReason
from saccade.agents.engines.vllm_start import start_engine
from saccade.agents.engines.vllm_transfer import Sender
from saccade.agents.engines.vllm_weights import Weights
from saccade.envs.errors import SaccadeError

if TYPE_CHECKING:
    from vllm import EngineArgs, RequestOutput
    from vllm import SamplingParams as VLLMSamplingParams
    from vllm.v1.engine.llm_engine import LLMEngine

R = TypeVar("R")
_LOG = logging.getLogger(__name__)


class EngineError(SaccadeError, RuntimeError):
    """vLLM failed, died or hung; what it was doing is gone."""


@dataclass(eq=False)
class Request:
    """One reply to draw."""

    input: Any
    params: VLLMSamplingParams
    id: str = ""
    reply: Future[Completion] = field(default_factory=Future)


class Core:
    """A running vLLM engine.

    Args:
        arguments: of the engine, its weight transfer among them.
        own_process: whether vLLM's core runs in a process of its own, which can be killed.
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
        self._engine: LLMEngine | None = None
        self._sender: Sender | None = None
        self._requests: dict[str, Request] = {}
        self._held: dict[str, Request] = {}  # those that the engine has seen; its thread's own
        self._asleep = False
        self._names = count()
        self._inbox: queue.SimpleQueue[Callable[[LLMEngine], None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._busy_since: float | None = time.monotonic()
        self._own_process = own_process
        self._hung = False
        self._closed = False

        def run() -> None:
            try:
                if after is not None and not after._hung:  # vLLM keeps globals: one leaves before the next comes
                    after._thread.join()
                self._engine = engine = start_engine(arguments, own_process)
                self._sender = Sender(engine, arguments.weight_transfer_config.backend, learner)
                if weights:
                    self._load(engine, weights)
                self.ready.set_result(None)
                self._serve(engine)
            except BaseException as failure:
                self.lose(f"{type(failure).__name__}: {failure}", failure)
            finally:
                if not self._hung:
                    if self._sender:
                        self._sender.close()
                    self._free()

        self._thread = threading.Thread(target=run, name="saccade-vllm", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> Future[Completion]:
        """Draw a reply; an engine that is lost meanwhile gives an aborted one."""
        with self._lock:
            if self.lost is not None:
                request.reply.set_result(_aborted(request, self.lost))
                return request.reply
            request.id = str(next(self._names))
            self._requests[request.id] = request
        self._inbox.put(lambda engine: self._add(engine, request))
        return request.reply

    def withdraw(self, request: Request) -> None:
        """Give up a reply."""
        with self._lock:
            self._requests.pop(request.id, None)

        def remove(engine: LLMEngine) -> None:
            if self._held.pop(request.id, None) and not self._asleep:
                engine.abort_request([request.id])

        self._inbox.put(remove)

    def load(self, weights: Weights) -> Future[None]:
        """Take new weights; replies being drawn begin again under them."""
        return self._call(lambda engine: self._load(engine, weights))

    def sleep(self) -> Future[None]:
        """Free the accelerator's memory (weights wait in the host's); replies being drawn begin again afterwards."""

        def pause(engine: LLMEngine) -> None:
            self._hold(engine)
            self._asleep = True
            engine.sleep(level=1)

        return self._call(pause)

    def wake(self, weights: Weights | None) -> Future[None]:
        """Go on after `sleep`, under these weights, or those from before."""

        def resume(engine: LLMEngine) -> None:
            engine.wake_up()
            self._asleep = False
            if weights:
                self._load(engine, weights)
            else:
                self._begin_again(engine)

        return self._call(resume)

    def check(self, seconds: float) -> None:
        """Give the engine up if its process is dead, or if it has been at one thing for longer than `seconds`."""
        since = self._busy_since
        if self._dead():
            self._abandon("the process of the vLLM engine died")
        elif since is not None and time.monotonic() - since > seconds:
            self._abandon(f"the vLLM engine hung: one step took longer than {seconds:g} s")

    def lose(self, reason: str, failure: BaseException | None = None) -> None:
        """Give the engine up: everybody who waits is told."""
        with self._lock:
            if self.lost is not None or self._closed:
                return
            self.lost = reason
            requests, self._requests = list(self._requests.values()), {}
        _LOG.warning("vLLM engine lost: %s", reason, exc_info=failure)
        for request in requests:
            if not request.reply.done():
                request.reply.set_result(_aborted(request, reason))
        if not self.ready.done():
            self.ready.set_exception(failure or EngineError(reason))
        self._inbox.put(lambda engine: None)  # a thread that waits for work must see that there will be none

    def close(self) -> None:
        """Stop the thread and free the engine."""
        with self._lock:
            self._closed = True
            requests, self._requests = list(self._requests.values()), {}
        for request in requests:
            request.reply.set_result(_aborted(request, "the engine was closed"))
        self._inbox.put(lambda engine: None)
        self._thread.join(timeout=10)

    def _abandon(self, reason: str) -> None:
        """Lose an engine whose thread may never return: only one in a process of its own can be freed."""
        if self.lost is None and not self._closed:
            self._hung = True
            self.lose(reason)
            if self._own_process:
                threading.Thread(target=self._free, name="saccade-vllm-free", daemon=True).start()

    def _serve(self, engine: LLMEngine) -> None:
        while not self._closed and self.lost is None:
            working = engine.has_unfinished_requests()
            with suppress(queue.Empty):
                if not working:
                    self._busy_since = None
                work = self._inbox.get(block=not working)
                self._busy_since = time.monotonic()
                while True:
                    work(engine)
                    work = self._inbox.get_nowait()
            if engine.has_unfinished_requests():
                self._busy_since = time.monotonic()
                for output in engine.step():
                    self._deliver(output)

    def _call(self, function: Callable[[LLMEngine], R]) -> Future[R]:
        """Run a function in the engine's thread; its failure loses the engine."""
        done: Future[R] = Future()

        def work(engine: LLMEngine) -> None:
            try:
                done.set_result(function(engine))
            except BaseException as failure:
                done.set_exception(failure)
                raise

        self._inbox.put(work)
        return done

    def _add(self, engine: LLMEngine, request: Request) -> None:
        if request.id not in self._requests:
            return  # withdrawn meanwhile
        self._held[request.id] = request
        if self._asleep:
            return
        from vllm.exceptions import VLLMClientError

        try:
            engine.add_request(request.id, request.input, request.params)
        except (ValueError, TypeError, VLLMClientError) as failure:  # vLLM refuses this one; the others go on
            self._held.pop(request.id)
            with self._lock:
                self._requests.pop(request.id, None)
            request.reply.set_exception(ValueError(f"vLLM refuses the request: {failure}"))

    def _deliver(self, output: RequestOutput) -> None:
        if not output.finished:
            return
        self._held.pop(output.request_id, None)
        with self._lock:
            request = self._requests.pop(output.request_id, None)
        if request is None:
            return
        reply = output.outputs[0]
        ids = tuple(reply.token_ids)
        found: Any = reply.logprobs or []
        stop = StopReason.STOP if reply.finish_reason == "stop" else StopReason.LENGTH
        request.reply.set_result(
            Completion(
                ids,
                # Rounding can lift the logarithm of a certain token above 0.
                tuple(min(step[token].logprob, 0.0) for token, step in zip(ids, found, strict=True)),
                tuple(int(span.version) for span in reply.weight_versions or () for _ in range(span.start, span.end)),
                stop,
                tuple(output.prompt_token_ids or ()),
            )
        )

    def _load(self, engine: LLMEngine, weights: Weights) -> None:
        self._hold(engine)
        assert self._sender is not None
        self._sender.send(weights)
        self._begin_again(engine)

    def _hold(self, engine: LLMEngine) -> None:
        """Take everything out of the engine: no reply is drawn under two versions of the weights."""
        engine.abort_request(list(self._held))

    def _begin_again(self, engine: LLMEngine) -> None:
        """Forget what old weights computed, and put the replies back in."""
        forget(engine)
        for request in list(self._held.values()):
            self._add(engine, request)

    def _dead(self) -> bool:
        resources = getattr(self._engine and self._engine.engine_core, "resources", None)
        return bool(getattr(resources, "engine_dead", False))

    def _free(self) -> None:
        engine = self._engine
        if engine is not None:
            engine.engine_core.shutdown()


def forget(engine: LLMEngine) -> None:
    """Empty the three caches that new weights make wrong: pictures' tensors, their embeddings, keys and values."""
    engine.reset_mm_cache()
    engine.reset_encoder_cache()
    if not engine.reset_prefix_cache():
        raise EngineError("vLLM kept its prefix cache: a request still held blocks of it")


def _aborted(request: Request, reason: str) -> Completion:
    return Completion((), (), (), StopReason.ABORT, tuple(request.input["prompt_token_ids"]), reason)
