"""A browser window: one context with its tabs, which share cookies and storage with each other and with nobody else.

    window = await Window.open(browser, site, (640, 480), max_tabs=8)
    await window.front.goto("index.html")

A page that opens another one gets a new tab, which comes to the front; beyond `max_tabs` it is closed at once. Only the
window's `Site` can be reached, downloads are refused and service workers blocked.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from saccade.envs.errors import ActionError, WorldFailure
from saccade.envs.gui.site import Reach
from saccade.envs.gui.tab import COMING, Tab

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Page, Route

T = TypeVar("T")


class Window:
    """A context and its tabs; made by `BrowserHost.open`. Every coroutine runs in the browser's thread."""

    def __init__(self, context: BrowserContext, site: Reach, max_tabs: int) -> None:
        self.site = site
        self.max_tabs = max_tabs
        self.tabs: list[Tab] = []
        """In the order in which they were opened."""
        self.front: Tab
        """The tab that is used and seen."""
        self.popups = 0
        """How many pages were closed because there were too many."""
        self.held = False
        """Whether a key or a button was pressed to be held, and may be down still."""
        self.loading = 0
        """Requests and new tabs that wait for their answer."""
        self.coming: list[asyncio.TimerHandle] = []
        """Pages that others have begun to open; each is given up when its time is over."""
        self.lock = asyncio.Lock()
        self._context = context
        self._gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(cls, browser: Browser, site: Reach, viewport: tuple[int, int], max_tabs: int = 1) -> Window:
        """A window with a blank tab of `viewport` (width, height) CSS pixels, one picture pixel each."""
        context = await browser.new_context(
            viewport={"width": viewport[0], "height": viewport[1]},
            device_scale_factor=1,
            accept_downloads=False,
            service_workers="block",
            locale="en-US",
            timezone_id="UTC",
            color_scheme="light",
            reduced_motion="reduce",
        )
        window = cls(context, site, max_tabs)
        try:
            await context.route("**/*", window._serve)  # a page that finds it set asks the browser once for everything
            window.front = await window._adopt(await context.new_page())
            await window.front.watch()
        except BaseException:
            with contextlib.suppress(Exception):  # the first error says more than the failing clean-up
                await context.close()
            raise
        context.on("close", lambda _: window.abandon("the browser went away"))
        context.on("page", window._opened)
        return window

    @property
    def alive(self) -> bool:
        """Whether it can still be used."""
        return not self._gone.done()

    def abandon(self, why: str) -> None:
        """Never use it again; whoever waits for it gets a `WorldFailure`."""
        if not self._gone.done():
            self._gone.set_result(why)

    async def run(self, work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Await `work` on its pages; `WorldFailure` as soon as they are gone, or after `timeout` seconds.

        What did not end in time may still be going on in the page, so the window is abandoned then.
        """
        task = asyncio.ensure_future(work)
        try:
            either: set[asyncio.Future[Any]] = {task, self._gone}
            done, _ = await asyncio.wait(either, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                self.abandon(f"the page did not answer within {timeout:g} s")
            if self._gone.done():
                raise WorldFailure(self._gone.result())
            return task.result()
        except asyncio.CancelledError:
            self.abandon("the page did not answer in time")
            raise
        finally:
            if not task.cancel() and not task.cancelled():
                task.exception()  # retrieved, so that asyncio does not report it again

    async def new_tab(self) -> Tab:
        """Open a blank tab and bring it to the front."""
        if len(self.tabs) >= self.max_tabs:
            raise ActionError(f"at most {self.max_tabs} tabs can be open: close one first")
        self.loading += 1  # or `_opened` would take it for a page that another one opened
        try:
            await self._context.new_page()
            while len(self.tabs) < len(self._context.pages):
                await asyncio.sleep(0.002)
        finally:
            self.loading -= 1
        return self.front

    async def close_tab(self) -> None:
        """Close the tab in front; the one before it comes to the front."""
        if len(self.tabs) == 1:
            raise ActionError("the last tab cannot be closed")
        gone = self.front
        self._drop(gone)
        await gone.page.close()

    def focus(self, index: int) -> None:
        """Bring a tab to the front, by its number from 0."""
        if not 0 <= index < len(self.tabs):
            raise ActionError(f"there is no tab {index}: tabs are numbered 0 to {len(self.tabs) - 1}")
        self.front = self.tabs[index]

    def expect(self) -> None:
        """A page has begun to open another one."""
        self.coming.append(asyncio.get_running_loop().call_later(COMING, self._came))

    async def close(self) -> None:
        """Close all tabs and the context."""
        self.abandon("the page was closed")
        with contextlib.suppress(Exception):  # a context that is gone already is closed
            await self._context.close()

    async def _adopt(self, page: Page) -> Tab:
        tab = Tab(page, await self._context.new_cdp_session(page), self)
        self.tabs.append(tab)
        page.on("close", lambda _: self._drop(tab))
        return tab

    def _drop(self, tab: Tab) -> None:
        """A tab that was closed; the window is gone with the last one."""
        if self.tabs == [tab]:
            self.abandon("the page was closed")
        elif tab in self.tabs:
            place = self.tabs.index(tab)
            self.tabs.remove(tab)
            if self.front is tab:
                self.front = self.tabs[max(place - 1, 0)]

    async def _opened(self, page: Page) -> None:
        self.loading += 1
        try:
            with contextlib.suppress(Exception):  # it may have closed itself
                if len(self._context.pages) > self.max_tabs:
                    self.popups += 1
                    await page.close()
                else:
                    self.front = await self._adopt(page)
                    await self.front.watch()
        finally:
            self.loading -= 1
            self._came()

    def _came(self) -> None:
        if self.coming:
            self.coming.pop(0).cancel()

    async def _serve(self, route: Route) -> None:
        self.loading += 1
        with contextlib.suppress(Exception):  # the page may be gone before its answer comes
            await self.site.serve(route)
        self.loading -= 1
