"""The choice of a renderer, which happens once a process: each case runs in a fresh interpreter."""

import os
import subprocess
import sys

import pytest

SHOW = """
import hashlib, os
from saccade.envs.embodied.env import Reach
env = Reach(level=3)
shown = hashlib.sha256(env.reset(seed=5)[0]["images"][0].tobytes()).hexdigest()
print(os.environ["MUJOCO_GL"], shown)
"""


def run(code, cwd=None, **environment):
    inherited = {name: value for name, value in os.environ.items() if name not in ("MUJOCO_GL", "PYOPENGL_PLATFORM")}
    return subprocess.run(
        [sys.executable, "-c", code], env=inherited | environment, cwd=cwd, capture_output=True, text=True
    )


def test_the_default_and_osmesa_show_the_same_picture():
    chosen = run(SHOW)
    software = run(SHOW, MUJOCO_GL="osmesa")
    assert chosen.returncode == 0, chosen.stderr
    if software.returncode:
        pytest.skip("OSMesa is not installed")
    assert chosen.stdout.split()[0] in ("egl", "osmesa")
    assert software.stdout.split()[0] == "osmesa"
    assert chosen.stdout.split()[1] == software.stdout.split()[1]


@pytest.mark.parametrize("value", ["disable", "nonsense"])
def test_a_useless_choice_says_what_to_do(value):
    result = run(SHOW, MUJOCO_GL=value)
    assert "ConfigError" in result.stderr
    assert "MUJOCO_GL" in result.stderr.strip().splitlines()[-1]


def test_no_library_at_all_says_what_to_install():
    code = "import ctypes\ndef CDLL(name): raise OSError(name)\nctypes.CDLL = CDLL\n"
    result = run(code + "from saccade.envs.embodied.observe import choose_renderer; choose_renderer()")
    assert "libegl1" in result.stderr.strip().splitlines()[-1]


def test_a_mujoco_that_was_imported_first_is_no_obstacle():
    first = run("import mujoco\n" + SHOW)
    assert first.returncode == 0, first.stderr
    assert first.stdout == run(SHOW).stdout


def test_a_diverging_simulation_writes_no_file(tmp_path):
    code = """
from saccade.envs.embodied.env import Reach
env = Reach()
env.reset(seed=0)
env.world.data.qvel[2] = float("nan")
print(env.step("move(3, 3)")[4]["cause"])
"""
    result = run(code, cwd=tmp_path)
    assert result.stdout == "infra\n", result.stderr
    assert not list(tmp_path.iterdir())


def test_a_context_allocates_no_more_than_its_picture_needs():
    """Buffers for the largest picture would cost every environment hundreds of megabytes."""
    from saccade.envs.embodied.env import Reach

    env = Reach(size=48)
    env.reset(seed=0)
    context = env.camera._context
    assert (context.offWidth, context.offHeight, context.shadowSize) == (48, 48, 0)
    env.close()
