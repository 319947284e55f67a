"""How new weights reach vLLM: by its own weight-transfer API, over one of three transports.

    transport = choose("auto", learner=torch.device("cuda:0"), engine=[torch.device("cuda:1")])  # "nccl"
    sender = Sender(client, transport, torch.device("cuda:0"), workers=1)
    sender.send(Weights.live(learner.weights(), version=7))  # every later token bears version 7

Either side of a transfer is vLLM's: a trainer's end here, a worker's end in each worker. `ipc` shows the workers the
learner's own memory on the GPU that both use, `nccl` broadcasts from one GPU to others. `file` is ours
(`vllm_worker.py`): a safetensors file in shared memory, for CPUs, and for GPUs that are shared only in part.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from saccade.agents.engines.vllm_weights import Weights
from saccade.envs.errors import ConfigError

if TYPE_CHECKING:
    from vllm import EngineArgs
    from vllm.distributed.weight_transfer import ParamMeta
    from vllm.distributed.weight_transfer.base import TrainerInitInfo

AUTO, IPC, NCCL, FILE = TRANSPORTS = ("auto", "ipc", "nccl", "file")
FITS = {IPC: "shares memory on one GPU", NCCL: "connects different GPUs"}
SERIALIZE = "VLLM_ALLOW_INSECURE_SERIALIZATION"


def choose(asked: str, learner: torch.device, engine: Sequence[torch.device]) -> str:
    """The transport from the learner's device to the engine's.

    Args:
        asked: one of `TRANSPORTS`; `auto` takes the one that copies least.
        learner: where the weights are trained.
        engine: where vLLM's workers are, one device each.

    Raises:
        ConfigError: the transport that was asked for does not connect these devices.
    """
    if learner == torch.device("cuda"):
        learner = torch.device("cuda", 0)  # the current one of a new thread, such as the engine's
    if {learner.type, *(each.type for each in engine)} != {"cuda"}:
        fits = FILE
    elif set(engine) == {learner}:
        fits = IPC
    else:
        fits = FILE if learner in engine else NCCL
    if asked in (AUTO, FILE, fits):
        return fits if asked == AUTO else asked
    raise ConfigError(
        f"vllm.transport {asked!r} {FITS[asked]}, but the learner is on {learner} and vLLM on "
        f"{', '.join(map(str, engine))}: take {fits!r}, or 'auto'"
    )


def engine_devices(arguments: EngineArgs) -> list[torch.device]:
    """Where vLLM will put its workers, one device each, in the numbers of this process.

    Raises:
        ConfigError: `device_ids` are not the numbers of that many GPUs.
    """
    from vllm.platforms import current_platform

    if current_platform.is_cpu():
        return [torch.device("cpu")]
    count = arguments.tensor_parallel_size * arguments.pipeline_parallel_size * arguments.data_parallel_size
    ids = arguments.device_ids or list(range(count))
    if len(ids) < count or not all(isinstance(each, int) for each in ids):
        raise ConfigError(f"vllm.options device_ids must be the numbers of {count} GPUs, got {ids}")
    return [torch.device("cuda", each) for each in ids[:count]]


def allow_handles() -> None:
    """Let vLLM pickle what it sends to its own child process, as handles of CUDA memory have to be."""
    from vllm.envs import disable_envs_cache

    os.environ.setdefault(SERIALIZE, "1")
    disable_envs_cache()  # an engine that ran in this process has read the environment for good, and answers would hang


class Stream:
    """The tensors that a trainer's end reads: vLLM's `WeightSource`, in which every update puts its own."""

    def __init__(self) -> None:
        self.tensors: Sequence[tuple[str, Tensor]] = ()

    def metadata(self) -> list[ParamMeta]:
        """Name, dtype and shape of each, in the order of iteration."""
        from vllm.distributed.weight_transfer import ParamMeta

        return [ParamMeta(name, tensor.dtype, tuple(tensor.shape)) for name, tensor in self.tensors]

    def __iter__(self) -> Iterator[tuple[str, Tensor]]:
        return iter(self.tensors)


class Client(Protocol):
    """vLLM's weight-transfer API on an engine in our hands: what vLLM calls a `VLLMWeightSyncClient`.

    Attributes:
        version: the label of what the weights of the next update sample, since no trainer's end gives one.
    """

    version: int

    def init_weight_transfer_engine(self, init_info: dict[str, Any]) -> None:
        """Connect the workers' ends."""

    def start_weight_update(self) -> None:
        """Make the workers' models ready to be loaded anew."""

    def update_weights(self, update_info: dict[str, Any] | list[dict[str, Any]]) -> None:
        """Load weights; `update_info` says where they are."""

    def finish_weight_update(self, weight_version: str | None = None) -> None:
        """Put the loaded weights to use, under this label, or `version`."""


class Sender:
    """The learner's end of one engine's weight transfer; its methods block.

    Args:
        client: of a running engine, started with `transport` as its `WeightTransferConfig`.
        transport: `ipc`, `nccl` or `file`.
        learner: where the weights are trained.
        workers: how many the engine has, in all its copies.
    """

    def __init__(self, client: Client, transport: str, learner: torch.device, workers: int = 1) -> None:
        self._client = client
        self._stream = Stream()
        self._learner = learner
        self._trainer: Any = None
        if transport == FILE:
            self._client.init_weight_transfer_engine({})
            return
        from vllm.distributed.weight_transfer import WeightTransferTrainerFactory

        info = trainer_info(transport, workers)
        with self._on_learner():
            self._trainer = WeightTransferTrainerFactory.trainer_init(info, client=self._client, source=self._stream)

    def send(self, weights: Weights) -> None:
        """Replace all weights of the engine; caches are the caller's to empty."""
        self._client.version = weights.version
        if self._trainer is None:
            self._client.start_weight_update()
            self._client.update_weights({"path": str(weights.path)})
            self._client.finish_weight_update()
            return
        self._stream.tensors = weights.tensors
        with self._on_learner():
            torch.cuda.synchronize()  # the optimiser's last step, which the transfer's streams do not wait for
            self._trainer.send_weights()

    def close(self) -> None:
        """Take down the connection."""
        if self._trainer is not None:
            self._trainer.shutdown()

    def _on_learner(self) -> AbstractContextManager[Any]:
        """Each thread has a current GPU of its own, which vLLM's trainer's ends take."""
        return torch.cuda.device(self._learner) if self._learner.type == "cuda" else nullcontext()


def trainer_info(transport: str, workers: int) -> TrainerInitInfo:
    """What vLLM's trainer's end is made from.

    Args:
        transport: `ipc` or `nccl`.
        workers: how many there are; the learner comes before them, as rank 0.
    """
    if transport == IPC:
        from vllm.distributed.weight_transfer.ipc_engine import IPCTrainerInitInfo

        # Unpacked: the workers read the learner's tensors where they are, and none is too large for a buffer.
        return IPCTrainerInitInfo(rank=0)
    from vllm.distributed.weight_transfer.nccl_engine import NCCLTrainerInitInfo
    from vllm.utils.network_utils import get_open_port

    return NCCLTrainerInitInfo(rank=0, master_address="127.0.0.1", master_port=get_open_port(), world_size=1 + workers)
