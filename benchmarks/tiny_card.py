"""The card of `saccade-tiny`: scores it on held-out tasks and compares with what its card says, or publishes it anew.

    python benchmarks/tiny_card.py                          # does the shipped model score what its card says?
    python benchmarks/tiny_card.py --publish runs/pretrain  # ship the model of a run of examples/pretrain_tiny.py

Exit status 1 unless every share lies within the interval of the card; on the machine that wrote it all are equal.
"""

from __future__ import annotations

import itertools
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
import tyro
from page import markdown_table
from safetensors.torch import load_file, save_file

from saccade.agents.load import SHIPPED
from saccade.envs.errors import ConfigError
from saccade.rl.card import CardRow, markdown, score_card, write_card
from saccade.rl.curve import read_curve

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
from pretrain_tiny import RECIPE

NAME = "saccade-tiny"
TAUGHT = (
    "saccade/ClickTarget-v0?level=2",
    "saccade/ClickTarget-v0?level=3",
    "saccade/ClickWord-v0?level=2",
    "saccade/TwoPageForm-v0?level=1",
    "saccade/TwoPageForm-v0?level=2",
    "saccade/Shapes-v0?level=3&question=colour",
    "saccade/Shapes-v0?level=3&question=shape",
    "saccade/Shapes-v0?level=3&question=count",
    "saccade/Shapes-v0?level=3&question=position",
    "saccade/Digits-v0",
    "saccade/Reach-v0?level=2",
    "saccade/Navigate-v0?level=2",
)
"""What it was taught, on tasks that it was not."""
BEYOND = (
    "saccade/ClickWord-v0?level=3",
    "saccade/Shapes-v0?level=4",
    "saccade/Shapes-v0?level=5&question=count",
    "saccade/Reach-v0?level=3",
    "saccade/Navigate-v0?level=3",
)
"""Levels that no lesson showed: where reinforcement learning has something to do."""
EXACT_STEPS = 600
"""The recorded curve holds every step up to here, and then each twentieth."""


@dataclass(frozen=True)
class Arguments:
    """What to do."""

    publish: str = ""
    """Folder of a finished pretraining run."""
    tasks: int = 256
    """Held-out tasks of each environment."""


def export(run: Path, out: Path) -> None:
    """Copy a run's model in half precision, with its recorded curve."""
    scratch = out.with_name(f".{out.name}.partial")
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(run / "model", scratch)
    weights = load_file(scratch / "model.safetensors")
    save_file({k: v.to(torch.bfloat16) for k, v in weights.items()}, scratch / "model.safetensors", {"format": "pt"})
    lines = read_curve(run / "curve.jsonl")
    kept = [line for line in lines if line["step"] <= EXACT_STEPS or line["step"] % 20 == 0]
    with (scratch / "curve.jsonl").open("w") as file:
        for line in kept:
            short = {k: v for k, v in line.items() if k in ("step", "sft/loss") or k.startswith("success/")}
            file.write(json.dumps(short) + "\n")
    shutil.rmtree(out, ignore_errors=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch.rename(out)


def readme(run: Path, folder: Path, taught: str, beyond: str, tasks: int) -> str:
    """The model card: `tiny_card.md` with the facts of the run put in."""
    lines = read_curve(run / "curve.jsonl")
    weights = folder / "model.safetensors"
    courses = [
        [f"`{course.env}`", course.tasks * RECIPE.ranks, course.pool * RECIPE.ranks or "new ones in every step"]
        for course in RECIPE.courses
    ]
    facts = {
        "parameters": f"{sum(tensor.numel() for tensor in load_file(weights).values()) / 1e6:.2f}",
        "size": f"{weights.stat().st_size / 1e6:.1f}",
        "minutes": f"{sum(line['time/lessons'] + line['time/learn'] for line in lines) / 60:.0f}",
        "loss": f"{sum(line['sft/loss'] for line in lines[-100:]) / 100:.3f}",
        "courses": markdown_table(["course", "tasks a step", "distinct tasks"], courses),
        "taught": taught,
        "beyond": beyond,
        "tasks": tasks,
    }
    return Path(__file__).with_suffix(".md").read_text().format(**vars(RECIPE) | vars(RECIPE.tiny) | facts)


def scored(envs: Sequence[str], tasks: int) -> list[CardRow]:
    """Rows of the card, two environments at a time, with a line for each on the way."""
    rows = []
    with ProcessPoolExecutor(2, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        for row in pool.map(score_one, envs, itertools.repeat(tasks)):
            rows.append(row)
            print(f"{len(rows)} of {len(envs)}: {row.env} greedy {row.scores['greedy']}", flush=True)
    return rows


def score_one(env: str, tasks: int) -> CardRow:
    """The row of one environment."""
    return score_card(NAME, [env], tasks)[0]


def publish(run: Path, tasks: int) -> None:
    """Ship the model of a run: weights, curve, card."""
    manifest = json.loads((sorted((run / "checkpoints").glob("step-*"))[-1] / "manifest.json").read_text())
    if manifest["run_id"] != RECIPE.run_id:
        raise ConfigError(f"{run} was made by another recipe than examples/pretrain_tiny.py holds: run it again")
    out = SHIPPED[NAME]
    with tempfile.TemporaryDirectory() as scratch:
        export(run, Path(scratch) / NAME)
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(Path(scratch) / NAME, out)
    rows = scored([*TAUGHT, *BEYOND], tasks)
    write_card(out / "card.json", NAME, rows, tasks, 0)
    (out / "card.md").unlink()
    first, rest = rows[: len(TAUGHT)], rows[len(TAUGHT) :]
    (out / "README.md").write_text(readme(run, out, markdown(first, tasks), markdown(rest, tasks), tasks))


def check(tasks: int) -> bool:
    """Score the shipped model and hold it against its card."""
    file = SHIPPED[NAME] / "card.json"
    if not file.exists():
        raise ConfigError(f"no {NAME} ships yet: publish the model of a finished run with --publish RUN")
    card = json.loads(file.read_text())
    found = [row.to_json() for row in scored([row["env"] for row in card["rows"]], tasks)]
    good, equal = True, 0
    for mine, theirs in zip(found, card["rows"], strict=True):
        equal += mine == theirs
        for name, value in theirs.items():
            if isinstance(value, dict) and not _within(mine[name], value):
                print(f"{mine['env']}: {name} is {mine[name]['mean']}, the card says {value['mean']}", file=sys.stderr)
                good = False
    print(f"{len(found)} environments, {equal} of them equal to the card to the last digit")
    return good


def _within(mine: dict[str, Any], theirs: dict[str, Any]) -> bool:
    return bool(theirs["low"] <= mine["mean"] <= theirs["high"])


def main(args: Arguments) -> int:
    """Publish, or check."""
    torch.set_num_threads(1)
    if args.publish:
        publish(Path(args.publish), args.tasks)
        print(f"published: {SHIPPED[NAME]}")
        return 0
    return 0 if check(args.tasks) else 1


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Arguments, description=__doc__)))
