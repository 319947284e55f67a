"""The wheel holds what the folders hold."""

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_every_extra_is_there():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = {"gui", "embodied", "qa", "api", "vllm", "vllm-cpu", "lora", "viewer", "bench", "dev"}
    assert wanted <= extras.keys()


def test_a_platform_without_a_wheel_of_vllm_is_told(tmp_path):
    uname = tmp_path / "uname"
    uname.write_text('#!/bin/sh\n[ "$1" = -s ] && echo Darwin || echo arm64\n')
    uname.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    command = ["make", "-C", ROOT, f"VLLM_VENV={tmp_path}/venv", "setup-vllm"]
    done = subprocess.run(command, env=os.environ | {"PATH": path}, capture_output=True, text=True)
    assert done.returncode == 2 and "no wheel for Darwin on arm64" in done.stderr
    assert not (tmp_path / "venv").exists()


@pytest.mark.slow
def test_a_wheel_holds_every_module_and_asset(tmp_path):
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", tmp_path, ROOT], check=True)
    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    for folder in ("envs", "agents", "rl"):
        for file in (ROOT / folder).rglob("*"):
            if file.suffix in {".py", ".xml", ".html", ".js", ".css"} or file.name == "py.typed":
                assert f"saccade/{file.relative_to(ROOT)}" in names
