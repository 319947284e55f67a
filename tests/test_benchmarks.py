"""What the measuring scripts count by themselves; that they run is seen when they are run."""

import importlib
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """Imports a script by name."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module
    for name in ("context", "evidence", "page", "side_by_side", "studies", "study_report", "thought_drift"):
        sys.modules.pop(name, None)


def test_a_section_is_replaced_and_the_rest_stays(script, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Top\n<!-- a -->\nold\n<!-- end of a -->\nmiddle\n<!-- b -->\nkept\n<!-- end of b -->\n")
    script("page").write_section(page, "a", "new \\1\n")
    assert page.read_text() == (
        "# Top\n<!-- a -->\nnew \\1\n<!-- end of a -->\nmiddle\n<!-- b -->\nkept\n<!-- end of b -->\n"
    )
    with pytest.raises(ValueError, match="has no place for 'c'"):
        script("page").write_section(page, "c", "")


def test_runs_stand_side_by_side_and_one_that_fails_stops_none(script, tmp_path, capfd):
    def command(text):
        return [sys.executable, "-c", text]

    written = tmp_path / "written"
    commands = {
        "bad": command("raise SystemExit(3)"),
        "late": command(
            f"import os; open({str(written)!r}, 'w').write(os.environ['OMP_NUM_THREADS'] + os.environ['X'])"
        ),
    }
    assert not script("side_by_side").side_by_side(commands, X="y")
    assert written.read_text() == "1y"
    out = capfd.readouterr().out
    assert "bad: failed after" in out and "late: done after" in out
    assert script("side_by_side").side_by_side({})


def test_differences_are_paired_by_task(script):
    """By hand: of the two tasks that neither side lost, one was won."""
    study = script("study_report")
    assert study.differences([("01-1", "11--")]) == [0.5]
    assert study.pooled([("00", "10"), ("1-", "10")]).mean == pytest.approx(1 / 3)
    assert study.share("1-0-1") == pytest.approx(2 / 3)
    with pytest.raises(ValueError):
        study.differences([("01", "011")])


def test_evidence_counts_as_long_as_its_facts_hold(script, tmp_path):
    evidence = script("evidence")
    kept = evidence.Evidence("rl", tmp_path)
    facts = {"envs": ("a",), "weights": evidence.weights_of("saccade-tiny")}
    assert kept.get("all families/3", facts) is None
    kept.add("all families/3", facts, {"curve": [[0.5, None]]})
    assert [file.name for file in tmp_path.rglob("*.json")] == ["all-families-3.json"]
    assert kept.get("all families/3", facts) == {"curve": [[0.5, None]]}
    assert kept.get("all families/3", facts | {"weights": "other"}) is None
    assert len(facts["weights"]) == 16 and evidence.weights_of("") == ""


def test_a_report_says_whether_every_gain_stands(script, tmp_path, monkeypatch):
    """Two seeds: one environment wins everywhere, the other where seeds disagree; nothing untrained may fall."""
    report = script("study_report").report
    won = {"before": "0000", "after": "1110", "control": "1000", "blind": "0000", "thoughts": [0.5, None]}
    also = won | {"after": "1111"}
    lost = won | {"before": "1111", "after": "0000"}

    def results(*envs, kept="11"):
        start = {"c": {"before": "11", "after": kept}}
        return [{"envs": env, "untrained": start, "curve": [[1, 1, 1]], "learning_seconds": 60} for env in envs]

    assert report({"s": results({"a": won}, {"a": won})}, "", "s") == 0
    assert report({"s": results({"a": won, "b": also}, {"a": won, "b": lost})}, "", "s") == 1
    assert report({"s": results({"a": won}, {"a": won}, kept="10")}, "", "s") == 1
    page = tmp_path / "page.md"
    page.write_text("<!-- s -->\n<!-- end of s -->\n")
    assert report({"s": results({"a": won, "b": also}, {"a": won, "b": also})}, str(page), "s") == 0
    text = page.read_text()
    assert "| a, s | 0.000 | 0.750 | 0.750 [0.750, 0.750] | 0.750 [" in text
    assert "| s, pooled | 0.000 | 0.875 | 0.875 [0.875, 0.875] |" in text
    assert (tmp_path / "images" / "s.png").stat().st_size > 1000


def test_the_price_of_a_context_is_counted(script, agent, walk):
    """Two turns: all goes on from itself, one picture makes the second turn a sample that holds the first again."""
    from dataclasses import replace

    from saccade.agents.agent import Agent
    from saccade.agents.context import ContextConfig

    counts = script("context")
    env = walk.task(0).make()
    straight = (each for _, each in env.unwrapped.lessons(range(99)) if len(each.turns) == 2)
    lesson = next(each for each in straight if each.turns[0][1].action == each.turns[1][1].action)
    found = []
    for context in (ContextConfig(), ContextConfig("last-pictures", pictures=1)):
        actor = Agent(agent.engine, agent.chat, replace(agent.config, context=context))
        found.append(counts.cost(actor, env, [lesson]))
    (mean, longest, new, samples, learned), (*_, anew, pieces, again) = found
    reply = learned - longest
    first = 2 * mean - longest
    assert (samples, pieces) == (1, 2) and 0 < reply < 30
    assert new == (first + longest - first - reply) / 2 < anew
    assert again > learned


def test_the_world_of_the_ablation_can_be_solved(script):
    import gymnasium as gym

    script("thought_drift")
    world = gym.make("Walk-v0").unwrapped
    lengths = [len(lesson.turns) for _, lesson in world.lessons(range(40))]
    assert set(lengths) == {1, 2, 3, 4}
