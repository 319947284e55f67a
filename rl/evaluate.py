"""The work behind `saccade eval`: any agent on any environments, with intervals, costs and a replay.

Each environment is played by every way of drawing replies (`greedy`, `sampled`, ...). With `--store` an evaluation can
be killed at any moment and resumed: it plays what is missing, with the random numbers that it would have had.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from copy import copy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console
from rich.progress import Progress, TaskID

from saccade.agents.agent import Agent, AgentConfig, Manner
from saccade.agents.engines.api import APIEngine
from saccade.agents.engines.names import check_engine
from saccade.agents.engines.transformers import TransformersEngine
from saccade.agents.engines.vllm import VLLMEngine, VLLMEngineConfig
from saccade.agents.evaluation import SCOPE, Evaluation, evaluation_jobs
from saccade.agents.load import load_chat, load_model, model_place, saved_agent_config
from saccade.agents.messages import MessageAgent
from saccade.agents.runner import Job, Runner, RunnerConfig
from saccade.agents.trajectory import Trajectory
from saccade.agents.usage import Prices, Usage
from saccade.envs.episode import Episode
from saccade.envs.errors import ConfigError
from saccade.envs.task import TaskSource
from saccade.envs.wrappers import named_view
from saccade.rl.display import share, table
from saccade.rl.eval_store import RESULTS, EvalStore

if TYPE_CHECKING:
    from saccade.rl.commands import Eval

M = TypeVar("M", bound=Manner)
DECISIVE: Mapping[str, Sequence[str]] = {"api": ("options",), "vllm": ("dtype", "forced_format", "options")}
"""What of an engine's settings decides its replies."""


@dataclass(frozen=True)
class Way:
    """One way of drawing replies.

    Attributes:
        name: as the table shows it.
        temperature: `None` is the model's own.
        samples: tries of each task.
    """

    name: str
    temperature: float | None
    samples: int


def evaluate_command(command: Eval, console: Console) -> int:
    """Evaluate, print a table, write results and a replay where asked."""
    sources = [TaskSource.parse(text) for text in command.envs]
    for source in sources:
        source.check()
    if command.blind and command.view not in ("full", "blank"):
        raise ConfigError(f"--blind is --view blank, and cannot go with --view {command.view}: choose one")
    view = "blank" if command.blind else command.view
    wrap = named_view(view)
    ways = _ways(command)
    plan = {
        (str(source), way): evaluation_jobs(source, command.tasks, command.split, samples=way.samples)
        for source in sources
        for way in ways
    }
    agent = make_actor(command)
    chat = agent.chat if isinstance(agent, Agent) else None
    with ExitStack() as stack:
        stack.callback(agent.engine.close)
        settings = evaluation_settings(command, agent.config, view)
        store = stack.enter_context(EvalStore.open(command.store, f"eval-{command.seed}", settings, command.resume))
        bar = stack.enter_context(Progress(console=console, transient=True))
        for way in ways:
            actor = agent if way.temperature is None else at_temperature(agent, way.temperature)
            runner = Runner(actor, RunnerConfig(concurrency=command.concurrency), command.policy, wrap)
            stack.callback(runner.close)
            for name in map(str, sources):
                jobs = plan[name, way]
                missing = [job for job in jobs if job.episode_id(SCOPE, way.name) not in store.finished]
                task = bar.add_task(f"{name}, {way.name}", total=len(jobs), completed=len(jobs) - len(missing))

                def done(_: int, trajectory: Trajectory, task: TaskID = task) -> None:
                    store.add(trajectory, chat)
                    bar.advance(task)

                runner.stream(missing, done, SCOPE, command.seed, way.name)
            runner.close()
        rows = [(source, way, _evaluation(store, jobs, way)) for (source, way), jobs in plan.items()]
    who = (command.model if command.policy == "engine" else command.policy) or ""
    prices = command.api.prices if isinstance(agent, MessageAgent) else Prices()
    title = f"Success of {who}{'' if view == 'full' else f', view {view}'}, {command.split} split, 95 % intervals"
    _print(console, title, rows, prices)
    facts = {"model": who, "split": command.split, "view": view, "seed": command.seed, "tasks": command.tasks}
    results = facts | {"rows": [row_json(*row, prices) for row in rows]}
    files = [Path(command.store) / RESULTS] if command.store else []
    for file in [*files, Path(command.json)] if command.json else files:
        _write(file, results)
        console.print(f"results: {file}", highlight=False, soft_wrap=True)
    if command.store:
        console.print(f"replay: saccade replay {command.store}", highlight=False)
    return 0


def row_json(env: str, way: Way, found: Evaluation, prices: Prices) -> dict[str, Any]:
    """What was found in one environment by one way of drawing replies, as plain JSON values."""
    return {
        "env": env,
        "actions": way.name,
        "success": found.success.to_json() if found.valid else None,
        "pass_at": {str(k): (at := found.pass_at(k)) and at.to_json() for k in tries_of_interest(way.samples)},
        "right_thoughts": found.thoughts and found.thoughts.to_json(),
        "turns": _turns(found),
        "ended": dict(sorted(found.causes.items())),
        "tokens": asdict(found.usage),
        "cost": prices.cost(found.usage),
        "by_task": _by_task(found),
    }


def tries_of_interest(samples: int) -> list[int]:
    """The k of pass@k: the powers of two up to the number of tries, and that number."""
    return sorted({2**n for n in range(samples.bit_length())} | {samples})


def at_temperature(agent: M, temperature: float) -> M:
    """The same agent, sampling at another temperature; 0 is greedy."""
    other = copy(agent)
    other.config = replace(agent.config, temperature=temperature)
    return other


def make_actor(command: Eval) -> Agent | MessageAgent:
    """The agent that a command names."""
    check_engine(command.engine)
    if command.engine == "api" and command.policy == "engine" and command.model is not None:
        config = command.agent or saved_agent_config(command.model)
        return MessageAgent(APIEngine(command.model, command.api), config)
    return make_agent(command.model, command.policy, engine=command.engine, vllm=command.vllm, config=command.agent)


def make_agent(
    model: str | None,
    policy: str = "engine",
    temperature: float | None = None,
    engine: str = "transformers",
    vllm: VLLMEngineConfig | None = None,
    config: AgentConfig | None = None,
) -> Agent:
    """The agent of a checkpoint; scripted policies write through an untrained tiny one."""
    check_engine(engine)
    if model is None:
        if policy == "engine":
            raise ConfigError("--model is needed to evaluate a model; --policy random or demo needs none")
        return scripted_agent()
    config = config or saved_agent_config(model)
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

    from saccade.agents.tiny import TinyConfig, build_tiny

    with tempfile.TemporaryDirectory() as folder:
        backbone, chat = load_model(build_tiny(folder, TinyConfig(), ["<think>click(1, 2)</think>"]))
    return Agent(TransformersEngine(backbone, chat.media), chat, AgentConfig(max_context=1_000_000))


def _ways(command: Eval) -> list[Way]:
    """How replies are drawn."""
    if command.greedy and command.temperature:
        raise ConfigError(f"--greedy is --temperature 0, and cannot go with --temperature {command.temperature:g}")
    if command.samples > 1 and (command.greedy or command.temperature == 0):
        raise ConfigError(f"the likeliest tokens are the same at every try: --samples {command.samples} needs sampling")
    if command.policy != "engine":
        return [Way(command.policy, None, command.samples)]
    if command.greedy or command.temperature == 0:
        return [Way("greedy", 0.0, 1)]
    if command.temperature is not None:
        return [Way(f"sampled at {command.temperature:g}", command.temperature, command.samples)]
    return [Way("greedy", 0.0, 1), Way("sampled", None, command.samples)]


def evaluation_settings(command: Eval, agent: AgentConfig, view: str) -> dict[str, Any]:
    """What decides an episode, its task apart, as plain JSON values."""
    asked = {"model": command.model, "policy": command.policy, "engine": command.engine, "seed": command.seed}
    decisive = DECISIVE.get(command.engine, ())
    extra = {f"{command.engine}.{name}": getattr(getattr(command, command.engine), name) for name in decisive}
    return asked | {"view": view} | extra | {f"agent.{name}": value for name, value in asdict(agent).items()}


def _evaluation(store: EvalStore, jobs: Sequence[Job], way: Way) -> Evaluation:
    found = [store.finished[job.episode_id(SCOPE, way.name)] for job in jobs]
    return Evaluation([each.episode for each in found], sum((each.usage for each in found), Usage()))


def _print(console: Console, title: str, rows: Sequence[tuple[str, Way, Evaluation]], prices: Prices) -> None:
    tries = sorted({k for _, way, _ in rows for k in tries_of_interest(way.samples) if k > 1})
    columns = ["environment", "actions", "success", *(f"pass@{k}" for k in tries), "right thoughts", "turns"]
    columns += ["ended", "tokens read", "written"]
    cells = [_cells(*row, tries) for row in rows]
    if prices != Prices():
        columns.append("cost")
        cells = [[*cell, f"{prices.cost(found.usage):.4g}"] for cell, (_, _, found) in zip(cells, rows, strict=True)]
    console.print(table(title, columns, cells))


def _cells(env: str, way: Way, found: Evaluation, tries: Sequence[int]) -> list[object]:
    success = found.success if found.valid else "all void"
    passed = [share(found.pass_at(k)) if k <= way.samples else "-" for k in tries]
    ended = ", ".join(f"{cause} {count}" for cause, count in sorted(found.causes.items()))
    cells = [env, way.name, success, *passed, share(found.thoughts), f"{_turns(found):.2f}", ended]
    return [*cells, found.usage.prompt_tokens, found.usage.reply_tokens]


def _turns(found: Evaluation) -> float:
    return sum(len(episode.steps) for episode in found.valid) / max(len(found.valid), 1)


def _by_task(found: Evaluation) -> list[dict[str, Any]]:
    """Each task: its seed, how many valid tries it had and how many succeeded, and how all of them ended."""
    tasks: dict[int, list[Episode]] = {}
    for episode in found.episodes:
        tasks.setdefault(episode.task.seed, []).append(episode)
    return [
        {
            "seed": seed,
            "tries": sum(each.rule.in_baseline for each in tried),
            "successes": sum(each.success for each in tried),
            "ended": [str(each.cause) for each in tried],
        }
        for seed, tried in tasks.items()
    ]


def _write(path: Path, results: Mapping[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(results, indent=1) + "\n")
    except OSError as error:
        raise ConfigError(f"cannot write the results to {path}: {error}; choose another place") from error
