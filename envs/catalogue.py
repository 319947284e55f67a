"""What there is: each registered environment with its family and what is done in it, without importing any.

for row in catalogue("clock"):
    print(row.id, row.family, row.summary)
"""

from __future__ import annotations

import ast
import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from saccade.envs import ENVIRONMENTS, YOURS
from saccade.envs.gui.miniwob_tasks import TASKS

PREFIX = "saccade.envs."


@dataclass(frozen=True)
class Entry:
    """A registered environment."""

    id: str
    family: str
    """`gui`, `embodied`, `qa` or `bridge`."""
    summary: str
    """The first sentence of its class's documentation."""


def catalogue(text: str = "") -> list[Entry]:
    """The environments whose id, family or summary holds a text, in order of registration.

    All for an empty text, but for the tasks of MiniWoB++, which are too many to be looked through.
    """
    entries = []
    for id, entry in (ENVIRONMENTS | YOURS).items():
        module, name = entry.split(":")
        entries.append(Entry(id, module.removeprefix(PREFIX).split(".")[0], _summaries(module).get(name, "")))
    if text:
        known = {entry.id for entry in entries}
        ids = {f"saccade/MiniWoB-{task}-v0": task for task in TASKS}
        entries += [
            Entry(id, "gui", f"{task.replace('-', ' ').capitalize()}, of MiniWoB++.")
            for id, task in ids.items()
            if id not in known
        ]
    wanted = text.lower()
    return [entry for entry in entries if wanted in f"{entry.id} {entry.family} {entry.summary}".lower()]


@cache
def _summaries(module: str) -> dict[str, str]:
    """Class -> first sentence of its docstring, from the source: what it imports need not be installed."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return {}
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return {node.name: (ast.get_docstring(node) or "").split("\n")[0] for node in classes}
