"""Does GRPO improve `saccade-tiny` on tasks that it cannot do yet, and does it cost what it can?

    python benchmarks/tiny_rl.py                              # 5 seeds of each study, two runs at a time, resumable
    python benchmarks/tiny_rl.py --studies gui qa --seeds 0 1
    python benchmarks/tiny_rl.py --write docs/results.md      # ... and put tables and curves into the page

One environment of each family, and the three together. *Difference* is paired by task, with its interval over seeds;
*pooled* has it over the tasks of all seeds; *control* is the difference that imitating demonstrations for the same
seconds makes. Tasks that were not trained are measured before and after (greedy), to see what is lost. Exit status 1
unless every interval over seeds is above zero and no study lost .02 or more of what it did not train.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import tyro
from studies import Study, StudyArguments, run_studies

from saccade.rl.learner import LearnerConfig

GUI = "saccade/ClickWord-v0?level=3"
EMBODIED = "saccade/Navigate-v0?level=3"
QA = "saccade/Shapes-v0?level=5&question=count"
UNTRAINED = (
    "saccade/ClickTarget-v0?level=3",
    "saccade/Shapes-v0?level=3",
    "saccade/Digits-v0",
    "saccade/Reach-v0?level=2",
)
"""What the base can do already; no study trains on it."""
STUDIES = {
    "gui": Study((GUI,), 60, untrained=UNTRAINED),
    "embodied": Study((EMBODIED,), 40, untrained=UNTRAINED),
    "qa": Study((QA,), 80, concurrency=64, learner=LearnerConfig(learning_rate=1e-4), untrained=UNTRAINED),
    "all families": Study((GUI, EMBODIED, QA), 60, tasks_per_step=24, untrained=UNTRAINED),
}


@dataclass(frozen=True)
class Arguments(StudyArguments):
    """Which runs, and where."""

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Seeds of each."""
    out: str = "runs/tiny-rl"
    """Folder of the runs; one that was stopped goes on."""


if __name__ == "__main__":
    sys.exit(run_studies(STUDIES, tyro.cli(Arguments, description=__doc__), __file__, "tiny-rl"))
