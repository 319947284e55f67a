"""math-verify in a process of its own, which is killed when it takes too long."""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import select
import subprocess
import sys
import threading
import time
from functools import cache
from pathlib import Path

START_SECONDS = 60.0
ANSWER_SECONDS = 5.0
_WORKER = Path(__file__).with_name("math_worker.py")


@cache
def is_installed() -> bool:
    """Whether `math-verify` can be used here."""
    return importlib.util.find_spec("math_verify") is not None


class MathProcess:
    """A worker that compares two formulas; started when first asked, and again after it had to be killed.

    Threads take turns; a forked child starts its own.

    Args:
        seconds: how long one comparison may take.
    """

    def __init__(self, seconds: float = ANSWER_SECONDS) -> None:
        self.seconds = seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        atexit.register(self.close)

    def same(self, answer: str, gold: str) -> bool | None:
        """Whether two formulas in LaTeX are equal; `None` where that could not be found out in time, or at all."""
        with self._lock:
            process = self._running()
            reply = self._ask(process, [answer, gold]) if process else None
            if reply is None:
                self._kill()
            return reply if isinstance(reply, bool) else None

    def close(self) -> None:
        """End the worker."""
        with self._lock:
            self._kill()

    def _running(self) -> subprocess.Popen[bytes] | None:
        if self._process and self._owner == os.getpid() and self._process.poll() is None:
            return self._process
        self._kill()
        # -P: the modules beside the script are not what its libraries import by such names.
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._owner = os.getpid()
        return self._process if self._read(self._process, START_SECONDS) == "ready" else None

    def _ask(self, process: subprocess.Popen[bytes], question: list[str]) -> object:
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(question).encode() + b"\n")
            process.stdin.flush()
        except OSError:  # it died
            return None
        return self._read(process, self.seconds)

    @staticmethod
    def _read(process: subprocess.Popen[bytes], seconds: float) -> object:
        """One JSON line, or `None` if it does not come in time."""
        assert process.stdout is not None
        deadline = time.monotonic() + seconds
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([process.stdout], [], [], max(deadline - time.monotonic(), 0.0))[0]:
                return None
            read = os.read(process.stdout.fileno(), 4096)
            if not read:
                return None
            line += read
        answer: object = json.loads(line)
        return answer

    def _kill(self) -> None:
        if self._process and self._owner == os.getpid():
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe:
                    pipe.close()
        self._process = None


PROCESS = MathProcess()
"""The one worker of this process."""
