import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from saccade.envs.episode import Cause
from saccade.envs.observation import Image
from saccade.envs.replay import Record, VerifyReport, verify
from saccade.envs.task import TaskSpec


def tamper(store, change: Callable[[dict[str, Any]], None]) -> None:
    """Rewrite the only line of a store."""
    path = store.path / "episodes.jsonl"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data) + "\n")


def found(report: VerifyReport) -> list[tuple[int | None, str]]:
    return [(each.step, each.what) for each in report.mismatches]


def test_episodes_of_a_real_world_are_identical_again(store, play, script):
    for seed in range(4):
        store.add(play(seed, id=f"good{seed}"))
    store.add(play(9, script("click(1, 1)", "clak(", "say('<b>')", "drag(0, 0, 1, 1)", "say('\u202e')"), id="horizon"))
    store.add(play(0, id="noisy", env="test/NoisyTiles-v0"))
    done: list[int] = []
    report = verify(store, progress=done.append)
    assert report.ok and report.episodes == 6 and report.steps == 15 and not report.skipped
    assert done == [1, 2, 3, 4, 5, 6]
    assert str(report) == "identical: 6 episodes, 15 steps played again; 0 skipped"


def test_questions_are_identical_again(store):
    pytest.importorskip("sklearn")
    import gymnasium as gym

    from saccade.envs.replay import RecordEpisodes

    for id in ("saccade/Shapes-v0", "saccade/Digits-v0"):
        env = RecordEpisodes(gym.make(id, split="test"), store)
        for seed in range(3):
            env.reset(seed=seed)
            env.step(next(env.unwrapped.demo()).action)
        env.close()
    report = verify(store)
    assert report.ok and report.episodes == 6, str(report)
    assert [record.success for record in store.records()] == [True] * 6


def step(index: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda data: data["steps"][index]


@pytest.mark.parametrize(
    ("place", "key", "value", "expected"),
    [
        (step(0), "reward", 0.5, [(0, "reward")]),
        (step(0), "reward", None, [(0, "reward")]),
        (step(0), "reward_terms", {"select": 0.2, "extra": 0.05}, [(0, "reward_terms")]),
        (step(1), "terminated", False, [(1, "terminated")]),
        (step(0), "truncated", True, [(0, "truncated")]),
        (step(1), "state_key", "0" * 16, [(1, "state_key")]),
        (step(0), "action_error", "what?", [(0, "action_error")]),
        (lambda data: data, "success", False, [(None, "success")]),
        (lambda data: data, "cause", "failed", [(None, "cause")]),
        (lambda data: data["steps"][0]["observation"][0], "text", "Drag the pink tile.", [(0, "text")]),
        (lambda data: data["final"][0], "text", "Undone.", [(2, "text")]),
        (lambda data: data["task"], "seed", 5, None),
        (step(0), "action", "say('no')", None),
    ],
)
def test_what_was_changed_is_found(store, play, place, key, value, expected):
    store.add(play(0))
    tamper(store, lambda data: place(data).__setitem__(key, value))
    report = verify(store)
    assert not report.ok and str(report).startswith("NOT identical")
    if expected is not None:
        assert found(report) == expected
        assert f"episode e0{'' if expected[0][0] is None else f', step {expected[0][0]}'}: {expected[0][1]}" in str(
            report
        )


def test_another_picture_is_found(store, play):
    episode = play(0)
    store.add(episode)
    other = Image(np.zeros((64, 96, 3), np.uint8))
    store.media.keep(other)
    tamper(store, lambda data: data["steps"][1]["observation"][1].update(image=other.digest))
    assert found(verify(store)) == [(1, "image")]


def test_an_exchanged_file_is_found(store, play):
    episode = play(0)
    store.add(episode)
    seen = episode.steps[0].observation.images[0]
    other = Image(255 - seen.pixels)
    (store.path / "media" / f"{seen.digest}.png").write_bytes(other.png())
    report = verify(store)
    assert found(report) == [(0, "media")] and "damaged or exchanged" in str(report)


def test_pictures_that_are_not_promised_are_only_counted(store, play):
    store.add(play(0, env="test/NoisyTiles-v0"))
    tamper(store, lambda data: data["steps"][0]["observation"].append(data["steps"][0]["observation"][1]))
    assert found(verify(store)) == [(0, "parts")]


def test_an_episode_that_ended_later_is_found(store, play, script):
    store.add(play(0))
    tamper(store, lambda data: data["steps"].append({**data["steps"][1], "index": 2}) or data["turns"].append({}))
    assert found(verify(store)) == [(1, "length")]


@pytest.mark.parametrize(
    ("actions", "cause", "steps"),
    [
        (["say('a')", "crash()"], None, 1),
        (["say('a')", None], Cause.ENGINE, 1),
        (["say('a')", "click(1, 1)"], Cause.STALE, 2),
        (["say('a')", None], Cause.LENGTH, 1),
        (["say('a')"], Cause.CONTEXT, 1),
    ],
)
def test_episodes_that_were_cut_short_are_played_as_far_as_they_went(store, play, script, actions, cause, steps):
    store.add(play(0, script(*actions), cause=cause))
    report = verify(store)
    assert report.ok and (report.episodes, report.steps) == (1, steps), str(report)
    tamper(store, lambda data: data["steps"][0].update(reward=7.0))
    assert found(verify(store)) == [(0, "reward")]


def test_episodes_without_a_turn_and_branches_are_skipped_with_a_reason(store, play):
    from dataclasses import replace

    whole = play(0, id="whole")
    store.add(replace(whole, id="empty", steps=[], final=None, cause=Cause.INFRA, success=False))
    store.add(replace(whole, id="branch", steps=whole.steps[1:], parent=("whole", 1)))
    report = verify(store)
    assert report.ok and report.episodes == 0
    assert report.skipped == [
        ("empty", "it ended before its first step (infra)"),
        ("branch", "it begins at step 1 of ['whole', 1]"),
    ]


@pytest.mark.parametrize("id", ["antigravity:Evil-v0", "saccade/Nothing-v0"])
def test_a_store_cannot_name_code_to_import(store, play, id):
    import sys

    store.add(play(0))
    tamper(store, lambda data: data["task"].update(id=id))
    assert found(verify(store)) == [(None, "world")]
    assert "antigravity" not in sys.modules


def test_a_world_that_cannot_be_made_or_breaks_is_a_finding_and_the_rest_goes_on(store, play, script):
    store.add(play(0))
    tamper(store, lambda data: data["task"].update(kwargs={"max_turns": "many"}))
    store.add(play(0, script("say('a')", "say('b')"), cause=Cause.CONTEXT, id="e1"))
    records = list(store.records())
    records[1].data["steps"][0]["action"] = "crash()"  # type: ignore[index]
    store.add(play(1, id="e2"))
    report = verify(store, [*records, *store.records(id="e2")])
    assert {each.episode for each in report.mismatches} == {"e0", "e1"} and report.episodes == 2


def test_a_world_that_broke_is_made_anew_whatever_module_its_id_names(store, play, monkeypatch):
    for seed in range(2):
        store.add(play(seed, id=f"e{seed}"))
    records = list(store.records())
    for record in records:
        record.data["task"]["id"] = "elsewhere:test/Tiles-v0"
    records[0].data["steps"][0]["action"] = 5  # no string: the world raises
    made: list[str] = []
    make = TaskSpec.make
    monkeypatch.setattr(TaskSpec, "make", lambda task: made.append(task.id) or make(task))
    report = verify(store, records)
    assert found(report) == [(None, "world")] and made == ["test/Tiles-v0"] * 2


def test_damaged_lines_are_not_ok(store, play):
    store.add(play(0))
    with open(store.path / "episodes.jsonl", "ab") as file:
        file.write(b"{}\n")
    report = verify(store)
    assert report.damaged == [2] and not report.ok and "damaged lines: 2" in str(report)


def test_other_library_versions_are_told_beside_a_mismatch(store, play):
    store.add(play(0))
    store.meta["libraries"]["numpy"] = "1.0"  # type: ignore[index]
    assert verify(store).ok
    tamper(store, lambda data: data["steps"][0].update(reward=7.0))
    assert f"other versions than recorded: numpy 1.0 -> {np.__version__}" in str(verify(store))


def test_one_environment_serves_all_tasks_of_its_key(store, play, monkeypatch):
    made: list[str] = []
    make = TaskSpec.make
    monkeypatch.setattr(TaskSpec, "make", lambda task: made.append(task.env_key) or make(task))
    for seed in range(5):
        store.add(play(seed))
    made.clear()
    assert verify(store).ok and len(made) == 1


def test_a_long_report_is_cut(store):
    report = VerifyReport()
    for at in range(50):
        report.mismatches.append(verify_mismatch(at))
    assert "and 30 more mismatches" in str(report) and len(str(report)) < 8000


def verify_mismatch(at: int):
    from saccade.envs.replay import Mismatch

    return Mismatch("e", at, "text", "x" * 1000, "y")


def test_records_are_checked_when_they_are_read(store, play):
    episode = play(0)
    data = episode.to_json(store.media.keep) | {"run_id": "r", "update": 0, "phase": "train", "turns": [{}, {}]}
    good = Record(data)
    assert Record.decode(good.encode()).data == good.data
