"""`write_html`: episodes as one HTML file that anybody can open and step through, without a server or a network.

    write_html(store, "replay.html")        # the last 64 episodes
    write_html(store, "eval.html", store.records(phase="eval", success=False), limit=None)

What models and worlds wrote is hostile: it travels as JSON with every markup character escaped, the page inserts it
as text only, and its content security policy allows two things, the page's own script and style by their hashes and
media by data URI.
"""

from __future__ import annotations

import base64
import hashlib
import html
import logging
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from saccade.envs.errors import StoreError
from saccade.envs.replay.files import failure, write_atomically
from saccade.envs.replay.marks import points
from saccade.envs.replay.media import data_uri
from saccade.envs.replay.record import Record, strict_json
from saccade.envs.replay.store import ReplayStore

_ASSETS = ("viewer.html", "viewer.css", "text.js", "tokens.js", "viewer.js")
_LOG = logging.getLogger(__name__)


def write_html(
    store: ReplayStore,
    out_path: str | os.PathLike[str],
    records: Iterable[Record] | None = None,
    *,
    limit: int | None = 64,
    title: str | None = None,
) -> Path:
    """Write the viewer.

    Args:
        store: where the pictures are.
        out_path: the HTML file; its folder is made if it is missing.
        records: the episodes to show; all of the store by default.
        limit: how many of them, the last ones; `None` for all. Pictures are inside the file: mind its size.
        title: heading of the page; the run's id by default.

    Returns:
        The path of the file.
    """
    out = Path(out_path)
    total, shown = _last(store.records() if records is None else records, limit)
    data = {
        "title": title or f"Run {store.run_id}",
        "run": dict(store.meta),
        "total": total,
        "media": dict(_media(store, shown)),
        "episodes": [
            {**record.data, "points": [points(step["action"], record.task.id) for step in record.steps]}
            for record in shown
        ],
    }
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise failure("make", out.parent, error) from error
    write_atomically(out, [_page(str(data["title"]), data).encode("utf-8")])
    return out


def _last(records: Iterable[Record], limit: int | None) -> tuple[int, list[Record]]:
    """How many records there are, and the last ones of them."""
    kept: deque[Record] = deque(maxlen=limit)
    total = 0
    for record in records:
        total += 1
        kept.append(record)
    return total, list(kept)


def _page(title: str, data: Mapping[str, Any]) -> str:
    folder = resources.files("saccade.envs.replay") / "assets"
    page, style, *scripts = ((folder / name).read_text("utf-8") for name in _ASSETS)
    script = "".join(scripts)
    policy = (
        f"default-src 'none'; img-src data:; media-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    slots = {"policy": policy, "title": html.escape(title), "style": style, "script": script, "data": _escaped(data)}
    head, *rest = page.split("{{")  # one pass: nothing that is put in is searched for slots
    pieces = (piece.partition("}}") for piece in rest)
    return head + "".join(slots[name] + tail for name, _, tail in pieces)


def _escaped(data: Mapping[str, Any]) -> str:
    """JSON in ASCII that cannot end its script element: <, > and & never appear; U+2028 and the like are escapes."""
    return strict_json(data).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def _media(store: ReplayStore, records: Iterable[Record]) -> Iterator[tuple[str, str]]:
    """Data URIs by key, each once; what cannot be read is left out, and the page says so."""
    done: set[str] = set()
    for record in records:
        for parts in [*(step["observation"] for step in record.steps), record.data["final"] or []]:
            for part in parts:
                key = _key(part)
                if key and key not in done:
                    done.add(key)
                    try:
                        yield key, _uri(store, part)
                    except StoreError as error:
                        _LOG.warning("left out of the viewer: %s", error)


def _key(part: Mapping[str, Any]) -> str:
    match part:
        case {"image": str(digest)}:
            return digest
        case {"video": str(digest), "fps": fps}:
            return f"{digest}@{fps}"
        case {"audio": str(digest), "rate": rate}:
            return f"{digest}@{rate}"
    return ""


def _uri(store: ReplayStore, part: Mapping[str, Any]) -> str:
    if "image" in part:
        return data_uri(store.image(part["image"]))
    if "video" in part:
        return data_uri(store.video(part["video"], part["fps"]))
    return data_uri(store.audio(part["audio"], part["rate"]))
