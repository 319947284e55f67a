"""`PageEnv`: tasks on web pages, with the observations and actions that the user chooses.

    gym.make("saccade/ShopOrder-v0", observe=("screenshot", "tree"), actions=("ref", "nav", "chat"))

A subclass says which pages there are, how a task begins and when it is over:

    class Visit(PageEnv):
        site, home = Site(FOLDER), "index.html"

        def pose(self, rng):                            # draw a task; the goal is what the agent reads
            return "Open the page about pears."

        async def read(self, tab):                      # what `judge` and `state` need, as JSON
            return tab.page.url

        def judge(self, page):                          # a verdict, or None while the task goes on
            return Verdict(1.0, Cause.GOAL) if page.endswith("/pears.html") else None
"""

from __future__ import annotations

import asyncio
import random
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from saccade.envs.actions import ActionSet, Call
from saccade.envs.core import Outcome
from saccade.envs.episode import Cause
from saccade.envs.errors import ActionError, ConfigError, near
from saccade.envs.gui.base import BrowserEnv
from saccade.envs.gui.browser import is_playwright_error
from saccade.envs.gui.hands import Hands
from saccade.envs.gui.marks import draw_marks
from saccade.envs.gui.observe import picture
from saccade.envs.gui.tab import Tab
from saccade.envs.gui.tree import Tree, read_tree
from saccade.envs.gui.verbs import gui_actions
from saccade.envs.gui.window import Window
from saccade.envs.observation import Image, Observation, Text

OBSERVATIONS = ("status", "tree", "text", "screenshot", "marks")
"""What can be observed, in the order in which it is shown."""
SIZES = (64, 4096)
MAX_TEXT = 20_000
BODY_TEXT = f"(document.body?.innerText ?? '').slice(0, {MAX_TEXT})"
TRIES = 5
"""How often a page is looked at that goes away meanwhile."""


@dataclass(frozen=True)
class Verdict:
    """The end of a task.

    Attributes:
        reward: of the last turn.
        cause: `GOAL`, `FAILED` or `GAVE_UP`.
        info: anything more, JSON values only.
    """

    reward: float
    cause: Cause
    info: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Sight:
    """All that was seen of a window at one moment.

    Attributes:
        page: what `PageEnv.read` found.
        url, title: of the page in front.
        tabs: titles of all tabs.
        front: number of the tab in front.
        tree: its elements; none unless the observation or the actions need them.
        text: its text, if that is observed.
        png: the picture, if there is one.
        dialogs: what dialogs said.
        error: why the last action could not be done.
    """

    page: Any
    url: str
    title: str
    tabs: tuple[str, ...]
    front: int
    tree: Tree
    text: str
    png: bytes | None
    dialogs: tuple[str, ...]
    error: str | None


class PageEnv(BrowserEnv):
    """A task on web pages.

    Args:
        observe: any of `status` (address, tabs, focus), `tree` (accessibility tree with refs), `text` (of the page),
            `screenshot` and `marks` (a screenshot with the refs drawn on it).
        actions: groups of `verbs.GROUPS`: `ref`, `coord`, `nav`, `tab`, `chat`, `infeasible`.
        viewport: width and height of the page in CSS pixels.
        scale: pixels of the picture for each CSS pixel.
        browser: `split`, `max_turns`, `error_penalty`, `render_mode`, `fresh_context`, `timeout`.
    """

    action_format: ActionSet
    max_turns = 20
    max_tabs: ClassVar[int] = 8
    viewport = (480, 360)
    observe: ClassVar[tuple[str, ...]] = ("screenshot",)
    actions: ClassVar[tuple[str, ...]] = ("coord",)

    def __init__(
        self,
        *,
        observe: Iterable[str] | None = None,
        actions: Iterable[str] | None = None,
        viewport: tuple[int, int] | None = None,
        scale: float = 1.0,
        **browser: Any,
    ) -> None:
        super().__init__(**browser)
        self.shown = _names(self.observe if observe is None else observe, "observation", OBSERVATIONS)
        self.groups = _names(self.actions if actions is None else actions, "group of actions", None)
        self.action_format = gui_actions(self.groups)
        width, height = self.viewport = self.viewport if viewport is None else (int(viewport[0]), int(viewport[1]))
        if not (SIZES[0] <= width <= SIZES[1] and SIZES[0] <= height <= SIZES[1]):
            raise ConfigError(f"viewport must be {SIZES[0]} to {SIZES[1]} pixels each way, got {self.viewport}")
        if not 0.1 <= scale <= 4:
            raise ConfigError(f"scale must be 0.1 to 4, got {scale}")
        self.scale = scale
        self._needs_tree = bool({"tree", "marks"} & set(self.shown) or "ref" in self.groups)
        self._needs_picture = bool({"screenshot", "marks"} & set(self.shown))

    # What a subclass says.

    @abstractmethod
    def pose(self, rng: np.random.Generator) -> str:
        """Draw a task and return its goal."""

    async def prepare(self, tab: Tab) -> None:
        """Bring the page, which is `home`, into the state in which the task begins."""

    async def read(self, tab: Tab) -> Any:
        """What `judge` and `state` need to know of the page, as JSON; in the browser's thread."""
        return None

    @abstractmethod
    def judge(self, page: Any) -> Verdict | None:
        """Whether the task is over, from what `read` found."""

    def hear(self, text: str) -> Verdict | None:
        """What a message to the user means: by default nothing."""
        return None

    @property
    def files(self) -> Mapping[str, bytes]:
        """What can be uploaded, by name."""
        return {}

    # The world.

    @property
    def area(self) -> tuple[int, int]:
        """Width and height in CSS pixels of what pictures show of the viewport, from its top left: all by default."""
        return self.viewport

    def hands(self, window: Window, tree: Tree) -> Hands:
        """What does an action in a window of which the agent saw `tree`."""
        return Hands(window, tree, self.scale, self.files)

    @property
    def picture_size(self) -> tuple[int, int]:
        """Width and height of the pictures."""
        return round(self.area[0] * self.scale), round(self.area[1] * self.scale)

    def begin(self, rng: np.random.Generator) -> Observation:
        """Open the page, say the goal and show what there is."""
        self.goal = self.pose(rng)
        self._refs: dict[str, str] = {}

        async def start(tab: Tab) -> Sight:
            await self.prepare(tab)
            return await self._look(tab.window)

        self.sight = self.open_page(start)
        return Observation.of(self.goal) + self._observation()

    def act(self, call: Call) -> Outcome:
        """Do one action; one that cannot be done is an error that the agent reads."""
        self._check_places(call)
        if call.verb == "report_infeasible":
            return Outcome(Observation.of("You gave up."), ended=Cause.GAVE_UP, info={"reason": call.args["reason"]})
        if call.verb == "send_msg_to_user":
            self.sight = replace(self.sight, error=None, dialogs=())  # of the action before
            verdict = self.hear(str(call.args["text"]))
            if verdict is None:
                verdict = self.judge(self.sight.page)
            return self._outcome(verdict)
        tree = self.sight.tree

        async def use(tab: Tab) -> Sight:
            window = tab.window
            error = None
            try:
                await self.hands(window, tree).do(call)
            except ActionError as problem:
                error = str(problem)
            return await self._look(window, error)

        self.sight = self.on_page(use)
        return self._outcome(self.judge(self.sight.page))

    def state(self) -> Any:
        """Address, tabs and what `read` found; the elements too, where they are seen, without their refs."""
        sight = self.sight
        seen = [[each.role, each.name, each.text, dict(each.states)] for each in sight.tree.elements]
        return {"url": sight.url, "tabs": sight.tabs, "front": sight.front, "page": sight.page, "elements": seen}

    def sample_action(self, rng: random.Random) -> str:
        """A random action; elements are those that can be used, and the wheel turns by up to a page."""
        verb = rng.choice(list(self.action_format.verbs.values()))
        call = self.action_format.parse(self.action_format.sample_of(verb, rng, self.picture_size))
        refs = [each.ref for each in self.sight.tree.elements if each.usable]
        args = dict(call.args)
        for name, param in verb.params.items():
            if param.kind == "ref" and refs:
                args[name] = rng.choice(refs)
        if verb.name == "scroll":
            args = {"delta_x": 0.0, "delta_y": float(rng.choice((-1, 1)) * self.picture_size[1] // 2)}
        elif verb.name == "noop":
            args = {"wait_ms": 0.0}
        return str(Call(verb.name, args))

    # How.

    def _check_places(self, call: Call) -> None:
        width, height = self.picture_size
        for name, param in self.action_format.verbs[call.verb].params.items():
            limit = {"x": width, "y": height}.get(param.kind)
            value = call.args[name]
            if limit is not None and not 0 <= value < limit:  # type: ignore[operator]
                raise ActionError(f"{call.verb} needs 0 <= {name} < {limit}, got {value}")

    def _outcome(self, verdict: Verdict | None) -> Outcome:
        error = self.sight.error
        seen = self._observation()
        if verdict is None:
            return Outcome(seen, error=error)
        return Outcome(seen, reward=verdict.reward, ended=verdict.cause, error=error, info=verdict.info)

    def _observation(self) -> Observation:
        sight = self.sight
        parts: list[Text | Image] = [Text(f"Dialog: {each}.") for each in sight.dialogs]
        for kind in self.shown:
            if kind == "status":
                parts.append(Text(_status(sight)))
            elif kind == "tree":
                parts.append(Text(sight.tree.text()))
            elif kind == "text":
                parts.append(Text(sight.text))
            elif sight.png is not None:
                image = picture(sight.png)
                if kind == "marks":
                    image = Image(draw_marks(image.pixels, sight.tree.marked(self.area), self.scale))
                parts.append(image)
        return Observation(tuple(parts))

    async def _look(self, window: Window, error: str | None = None) -> Sight:
        """See the page in front once it is quiet; again if it goes away meanwhile."""
        for last in (*[False] * TRIES, True):
            tab = window.front
            try:
                await tab.settle()
                page = await self.read(tab)
                tree, text, png = await asyncio.gather(self._elements(tab), self._text(tab), self._picture(tab))
                titles = tuple([await each.page.title() for each in window.tabs]) if "status" in self.shown else ()
            except Exception as problem:
                if last or not window.alive or not is_playwright_error(problem):
                    raise
                continue
            if tab is window.front:
                break
        title = titles[window.tabs.index(tab)] if titles else ""
        front = window.tabs.index(tab)
        dialogs = tuple(tab.take_dialogs())
        return Sight(page, tab.page.url, title, titles, front, tree, text, png, dialogs, error)

    async def _elements(self, tab: Tab) -> Tree:
        if not self._needs_tree:
            return Tree(())
        return read_tree(await tab.page.aria_snapshot(mode="ai", boxes=True), self._refs)

    async def _text(self, tab: Tab) -> str:
        return str(await tab.aside(BODY_TEXT)) if "text" in self.shown else ""

    async def _picture(self, tab: Tab) -> bytes | None:
        return await tab.screenshot(self.area, self.scale) if self._needs_picture else None


def _status(sight: Sight) -> str:
    lines = [f"Page: {sight.title[:80]!r} at {sight.url[:200]}"]
    if len(sight.tabs) > 1:
        lines += [
            f"Tab {number}{' (in front)' if number == sight.front else ''}: {title[:80]!r}"
            for number, title in enumerate(sight.tabs)
        ]
    if sight.tree.focused:
        lines.append(f"Focus: {sight.tree.focused.line().strip()}")
    return "\n".join(lines)


def _names(given: Iterable[str], what: str, known: tuple[str, ...] | None) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given)
    for name in names:
        if known and name not in known:
            raise ConfigError(f"unknown {what} {name!r}; {near(name, known, 'known')}")
    if not names:
        raise ConfigError(f"at least one {what} must be named")
    return tuple(sorted(set(names), key=known.index)) if known else tuple(dict.fromkeys(names))
