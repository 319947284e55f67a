"""What processes hold, from /proc; only Linux has it.

memory(family(os.getpid()))     # this process and all its children
"""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from pathlib import Path

PROC = Path("/proc")


def family(root: int) -> list[int]:
    """A process and all that descend from it, those that have ended left out."""
    children: dict[int, list[int]] = defaultdict(list)
    for pid, (parent, _) in _all().items():
        children[parent].append(pid)
    found = [root] if (PROC / str(root)).exists() else []
    for pid in found:
        found.extend(children[pid])
    return found


def session(leader: int) -> list[int]:
    """The processes of a session: Playwright starts each browser in one, and what is left of it stays in it."""
    return [pid for pid, (_, leads) in _all().items() if leads == leader]


def memory(pids: list[int]) -> tuple[float, float]:
    """Resident and proportional set size (RSS and PSS) in MiB, summed.

    The latter divides what is shared among those who share it.
    """
    sums = {"Rss": 0, "Pss": 0}
    for pid in pids:
        with contextlib.suppress(OSError):  # it has just ended
            for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
                name, _, amount = line.partition(":")
                if name in sums:
                    sums[name] += int(amount.split()[0])
    return sums["Rss"] / 1024, sums["Pss"] / 1024


def descriptors(pid: int) -> int:
    """How many files, pipes and sockets a process holds open."""
    return len(os.listdir(PROC / str(pid) / "fd"))


def _all() -> dict[int, tuple[int, int]]:
    """Parent and session of every process that has not ended."""
    found = {}
    for folder in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just gone
            state, parent, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if state != "Z":
                found[int(folder.name)] = int(parent), int(session)
    return found
