"""What makes a tiny model see: the optimiser, and the order of its lessons.

    python benchmarks/pretrain_ablation.py --seeds 0 1 2 --write docs/results.md      # resumable; two runs at a time

The same small schedule of shapes and digits, the same number of steps, with Muon or AdamW, and with one object first
or everything from the first step on. Prints greedy success on held-out tasks after it, for each seed.
"""

from __future__ import annotations

import itertools
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from evidence import Evidence
from page import markdown_table, write_section
from side_by_side import side_by_side

from saccade.agents.agent import AgentConfig
from saccade.agents.tiny import TinyConfig
from saccade.rl.courses import Course
from saccade.rl.curve import read_curve
from saccade.rl.display import make_console, table
from saccade.rl.pretrain import PretrainConfig, pretrain

CLICK, SHAPES, DIGITS = "saccade/ClickTarget-v0", "saccade/Shapes-v0", "saccade/Digits-v0"
STEPS = 800
EASY, MIDDLE, MAIN = (0.0, 0.12), (0.12, 0.3), (0.3, 1.0)
ORDERED = (
    Course(f"{CLICK}?level=1", 9, span=EASY),
    Course(f"{SHAPES}?level=1", 5, span=EASY),
    Course(f"{CLICK}?level=2", 5, span=MIDDLE),
    Course(f"{SHAPES}?level=2", 5, span=MIDDLE),
    Course(f"{CLICK}?level=3", 4, span=MAIN),
    Course(f"{SHAPES}?level=3", 5, span=MAIN),
    Course(DIGITS, 3),
)
AT_ONCE = (
    Course(f"{CLICK}?level=2", 1),
    Course(f"{CLICK}?level=3", 3),
    Course(f"{SHAPES}?level=2", 1),
    Course(f"{SHAPES}?level=3", 4),
    Course(DIGITS, 3),
)
ORDERS = {"one object first": ORDERED, "all at once": AT_ONCE}
OPTIMISERS = ("muon", "adamw")
EVIDENCE = Evidence("pretrain-ablation")
CHECKED = (f"{CLICK}?level=3", f"{SHAPES}?level=3", DIGITS)


@dataclass(frozen=True)
class Arguments:
    """Which runs, and where."""

    seeds: tuple[int, ...] = (0, 1, 2)
    """Of the weights and the lessons."""
    out: str = "runs/pretrain-ablation"
    """Folder of the runs; one that was stopped goes on. What each found is kept in `benchmarks/evidence`."""
    steps: int = STEPS
    """Length of the schedule."""
    write: str = ""
    """Markdown page that gets the table."""
    run: str = ""
    """One run in this process: `optimiser/order/seed`."""


def schedule(optimiser: str, order: str, seed: int, steps: int, out: str = "") -> PretrainConfig:
    """What is learned, and how."""
    return PretrainConfig(
        courses=ORDERS[order],
        out=out,
        seed=seed,
        steps=steps,
        ranks=1,
        tiny=TinyConfig(width=96, layers=4, heads=3, mlp=288, vision_layers=3, position_embeddings=256, merges=400),
        agent=AgentConfig(coordinates="location-tokens", max_reply_tokens=48, explain=False),
        optimizer=optimiser,
        warmup=50,
        check_every=steps,
        check_tasks=256,
    )


def learn(config: PretrainConfig) -> dict[str, Any]:
    """One schedule: success after it, and the seconds it took."""
    import torch

    torch.set_num_threads(1)
    pretrain(config, resume=Path(config.out).exists())
    curve = read_curve(Path(config.out) / "curve.jsonl")
    return {
        "success": {env: curve[-1][f"success/{env}"] for env in CHECKED},
        "seconds": sum(line["time/lessons"] + line["time/learn"] for line in curve),
    }


def main(args: Arguments) -> int:
    """Run what is missing, then print the table."""
    conditions = list(itertools.product(OPTIMISERS, ORDERS))
    facts = {
        f"{optimiser}/{order}/{seed}": asdict(schedule(optimiser, order, seed, args.steps))
        for seed in args.seeds
        for optimiser, order in conditions
    }
    command = [sys.executable, __file__, "--out", args.out, "--steps", str(args.steps)]
    missing = [name for name, each in facts.items() if EVIDENCE.get(name, each) is None]
    if not side_by_side({name: [*command, "--run", name] for name in missing}):
        return 1
    rows: list[list[object]] = []
    for optimiser, order in conditions:
        names = [f"{optimiser}/{order}/{seed}" for seed in args.seeds]
        found = [each for name in names if (each := EVIDENCE.get(name, facts[name]))]
        rows.append(
            [
                f"{optimiser}, {order}",
                *(_each([each["success"][env] for each in found]) for env in CHECKED),
                f"{np.mean([each['seconds'] for each in found]) / 60:.1f}",
            ]
        )
    columns = ["schedule", *CHECKED, "minutes"]
    make_console().print(table(f"Greedy held-out success after {args.steps} steps, each seed", columns, rows))
    if args.write:
        write_section(Path(args.write), "pretrain-ablation", markdown_table(columns, rows))
    return 0


def _each(values: list[float]) -> str:
    return " ".join(f"{value:.2f}" for value in values)


if __name__ == "__main__":
    arguments = tyro.cli(Arguments, description=__doc__)
    if arguments.run:
        optimiser_name, order_name, number = arguments.run.split("/")
        place = str(Path(arguments.out) / arguments.run)
        asked = schedule(optimiser_name, order_name, int(number), arguments.steps, place)
        EVIDENCE.add(arguments.run, asdict(replace(asked, out="")), learn(asked))
    else:
        sys.exit(main(arguments))
