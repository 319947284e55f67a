"""The curve of a pretraining run: one JSON line a step, which a resumed run goes on with.

curve = Curve(Path("runs/tiny/curve.jsonl"), steps=200)
curve.add(201, {"sft/loss": 0.7})
"""

from __future__ import annotations

import json
from pathlib import Path

from saccade.envs.replay.files import write_atomically


class Curve:
    """Metrics of each step, one JSON line each; what lies beyond the step to go on from is dropped.

    Args:
        path: the file.
        steps: how many steps of it hold.
    """

    def __init__(self, path: Path, steps: int) -> None:
        self.path = path
        kept = [line for line in read_curve(path) if line["step"] <= steps] if path.exists() else []
        write_atomically(path, (json.dumps(line).encode() + b"\n" for line in kept))

    def add(self, step: int, metrics: dict[str, float]) -> None:
        """Append one step."""
        with self.path.open("a") as file:
            file.write(json.dumps({"step": step} | metrics) + "\n")


def read_curve(path: Path) -> list[dict[str, float]]:
    """The lines of a curve; a last one that was cut off while it was written does not count."""
    text = path.read_text()
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
