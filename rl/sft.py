"""The warm start: supervised learning on scripted solutions, through the same agent, ledger and learner as RL.

Demonstrations run in the real environments with the `demo` policy, so their tokens are exactly what a sampled reply
would have been. Where a demonstration describes its picture, the caption becomes a question of its own: captions teach
a small model to bind words to places.

    warm = WarmStart(agent, learner, sources, SFTConfig(target=0.5))
    warm.run()

A warm start for RL stops at a success rate, not at a step count: seeds differ a lot, and a policy that always or never
succeeds has nothing to learn from its own rollouts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from saccade.agents.agent import Agent
from saccade.agents.runner import Job, Runner
from saccade.agents.trajectory import Trajectory
from saccade.envs.errors import ConfigError, WorldFailure
from saccade.envs.task import TaskSource
from saccade.rl.batch import Row
from saccade.rl.learner import Learner
from saccade.rl.lessons import Tutor, row_of


@dataclass(frozen=True)
class SFTConfig:
    """How long, and on what."""

    steps: int = 2000
    """Most optimiser steps."""
    learning_rate: float = 4e-3
    """Peak learning rate; falls along a cosine."""
    batch: int = 32
    """Demonstrated episodes a step."""
    pool: int = 2048
    """Demonstrated episodes kept of each source; they are run once and then shuffled again and again."""
    target: float = 0.5
    """Stop when sampled success on training tasks reaches this, in every source."""
    check_every: int = 25
    """Steps between measurements of sampled success."""
    check_tasks: int = 64
    """Training tasks of each source in a measurement."""
    captions: bool = True
    """Whether to learn the captions too."""

    def __post_init__(self) -> None:
        if self.batch > self.pool:
            raise ConfigError(f"batch must not be larger than pool, got {self.batch} > {self.pool}")
        for name in ("steps", "batch", "check_every", "check_tasks"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be >= 1, got {getattr(self, name)}")
        if not 0 < self.target <= 1:
            raise ConfigError(f"target must be in (0, 1], got {self.target}")


class WarmStart:
    """Supervised learning until the policy succeeds often enough to learn from itself.

    Args:
        agent: whose replies are taught.
        learner: trains the agent's model.
        sources: streams of tasks; their training split is used.
        runner: a runner of demonstrations (`policy="demo"`).
        checker: a runner of the agent itself.
        config: how long.
        seed: of the tasks and of the order.
    """

    def __init__(
        self,
        agent: Agent,
        learner: Learner,
        sources: Sequence[TaskSource],
        runner: Runner,
        checker: Runner,
        config: SFTConfig,
        seed: int = 0,
    ) -> None:
        self.agent = agent
        self.tutor = Tutor(agent)
        self.learner = learner
        self.sources = sources
        self.runner = runner
        self.checker = checker
        self.config = config
        self.seed = seed

    def run(self, report: Callable[[int, dict[str, float]], None] | None = None) -> dict[str, float]:
        """Train; returns the last metrics: loss, success of each source, steps, seconds."""
        started = time.perf_counter()
        batches = self._batches(self._demonstrations())
        metrics: dict[str, float] = {}
        for step in range(1, self.config.steps + 1):
            metrics |= self.learner.imitate(next(batches))
            self.agent.engine.update(self.learner.weights(), self.agent.engine.version + 1)
            if step % self.config.check_every == 0 or step == self.config.steps:
                success = self._success(step)
                metrics |= success | {"sft/steps": step, "sft/seconds": time.perf_counter() - started}
                if report:
                    report(step, metrics)
                if min(success.values()) >= self.config.target:
                    break
        return metrics

    def _demonstrations(self) -> list[list[Row]]:
        """One list of rows an episode: its own, and one a caption."""
        rng = np.random.default_rng([self.seed, 1])
        jobs = []
        for source in self.sources:
            seeds = rng.integers(2**31, size=self.config.pool)
            jobs += [Job(source.task(int(seed)), sample) for sample, seed in enumerate(seeds)]
        done = self.runner.run(jobs, scope="sft", seed=self.seed)
        sound = [trajectory for trajectory in done if trajectory.episode.rule.trained]
        if len(sound) < max(0.9 * len(done), self.config.batch):
            lost = next(each.episode.failure for each in done if not each.episode.rule.trained)
            raise WorldFailure(
                f"{len(done) - len(sound)} of {len(done)} demonstrations were lost; the first one: {lost}"
            )
        return [self._rows(trajectory) for trajectory in sound]

    def _rows(self, trajectory: Trajectory) -> list[Row]:
        if not trajectory.episode.success:
            raise ConfigError(
                f"a demonstration of {trajectory.episode.task.key} ended with {trajectory.episode.cause}, not with its "
                "goal: mend the environment's demo(), or leave it out of the warm start"
            )
        samples = list(trajectory.samples)
        if self.config.captions:
            captions = trajectory.episode.info.get("captions", [])
            for step, caption in zip(trajectory.episode.steps, captions, strict=False):
                if caption and step.observation.images:
                    samples.append(self.tutor.caption(step.observation.images[-1], caption))
        return [row_of(sample) for sample in samples]

    def _batches(self, episodes: Sequence[list[Row]]) -> Iterator[list[Row]]:
        """Endless batches of whole episodes, shuffled anew in every round."""
        rng = np.random.default_rng([self.seed, 2])
        while True:
            order = rng.permutation(len(episodes))
            for start in range(0, len(order) - self.config.batch + 1, self.config.batch):
                yield [row for index in order[start : start + self.config.batch] for row in episodes[index]]

    def _success(self, step: int) -> dict[str, float]:
        rng = np.random.default_rng([self.seed, 3])
        out = {}
        for source in self.sources:
            jobs = [Job(source.task(int(s))) for s in rng.integers(2**31, size=self.config.check_tasks)]
            done = self.checker.run(jobs, scope=f"check/{step}", seed=self.seed)
            out[f"sft/success/{source}"] = float(np.mean([trajectory.episode.success for trajectory in done]))
        return out
