"""The vLLM engine: the same protocol, drawn by vLLM, on a CPU or on GPUs.

    engine = VLLMEngine("runs/digits/model", chat, VLLMEngineConfig(), max_context=4096)
    completion = await engine.generate(prompt, params, seed=7, key="task 3/0")

vLLM batches whatever replies are being drawn, step by step, and keeps the keys and values of earlier turns. Equal
seeds draw equal random numbers, but what else is in a batch moves the last bits of the log-probabilities: nothing here
is promised bit for bit. A vLLM that fails, dies or hangs is replaced by a new one with the newest weights; replies that
were being drawn are asked for again, and are aborted completions (cause `engine`, never trained on) if that fails too.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import tempfile
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from saccade.agents.chat import Chat
from saccade.agents.engines.base import Completion, Prompt, SamplingParams, StopReason
from saccade.agents.engines.options import read_options
from saccade.agents.engines.vllm_core import Core, EngineError
from saccade.agents.engines.vllm_driver import Request
from saccade.agents.engines.vllm_request import engine_input, sampling_params
from saccade.agents.engines.vllm_start import require_vllm
from saccade.agents.engines.vllm_transfer import FILE, IPC, TRANSPORTS, allow_handles, choose, engine_devices
from saccade.agents.engines.vllm_weights import Weights
from saccade.agents.load import load_model, model_place, plain_place
from saccade.envs.errors import ConfigError, near

R = TypeVar("R")
DTYPES = ("float32", "bfloat16", "float16", "auto")
TOLERANCE, HALF_TOLERANCE = 1e-3, 0.3
"""Differences in log-probability to the learner above which an engine serves other weights: in float32, in 16 bits."""
CPU = torch.device("cpu")
POLL = 0.5
"""Seconds between two looks at whether the engine still lives."""
CPU_CACHE = 256 << 20
"""Bytes of keys and values on a CPU, where vLLM would take a share of all memory."""


@dataclass(frozen=True)
class VLLMEngineConfig:
    """How vLLM runs."""

    dtype: str = "float32"
    """Of weights and activations; only `float32` agrees with the learner to 1e-4."""
    max_batch: int = 64
    """Most replies drawn together by one copy of the model."""
    max_pictures: int = 64
    """Most pictures of one prompt."""
    cache_bytes: int = 0
    """Memory for keys and values; 0 is 256 MiB on a CPU, and on a GPU what `gpu_share` leaves."""
    gpu_share: float = 0.5
    """Share of a GPU's memory that vLLM takes; the learner needs the rest where they share one."""
    tensor_parallel: int = 1
    """GPUs that hold one copy of the model together."""
    data_parallel: int = 1
    """Copies of the model, each in a process of its own; they share the replies, and every update reaches all."""
    transport: str = "auto"
    """How new weights get there: `ipc` through the memory of a GPU that learner and vLLM share, `nccl` to other GPUs,
    `file` through a file in shared memory; `auto` takes the first of these that connects their devices."""
    own_process: bool = False
    """Whether vLLM is its `AsyncLLM`, in a process of its own: slower to start, and one that hangs can be killed. It
    always is under `ipc` and `nccl`, since CUDA shares memory between processes, not inside one, and for several
    copies."""
    sleep_mode: bool = False
    """Whether `sleep` can free a GPU's memory; takes vLLM's own allocator, and does nothing on a CPU."""
    hang_seconds: float = 120.0
    """Longest time of one step or weight update; an engine that takes longer is lost."""
    start_seconds: float = 900.0
    """Longest time of a start."""
    retries: int = 1
    """How often a reply that was lost with the engine is asked for again."""
    forced_format: bool = False
    """Whether only replies that follow the agent's format can be drawn (vLLM's structured outputs). Not for training:
    their log-probabilities are those of the forced distribution, which the learner does not compute."""
    options: str = ""
    """Further arguments of vLLM's `EngineArgs` as JSON, such as `{"enable_expert_parallel": true}`."""

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise ConfigError(
                f"dtype must be one of {', '.join(DTYPES)}, got {self.dtype!r}; {near(self.dtype, DTYPES, 'dtypes')}"
            )
        if self.transport not in TRANSPORTS:
            raise ConfigError(
                f"transport must be one of {', '.join(TRANSPORTS)}, got {self.transport!r}; "
                f"{near(self.transport, TRANSPORTS, 'transports')}"
            )
        for name in ("max_batch", "max_pictures", "tensor_parallel", "data_parallel"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be >= 1, got {getattr(self, name)}")
        if not 0 < self.gpu_share <= 1:
            raise ConfigError(f"gpu_share must be above 0 and at most 1, got {self.gpu_share}")
        if min(self.hang_seconds, self.start_seconds) <= 0:
            raise ConfigError("hang_seconds and start_seconds must be > 0")
        if self.retries < 0 or self.cache_bytes < 0:
            raise ConfigError("retries and cache_bytes must be >= 0")
        self.more()

    def more(self) -> dict[str, Any]:
        """`options`, read."""
        return read_options(self.options)


class VLLMEngine:
    """Samples from vLLM.

    Args:
        model: the checkpoint: a folder or a hub id; of an adapter folder the base is started, and gets its weights.
        chat: its media processors and vocabulary.
        config: how vLLM runs.
        max_context: longest prompt with its reply, in tokens.
        learner: the device of the tensors that `update` will be given.

    Attributes:
        tolerance: how far its log-probabilities may be from the learner's, who computes in float32.
        transport: how new weights get there: `ipc`, `nccl` or `file`.

    Raises:
        ConfigError: vLLM is not installed, does not know an option, or is out of the transport's reach.
    """

    def __init__(
        self,
        model: str | Path,
        chat: Chat,
        config: VLLMEngineConfig | None = None,
        max_context: int = 4096,
        learner: torch.device = CPU,
    ) -> None:
        require_vllm()
        from vllm.config import WeightTransferConfig

        self.config = config or VLLMEngineConfig()
        self.version = 0
        self.tolerance = TOLERANCE if self.config.dtype == "float32" else HALF_TOLERANCE
        self._media = chat.media
        self._vocabulary = chat.vocabulary
        plain = plain_place(model)
        self._arguments = self._engine_args(plain, max_context)
        self._learner = learner
        self.transport = choose(self.config.transport, learner, engine_devices(self._arguments))
        self._arguments.weight_transfer_config = WeightTransferConfig(backend=self.transport)
        if self.transport == IPC:
            allow_handles()
        several = self._arguments.data_parallel_size > 1
        self._own_process = self.config.own_process or self.transport != FILE or several
        self._folder = tempfile.TemporaryDirectory(prefix="saccade-weights-", dir=_shared_memory())
        self._weights: Weights | None = None
        self._lock = threading.Lock()
        self._core = Core(self._arguments, self._own_process, learner)
        self._wait(self._core, self._core.ready)
        if plain != model_place(model):
            self.update(load_model(model, str(learner))[0].weights(), 0)

    async def generate(self, prompt: Prompt, params: SamplingParams, seed: int, key: str) -> Completion:
        """Draw one reply; `key` plays no part, since vLLM promises no order."""
        found = engine_input(prompt, self._media)
        settings = sampling_params(params, seed, self._vocabulary, self.config.forced_format)
        completion: Completion | None = None
        for _ in range(1 + self.config.retries):
            completion = await self._draw(self._running(), Request(found, settings))
            if completion.stop_reason is not StopReason.ABORT:
                break
        assert completion is not None
        return completion

    def participant(self) -> AbstractContextManager[None]:
        """Nobody is waited for."""
        return nullcontext()

    def update(self, weights: Iterable[tuple[str, Tensor]], version: int) -> None:
        """Take new weights in place; replies being drawn begin again under them.

        Args:
            weights: full tensors under their Hugging Face names, for `ipc` and `nccl` on the learner's GPU.
            version: their number, which every token drawn from now on bears.

        Raises:
            EngineError: neither this vLLM nor a new one took them.
        """
        old, self.version = self._weights, version
        if self.transport == FILE:
            self._weights = Weights.saved(weights, version, Path(self._folder.name))
        else:
            self._weights = Weights.live(weights, version)
        core = self._running()  # one that starts now takes them by itself
        try:
            self._wait(core, core.load(self._weights))
        except Exception as failure:
            core.lose(f"new weights were not taken: {failure}", failure)
            core = self._running()
            self._wait(core, core.ready)
        if old is not None and old.path not in (None, self._weights.path):
            old.path.unlink()

    def sleep(self) -> None:
        """Free the GPU's memory; what is being drawn waits for `wake`."""
        core = self._running()
        self._wait(core, core.sleep())

    def wake(self) -> None:
        """Go on with the newest weights and empty caches.

        Where the learner has changed them in place since, vLLM's own copy of them, from before it slept, has to do.
        """
        core = self._running()
        self._wait(core, core.wake(self._weights if self._weights and self._weights.intact else None))

    def close(self) -> None:
        """Stop vLLM and free what it holds."""
        self._core.close()
        self._folder.cleanup()

    async def _draw(self, core: Core, request: Request) -> Completion:
        reply = asyncio.wrap_future(core.submit(request))
        try:
            while not reply.done():
                await asyncio.wait({reply}, timeout=POLL)
                core.check(self._patience(core))
        except asyncio.CancelledError:
            core.withdraw(request)
            raise
        return reply.result()

    def _running(self) -> Core:
        """The engine, or a new one if it was lost.

        Raises:
            EngineError: it was lost, and its weights are no more.
        """
        with self._lock:
            if self._core.lost is not None:
                if self._weights and not self._weights.intact:
                    raise EngineError(
                        f"vLLM was lost ({self._core.lost}), and the learner has changed weights {self.version} since: "
                        "update the engine first, or take vllm.transport 'file', which keeps a copy"
                    )
                self._core = Core(self._arguments, self._own_process, self._learner, self._weights, after=self._core)
            return self._core

    def _wait(self, core: Core, done: Future[R]) -> R:
        while True:
            lost = core.lost
            try:
                return done.result(timeout=POLL)
            except TimeoutError:
                if lost is not None:  # since before this wait: what lost it just now says so itself
                    raise EngineError(lost) from None
                core.check(self._patience(core))

    def _patience(self, core: Core) -> float:
        return self.config.hang_seconds if core.ready.done() else self.config.start_seconds

    def _engine_args(self, model: str, max_context: int) -> Any:
        from vllm import EngineArgs
        from vllm.platforms import current_platform

        config, more = self.config, self.config.more()
        names = [field.name for field in dataclasses.fields(EngineArgs)]
        for name in more:
            if name not in names:
                raise ConfigError(f"vLLM's EngineArgs has no {name!r}; {near(name, names, 'arguments')[:200]}")
        arguments: dict[str, Any] = {
            "model": model,
            "dtype": config.dtype,
            "max_model_len": max_context,
            "max_num_seqs": config.max_batch,
            "tensor_parallel_size": config.tensor_parallel,
            "data_parallel_size": config.data_parallel,
            "gpu_memory_utilization": config.gpu_share,
            "kv_cache_memory_bytes": config.cache_bytes or None,
            "enable_sleep_mode": config.sleep_mode,
            "enable_prefix_caching": True,
            "limit_mm_per_prompt": {"image": config.max_pictures, "video": 0},
            "mm_processor_cache_gb": 0,  # our own processors have a cache
            "mm_device_do_normalize": False,  # and have normalised
            "skip_mm_profiling": True,
            "logprobs_mode": "processed_logprobs",  # log_softmax(mask(logits) / T), as sampled
            "generation_config": "vllm",  # nothing of the checkpoint's own sampling settings
            "worker_extension_cls": "saccade.agents.engines.vllm_worker.WorkerExtension",
            "disable_log_stats": True,
        }
        if current_platform.is_cpu():
            arguments |= {
                "enforce_eager": True,
                "kv_cache_memory_bytes": config.cache_bytes or CPU_CACHE,
                "enable_chunked_prefill": False,  # a seeded draw of a cut prompt kills vLLM on a CPU
                "max_num_batched_tokens": max(max_context, 8192),
                "enable_sleep_mode": False,
            }
        return EngineArgs(**arguments | more)


def _shared_memory() -> str | None:
    """A folder in memory where there is one."""
    folder = Path("/dev/shm")
    return str(folder) if folder.is_dir() and os.access(folder, os.W_OK) else None
