"""Probes of the data path that run on real rows: does the picture matter, do sampler and learner agree?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from saccade.agents.agent import Agent
from saccade.agents.engines.base import Completion, Prompt
from saccade.agents.engines.vllm_core import EngineError
from saccade.agents.modality import sampled
from saccade.agents.trajectory import Sample
from saccade.agents.worker import Worker
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


PROBED = 4
"""Prompts, and tokens of each, that one look at the engine takes."""


def asked(agent: Agent, rows: Sequence[Row]) -> list[Completion]:
    """What an engine now replies to a few fixed prompts: the last ones of `rows`, turns and pictures included.

    The seeds are fixed too, so that equal weights give equal replies, but for the last bits. The engine has served
    these prompts before: under other weights, a cache that was not emptied shows here.
    """
    params = replace(agent.params, max_tokens=PROBED)

    async def draw() -> list[Completion]:
        prompts = [_last_prompt(row)[0] for row in _probed(rows)]
        return await asyncio.gather(
            *(agent.engine.generate(prompt, params, seed, "") for seed, prompt in enumerate(prompts))
        )

    worker = Worker("saccade-probe")  # a loop of its own: the caller may be inside one
    drawn = worker.submit(lambda: asyncio.run(draw())).result()
    worker.stop()
    return drawn


def serves(learner: Learner, rows: Sequence[Row], replies: Sequence[Completion], tolerance: float) -> float:
    """Whether an engine with weights of its own serves the learner's: the largest gap on `asked` replies.

    Raises:
        EngineError: the gap is above `tolerance`, or no reply came.
    """
    gap = _gap(learner, rows, replies)
    if gap is None:
        raise EngineError(f"after an update the engine answered nothing: {replies[0].failure}")
    if gap > tolerance:
        raise EngineError(
            f"after an update the engine's log-probabilities differ by {gap:.1e} from the learner's, at most "
            f"{tolerance:g} is sound: it serves other weights, or a cache of the old ones"
        )
    return gap


def moved(
    learner: Learner, rows: Sequence[Row], before: Sequence[Completion], after: Sequence[Completion], tolerance: float
) -> float:
    """Whether an update reached an engine: the largest change of a log-probability between two `asked` replies.

    This sees weights that stayed old where they differ from the learner's by less than `tolerance`, too.

    Raises:
        EngineError: nothing moved, although the learner has, by more than a tenth of `tolerance`.
    """
    change, same = 0.0, True
    for old, new in zip(before, after, strict=True):
        for token, other, was, now in zip(old.ids, new.ids, old.logprobs, new.logprobs, strict=False):
            change = max(change, abs(now - was))
            if token != other:  # one seed drew another token: what follows is another reply
                same = False
                break
    wanted = _gap(learner, rows, before) or 0.0
    if same and wanted > tolerance / 10 and change < wanted / 10:
        raise EngineError(
            f"an update moved the learner's log-probabilities of fixed prompts by {wanted:.1e}, and the engine's by "
            f"{change:.1e}: it serves the old weights"
        )
    return change


def _probed(rows: Sequence[Row]) -> Sequence[Row]:
    return rows[:: max(len(rows) // PROBED, 1)][:PROBED]


def _gap(learner: Learner, rows: Sequence[Row], replies: Sequence[Completion]) -> float | None:
    """Largest difference between the replies' log-probabilities and the learner's; `None` without replies."""
    fresh = [_answered(row, reply) for row, reply in zip(_probed(rows), replies, strict=True) if reply.ids]
    return mismatch(learner, fresh) if fresh else None


def _last_prompt(row: Row) -> tuple[Prompt, int]:
    """What the engine read before the last turn of a row, and where that turn begins."""
    sample = row.sample
    start = int(np.argmax(sample.turns == sample.turns.max()))
    seen = [medium for medium, (_, stop) in zip(sample.media, sample.media_spans, strict=True) if stop <= start]
    return Prompt(tuple(sample.ids[:start].tolist()), tuple(map(sampled, seen))), start


def _answered(row: Row, reply: Completion) -> Row:
    """The row with another last turn."""
    old, count = row.sample, len(reply.ids)
    _, start = _last_prompt(row)
    seen = sum(stop <= start for _, stop in old.media_spans)
    sample = Sample(
        np.concatenate([old.ids[:start], np.array(reply.ids, np.int64)]),
        np.concatenate([np.full(start, -1, np.int32), np.zeros(count, np.int32)]),
        np.concatenate([np.zeros(start, np.float32), np.array(reply.logprobs, np.float32)]),
        np.concatenate([np.full(start, -1, np.int32), np.array(reply.versions, np.int32)]),
        old.media[:seen],
        old.media_spans[:seen],
    )
    return Row(sample, np.zeros(count))


def blank(row: Row) -> Row:
    """The row with white pictures and videos of the same sizes, and silence for sounds."""
    return replace(row, sample=replace(row.sample, media=tuple(map(blanked, row.sample.media))))
