import json

import pytest
import torch
from safetensors import SafetensorError

from saccade.envs.errors import ConfigError, StoreError
from saccade.rl.batch import Row
from saccade.rl.checkpoint import CheckpointFolder


@pytest.fixture
def trained(learner, turns):
    subject = learner(kl_coef=0)
    rows = [Row(s, s.logprobs[s.action_mask].astype(float) + 1) for each in turns for s in each.samples]
    subject.step(rows)
    return subject, rows


def test_weights_moments_and_counters_come_back_exactly(trained, learner, tmp_path):
    subject, rows = trained
    CheckpointFolder(tmp_path, "r").save(subject, 1, {})
    subject.step(rows)
    expected = {name: p.detach().clone() for name, p in subject.parameters.items()}
    other = learner(kl_coef=0)
    found = CheckpointFolder(tmp_path, "r").latest()
    found.restore(other)
    assert found.update == 1 and other.steps == 1
    other.step(rows)
    assert all(torch.equal(expected[name], p) for name, p in other.parameters.items())


def test_a_damaged_checkpoint_is_passed_over(trained, tmp_path, caplog):
    folder = CheckpointFolder(tmp_path, "r", keep=3)
    for update in (1, 2, 3):
        folder.save(trained[0], update, {})
    weights = tmp_path / "step-00003" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    (tmp_path / "step-00002" / "manifest.json").write_text("{")
    assert folder.latest().update == 1
    assert "damaged" in caplog.text


def test_all_damaged_is_an_error_not_a_new_start(trained, tmp_path):
    folder = CheckpointFolder(tmp_path, "r")
    path = folder.save(trained[0], 1, {})
    (path / "manifest.json").write_text("{}")
    with pytest.raises(StoreError, match="all checkpoints"):
        folder.latest()


def test_order_is_by_number(trained, tmp_path):
    folder = CheckpointFolder(tmp_path, "r")
    for update in (99_999, 100_000):
        folder.save(trained[0], update, {})
    assert folder.latest().update == 100_000


def test_only_the_newest_are_kept(trained, tmp_path):
    folder = CheckpointFolder(tmp_path, "r", keep=2)
    for update in range(1, 5):
        folder.save(trained[0], update, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00003", "step-00004"]


def test_another_runs_checkpoint_is_refused(trained, tmp_path):
    CheckpointFolder(tmp_path, "one").save(trained[0], 1, {})
    with pytest.raises(ConfigError, match="belongs to run 'one'"):
        CheckpointFolder(tmp_path, "two").latest()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SafetensorError("No space left on device")])
def test_a_full_disk_loses_nothing(trained, tmp_path, monkeypatch, error):
    folder = CheckpointFolder(tmp_path, "r")
    folder.save(trained[0], 1, {})

    def full(*_, **__):
        raise error

    monkeypatch.setattr("saccade.rl.checkpoint.save_file", full)
    with pytest.raises(StoreError, match="earlier checkpoints are whole"):
        folder.save(trained[0], 2, {})
    assert folder.latest().update == 1
    assert [path.name for path in tmp_path.iterdir()] == ["step-00001"]


def test_nothing_is_pickled(trained, tmp_path):
    path = CheckpointFolder(tmp_path, "r").save(trained[0], 1, {"seed": 0})
    assert {file.suffix for file in path.iterdir()} == {".safetensors", ".json"}
    assert json.loads((path / "manifest.json").read_text())["config"] == {"seed": 0}


def test_an_empty_folder_has_none(tmp_path):
    assert CheckpointFolder(tmp_path / "none", "r").latest() is None
