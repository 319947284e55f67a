"""`SiteEnv`: a task on one of our own sites.

A task is a frozen value: what the agent is told, the state the site begins with, and the state that solves it. The
agent works on the pages; its last act (order, send, save) closes the site, and then the two states are compared as a
whole, so that what should not have been touched counts as much as what should.

    class ShopOrder(SiteEnv):
        document = "shop"

        def make(self, rng):
            return task("Order pears.", begin={"cart": []}, want={"cart": [], "ordered": ["pears"]})

        def next(self, page):
            return Click("button", "Order")
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from saccade.envs.episode import Cause, Demo
from saccade.envs.errors import ConfigError
from saccade.envs.gui.page import PageEnv, Verdict
from saccade.envs.gui.site import ASSETS, Site
from saccade.envs.gui.tab import Tab
from saccade.envs.gui.tree import Element, Tree, read_tree

LEVELS = (1, 2, 3)


@dataclass(frozen=True)
class SiteTask:
    """What is to be done; states as canonical JSON, so that the whole task is its `repr`."""

    goal: str
    begin: str
    want: str


def task(goal: str, begin: Mapping[str, Any], want: Mapping[str, Any]) -> SiteTask:
    """A task from the state at its beginning and the one that solves it."""
    return SiteTask(goal, json.dumps(begin, sort_keys=True), json.dumps(want, sort_keys=True))


@dataclass(frozen=True)
class Click:
    """A step of a solution: click what has this role and name."""

    role: str
    name: str


@dataclass(frozen=True)
class Write:
    """A step of a solution: let this text stand in the field of this name."""

    name: str
    text: str


class SiteEnv(PageEnv):
    """A task on a site of `assets/sites`.

    Args:
        level: 1 one page; 2 two pages; 3 three pages and four actions, or more.
        page: `observe`, `actions`, `viewport`, `scale`, `split`, `max_turns`, `error_penalty`, `render_mode`,
            `fresh_context`, `timeout`.
    """

    instructions = "Use the site to do what you are asked, and nothing else."
    document: ClassVar[str | Path]
    """The site's page: a name in `assets/sites`, or a file of your own."""
    resets_in_page: ClassVar[bool] = True
    home = ""

    def __init__(self, *, level: int = 3, **page: Any) -> None:
        if level not in LEVELS:
            raise ConfigError(f"level must be one of {', '.join(map(str, LEVELS))}, got {level!r}")
        self.level = level
        self.site = Site(
            ASSETS, str(self.document) if isinstance(self.document, Path) else f"sites/{self.document}.html"
        )
        super().__init__(**page)

    @abstractmethod
    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw a task of this level."""

    @abstractmethod
    def next(self, page: Mapping[str, Any]) -> Click | Write | None:
        """The next step of a solution, from what the site says of itself; `None` if it is lost.

        `page` holds `path` (the parts of the address), `state`, `drafts` (what stands in fields), `message`.
        """

    @property
    def wanted(self) -> Any:
        """The state that solves the task."""
        return json.loads(self.task.want)

    def pose(self, rng: np.random.Generator) -> str:
        """Draw a task of this split."""
        self.task = self.draw(self.make, rng)
        return self.task.goal

    async def prepare(self, tab: Tab) -> None:
        """Fill the site, and forget the episode before."""
        await tab.point(0, 0)
        await tab.evaluate(f"site.begin({self.task.begin})")
        await tab.forget()

    async def read(self, tab: Tab) -> Any:
        """What the site says of itself; on a page that is none of its own, what it said last, with an empty `path`."""
        found = await tab.evaluate("typeof site === 'undefined' ? null : site.read()")
        return {**self.sight.page, "path": []} if found is None else found

    def judge(self, page: Any) -> Verdict | None:
        """Compare the states once the site is closed."""
        if not page["done"]:
            return None
        right = page["state"] == self.wanted
        return Verdict(float(right), Cause.GOAL if right else Cause.FAILED)

    def demo(self) -> Iterator[Demo]:
        """The next turn of a solution, by the actions that the environment offers."""
        while self.sight.page["path"] and not self.sight.page["done"]:
            step = self.next(self.sight.page)
            if step is None:
                return
            yield self._show(step)

    def _show(self, step: Click | Write) -> Demo:
        tree = self.sight.tree if self._needs_tree else self.on_page(_tree)
        role = "textbox" if isinstance(step, Write) else step.role
        target = tree.find(role, step.name)
        if target is None or target.centre is None:
            raise ConfigError(
                f"{type(self).__name__} shows no {role} {step.name!r} at {self.sight.url}: mend its next()"
            )
        seen = self._caption(tree)
        if "coord" not in self.groups:
            thought = f"{step.name} {target.ref}"
            if isinstance(step, Write):
                return Demo(f'fill("{target.ref}", {json.dumps(step.text)})', thought, seen)
            return Demo(f'click("{target.ref}")', thought, seen)
        if not target.within(self.viewport):
            way = 1 if target.centre[1] > 0 else -1
            return Demo(f"scroll(0, {way * self.picture_size[1] // 2})", f"look for {step.name}", seen)
        x, y = self._pixel(target)
        thought = f"{step.name} ({x}, {y})"
        if isinstance(step, Click) or self.sight.page["focus"] != step.name:
            return Demo(f"mouse_click({x}, {y})", thought, seen)
        if self.sight.page["drafts"].get(step.name) and not self.sight.page["selected"]:
            return Demo('keyboard_press("Control+a")', f"replace {step.name}", seen)
        return Demo(f"keyboard_type({json.dumps(step.text)})", f"enter {step.text}", seen)

    def _pixel(self, element: Element) -> tuple[int, int]:
        assert element.centre is not None  # it was found on the page
        return int(element.centre[0] * self.scale), int(element.centre[1] * self.scale)

    def _caption(self, tree: Tree) -> str:
        places = [(each.name, self._pixel(each)) for each in tree.marked(self.viewport) if each.name]
        return " ".join(f"{name} ({x}, {y})" for name, (x, y) in places)


async def _tree(tab: Tab) -> Tree:
    return read_tree(await tab.page.aria_snapshot(mode="ai", boxes=True))
