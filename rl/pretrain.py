"""Supervised learning from nothing over many worlds at once: how a tiny model is made that knows them all.

    pretrain(PretrainConfig(courses=(Course("saccade/Shapes-v0?level=3", 8), Course("saccade/Reach-v0", 2))))

Every step takes a few new lessons of every course. Which ones is a function of (seed, course, rank, step) and nothing
else, so that a run that was stopped goes on as if it had not been, and a part of it can be repeated to check the rest.
Several processes share the work: each writes lessons of its own, and they add their gradients (`rl/ranks.py`).

    runs/tiny/
      recipe.json       the configuration, and the run's name
      start/            the model as it was built, with random weights
      curve.jsonl       loss of each step; success on held-out tasks now and then
      checkpoints/      what `resume` goes on from
      model/            the model with tokenizer, processor, template and `saccade.json`, at the end
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from saccade.agents.agent import Agent, AgentConfig
from saccade.agents.engines.transformers import TransformersEngine, TransformersEngineConfig
from saccade.agents.evaluation import Evaluation, evaluate
from saccade.agents.load import load_model, save_agent_config
from saccade.agents.runner import Runner, RunnerConfig
from saccade.agents.tiny import TinyConfig, build_tiny
from saccade.envs.errors import ConfigError
from saccade.envs.replay.files import write_atomically
from saccade.envs.task import TaskSource
from saccade.rl.checkpoint import CheckpointFolder
from saccade.rl.courses import Course, Stream
from saccade.rl.curve import Curve
from saccade.rl.learner import Learner, LearnerConfig
from saccade.rl.lessons import Tutor
from saccade.rl.ranks import Ranks, in_ranks
from saccade.rl.tiny_start import TINY_AGENT, corpus

Report = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class PretrainConfig:
    """A model and its schooling."""

    courses: tuple[Course, ...]
    """What is taught."""
    out: str = "runs/pretrain"
    """Folder of the run."""
    seed: int = 0
    """Of the weights and of the lessons."""
    steps: int = 4000
    """Optimiser steps; the learning rate falls along a cosine to a hundredth."""
    ranks: int = 2
    """Processes that learn together; part of the recipe, as each teaches lessons of its own."""
    tiny: TinyConfig = field(default_factory=TinyConfig)
    """Sizes of the model."""
    agent: AgentConfig = TINY_AGENT
    """How the model reads and writes."""
    optimizer: str = "muon"
    """Of the learner: `muon` or `adamw`."""
    learning_rate: float = 2e-3
    """Peak learning rate."""
    warmup: int = 100
    """Steps until the peak is reached."""
    micro_batch_tokens: int = 2048
    """Largest micro-batch of the learner; on a CPU small ones, whose states stay in its caches, are faster."""
    save_every: int = 200
    """Steps between checkpoints."""
    check_every: int = 500
    """Steps between measurements of greedy success on held-out tasks."""
    check_tasks: int = 48
    """Held-out tasks of each course in a measurement."""

    def __post_init__(self) -> None:
        if not self.courses:
            raise ConfigError("courses must name at least one environment, such as Course('saccade/Digits-v0')")
        for name in ("steps", "ranks", "micro_batch_tokens", "save_every", "check_every", "check_tasks"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be >= 1, got {getattr(self, name)}")

    @property
    def run_id(self) -> str:
        """Equal for recipes that give the same weights."""
        decisive = dataclasses.asdict(replace(self, out="", save_every=1, check_every=1, check_tasks=1))
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:12]


def pretrain(config: PretrainConfig, resume: bool = False, stop_at: int = 0, report: Report | None = None) -> Path:
    """Make a model; returns the folder `model` of the run, which is there once the schedule is done.

    Args:
        config: the recipe.
        resume: go on from the newest checkpoint of the folder.
        stop_at: end after this many steps of the same schedule, without a model; 0 for all of them.
        report: called on the first rank with each step and its metrics.

    Raises:
        ConfigError: the folder holds a run already and `resume` is off, or another recipe's run.
    """
    out = Path(config.out)
    for course in config.courses:
        TaskSource.parse(course.env).check()
    if not 0 <= stop_at <= config.steps:
        raise ConfigError(f"stop_at must be between 0 and {config.steps} steps, got {stop_at}")
    _claim(out, config, resume)
    if not (out / "start").exists():
        scratch = out / ".partial"
        shutil.rmtree(scratch, ignore_errors=True)
        sources = [TaskSource.parse(course.env) for course in config.courses]
        build_tiny(scratch, config.tiny, corpus(sources, tasks=60), config.seed)
        save_agent_config(scratch, config.agent)
        scratch.rename(out / "start")
    with tempfile.TemporaryDirectory() as meeting:
        in_ranks(config.ranks, _learn, config, stop_at, report, meeting=Path(meeting) / "ranks")
    return out / "model"


def _claim(out: Path, config: PretrainConfig, resume: bool) -> None:
    """Write down whose folder this is, or see that it is this recipe's."""
    file = out / "recipe.json"
    if not out.exists():
        out.mkdir(parents=True)
        facts = {"run_id": config.run_id} | dataclasses.asdict(config)
        write_atomically(file, [json.dumps(facts, indent=1).encode()])
        return
    if not resume:
        raise ConfigError(f"{out} holds a run already: go on with resume, or choose another folder")
    owner = json.loads(file.read_text())["run_id"] if file.exists() else "nobody"
    if owner != config.run_id:
        raise ConfigError(
            f"{out} belongs to recipe {owner}, this one is {config.run_id}: choose another folder, or go on with the "
            "recipe that it was started with"
        )


def _learn(ranks: Ranks, config: PretrainConfig, stop_at: int, report: Report | None) -> None:
    """What each rank does."""
    out = Path(config.out)
    with ExitStack() as stack:
        backbone, chat = load_model(out / "start")
        engine = TransformersEngine(backbone, chat.media, TransformersEngineConfig(max_batch=64))
        stack.callback(engine.close)
        agent = Agent(engine, chat, config.agent)
        learner = Learner(
            backbone,
            chat,
            LearnerConfig(
                learning_rate=config.learning_rate,
                final_learning_rate=0.01,
                warmup=config.warmup,
                optimizer=config.optimizer,
                betas=(0.9, 0.98),
                weight_decay=0.01,
                max_grad_norm=1.0,
                micro_batch_tokens=config.micro_batch_tokens,
                kl_coef=0.0,
            ),
            config.steps,
            ranks=ranks,
        )
        checkpoints = CheckpointFolder(out / "checkpoints", config.run_id)
        found = checkpoints.latest()
        if found:
            found.restore(learner)
        tutor = Tutor(agent)
        streams = []
        for course in config.courses:
            streams.append(Stream(course, tutor, config.steps, config.seed, ranks.rank))
            stack.callback(streams[-1].close)
        checker = Runner(Agent(engine, chat, replace(config.agent, temperature=0.0)), RunnerConfig(concurrency=16))
        stack.callback(checker.close)
        curve = Curve(out / "curve.jsonl", learner.steps) if ranks.rank == 0 else None
        last = stop_at or config.steps
        while learner.steps < last:
            started = time.perf_counter()
            rows = [row for stream in streams for row in stream.rows(learner.steps)]
            taught = time.perf_counter()
            metrics = learner.imitate(rows)
            metrics |= {"time/lessons": taught - started, "time/learn": time.perf_counter() - taught}
            done = learner.steps
            if done % config.check_every == 0 or done == last:
                engine.update(learner.weights(), engine.version + 1)
                metrics |= _check(config, checker, ranks)
            if curve:
                curve.add(done, metrics)
                if report:
                    report(done, metrics)
                if done % config.save_every == 0 or done == last:
                    checkpoints.save(learner, done, dataclasses.asdict(config))
        if ranks.rank == 0 and last == config.steps:
            shutil.copytree(out / "start", out / "model", dirs_exist_ok=True)
            backbone.model.save_pretrained(out / "model")


def _check(config: PretrainConfig, checker: Runner, ranks: Ranks) -> dict[str, float]:
    """Greedy success on held-out tasks; the ranks share the courses."""
    envs = list(dict.fromkeys(course.env for course in config.courses))
    success = {f"success/{env}": 0.0 for env in envs}
    for env in envs[ranks.rank :: ranks.size]:
        done = evaluate(checker, TaskSource.parse(env), config.check_tasks)
        success[f"success/{env}"] = Evaluation([each.episode for each in done]).success.mean
        checker.close()  # or the worlds of all courses would stay open
    return ranks.total(success)
