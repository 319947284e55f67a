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


def serves(agent: Agent, learner: Learner, rows: Sequence[Row], tolerance: float) -> float:
    """Whether an engine with weights of its own serves the learner's: the largest gap on fresh replies.

    The replies answer the last prompts of `rows`, turns and pictures included, which the engine has served under older
    weights: a cache that was not emptied shows here too.

    Raises:
        EngineError: the gap is above `tolerance`, or no reply came.
    """
    prompts = [_last_prompt(row) for row in rows[:: max(len(rows) // PROBED, 1)][:PROBED]]
    params = replace(agent.params, max_tokens=PROBED)

    async def draw() -> list[Completion]:
        asked = [agent.engine.generate(sampler, params, seed, "") for seed, (sampler, _, _) in enumerate(prompts)]
        return await asyncio.gather(*asked)

    worker = Worker("saccade-probe")  # a loop of its own: the caller may be inside one
    drawn = worker.submit(lambda: asyncio.run(draw())).result()
    worker.stop()
    fresh = [_answered(row, start, reply) for (_, start, row), reply in zip(prompts, drawn, strict=True) if reply.ids]
    if not fresh:
        raise EngineError(f"after an update the engine answered nothing: {drawn[0].failure}")
    gap = mismatch(learner, fresh)
    if gap > tolerance:
        raise EngineError(
            f"after an update the engine's log-probabilities differ by {gap:.1e} from the learner's, at most "
            f"{tolerance:g} is sound: it serves other weights, or a cache of the old ones"
        )
    return gap


def _last_prompt(row: Row) -> tuple[Prompt, int, Row]:
    """What the engine read before the last turn of a row, and where that turn begins."""
    sample = row.sample
    start = int(np.argmax(sample.turns == sample.turns.max()))
    seen = [medium for medium, (_, stop) in zip(sample.media, sample.media_spans, strict=True) if stop <= start]
    return Prompt(tuple(sample.ids[:start].tolist()), tuple(map(sampled, seen))), start, row


def _answered(row: Row, start: int, reply: Completion) -> Row:
    """The row with another last turn."""
    old, count = row.sample, len(reply.ids)
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
