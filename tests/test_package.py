"""The wheel holds what the folders hold."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_every_extra_is_there():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = {"gui", "embodied", "qa", "api", "vllm", "vllm-cpu", "ray", "lora", "viewer", "dev"}
    assert wanted <= extras.keys()


@pytest.mark.slow
def test_a_wheel_holds_every_module_and_asset(tmp_path):
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", tmp_path, ROOT], check=True)
    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    for folder in ("envs", "agents", "rl"):
        for file in (ROOT / folder).rglob("*"):
            if file.suffix in {".py", ".xml", ".html", ".js", ".css"} or file.name == "py.typed":
                assert f"saccade/{file.relative_to(ROOT)}" in names
