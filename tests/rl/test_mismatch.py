import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saccade.envs.errors import ConfigError
from saccade.rl.mismatch import CorrectionConfig, importance

SAMPLED = np.log(np.array([0.2, 0.2, 0.2], np.float32))
OLD = np.log(np.array([0.8, 0.1, 0.2], np.float32))  # ratios 4, .5 and 1; their product 2, their mean 2 ** (1 / 3)


def weights(kind, level, low=0.0, high=2.5):
    return importance(OLD, SAMPLED, CorrectionConfig(kind, level, low, high)).tolist()


def test_by_token_by_hand():
    assert weights("truncate", "token") == pytest.approx([2.5, 0.5, 1.0])
    assert weights("mask", "token") == pytest.approx([0.0, 0.5, 1.0])
    assert weights("mask", "token", low=0.6, high=5.0) == pytest.approx([4.0, 0.0, 1.0])


def test_by_sequence_by_hand():
    assert weights("truncate", "sequence") == pytest.approx([2.0] * 3, rel=1e-5)
    assert weights("truncate", "sequence", high=1.5) == [1.5] * 3
    assert weights("mask", "sequence", high=1.5) == [0.0] * 3
    assert weights("truncate", "geometric") == pytest.approx([2 ** (1 / 3)] * 3, rel=1e-5)
    assert weights("mask", "geometric", high=1.2) == [0.0] * 3


@pytest.mark.parametrize("kind", ["truncate", "mask"])
@given(st.lists(st.floats(-60, 0), min_size=1, max_size=6), st.lists(st.floats(-60, 0), min_size=6, max_size=6))
def test_weights_are_bounded_and_finite(kind, old, sampled):
    for level in ("token", "sequence", "geometric"):
        one, other = np.array(old, np.float32), np.array(sampled[: len(old)], np.float32)
        found = importance(one, other, CorrectionConfig(kind, level))
        assert all(0 <= weight <= 2 and math.isfinite(weight) for weight in found)


@pytest.mark.parametrize("level", ["token", "sequence", "geometric"])
def test_where_sampler_and_learner_agree_nothing_changes(level):
    for kind in ("truncate", "mask"):
        assert importance(OLD, OLD, CorrectionConfig(kind, level)).tolist() == [1.0] * 3


def test_bad_settings_are_refused():
    for bad, message in (
        ({"kind": "trunc"}, "did you mean 'truncate'"),
        ({"level": "tokens"}, "did you mean 'token'"),
        ({"high": 0.5}, "low < 1 <= high"),
    ):
        with pytest.raises(ConfigError, match=message):
            CorrectionConfig(**bad)
