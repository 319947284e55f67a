"""MiniWoB++ tasks (arXiv 1802.08802) from the pages of the `miniwob` package, without Selenium.

    gym.make("saccade/MiniWoB-click-checkboxes-v0", observe=("screenshot", "tree"), actions=("coord", "ref"))

A page draws its task from `Math.random`, which is seeded with a number of this episode. Every episode is a page of its
own: the pages' own restart leaves widgets behind. The ten-second clock is switched off, and neither pictures nor trees
show the display of past rewards.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from saccade.envs.episode import Cause, Demo
from saccade.envs.errors import ActionError, ConfigError, near
from saccade.envs.gui.hands import MAX_SCROLL, Hands
from saccade.envs.gui.miniwob_demos import SOLVERS, Page
from saccade.envs.gui.miniwob_tasks import ANIMATED, TASKS, TURNS
from saccade.envs.gui.page import PageEnv, Verdict
from saccade.envs.gui.site import ASSETS, Site
from saccade.envs.gui.tab import Tab
from saccade.envs.gui.tree import Tree
from saccade.envs.gui.window import Window

AREA = (160, 210)
"""Width and height in CSS pixels of a task."""
WINDOW = (332, 214)
"""What the pages are laid out for: the task at the left, the display of past rewards beside it."""


@dataclass(frozen=True)
class PageSeed:
    """The content of one episode: a task and the seed of its page."""

    task: str
    seed: int


class MiniWoB(PageEnv):
    """One task of MiniWoB++, on its own page; pictures show its 160 x 210 pixels.

    The reward is the page's raw reward, without its discount for time, cut off below at 0 and above at 1: pages give -1
    for a failure, and some of them parts of a point, which are kept. A raw reward of 1 is the goal, less is a failure.
    `info["raw_reward"]` and `info["reason"]` are the page's own words. The wheel turns where the mouse is.

    Args:
        task: one of `miniwob_tasks.TASKS`, such as `click-test-2`.
        page: `observe`, `actions`, `scale`, `split`, `max_turns` (10, for some tasks more), `error_penalty`,
            `render_mode`, `fresh_context`, `timeout`.
    """

    instructions = "Do what the yellow box says."
    max_turns = 10
    viewport = WINDOW
    area = AREA

    def __init__(self, *, task: str, **page: Any) -> None:
        if task not in TASKS:
            raise ConfigError(f"miniwob has no task {task!r}; {near(task, TASKS, 'tasks')}")
        if page.get("viewport") is not None:
            raise ConfigError("the pages of MiniWoB++ have one viewport; `scale` makes their pictures larger")
        self.max_turns = TURNS.get(task, self.max_turns)
        super().__init__(**page)
        self.task = task
        self.site = Site(miniwob_html())
        self.home = f"miniwob/{task}.html"
        self.deterministic_pictures = task not in ANIMATED

    def pose(self, rng: np.random.Generator) -> str:
        """Draw the seed of the page; what it says is the goal, which is known once it has begun."""
        self._seed = self.draw(lambda rng: PageSeed(self.task, int(rng.integers(2**31))), rng).seed
        return ""

    async def prepare(self, tab: Tab) -> None:
        """Seed the page and start its episode."""
        await tab.point(0, 0)  # or what lies under the mouse of the episode before would know it
        self.goal = await tab.evaluate(f"{_helpers()}; saccade.begin({json.dumps(str(self._seed))})")

    async def read(self, tab: Tab) -> Any:
        """What the page says of itself; elsewhere what it said last."""
        found = await tab.evaluate("window.saccade?.read()")
        return self.sight.page if found is None else found

    def judge(self, page: Any) -> Verdict | None:
        """The page's own reward, between 0 and 1."""
        if not page["done"]:
            return None
        raw = float(page["reward"])
        info = {"raw_reward": raw, "reason": page["reason"]}
        return Verdict(min(max(raw, 0.0), 1.0), Cause.GOAL if raw >= 1 else Cause.FAILED, info)

    def hands(self, window: Window, tree: Tree) -> Hands:
        """Hands whose wheel turns where the mouse is."""
        return _Hands(window, tree, self.scale)

    def demo(self) -> Iterator[Demo]:
        """The next turn of a solution by pixels; nothing for tasks without one in `SOLVERS`."""
        solver = SOLVERS.get(self.task)
        while solver and "coord" in self.groups and not self.sight.page["done"]:
            seen = self.on_page(lambda tab: tab.evaluate("window.saccade?.look()"))
            page = Page.of(seen, self.scale) if seen else None
            step = solver(page) if page else None
            if page is None or step is None:
                return
            yield Demo(step.action, step.thought, page.caption())


class ClickTest2(MiniWoB):
    """Click the one of two buttons that is named."""

    def __init__(self, **page: Any) -> None:
        super().__init__(task="click-test-2", **page)


class _Hands(Hands):
    async def scroll(self, delta_x: float, delta_y: float) -> None:
        if max(abs(delta_x), abs(delta_y)) > MAX_SCROLL:
            raise ActionError(f"scroll takes at most {MAX_SCROLL:g} pixels, got ({delta_x:g}, {delta_y:g})")
        x, y = await self.tab.evaluate("window.saccade?.mouse()") or (AREA[0] / 2, AREA[1] / 2)
        await self.tab.wheel(x, y, delta_x / self.scale, delta_y / self.scale)


@lru_cache
def miniwob_html() -> Path:
    """The folder of pages inside the `miniwob` package, which is not imported: it would import Selenium."""
    spec = importlib.util.find_spec("miniwob")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (Path(folder) / "html" / "miniwob").is_dir():
            return Path(folder) / "html"
    raise ConfigError("the MiniWoB tasks need the pages of the miniwob package: run `pip install 'saccade[gui]'`")


@lru_cache
def _helpers() -> str:
    return (ASSETS / "miniwob.js").read_text(encoding="utf-8")
