"""Held-out evaluation: the same tasks before and after, with 95 % intervals.

A claim of learning is a paired difference: each task's success after minus before, so that easy and hard tasks cancel.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade.agents.runner import Job, Progress, Runner
from saccade.agents.thoughts import judged
from saccade.agents.trajectory import Trajectory
from saccade.envs.episode import Episode
from saccade.envs.errors import ConfigError
from saccade.envs.task import Split, TaskSource

Z95 = 1.959963984540054


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval, and how many tasks it rests on."""

    mean: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def proportion(successes: Sequence[bool] | NDArray[np.bool_]) -> Interval:
    """Share of successes with Wilson's score interval (honest at 0 and 1, unlike the normal one)."""
    count = len(successes)
    if count == 0:
        raise ConfigError("an evaluation needs at least one task that was not lost to infrastructure")
    share = float(np.mean(successes))
    centre = (share + Z95**2 / (2 * count)) / (1 + Z95**2 / count)
    half = Z95 / (1 + Z95**2 / count) * math.sqrt(share * (1 - share) / count + Z95**2 / (4 * count**2))
    return Interval(share, min(share, centre - half), max(share, centre + half), count)


def paired_difference(before: Sequence[float], after: Sequence[float]) -> Interval:
    """Mean of after - before over tasks, with the normal interval of the paired differences."""
    if len(before) != len(after) or len(before) < 2:
        raise ConfigError(f"paired scores need the same tasks, at least two, got {len(before)} and {len(after)}")
    difference = np.asarray(after, float) - np.asarray(before, float)
    half = Z95 * float(difference.std(ddof=1)) / math.sqrt(len(difference))
    mean = float(difference.mean())
    return Interval(mean, mean - half, mean + half, len(difference))


T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""97.5 % quantiles of Student's t with 1, 2, ... 10 degrees of freedom."""


def over_seeds(results: Sequence[float]) -> Interval:
    """Mean of one number a training run, with Student's interval over the runs.

    It is wider than an interval over all tasks of all runs, and says what another seed may bring.
    """
    count = len(results)
    if count < 2:
        raise ConfigError(f"an interval over seeds needs at least two of them, got {count}")
    mean = float(np.mean(results))
    half = _student(count - 1) * float(np.std(results, ddof=1)) / math.sqrt(count)
    return Interval(mean, mean - half, mean + half, count)


def _student(freedom: int) -> float:
    """The 97.5 % quantile; beyond the table by its expansion at the normal one (Abramowitz and Stegun, 26.7.5)."""
    if freedom <= len(T95):
        return T95[freedom - 1]
    z = Z95
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found: its episodes, in the order of the tasks."""

    episodes: Sequence[Episode]

    @property
    def valid(self) -> list[Episode]:
        """Without those that a world or an engine failure voided."""
        return [episode for episode in self.episodes if episode.rule.in_baseline]

    @property
    def successes(self) -> dict[str, bool]:
        """Success by task; void episodes are left out."""
        return {episode.task.key: episode.success for episode in self.valid}

    @property
    def success(self) -> Interval:
        """Share of successes."""
        return proportion([episode.success for episode in self.valid])

    @property
    def thoughts(self) -> Interval | None:
        """Share of right thoughts over all turns with a demonstrated one; `None` where no turn has one."""
        found = judged(self.valid)
        return proportion(found) if found else None

    @property
    def causes(self) -> dict[str, int]:
        """How many episodes ended for each cause."""
        return dict(Counter(str(episode.cause) for episode in self.episodes))

    def against(self, before: Evaluation) -> Interval:
        """Paired difference to an earlier evaluation of the same tasks."""
        old, new = before.successes, self.successes
        shared = sorted(old.keys() & new.keys())
        return paired_difference([old[key] for key in shared], [new[key] for key in shared])


def evaluate(
    runner: Runner,
    source: TaskSource,
    tasks: int,
    split: Split = "test",
    first_seed: int = 0,
    seed: int = 0,
    label: str = "",
    progress: Progress | None = None,
) -> list[Trajectory]:
    """Run one episode of each of `tasks` consecutive tasks of a split.

    Two evaluations with equal seeds draw with the same random numbers, which makes their paired difference sharper.

    Args:
        runner: of the agent.
        source: which environment.
        tasks: how many.
        split: `test` is held out from training.
        first_seed: of the tasks.
        seed: of the sampling.
        label: makes the episode ids differ from those of other evaluations of the run.
        progress: called with each finished trajectory.
    """
    if tasks < 1:
        raise ConfigError(f"tasks must be >= 1, got {tasks}")
    jobs = [Job(source.task(first_seed + index, split)) for index in range(tasks)]
    return runner.run(jobs, scope="eval", seed=seed, label=label, progress=progress)
