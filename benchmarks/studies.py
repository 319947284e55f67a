"""Reinforcement learning beside its control: what the scripts of training studies share.

    STUDIES = {"gui": Study(("saccade/ClickWord-v0?level=3",), updates=60)}
    sys.exit(run_studies(STUDIES, tyro.cli(StudyArguments), __file__, section="tiny-rl"))

A study trains `saccade-tiny`, or what a warm start made of it, on one environment or on several together. Beside each
run stands a control that spends the same seconds on imitating demonstrations of the same tasks, from the same start.
Success is sampled at temperature 1 on 256 held-out tasks of each environment, other ones for each seed; differences are
paired by task. *Minutes* are those of rollouts and learning in the slowest run. Runs go on where they were stopped, two
at a time; what each found is kept in `benchmarks/evidence` and not run again until the study or the model changes.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from evidence import Evidence, weights_of
from side_by_side import side_by_side
from study_report import report

from saccade.agents.evaluation import Evaluation, evaluate
from saccade.agents.runner import Runner, RunnerConfig
from saccade.envs.errors import near
from saccade.envs.task import TaskSource
from saccade.rl.learner import LearnerConfig
from saccade.rl.sft import SFTConfig

MODEL = "saccade-tiny"
CURVES = ("return", "thought/accuracy", "policy/kl")
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

    @property
    def facts(self) -> dict[str, Any]:
        """What decides about the outcome of a run, beside its seed."""
        return asdict(self) | {"weights": weights_of(self.model)}


@dataclass(frozen=True)
class StudyArguments:
    """Which runs, and where."""

    studies: tuple[str, ...] = ()
    """Names of studies; all by default."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Seeds of each."""
    out: str = "runs/studies"
    """Folder of the runs; one that was stopped goes on."""
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
        section: of the page that gets the tables, name of the picture of the curves, and of the kept evidence.

    Returns:
        The exit status: 1 unless every gain is above zero and nothing was lost, 2 for an unknown study.
    """
    evidence = Evidence(section)
    if args.run:
        name, _, seed = args.run.rpartition("/")
        evidence.add(args.run, studies[name].facts, run(studies[name], int(seed), run_folder(args, name, int(seed))))
        return 0
    for name in args.studies:
        if name not in studies:
            print(f"unknown study {name!r}; {near(name, studies, 'studies')}", file=sys.stderr)
            return 2
    wanted = {name: studies[name] for name in args.studies or studies}
    missing = [
        f"{name}/{seed}"
        for seed in args.seeds
        for name, study in wanted.items()
        if evidence.get(f"{name}/{seed}", study.facts) is None
    ]
    if not side_by_side({name: [sys.executable, script, "--run", name, "--out", args.out] for name in missing}):
        return 1
    found = {
        name: [kept for seed in args.seeds if (kept := evidence.get(f"{name}/{seed}", study.facts))]
        for name, study in wanted.items()
    }
    return report(found, args.write, section)


def run_folder(args: StudyArguments, name: str, seed: int) -> Path:
    """Where a run is kept."""
    return Path(args.out) / name.replace(" ", "-") / str(seed)


def run(study: Study, seed: int, folder: Path) -> dict[str, Any]:
    """Train, evaluate, do the same for the control."""
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
    first = seed * study.eval_tasks

    def marks(env: str, evaluation: Evaluation) -> str:
        keys = (TaskSource.parse(env).task(each, "test").key for each in range(first, first + study.eval_tasks))
        return "".join(str(round(evaluation.successes[key])) if key in evaluation.successes else "-" for key in keys)

    return {
        "envs": {
            env: {
                "before": marks(env, trained.before[env]),
                "after": marks(env, trained.after[env]),
                "control": marks(env, control[env]),
                "blind": marks(env, score(model, env, seed, study.eval_tasks, view="blank")),
                "thoughts": [_thoughts(trained.before[env]), _thoughts(trained.after[env])],
            }
            for env in study.envs
        },
        "untrained": {
            env: {
                "before": marks(env, score(start, env, seed, study.eval_tasks, temperature=0.0)),
                "after": marks(env, score(model, env, seed, study.eval_tasks, temperature=0.0)),
            }
            for env in study.untrained
        },
        "curve": [[_short(line.get(name)) for name in CURVES] for line in metrics],
        "learning_seconds": round(learning, 1),
    }


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


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 5)


def _thoughts(evaluation: Evaluation) -> float | None:
    return evaluation.thoughts.mean if evaluation.thoughts else None
