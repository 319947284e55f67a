"""The worker's end of our own weight transfer: new weights from a safetensors file in shared memory.

Importing this module registers it with vLLM, as `file`, beside vLLM's own `ipc` and `nccl`. Each worker does so because
its `worker_extension_cls` is here.
"""

from __future__ import annotations

from dataclasses import dataclass

from vllm.distributed.weight_transfer import WeightTransferEngine, WeightTransferEngineFactory
from vllm.distributed.weight_transfer.base import WeightTransferInitInfo, WeightTransferUpdateInfo
from vllm.model_executor.model_loader.mtp_validation import disable_mtp_completeness_check
from vllm.model_executor.model_loader.reload import finalize_layerwise_reload, initialize_layerwise_reload

from saccade.agents.engines.vllm_transfer import FILE
from saccade.agents.engines.vllm_weights import tensors


class WorkerExtension:
    """Mixed into vLLM's worker class; adds nothing to it."""


@dataclass
class FileInitInfo(WeightTransferInitInfo):  # type: ignore[misc]  # vLLM is not there where types are checked
    """Nothing has to be agreed on."""


@dataclass
class FileUpdateInfo(WeightTransferUpdateInfo):  # type: ignore[misc]
    """Where the file of an update is."""

    path: str


class FileWeightTransferEngine(WeightTransferEngine[FileInitInfo, FileUpdateInfo]):  # type: ignore[misc]
    """Loads weights in place, fusing, sharding and repacking them as at the start.

    A worker of a tensor-parallel group reads the whole file and keeps its share of each tensor.
    """

    init_info_cls = FileInitInfo
    update_info_cls = FileUpdateInfo

    def init_transfer_engine(self, init_info: FileInitInfo) -> None:
        """There is nothing to connect."""

    def start_weight_update(self) -> None:
        """Let each layer be loaded anew, in its checkpoint's layout."""
        initialize_layerwise_reload(self.model)

    def receive_weights(self, update_info: FileUpdateInfo) -> None:
        """Load the file, under Hugging Face names."""
        with disable_mtp_completeness_check():
            self.model.load_weights(tensors(update_info.path))

    def finish_weight_update(self) -> None:
        """Bring the layers back into the layout that they compute in."""
        finalize_layerwise_reload(self.model, self.model_config)

    def shutdown(self) -> None:
        """There is nothing to disconnect."""


WeightTransferEngineFactory.register_engine(FILE, FileWeightTransferEngine)
