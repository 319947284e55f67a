"""What each vLLM worker can do besides vLLM's own: take new weights from a file in shared memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safetensors import safe_open

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

TAKE_WEIGHTS = "take_weights"
"""The worker method that `WeightsFromFile` adds."""


class WeightsFromFile:
    """Mixed into vLLM's worker class (`worker_extension_cls`)."""

    if TYPE_CHECKING:

        def reload_weights(self, weights_iterator: Iterable[tuple[str, Tensor]]) -> None:
            """Of vLLM: load in place, fusing, sharding and repacking as at the start."""

    def take_weights(self, path: str) -> None:
        """Load all tensors of a safetensors file, under their Hugging Face names.

        A worker of a tensor-parallel group keeps its share of each.
        """
        with safe_open(path, framework="pt") as file:
            self.reload_weights(weights_iterator=((name, file.get_tensor(name)) for name in file.keys()))  # noqa: SIM118
