"""To a policy that can begin to learn from itself: a model, from nothing or not, warm-started on demonstrations.

grow(GrowConfig(envs=("saccade/Digits-v0",), out="runs/tiny"))
grow(GrowConfig(envs=("saccade/MiniWoB-click-color-v0",), out="runs/boxes", model="saccade-tiny"))
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saccade.agents.agent import Agent, AgentConfig
from saccade.agents.engines.transformers import TransformersEngine, TransformersEngineConfig
from saccade.agents.load import load_model, save_agent_config, saved_agent_config
from saccade.agents.runner import Runner, RunnerConfig
from saccade.agents.tiny import TinyConfig, build_tiny
from saccade.envs.errors import ConfigError
from saccade.envs.task import TaskSource
from saccade.rl.learner import Learner, LearnerConfig
from saccade.rl.lessons import CAPTION_REQUEST
from saccade.rl.sft import SFTConfig, WarmStart

TINY_AGENT = AgentConfig(coordinates="location-tokens", max_reply_tokens=24, explain=False)
"""How a tiny model reads and writes: short prompts, one token a coordinate."""


@dataclass(frozen=True)
class GrowConfig:
    """A model and its warm start."""

    envs: tuple[str, ...]
    """Streams of tasks whose demonstrations are learned, written `saccade/Shapes-v0?level=2`."""
    out: str = "runs/tiny"
    """Folder of the model."""
    model: str = ""
    """What it begins from: a checkpoint, such as `saccade-tiny`; empty for a new tiny model with random weights."""
    seed: int = 0
    """Of the weights, the tasks and the order."""
    tiny: TinyConfig = field(default_factory=TinyConfig)
    """Sizes of a new model."""
    sft: SFTConfig = field(default_factory=SFTConfig)
    """The warm start."""
    agent: AgentConfig = TINY_AGENT
    """How a new model reads and writes; a checkpoint brings its own way."""
    runner: RunnerConfig = field(default_factory=RunnerConfig)
    """How episodes are run."""

    def __post_init__(self) -> None:
        if not self.envs:
            raise ConfigError("envs must name at least one environment, such as saccade/Digits-v0")


def grow(config: GrowConfig, report: Callable[[int, dict[str, float]], None] | None = None) -> dict[str, float]:
    """Build or load the model, warm-start it, save it to `config.out`; returns the last metrics."""
    out = Path(config.out)
    if (out / "config.json").exists():
        raise ConfigError(f"{out} holds a model already: choose another folder, or remove it")
    sources = [TaskSource.parse(text) for text in config.envs]
    for source in sources:
        source.check()
    scratch = out.with_name(f".{out.name}.partial")
    shutil.rmtree(scratch, ignore_errors=True)
    if not config.model:
        build_tiny(scratch, config.tiny, corpus(sources), config.seed)
    backbone, chat = load_model(config.model or scratch)
    engine = TransformersEngine(backbone, chat.media, TransformersEngineConfig(max_batch=128))
    agent = Agent(engine, chat, saved_agent_config(config.model) if config.model else config.agent)
    demonstrations, own = Runner(agent, config.runner, "demo"), Runner(agent, config.runner)
    learner = Learner(
        backbone,
        chat,
        LearnerConfig(
            learning_rate=config.sft.learning_rate,
            warmup=20,
            betas=(0.9, 0.98),
            weight_decay=0.01,
            max_grad_norm=1.0,
            kl_coef=0.0,
        ),
        config.sft.steps,
    )
    try:
        metrics = WarmStart(agent, learner, sources, demonstrations, own, config.sft, config.seed).run(report)
    finally:
        demonstrations.close()
        own.close()
        engine.close()
    backbone.model.save_pretrained(scratch)
    chat.save_pretrained(scratch)
    save_agent_config(scratch, agent.config)
    # Only now does the folder count as a model: an interrupted warm start leaves none behind.
    out.mkdir(parents=True, exist_ok=True)
    for file in scratch.iterdir():
        file.replace(out / file.name)
    scratch.rmdir()
    return metrics


def corpus(sources: Sequence[TaskSource], tasks: int = 20) -> list[str]:
    """The words of some worlds, for the tokenizer: instructions, what is shown, and what demonstrations say."""
    texts = [CAPTION_REQUEST]
    for source in sources:
        env = source.task(0).make()
        world: Any = env.unwrapped
        for _, lesson in world.lessons(range(tasks)):
            texts.append(world.instructions)
            for observation, demo in lesson.turns:
                texts += [observation.text, demo.thought, demo.action, demo.caption]
        env.close()
    return texts
