"""What a tab may reach: the files of one folder, under an origin that exists nowhere.

Site(ASSETS).get("http://saccade.local/scene.html")     # (bytes, "text/html")
Site(ASSETS).get("http://example.com/")                 # None: the request is aborted
"""

from __future__ import annotations

import functools
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

ORIGIN = "http://saccade.local"
ASSETS = Path(__file__).parent / "assets"
FONTS = {".woff2": "font/woff2"}
"""Media types that `mimetypes` lacks on some machines."""


@dataclass(frozen=True)
class Site:
    """The files below `root`, served read-only."""

    root: Path

    def get(self, url: str) -> tuple[bytes, str] | None:
        """Content and media type of a file of this site; `None` for any other address, `..` and links out included."""
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}" != ORIGIN:
            return None
        path = unquote(parts.path).lstrip("/")
        if "\0" in path:
            return None
        file = (self.root / path).resolve()
        if not file.is_relative_to(self.root.resolve()) or not file.is_file():
            return None
        return _read(file, file.stat().st_mtime_ns)


@functools.lru_cache(maxsize=512)
def _read(file: Path, changed: int) -> tuple[bytes, str]:
    kind = FONTS.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return file.read_bytes(), kind
