"""The measuring scripts of the browser run, and the long one knows what a loss is."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")


def run(script, *words):
    return subprocess.run([sys.executable, BENCHMARKS / script, *words], capture_output=True, text=True, timeout=280)


@on_linux
@pytest.mark.browser
def test_a_turn_is_measured_beside_the_floor(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- gui -->\n<!-- end of gui -->\n")
    done = run("gui.py", "--blocks", "1", "--repeats", "2", "--environments", "2", "--write", str(page))
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.read_text().splitlines() if "|" in line]
    names = [row[0] for row in rows]
    for name in ("floor: step", "ours: step", "floor: reset", "ours: reset", "ours: 2 environments in threads"):
        assert name in names, names
    ratio = rows[names.index("ours: step")]
    assert ratio[4].endswith("of the floor's speed") and float(rows[names.index("floor: step")][2]) > 0
    assert done.stdout.strip() in page.read_text()


@on_linux
@pytest.mark.browser
def test_a_short_soak_leaves_nothing_over():
    done = run("gui_soak.py", "--episodes", "8", "--environments", "2", "--kills", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| episodes | 8 |" in done.stdout and "| kills of the browser | 1 |" in done.stdout


@pytest.fixture
def soak(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module("gui_soak")
    for name in ("gui_soak", "page", "processes"):
        sys.modules.pop(name, None)


def test_only_a_kill_explains_a_lost_episode(soak):
    run = soak.Soak(3, 1, 1)
    run.kills = [(10.0, 10.1)]
    run.played = [
        soak.Played("a", True, "infra", 9.0, 10.2),
        soak.Played("b", True, "goal", 11.0, 12.0),
        soak.Played("c", True, "infra", 10.5, 12.0, "gone"),
        soak.Played("d", True, "error", 9.0, 10.2, "KeyError"),
    ]
    assert [each.world for each in run.unexplained()] == ["c", "d"]


def test_what_grows_or_is_left_is_a_fault(soak):
    run = soak.Soak(0, 1, 0)
    names = {*soak.BOUNDS, *soak.SLACK, "environments with a window", "contexts", "contexts after close"}
    mark = dict.fromkeys(names, 3.0) | {"contexts after close": 0, "left of killed browsers": 0, "drivers": 1}
    assert soak.faults(run, [mark, mark, mark]) == []
    for name, value in {"contexts": 4, "drivers": 2, "left of killed browsers": 1, "descriptors": 9}.items():
        assert len(soak.faults(run, [mark, mark, mark | {name: value}])) == 1, name
    [fault] = soak.faults(run, [mark, mark, mark | {"this RSS": 3 + soak.BOUNDS["this RSS"] + 1}])
    assert "this RSS grew" in fault


def test_processes_are_counted_with_their_children(soak):
    processes = importlib.import_module("processes")
    program = "import time; print('here', flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", program], start_new_session=True, stdout=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"here\n"  # before it runs, it is neither its own session nor its size
        assert child.pid in processes.family(os.getpid()) and processes.session(child.pid) == [child.pid]
        rss, pss = processes.memory([child.pid])
        assert 1 < pss <= rss < 1000 and processes.descriptors(child.pid) >= 3
    finally:
        child.kill()
        child.wait()
    assert processes.family(child.pid) == [] and processes.memory([child.pid]) == (0, 0)


@pytest.fixture
def chance(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module("gui_chance")
    for name in ("gui_chance", "page"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("id", ["saccade/ForumVote-v0", "saccade/FilesDelete-v0"])
def test_other_goals_begin_in_the_same_state(chance, id):
    task, others = chance.other_goals(chance.make_site(id), 3)
    assert len(others) == chance.OTHERS
    assert {each.begin for each in others} == {task.begin}
    assert len({each.goal for each in others}) > 1 and any(each.want != task.want for each in others)


@pytest.mark.browser
def test_luck_is_measured(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- gui-chance -->\n<!-- end of gui-chance -->\n")
    words = ("--episodes", "1", "--states", "2", "--tasks", "saccade/ShopOrder-v0", "--write", str(page))
    done = run("gui_chance.py", *words)
    assert done.returncode in (0, 1), done.stderr
    assert "| `saccade/ShopOrder-v0` |" in page.read_text() and "| all |" in done.stdout
    assert run("gui_chance.py", "--tasks", "saccade/ShopOder-v0").returncode == 2
