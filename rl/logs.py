"""Where the numbers of a run go: JSON lines, TensorBoard, and a progress display for people."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from saccade.envs.errors import StoreError
from saccade.envs.replay.files import write_atomically


class MetricLog:
    """Writes metrics of each update to `metrics.jsonl` and to TensorBoard.

    Args:
        folder: of the run.
        resume_at: lines of this update and later ones are dropped first, so a resumed run never logs twice.
    """

    def __init__(self, folder: Path, resume_at: int = 0) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.path = folder / "metrics.jsonl"
        kept = [line for line in read_metrics(self.path) if line["update"] < resume_at]
        write_atomically(self.path, (json.dumps(line).encode() + b"\n" for line in kept))
        try:
            self._file = self.path.open("a")
        except OSError as error:
            raise StoreError(f"cannot write {self.path}: {error}; free space or choose another run folder") from error
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=resume_at)

    def write(self, update: int, metrics: Mapping[str, float]) -> None:
        """Log the metrics of one update; numbers that are not finite become null."""
        plain = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
        try:
            self._file.write(json.dumps({"update": update} | plain) + "\n")
            self._file.flush()
        except OSError as error:
            raise StoreError(f"cannot write {self.path}: {error}; free space, then resume the run") from error
        for name, value in metrics.items():
            self._board.add_scalar(name, value, update)

    def close(self) -> None:
        """Flush and close."""
        self._file.close()
        self._board.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All whole lines of a metrics file; a torn last line is left out."""
    if not path.exists():
        return []
    lines = []
    for line in path.read_text().splitlines():
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return lines
