"""Held-out evaluation: the same tasks before and after, with 95 % intervals.

A claim of learning is a paired difference: each task's success after minus before, so that easy and hard tasks cancel.
Where each task is tried several times, tasks are still what an interval rests on: the tries of one task are alike.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.agents.runner import Job, Runner
from saccade.agents.thoughts import judged
from saccade.agents.trajectory import Trajectory
from saccade.agents.usage import Usage
from saccade.envs.episode import Episode
from saccade.envs.errors import ConfigError
from saccade.envs.task import Split, TaskSource

Z95 = 1.959963984540054
SCOPE = "eval"
"""Scope of the random numbers of every evaluation: equal seeds draw alike, which makes paired differences sharper."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval, and how many tasks it rests on."""

    mean: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values: `mean`, `low`, `high` to six digits, and `n`."""
        rounded = {name: round(getattr(self, name), 6) for name in ("mean", "low", "high")}
        return rounded | {"n": self.count}


def proportion(successes: Sequence[bool] | NDArray[np.bool_]) -> Interval:
    """Share of successes with Wilson's score interval (honest at 0 and 1, unlike the normal one)."""
    count = len(successes)
    if count == 0:
        raise ConfigError("an evaluation needs at least one task that was not lost to infrastructure")
    share = float(np.mean(successes))
    return Interval(share, *_wilson(share, count), count)


def mean_of_shares(shares: Sequence[float], tries: int) -> Interval:
    """Mean over tasks of numbers in [0, 1] that each rest on several tries, with an interval that counts tasks.

    Wilson's interval, of the number of independent tries that would vary as much as the tasks' shares do
    (Korn and Graubard 1998): all `tries` where tasks are alike, as many as there are tasks where each is always or
    never solved. With one try a task it is `proportion`.

    Args:
        shares: of each task.
        tries: of all tasks together.
    """
    count = len(shares)
    if count == 0:
        raise ConfigError("an evaluation needs at least one task that was not lost to infrastructure")
    mean, spread = float(np.mean(shares)), float(np.var(shares))
    if mean in (0.0, 1.0):
        independent: float = count
    else:
        independent = count * mean * (1 - mean) / spread if spread > 0 else tries
    return Interval(mean, *_wilson(mean, min(max(independent, count), tries)), count)


def _wilson(share: float, count: float) -> tuple[float, float]:
    centre = (share + Z95**2 / (2 * count)) / (1 + Z95**2 / count)
    half = Z95 / (1 + Z95**2 / count) * math.sqrt(share * (1 - share) / count + Z95**2 / (4 * count**2))
    return min(share, centre - half), max(share, centre + half)


def pass_at_k(tries: int, successes: int, k: int) -> float:
    """Probability that one of k tries succeeds, estimated without bias from at least as many tries.

    Source: Chen et al. 2021 (arXiv 2107.03374), equation 1: 1 - C(n - c, k) / C(n, k).
    """
    if not 1 <= k <= tries or not 0 <= successes <= tries:
        raise ConfigError(f"pass@k needs 1 <= k <= tries and successes <= tries, got k={k}, {successes} of {tries}")
    return 1.0 - math.comb(tries - successes, k) / math.comb(tries, k)


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
    """What an evaluation found.

    Attributes:
        episodes: in the order of the tasks; those of one task are its tries.
        usage: tokens of all of them, void ones included.
    """

    episodes: Sequence[Episode]
    usage: Usage = field(default_factory=Usage)

    @property
    def valid(self) -> list[Episode]:
        """Without those that a world or an engine failure voided."""
        return [episode for episode in self.episodes if episode.rule.in_baseline]

    @property
    def tries(self) -> dict[str, list[bool]]:
        """Whether each try succeeded, by task; void episodes are left out."""
        tries: dict[str, list[bool]] = {}
        for episode in self.valid:
            tries.setdefault(episode.task.key, []).append(episode.success)
        return tries

    @property
    def successes(self) -> dict[str, float]:
        """Share of successes by task; void episodes are left out."""
        return {task: sum(found) / len(found) for task, found in self.tries.items()}

    @property
    def success(self) -> Interval:
        """Share of successes, each task counting once."""
        valid, shares = self.valid, self.successes
        if len(valid) == len(shares):
            return proportion([episode.success for episode in valid])
        return mean_of_shares(list(shares.values()), len(valid))

    def pass_at(self, k: int) -> Interval | None:
        """Probability that one of k tries succeeds, over the tasks with as many valid tries; `None` without any."""
        tried = [found for found in self.tries.values() if len(found) >= k]
        if not tried:
            return None
        return mean_of_shares([pass_at_k(len(found), sum(found), k) for found in tried], sum(map(len, tried)))

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
    """
    jobs = evaluation_jobs(source, tasks, split, first_seed)
    return runner.run(jobs, scope=SCOPE, seed=seed, label=label)


def evaluation_jobs(
    source: TaskSource, tasks: int, split: Split = "test", first_seed: int = 0, samples: int = 1
) -> list[Job]:
    """The episodes of consecutive tasks of a split, `samples` of each; to be run with scope `SCOPE`."""
    if tasks < 1:
        raise ConfigError(f"tasks must be >= 1, got {tasks}")
    if samples < 1:
        raise ConfigError(f"samples must be >= 1, got {samples}")
    return [Job(source.task(first_seed + n, split), sample) for n in range(tasks) for sample in range(samples)]
