"""The scripts that measure the learner run; what they measure is seen when they are run in full."""

import argparse
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """Imports a script by name."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if (BENCHMARKS / f"{name}.py").exists():
            del sys.modules[name]


def test_the_gpu_script_runs_without_what_a_gpu_machine_lacks():
    """Gymnasium, tyro, rich and tensorboard are not there, and every bound holds."""
    hidden = ("gymnasium", "tyro", "rich", "tensorboard", "playwright", "mujoco")
    code = (
        f"import runpy, sys; sys.modules.update(dict.fromkeys({hidden})); sys.argv = ['gpu.py', '--small']; "
        f"sys.path.insert(0, {str(BENCHMARKS)!r}); runpy.run_path({str(BENCHMARKS / 'gpu.py')!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| bfloat16: each row alone |" in done.stdout and "tokens/s" in done.stdout


def test_episodes_have_the_lengths_that_were_asked_for(script, tmp_path):
    import numpy as np

    fixed = script("fixed_turns")
    trainer = fixed.fixed_trainer(tmp_path, turns=3, tokens=5, tasks=2, group=4)
    done = trainer.runner.run(trainer.jobs(0))
    metrics = trainer.update(1)
    fixed.close(trainer)
    assert [each.tokens_per_turn().tolist() for each in done] == [[5, 5, 5]] * 8
    assert metrics["rows"] == 8 and metrics["learner/gradient_norm"] > 0
    # A group shares its first picture only.
    first, second = done[0].samples[0].media, done[1].samples[0].media
    assert np.array_equal(first[0].pixels, second[0].pixels)
    assert not np.array_equal(first[1].pixels, second[1].pixels)


def test_a_rollout_is_measured_beside_the_bare_engine(script, tmp_path, capsys, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text("<!-- rollout-transformers -->\n<!-- end of rollout-transformers -->\n")
    monkeypatch.setattr(sys, "argv", ["rollout.py"])
    given = {"engine": "transformers", "episodes": [6], "turns": 3, "latency": 0.01, "batch": 4, "repeats": 1}
    script("rollout").main(argparse.Namespace(write=str(page), **given))
    (row,) = [line for line in page.read_text().splitlines() if line.startswith("| 6 |")]
    rollout, bare, speed, _, ideal, _ = (re.match(r"[\d.]+", cell.strip()) for cell in row.split("|")[2:-1])
    assert float(bare[0]) / float(rollout[0]) == pytest.approx(float(speed[0]) / 100, abs=0.1)
    assert float(ideal[0]) >= 0.9


def test_a_slow_world_waits_as_its_seed_says(script):
    fixed = script("fixed_turns")
    one, other = (fixed.SlowTurns(turns=4, latency=0.0) for _ in range(2))
    for seed in range(8):
        one.reset(seed=seed)
        other.reset(seed=seed)
        assert 1 <= one.left <= 4 and one.draws == other.draws and len(one.draws) == one.left + 1


def test_a_phase_inside_another_takes_its_time_away(script, monkeypatch):
    """By hand: of ten seconds four are the inner phase's."""
    profile = script("learner_profile")
    ticks = iter([0.0, 3.0, 7.0, 10.0])
    monkeypatch.setattr(profile.time, "thread_time", lambda: next(ticks))
    watch = profile.Stopwatch()
    with watch.phase("outer"), watch.phase("inner"):
        pass
    assert dict(watch.seconds) == {"outer": 6.0, "inner": 4.0}


def test_pairs_of_repetitions_make_a_row(script):
    """By hand: 64 replies in 2 s and in 6 s, of processor time."""
    learner = script("learner")
    case = learner.Case(turns=4, tasks=2)
    ours, theirs = learner.Step(2.5, 2.0, 300, 96), learner.Step(5.0, 6.0, 297, 96)
    _, rate, other, ratio, spread, wall, lengths = learner.row(case, [ours], [theirs])
    assert (rate, other, ratio, spread, wall) == ("32.0", "10.7", "3.00", "3.00, 3.00", "2.00")
    assert lengths == "300, 96; TRL 297, 96"


def test_ppo_and_grpo_differ_in_the_baseline_alone(script):
    from dataclasses import replace

    studies = script("ppo_grpo").STUDIES
    ppo, grpo = studies["PPO"], studies["GRPO"]
    assert replace(ppo, advantage=grpo.advantage, learner=grpo.learner) == grpo
    assert replace(ppo.learner, critic=grpo.learner.critic) == grpo.learner
    assert (grpo.advantage, ppo.advantage, ppo.learner.critic.kind) == ("grpo", "gae", "separate")


@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_with_the_same_bits(tmp_path):
    command = [sys.executable, BENCHMARKS / "learner_kills.py", "--out", tmp_path, "--updates", "12", "--kills", "4"]
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| equal bit for bit | equal bit for bit |" in done.stdout
