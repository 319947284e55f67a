"""Processes that learn together: each has its own episodes and its own copy of the model, and they add their gradients.

    ranks = Ranks.join(rank, size, folder)      # in every process; Ranks() is one process alone
    learner = Learner(backbone, chat, config, total_steps, ranks=ranks)

Sums are the same on every rank, bit for bit, and with two ranks they do not depend on the order either, so that copies
of the model never part.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from saccade.envs.errors import ConfigError, SaccadeError

PATIENCE = timedelta(minutes=10)
"""How long a rank waits for the others before it gives up."""


class RankError(SaccadeError, RuntimeError):
    """A process of a group ended before its work was done."""


@dataclass(frozen=True)
class Ranks:
    """This process among those that learn together; alone by default."""

    rank: int = 0
    size: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.size:
            raise ConfigError(f"rank must be between 0 and {self.size - 1}, got {self.rank}")

    @classmethod
    def join(cls, rank: int, size: int, meeting: Path) -> Ranks:
        """Meet the other processes through a file that did not exist before."""
        if size > 1:
            torch.distributed.init_process_group(
                "gloo", init_method=f"file://{meeting.resolve()}", rank=rank, world_size=size, timeout=PATIENCE
            )
        return cls(rank, size)

    def leave(self) -> None:
        """Part from the others."""
        if self.size > 1:
            torch.distributed.destroy_process_group()

    def sum(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all ranks; one message for all of them."""
        if self.size == 1 or not tensors:
            return
        flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
        torch.distributed.all_reduce(flat)
        for tensor, part in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))

    def total(self, values: Mapping[str, float]) -> dict[str, float]:
        """Sum of each number over all ranks, which must have the same names; the largest one of `.../max`."""
        if self.size == 1 or not values:
            return dict(values)
        names = sorted(values)
        summed = torch.tensor([values[name] for name in names], dtype=torch.float64)
        largest = summed.clone()
        torch.distributed.all_reduce(summed)
        torch.distributed.all_reduce(largest, torch.distributed.ReduceOp.MAX)
        return {
            name: float(largest[index] if name.endswith("/max") else summed[index]) for index, name in enumerate(names)
        }


def in_ranks(size: int, work: Callable[..., None], *arguments: Any, meeting: Path) -> None:
    """Run `work(ranks, *arguments)` in `size` processes that know each other; in this one if there is only one.

    Args:
        size: how many.
        work: a function of a module, as new processes must find it.
        *arguments: handed to each; they must survive pickling where there are several processes.
        meeting: a file that does not exist yet, in a folder that does.

    Raises:
        RankError: one of them failed; the others were stopped. Its own error is on stderr.
    """
    if size == 1:
        work(Ranks(), *arguments)
        return
    # A server that has imported the work already forks the ranks: importing it in each would take seconds.
    method = "forkserver" if "forkserver" in torch.multiprocessing.get_all_start_methods() else "spawn"
    context: Any = torch.multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload([work.__module__])
    processes = [
        context.Process(target=_rank, args=(rank, size, meeting, work, arguments), name=f"rank {rank}")
        for rank in range(size)
    ]
    for process in processes:
        process.start()
    try:
        while any(process.is_alive() for process in processes):
            sentinels = [process.sentinel for process in processes if process.is_alive()]
            wait(sentinels)
            for process in processes:
                if process.exitcode:
                    raise RankError(
                        f"{process.name} of {size} ended with status {process.exitcode}: its error is above"
                    )
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()
            process.join()


def _rank(rank: int, size: int, meeting: Path, work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    threading.Thread(target=_end_with_parent, name="saccade-parent", daemon=True).start()
    torch.set_num_threads(1)
    ranks = Ranks.join(rank, size, meeting)
    work(ranks, *arguments)
    ranks.leave()


def _end_with_parent() -> None:
    """End this process when the one that started it was killed: two runs must never write to one folder."""
    parent: Any = torch.multiprocessing.parent_process()
    wait([parent.sentinel])
    os._exit(1)
