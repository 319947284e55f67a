"""docs/qa.md tells every preset, verifier and setting, and its examples run."""

import re
from pathlib import Path

from saccade.envs.qa.data.presets import PRESETS
from saccade.envs.qa.verifiers.extract import EXTRACTIONS
from saccade.envs.qa.verify import VERIFIERS, settings_of

from .data.conftest import png, write_lines

PAGE = (Path(__file__).parents[3] / "docs" / "qa.md").read_text()


def rows(head):
    """The rows of the table whose first column has this name, as cells."""
    table = PAGE.split(f"| {head} |", 1)[1].split("\n\n", 1)[0]
    lines = [line for line in table.splitlines()[2:] if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_preset_is_told():
    assert [row[0].strip("`") for row in rows("preset")] == list(PRESETS)


def test_every_verifier_and_setting_is_told():
    table = rows("verifier")
    assert [row[0].strip("`") for row in table] == list(VERIFIERS)
    for name, _, settings in table:
        assert set(re.findall(r"`(\w+)`", settings)) == set(settings_of(name.strip("`")))


def test_every_way_to_find_the_answer_is_told():
    assert all(f"`{name}`" in PAGE for name in EXTRACTIONS)


def test_the_examples_run(tmp_path, monkeypatch, capsys):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "1.png").write_bytes(png(1))
    (tmp_path / "pictures" / "2.png").write_bytes(png(2))
    some = [{"question": "Which?", "answer": "7", "image": f"pictures/{index % 2 + 1}.png"} for index in range(4)]
    write_lines(tmp_path / "mine.jsonl", [*some, {"question": "?", "answer": "many"}])
    monkeypatch.chdir(tmp_path)
    first, problems, _ = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    assert len([line for line in first.splitlines() if line]) == 5
    exec(
        compile(first.replace('"mine.jsonl"', '{"train": "mine.jsonl"}').replace("seed=0", "seed=1"), "qa.md", "exec"),
        {},
    )
    exec(compile(problems, "qa.md", "exec"), {})
    shown = capsys.readouterr().out
    assert "row 4 of mine.jsonl cannot be asked" in shown
