"""Does GRPO improve a tiny model on worlds that it has never seen, once a short warm start let it begin?

    python benchmarks/new_worlds.py                           # 3 seeds, two runs at a time, resumable
    python benchmarks/new_worlds.py --studies pages
    python benchmarks/new_worlds.py --write docs/results.md   # ... and put the table and curves into the page

Pages: six words that look alike, a form of two pages, and coloured boxes of MiniWoB++, all three at once, in Chromium.
Arm: pick the thing that is named and place it on a plate. Questions: three families of generated questions at once.
Digits: handwritten ones, by a policy grown from nothing, since `saccade-tiny` reads nine of ten already. The warm start
on demonstrations is what the trained policy is compared with; the columns are those of `tiny_rl.py`. Exit status 1
unless the gain on every environment, and on all of a study together, is above zero, over seeds.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import tyro
from studies import Study, StudyArguments, run_studies

from saccade.rl.learner import LearnerConfig
from saccade.rl.sft import SFTConfig

WARM = SFTConfig(steps=400, learning_rate=1e-3, batch=24, pool=512, target=0.4, check_every=20)
STUDIES = {
    "pages": Study(
        ("saccade/ClickWord-v0?level=3", "saccade/TwoPageForm-v0", "saccade/MiniWoB-click-color-v0"),
        60,
        tasks_per_step=24,
        warm=SFTConfig(steps=120, learning_rate=1e-3, batch=24, pool=256, target=0.3, check_every=20),
    ),
    "arm": Study(("saccade/PlaceOn-v0?level=1&size=64",), 60, warm=WARM),
    "questions": Study(
        ("saccade/PieCharts-v0", "saccade/Superlatives-v0", "saccade/Counting-v0"),
        60,
        tasks_per_step=24,
        concurrency=64,
        learner=LearnerConfig(learning_rate=1e-4),
        warm=WARM,
    ),
    "digits": Study(("saccade/Digits-v0",), 100, concurrency=64, model="", learner=LearnerConfig(), warm=SFTConfig()),
}


@dataclass(frozen=True)
class Arguments(StudyArguments):
    """Which runs, and where."""

    out: str = "runs/new-worlds"
    """Folder of the runs; one that was stopped goes on."""


if __name__ == "__main__":
    sys.exit(run_studies(STUDIES, tyro.cli(Arguments, description=__doc__), __file__, "new-worlds"))
