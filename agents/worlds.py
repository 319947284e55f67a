"""Worlds in processes of their own: drawing is bound to its thread, and a simulator keeps a core busy.

    worlds = WorldProcesses(2, patience=120.0)
    env = worlds.make(0, task)          # acts as the environment itself would, step for step and bit for bit
    env.reset(seed=task.seed)
    worlds.close()

Several worlds share a process. One that dies or does not answer in time is a `WorldFailure` to every world in it, and
the next world that is made there begins a new one. Processes are begun anew, never forked from one with threads, and
never run the main script again. They end with their parent, whatever ends it.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import Pipe
from typing import Any

import gymnasium as gym

from saccade.envs.actions import ActionFormat
from saccade.envs.episode import Demo
from saccade.envs.errors import ConfigError, ResetNeeded, WorldFailure
from saccade.envs.observation import Observation
from saccade.envs.spaces import Unicode, observation_space
from saccade.envs.task import TaskSpec, class_of

START = 120.0
"""Seconds that a process may take to begin, and a world to be made: it imports a simulator."""
DYING = 5.0
"""Seconds between the end of a process' connection and its own."""
_BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from saccade.agents.world_host import main; main({})"


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def lives_apart(task: TaskSpec) -> bool:
    """Whether the world of a task is better off in a process: not if only this script knows its class."""
    made = class_of(task.id)
    return getattr(made, "affinity", "any") == "process" and made.__module__ != "__main__" and os.name == "posix"


class WorldProcess:
    """One process, and the way to ask it.

    Args:
        patience: seconds that one answer may take.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._begun = False
        self._connection, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _BOOT.format(theirs.fileno()), json.dumps(sys.path)],
                stdin=subprocess.PIPE,  # its end is how the child learns of ours
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for the parent to handle
            )

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def ask(self, request: str, *arguments: Any) -> Any:
        """What the method of `Host` with that name returns or raises.

        Raises:
            WorldFailure: the process is gone, or did not answer in time and was ended.
        """
        with self._lock:
            try:
                if not self._begun:
                    self._begun, _ = self._answer(START)
                self._connection.send((request, *arguments))
                done, answer = self._answer(START if request == "make" else self._patience)
            except (EOFError, OSError) as error:
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(DYING)  # its status says why, unless we end it first
                self.kill()
                raise WorldFailure(f"the process of the world ended with status {self._process.returncode}") from error
        if not done:
            raise answer
        return answer

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()

    def _answer(self, patience: float) -> tuple[bool, Any]:
        if not self._connection.poll(patience):
            self.kill()
            raise WorldFailure(f"the process of the world did not answer within {patience:g} s")
        answer: tuple[bool, Any] = self._connection.recv()
        return answer


class WorldProcesses:
    """At most `count` processes, each begun when it is first needed, and again after its end."""

    def __init__(self, count: int, patience: float) -> None:
        self._processes: list[WorldProcess | None] = [None] * count
        self._patience = patience
        self._lock = threading.Lock()

    def make(self, number: int, task: TaskSpec) -> RemoteWorld:
        """The world of a task; equal numbers share a process."""
        with self._lock:
            index = number % len(self._processes)
            process = self._processes[index]
            if process is None or not process.alive:
                process = self._processes[index] = WorldProcess(self._patience)
        return RemoteWorld(process, task)

    def close(self) -> None:
        """End all processes and the worlds in them."""
        for index, process in enumerate(self._processes):
            if process:
                process.kill()
            self._processes[index] = None


class RemoteWorld(gym.Env[dict[str, Any], str]):
    """An environment that lives in another process; what a runner needs of it is the same."""

    instructions: str
    action_format: ActionFormat
    max_turns: int | None

    def __init__(self, process: WorldProcess, task: TaskSpec) -> None:
        self._process = process
        self.observation_space = observation_space()
        self.action_space = Unicode()
        self._view: Observation | None = None
        try:
            self._number = process.ask("make", class_of(task.id).__module__, task)
        except ConfigError as error:
            error.add_note("It was made in a process of its own, which imports the module of its class: register it "
                           "there, or set runner.workers to 0")  # fmt: skip
            raise

    @property
    def alive(self) -> bool:
        """Whether its process is."""
        return self._process.alive

    @property
    def view(self) -> Observation:
        """The current observation with its parts in order."""
        if self._view is None:
            raise ResetNeeded("there is nothing to see yet: call reset first")
        return self._view

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin the task of that seed."""
        self._view, self.instructions, self.action_format, self.max_turns, info = self._ask("reset", seed)
        return self.view.as_dict(), info

    def step(self, action: str) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Act once."""
        self._view, reward, terminated, truncated, info = self._ask("step", action)
        return self.view.as_dict(), reward, terminated, truncated, info

    def sample_action(self, rng: random.Random) -> str:
        """What the environment would draw from this generator, which moves on as it would there."""
        action, state = self._ask("sample_action", rng.getstate())
        rng.setstate(state)
        return str(action)

    def demo(self) -> Iterator[Demo]:
        """The environment's own solution, as lazily as there."""
        number = self._ask("demo")
        while (demo := self._ask("show", number)) is not None:
            yield demo

    def close(self) -> None:
        """Close the environment, if its process still has it."""
        with suppress(WorldFailure):
            self._ask("close")

    def _ask(self, request: str, *arguments: Any) -> Any:
        return self._process.ask(request, self._number, *arguments)
