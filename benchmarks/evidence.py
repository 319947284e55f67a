"""What the runs of studies found, kept in the repository so that anybody can count it again.

    kept = Evidence("tiny-rl")
    kept.add("gui/0", facts, result)      # benchmarks/evidence/tiny-rl/gui-0.json
    kept.get("gui/0", facts)              # the result; None where there is none, or one of other facts

Training studies take hours; each run is added when it ends, and counts as long as its facts are those that a new run
would have: the settings of the study and the weights that it begins from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saccade.agents.load import model_place
from saccade.envs.replay.files import write_atomically

FOLDER = Path(__file__).parent / "evidence"


class Evidence:
    """Results by run, each with the facts it was found under."""

    def __init__(self, section: str, folder: Path = FOLDER) -> None:
        self.folder = folder / section

    def file(self, run: str) -> Path:
        """Where a run is kept."""
        return self.folder / f"{run.replace('/', '-').replace(' ', '-')}.json"

    def get(self, run: str, facts: Mapping[str, Any]) -> dict[str, Any] | None:
        """What was found under exactly these facts, if anything was."""
        if not self.file(run).exists():
            return None
        kept = json.loads(self.file(run).read_text())
        result: dict[str, Any] = kept["result"]
        return result if kept["facts"] == _plain(facts) else None

    def add(self, run: str, facts: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """Keep a result, in place of one of other facts."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"facts": _plain(facts), "result": result}, indent=0)
        write_atomically(self.file(run), [text.encode() + b"\n"])


def weights_of(model: str) -> str:
    """A name for the weights of a model folder or of a model that ships: the head of their SHA-256; "" for none."""
    if not model:
        return ""
    return hashlib.sha256((Path(model_place(model)) / "model.safetensors").read_bytes()).hexdigest()[:16]


def _plain(facts: Mapping[str, Any]) -> Any:
    """As they are once they were written and read."""
    return json.loads(json.dumps(facts, sort_keys=True))
