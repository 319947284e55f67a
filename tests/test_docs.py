"""What README and docs show is what the program does."""

import re
import shlex
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NEEDED = (
    "concepts adding-an-environment adding-an-algorithm engines training-recipes replays scaling-out troubleshooting"
)


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.S)


def commands():
    for page in PAGES:
        for block in blocks(page, "bash"):
            for line in block.splitlines():
                words = shlex.split(line, comments=True)
                while words and "=" in words[0]:
                    words = words[1:]
                if words and words[0] == "saccade":
                    yield pytest.param(words[1:], id=f"{page.stem}: {' '.join(words)}")


@pytest.mark.parametrize("words", list(commands()))
def test_every_command_is_understood(words):
    from saccade.rl.cli import parse

    parse(words)


def test_every_page_is_there_and_linked():
    readme = (ROOT / "README.md").read_text()
    for name in NEEDED.split():
        assert (ROOT / "docs" / f"{name}.md").exists() and f"docs/{name}.md" in readme


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert target.startswith("http") or (page.parent / target).exists(), target


def settings(made, prefix=""):
    """Name -> default as the page writes it, of a configuration and of those inside it."""
    found = {}
    for each in fields(made):
        default = each.default if each.default_factory is MISSING else each.default_factory()
        if is_dataclass(default):
            found |= settings(default, f"{prefix}{each.name}.")
        elif each.name != "agent":
            plain = default is not MISSING and default is not None and not isinstance(default, dict)
            found[prefix + each.name] = str(default) if plain else ""
    return found


def test_every_setting_is_listed_with_its_default():
    from saccade.agents.agent import AgentConfig
    from saccade.agents.engines.api import APIEngineConfig
    from saccade.agents.tiny import TinyConfig
    from saccade.rl.config import TrainConfig
    from saccade.rl.sft import SFTConfig

    of = {"": TrainConfig, "agent.": AgentConfig, "api.": APIEngineConfig, "tiny.": TinyConfig, "sft.": SFTConfig}
    wanted = {name: default for prefix, made in of.items() for name, default in settings(made, prefix).items()}
    page = (ROOT / "docs" / "settings.md").read_text()
    listed = re.findall(r"^\| `([\w.]+)` \| (?:`([^`]*)` )?\|", page, re.M)
    assert dict(listed) == wanted and len(listed) == len(wanted)


@pytest.mark.browser
def test_the_first_lines_of_readme_run(capsys):
    exec(compile(blocks(ROOT / "README.md", "python")[0], "README", "exec"), {})
    shown = capsys.readouterr().out
    assert "(64, 64, 3)" in shown and "1.0 True {'task': 1.0}" in shown


@pytest.mark.browser
def test_the_training_script_of_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    script = blocks(ROOT / "README.md", "python")[1]
    assert len([line for line in script.splitlines() if line.strip()]) <= 10
    assert "steps=40" in script
    script = script.replace("steps=40", "steps=2, eval_tasks=16")
    exec(compile(script, "README", "exec"), {})
    assert "->" in capsys.readouterr().out
