"""The work behind `saccade eval`: any policy on any environments, with intervals and a replay."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from saccade.agents.agent import Agent
from saccade.agents.engines.transformers import TransformersEngine
from saccade.agents.evaluation import Evaluation, evaluate
from saccade.agents.load import load_model, saved_agent_config
from saccade.agents.runner import Runner, RunnerConfig
from saccade.agents.trajectory import Trajectory
from saccade.envs.errors import ConfigError
from saccade.envs.replay import ReplayStore
from saccade.envs.task import TaskSource, check_split
from saccade.envs.wrappers import BlankPictures
from saccade.rl.display import table
from saccade.rl.notes import token_notes

if TYPE_CHECKING:
    from saccade.rl.cli import Eval


def evaluate_command(command: Eval, console: Console) -> int:
    """Evaluate, print a table, store a replay where asked."""
    check_split(command.split)
    sources = [TaskSource.parse(text) for text in command.envs]
    for source in sources:
        source.check()
    agent = make_agent(command.model, command.policy, command.temperature)
    found: dict[str, list[Trajectory]] = {}
    with ExitStack() as stack:
        stack.callback(agent.engine.close)
        store = None
        if command.store:
            store = stack.enter_context(ReplayStore.create(command.store, run_id=f"eval-{command.seed}"))
        runner = Runner(
            agent,
            RunnerConfig(concurrency=command.concurrency),
            command.policy,
            BlankPictures if command.blind else None,
        )
        stack.callback(runner.close)
        bar = stack.enter_context(Progress(console=console, transient=True))
        for source in sources:
            task = bar.add_task(str(source), total=command.tasks)
            found[str(source)] = evaluate(
                runner,
                source,
                command.tasks,
                split="train" if command.split == "train" else "test",
                seed=command.seed,
                progress=lambda _, task=task: bar.advance(task),  # type: ignore[misc]
            )
            for each in found[str(source)] if store else []:
                store.add(each.episode, token_notes(each, agent.chat), phase="eval")  # type: ignore[union-attr]
    rows = [_row(name, Evaluation([each.episode for each in trajectories])) for name, trajectories in found.items()]
    who = command.model if command.policy == "engine" else command.policy
    title = f"Success of {who}{', blind' if command.blind else ''}, {command.split} split, 95 % intervals"
    console.print(table(title, ["environment", "success", "turns", "ended"], rows))
    if command.store:
        console.print(f"replay: saccade replay {command.store}", highlight=False)
    return 0


def make_agent(model: str | None, policy: str, temperature: float | None) -> Agent:
    """The agent of a checkpoint; scripted policies write through an untrained tiny one."""
    if model is None:
        if policy == "engine":
            raise ConfigError("--model is needed to evaluate a model; --policy random or demo needs none")
        return scripted_agent()
    backbone, chat = load_model(model)
    config = saved_agent_config(model)
    if temperature is not None:
        config = replace(config, temperature=temperature)
    return Agent(TransformersEngine(backbone, chat.pictures), chat, config)


def scripted_agent() -> Agent:
    """An agent whose model is never asked: its tokenizer writes what a script says, in pixels."""
    import tempfile

    from saccade.agents.agent import AgentConfig
    from saccade.agents.tiny import TinyConfig, build_tiny

    with tempfile.TemporaryDirectory() as folder:
        backbone, chat = load_model(build_tiny(folder, TinyConfig(), ["<think>click(1, 2)</think>"]))
    return Agent(TransformersEngine(backbone, chat.pictures), chat, AgentConfig(max_context=1_000_000))


def _row(name: str, evaluation: Evaluation) -> Sequence[object]:
    turns = sum(len(episode.steps) for episode in evaluation.valid) / max(len(evaluation.valid), 1)
    ended = ", ".join(f"{cause} {count}" for cause, count in sorted(evaluation.causes.items()))
    return name, evaluation.success if evaluation.valid else "all void", f"{turns:.2f}", ended
