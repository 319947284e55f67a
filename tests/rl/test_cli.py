import io
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from saccade.rl.cli import COMMANDS, main

ROOT = Path(__file__).parents[2]


def run(capsys, *arguments):
    try:
        status = main(list(arguments))
    except SystemExit as stop:
        status = stop.code
    out = capsys.readouterr()
    return status, " ".join((out.out + out.err).split())


def test_help_names_every_command(capsys):
    status, text = run(capsys)
    assert status == 0
    for name in ("envs", "tiny", "train", "eval", "card", "play", "replay", "doctor"):
        assert f"saccade {name}" in text


@pytest.mark.parametrize("command", ["envs", "tiny", "train", "eval", "card", "play", "replay", "doctor"])
def test_every_command_explains_itself(capsys, command):
    status, text = run(capsys, command, "--help")
    assert status == 0 and "usage: saccade " + command in text


def test_environments_are_listed_and_shown(capsys):
    assert "saccade/Shapes-v0" in run(capsys, "envs")[1]
    status, text = run(capsys, "envs", "saccade/Shapes-v0?level=2")
    assert status == 0 and "demonstration" in text and "question, level" in text


def test_environments_are_found_by_a_word(capsys):
    status, text = run(capsys, "envs", "needle")
    assert status == 2 and "'needle'" in text
    status, text = run(capsys, "envs", "clock")
    assert status == 0 and "saccade/Clocks-v0" in text and "saccade/Shapes-v0" not in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "did you mean 'train'"),
        (["[/x]"], "unknown command '[/x]'"),
        (["envs", "saccade/Shape-v0"], "did you mean 'saccade/Shapes-v0'"),
        (["envs", "saccade/Shapes-v0?levl=2"], "did you mean 'level'"),
        (["train", "--model", "./none", "--envs", "saccade/Digits-v0", "--run", "RUN"], "config.json"),
        (["train", "--model", "x", "--envs", "saccade/Digits-v0", "--group-size", "1"], "group_size must be >= 2"),
        (["train", "--model", "x", "--envs", "saccade/Digits-v0", "--group-siz", "4"], "--group-size"),
        (["train", "--model", "x", "--envs", "saccade/Digits-v0", "--engine", "api"], "engine 'api' is for evaluation"),
        (["eval", "--envs", "saccade/Digits-v0"], "--model is needed"),
        (["eval", "--envs", "saccade/Digits-v0", "--view", "no_goal"], "did you mean 'no-goal'"),
        (["eval", "--envs", "saccade/Digits-v0", "--view", "no-goal", "--blind"], "--blind is --view blank"),
        (["eval", "--envs", "saccade/Digits-v0", "--greedy", "--temperature", "0.5"], "--greedy is --temperature 0"),
        (["card", "m", "--envs", "saccade/Digit-v0"], "did you mean 'saccade/Digits-v0'"),
        (["card", "m", "--envs", "saccade/Digits-v0", "--tasks", "0"], "tasks must be >= 1"),
        (["card", "./none", "--envs", "saccade/Digits-v0"], "config.json"),
        (["envs", "no_such_module:X-v0"], "is its folder on PYTHONPATH?"),
        (["train", "--model", "m", "--envs", "x-v0", "--rewards", "tsk=1"], "did you mean 'task'"),
        (["train", "--model", "m", "--envs", "x-v0", "--rewards", "task"], "'task'"),
        (["eval", "--envs", "saccade/Digits-v0", "--policy", "random", "--split", "tets"], "--split"),
        (["replay", "./nothing"], "replay store"),
        (["replay", "./nothing", "--last", "0"], "--last must be >= 1"),
        (["play", "saccade/Shape-v0", "--out", "RUN"], "did you mean 'saccade/Shapes-v0'"),
        (["play", "saccade/Shapes-v0", "--out", "RUN", "--episodes", "0"], "episodes must be >= 1"),
        (["play", "saccade/Shapes-v0", "--out", "RUN", "--split", "tets"], "--split"),
    ],
)
def test_a_mistake_is_one_clear_line(capsys, tmp_path, arguments, message):
    status, text = run(capsys, *(str(tmp_path / "run") if a == "RUN" else a for a in arguments))
    assert status == 2
    assert message in text
    assert "Traceback" not in text


@pytest.mark.parametrize("how", [["--model", "MODEL"], ["--model=MODEL"]])
def test_training_reads_as_the_model_was_taught(taught_path, how):
    from saccade.rl.cli import parse

    command = parse(["train", *(word.replace("MODEL", str(taught_path)) for word in how), "--envs", "x-v0"])
    assert command.agent.coordinates == "location-tokens"


def test_rewards_are_weighed_by_flag():
    from saccade.rl.cli import parse

    command = parse(["train", "--model", "m", "--envs", "x-v0", "--rewards", "task=1,format=0.1"])
    assert command.rewards == {"task": 1.0, "format": 0.1}


def test_chance_is_evaluated_without_a_model_and_replayed(capsys, tmp_path):
    store = str(tmp_path / "store")
    arguments = ["--envs", "saccade/Digits-v0", "--policy", "random", "--tasks", "8", "--store", store]
    assert run(capsys, "eval", *arguments)[0] == 0
    status, text = run(capsys, "replay", store, "--verify")
    assert status == 0 and "8 episodes" in text
    status, text = run(capsys, "replay", store, "--out", str(tmp_path / "page.html"), "--no-open")
    assert status == 0 and (tmp_path / "page.html").stat().st_size > 10_000


def test_an_evaluation_without_pictures_is_verified_without_them(capsys, tmp_path):
    store = str(tmp_path / "store")
    arguments = ["--envs", "saccade/Digits-v0", "--policy", "random", "--tasks", "2", "--blind", "--store", store]
    assert run(capsys, "eval", *arguments)[0] == 0
    status, text = run(capsys, "replay", store, "--verify")
    assert status == 0 and "identical: 2 episodes" in text


def test_a_person_plays_in_the_terminal(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.stdin", io.StringIO(":demo\n:do\n:new\n"))
    out = tmp_path / "mine"
    status, text = run(capsys, "play", "saccade/Shapes-v0?level=2", "--seed", "7", "--terminal", "--out", str(out))
    assert status == 0 and "Answer the question" in text and "success (goal)" in text and "task 8 of train" in text
    assert f"replay: saccade replay {out}" in text and (out / "now.png").exists()
    monkeypatch.setattr("sys.stdin", io.StringIO("nonsense\n"))
    again = ["play", "saccade/Digits-v0", "--terminal", "--episodes", "1", "--out", str(out), "--split", "test"]
    assert run(capsys, *again)[0] == 0
    status, text = run(capsys, "replay", str(out), "--verify")
    assert status == 0 and "2 episodes" in text


def test_the_window_of_a_person_who_plays_ends_with_ctrl_c(capsys, monkeypatch, tmp_path):
    from saccade.envs.play_window import Window

    def interrupt(window):
        raise KeyboardInterrupt

    monkeypatch.setattr(Window, "serve", interrupt)
    status, text = run(capsys, "play", "saccade/Digits-v0", "--port", "0", "--out", str(tmp_path / "mine"))
    assert status == 0 and "http://127.0.0.1:" in text and "replay:" not in text


def test_the_whole_way_by_command_line(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    grow = ["--sft.steps", "20", "--sft.pool", "64", "--sft.batch", "16", "--sft.check-every", "10", "--out", "runs/m"]
    assert run(capsys, "tiny", "--envs", "saccade/Digits-v0", *grow)[0] == 0
    train = ["--model", "runs/m", "--envs", "saccade/Digits-v0", "--steps", "2", "--tasks-per-step", "2"]
    train += ["--group-size", "2", "--eval-tasks", "4", "--run", "runs/r", "--agent.temperature", "1.1"]
    status, text = run(capsys, "train", *train)
    assert status == 0 and "Held-out success" in text
    status, text = run(capsys, "train", *train)
    assert status == 2 and "--resume" in text
    assert run(capsys, "train", *train, "--resume")[0] == 0
    assert (
        run(capsys, "eval", "--model", "runs/r/model", "--envs", "saccade/Digits-v0", "--tasks", "4", "--blind")[0] == 0
    )
    assert run(capsys, "replay", "runs/r", "--verify")[0] == 0


def test_a_model_is_evaluated_greedy_and_sampled(capsys, taught_path, tmp_path):
    store = tmp_path / "store"
    evaluate = ["eval", "--model", str(taught_path), "--envs", "grid_walk:GridWalk-v0", "--tasks", "6"]
    status, text = run(capsys, *evaluate, "--store", str(store))
    assert status == 0 and "greedy" in text and "sampled" in text and "right thoughts" in text
    records = [json.loads(line) for line in (store / "episodes.jsonl").read_text().splitlines()]
    assert len(records) == len({record["id"] for record in records}) == 12
    assert any("thoughts_right" in record["info"] for record in records)
    for flags in (["--greedy"], ["--temperature", "0"]):
        status, text = run(capsys, *evaluate, *flags)
        assert status == 0 and "greedy" in text and "sampled" not in text
    status, text = run(capsys, *evaluate, "--temperature", "0.7", "--view", "no-goal")
    assert status == 0 and "sampled at 0.7" in text and "greedy" not in text and "view no-goal" in text


def test_a_card_is_written_by_command_line(capsys, taught_path, tmp_path):
    out = tmp_path / "new" / "card.md"
    card = ["card", str(taught_path), "--envs", "grid_walk:GridWalk-v0", "--tasks", "4", "--out", str(out)]
    for flags, name in (([], taught_path.name), (["--name", "walker"], "walker")):
        status, text = run(capsys, *card, *flags)
        assert status == 0 and "right thoughts" in text and f"Success of {name} on 4 tasks" in text
        assert sorted(path.name for path in out.parent.iterdir()) == ["card.json", "card.md"]
        written = out.read_text()
        assert f"Success of {name} on 4 tasks" in written and str(taught_path.parent) not in written


@pytest.mark.parametrize(
    ("arguments", "goes_on"),
    [(["train", "--model", "m", "--envs", "x-v0"], True), (["card", "m", "--envs", "x-v0"], False)],
)
def test_an_interrupted_command_says_how_to_go_on_where_it_can(capsys, monkeypatch, arguments, goes_on):
    def interrupt(command):
        raise KeyboardInterrupt

    cls, _ = COMMANDS[arguments[0]]
    monkeypatch.setitem(COMMANDS, arguments[0], (cls, interrupt))
    status, text = run(capsys, *arguments)
    assert status == 130 and text.startswith("interrupted") and ("--resume" in text) == goes_on


def test_the_console_script_runs():
    script = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["saccade"]
    module, _, function = script.partition(":")
    done = subprocess.run(
        [sys.executable, "-c", f"from {module} import {function}; raise SystemExit({function}(['envs']))"],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "120"},
    )
    assert done.returncode == 0 and "saccade/Reach-v0" in done.stdout


@pytest.mark.browser
def test_doctor_finds_this_machine_and_a_model_sound(capsys, taught_path):
    status, text = run(capsys, "doctor", "--model", str(taught_path), "--env", "grid_walk:GridWalk-v0")
    assert status == 0, text
    assert text.count("ok ") == 7 and "a blank picture moves tokens" in text
    assert "append-only, a system role, media: image, video" in text


def test_doctor_says_what_a_template_can_do(tiny_path):
    from saccade.rl.doctor import template

    told = template(str(tiny_path))
    assert told in (ROOT / "docs" / "formats.md").read_text() and "replies end with <|im_end|>" in told
