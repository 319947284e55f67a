"""Reinforcement learning beside its control: what the scripts of training studies share.

    STUDIES = {"gui": Study(("saccade/ClickWord-v0?level=3",), updates=60)}
    sys.exit(run_studies(STUDIES, tyro.cli(StudyArguments), __file__, section="tiny-rl"))

A study trains `saccade-tiny`, or what a warm start made of it, on one environment or on several together. Beside each
run stands a control that spends the same seconds on imitating demonstrations of the same tasks, from the same start.
Success is sampled at temperature 1 on 256 held-out tasks of each environment, other ones for each seed; differences are
paired by task. *Minutes* are those of rollouts and learning in the slowest run. Runs go on where they were stopped, two
at a time.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from page import markdown_table, write_section
from side_by_side import side_by_side

from saccade.agents.evaluation import Evaluation, Interval, evaluate, over_seeds, paired_difference
from saccade.agents.runner import Runner, RunnerConfig
from saccade.envs.errors import near
from saccade.envs.task import TaskSource
from saccade.rl.display import make_console, table
from saccade.rl.learner import LearnerConfig
from saccade.rl.sft import SFTConfig

MODEL = "saccade-tiny"
EVAL_TASKS = 256


@dataclass(frozen=True)
class Study:
    """What is trained, and for how long."""

    envs: tuple[str, ...]
    updates: int
    tasks_per_step: int = 16
    concurrency: int = 16
    learner: LearnerConfig = field(default_factory=lambda: LearnerConfig(learning_rate=2e-4))
    model: str = MODEL
    """What it begins from; empty for random weights, which need a warm start."""
    advantage: str = "dr-grpo"
    """The estimator; those with a critic need one in `learner`."""
    warm: SFTConfig | None = None
    """The warm start on the same environments, for those that the model does not know."""
    untrained: tuple[str, ...] = ()
    """Environments that are measured before and after, greedily, to see what is lost."""
    eval_tasks: int = EVAL_TASKS
    """Held-out tasks of each environment."""


@dataclass(frozen=True)
class StudyArguments:
    """Which runs, and where."""

    studies: tuple[str, ...] = ()
    """Names of studies; all by default."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Seeds of each."""
    out: str = "runs/studies"
    """Folder of the runs; what is there is not run again."""
    write: str = ""
    """Markdown page that gets the tables and the curves."""
    run: str = ""
    """One run in this process: `study/seed`."""


def run_studies(studies: Mapping[str, Study], args: StudyArguments, script: str, section: str) -> int:
    """Run what is missing, print what came of it, or do the one run that `args.run` names.

    Args:
        studies: by name.
        args: which of them, and where.
        script: the file that is started for a single run.
        section: of the page that gets the tables, and name of the picture of the curves.

    Returns:
        The exit status: 1 unless every gain is above zero and nothing was lost, 2 for an unknown study.
    """
    if args.run:
        name, _, seed = args.run.rpartition("/")
        run(studies[name], int(seed), run_folder(args, name, int(seed)))
        return 0
    for name in args.studies:
        if name not in studies:
            print(f"unknown study {name!r}; {near(name, studies, 'studies')}", file=sys.stderr)
            return 2
    wanted = {name: studies[name] for name in args.studies or studies}
    if not _run_missing(wanted, args, script):
        return 1
    return report(wanted, args, section)


def run_folder(args: StudyArguments, name: str, seed: int) -> Path:
    """Where a run is kept."""
    return Path(args.out) / name.replace(" ", "-") / str(seed)


def run(study: Study, seed: int, folder: Path) -> None:
    """Train, evaluate, do the same for the control; write `result.json`."""
    import torch

    torch.set_num_threads(1)
    from saccade.rl.config import TrainConfig
    from saccade.rl.trainer import Trainer

    start = study.model
    runner = RunnerConfig(concurrency=study.concurrency)
    if study.warm:
        from saccade.rl.tiny_start import GrowConfig, grow

        start = str(folder / "start")
        if not Path(start).exists():
            warm = GrowConfig(study.envs, start, study.model, seed, sft=study.warm, runner=runner)
            grow(warm, partial(_tell_growth, folder))
    config = TrainConfig(
        model=start,
        envs=study.envs,
        run=str(folder / "rl"),
        steps=study.updates,
        tasks_per_step=study.tasks_per_step,
        seed=seed,
        advantage=study.advantage,
        eval_tasks=study.eval_tasks,
        eval_first=seed * study.eval_tasks,
        runner=runner,
        learner=study.learner,
    )
    trained = Trainer(config, resume=True).run(partial(_tell_update, folder))
    metrics = [json.loads(line) for line in (folder / "rl" / "metrics.jsonl").read_text().splitlines()]
    learning = sum(line["time/rollout"] + line["time/learn"] for line in metrics)
    print(f"{folder}: trained; the control imitates for {learning:.0f} s", flush=True)
    control = imitate(study, start, seed, learning)
    model = str(folder / "rl" / "model")
    result: dict[str, Any] = {
        "envs": {
            env: {
                "before": trained.before[env].successes,
                "after": trained.after[env].successes,
                "control": control[env].successes,
                "blind": score(model, env, seed, study.eval_tasks, view="blank").successes,
                "thoughts": [_thoughts(trained.before[env]), _thoughts(trained.after[env])],
            }
            for env in study.envs
        },
        "untrained": {
            env: {
                "before": score(start, env, seed, study.eval_tasks, temperature=0.0).successes,
                "after": score(model, env, seed, study.eval_tasks, temperature=0.0).successes,
            }
            for env in study.untrained
        },
        "curve": [[line["return"], line.get("thought/accuracy"), line.get("policy/kl")] for line in metrics],
        "learning_seconds": learning,
    }
    (folder / "result.json").write_text(json.dumps(result))


def _tell_growth(folder: Path, step: int, metrics: Mapping[str, float]) -> None:
    success = [f"{value:.2f}" for name, value in metrics.items() if name.startswith("sft/success")]
    print(f"{folder}: warm start, step {step}: sampled success {' '.join(success)}", flush=True)


def _tell_update(folder: Path, update: int, metrics: Mapping[str, float]) -> None:
    if update % 10 == 9:
        print(f"{folder}: update {update + 1}: return {metrics['return']:.2f}", flush=True)


def imitate(study: Study, start: str, seed: int, seconds: float) -> dict[str, Evaluation]:
    """The control: the same start, the same seconds, demonstrations instead of own attempts."""
    import numpy as np

    from saccade.rl.critic import CriticConfig
    from saccade.rl.evaluate import make_agent
    from saccade.rl.learner import Learner
    from saccade.rl.lessons import Tutor

    agent = make_agent(start)
    config = replace(study.learner, kl_coef=0.0, critic=CriticConfig())
    learner = Learner(agent.engine.backbone, agent.chat, config, study.updates)
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
    found = {env: _score(agent, env, seed, study.eval_tasks, "full") for env in study.envs}
    agent.engine.close()
    return found


def score(
    model: str, env: str, seed: int, tasks: int = EVAL_TASKS, view: str = "full", temperature: float | None = None
) -> Evaluation:
    """Success on the held-out tasks that belong to a seed."""
    from saccade.rl.evaluate import make_agent

    agent = make_agent(model, temperature=temperature)
    found = _score(agent, env, seed, tasks, view)
    agent.engine.close()
    return found


def _score(agent: Any, env: str, seed: int, tasks: int, view: str) -> Evaluation:
    from saccade.envs.wrappers import named_view

    runner = Runner(agent, RunnerConfig(), wrap=named_view(view))
    done = evaluate(runner, TaskSource.parse(env), tasks, first_seed=seed * tasks)
    found = Evaluation([each.episode for each in done])
    runner.close()
    return found


def _thoughts(evaluation: Evaluation) -> float | None:
    return evaluation.thoughts.mean if evaluation.thoughts else None


def _run_missing(studies: Mapping[str, Study], args: StudyArguments, script: str) -> bool:
    """Run what is missing; whether all succeeded."""
    missing = [
        f"{name}/{seed}"
        for seed in args.seeds
        for name in studies
        if not (run_folder(args, name, seed) / "result.json").exists()
    ]
    return side_by_side({name: [sys.executable, script, "--run", name, "--out", args.out] for name in missing})


Pair = tuple[Mapping[str, bool], Mapping[str, bool]]


def differences(pairs: Sequence[Pair]) -> list[float]:
    """Mean paired difference of each seed."""
    return [pooled([pair]).mean for pair in pairs]


def pooled(pairs: Sequence[Pair]) -> Interval:
    """Mean paired difference over the shared tasks of all seeds, with its interval over tasks."""
    before, after = [], []
    for one, other in pairs:
        tasks = sorted(one.keys() & other.keys())
        before += [one[task] for task in tasks]
        after += [other[task] for task in tasks]
    return paired_difference(before, after)


def report(studies: Mapping[str, Study], args: StudyArguments, section: str) -> int:
    """Print the tables, write them with the curves; the exit status."""
    columns = ["trained on", "before", "after", "difference", "pooled", "control", "blind", "right thoughts", "minutes"]
    rows: list[list[object]] = []
    kept: list[list[object]] = []
    curves: dict[str, list[list[list[float]]]] = {}
    good = True
    for name, study in studies.items():
        results = [json.loads((run_folder(args, name, seed) / "result.json").read_text()) for seed in args.seeds]
        curves[name] = [each["curve"] for each in results]
        everything = {env: [result["envs"][env] for result in results] for env in study.envs}
        if len(study.envs) > 1:
            merged = [{key: _merged(result["envs"], key) for key in KEYS} for result in results]
            everything[f"{name}, pooled"] = merged
        for env, each in everything.items():
            gain = over_seeds(differences([(one["before"], one["after"]) for one in each]))
            good = good and gain.low > 0
            thoughts = [[one.get("thoughts", (None, None))[index] for one in each] for index in (0, 1)]
            rows.append(
                [
                    env if len(study.envs) == 1 or env not in study.envs else f"{env}, {name}",
                    _mean([_share(one["before"]) for one in each]),
                    _mean([_share(one["after"]) for one in each]),
                    gain,
                    pooled([(one["before"], one["after"]) for one in each]),
                    over_seeds(differences([(one["before"], one["control"]) for one in each])),
                    _mean([_share(one["blind"]) for one in each]),
                    " to ".join("-" if None in column else _mean(column) for column in thoughts),
                    f"{max(result['learning_seconds'] for result in results) / 60:.1f}",
                ]
            )
        if study.untrained:
            pairs = [(_merged(each["untrained"], "before"), _merged(each["untrained"], "after")) for each in results]
            lost = over_seeds(differences(pairs))
            good = good and lost.mean > -0.02
            kept.append([name, _mean([_share(before) for before, _ in pairs]), lost])
    console = make_console()
    console.print(table(f"Held-out success, {len(args.seeds)} seeds, 95 % intervals over seeds", columns, rows))
    text = markdown_table(columns, rows)
    if kept:
        console.print(table("Greedy success on what was not trained", ["study", "before", "difference"], kept))
        text += "\nGreedy success on tasks that were not trained:\n\n"
        text += markdown_table(["study", "before", "difference"], kept)
    if args.write:
        text += f"\n![Curves of the runs](images/{section}.png)\n"
        plot(curves, Path(args.write).parent / "images" / f"{section}.png")
        write_section(Path(args.write), section, text)
    return 0 if good else 1


KEYS = ("before", "after", "control", "blind")


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


def _merged(envs: Mapping[str, Mapping[str, Mapping[str, bool]]], when: str) -> dict[str, bool]:
    return {task: value for each in envs.values() for task, value in each[when].items()}


def _share(successes: Mapping[str, bool]) -> float:
    return sum(successes.values()) / len(successes)


def _mean(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.3f}"
