"""A site of one's own, as docs/gui.md adds it: a page (`todo.html`), and a task on it.

PYTHONPATH=examples saccade envs "todo:Urgent-v0"
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from saccade.envs.gui.sites.base import Click, SiteEnv, SiteTask, Write, task

CHORES = ("bread", "letter", "bike", "plants", "taxes", "windows", "shoes", "guitar", "garden", "photos")


class Urgent(SiteEnv):
    """Mark one chore as urgent; there are three, six or nine of them."""

    document = Path(__file__).with_suffix(".html")

    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw a list and one of its chores."""
        chores = rng.permutation(CHORES)[: 3 * self.level].tolist()
        wanted = str(rng.choice(chores))
        begin = {"open": chores, "urgent": None}
        return task(f"Mark {wanted} as urgent.", begin, begin | {"urgent": wanted})

    def next(self, page: Mapping[str, Any]) -> Click | Write | None:
        """Open the chore, and mark it."""
        wanted = self.wanted["urgent"]
        if page["path"] == ["item", wanted]:
            return Click("button", "Mark as urgent")
        return Click("link", wanted) if page["path"] == [""] else Click("link", "List")


if "Urgent-v0" not in gym.registry:
    gym.register("Urgent-v0", entry_point=Urgent)
