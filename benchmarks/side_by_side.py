"""Runs of a script in processes of their own, two at a time: a small machine has two cores.

good = side_by_side({"gui/0": [sys.executable, __file__, "--run", "gui/0"]})
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence

AT_ONCE = 2


def side_by_side(commands: Mapping[str, Sequence[str]], **environment: str) -> bool:
    """Run all commands, with one thread each, and tell when each ends; whether all succeeded.

    Args:
        commands: what to run, by the name that is told.
        **environment: variables beside those of this process.
    """
    waiting = list(commands)
    running: dict[str, tuple[float, subprocess.Popen[bytes]]] = {}
    good = True
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            name = waiting.pop(0)
            process = subprocess.Popen(commands[name], env=os.environ | {"OMP_NUM_THREADS": "1"} | environment)
            running[name] = time.perf_counter(), process
        for name, (started, process) in list(running.items()):
            if process.poll() is not None:
                del running[name]
                good = good and process.returncode == 0
                said = "done" if process.returncode == 0 else "failed"
                print(f"{name}: {said} after {time.perf_counter() - started:.0f} s", flush=True)
        time.sleep(0.3)
    return good
