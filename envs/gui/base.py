"""`BrowserEnv`: a `LanguageEnv` whose world is a web page.

A subclass names its `site`, its `home` page and its `viewport`, and works on the page through two calls, each one
trip to the browser's thread however much is done in it:

    def begin(self, rng):
        async def show(tab):
            await tab.evaluate("begin()")
            return await tab.screenshot()
        return Observation.of(picture(self.open_page(show)))

    def act(self, call):
        self.on_page(lambda tab: self.perform(tab, call))

All state of a task lives in its page, so that the episodes of a group are isolated. By default every episode gets a
new browser context; a task whose page rebuilds itself completely declares `resets_in_page`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, TypeVar

from saccade.envs.actions import STR, Call, Param, X, Y, verb
from saccade.envs.core import LanguageEnv
from saccade.envs.errors import ActionError, ConfigError, WorldFailure
from saccade.envs.gui.browser import BrowserHost, host
from saccade.envs.gui.site import Reach
from saccade.envs.gui.tab import Tab
from saccade.envs.gui.verbs import check_text
from saccade.envs.gui.window import Window

T = TypeVar("T")
Work = Callable[[Tab], Coroutine[Any, Any, T]]

KEYS = (
    *("Enter", "Tab", "Shift+Tab", "Escape", "Backspace", "Delete", "Space", "Control+a"),
    *("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"),
)
"""The keys that `keyboard_press` takes; chords that reach the browser itself are not among them."""

OPENING = 300.0
"""Seconds that a new page may wait for the launch of the browser and for other pages that are being opened."""

GRACE = 10.0
"""Seconds that the browser's thread may be late, before the caller stops waiting for it."""

CLICK = verb("mouse_click", "Press the left mouse button at a pixel.", x=X, y=Y)
TYPE = verb("keyboard_type", "Type into the focused field.", text=STR)
PRESS = verb("keyboard_press", f"Press a key: {', '.join(KEYS)}.", key=Param("str", choices=KEYS))


class BrowserEnv(LanguageEnv):
    """A world that is a web page.

    Args:
        fresh_context: whether every episode gets a new browser context (100-200 ms). By default exactly where the
            task does not declare `resets_in_page`; `False` there keeps the context and loads the page again.
        timeout: seconds that one call to the page may take before the world counts as broken.
        base: `split`, `max_turns`, `error_penalty`, `render_mode`.
    """

    site: Reach
    home: str
    viewport: tuple[int, int]
    """Width and height in pixels, of the page and of the picture."""
    resets_in_page: ClassVar[bool] = False
    max_tabs: ClassVar[int] = 1
    """Pages that can be open at once; what a page opens beyond is closed."""

    def __init__(self, *, fresh_context: bool | None = None, timeout: float = 30.0, **base: Any) -> None:
        super().__init__(**base)
        if not timeout > 0:
            raise ConfigError(f"timeout must be > 0 seconds, got {timeout}")
        self.fresh_context = not self.resets_in_page if fresh_context is None else fresh_context
        self.timeout = timeout
        self._held: dict[BrowserHost, Window] = {}  # shared with the finalizer; a forked child has another host
        weakref.finalize(self, _discard, self._held)

    def open_page(self, work: Work[T]) -> T:
        """Run `work` on the page of a new episode; a browser that was lost meanwhile is launched again, once."""
        owner = host()

        async def renew() -> T:
            window = self._held.get(owner)
            if window is None or not window.alive or window.held or self.fresh_context:
                _discard(self._held)
                window = self._held[owner] = await owner.open(self.site, self.viewport, self.max_tabs)
                await window.run(window.front.goto(self.home), self.timeout)
            else:
                await window.run(self._again(window), self.timeout)
            return await window.run(work(window.front), self.timeout)

        try:
            return owner.call(renew(), OPENING + 2 * self.timeout)
        except WorldFailure:
            _discard(self._held)
            return owner.call(renew(), OPENING + 2 * self.timeout)

    def on_page(self, work: Work[T]) -> T:
        """Run `work` on the page of this episode; `WorldFailure` if the page is gone."""
        owner = host()
        window = self._held.get(owner)
        if window is None:
            raise WorldFailure("the page of this episode is gone")
        return owner.call(window.run(work(window.front), self.timeout), self.timeout + GRACE)

    def check(self, call: Call) -> None:
        """Raise `ActionError` for a click outside the picture or a text that no keyboard writes."""
        if call.verb == "mouse_click":
            x, y = call.args["x"], call.args["y"]
            width, height = self.picture_size
            if not (0 <= x < width and 0 <= y < height):  # type: ignore[operator]
                raise ActionError(f"mouse_click needs 0 <= x < {width} and 0 <= y < {height}, got ({x}, {y})")
        elif call.verb == "keyboard_type":
            check_text(str(call.args["text"]))

    @property
    def picture_size(self) -> tuple[int, int]:
        """Width and height of the pictures that the agent sees; the viewport, unless they are cropped."""
        return self.viewport

    async def perform(self, tab: Tab, call: Call) -> None:
        """Do a checked `mouse_click`, `keyboard_type` or `keyboard_press` on the page."""
        if call.verb == "mouse_click":
            await tab.click(call.args["x"], call.args["y"])  # type: ignore[arg-type]
        elif call.verb == "keyboard_type":
            await tab.type(str(call.args["text"]))
        else:
            await tab.press(str(call.args["key"]))

    async def _again(self, window: Window) -> None:
        """Make a window of the episode before ready for the next."""
        while len(window.tabs) > 1:
            await window.close_tab()
        if not self.resets_in_page:
            await window.front.goto(self.home)

    def close(self) -> None:
        """Close the page; the browser stays for other environments."""
        _discard(self._held)
        super().close()


def _discard(held: dict[BrowserHost, Window]) -> None:
    while held:
        owner, window = held.popitem()
        owner.discard(window)
