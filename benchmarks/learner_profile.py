"""Where an update's time goes, and what it holds: `python benchmarks/learner_profile.py [--write docs/results.md]`.

Processor time of the threads that do the work, of the episodes of `fixed_turns.py`:

- *forward*: encoders, hidden states, logits and loss of the step; *backward*: autograd; *optimiser*: clipping and step.
- *generation*: the engine's batches from prefix to sampled ids; *environment*: `reset` and `step`.
- *probe*: the forward passes of `image_effect`, which every update takes.
- *all else*: ledgers, batches of requests, event loop and threads, picture processing, rewards, advantages, collation,
  metrics. Meant to be at most 5 % of a step of 50 million parameters, and 0.3 ms a turn of the tiny model.

Memory: the resident set over 500 updates, and the largest matrix of logits as sequences grow.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from fixed_turns import LEARNER, MODEL, FixedTurns, close, fixed_trainer
from page import markdown_table, write_section
from processes import memory

import saccade.rl.trainer as training
from saccade.agents.engines.transformers import TransformersEngine
from saccade.agents.load import load_model, save_agent_config, saved_agent_config
from saccade.agents.media import Media
from saccade.agents.tiny import TinyConfig, build_tiny
from saccade.rl.display import make_console, table
from saccade.rl.learner import Learner
from saccade.rl.looks import Looks
from saccade.rl.optimizers import Optimizer

LARGE = TinyConfig(width=640, layers=9, heads=20, mlp=2560, vision_layers=4)
"""Of more than 50 million parameters."""
PHASES = ("forward", "backward", "optimiser", "generation", "environment", "probe")


class Stopwatch:
    """Processor time by phase; a phase inside another one takes its time away from it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inner: dict[int, list[float]] = defaultdict(list)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Everything inside, in this thread."""
        inner = self._inner[threading.get_ident()]
        inner.append(0.0)
        began = time.thread_time()
        try:
            yield
        finally:
            took = time.thread_time() - began
            self.seconds[name] += took - inner.pop()
            if inner:
                inner[-1] += took

    def around(self, owner: Any, method: str, name: str) -> Callable[[], None]:
        """Count the calls of a method; returns what undoes it."""
        before = getattr(owner, method)

        @functools.wraps(before)
        def counted(*args: Any, **settings: Any) -> Any:
            with self.phase(name):
                return before(*args, **settings)

        setattr(owner, method, counted)
        return lambda: setattr(owner, method, before)


@contextmanager
def measured(watch: Stopwatch) -> Iterator[None]:
    """Inside, every phase of an update is counted."""
    places = [
        (Learner, "_policy_loss", "forward"),
        (Looks, "__init__", "forward"),
        (torch.autograd, "backward", "backward"),
        (torch.nn.utils, "clip_grad_norm_", "optimiser"),
        (Optimizer, "step", "optimiser"),
        (Optimizer, "zero_grad", "optimiser"),
        (TransformersEngine, "_reply", "generation"),
        (FixedTurns, "reset", "environment"),
        (FixedTurns, "step", "environment"),
        (training, "image_effect", "probe"),
        (Media, "process", "pictures"),  # is taken out of the phase that asks, and so falls to all else
    ]
    undo = [watch.around(owner, method, name) for owner, method, name in places]
    try:
        yield
    finally:
        for each in undo:
            each()


def profile(model: str, turns: int, tasks: int, group: int, tokens: int, updates: int) -> dict[str, float]:
    """Seconds of processor time an update, by phase; `all else` is what the phases leave of the whole."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = fixed_trainer(folder, turns, tokens, tasks, group, model)
        trainer.update(0)
        watch = Stopwatch()
        with measured(watch):
            began = time.process_time()
            for update in range(1, updates + 1):
                trainer.update(update)
            whole = time.process_time() - began
        close(trainer)
    found = {name: watch.seconds[name] / updates for name in PHASES}
    return found | {"all else": whole / updates - sum(found.values()), "whole": whole / updates}


def large_model(folder: Path) -> tuple[str, int]:
    """A model of random weights, and its number of parameters."""
    path = build_tiny(folder / "large", LARGE, ["Look at the picture. Say what you see."])
    save_agent_config(path, saved_agent_config(MODEL))
    return str(path), sum(weight.numel() for weight in load_model(path)[0].model.parameters())


def resident(updates: int, every: int) -> list[tuple[int, float]]:
    """Resident set in MiB after so many updates."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        trainer = fixed_trainer(folder, turns=2, tokens=4, tasks=2, group=2)
        for update in range(updates):
            trainer.update(update)
            if (update + 1) % every == 0:
                found.append((update + 1, memory([os.getpid()])[0]))
        close(trainer)
    return found


def largest_logits(tokens: int, limit: int) -> float:
    """MiB of the largest matrix of logits in a step on 8 replies of so many tokens.

    Args:
        tokens: of a reply.
        limit: `LearnerConfig.logits_bytes`.
    """
    largest = 0

    def note(module: Any, inputs: Any, out: torch.Tensor) -> None:
        nonlocal largest
        if torch.is_grad_enabled():
            largest = max(largest, out.numel() * 4)

    with tempfile.TemporaryDirectory() as folder:
        trainer = fixed_trainer(folder, 1, tokens, 1, 8, learner=replace(LEARNER, logits_bytes=limit))
        handle = trainer.learner.backbone.model.lm_head.register_forward_hook(note)
        trainer.update(0)
        handle.remove()
        close(trainer)
    return largest / 2**20


def shares(found: dict[str, float], turns: int) -> list[str]:
    """A row: milliseconds of each phase, the share of all else, and its milliseconds a turn."""
    phases = [f"{found[name] * 1000:.1f}" for name in (*PHASES, "all else")]
    return [*phases, f"{100 * found['all else'] / found['whole']:.1f} %", f"{found['all else'] * 1000 / turns:.2f}"]


def main(small: bool, parts: list[str], write: str) -> None:
    torch.set_num_threads(1)
    text = ""
    console = make_console()

    def show(title: str, columns: list[str], rows: list[list[str]]) -> None:
        nonlocal text
        console.print(table(title, columns, rows))
        text += f"\n{title}:\n\n" + markdown_table(columns, rows)

    if "time" in parts:
        rows = []
        turns, tasks, group, tokens, updates = (2, 2, 2, 4, 1) if small else (4, 8, 8, 24, 3)
        rows.append(["tiny", *shares(profile(MODEL, turns, tasks, group, tokens, updates), turns * tasks * group)])
        if not small:
            with tempfile.TemporaryDirectory() as folder:
                model, count = large_model(Path(folder))
                turns, tasks, group, tokens = 2, 2, 8, 24
                found = profile(model, turns, tasks, group, tokens, 2)
            rows.append([f"{count / 1e6:.0f} M parameters", *shares(found, turns * tasks * group)])
        show("Milliseconds of processor time an update", ["", *PHASES, "all else", "share", "ms a turn"], rows)
    if "memory" in parts:
        updates, every = (4, 2) if small else (500, 100)
        points = resident(updates, every)
        columns = ["after updates", *(str(update) for update, _ in points)]
        show("Resident set", columns, [["MiB", *(f"{size:.1f}" for _, size in points)]])
    if "logits" in parts:
        lengths = (4, 16) if small else (16, 64, 256)
        limit = 1 << 14 if small else 1 << 16
        sizes = [f"{largest_logits(length, limit):.3f}" for length in lengths]
        columns = ["tokens of each of 8 replies", *map(str, lengths)]
        show(f"Largest matrix of logits, MiB (bound {limit / 2**20:.3f})", columns, [["MiB", *sizes]])
    load = f"Load average at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
    print(load)
    if write:
        write_section(Path(write), "learner-profile", f"`{Path(sys.argv[0]).name} --write` wrote this. {load}\n{text}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", default=["time", "memory", "logits"], help="what is measured")
    parser.add_argument("--small", action="store_true", help="a few short episodes, to see that it runs")
    parser.add_argument("--write", default="", help="a Markdown page that gets the tables")
    given = parser.parse_args()
    main(given.small, given.parts, given.write)
