"""`Hands`: one method for each verb of `verbs.py`, done in a window with real mouse and keyboard events.

    await Hands(window, tree, scale, files).do(call)

What cannot be done is an `ActionError` with a message for the agent: an element that is covered, a field that cannot be
filled, an address that is not allowed.
"""

from __future__ import annotations

import asyncio
import math
import mimetypes
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from saccade.envs.actions import Call
from saccade.envs.errors import ActionError, near
from saccade.envs.gui.site import ORIGIN
from saccade.envs.gui.tab import MODIFIER_BITS, Tab
from saccade.envs.gui.tree import Tree
from saccade.envs.gui.verbs import MAX_WAIT, check_keys, check_modifiers, check_text, texts
from saccade.envs.gui.window import Window

if TYPE_CHECKING:
    from playwright.async_api import ElementHandle, FilePayload

PATIENCE = 2000.0
"""Milliseconds that an element may take to be ready."""
LOAD = 15_000.0
"""Milliseconds that a page may take to load."""
MAX_SCROLL = 10_000.0

REACH = """node => {
  if (!node.isConnected) return "is no longer on the page";
  if (node.disabled) return "is disabled";
  node.scrollIntoViewIfNeeded();
  const box = [...node.getClientRects()].find(each => each.width && each.height);
  if (!box) return "has no size";
  const x = box.left + box.width / 2, y = box.top + box.height / 2, whole = node.getBoundingClientRect();
  const top = node.getRootNode().elementFromPoint(x, y);
  const label = top?.closest("label")?.control === node;
  if (top && !node.contains(top) && !top.contains(node) && !label) return `is covered by a <${top.localName}>`;
  return [x, y, whole.left, whole.top];
}"""
"""Scrolls an element into view and says where to click it, in pixels of its frame, or why that is not possible."""


class Hands:
    """Does one action.

    Args:
        window: where.
        tree: what the agent saw: its refs are the ones that can be named.
        scale: pixels of the picture for each CSS pixel.
        files: contents of the files that may be uploaded, by name.
        home: what addresses are relative to where the page has none of its own.
    """

    def __init__(
        self,
        window: Window,
        tree: Tree,
        scale: float = 1.0,
        files: Mapping[str, bytes] | None = None,
        home: str = ORIGIN,
    ) -> None:
        self.window = window
        self.tree = tree
        self.scale = scale
        self.files = files or {}
        self.home = home

    @property
    def tab(self) -> Tab:
        """The tab in front."""
        return self.window.front

    async def do(self, call: Call) -> None:
        """Do what a call of the verbs says.

        Raises:
            ActionError: it cannot be done.
        """
        from playwright.async_api import Error

        try:
            await getattr(self, call.verb)(**call.args)  # one of the methods below: the action set knows no other
        except Error as error:
            if not self.window.alive:
                raise
            reason = str(error).partition("\n")[0].partition(": ")[2].removeprefix("Error: ") or str(error)
            raise ActionError(f"{call.verb} could not be done: {reason[:200]}") from error

    # Elements.

    async def click(self, bid: str, button: str = "left", modifiers: Sequence[object] = (), count: int = 1) -> None:
        held = sum({MODIFIER_BITS[each] for each in check_modifiers(modifiers)})
        await self.tab.click(*await self._reach(bid), button, count, held)

    async def dblclick(self, bid: str, button: str = "left", modifiers: Sequence[object] = ()) -> None:
        await self.click(bid, button, modifiers, count=2)

    async def hover(self, bid: str) -> None:
        await self.tab.point(*await self._reach(bid))

    async def fill(self, bid: str, value: str) -> None:
        await (await self._handle(bid)).fill(check_text(value), timeout=PATIENCE)

    async def clear(self, bid: str) -> None:
        await self.fill(bid, "")

    async def select_option(self, bid: str, options: object) -> None:
        await (await self._handle(bid)).select_option(texts(options), timeout=PATIENCE)

    async def press(self, bid: str, key_comb: str) -> None:
        keys = check_keys(key_comb)
        await self.focus(bid)
        await self.tab.press(keys)

    async def focus(self, bid: str) -> None:
        await (await self._handle(bid)).focus()

    async def drag_and_drop(self, from_bid: str, to_bid: str) -> None:
        start, end = await self._reach(from_bid), await self._reach(to_bid)
        await self._drag(start, end)

    async def upload_file(self, bid: str, file: object) -> None:
        payload = self._payload(file)
        await (await self._handle(bid)).set_input_files(payload, timeout=PATIENCE)

    # Pixels.

    async def mouse_click(self, x: float, y: float, button: str = "left") -> None:
        await self.tab.click(*self._place(x, y), button)

    async def mouse_dblclick(self, x: float, y: float, button: str = "left") -> None:
        await self.tab.click(*self._place(x, y), button, 2)

    async def mouse_move(self, x: float, y: float) -> None:
        await self.tab.point(*self._place(x, y))

    async def mouse_down(self, x: float, y: float, button: str = "left") -> None:
        await self.mouse_move(x, y)
        self.window.held = True
        await self.tab.mouse_event("mousePressed", *self._place(x, y), button, 1)

    async def mouse_up(self, x: float, y: float, button: str = "left") -> None:
        await self.tab.mouse_event("mouseMoved", *self._place(x, y), button, held=1)
        await self.tab.mouse_event("mouseReleased", *self._place(x, y), button, 1)

    async def mouse_drag_and_drop(self, from_x: float, from_y: float, to_x: float, to_y: float) -> None:
        await self._drag(self._place(from_x, from_y), self._place(to_x, to_y))

    async def mouse_upload_file(self, x: float, y: float, file: object) -> None:
        payload = self._payload(file)
        asked = self.tab.expect_files()
        await self.mouse_click(x, y)
        try:
            chooser = await asyncio.wait_for(asked, PATIENCE / 1000)
        except TimeoutError:
            raise ActionError(f"nothing at ({x:g}, {y:g}) asks for a file") from None
        await chooser.set_files(payload, timeout=PATIENCE)

    async def keyboard_press(self, key: str) -> None:
        await self.tab.press(check_keys(key))

    async def keyboard_type(self, text: str) -> None:
        await self.tab.type(check_text(text))

    async def keyboard_insert_text(self, text: str) -> None:
        await self.tab.page.keyboard.insert_text(check_text(text))

    async def keyboard_down(self, key: str) -> None:
        keys = check_keys(key)
        self.window.held = True
        await self.tab.page.keyboard.down(keys)

    async def keyboard_up(self, key: str) -> None:
        await self.tab.page.keyboard.up(check_keys(key))

    async def scroll(self, delta_x: float, delta_y: float) -> None:
        if max(abs(delta_x), abs(delta_y)) > MAX_SCROLL:
            raise ActionError(f"scroll takes at most {MAX_SCROLL:g} pixels, got ({delta_x:g}, {delta_y:g})")
        size = self.tab.page.viewport_size
        x, y = (size["width"] / 2, size["height"] / 2) if size else (1, 1)
        await self.tab.wheel(x, y, delta_x / self.scale, delta_y / self.scale)

    # Pages and tabs.

    async def goto(self, url: str) -> None:
        here = self.tab.page.url
        try:
            address = urljoin(here if self.window.site.allows(here) else self.home, url.strip())
        except ValueError:  # no address at all, such as `http://[`
            address = url.strip()
        if not self.window.site.allows(address):
            raise ActionError(f"goto opens only addresses that belong to the task, {address[:200]!r} does not")
        await self.tab.page.goto(address, wait_until="load", timeout=LOAD)

    async def go_back(self) -> None:
        await self._travel(-1)

    async def go_forward(self) -> None:
        await self._travel(1)

    async def new_tab(self) -> None:
        await self.window.new_tab()

    async def tab_close(self) -> None:
        await self.window.close_tab()

    async def tab_focus(self, index: int) -> None:
        self.window.focus(index)

    async def noop(self, wait_ms: float = 1000) -> None:
        await asyncio.sleep(min(max(wait_ms, 0), MAX_WAIT) / 1000)

    # How.

    def _place(self, x: float, y: float) -> tuple[float, float]:
        return x / self.scale, y / self.scale

    async def _handle(self, bid: str) -> ElementHandle:
        element = self.tree.by_ref.get(bid)
        if element is None:
            shown = [each.ref for each in self.tree.elements if each.usable]
            raise ActionError(f"there is no element {bid[:40]!r}; {near(bid[:40], shown, 'elements')}")
        return await self.tab.page.locator(f"aria-ref={element.handle}").element_handle(timeout=PATIENCE)

    async def _reach(self, bid: str) -> tuple[float, float]:
        """Scroll an element into view; where to click it."""
        handle = await self._handle(bid)
        found: Any = await handle.evaluate(REACH)
        if not isinstance(found, list):
            raise ActionError(f"{bid} {str(found)[:100]}")
        # The page can replace what the script calls.
        if len(found) != 4 or not all(isinstance(each, (int, float)) and math.isfinite(each) for each in found):
            raise ActionError(f"{bid} has no place")
        x, y, left, top = found
        if self.tree.by_ref[bid].handle.startswith("f"):  # in a frame, whose pixels are not the window's
            box = await handle.bounding_box()
            if box is None:
                raise ActionError(f"{bid} has no size")
            x, y = x + box["x"] - left, y + box["y"] - top
        return x, y

    async def _drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        mouse = self.tab.page.mouse  # Playwright's own: it knows how to start what HTML calls a drag
        await mouse.move(*start)
        await mouse.down()
        for place in (middle, end, end):
            await mouse.move(*place)
        await mouse.up()

    async def _travel(self, way: int) -> None:
        page = self.tab.page
        before = page.url
        await (page.go_back if way < 0 else page.go_forward)(wait_until="load", timeout=LOAD)
        if not self.window.site.allows(page.url):
            await (page.go_forward if way < 0 else page.go_back)(wait_until="load", timeout=LOAD)
            raise ActionError(f"there is no page to go {'back' if way < 0 else 'forward'} to from {before[:200]!r}")

    def _payload(self, names: object) -> list[FilePayload]:
        found: list[FilePayload] = []
        for name in texts(names):
            if name not in self.files:
                raise ActionError(f"there is no file {name[:80]!r}; {near(name[:80], self.files, 'files')}")
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
            found.append({"name": name, "mimeType": kind, "buffer": self.files[name]})
        return found
