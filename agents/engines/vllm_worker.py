"""What each vLLM worker can do besides vLLM's own: take new weights from a file in shared memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safetensors import safe_open

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Tensor

TAKE_WEIGHTS = "take_weights"
"""The worker method that `WeightsFromFile` adds."""
HEAD, EMBEDDING = "lm_head.weight", "embed_tokens.weight"


class WeightsFromFile:
    """Mixed into vLLM's worker class (`worker_extension_cls`)."""

    if TYPE_CHECKING:

        def reload_weights(self, weights_iterator: Iterable[tuple[str, Tensor]]) -> None:
            """Of vLLM: load in place, fusing, sharding and repacking as at the start."""

    def take_weights(self, path: str) -> None:
        """Load all tensors of a safetensors file, under their Hugging Face names.

        A worker of a tensor-parallel group keeps its share of each.
        """
        self.reload_weights(weights_iterator=tensors(path))


def tensors(path: str) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a safetensors file, one by one.

    Where the output layer is the embedding, the file holds it once. vLLM has to be given it twice: on a CPU it keeps a
    repacked copy for the output layer, which it renews only when that is loaded.
    """
    with safe_open(path, framework="pt") as file:
        names = list(file.keys())
        for name in names:
            yield name, file.get_tensor(name)
        if HEAD not in names:
            yield HEAD, file.get_tensor(next(name for name in names if name.endswith(EMBEDDING)))
