"""The work behind `saccade eval`: any policy on any environments, with intervals and a replay."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from saccade.agents.agent import Agent
from saccade.agents.engines.names import check_engine
from saccade.agents.engines.transformers import TransformersEngine
from saccade.agents.engines.vllm import VLLMEngine, VLLMEngineConfig
from saccade.agents.evaluation import Evaluation, evaluate
from saccade.agents.load import load_chat, load_model, model_place, saved_agent_config
from saccade.agents.runner import Runner, RunnerConfig
from saccade.agents.trajectory import Trajectory
from saccade.envs.errors import ConfigError
from saccade.envs.replay import ReplayStore
from saccade.envs.task import TaskSource, check_split
from saccade.envs.wrappers import named_view
from saccade.rl.display import share, table
from saccade.rl.notes import token_notes

if TYPE_CHECKING:
    from saccade.rl.commands import Eval


def evaluate_command(command: Eval, console: Console) -> int:
    """Evaluate, print a table, store a replay where asked."""
    check_split(command.split)
    sources = [TaskSource.parse(text) for text in command.envs]
    for source in sources:
        source.check()
    if command.blind and command.view not in ("full", "blank"):
        raise ConfigError(f"--blind is --view blank, and cannot go with --view {command.view}: choose one")
    view = "blank" if command.blind else command.view
    wrap = named_view(view)
    temperatures = _temperatures(command)
    agent = make_agent(command.model, command.policy, None, command.engine, command.vllm)
    found: dict[tuple[str, str], list[Trajectory]] = {}
    with ExitStack() as stack:
        stack.callback(agent.engine.close)
        store = None
        if command.store:
            store = stack.enter_context(ReplayStore.create(command.store, run_id=f"eval-{command.seed}"))
        bar = stack.enter_context(Progress(console=console, transient=True))
        for name, temperature in temperatures.items():
            actor = agent if temperature is None else at_temperature(agent, temperature)
            runner = Runner(actor, RunnerConfig(concurrency=command.concurrency), command.policy, wrap)
            stack.callback(runner.close)
            for source in sources:
                task = bar.add_task(f"{source}, {name}", total=command.tasks)
                found[str(source), name] = evaluate(
                    runner,
                    source,
                    command.tasks,
                    split="train" if command.split == "train" else "test",
                    seed=command.seed,
                    label=name,
                    progress=lambda _, task=task: bar.advance(task),  # type: ignore[misc]
                )
                for each in found[str(source), name] if store else []:
                    store.add(each.episode, token_notes(each, agent.chat), phase="eval")  # type: ignore[union-attr]
            runner.close()
    rows = [_row(str(source), name, found[str(source), name]) for source in sources for name in temperatures]
    who = command.model if command.policy == "engine" else command.policy
    title = f"Success of {who}{'' if view == 'full' else f', view {view}'}, {command.split} split, 95 % intervals"
    console.print(table(title, ["environment", "actions", "success", "right thoughts", "turns", "ended"], rows))
    if command.store:
        console.print(f"replay: saccade replay {command.store}", highlight=False)
    return 0


def _temperatures(command: Eval) -> dict[str, float | None]:
    """How replies are drawn, by the name that the table shows; `None` is the model's own temperature."""
    if command.greedy and command.temperature:
        raise ConfigError(f"--greedy is --temperature 0, and cannot go with --temperature {command.temperature:g}")
    if command.policy != "engine":
        return {command.policy: None}
    if command.greedy or command.temperature == 0:
        return {"greedy": 0.0}
    if command.temperature is not None:
        return {f"sampled at {command.temperature:g}": command.temperature}
    return {"greedy": 0.0, "sampled": None}


def at_temperature(agent: Agent, temperature: float) -> Agent:
    """The same agent, sampling at another temperature; 0 is greedy."""
    return Agent(agent.engine, agent.chat, replace(agent.config, temperature=temperature))


def make_agent(
    model: str | None,
    policy: str,
    temperature: float | None,
    engine: str = "transformers",
    vllm: VLLMEngineConfig | None = None,
) -> Agent:
    """The agent of a checkpoint; scripted policies write through an untrained tiny one."""
    check_engine(engine)
    if model is None:
        if policy == "engine":
            raise ConfigError("--model is needed to evaluate a model; --policy random or demo needs none")
        return scripted_agent()
    config = saved_agent_config(model)
    if temperature is not None:
        config = replace(config, temperature=temperature)
    if engine == "vllm":
        chat = load_chat(model)
        return Agent(VLLMEngine(model_place(model), chat, vllm, config.max_context), chat, config)
    backbone, chat = load_model(model)
    return Agent(TransformersEngine(backbone, chat.media), chat, config)


def scripted_agent() -> Agent:
    """An agent whose model is never asked: its tokenizer writes what a script says, in pixels."""
    import tempfile

    from saccade.agents.agent import AgentConfig
    from saccade.agents.tiny import TinyConfig, build_tiny

    with tempfile.TemporaryDirectory() as folder:
        backbone, chat = load_model(build_tiny(folder, TinyConfig(), ["<think>click(1, 2)</think>"]))
    return Agent(TransformersEngine(backbone, chat.media), chat, AgentConfig(max_context=1_000_000))


def _row(name: str, how: str, done: Sequence[Trajectory]) -> Sequence[object]:
    evaluation = Evaluation([each.episode for each in done])
    turns = sum(len(episode.steps) for episode in evaluation.valid) / max(len(evaluation.valid), 1)
    ended = ", ".join(f"{cause} {count}" for cause, count in sorted(evaluation.causes.items()))
    success = evaluation.success if evaluation.valid else "all void"
    return name, how, success, share(evaluation.thoughts), f"{turns:.2f}", ended
