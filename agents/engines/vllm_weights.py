"""One version of all weights on their way to vLLM: the learner's own tensors, or a file of them.

    weights = Weights.saved(learner.weights(), version=7, folder=Path("/dev/shm/run"))
    dict(tensors(str(weights.path)))

A vLLM that has to be replaced is given them again, so they are kept until the next ones come.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

HEAD, EMBEDDING = "lm_head.weight", "embed_tokens.weight"


@dataclass(frozen=True)
class Weights:
    """One version of all weights, under their Hugging Face names.

    Attributes:
        version: its number.
        path: a safetensors file of them, for `file`.
        tensors: for the others the learner's own, which it may change in place later.
        hashes: of their values, one a tensor.
    """

    version: int
    path: Path | None = None
    tensors: tuple[tuple[str, Tensor], ...] = ()
    hashes: tuple[int, ...] = ()

    @classmethod
    def live(cls, weights: Iterable[tuple[str, Tensor]], version: int) -> Weights:
        """The tensors themselves, on the learner's GPU; nothing is copied."""
        tensors = tuple((name, tensor.detach()) for name, tensor in weights)
        return cls(version, None, tensors, hashes(tensors))

    @classmethod
    def saved(cls, weights: Iterable[tuple[str, Tensor]], version: int, folder: Path) -> Weights:
        """A copy in a file of this folder."""
        path = folder / f"{version}.safetensors"
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in weights}, path)
        return cls(version, path)

    @property
    def intact(self) -> bool:
        """Whether they still are those of `version`."""
        return hashes(self.tensors) == self.hashes and (self.path is None or self.path.exists())


def hashes(tensors: Sequence[tuple[str, Tensor]]) -> tuple[int, ...]:
    """One number a tensor that changes with its values; fused optimisers leave PyTorch's own counters as they are."""
    found = [torch.hash_tensor(tensor).view(torch.int64) for _, tensor in tensors]
    return tuple(torch.stack(found).tolist()) if found else ()


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
