"""One page of a browser window; every coroutine runs in the browser's thread.

Input and pictures go through raw Chrome DevTools Protocol messages: they are sent together and cost one wait.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from saccade.envs.errors import WorldFailure
from saccade.envs.gui.site import ORIGIN

if TYPE_CHECKING:
    from playwright.async_api import CDPSession, Dialog, FileChooser, Page

    from saccade.envs.gui.window import Window

TWO_FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
QUIET = """new Promise(done => {
  let changed = false, quiet = 0;
  const end = performance.now() + 100;
  const watch = new MutationObserver(() => { changed = true; });
  watch.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  const frame = () => {
    quiet = changed ? 0 : quiet + 1;
    changed = false;
    if (quiet >= 2 || performance.now() >= end) { watch.disconnect(); done(true); } else requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
})"""
"""Ends after two animation frames in which the document did not change, or after 100 ms."""

MODIFIER_BITS = {"Alt": 1, "Control": 2, "ControlOrMeta": 2, "Meta": 4, "Shift": 8}
LOADING = 1.0
"""Seconds that a page which never stops loading is waited for."""
COMING = 5.0
"""Seconds that a page which another one opens may take to be there."""
REMEMBERED = 5
"""Dialogs of which the words are kept, and how many characters of each is `REMEMBERED` times forty."""


class Tab:
    """A page that one environment owns; made by `Window`."""

    def __init__(self, page: Page, cdp: CDPSession, window: Window) -> None:
        self.page = page
        self.window = window
        self.dialogs: list[str] = []
        """What dialogs said since `take_dialogs`; alerts are accepted, everything else is dismissed."""
        self._cdp = cdp
        self._world: int | None = None
        self._files: asyncio.Future[FileChooser] | None = None
        page.on("crash", lambda _: window.abandon("the page crashed"))
        page.on("dialog", self._answer)
        page.on("filechooser", self._choose)  # from the beginning, or it would be on too late

    async def goto(self, path: str) -> None:
        """Navigate to a page of the site, or to an address, and wait until it has loaded."""
        await self.page.goto(urljoin(f"{ORIGIN}/", path), wait_until="load")

    async def watch(self) -> None:
        """Tell the window when the page begins to open another one, which is there only some time later."""
        self._cdp.on("Page.windowOpen", lambda _: self.window.expect())
        await self._cdp.send("Page.enable")

    async def forget(self) -> None:
        """Forget the history, so that nothing leads back."""
        await self._cdp.send("Page.resetNavigationHistory")

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

    async def aside(self, expression: str) -> Any:
        """The JSON value of an expression in a script world of our own, whose functions the page cannot replace.

        Raises:
            Error: of Playwright, if the page navigated meanwhile.
        """
        if self._world is None:
            tree = await self._cdp.send("Page.getFrameTree")
            frame = {"frameId": tree["frameTree"]["frame"]["id"], "worldName": "saccade"}
            self._world = (await self._cdp.send("Page.createIsolatedWorld", frame))["executionContextId"]
        try:
            reply = await self._cdp.send(
                "Runtime.evaluate",
                {"expression": expression, "returnByValue": True, "awaitPromise": True, "contextId": self._world},
            )
        except Exception:
            self._world = None  # a new document has new worlds
            raise
        if "exceptionDetails" in reply:
            raise WorldFailure(f"a script of ours failed: {str(reply['exceptionDetails'])[:500]}")
        return reply["result"].get("value")

    async def click(self, x: float, y: float, button: str = "left", count: int = 1, modifiers: int = 0) -> None:
        """A click of the real mouse, in CSS pixels of the viewport; `modifiers` as in `MODIFIER_BITS`."""
        await asyncio.gather(*self.mouse(x, y, button, count, modifiers))

    def mouse(
        self, x: float, y: float, button: str = "left", count: int = 1, modifiers: int = 0
    ) -> list[Coroutine[Any, Any, Any]]:
        """The messages of a click (move, press, release), to be gathered with others; Chromium keeps their order."""
        messages = [self.mouse_event("mouseMoved", x, y, modifiers=modifiers)]
        for number in range(1, count + 1):
            messages.append(self.mouse_event("mousePressed", x, y, button, number, modifiers))
            messages.append(self.mouse_event("mouseReleased", x, y, button, number, modifiers))
        return messages

    def mouse_event(
        self, kind: str, x: float, y: float, button: str = "none", count: int = 0, modifiers: int = 0, held: int = 0
    ) -> Coroutine[Any, Any, Any]:
        """One message about the mouse; `held` is 1 while the left button is down."""
        event = {"type": kind, "x": x, "y": y, "button": button, "clickCount": count, "modifiers": modifiers}
        return self._cdp.send("Input.dispatchMouseEvent", event | {"buttons": held} if held else event)

    async def wheel(self, x: float, y: float, delta_x: float, delta_y: float) -> None:
        """Turn the mouse wheel with the mouse at a pixel."""
        event = {"type": "mouseWheel", "x": x, "y": y, "deltaX": delta_x, "deltaY": delta_y}
        await self._cdp.send("Input.dispatchMouseEvent", event)

    async def point(self, x: float, y: float) -> None:
        """Move the mouse to a pixel without a click."""
        await self.mouse_event("mouseMoved", x, y)

    async def type(self, text: str) -> None:
        """Press the keys of `text`; what no key writes is inserted."""
        await self.page.keyboard.type(text)

    async def press(self, key: str) -> None:
        """Press one key or chord, such as `Enter` or `Control+a`."""
        await self.page.keyboard.press(key)

    async def settle(self) -> None:
        """Wait until nothing is being loaded and the document is quiet: handlers and late pictures are done.

        A page that never stops loading is given a second, one that never stops changing a tenth, and one that it opens
        `COMING` seconds.
        """
        clock = asyncio.get_running_loop().time
        began = clock()
        while True:
            quiet = await self._quiet()
            if clock() - began >= (COMING if self.window.coming else LOADING):
                return
            if quiet and not self.window.loading and not self.window.coming:
                return
            await asyncio.sleep(0.002)

    async def _quiet(self) -> bool:
        """Wait for the document; false if it was replaced meanwhile."""
        try:
            await self.aside(QUIET)
        except Exception as error:
            if not self.window.alive or isinstance(error, WorldFailure):
                raise
            return self.page.is_closed()  # then there is nothing to wait for
        return True

    async def screenshot(self, clip: tuple[int, int] | None = None, scale: float = 1.0) -> bytes:
        """The viewport, or its top left `clip` (width, height), as PNG bytes of `scale` pixels for each CSS pixel.

        A frame is drawn for it, so that it shows the page as it is now.
        """
        wanted: dict[str, Any] = {"format": "png", "optimizeForSpeed": True}
        if clip:
            wanted["clip"] = {"x": 0, "y": 0, "width": clip[0], "height": clip[1], "scale": scale}
        shot = await self._cdp.send("Page.captureScreenshot", wanted)
        return base64.b64decode(shot["data"])

    def take_dialogs(self) -> list[str]:
        """What dialogs said since the last time."""
        said, self.dialogs = self.dialogs, []
        return said

    def expect_files(self) -> asyncio.Future[FileChooser]:
        """The next dialog of the page that asks for files; one that nobody expects is left alone."""
        self._files = asyncio.get_running_loop().create_future()
        return self._files

    def _choose(self, chooser: FileChooser) -> None:
        if self._files and not self._files.done():
            self._files.set_result(chooser)

    async def _answer(self, dialog: Dialog) -> None:
        with contextlib.suppress(Exception):  # the page may be gone
            if dialog.type in ("alert", "beforeunload"):
                await dialog.accept()  # dismissing the latter would keep the page from leaving
            else:
                await dialog.dismiss()
            if dialog.type != "beforeunload" and len(self.dialogs) < REMEMBERED:
                answer = "closed" if dialog.type == "alert" else "dismissed"
                self.dialogs.append(f"{dialog.type} {dialog.message[: REMEMBERED * 40]!r}, {answer}")
