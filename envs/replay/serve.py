"""Watching a run while it trains: the viewer's page, written anew at every reload.

    serve(ReplayStore.open("runs/a/replay"), port=8000)      # http://127.0.0.1:8000

Needs the `viewer` extra; the page in a file (`write_html`) needs nothing. Listens on this machine only.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from saccade.envs.errors import ConfigError
from saccade.envs.replay.store import ReplayStore
from saccade.envs.replay.viewer import write_html


def make_app(store: ReplayStore, limit: int = 64, phase: str | None = None, update: int | None = None) -> Any:
    """The ASGI application: `/` is the page with the last `limit` episodes of that phase and update."""
    try:
        from starlette.applications import Starlette
        from starlette.requests import Request
        from starlette.responses import HTMLResponse
        from starlette.routing import Route
    except ImportError as error:
        raise ConfigError(f"--serve needs the viewer extra ({error}): pip install saccade[viewer]") from error

    def page(request: Request) -> HTMLResponse:
        with tempfile.TemporaryDirectory() as folder:
            records = store.records(phase=phase, update=update, last=limit)
            path = write_html(store, Path(folder) / "page.html", records)
            return HTMLResponse(path.read_text(encoding="utf-8"), headers={"Cache-Control": "no-store"})

    return Starlette(routes=[Route("/", page)])


def serve(
    store: ReplayStore, port: int = 8000, limit: int = 64, phase: str | None = None, update: int | None = None
) -> None:
    """Serve until interrupted."""
    if not 0 <= port < 1 << 16:
        raise ConfigError(f"port must be 0 to {(1 << 16) - 1}, got {port}")
    app = make_app(store, limit, phase, update)
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")
