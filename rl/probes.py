"""Probes of the data path that run on real rows: does the picture matter, do sampler and learner agree?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from saccade.envs.wrappers import blanked
from saccade.rl.batch import Row
from saccade.rl.learner import Learner


def image_effect(learner: Learner, rows: Sequence[Row]) -> float:
    """Mean absolute change of an action token's log-probability when its pictures turn white and its sounds silent.

    Near zero means that the policy answers blindly, which no success rate shows: log it, always.
    """
    seen = [row for row in rows if row.sample.media]
    if not seen:
        return 0.0
    changes = [
        (before - after).abs()
        for before, after in zip(learner.logprobs(seen), learner.logprobs([blank(row) for row in seen]), strict=True)
    ]
    return float(np.mean([float(change.mean()) for change in changes]))


def mismatch(learner: Learner, rows: Sequence[Row]) -> float:
    """Largest difference between a stored log-probability and the learner's own, over all action tokens."""
    worst = 0.0
    for row, found in zip(rows, learner.logprobs(rows), strict=True):
        stored = row.sample.logprobs[row.sample.action_mask]
        worst = max(worst, float(np.abs(found.cpu().numpy() - stored).max()))
    return worst


def blank(row: Row) -> Row:
    """The row with white pictures and videos of the same sizes, and silence for sounds."""
    return replace(row, sample=replace(row.sample, media=tuple(map(blanked, row.sample.media))))
