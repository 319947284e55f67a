import subprocess
import sys

import gymnasium as gym

import saccade.envs  # noqa: F401 - registers
from saccade.envs.catalogue import catalogue


def test_every_registered_environment_says_what_to_do():
    listed = {entry.id: entry for entry in catalogue() + catalogue("miniwob")}
    assert listed.keys() == {id for id in gym.registry if id.startswith("saccade/")}
    for entry in listed.values():
        assert entry.summary.endswith(".") and entry.family in ("gui", "embodied", "qa", "bridge"), entry


def test_a_word_is_looked_for_in_names_families_and_summaries():
    assert {"saccade/Shapes-v0", "saccade/Explore-v0", "saccade/Beeps-v0"} <= {e.id for e in catalogue("COUNT")}
    assert {entry.family for entry in catalogue("embodied")} == {"embodied"}
    assert "saccade/MiniWoB-click-tab-v0" in {entry.id for entry in catalogue("click-tab")}
    assert not catalogue("no such thing")


def test_nothing_that_an_environment_needs_is_imported():
    program = (
        "import sys; from saccade.envs.catalogue import catalogue; catalogue('a'); "
        "sys.exit(bool({'torch', 'playwright', 'mujoco', 'sklearn', 'pyarrow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
