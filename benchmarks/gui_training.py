"""Does GRPO improve a tiny model on pages of several kinds at once, one of them of several turns?

    python benchmarks/gui_training.py                           # 3 seeds, two runs at a time, resumable
    python benchmarks/gui_training.py --write docs/results.md   # ... and put the table and curves into the page

Three tasks in real Chromium: six words that look alike, a form of two pages, and coloured boxes of MiniWoB++, which
`saccade-tiny` has never seen; so a short warm start on demonstrations of all three comes first, and it is what the
trained policy is compared with. The columns are those of `tiny_rl.py`. Exit status 1 unless the gain on every task and
on all together is above zero, over seeds.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import tyro
from studies import Study, StudyArguments, run_studies

from saccade.rl.sft import SFTConfig

STUDIES = {
    "three pages": Study(
        ("saccade/ClickWord-v0?level=3", "saccade/TwoPageForm-v0", "saccade/MiniWoB-click-color-v0"),
        60,
        tasks_per_step=24,
        warm=SFTConfig(steps=120, learning_rate=1e-3, batch=24, pool=256, target=0.3, check_every=20),
    )
}


@dataclass(frozen=True)
class Arguments(StudyArguments):
    """Which runs, and where."""

    out: str = "runs/gui-training"
    """Folder of the runs; what is there is not run again."""


if __name__ == "__main__":
    sys.exit(run_studies(STUDIES, tyro.cli(Arguments, description=__doc__), __file__, "gui-training"))
