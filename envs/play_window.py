"""A game in the browser of the person who plays it: a page of this machine, for this machine.

    with Window(lambda: Game(source, store), port=8800) as window:
        print(window.url)       # http://127.0.0.1:8800/<token>/
        window.serve()          # until Ctrl-C, or the last episode

No other page can play: the address holds a random token, requests must name this host, and actions are JSON.
"""

from __future__ import annotations

import functools
import json
import logging
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any, Self

from saccade.envs.errors import ConfigError, SaccadeError
from saccade.envs.play import Game
from saccade.envs.replay.record import strict_json

MAX_BODY = 1 << 16
"""Bytes of a request; an action has at most 10,000 characters."""
_HOME = "127.0.0.1"
_FILES = {
    "": ("saccade.envs", "play.html", "text/html"),
    "play.css": ("saccade.envs", "play.css", "text/css"),
    "play.js": ("saccade.envs", "play.js", "text/javascript"),
    "viewer.css": ("saccade.envs.replay", "viewer.css", "text/css"),
    "text.js": ("saccade.envs.replay", "text.js", "text/javascript"),
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; media-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_LOG = logging.getLogger(__name__)


class Window:
    """The server of a game. A context manager.

    Args:
        make: makes the game; it is called, used and closed in one thread of its own.
        port: 0 for any that is free.

    Attributes:
        url: the page.
    """

    def __init__(self, make: Callable[[], Game], port: int = 8800) -> None:
        if not 0 <= port < 1 << 16:
            raise ConfigError(f"port must be 0 to {(1 << 16) - 1}, got {port}")
        try:
            self._server = ThreadingHTTPServer((_HOME, port), functools.partial(_Handler, self))
        except OSError as error:
            raise ConfigError(f"cannot listen on port {port} ({error.strerror}); choose another one") from error
        port = self._server.server_address[1]
        self.hosts = (f"{_HOME}:{port}", f"localhost:{port}")
        self.token = secrets.token_urlsafe(16)
        self.url = f"http://{self.hosts[0]}/{self.token}/"
        self._worker = ThreadPoolExecutor(1, "game")
        try:
            self._game = self._worker.submit(make).result()
        except BaseException:
            self._server.server_close()
            self._worker.shutdown()
            raise

    def serve(self) -> None:
        """Answer requests until `stop`, Ctrl-C, or the last episode."""
        self._server.serve_forever(0.1)

    def stop(self) -> None:
        """Let `serve` return; to be called from another thread than its own."""
        self._server.shutdown()

    def close(self) -> None:
        """Close the server and the game."""
        self._server.server_close()
        self._worker.submit(self._game.close).result()
        self._worker.shutdown()

    def ask(self, what: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """Do what a request says and return the answer; `None` if nobody understands it."""
        return self._worker.submit(self._do, what, body).result()

    def _do(self, what: str, body: dict[str, Any]) -> dict[str, Any] | None:
        match what, body:
            case "act", {"action": str(action)}:
                self._game.act(action)
            case "new", _:
                self._game.new()
            case "demo", _:
                demo = self._game.demo()
                return {"demo": asdict(demo) if demo else None}
            case "view", _:
                pass
            case _:
                return None
        return self._game.view()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server_version = "saccade"
    sys_version = ""
    timeout = 30.0

    def __init__(self, window: Window, *rest: Any) -> None:
        self._window = window
        super().__init__(*rest)

    def do_GET(self) -> None:
        """Show the page, or what is new."""
        name = self._name()
        if name == "view":
            self._play("view", {})
        elif name in _FILES:
            package, file, kind = _FILES[name]
            data = (resources.files(package) / "assets" / file).read_bytes()
            self._send(HTTPStatus.OK, f"{kind}; charset=utf-8", data)
        elif name is not None:
            self._refuse(HTTPStatus.NOT_FOUND, "there is no such page")

    def do_POST(self) -> None:
        """Play."""
        name = self._name()
        if name is None:
            return
        if self.headers.get_content_type() != "application/json":
            return self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "only JSON is understood")
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            return self._refuse(HTTPStatus.LENGTH_REQUIRED, "the length is missing")
        if len(length) > 9 or int(length) > MAX_BODY:
            return self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MAX_BODY} bytes are read")
        try:
            body = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            return self._refuse(HTTPStatus.BAD_REQUEST, "a JSON object is expected")
        self._play(name, body)

    def _name(self) -> str | None:
        """The part of the address behind the token; `None`, and a refusal, for a request that must not be here."""
        host = self.headers.get_all("Host", [])
        match self.path.split("/", 2):
            case ["", token, name] if secrets.compare_digest(token.encode(), self._window.token.encode()):
                if len(host) == 1 and host[0] in self._window.hosts:
                    return name
        self._refuse(HTTPStatus.FORBIDDEN, "the address is the one that `saccade play` printed, and no other")
        return None

    def _play(self, what: str, body: dict[str, Any]) -> None:
        try:
            answer = self._window.ask(what, body)
        except SaccadeError as error:
            return self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        except Exception as error:
            _LOG.exception("the game failed")
            return self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, f"{type(error).__name__}: {error}")
        if answer is None:
            return self._refuse(HTTPStatus.BAD_REQUEST, "this is not understood")
        self._send(HTTPStatus.OK, "application/json", strict_json(answer).encode())
        if answer.get("done"):
            threading.Thread(target=self._window.stop).start()

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self._send(status, "application/json", strict_json({"error": why}).encode())

    def _send(self, status: HTTPStatus, kind: str, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Keep the terminal quiet."""
