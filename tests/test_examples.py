"""A smoke run of the examples that are programs; the plug-ins among them are used by the tests of `rl` and `agents`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def run_demo(folder, engine):
    """A hundredth of the demo, to its table; the command that ran it."""
    command = [sys.executable, EXAMPLES / "demo.py", "--engine", engine]
    command += ["--out", "demo", "--scale", "0.01", "--eval-tasks", "8"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=400)
    assert done.returncode in (0, 1), done.stdout + done.stderr  # so short a training need not help
    assert "paired difference" in done.stdout and "saccade replay demo/gui/run" in done.stdout
    assert (done.returncode == 1) == ("not every trained policy is better" in done.stdout)
    for name in ("gui", "qa", "embodied"):
        result = json.loads((folder / "demo" / name / "result.json").read_text())
        assert len(result["before"]) == len(result["after"]) == len(result["blind"]) == 8
    return command


@pytest.mark.browser
def test_a_hundredth_of_the_demo_runs_to_its_table(tmp_path):
    command = run_demo(tmp_path, "transformers")
    program = "import sys; from saccade.rl.cli import main; sys.exit(main())"
    verify = [sys.executable, "-c", program, "replay", "demo/embodied/run", "--verify"]
    checked = subprocess.run(verify, cwd=tmp_path, capture_output=True, text=True, env=os.environ, timeout=200)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert again.returncode == 2 and "holds a demo already" in again.stderr


@pytest.mark.browser
@pytest.mark.vllm
def test_vllm_draws_the_replies_of_the_demo(tmp_path):
    run_demo(tmp_path, "vllm")


@pytest.mark.browser
@pytest.mark.parametrize("name", ["train_gui", "train_embodied", "train_qa", "train_mixture"])
def test_a_training_script_runs(tmp_path, name):
    command = [sys.executable, EXAMPLES / f"{name}.py", "--steps", "1", "--eval-tasks", "4", "--run", "run"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "paired difference" in done.stdout and (tmp_path / "run" / "model" / "config.json").exists()
    assert len((EXAMPLES / f"{name}.py").read_text().splitlines()) <= 80
