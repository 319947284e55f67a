"""Does GRPO improve `saccade-tiny` on tasks that it cannot do yet, and does it cost what it can?

    python benchmarks/tiny_rl.py                              # 5 seeds of each study, two runs at a time, resumable
    python benchmarks/tiny_rl.py --studies gui qa --seeds 0 1
    python benchmarks/tiny_rl.py --write docs/results.md      # ... and put tables and curves into the page

A study trains on one environment, or on one of each family together. Beside each run stands a control that spends the
same seconds on imitating demonstrations of the same tasks, from the same start. Success is sampled at temperature 1 on
256 held-out tasks, other ones for each seed; differences are paired by task and their intervals are over seeds. Tasks
that were not trained are measured before and after (greedy), to see what is lost. Exit status 1 unless every study's
interval is above zero and no study lost .02 or more of what it did not train.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import tyro
from page import markdown_table, write_section

from saccade.agents.evaluation import Evaluation, evaluate, over_seeds, paired_difference
from saccade.agents.runner import Runner, RunnerConfig
from saccade.envs.task import TaskSource
from saccade.rl.display import make_console, table
from saccade.rl.learner import LearnerConfig

MODEL = "saccade-tiny"
EVAL_TASKS = 256
UNTRAINED = (
    "saccade/ClickTarget-v0?level=3",
    "saccade/Shapes-v0?level=3",
    "saccade/Digits-v0",
    "saccade/Reach-v0?level=2",
)
"""What the base can do already; no study trains on it."""


@dataclass(frozen=True)
class Study:
    """What is trained, and for how long."""

    envs: tuple[str, ...]
    updates: int
    tasks_per_step: int = 16
    concurrency: int = 16
    learner: LearnerConfig = field(default_factory=lambda: LearnerConfig(learning_rate=2e-4))


GUI = "saccade/ClickWord-v0?level=3"
EMBODIED = "saccade/Navigate-v0?level=3"
QA = "saccade/Shapes-v0?level=4"
STUDIES = {
    "gui": Study((GUI,), 120),
    "embodied": Study((EMBODIED,), 60),
    "qa": Study((QA,), 150, concurrency=64),
    "all families": Study((GUI, EMBODIED, QA), 90, tasks_per_step=24),
}


@dataclass(frozen=True)
class Arguments:
    """Which runs, and where."""

    studies: tuple[str, ...] = tuple(STUDIES)
    """Names of studies."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Seeds of each."""
    out: str = "runs/tiny-rl"
    """Folder of the runs; what is there is not run again."""
    write: str = ""
    """Markdown page that gets the tables and the curves."""
    run: str = ""
    """One run in this process: `study/seed`."""


def run(name: str, seed: int, folder: Path) -> None:
    """Train, evaluate, do the same for the control; write `result.json`."""
    import torch

    torch.set_num_threads(1)
    from saccade.rl.config import TrainConfig
    from saccade.rl.trainer import Trainer

    study = STUDIES[name]
    runner = RunnerConfig(concurrency=study.concurrency)
    config = TrainConfig(
        model=MODEL,
        envs=study.envs,
        run=str(folder / "rl"),
        steps=study.updates,
        tasks_per_step=study.tasks_per_step,
        seed=seed,
        eval_tasks=EVAL_TASKS,
        eval_first=seed * EVAL_TASKS,
        runner=runner,
        learner=study.learner,
    )
    started = time.perf_counter()
    trained = Trainer(config, resume=True).run()
    metrics = [json.loads(line) for line in (folder / "rl" / "metrics.jsonl").read_text().splitlines()]
    learning = sum(line["time/rollout"] + line["time/learn"] for line in metrics)
    control = imitate(study, seed, learning)
    result: dict[str, Any] = {
        "envs": {
            env: {
                "before": trained.before[env].successes,
                "after": trained.after[env].successes,
                "control": control[env].successes,
                "blind": score(str(folder / "rl" / "model"), env, seed, view="blank").successes,
                "thoughts": [_thoughts(trained.before[env]), _thoughts(trained.after[env])],
            }
            for env in study.envs
        },
        "untrained": {
            env: {
                "before": score(MODEL, env, seed, temperature=0.0).successes,
                "after": score(str(folder / "rl" / "model"), env, seed, temperature=0.0).successes,
            }
            for env in UNTRAINED
        },
        "curve": [[line["return"], line.get("thought/accuracy"), line.get("policy/kl")] for line in metrics],
        "learning_seconds": learning,
        "seconds": time.perf_counter() - started,
    }
    (folder / "result.json").write_text(json.dumps(result))


def imitate(study: Study, seed: int, seconds: float) -> dict[str, Evaluation]:
    """The control: the same start, the same seconds, demonstrations instead of own attempts."""
    import numpy as np

    from saccade.rl.evaluate import make_agent
    from saccade.rl.learner import Learner
    from saccade.rl.lessons import Tutor

    agent = make_agent(MODEL, "engine", None)
    learner = Learner(agent.engine.backbone, agent.chat, replace(study.learner, kl_coef=0.0), study.updates)
    tutor, rng = Tutor(agent), np.random.default_rng([seed, 4])
    worlds = [TaskSource.parse(env).task(0).make() for env in study.envs]
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        rows = []
        for world in worlds:
            seeds = [int(each) for each in rng.integers(2**31, size=study.tasks_per_step // len(worlds))]
            rows += [row for _, lesson in world.unwrapped.lessons(seeds) for row in tutor.rows(world, lesson, 0)]
        learner.imitate(rows)
        # The same fall of the learning rate, over as many steps as the time allows.
        learner.total_steps = max(round(learner.steps * seconds / (time.perf_counter() - started)), 1)
    for world in worlds:
        world.close()
    agent.engine.update(learner.weights(), 1)
    found = {env: _score(agent, env, seed, "full") for env in study.envs}
    agent.engine.close()
    return found


def score(model: str, env: str, seed: int, view: str = "full", temperature: float | None = None) -> Evaluation:
    """Success on the held-out tasks that belong to a seed."""
    from saccade.rl.evaluate import make_agent

    agent = make_agent(model, "engine", temperature)
    found = _score(agent, env, seed, view)
    agent.engine.close()
    return found


def _score(agent: Any, env: str, seed: int, view: str) -> Evaluation:
    from saccade.envs.wrappers import named_view

    runner = Runner(agent, RunnerConfig(), wrap=named_view(view))
    done = evaluate(runner, TaskSource.parse(env), EVAL_TASKS, first_seed=seed * EVAL_TASKS)
    found = Evaluation([each.episode for each in done])
    runner.close()
    return found


def _thoughts(evaluation: Evaluation) -> float | None:
    return evaluation.thoughts.mean if evaluation.thoughts else None


def run_all(args: Arguments) -> bool:
    """Run what is missing, two at a time; whether all succeeded."""
    waiting = [
        f"{name}/{seed}"
        for seed in args.seeds
        for name in args.studies
        if not (Path(args.out) / name.replace(" ", "-") / str(seed) / "result.json").exists()
    ]
    running: list[tuple[str, subprocess.Popen[bytes]]] = []
    good = True
    while waiting or running:
        while waiting and len(running) < 2:
            name = waiting.pop(0)
            command = [sys.executable, __file__, "--run", name, "--out", args.out]
            running.append((name, subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})))
        for name, process in list(running):
            if process.poll() is not None:
                running.remove((name, process))
                good = good and process.returncode == 0
                print(f"{name}: {'done' if process.returncode == 0 else 'failed'}", flush=True)
        time.sleep(0.5)
    return good


def differences(pairs: Sequence[tuple[dict[str, bool], dict[str, bool]]]) -> list[float]:
    """Mean paired difference of each seed."""
    out = []
    for before, after in pairs:
        tasks = sorted(before.keys() & after.keys())
        out.append(paired_difference([before[task] for task in tasks], [after[task] for task in tasks]).mean)
    return out


def main(args: Arguments) -> int:
    """Run what is missing, then print what came of it."""
    if not run_all(args):
        return 1
    columns = ["study", "before", "after", "difference", "control", "blind", "right thoughts", "minutes"]
    rows: list[list[object]] = []
    kept: list[list[object]] = []
    curves: dict[str, list[list[list[float]]]] = {}
    good = True
    for name in args.studies:
        folder = Path(args.out) / name.replace(" ", "-")
        results = [json.loads((folder / str(seed) / "result.json").read_text()) for seed in args.seeds]
        curves[name] = [each["curve"] for each in results]
        for env in STUDIES[name].envs:
            each = [result["envs"][env] for result in results]
            gain = over_seeds(differences([(one["before"], one["after"]) for one in each]))
            good = good and gain.low > 0
            thoughts = [[one["thoughts"][index] for one in each] for index in (0, 1)]
            rows.append(
                [
                    env if len(STUDIES[name].envs) == 1 else f"{env}, {name}",
                    _mean([_share(one["before"]) for one in each]),
                    _mean([_share(one["after"]) for one in each]),
                    gain,
                    over_seeds(differences([(one["before"], one["control"]) for one in each])),
                    _mean([_share(one["blind"]) for one in each]),
                    " to ".join("-" if None in column else _mean(column) for column in thoughts),
                    f"{max(result['learning_seconds'] for result in results) / 60:.1f}",
                ]
            )
        pairs = [
            (_together(result["untrained"], "before"), _together(result["untrained"], "after")) for result in results
        ]
        lost = over_seeds(differences(pairs))
        good = good and lost.mean > -0.02
        kept.append([name, _mean([_share(before) for before, _ in pairs]), lost])
    console = make_console()
    console.print(table(f"Held-out success, {len(args.seeds)} seeds, 95 % intervals over seeds", columns, rows))
    console.print(table("Greedy success on what was not trained", ["study", "before", "difference"], kept))
    if args.write:
        text = markdown_table(columns, rows) + "\nGreedy success on tasks that were not trained:\n\n"
        text += markdown_table(["study", "before", "difference"], kept)
        text += "\n![Curves of the runs](images/tiny-rl.png)\n"
        plot(curves, Path(args.write).parent / "images" / "tiny-rl.png")
        write_section(Path(args.write), "tiny-rl", text)
    return 0 if good else 1


def plot(curves: dict[str, list[list[list[float]]]], path: Path) -> None:
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


def _together(envs: dict[str, dict[str, dict[str, bool]]], when: str) -> dict[str, bool]:
    return {task: value for each in envs.values() for task, value in each[when].items()}


def _share(successes: dict[str, bool]) -> float:
    return sum(successes.values()) / len(successes)


def _mean(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.3f}"


if __name__ == "__main__":
    arguments = tyro.cli(Arguments, description=__doc__)
    if arguments.run:
        study_name, _, number = arguments.run.partition("/")
        run(study_name, int(number), Path(arguments.out) / study_name.replace(" ", "-") / number)
    else:
        sys.exit(main(arguments))
