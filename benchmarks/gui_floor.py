"""What every environment of a MiniWoB++ page has to pay: the same calls in plain Playwright, without Saccade.

The page comes straight from its file, nothing is routed, read or checked, and no thread waits for another.
"""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.async_api import Browser, CDPSession, Page, Playwright, async_playwright

START = """(async () => {
  const ready = async () => { while (!WOB_TASK_READY) await new Promise(done => setTimeout(done, 1)); };
  await ready();
  Math.seedrandom("%s");
  core.EPISODE_MAX_TIME = 2 ** 31 - 1;
  core.startEpisodeReal();
  await ready();
  return core.getUtterance();
})()"""
TWO_FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"


class Floor:
    """A browser of its own with one page.

    Args:
        find: the browser's executable, from where Playwright keeps its own.
        arguments, sandbox: how it is launched.
        file: the page.
        window: width and height of the page in pixels.
        area: width and height of the picture, from the top left.
    """

    def __init__(
        self,
        find: Callable[[str], str],
        arguments: Sequence[str],
        sandbox: bool,
        file: Path,
        window: tuple[int, int],
        area: tuple[int, int],
    ) -> None:
        self.executable = ""
        """The browser that was found."""
        self._address = file.as_uri()
        self._window = window
        self._clip = {"x": 0, "y": 0, "width": area[0], "height": area[1], "scale": 1}
        self._runner = asyncio.Runner()
        self._playwright: Playwright
        self._browser: Browser
        self._page: Page | None = None
        self._cdp: CDPSession
        self._runner.run(self._launch(find, arguments, sandbox))

    def reset(self, seed: int) -> None:
        """A new context with the page at a task, its tree and its picture; the context before is closed meanwhile."""
        self._runner.run(self._reset(seed))

    def step(self, x: float, y: float) -> None:
        """A click, and the page's tree and picture once two frames were drawn."""
        self._runner.run(self._step(x, y))

    def close(self) -> None:
        """End the browser."""
        self._runner.run(self._close())
        self._runner.close()

    async def _launch(self, find: Callable[[str], str], arguments: Sequence[str], sandbox: bool) -> None:
        self._playwright = await async_playwright().start()
        self.executable = find(self._playwright.chromium.executable_path)
        self._browser = await self._playwright.chromium.launch(
            executable_path=self.executable, args=list(arguments), chromium_sandbox=sandbox
        )

    async def _reset(self, seed: int) -> None:
        closing = asyncio.ensure_future(self._page.context.close()) if self._page else None
        context = await self._browser.new_context(
            viewport={"width": self._window[0], "height": self._window[1]}, device_scale_factor=1
        )
        self._page = page = await context.new_page()
        self._cdp = await context.new_cdp_session(page)
        await page.goto(self._address)
        await self._evaluate(START % seed)
        await self._look(page)
        if closing:
            await closing

    async def _step(self, x: float, y: float) -> None:
        assert self._page is not None  # `reset` came first
        await asyncio.gather(
            self._mouse("mouseMoved", x, y), self._mouse("mousePressed", x, y), self._mouse("mouseReleased", x, y)
        )
        await self._look(self._page)

    async def _mouse(self, kind: str, x: float, y: float) -> None:
        button, count = ("none", 0) if kind == "mouseMoved" else ("left", 1)
        event = {"type": kind, "x": x, "y": y, "button": button, "clickCount": count}
        await self._cdp.send("Input.dispatchMouseEvent", event)

    async def _look(self, page: Page) -> tuple[str, NDArray[np.uint8]]:
        await self._evaluate(TWO_FRAMES)
        wanted = {"format": "png", "optimizeForSpeed": True, "clip": self._clip}
        tree, shot = await asyncio.gather(
            page.aria_snapshot(mode="ai", boxes=True), self._cdp.send("Page.captureScreenshot", wanted)
        )
        return tree, np.asarray(Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB"))

    async def _evaluate(self, expression: str) -> Any:
        return await self._cdp.send(
            "Runtime.evaluate", {"expression": expression, "returnByValue": True, "awaitPromise": True}
        )

    async def _close(self) -> None:
        await self._browser.close()
        await self._playwright.stop()
