"""One headless Chromium a process, owned by one asyncio thread; plain synchronous calls for everybody else.

    window = host().call(host().open(site, (64, 64)), timeout=30)

`host()` returns the process-wide `BrowserHost` and starts it on first use; a forked or spawned process gets its own.
Environments call it from any thread, also inside a running event loop. A page that crashes, hangs or goes away is a
`WorldFailure`; a browser that died is launched again by the next `open`. Everything ends with the interpreter.

Two walls keep pages away from the network: every request that is not the tab's own `Site` is aborted, and the
browser resolves no host name at all.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import shutil
import signal
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from saccade.envs.errors import ConfigError, WorldFailure
from saccade.envs.gui.site import Reach
from saccade.envs.gui.tab import Tab
from saccade.envs.gui.window import Window

if TYPE_CHECKING:
    from playwright.async_api import Browser, Playwright

T = TypeVar("T")

LAUNCH_TIMEOUT = 60.0
"""Seconds that starting the driver and the browser may take on a busy machine."""

OPEN_TIMEOUT = 30.0
"""Seconds that one new context and page may take, after which the browser counts as hung."""

ANSWER_TIMEOUT = 5.0
"""Seconds in which a browser that failed to open a page must answer anything, or it is killed."""

OPEN_AT_ONCE = 4
"""Renderers that start at the same time; more only slow each other down until the first ones time out."""

ON_PATH = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

ARGUMENTS = (
    "--disable-gpu",
    "--disable-gpu-vsync",  # with the next one, a screenshot does not wait for the next 60 Hz tick
    "--disable-frame-rate-limit",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--disable-checker-imaging",  # no frame without the pictures that it shows
    "--disable-partial-raster",  # redrawing a part of a tile can shift its antialiased edges by one grey level
    "--disable-lcd-text",  # the same pixels on every machine with the same fonts
    "--font-render-hinting=none",
    "--force-color-profile=srgb",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


def find_chromium(playwright_path: str = "") -> str:
    """The browser to launch: `$SACCADE_CHROMIUM`, else Playwright's own, else the first of `ON_PATH`.

    Args:
        playwright_path: where Playwright keeps its Chromium, whether it is installed or not.

    Raises:
        ConfigError: none is installed, or `$SACCADE_CHROMIUM` names no executable file.
    """
    if named := os.environ.get("SACCADE_CHROMIUM"):
        if found := shutil.which(named):
            return found
        raise ConfigError(f"SACCADE_CHROMIUM must name an executable file, got {named!r}: correct it or unset it")
    if playwright_path:
        full = Path(playwright_path)
        for folder in full.parents:  # .../chromium-1234/chrome-linux/chrome; the shell lies beside it
            if folder.name.startswith("chromium-"):
                beside = folder.with_name(folder.name.replace("chromium-", "chromium_headless_shell-", 1))
                for shell in sorted(beside.glob("*/*headless*shell*")):
                    if shutil.which(str(shell)):
                        return str(shell)
        if shutil.which(str(full)):
            return str(full)
    for name in ON_PATH:
        if found := shutil.which(name):
            return found
    raise ConfigError(
        "no Chromium was found for the GUI environments: run `playwright install chromium-headless-shell` (or, on "
        "Debian, `apt-get install chromium-headless-shell`), or set SACCADE_CHROMIUM to the executable"
    )


class BrowserHost:
    """Owner of Playwright and of one browser; get it from `host`."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.launches = 0
        """How many browsers were started so far: 1, and one more after every crash."""
        self.browser_pid: int | None = None
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._shared: dict[tuple[str, Reach, tuple[int, int]], Window] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._launching = asyncio.Lock()
        self._sharing = asyncio.Lock()
        self._opening = asyncio.Semaphore(OPEN_AT_ONCE)
        self._thread = threading.Thread(target=self._loop.run_forever, name="saccade-browser", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    # From any thread.

    def call(self, work: Coroutine[Any, Any, T], timeout: float) -> T:
        """Run a coroutine in the browser's thread and wait for it.

        Raises:
            WorldFailure: the browser or the page broke, or `timeout` seconds passed.
        """
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("call waits for the browser's thread and cannot run in it: await the coroutine instead")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout)
        except TimeoutError as error:
            raise WorldFailure(f"the page did not answer within {timeout:g} s") from error
        except Exception as error:
            if is_playwright_error(error):
                raise WorldFailure(f"the browser failed: {str(error).partition(chr(10))[0]}") from error
            raise
        finally:
            future.cancel()

    def discard(self, window: Window) -> None:
        """Close a window without waiting; safe in finalizers and after a fork."""
        if os.getpid() == self.process and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._close_soon, window)

    def kill(self) -> None:
        """Kill the browser process at once; the next `open` launches another."""
        if self.browser_pid is not None and os.getpid() == self.process:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.browser_pid, signal.SIGKILL)

    def close(self) -> None:
        """Close the browser, the driver and the thread; `host` then starts anew. Called at interpreter exit."""
        if os.getpid() != self.process or not self._loop.is_running():
            return
        _hosts.pop(self.process, None)
        atexit.unregister(self.close)
        try:
            self.call(self._shut_down(), timeout=10)
        except WorldFailure:
            self.kill()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)

    # In the browser's thread.

    async def open(self, site: Reach, viewport: tuple[int, int], max_tabs: int = 1) -> Window:
        """A window with a blank tab in a context of its own, which can reach `site` only.

        The browser is launched where needed.
        """
        async with self._opening:
            browser = await self._running_browser()
            try:
                return await asyncio.wait_for(Window.open(browser, site, viewport, max_tabs), OPEN_TIMEOUT)
            except Exception as error:
                if not _is_lost(error) or await _answers(browser):
                    raise
            await self._lose(browser)
            browser = await self._running_browser()
            return await asyncio.wait_for(Window.open(browser, site, viewport, max_tabs), OPEN_TIMEOUT)

    async def shared(self, path: str, site: Reach, viewport: tuple[int, int]) -> Tab:
        """A tab at `path` that stays open for the whole process; take its window's `lock` while using it."""
        key = (path, site, viewport)
        async with self._sharing:
            window = self._shared.get(key)
            if window is None or not window.alive:
                window = await self.open(site, viewport)
                try:
                    await window.front.goto(path)
                except BaseException:
                    await window.close()
                    raise
                self._shared[key] = window
        return window.front

    async def _running_browser(self) -> Browser:
        async with self._launching:
            if self._browser is None or not self._browser.is_connected():
                try:
                    self._browser = await asyncio.wait_for(self._launch(), LAUNCH_TIMEOUT)
                except Exception as error:
                    if not _is_lost(error):
                        raise
                    self._playwright = None  # the driver may have died with the browser: once more, with another
                    self._browser = await self._launch_again()
        return self._browser

    async def _lose(self, browser: Browser) -> None:
        """Give up a browser that does not answer, unless another call did so already."""
        async with self._launching:
            if self._browser is browser:
                self.kill()
                self._browser = None

    async def _launch_again(self) -> Browser:
        try:
            return await asyncio.wait_for(self._launch(), LAUNCH_TIMEOUT)
        except Exception as error:
            if not _is_lost(error):
                raise
            kind = WorldFailure if self.launches else ConfigError  # a browser that never ran is not installed well
            hint = "; where the kernel allows no sandbox, set SACCADE_NO_SANDBOX=1" if "sandbox" in str(error) else ""
            raise kind(f"Chromium could not be launched{hint}: {str(error)[:2000]}") from error

    async def _launch(self) -> Browser:
        try:
            from playwright.async_api import async_playwright
        except ImportError as error:
            raise ConfigError("the GUI environments need Playwright: run `pip install 'saccade[gui]'`") from error
        if self._playwright is None:
            self._playwright = await async_playwright().start()
        browser = await self._playwright.chromium.launch(
            executable_path=find_chromium(self._playwright.chromium.executable_path),
            args=list(ARGUMENTS),
            chromium_sandbox=can_sandbox(),
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
        )
        session = await browser.new_browser_cdp_session()
        processes = await session.send("SystemInfo.getProcessInfo")
        self.browser_pid = next(each["id"] for each in processes["processInfo"] if each["type"] == "browser")
        self.launches += 1
        browser.on("disconnected", self._disconnected)
        return browser

    def _disconnected(self, browser: Browser) -> None:
        if self._browser is browser:
            self.browser_pid = None  # the number may soon be another process's

    def _close_soon(self, window: Window) -> None:
        task = self._loop.create_task(self._close_window(window))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _close_window(self, window: Window) -> None:
        try:
            await asyncio.wait_for(window.close(), 10)
        except TimeoutError:
            self.kill()  # a browser that cannot close a page any more serves nobody

    async def _shut_down(self) -> None:
        if self._browser is not None and self._browser.is_connected():
            await self._browser.close()
        if self._playwright is not None:
            await self._playwright.stop()


def host() -> BrowserHost:
    """The browser host of this process."""
    with _lock:
        found = _hosts.get(os.getpid())
        if found is None:
            found = _hosts[os.getpid()] = BrowserHost()
        return found


def is_playwright_error(error: BaseException) -> bool:
    """Whether Playwright raised it: a crash, a closed page, a lost driver, its own timeout."""
    from playwright.async_api import Error

    return isinstance(error, Error)


async def _answers(browser: Browser) -> bool:
    """Whether the browser process is there; it takes a moment until Playwright knows that it is not."""
    try:
        session = await asyncio.wait_for(browser.new_browser_cdp_session(), ANSWER_TIMEOUT)
        await asyncio.wait_for(session.detach(), ANSWER_TIMEOUT)
    except Exception as error:
        if _is_lost(error):
            return False
        raise
    return True


def _is_lost(error: Exception) -> bool:
    return isinstance(error, TimeoutError) or is_playwright_error(error)


def can_sandbox() -> bool:
    """Whether Chromium's own sandbox is used: not as root, nor where `$SACCADE_NO_SANDBOX` says so."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return not is_root and os.environ.get("SACCADE_NO_SANDBOX", "") in ("", "0")


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()  # another thread of the parent may have held it


_lock = threading.Lock()
_hosts: dict[int, BrowserHost] = {}  # a forked child keeps its parent's entry alive, so that nothing of it is finalized
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
