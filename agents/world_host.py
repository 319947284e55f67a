"""The process that worlds live in: it makes them and answers for them, one request after another.

`worlds.WorldProcess` starts it and asks. It takes its requests from one end of a socket pair whose other end only the
parent has: what arrives was pickled by ourselves, so that unpickling it trusts nobody else. Texts and pictures of a
world are data in such a message and cannot be anything more.
"""

from __future__ import annotations

import builtins
import importlib
import itertools
import logging
import os
import random
import sys
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import gymnasium as gym

from saccade.envs.episode import Demo
from saccade.envs.errors import SaccadeError, WorldFailure
from saccade.envs.task import TaskSpec

_LOG = logging.getLogger(__name__)


class Host:
    """The worlds of this process; each method is a request."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._worlds: dict[int, gym.Env[Any, Any]] = {}
        self._demos: dict[int, dict[int, Iterator[Demo]]] = {}

    def make(self, module: str, task: TaskSpec) -> int:
        """Make the world of a task, which `module` registers; its number."""
        importlib.import_module(module)
        number = next(self._numbers)
        self._worlds[number] = task.make()
        return number

    def reset(self, world: int, seed: int) -> tuple[Any, ...]:
        """View, what an agent has to know, and info."""
        env = self._worlds[world]
        self._demos[world] = {}
        _, info = env.reset(seed=seed)
        facts = (env.get_wrapper_attr(name) for name in ("view", "instructions", "action_format"))
        turns = env.get_wrapper_attr("max_turns") if env.has_wrapper_attr("max_turns") else None
        return (*facts, turns, info)

    def step(self, world: int, action: str) -> tuple[Any, ...]:
        """View, reward, the two endings and info."""
        env = self._worlds[world]
        _, *came = env.step(action)
        if came[1] or came[2]:
            self._demos[world] = {}
        return (env.get_wrapper_attr("view"), *came)

    def sample_action(self, world: int, state: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
        """A random action, drawn by a generator in that state, and its state afterwards."""
        rng = random.Random()
        rng.setstate(state)
        return self._worlds[world].get_wrapper_attr("sample_action")(rng), rng.getstate()

    def demo(self, world: int) -> int:
        """Begin a demonstration; its number, good until the episode is over."""
        number = next(self._numbers)
        self._demos[world][number] = self._worlds[world].get_wrapper_attr("demo")()
        return number

    def show(self, world: int, demo: int) -> Demo | None:
        """The next turn of a demonstration; `None` after the last one, and when the episode is over."""
        return next(self._demos[world].get(demo, iter(())), None)

    def close(self, world: int) -> None:
        """Close a world, if it is open."""
        self._demos.pop(world, None)
        if env := self._worlds.pop(world, None):
            env.close()


def main(descriptor: int) -> None:
    """Serve requests from the socket with that number until the parent is gone."""
    threading.Thread(target=_end_with_parent, name="saccade-parent", daemon=True).start()
    host = Host()
    with Connection(descriptor) as parent:
        parent.send((True, None))
        while True:
            try:
                request, *arguments = parent.recv()
            except EOFError:
                return
            try:
                parent.send((True, getattr(host, request)(*arguments)))
            except Exception as error:
                _LOG.warning("a world failed", exc_info=error)
                parent.send((False, _portable(error)))


def _portable(error: Exception) -> Exception:
    """The error itself where the parent is sure to know its class and can build it."""
    if isinstance(error, SaccadeError) or getattr(builtins, type(error).__name__, None) is type(error):
        return error
    return WorldFailure(f"{type(error).__name__}: {error}")


def _end_with_parent() -> None:
    """End when the parent is gone, even in the middle of a step: nobody ever writes to our standard input."""
    sys.stdin.buffer.read()
    os._exit(0)
