"""The measuring script of questions, in small: no reply raises or takes too long."""

import importlib
import sys
from pathlib import Path

import pytest

from saccade.envs.qa.verify import VERIFIERS


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "benchmarks"))
    yield importlib.import_module("qa")
    for name in ("qa", "page"):
        sys.modules.pop(name, None)


def test_replies_of_many_shapes_raise_nothing(script):
    table = script.fuzz(8_000, 0)
    assert [row[0] for row in table] == list(VERIFIERS) == list(script.GOLDS)
    assert all(judged == 500 for _, judged, *_ in table) and sum(scored > 0 for _, _, scored, *_ in table) > 10


def test_simple_answers_are_right(script):
    assert [row[0] for row in script.speed(10)] == list(VERIFIERS)


@pytest.mark.slow
def test_the_loader_is_measured(script, tmp_path):
    pytest.importorskip("pyarrow")
    assert len(script.loader(tmp_path)) == 4
