"""Probes of an engine whose weights are not the learner's: a second model, in the embedded engine."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from saccade.agents.engines.vllm_core import EngineError
from saccade.agents.load import load_model
from saccade.rl.batch import Row
from saccade.rl.learner import Learner, LearnerConfig
from saccade.rl.probes import PROBED, asked, moved, serves

TOLERANCE = 1e-3


@pytest.fixture
def rows(trajectories):
    rng = np.random.default_rng(0)
    samples = [sample for each in trajectories for sample in each.samples]
    return [Row(sample, rng.normal(size=int(sample.action_mask.sum()))) for sample in samples]


@pytest.fixture
def other(agent, tiny_path):
    """Builds a learner with weights of its own."""

    def build(rate):
        backbone, _ = load_model(tiny_path)
        return Learner(backbone, agent.chat, LearnerConfig(learning_rate=rate, warmup=1, kl_coef=0.0), 10)

    return build


def test_fixed_prompts_and_seeds_are_answered_alike_by_equal_weights(agent, other, rows):
    learner, first = other(1e-2), asked(agent, rows)
    again = asked(agent, rows)
    assert [each.ids for each in first] == [each.ids for each in again] and len(first) == PROBED
    assert moved(learner, rows, first, again, TOLERANCE) < 1e-5
    assert serves(learner, rows, first, TOLERANCE) < 1e-5


@pytest.mark.parametrize("rate", [1e-2, 1e-4])
def test_an_engine_that_took_the_weights_has_moved_and_one_that_did_not_is_found_out(agent, other, rows, rate):
    learner, before = other(rate), asked(agent, rows)
    learner.step(rows)
    with pytest.raises(EngineError, match="it serves the old weights"):
        moved(learner, rows, before, asked(agent, rows), TOLERANCE)
    agent.engine.update(learner.weights(), 1)
    after = asked(agent, rows)
    assert serves(learner, rows, after, TOLERANCE) < 1e-5
    assert moved(learner, rows, before, after, TOLERANCE) > 1e-4
    assert {version for each in before for version in each.versions} == {0}
    assert {version for each in after for version in each.versions} == {1}


def test_a_step_within_the_tolerance_hides_old_weights_from_the_gap_alone(agent, other, rows):
    learner, before = other(1e-4), asked(agent, rows)
    learner.step(rows)
    stale = asked(agent, rows)
    wide = 10 * serves(learner, rows, stale, np.inf)
    assert serves(learner, rows, stale, wide) > 1e-5
    with pytest.raises(EngineError, match="it serves the old weights"):
        moved(learner, rows, before, stale, 0.9 * wide)


def test_no_reply_and_another_model_are_told(agent, other, rows):
    learner, replies = other(1e-2), asked(agent, rows)
    lost = [replace(each, ids=(), logprobs=(), versions=(), failure="it died") for each in replies]
    with pytest.raises(EngineError, match="answered nothing: it died"):
        serves(learner, rows, lost, TOLERANCE)
    assert moved(learner, rows, lost, replies, TOLERANCE) == 0
    with torch.no_grad():
        for weight in learner.backbone.model.parameters():
            weight.mul_(1.1)
    with pytest.raises(EngineError, match=r"at most 0\.001 is sound"):
        serves(learner, rows, replies, TOLERANCE)
