"""A chat server on this machine that fails as it is told."""

import base64
import io
import json
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest


class ChatServer:
    """Real HTTP. `faults` are used up first, one a request; then `answer(body)` is the reply.

    A fault is a status, (status, headers, body), or one of `hang`, `garbage`, `cut`, `empty`.
    """

    def __init__(self):
        self.faults = deque()
        self.forever = None
        self.answer = lambda body: '<answer>move("left")</answer>'
        self.finish = "stop"
        self.bodies, self.headers, self.times = [], [], []
        self.running = self.most = 0
        self.delay = 0.0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                server.serve(self)

            def log_message(self, *words):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def serve(self, handler):
        data = handler.rfile.read(int(handler.headers["Content-Length"]))
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
            self.times.append(time.monotonic())
            self.bodies.append(json.loads(data))
            self.headers.append(dict(handler.headers))
            fault = self.faults.popleft() if self.faults else self.forever
        self._stop.wait(self.delay)
        with self._lock:
            self.running -= 1
        self.respond(handler, fault, json.loads(data))

    def respond(self, handler, fault, body):
        if handler.path != "/v1/chat/completions":
            fault = (404, {}, {"error": {"message": f"no {handler.path} here"}})
        if isinstance(fault, int):
            fault = (fault, {}, {"error": {"message": "told to fail", "code": None}})
        if fault == "hang":
            self._stop.wait(20)
            handler.close_connection = True
            return
        if fault == "cut":
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
            handler.wfile.write(b'{"choices": [{"mess')
            handler.close_connection = True
            return
        if fault == "garbage":
            fault = (200, {}, "<html>{oops")
        if fault == "empty":
            fault = (200, {}, {"error": {"message": "the model is loading"}})
        status, headers, content = fault or (200, {}, self.completion(body))
        raw = (content if isinstance(content, str) else json.dumps(content)).encode()
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(raw)))
        handler.end_headers()
        handler.wfile.write(raw)

    def completion(self, body):
        message = {"role": "assistant", "content": self.answer(body)}
        usage = {"prompt_tokens": 100 * len(body["messages"]), "completion_tokens": 10}
        return {"choices": [{"index": 0, "message": message, "finish_reason": self.finish}], "usage": usage}

    def close(self):
        self._stop.set()
        self.http.shutdown()
        self.http.server_close()


def walk_by_sight(body):
    """Plays the grid walk: finds dot and ring in the newest picture, as it came over the wire."""
    from PIL import Image

    url = body["messages"][-1]["content"][-1]["image_url"]["url"]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))
    dot, ring = (np.argwhere((pixels == colour).all(-1))[0] for colour in ((37, 80, 230), (220, 40, 40)))
    (dy, dx) = np.sign(ring - dot)
    move = {(1, 0): "right", (-1, 0): "left"}.get((dx, 0)) or ("down" if dy > 0 else "up")
    return f'<think>go {move}</think><answer>move("{move}")</answer>'


@pytest.fixture
def server():
    server = ChatServer()
    yield server
    server.close()


@pytest.fixture
def engine(server):
    """Builds engines that ask the server, quick to try again."""
    from saccade.agents.engines.api import APIEngine, APIEngineConfig

    made = []

    def build(**config):
        quick = {"base_url": server.url, "backoff": 0.01, "max_wait": 1.0, "key_env": "SACCADE_TEST_KEY"}
        made.append(APIEngine("some-model", APIEngineConfig(**quick | config)))
        return made[-1]

    yield build
    for each in made:
        each.close()
