"""A GRPO step beside TRL's: `python benchmarks/learner.py [--peer-python PATH] [--write docs/results.md]`.

`PATH` is an interpreter with trl 1.16; the peer is `learner_peer.py`. Both train the same checkpoint (`saccade-tiny`)
on the same first pictures and prompts: groups of 8, replies of a fixed number of tokens, rewards by the same function,
no reference, float32, one thread, one optimiser step a batch. A step is everything: rollouts, rewards, advantages,
loss, gradient and optimiser, and here the image probe as well. Several turns are the tool loop there, with a picture in
each answer of its tool. Repetitions alternate in one run. What is counted are replies; what is compared is processor
time, which leaves out what other programs take.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from fixed_turns import MODEL, close, fixed_trainer
from page import markdown_table, write_section

from saccade.agents.load import model_place
from saccade.rl.display import make_console, table

GROUP = 8


@dataclass(frozen=True)
class Case:
    """What one step consists of."""

    turns: int
    tasks: int
    tokens: int = 24

    @property
    def replies(self) -> int:
        """Of a step."""
        return self.tasks * GROUP * self.turns

    def __str__(self) -> str:
        turns = f"{self.turns} turns" if self.turns > 1 else "1 turn"
        return f"{self.tasks} tasks x {GROUP}, {turns} of {self.tokens} tokens"


CASES = (Case(turns=1, tasks=16), Case(turns=4, tasks=8))
SMALL = (Case(turns=1, tasks=2, tokens=4), Case(turns=2, tasks=1, tokens=4))


@dataclass(frozen=True)
class Step:
    """What a step took, in seconds, and its tokens: of a whole sequence, and those that were drawn."""

    wall: float
    processor: float
    tokens: float
    drawn: float


class Ours:
    """Steps of Saccade."""

    def __init__(self, case: Case, folder: Path, steps: int) -> None:
        self.trainer = fixed_trainer(folder / "ours", case.turns, case.tokens, case.tasks, GROUP)
        self.update, self.episodes = 0, case.tasks * GROUP
        keys = []
        for update in range(steps):
            for job in self.trainer.jobs(update)[::GROUP]:
                world: Any = job.task.make().unwrapped
                world.reset(seed=job.task.seed)
                keys.append(world.key)
        done = self.trainer.runner.run(self.trainer.jobs(0), scope="count")
        samples = [sample for trajectory in done for sample in trajectory.samples]
        longest = max(len(sample.ids) for sample in samples)
        drawn = np.mean([sample.action_mask.sum() for sample in samples])
        self.lengths = float(np.mean([len(sample.ids) for sample in samples])), float(drawn)
        job = {
            "model": model_place(MODEL),
            "keys": keys,
            "turns": case.turns,
            "tasks": case.tasks,
            "group": GROUP,
            "tokens": case.tokens,
            "longest": longest + 64,
            "banned": self.trainer.chat.banned,
            "steps": steps,
        }
        (folder / "job.json").write_text(json.dumps(job))

    def step(self) -> Step:
        """One update."""
        wall, processor = time.perf_counter(), time.process_time()
        metrics = self.trainer.update(self.update)
        self.update += 1
        if metrics["rows"] != self.episodes:
            raise RuntimeError(f"{metrics['rows']:.0f} of {self.episodes} episodes taught: the peer trains on all")
        return Step(time.perf_counter() - wall, time.process_time() - processor, *self.lengths)


class Peer:
    """Steps of TRL, in a process of its own."""

    def __init__(self, python: str, folder: Path) -> None:
        script = Path(__file__).with_name("learner_peer.py")
        own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self.process = subprocess.Popen(
            [python, str(script), str(folder)],
            env=own | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def step(self) -> Step:
        """One step of its trainer."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer ended with status {self.process.wait()}: see what it printed")
        return Step(**json.loads(line))

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def measure(case: Case, python: str, repeats: int) -> tuple[list[Step], list[Step]]:
    """Steps of both by turns, after one of each that does not count."""
    with tempfile.TemporaryDirectory() as name:
        ours = Ours(case, Path(name), repeats + 1)
        ours.step()
        if not python:
            found = [ours.step() for _ in range(repeats)]
            close(ours.trainer)
            return found, []
        with Peer(python, Path(name)) as peer:
            peer.step()
            pairs = [(ours.step(), peer.step()) for _ in range(repeats)]
        close(ours.trainer)
    return [one for one, _ in pairs], [other for _, other in pairs]


COLUMNS = ["step", "Saccade /s", "TRL /s", "ratio", "least, most", "wall time", "tokens of a sequence, drawn"]


def row(case: Case, ours: list[Step], theirs: list[Step]) -> list[object]:
    rate = case.replies / statistics.median(step.processor for step in ours)
    lengths = f"{ours[0].tokens:.0f}, {ours[0].drawn:.0f}"
    if not theirs:
        return [case, f"{rate:.1f}", "-", "-", "-", "-", lengths]
    other = case.replies / statistics.median(step.processor for step in theirs)
    ratios = [their.processor / own.processor for own, their in zip(ours, theirs, strict=True)]
    walls = [their.wall / own.wall for own, their in zip(ours, theirs, strict=True)]
    lengths += f"; TRL {theirs[0].tokens:.0f}, {theirs[0].drawn:.0f}"
    spread = f"{min(ratios):.2f}, {max(ratios):.2f}"
    found = statistics.median(ratios), statistics.median(walls)
    return [case, f"{rate:.1f}", f"{other:.1f}", f"{found[0]:.2f}", spread, f"{found[1]:.2f}", lengths]


def main(python: str, repeats: int, cases: tuple[Case, ...], write: str) -> None:
    torch.set_num_threads(1)
    rows = [row(case, *measure(case, python, repeats)) for case in cases]
    note = (
        f"{repeats} alternating repetitions, one thread each; completions a second of processor time (medians), their "
        f"ratio in pairs, and the ratio of wall times. Load average at the end: {os.getloadavg()[0]:.1f} on "
        f"{os.cpu_count()} cores."
    )
    make_console().print(table("A GRPO step of saccade-tiny", COLUMNS, rows))
    print(note)
    if write:
        lead = f"`{Path(sys.argv[0]).name} --write` wrote this; its docstring says what is compared. {note}\n\n"
        write_section(Path(write), "learner", lead + markdown_table(COLUMNS, rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", default="", help="an interpreter that has TRL")
    parser.add_argument("--repeats", type=int, default=5, help="steps of each")
    parser.add_argument("--small", action="store_true", help="a few short episodes, to see that it runs")
    parser.add_argument("--write", default="", help="a Markdown page that gets the table")
    given = parser.parse_args()
    main(given.peer_python, given.repeats, SMALL if given.small else CASES, given.write)
