"""Do thoughts drift in reinforcement learning after a short warm start, and what holds them?

    python benchmarks/thought_drift.py --seeds 0 1 2 --write docs/results.md      # resumable; two runs at a time

A tiny policy learns to walk a dot to a ring, thinking where both are before each move. It is warm-started until 42 % of
its episodes succeed; then it is trained by GRPO with and without a KL anchor to that start, with 64 and with 128
trajectories an update, at a falling and at a higher constant learning rate: the same number of trajectories in all.
Right thoughts, success and KL are measured on held-out tasks before and after.
"""

from __future__ import annotations

import itertools
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import tyro
from evidence import Evidence
from page import markdown_table, write_section
from side_by_side import side_by_side

from saccade.agents.evaluation import over_seeds
from saccade.envs.actions import ActionSet, Param, verb
from saccade.envs.core import LanguageEnv, Outcome
from saccade.envs.episode import Cause, Demo
from saccade.envs.observation import Image, Observation
from saccade.rl.display import make_console, table

MOVES = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
ENV = "thought_drift:Walk-v0"
SUCCESS = 0.42
TRAJECTORIES = 15_360
EVAL_TASKS = 256
EVIDENCE = Evidence("thought-drift")


@dataclass(frozen=True)
class Layout:
    """Cells of a 4 x 4 lattice, and how far the lattice is shifted, in pixels."""

    dot: tuple[int, int]
    ring: tuple[int, int]
    shift: tuple[int, int]


class Walk(LanguageEnv):
    """Walk the dot to the ring in at most four moves; a new picture after each."""

    instructions = "Walk the blue dot to the red ring."
    action_format = ActionSet(verb("move", "Move by a quarter of the picture.", to=Param("str", choices=tuple(MOVES))))
    max_turns = 4

    def begin(self, rng: np.random.Generator) -> Observation:
        """Draw a task whose ring is at most four moves away."""
        self.layout = self.draw(self._layout, rng)
        self.at = self.layout.dot
        return Observation.of("Reach the ring.", self._picture())

    def act(self, call: Any) -> Outcome:
        """Move, at most to the edge."""
        step = MOVES[call.args["to"]]
        self.at = _cell(np.clip(np.add(self.at, step), 0, 3))
        there = self.at == self.layout.ring
        return Outcome(Observation.of(self._picture()), reward=float(there), ended=Cause.GOAL if there else None)

    def state(self) -> Any:
        """Where both are."""
        return [self.layout.ring, self.at]

    def demo(self) -> Any:
        """First along x, then along y."""
        while self.at != self.layout.ring:
            dx, dy = np.sign(np.subtract(self.layout.ring, self.at))
            name = next(n for n, step in MOVES.items() if step == ((dx, 0) if dx else (0, dy)))
            (rx, ry), (x, y) = self._pixel(self.layout.ring), self._pixel(self.at)
            seen = f"ring ({rx}, {ry}) dot ({x}, {y})"
            yield Demo(f'move("{name}")', seen, seen)

    def _layout(self, rng: np.random.Generator) -> Layout:
        while True:
            dot, ring = (_cell(rng.integers(4, size=2)) for _ in range(2))
            if 1 <= abs(dot[0] - ring[0]) + abs(dot[1] - ring[1]) <= 4:
                return Layout(dot, ring, _cell(rng.integers(-4, 5, size=2)))

    def _pixel(self, cell: tuple[int, int]) -> tuple[int, int]:
        return 8 + 16 * cell[0] + self.layout.shift[0], 8 + 16 * cell[1] + self.layout.shift[1]

    def _picture(self) -> Image:
        y, x = np.mgrid[0:64, 0:64]
        pixels = np.full((64, 64, 3), 245, np.uint8)
        (rx, ry), (dx, dy) = self._pixel(self.layout.ring), self._pixel(self.at)
        far = np.hypot(x - rx, y - ry)
        pixels[(far <= 7) & (far >= 4)] = (220, 40, 40)
        pixels[np.hypot(x - dx, y - dy) <= 4] = (40, 80, 230)
        return Image(pixels)


def _cell(numbers: Any) -> tuple[int, int]:
    x, y = (int(number) for number in numbers)
    return x, y


if "Walk-v0" not in gym.registry:
    gym.register("Walk-v0", entry_point=Walk)


@dataclass(frozen=True)
class Condition:
    """One cell of the ablation."""

    kl_coef: float
    trajectories: int
    learning_rate: float
    final: float

    @property
    def name(self) -> str:
        """For folders and tables."""
        rate = f"{self.learning_rate:g}{'' if self.final == 1 else ' falling'}"
        return f"KL {self.kl_coef:g}, {self.trajectories} trajectories, rate {rate}"

    @property
    def facts(self) -> dict[str, Any]:
        """What decides about the outcome of a run, beside its seed."""
        return asdict(self) | {"warm start": SUCCESS, "in all": TRAJECTORIES, "tasks": EVAL_TASKS}


CONDITIONS = tuple(
    Condition(kl, trajectories, rate, final)
    for kl, trajectories, (rate, final) in itertools.product((0.03, 0.0), (128, 64), ((2e-4, 0.1), (3e-4, 1.0)))
)


@dataclass(frozen=True)
class Arguments:
    """Which runs, and where."""

    seeds: tuple[int, ...] = (0, 1, 2)
    """Of the start and of the training."""
    out: str = "runs/thought-drift"
    """Folder of the runs; one that was stopped goes on. What each found is kept in `benchmarks/evidence`."""
    write: str = ""
    """Markdown page that gets the table."""
    run: str = ""
    """One run in this process: `start/SEED` or `NUMBER/SEED`."""


def warm_start(seed: int, out: Path) -> None:
    """Grow the policy that all conditions of a seed begin from."""
    from saccade.rl.sft import SFTConfig
    from saccade.rl.tiny_start import GrowConfig, grow

    sft = SFTConfig(steps=1000, target=SUCCESS, pool=1024, learning_rate=3e-3, check_every=10, captions=False)
    grow(GrowConfig((ENV,), str(out), seed, sft=sft))


def train(condition: Condition, seed: int, start: Path, folder: Path) -> dict[str, Any]:
    """Train under one condition."""
    from saccade.rl.config import TrainConfig
    from saccade.rl.learner import LearnerConfig
    from saccade.rl.trainer import Trainer

    config = TrainConfig(
        model=str(start),
        envs=(ENV,),
        run=str(folder),
        steps=TRAJECTORIES // condition.trajectories,
        tasks_per_step=condition.trajectories // 8,
        seed=seed,
        eval_tasks=EVAL_TASKS,
        learner=LearnerConfig(
            learning_rate=condition.learning_rate,
            final_learning_rate=condition.final,
            kl_coef=condition.kl_coef or 1e-9,  # next to nothing keeps the reference, so that the KL is measured
        ),
    )
    done = Trainer(config, resume=True).run()
    before, after = done.before[ENV], done.after[ENV]
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert before.thoughts and after.thoughts

    def last(name: str) -> float:
        """Mean over the last five updates that have it: one whose groups were all flat taught nothing."""
        return float(np.mean([line[name] for line in lines if name in line][-5:]))

    return {
        "success": [before.success.mean, after.success.mean],
        "thoughts": [before.thoughts.mean, after.thoughts.mean],
        "kl": last("policy/kl"),
        "entropy": last("policy/entropy"),
        "malformed": last("malformed_replies"),
    }


def run_all(names: list[str], args: Arguments) -> bool:
    """Run what is missing; whether all succeeded."""
    commands = {name: [sys.executable, __file__, "--run", name, "--out", args.out] for name in names}
    return side_by_side(commands, PYTHONPATH=str(Path(__file__).parent))


def main(args: Arguments) -> int:
    """Run what is missing, then print the table."""
    out = Path(args.out)
    missing = [
        (number, seed)
        for seed in args.seeds
        for number, condition in enumerate(CONDITIONS)
        if EVIDENCE.get(f"{number}/{seed}", condition.facts) is None
    ]
    begun = {seed for _, seed in missing}
    starts = [f"start/{seed}" for seed in begun if not (out / "start" / str(seed) / "config.json").exists()]
    if not run_all(starts, args) or not run_all([f"{number}/{seed}" for number, seed in missing], args):
        return 1
    rows: list[list[object]] = []
    for number, condition in enumerate(CONDITIONS):
        kept = (EVIDENCE.get(f"{number}/{seed}", condition.facts) for seed in args.seeds)
        found = [each for each in kept if each]
        rows.append(
            [
                condition.name,
                *(_change([each[name] for each in found]) for name in ("thoughts", "success")),
                *(f"{np.mean([each[name] for each in found]):.3f}" for name in ("kl", "entropy", "malformed")),
            ]
        )
    columns = ["condition", "right thoughts", "success", "KL to the start", "entropy", "malformed"]
    make_console().print(table(f"{len(args.seeds)} seeds; change with its 95 % interval over seeds", columns, rows))
    if args.write:
        write_section(Path(args.write), "thought-drift", markdown_table(columns, rows))
    return 0


def _change(pairs: list[list[float]]) -> str:
    """Mean before and after, and the difference with its interval."""
    before, after = np.mean(pairs, axis=0)
    return f"{before:.3f} to {after:.3f}: {over_seeds([new - old for old, new in pairs])}"


if __name__ == "__main__":
    arguments = tyro.cli(Arguments, description=__doc__)
    if not arguments.run:
        sys.exit(main(arguments))
    import torch

    torch.set_num_threads(1)
    kind, _, number = arguments.run.partition("/")
    folder = Path(arguments.out)
    if kind == "start":
        warm_start(int(number), folder / "start" / number)
    else:
        condition = CONDITIONS[int(kind)]
        found = train(condition, int(number), folder / "start" / number, folder / kind / number)
        EVIDENCE.add(arguments.run, condition.facts, found)
