"""Do PPO and GRPO both learn a task of many turns, from one start and with one budget?

    python benchmarks/ppo_grpo.py                              # 5 seeds of each, two runs at a time, resumable
    python benchmarks/ppo_grpo.py --write docs/results.md      # ... and put table and curves into the page
    python benchmarks/ppo_grpo.py --pilot                      # 3 small updates of each, to see that it runs

Both begin with `saccade-tiny` and get the same updates of the same episodes of Navigate (up to 10 turns, one reward at
the end), the same learning rate, anchor and clip. GRPO takes the group of a task as its baseline; PPO takes a critic,
a model of its own, and generalised advantages over tokens. Lambda is 1: with one reward after some 200 tokens anything
less trusts the critic alone for the first turns. Both take one optimiser step an update. Time is not the same: the
critic costs PPO a second model; *minutes* says how much. The columns are those of tiny_rl.py. Exit status 1 unless the
interval of both gains is above zero.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

import tyro
from studies import Study, StudyArguments, run_studies

from saccade.rl.critic import CriticConfig
from saccade.rl.learner import LearnerConfig

ENV = "saccade/Navigate-v0?level=3"
LEARNER = LearnerConfig(learning_rate=2e-4)
CRITIC = CriticConfig("separate", learning_rate=3e-4)
STUDIES = {
    "GRPO": Study((ENV,), 40, advantage="grpo", learner=LEARNER),
    "PPO": Study((ENV,), 40, advantage="gae", learner=replace(LEARNER, critic=CRITIC)),
}
PILOT = {
    f"{name}, pilot": replace(study, updates=3, tasks_per_step=2, concurrency=4, eval_tasks=4)
    for name, study in STUDIES.items()
}


@dataclass(frozen=True)
class Arguments(StudyArguments):
    """Which runs, and where."""

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Seeds of each."""
    out: str = "runs/ppo-grpo"
    """Folder of the runs; one that was stopped goes on."""
    pilot: bool = False
    """Three small updates of each."""


if __name__ == "__main__":
    given = tyro.cli(Arguments, description=__doc__)
    chosen = PILOT if given.pilot else STUDIES
    # A single run is asked for by its name alone.
    sys.exit(run_studies(STUDIES | PILOT if given.run else chosen, given, __file__, "ppo-grpo"))
