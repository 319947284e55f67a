"""MiniWoB++ tasks (arXiv 1802.08802) from the pages of the `miniwob` package, without Selenium.

    gym.make("saccade/MiniWoB-click-test-2-v0")

A page draws its task from `Math.random`, which is seeded with a number of this episode. Every episode is a page of its
own: the pages' own restart leaves widgets behind. The ten-second clock is switched off, and the display of past rewards
lies outside the picture, which is the 160 x 210 pixels of the task.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from saccade.envs.actions import ActionSet, Call
from saccade.envs.core import Outcome
from saccade.envs.episode import Cause, Demo
from saccade.envs.errors import ConfigError, WorldFailure, near
from saccade.envs.gui.base import CLICK, PRESS, TYPE, BrowserEnv
from saccade.envs.gui.observe import picture
from saccade.envs.gui.site import ASSETS, Site
from saccade.envs.gui.tab import Tab
from saccade.envs.observation import Observation

PICTURE = (160, 210)
VIEWPORT = (332, 214)
"""What the pages are laid out for: the task at the left, the display of rewards beside it."""


@dataclass(frozen=True)
class PageSeed:
    """The content of one episode: a task and the seed of its page."""

    task: str
    seed: int


class MiniWoB(BrowserEnv):
    """One task of MiniWoB++, on its own page.

    The reward is the page's raw reward without its discount for time, -1 to 1; at 1 the task is solved.

    Args:
        task: name of the page, such as `click-test-2`.
        browser: `split`, `max_turns` (10), `error_penalty`, `render_mode`, `fresh_context`, `timeout`.
    """

    instructions = "Do what the yellow box says."
    action_format = ActionSet(CLICK, TYPE, PRESS)
    max_turns = 10
    viewport = VIEWPORT

    def __init__(self, *, task: str, **browser: Any) -> None:
        super().__init__(**browser)
        root = miniwob_html()
        known = {page.stem for page in (root / "miniwob").glob("*.html")}
        if task not in known:
            raise ConfigError(f"miniwob has no task {task!r}; {near(task, known, 'tasks')}")
        self.task = task
        self.site = Site(root)
        self.home = f"miniwob/{task}.html"

    @property
    def picture_size(self) -> tuple[int, int]:
        """The task area."""
        return PICTURE

    def begin(self, rng: np.random.Generator) -> Observation:
        """Load the page, seed it and start its episode."""
        content = self.draw(lambda rng: PageSeed(self.task, int(rng.integers(2**31))), rng)
        script = f"{_helpers()}; saccade.begin({json.dumps(str(content.seed))})"

        async def start(tab: Tab) -> tuple[Any, bytes | None]:
            await tab.evaluate(script)
            return await self._look(tab)

        self._page, png = self.open_page(start)
        if png is None:
            raise WorldFailure(f"the page of {self.task} was over before it began")
        return Observation.of(self._page["utterance"], picture(png, PICTURE))

    def act(self, call: Call) -> Outcome:
        """Use mouse or keyboard on the page."""
        self.check(call)

        async def use(tab: Tab) -> tuple[Any, bytes | None]:
            await self.perform(tab, call)
            return await self._look(tab)

        self._page, png = self.on_page(use)
        if png is not None:
            return Outcome(Observation.of(self._page["utterance"], picture(png, PICTURE)))
        reward = float(self._page["reward"])
        ended = Cause.GOAL if reward >= 1 else Cause.FAILED
        info = {"reason": self._page["reason"]}
        return Outcome(Observation.of("The task is over."), reward=reward, ended=ended, info=info)

    def state(self) -> Any:
        """The page's elements with their boxes and values, and its reward."""
        return {key: value for key, value in self._page.items() if key != "buttons"}

    @staticmethod
    async def _look(tab: Tab) -> tuple[Any, bytes | None]:
        await tab.settle()
        page = await tab.evaluate("saccade.read()")
        return page, None if page["done"] else await tab.screenshot()  # once done, the page covers itself


class ClickTest2(MiniWoB):
    """Click the one of two buttons that is named."""

    max_turns = 3

    def __init__(self, **browser: Any) -> None:
        super().__init__(task="click-test-2", **browser)

    def demo(self) -> Iterator[Demo]:
        """Click the named button, at its centre or, where the other one lies above that, at a pixel that shows."""
        named = re.search(r"button (\w+)", self._page["utterance"])
        places = self._page["buttons"]
        if named and places.get(named[1]):
            x, y = places[named[1]]
            caption = " ".join(f"button {name} ({at[0]}, {at[1]})" for name, at in sorted(places.items()) if at)
            yield Demo(f"click({x}, {y})", thought=f"button {named[1]} ({x}, {y})", caption=caption)


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
