"""vLLM in processes of its own: its `AsyncLLM`. One that hangs can be killed, and there can be several copies.

With `data_parallel_size` above 1 each copy of the model has a process; vLLM gives a reply to the one with the least to
do, and whatever is said here about the engine is said to all of them.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from saccade.agents.engines.vllm_driver import Request
from saccade.agents.engines.vllm_start import unchanged
from saccade.agents.engines.vllm_transfer import Sender
from saccade.agents.engines.vllm_weights import Weights

if TYPE_CHECKING:
    from vllm import EngineArgs, RequestOutput
    from vllm.v1.engine.async_llm import AsyncLLM

R = TypeVar("R")
LEAVE = 5.0
"""Seconds that a process has to end by itself before it is killed."""


class OwnProcess:
    """A `Driver`; to be made in its event loop."""

    pace = 1.0

    def __init__(self, arguments: EngineArgs) -> None:
        from vllm.v1.engine.async_llm import AsyncLLM

        with unchanged():
            self.engine = AsyncLLM.from_vllm_config(arguments.create_engine_config(), disable_log_stats=True)
        self._sender: Sender | None = None
        self._sending: Future[Any] = Future()

    @classmethod
    async def start(cls, arguments: EngineArgs, learner: torch.device) -> OwnProcess:
        """An engine whose workers are connected with the learner.

        Args:
            arguments: of the engine, its weight transfer among them.
            learner: where the weights come from.
        """
        made = cls(arguments)
        try:
            client = AsyncClient(made.engine, asyncio.get_running_loop())
            workers = made.engine.vllm_config.parallel_config.world_size_across_dp
            backend = arguments.weight_transfer_config.backend
            made._sender = await made._aside(lambda: Sender(client, backend, learner, workers))
            await made.engine.update_weight_version("0")
        except BaseException:
            made.close()
            raise
        return made

    @property
    def dead(self) -> bool:
        """As in `Driver`."""
        return bool(self.engine.errored)

    @property
    def processes(self) -> list[Any]:
        """Those of the engine, one for each copy of the model."""
        manager = self.engine.engine_core.resources.engine_manager
        return list(manager.processes)

    async def draw(self, request: Request) -> RequestOutput | None:
        """As in `Driver`."""
        drawn = await self.engine.add_request(request.id, request.input, request.params)
        try:
            output: RequestOutput = await drawn.get()
        except asyncio.CancelledError:
            await self.engine.abort(drawn.request_id, internal=True)
            raise
        finally:
            drawn.close()
        return None if output.outputs[0].finish_reason == "abort" else output

    async def step(self) -> None:
        """A sign of life of every worker of every copy, which is given between two steps."""
        await self.engine.collective_rpc("check_health")

    async def pause(self) -> None:
        """As in `Driver`; vLLM hands back what was being drawn, and keeps what comes now for later."""
        await self.engine.pause_generation(mode="abort", clear_cache=False)

    async def load(self, weights: Weights) -> None:
        """As in `Driver`."""
        sender = self._sender
        assert sender is not None
        await self._aside(lambda: sender.send(weights))

    async def reset_caches(self) -> bool:
        """As in `Driver`."""
        await self.engine.reset_mm_cache()
        await self.engine.reset_encoder_cache()
        return bool(await self.engine.reset_prefix_cache())

    async def resume(self) -> None:
        """As in `Driver`."""
        await self.engine.resume_generation()

    async def sleep(self) -> None:
        """As in `Driver`."""
        await self.engine.sleep(level=1)

    async def wake(self) -> None:
        """As in `Driver`."""
        await self.engine.wake_up()

    def close(self) -> None:
        """As in `Driver`; returns when no process of the engine is left."""
        if self._sender and self._sending.done():
            self._sender.close()
        processes = self.processes
        self.engine.shutdown(timeout=LEAVE)
        for process in processes:  # where one died, a thread of vLLM's is stopping the others
            process.join(2 * LEAVE)

    async def _aside(self, function: Callable[[], R]) -> R:
        """Run it in a thread, since vLLM's trainer's ends block, also for what this loop has to do for them.

        A daemon: where the other end of a broadcast is gone it may never return, and must keep nothing from ending.
        """
        done: Future[R] = Future()

        def run() -> None:
            try:
                done.set_result(function())
            except BaseException as failure:
                done.set_exception(failure)

        self._sending = done
        threading.Thread(target=run, name="saccade-vllm-weights", daemon=True).start()
        return await asyncio.shield(asyncio.wrap_future(done))


class AsyncClient:
    """vLLM's weight-transfer API on an `AsyncLLM`, to be called from any thread but that of its loop."""

    def __init__(self, engine: AsyncLLM, loop: asyncio.AbstractEventLoop) -> None:
        self.version = 0
        self._engine = engine
        self._loop = loop

    def init_weight_transfer_engine(self, init_info: dict[str, Any]) -> None:
        """As in `Client` of `vllm_transfer`."""
        from vllm.distributed.weight_transfer.base import WeightTransferInitRequest

        self._wait(self._engine.init_weight_transfer_engine(WeightTransferInitRequest(init_info)))

    def start_weight_update(self) -> None:
        """As in `Client` of `vllm_transfer`."""
        self._wait(self._engine.start_weight_update())

    def update_weights(self, update_info: dict[str, Any] | list[dict[str, Any]]) -> None:
        """As in `Client` of `vllm_transfer`."""
        from vllm.distributed.weight_transfer.base import WeightTransferUpdateRequest

        self._wait(self._engine.update_weights(WeightTransferUpdateRequest(update_info)))

    def finish_weight_update(self, weight_version: str | None = None) -> None:
        """As in `Client` of `vllm_transfer`."""
        self._wait(self._engine.finish_weight_update(weight_version or str(self.version)))

    def _wait(self, doing: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(doing, self._loop).result()
