"""`TrainConfig`: everything that decides a training run, as one frozen dataclass with a sentence a field."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from saccade.agents.agent import AgentConfig
from saccade.agents.engines.names import check_trainable
from saccade.agents.engines.vllm import VLLMEngineConfig
from saccade.agents.runner import RunnerConfig
from saccade.envs.errors import ConfigError
from saccade.envs.task import TaskSource
from saccade.rl.advantages import ADVANTAGES, UNGROUPED, make_estimator
from saccade.rl.appraisal import RECURSIONS
from saccade.rl.learner import LearnerConfig
from saccade.rl.rewards import check_weights

FREE_TO_CHANGE = ("run", "checkpoint_every", "keep_checkpoints")
"""Settings that decide no number: where a run is kept, and what is kept of it."""


@dataclass(frozen=True)
class TrainConfig:
    """A training run."""

    model: str
    """Checkpoint to start from: `saccade-tiny`, which ships, a folder, also an adapter's, or a hub id."""
    envs: tuple[str, ...]
    """Streams of tasks, written `saccade/Shapes-v0?level=2`; several share the tasks of each update."""
    run: str = "runs/train"
    """Folder of the run: metrics, checkpoints, replay."""
    steps: int = 100
    """Updates."""
    tasks_per_step: int = 16
    """Tasks of each update."""
    group_size: int = 8
    """Episodes of each task; their mean return is the baseline."""
    advantage: str = "dr-grpo"
    """`grpo`, `dr-grpo`, `rloo`, `turn-grpo`, `process-grpo`, `gigpo`, `reinforce++`, `reinforce++-baseline`, with a
    critic `gae`, `turn-gae`, `bi-level-gae`; or `module:function`. docs/algorithms.md compares them."""
    gamma: float = 1.0
    """Discount between turns."""
    token_gamma: float = 1.0
    """Discount between the tokens of a turn."""
    gae_lambda: float = 1.0
    """Decay of the trace of generalised advantages; 1 trusts returns, 0 the critic."""
    rewards: Mapping[str, float] = field(default_factory=lambda: {"task": 1.0})
    """Weights of the rewards `task`, `valid_action`, `format` and `brevity`."""
    seed: int = 0
    """Names the tasks and every random number of the run."""
    deterministic: bool = True
    """Equal runs are equal bit for bit (fp32, one machine); off, batches follow timing and nothing is promised."""
    eval_every: int = 0
    """Updates between held-out evaluations; 0 evaluates before and after only."""
    eval_tasks: int = 128
    """Held-out tasks of each source in an evaluation."""
    eval_first: int = 0
    """Seed of the first held-out task; another one gives other tasks."""
    checkpoint_every: int = 20
    """Updates between checkpoints; the last update always writes one."""
    keep_checkpoints: int = 2
    """Newest checkpoints that are kept."""
    max_batch: int = 128
    """Most replies that the transformers engine draws together."""
    cache_bytes: int = 1 << 30
    """Memory in which the transformers engine keeps the keys and values of earlier turns; 0 keeps none."""
    engine: str = "transformers"
    """Who draws replies: `transformers`, in this process, or `vllm`, which promises no equal bits."""
    vllm: VLLMEngineConfig = field(default_factory=VLLMEngineConfig)
    """How vLLM runs, where it is the engine."""
    agent: AgentConfig | None = None
    """How the agent reads and writes; by default as its model folder says (`saccade.json`)."""
    runner: RunnerConfig = field(default_factory=RunnerConfig)
    """How episodes are run."""
    learner: LearnerConfig = field(default_factory=LearnerConfig)
    """How weights change."""

    def __post_init__(self) -> None:
        if not self.envs:
            raise ConfigError("envs must name at least one environment, such as saccade/Shapes-v0")
        if self.group_size < 1 or (self.group_size < 2 and self.advantage not in UNGROUPED):
            raise ConfigError(
                f"group_size must be >= 2 for a group baseline, got {self.group_size}: an episode alone has advantage 0"
            )
        for name in ("steps", "tasks_per_step", "checkpoint_every", "keep_checkpoints", "max_batch"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be >= 1, got {getattr(self, name)}")
        if self.cache_bytes < 0:
            raise ConfigError(f"cache_bytes must be >= 0 (0 keeps nothing), got {self.cache_bytes}")
        if self.eval_tasks < 2:
            raise ConfigError(f"eval_tasks must be >= 2 for an interval, got {self.eval_tasks}")
        if self.eval_first < 0:
            raise ConfigError(f"eval_first must be >= 0, got {self.eval_first}")
        for name in ("gamma", "token_gamma", "gae_lambda"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} must be between 0 and 1, got {getattr(self, name)}")
        if self.agent is not None and self.agent.temperature == 0:
            raise ConfigError("training needs samples: agent.temperature must be > 0, got 0")
        check_trainable(self.engine)
        if self.engine == "vllm" and self.deterministic:
            raise ConfigError(
                "engine 'vllm' promises no equal bits, and deterministic is on: switch it off (deterministic=False, "
                "--no-deterministic), or use engine='transformers'"
            )
        if self.engine == "vllm" and self.vllm.forced_format:
            raise ConfigError(
                "vllm.forced_format is on: a forced reply is drawn from a distribution that the learner does not "
                "compute, so its gradient would be wrong; switch it off for training, and use it with `saccade eval`"
            )
        if self.engine == "vllm" and self.vllm.dtype == "float32" != self.learner.precision:
            raise ConfigError(
                f"learner.precision {self.learner.precision!r} goes with a vLLM in 16 bits, got vllm.dtype 'float32': "
                f"set it to {self.learner.precision!r}"
            )
        make_estimator(self.advantage)
        self._check_critic()
        check_weights(self.rewards)

    def _check_critic(self) -> None:
        critic = self.learner.critic
        if self.advantage in RECURSIONS and critic.kind == "none":
            raise ConfigError(
                f"advantage {self.advantage!r} needs values: set learner.critic.kind to 'shared' or 'separate'"
            )
        if self.advantage in ADVANTAGES and self.advantage not in RECURSIONS and critic.kind != "none":
            raise ConfigError(
                f"advantage {self.advantage!r} asks no critic: set learner.critic.kind to 'none', or use one of "
                f"{', '.join(RECURSIONS)}"
            )
        if critic.pretrain >= self.steps:
            raise ConfigError(
                f"learner.critic.pretrain must be < steps, got {critic.pretrain} and {self.steps}: the policy would "
                "never learn"
            )

    @property
    def sources(self) -> list[TaskSource]:
        """The parsed streams of tasks."""
        return [TaskSource.parse(text) for text in self.envs]

    @property
    def run_id(self) -> str:
        """Equal for configurations whose runs are the same run: all that decides the numbers."""
        decisive = {name: value for name, value in dataclasses.asdict(self).items() if name not in FREE_TO_CHANGE}
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:12]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return dataclasses.asdict(self)
