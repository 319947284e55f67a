"""One page in a browser context of its own; every coroutine runs in the browser's thread.

Cookies, storage, caches and focus are the context's, so that two tabs never see each other. Dialogs are dismissed,
popups closed, downloads refused, service workers blocked, and only the tab's `Site` can be reached.

Input and pictures go through raw Chrome DevTools Protocol messages: they are sent together and cost one wait.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from saccade.envs.errors import WorldFailure
from saccade.envs.gui.site import ORIGIN, Site

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, CDPSession, Dialog, Page, Route

T = TypeVar("T")

TWO_FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"


class Tab:
    """A page that one environment owns; made by `BrowserHost.open`."""

    def __init__(self, context: BrowserContext, page: Page, cdp: CDPSession, site: Site) -> None:
        self.lock = asyncio.Lock()
        self.popups = 0
        """How many windows the page tried to open; each was closed."""
        self.page = page
        self._cdp = cdp
        self._context = context
        self._site = site
        self._loading = 0  # requests that wait for their answer
        self._gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(cls, browser: Browser, site: Site, viewport: tuple[int, int]) -> Tab:
        """A blank page of `viewport` (width, height) CSS pixels, one picture pixel each."""
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
        try:
            page = await context.new_page()
            tab = cls(context, page, await context.new_cdp_session(page), site)
            await context.route("**/*", tab._serve)
        except BaseException:
            with contextlib.suppress(Exception):  # the first error says more than the failing clean-up
                await context.close()
            raise
        page.on("crash", lambda _: tab.abandon("the page crashed"))
        page.on("close", lambda _: tab.abandon("the page was closed"))
        page.on("dialog", _dismiss)
        context.on("close", lambda _: tab.abandon("the browser went away"))
        context.on("page", tab._close_popup)
        return tab

    @property
    def alive(self) -> bool:
        """Whether the page can still be used."""
        return not self._gone.done()

    def abandon(self, why: str) -> None:
        """Never use this tab again; whoever waits for it gets a `WorldFailure`."""
        if not self._gone.done():
            self._gone.set_result(why)

    async def run(self, work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Await `work` on this tab; `WorldFailure` as soon as the page is gone, or after `timeout` seconds.

        What did not end in time may still be going on in the page, so the tab is abandoned then.
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

    async def goto(self, path: str) -> None:
        """Navigate to a page of the site and wait until it has loaded."""
        await self.page.goto(f"{ORIGIN}/{path}", wait_until="load")

    async def evaluate(self, expression: str) -> Any:
        """The JSON value of a JavaScript expression in the page; promises are awaited."""
        reply = await self._cdp.send(
            "Runtime.evaluate", {"expression": expression, "returnByValue": True, "awaitPromise": True}
        )
        if "exceptionDetails" in reply:
            details = reply["exceptionDetails"]
            message = details.get("exception", {}).get("description", details.get("text", ""))
            raise WorldFailure(f"a script of the page failed: {message[:500]}")
        return reply["result"].get("value")

    async def click(self, x: float, y: float) -> None:
        """A left click of the real mouse, in pixels of the viewport."""
        await asyncio.gather(*self.mouse(x, y))

    def mouse(self, x: float, y: float) -> list[Coroutine[Any, Any, Any]]:
        """The messages of a click (move, press, release), to be gathered with others; Chromium keeps their order."""
        place = {"x": x, "y": y}
        button = place | {"button": "left", "clickCount": 1}
        return [
            self._cdp.send("Input.dispatchMouseEvent", {"type": "mouseMoved", **place}),
            self._cdp.send("Input.dispatchMouseEvent", {"type": "mousePressed", **button}),
            self._cdp.send("Input.dispatchMouseEvent", {"type": "mouseReleased", **button}),
        ]

    async def point(self, x: float, y: float) -> None:
        """Move the mouse to a pixel without a click."""
        await self._cdp.send("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})

    async def type(self, text: str) -> None:
        """Press the keys of `text`; what no key writes is inserted."""
        await self.page.keyboard.type(text)

    async def press(self, key: str) -> None:
        """Press one key or chord, such as `Enter` or `Control+a`."""
        await self.page.keyboard.press(key)

    async def settle(self) -> None:
        """Wait for two animation frames, and for what was being loaded then: handlers and late pictures are done.

        A page that never stops loading is given a second.
        """
        await self.evaluate(TWO_FRAMES)
        if self._loading:
            deadline = asyncio.get_running_loop().time() + 1.0
            while self._loading and asyncio.get_running_loop().time() < deadline:
                await asyncio.sleep(0.005)
            await self.evaluate(TWO_FRAMES)

    async def screenshot(self) -> bytes:
        """The viewport as PNG bytes; a frame is drawn for it, so that it shows the page as it is now."""
        shot = await self._cdp.send("Page.captureScreenshot", {"format": "png", "optimizeForSpeed": True})
        return base64.b64decode(shot["data"])

    async def close(self) -> None:
        """Close the page and its context."""
        self.abandon("the page was closed")
        with contextlib.suppress(Exception):  # a context that is gone already is closed
            await self._context.close()

    async def _serve(self, route: Route) -> None:
        found = self._site.get(route.request.url) if route.request.method == "GET" else None
        self._loading += 1
        with contextlib.suppress(Exception):  # the page may be gone before its answer comes
            if found is None:
                await route.abort("blockedbyclient")
            else:
                await route.fulfill(body=found[0], content_type=found[1])
        self._loading -= 1

    async def _close_popup(self, page: Page) -> None:
        self.popups += 1
        with contextlib.suppress(Exception):  # it may have closed itself
            await page.close()


async def _dismiss(dialog: Dialog) -> None:
    with contextlib.suppress(Exception):  # the page may be gone
        if dialog.type == "beforeunload":
            await dialog.accept()  # dismissing it would keep the page from leaving
        else:
            await dialog.dismiss()
