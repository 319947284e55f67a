"""vLLM in this process: its `LLMEngine`, stepped by us. The quickest start, but one that hangs cannot be killed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import torch

from saccade.agents.engines.vllm_driver import Request
from saccade.agents.engines.vllm_start import unchanged
from saccade.agents.engines.vllm_transfer import Sender
from saccade.agents.engines.vllm_weights import Weights

if TYPE_CHECKING:
    from vllm import EngineArgs, RequestOutput
    from vllm.v1.engine.llm_engine import LLMEngine


class InProcess:
    """A `Driver`; blocks its event loop while the model computes.

    Args:
        arguments: of the engine, its weight transfer among them.
        learner: where the weights come from.
    """

    pace = 0.0
    dead = False

    def __init__(self, arguments: EngineArgs, learner: torch.device) -> None:
        from vllm.v1.engine.llm_engine import LLMEngine

        with unchanged():
            self.engine = LLMEngine.from_engine_args(arguments)
        self._replies: dict[str, asyncio.Future[RequestOutput | None]] = {}
        self._sender = Sender(StepClient(self.engine), arguments.weight_transfer_config.backend, learner)
        self.engine.set_weight_version("0")

    async def draw(self, request: Request) -> RequestOutput | None:
        """As in `Driver`."""
        self.engine.add_request(request.id, request.input, request.params)
        self._replies[request.id] = reply = asyncio.get_running_loop().create_future()
        try:
            return await reply
        except asyncio.CancelledError:
            self.engine.abort_request([request.id])
            raise
        finally:
            del self._replies[request.id]

    async def step(self) -> None:
        """One step of all replies, by a token each."""
        for output in self.engine.step():
            reply = self._replies[output.request_id]
            if output.finished and not reply.done():
                reply.set_result(output)

    async def pause(self) -> None:
        """As in `Driver`."""
        self.engine.abort_request(list(self._replies))
        for reply in self._replies.values():
            if not reply.done():
                reply.set_result(None)

    async def load(self, weights: Weights) -> None:
        """As in `Driver`."""
        self._sender.send(weights)

    async def reset_caches(self) -> bool:
        """As in `Driver`."""
        self.engine.reset_mm_cache()
        self.engine.reset_encoder_cache()
        return bool(self.engine.reset_prefix_cache())

    async def resume(self) -> None:
        """There is nothing to do: an engine that nobody steps is paused."""

    async def sleep(self) -> None:
        """As in `Driver`."""
        self.engine.sleep(level=1)

    async def wake(self) -> None:
        """As in `Driver`."""
        self.engine.wake_up()

    def close(self) -> None:
        """As in `Driver`."""
        self._sender.close()
        self.engine.engine_core.shutdown()


class StepClient:
    """vLLM's weight-transfer API on an `LLMEngine`."""

    def __init__(self, engine: LLMEngine) -> None:
        self.version = 0
        self._engine = engine

    def init_weight_transfer_engine(self, init_info: dict[str, Any]) -> None:
        """As in `Client` of `vllm_transfer`."""
        self._engine.collective_rpc("init_weight_transfer_engine", kwargs={"init_info": init_info})

    def start_weight_update(self) -> None:
        """As in `Client` of `vllm_transfer`."""
        self._engine.collective_rpc("start_weight_update")

    def update_weights(self, update_info: dict[str, Any] | list[dict[str, Any]]) -> None:
        """As in `Client` of `vllm_transfer`."""
        self._engine.collective_rpc("update_weights", kwargs={"update_info": update_info})

    def finish_weight_update(self, weight_version: str | None = None) -> None:
        """As in `Client` of `vllm_transfer`."""
        self._engine.collective_rpc("finish_weight_update")
        self._engine.set_weight_version(weight_version or str(self.version))
