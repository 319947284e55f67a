"""`saccade eval`: interrupted, resumed, by an API, with several tries a task."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from chat_server import walk_by_sight

from saccade.agents.agent import AgentConfig
from saccade.agents.engines.vllm import VLLMEngineConfig
from saccade.envs.errors import ConfigError
from saccade.rl.cli import main
from saccade.rl.commands import Eval
from saccade.rl.eval_store import EvalStore
from saccade.rl.evaluate import evaluation_settings, tries_of_interest

WALK, SMALL = "grid_walk:GridWalk-v0", "grid_walk:GridWalk-v0?size=3"
SECRET = "sk-test-1234567890abcdef"


def run(capsys, *arguments):
    status = main(["eval", *map(str, arguments)])
    out = capsys.readouterr()
    return status, " ".join((out.out + out.err).split())


def stored(folder):
    return [json.loads(line) for line in (folder / "episodes.jsonl").read_text().splitlines()]


def results(folder):
    return json.loads((folder / "results.json").read_text())


@pytest.fixture
def by_api(server):
    server.answer = walk_by_sight
    return [
        *(
            "--engine",
            "api",
            "--model",
            "some-model",
            "--api.base-url",
            server.url,
            "--api.key-env",
            "SACCADE_TEST_KEY",
        ),
        *("--api.backoff", "0.01", "--api.retries", "1"),
        *("--temperature", "1.0"),
    ]


def test_a_killed_evaluation_goes_on_to_the_same_result(capsys, tiny_path, tmp_path):
    """Killed by SIGKILL between two episodes, it plays the rest, none twice, and finds the same, byte for byte."""
    what = ["--model", tiny_path, "--envs", WALK, SMALL, "--tasks", "3", "--samples", "2", "--concurrency", "2"]
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    assert run(capsys, *what, "--store", whole)[0] == 0
    code = f"""
import time, grid_walk
from saccade.rl.cli import main
begin = grid_walk.GridWalk.begin
grid_walk.GridWalk.begin = lambda self, rng: (time.sleep(0.3), begin(self, rng))[1]
main({["eval", *map(str, what), "--store", str(torn)]!r})
"""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = torn / "episodes.jsonl"
    while process.poll() is None and not (lines.exists() and lines.read_bytes().count(b"\n") >= 4):
        time.sleep(0.02)
    assert process.poll() is None, process.communicate()[0]
    process.send_signal(signal.SIGKILL)
    process.wait()
    played = lines.read_bytes().count(b"\n")
    assert 4 <= played < 18 and not (torn / "results.json").exists()

    status, text = run(capsys, *what, "--store", torn)
    assert status == 2 and "--resume" in text
    status, text = run(capsys, *what, "--store", torn, "--resume", "--seed", "1")
    assert status == 2 and "seed=0" in text
    assert run(capsys, *what, "--store", torn, "--resume")[0] == 0
    assert (torn / "results.json").read_bytes() == (whole / "results.json").read_bytes()
    ids = [record["id"] for record in stored(torn)]
    assert len(ids) == len(set(ids)) == 18  # two sources, three tasks, greedy once and sampled twice
    replies = {record["id"]: [step["reply"] for step in record["steps"]] for record in stored(whole)}
    assert replies == {record["id"]: [step["reply"] for step in record["steps"]] for record in stored(torn)}


def test_what_decides_the_replies_of_an_engine_must_stay(tmp_path):
    free, forced = (
        evaluation_settings(
            Eval((WALK,), engine="vllm", vllm=VLLMEngineConfig(forced_format=on)), AgentConfig(), "full"
        )
        for on in (False, True)
    )
    EvalStore.open(str(tmp_path), "eval-0", free, resume=False).close()
    EvalStore.open(str(tmp_path), "eval-0", free, resume=True).close()
    with pytest.raises(ConfigError, match=r"vllm\.forced_format=False, now it is True"):
        EvalStore.open(str(tmp_path), "eval-0", forced, resume=True)


def test_more_tasks_and_tries_are_added_to_what_is_there(capsys, tmp_path):
    what = ["--policy", "random", "--envs", WALK, "--store", tmp_path / "s"]
    assert run(capsys, *what, "--tasks", "4")[0] == 0
    assert run(capsys, *what, "--tasks", "6", "--samples", "3", "--resume")[0] == 0
    assert len(stored(tmp_path / "s")) == 18
    row = results(tmp_path / "s")["rows"][0]
    assert row["success"]["n"] == 6 and row["pass_at"].keys() == {"1", "2", "3"}
    assert row["success"]["mean"] == row["pass_at"]["1"]["mean"] <= row["pass_at"]["2"]["mean"]
    assert [task["seed"] for task in row["by_task"]] == list(range(6))
    assert sum(task["successes"] for task in row["by_task"]) == sum(each["success"] for each in stored(tmp_path / "s"))


def test_an_api_model_is_evaluated_with_its_tokens_and_cost(capsys, tmp_path, server, by_api, monkeypatch):
    monkeypatch.setenv("SACCADE_TEST_KEY", SECRET)
    prices = ["--api.prices.input", "2", "--api.prices.output", "10"]
    file = tmp_path / "new" / "found.json"
    what = [*by_api, *prices, "--envs", WALK, SMALL, "--tasks", "4", "--samples", "2", "--json", file]
    status, text = run(capsys, *what, "--store", tmp_path / "s")
    assert status == 0 and "Success of some-model" in text and "cost" in text and "pass@2" in text
    assert file.read_bytes() == (tmp_path / "s" / "results.json").read_bytes()
    rows = results(tmp_path / "s")["rows"]
    assert [row["env"] for row in rows] == [WALK, SMALL] and all(row["success"]["mean"] == 1.0 for row in rows)
    assert sum(row["tokens"]["reply_tokens"] for row in rows) == 10 * len(server.bodies)
    read = sum(100 * len(body["messages"]) for body in server.bodies)
    assert sum(row["cost"] for row in rows) == pytest.approx((read * 2 + 10 * len(server.bodies) * 10) / 1e6)
    assert all(turn["reply_tokens"] == 10 for record in stored(tmp_path / "s") for turn in record["turns"])
    assert server.headers[0]["Authorization"] == f"Bearer {SECRET}"
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes()
    assert SECRET not in text and main(["replay", str(tmp_path / "s"), "--verify", "--modules", "grid_walk"]) == 0


def test_what_a_server_lost_is_played_again(capsys, tmp_path, server, by_api):
    what = [*by_api, "--envs", WALK, "--tasks", "6", "--concurrency", "2", "--store", tmp_path / "s"]
    server.faults += [None, None, None, None, *[500] * 5]
    status, text = run(capsys, *what)
    assert status == 0 and "engine" in text
    lost = results(tmp_path / "s")["rows"][0]
    assert lost["ended"]["engine"] >= 1 and lost["success"]["n"] == 6 - lost["ended"]["engine"]
    asked = len(server.bodies)
    status, text = run(capsys, *what, "--resume")
    assert status == 0 and "engine" not in text and len(server.bodies) > asked
    row = results(tmp_path / "s")["rows"][0]
    assert row["ended"] == {"goal": 6} and row["success"]["n"] == 6
    assert len(stored(tmp_path / "s")) == 6
    asked = len(server.bodies)
    assert run(capsys, *what, "--resume")[0] == 0 and len(server.bodies) == asked


def test_a_server_that_is_never_there_leaves_nothing_to_score(capsys, tmp_path, server, by_api):
    server.close()
    status, text = run(capsys, *by_api, "--envs", WALK, "--tasks", "2", "--json", tmp_path / "found.json")
    row = json.loads((tmp_path / "found.json").read_text())["rows"][0]
    assert status == 0 and "all void" in text and row["success"] is None and row["ended"] == {"engine": 2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--resume"], "--store FOLDER"),
        (["--samples", "4", "--greedy"], "--samples 4 needs sampling"),
        (["--samples", "0"], "samples must be >= 1"),
        (["--agent.coordinates", "thousnd"], "did you mean 'thousand'"),
        (["--api.key-env", SECRET], "capitals"),
    ],
)
def test_a_mistake_is_one_clear_line_and_costs_nothing(capsys, server, by_api, arguments, message):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "1000")
        base = by_api[:-2] if "--greedy" in arguments else by_api
        try:
            status, text = run(capsys, *base, "--envs", WALK, *arguments)
        except SystemExit as stop:
            out = capsys.readouterr()
            status, text = stop.code, out.out + out.err
    assert status == 2 and message in text and SECRET not in text and not server.bodies


def test_the_k_that_are_shown():
    assert [tries_of_interest(n) for n in (1, 2, 6, 8)] == [[1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8]]
