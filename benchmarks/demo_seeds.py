"""The demo over several seeds: does training beat the model that it began from on held-out tasks?

    python benchmarks/demo_seeds.py --seeds 0 1 2

Resumable: a seed whose results are there is not run again. Prints each seed and the pooled paired differences, and
exits with 1 unless, for at least two of the three environments, the pooled difference is at least 0.05 and its interval
above 0.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro
from page import markdown_table, write_section

from saccade.agents.evaluation import paired_difference, proportion
from saccade.rl.display import make_console, table

DEMO = Path(__file__).parent.parent / "examples" / "demo.py"
TRACKS = ("gui", "qa", "embodied")

TEXT = """`python benchmarks/demo_seeds.py --seeds {seeds} --write docs/results.md` wrote this: `make demo` with several
seeds, each policy trained by GRPO on its own rollouts, from `saccade-tiny`.
Success is sampled at temperature 1 on held-out tasks that no training saw; differences are paired by task; *blind* is
the trained policy shown white pictures; *seconds* is the whole demo, all its tracks on two cores. Brackets are 95 %
intervals.

{table}
A control of equal compute and more seeds: the next section.
"""


@dataclass(frozen=True)
class Arguments:
    """Which seeds, and where."""

    seeds: tuple[int, ...] = (0, 1, 2)
    """Seeds of the demo."""
    out: str = "runs/verify"
    """Folder of the runs."""
    write: str | None = None
    """Markdown page that gets the table."""


def main(args: Arguments) -> int:
    """Run what is missing, then print the table."""
    rows: list[list[object]] = []
    pooled: dict[str, tuple[list[bool], list[bool], list[bool]]] = {name: ([], [], []) for name in TRACKS}
    for seed in args.seeds:
        folder = Path(args.out) / f"demo-{seed}"
        if not (folder / "seconds.txt").exists():
            shutil.rmtree(folder, ignore_errors=True)
            status = subprocess.run([sys.executable, DEMO, "--seed", str(seed), "--out", str(folder)]).returncode
            if not (folder / "seconds.txt").exists():
                print(f"the demo with seed {seed} failed with status {status}", file=sys.stderr)
                return 1
        seconds = (folder / "seconds.txt").read_text()
        for name, (before, after, blind) in pooled.items():
            result = json.loads((folder / name / "result.json").read_text())
            before += result["before"]
            after += result["after"]
            blind += result["blind"]
            rows.append(
                _row(f"{result['env']}, seed {seed}", result["before"], result["after"], result["blind"], seconds)
            )
    good = 0
    for name, (before, after, blind) in pooled.items():
        rows.append(_row(f"{name}, pooled", before, after, blind, ""))
        difference = paired_difference(before, after)
        good += difference.mean >= 0.05 and difference.low > 0
    columns = ["run", "saccade-tiny", "trained", "paired difference", "blind", "seconds"]
    make_console().print(table("Held-out success, 95 % intervals", columns, rows))
    if args.write:
        text = TEXT.format(table=markdown_table(columns, rows), seeds=" ".join(map(str, args.seeds)))
        write_section(Path(args.write), "demo", text)
    return 0 if good >= 2 else 1


def _row(name: str, before: Sequence[bool], after: Sequence[bool], blind: Sequence[bool], seconds: str) -> list[object]:
    return [
        name,
        proportion(before),
        proportion(after),
        paired_difference(before, after),
        f"{sum(blind) / len(blind):.3f}",
        seconds,
    ]


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Arguments, description=__doc__)))
