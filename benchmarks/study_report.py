"""What a study's runs amount to: paired differences, a table, and curves.

Success on the held-out tasks of a run is a string of marks in the order of the tasks: `1` solved, `0` not solved, `-`
lost to a failure of the world and never counted. Marks of equal position are of the same task.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from page import markdown_table, write_section

from saccade.agents.evaluation import Interval, over_seeds, paired_difference
from saccade.rl.display import make_console, table

COLUMNS = ["trained on", "before", "after", "difference", "pooled", "control", "blind", "right thoughts", "minutes"]
KINDS = ("before", "after", "control", "blind")
LOST = 0.02
"""How much of what was not trained may be lost."""

Pair = tuple[str, str]


def differences(pairs: Sequence[Pair]) -> list[float]:
    """Mean paired difference of each run."""
    return [pooled([pair]).mean for pair in pairs]


def pooled(pairs: Sequence[Pair]) -> Interval:
    """Mean paired difference over the tasks of all runs that neither side lost, with its interval over tasks."""
    both = [(x, y) for one, other in pairs for x, y in zip(one, other, strict=True) if "-" not in (x, y)]
    return paired_difference([float(x) for x, _ in both], [float(y) for _, y in both])


def share(marks: str) -> float:
    """Of tasks solved, among those that were not lost."""
    return marks.count("1") / (marks.count("1") + marks.count("0"))


def report(found: Mapping[str, Sequence[dict[str, Any]]], write: str, section: str) -> int:
    """Print the tables, write them with the curves; the exit status.

    Args:
        found: results of a study's runs, one for each seed, by the study's name.
        write: a Markdown page, or "".
        section: of the page that gets the tables, and name of the picture of the curves.
    """
    rows: list[list[object]] = []
    kept: list[list[object]] = []
    good = True
    for name, results in found.items():
        everything = {env: [result["envs"][env] for result in results] for env in results[0]["envs"]}
        if len(everything) > 1:
            rows += [_row(f"{env}, {name}", each, results) for env, each in everything.items()]
            together = [_merged(result["envs"]) for result in results]
            everything[f"{name}, pooled"] = together
            rows.append(_row(f"{name}, pooled", together, results))
        else:
            rows += [_row(env, each, results) for env, each in everything.items()]
        good = good and all(_gain(each).low > 0 for each in everything.values())
        if results[0]["untrained"]:
            pairs = [
                ("".join(each["before"] for each in tasks.values()), "".join(each["after"] for each in tasks.values()))
                for tasks in (result["untrained"] for result in results)
            ]
            lost = over_seeds(differences(pairs))
            good = good and lost.mean > -LOST
            kept.append([name, _mean([share(before) for before, _ in pairs]), lost])
    seeds = " or ".join(sorted({str(len(results)) for results in found.values()}))
    console = make_console()
    console.print(table(f"Held-out success, {seeds} seeds, 95 % intervals over seeds", COLUMNS, rows))
    text = f"`{Path(sys.argv[0]).name} --write` wrote this; {seeds} seeds.\n\n" + markdown_table(COLUMNS, rows)
    if kept:
        console.print(table("Greedy success on what was not trained", ["study", "before", "difference"], kept))
        text += "\nGreedy success on tasks that were not trained:\n\n"
        text += markdown_table(["study", "before", "difference"], kept)
    if write:
        text += f"\n![Curves of the runs](images/{section}.png)\n"
        curves = {name: [each["curve"] for each in results] for name, results in found.items()}
        plot(curves, Path(write).parent / "images" / f"{section}.png")
        write_section(Path(write), section, text)
    return 0 if good else 1


def _row(name: str, runs: Sequence[Mapping[str, Any]], results: Sequence[Mapping[str, Any]]) -> list[object]:
    thoughts = [[one.get("thoughts", (None, None))[index] for one in runs] for index in (0, 1)]
    return [
        name,
        _mean([share(one["before"]) for one in runs]),
        _mean([share(one["after"]) for one in runs]),
        _gain(runs),
        pooled([(one["before"], one["after"]) for one in runs]),
        over_seeds(differences([(one["before"], one["control"]) for one in runs])),
        _mean([share(one["blind"]) for one in runs]),
        " to ".join("-" if None in column else _mean(column) for column in thoughts),
        f"{max(result['learning_seconds'] for result in results) / 60:.1f}",
    ]


def _gain(runs: Sequence[Mapping[str, Any]]) -> Interval:
    return over_seeds(differences([(one["before"], one["after"]) for one in runs]))


def _merged(envs: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Marks of all environments of a run, one after the other."""
    return {kind: "".join(each[kind] for each in envs.values()) for kind in KINDS}


def plot(curves: Mapping[str, list[list[list[float]]]], path: Path) -> None:
    """Return, thought accuracy and KL of every run by update."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names = ("return", "right thoughts", "KL to the start")
    figure, axes = plt.subplots(len(names), len(curves), figsize=(3.2 * len(curves), 6), squeeze=False, sharex="col")
    for column, (study, runs) in enumerate(curves.items()):
        axes[0][column].set_title(study)
        for row, name in enumerate(names):
            axes[row][column].set_ylabel(name if column == 0 else "")
            for seed, lines in enumerate(runs):
                values = [line[row] for line in lines]
                if None not in values:
                    axes[row][column].plot(_smooth(values), linewidth=1, label=f"seed {seed}")
        axes[-1][column].set_xlabel("update")
    axes[0][0].legend(fontsize=6)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _smooth(values: Sequence[float], width: int = 5) -> list[float]:
    return [sum(values[max(0, i - width + 1) : i + 1]) / min(i + 1, width) for i in range(len(values))]


def _mean(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.3f}"
