"""What a window may reach.

Site(ASSETS).get("http://saccade.local/scene.html")     # (bytes, "text/html")
Site(ASSETS).allows("http://example.com/")              # False: the request is aborted
Hosts("http://127.0.0.1:7770")                          # a server of your own, and nothing else

`Site` is a folder of files under an origin that exists nowhere. `Hosts` are real servers: requests to them are made by
Playwright's driver, as the browser itself resolves no host name at all. A redirect of a page becomes a request of its
own, that is checked as any other.
"""

from __future__ import annotations

import functools
import json
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urljoin, urlsplit

from saccade.envs.errors import ConfigError

if TYPE_CHECKING:
    from playwright.async_api import APIResponse, Route

ORIGIN = "http://saccade.local"
ASSETS = Path(__file__).parent / "assets"
FONTS = {".woff2": "font/woff2"}
"""Media types that `mimetypes` lacks on some machines."""
MOVED = """<script>location.replace(ADDRESS);
(function wait() { document.documentElement.toggleAttribute("moved"); requestAnimationFrame(wait); })()</script>"""
"""Sends a page on, and is never quiet. The browser would follow a redirect by itself, and reach nobody."""


class Reach(Protocol):
    """What the pages of a window may load."""

    def allows(self, url: str) -> bool:
        """Whether a page may go to this address."""

    async def serve(self, route: Route) -> None:
        """Answer a request, or abort it."""


@dataclass(frozen=True)
class Site:
    """The files below `root`, served read-only.

    Attributes:
        root: the folder.
        page: the file, in the folder or anywhere, that is shown at every address without a file name, such as `/cart`;
            none if empty.
    """

    root: Path
    page: str = ""

    def get(self, url: str) -> tuple[bytes, str] | None:
        """Content and media type of a file of this site; `None` for any other address, `..` and links out included."""
        try:
            file = self._file(url)
            return None if file is None else _read(file, file.stat().st_mtime_ns)
        except (OSError, ValueError):  # no address, or a name that no file can have
            return None

    def allows(self, url: str) -> bool:
        """Whether there is such a file."""
        return self.get(url) is not None

    async def serve(self, route: Route) -> None:
        """Answer a request for a file of the site; abort any other."""
        found = self.get(route.request.url) if route.request.method == "GET" else None
        if found is None:
            await route.abort("blockedbyclient")
        else:
            await route.fulfill(body=found[0], content_type=found[1])

    def _file(self, url: str) -> Path | None:
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}" != ORIGIN:
            return None
        path = unquote(parts.path).lstrip("/")
        if "\0" in path:
            return None
        if self.page and "." not in path:
            return self.root / self.page
        file = (self.root / path).resolve()
        return file if file.is_relative_to(self.root.resolve()) and file.is_file() else None


class Hosts:
    """Real servers, by their origins.

    Args:
        *origins: such as `http://127.0.0.1:7770`; ports count.
    """

    def __init__(self, *origins: str) -> None:
        for origin in origins:
            # One that cannot be read would stand for every address that cannot be read either, such as `file:///`.
            if not _origin(origin) or urlsplit(origin).path.strip("/"):
                raise ConfigError(f"an origin is written like http://127.0.0.1:7770, got {origin!r}")
        self.origins = frozenset(_origin(origin) for origin in origins)

    def allows(self, url: str) -> bool:
        """Whether the address is on one of the servers."""
        return _origin(url) in self.origins

    async def serve(self, route: Route) -> None:
        """Pass a request on to its server, and a page on to where the server sends it; abort any other."""
        request = route.request
        if not self.allows(request.url):
            await route.abort("blockedbyclient")
            return
        try:
            response = await route.fetch(max_redirects=0, timeout=20_000)
            target = _target(request.url, response)
        except Exception:  # the server does not answer: a request that nobody ends would keep its page loading
            await route.abort("failed")
            return
        if not (target and request.is_navigation_request()):
            await route.fulfill(response=response)
        elif self.allows(target):
            address = json.dumps(target).replace("<", "\\u003c")
            await route.fulfill(content_type="text/html", body=MOVED.replace("ADDRESS", address))
        else:
            await route.abort("blockedbyclient")


def _target(url: str, response: APIResponse) -> str:
    """Where a response leads to; empty if nowhere else."""
    place = response.headers.get("location", "")
    return urljoin(url, place) if place and 300 <= response.status < 400 else ""


def _origin(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.hostname}:{port}" if parts.scheme in ("http", "https") and parts.hostname else ""


@functools.lru_cache(maxsize=512)
def _read(file: Path, changed: int) -> tuple[bytes, str]:
    kind = FONTS.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return file.read_bytes(), kind
