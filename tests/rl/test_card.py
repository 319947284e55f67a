"""The score card: every condition measures what its name says, and equal inputs give equal bytes."""

import json

import gymnasium as gym
import pytest

from saccade.agents.evaluation import Interval, proportion
from saccade.envs.actions import Answer
from saccade.envs.core import LanguageEnv, Outcome
from saccade.envs.episode import Cause
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Observation
from saccade.rl.card import COLUMNS, CardRow, markdown, score_card, write_card

WALK = "grid_walk:GridWalk-v0"


def test_a_card_is_the_same_bytes_again_whatever_the_concurrency(taught_path, tmp_path):
    written = []
    for name, concurrency in (("a", 3), ("b", 5)):
        rows = score_card(str(taught_path), [WALK, "saccade/Shapes-v0?level=2"], 8, seed=1, concurrency=concurrency)
        written.append([file.read_bytes() for file in write_card(tmp_path / name, "m", rows, 8, 1)])
    assert written[0] == written[1]
    walk, shapes = json.loads(written[0][0])["rows"]
    assert walk["env"] == WALK and shapes["env"] == "saccade/Shapes-v0?level=2"
    assert [walk[name]["n"] for name in ("greedy", "sampled", "blind", "no_goal")] == [8] * 4
    assert walk["right_thoughts"]["n"] >= 8  # one a turn
    assert walk["colour_only"] is None  # no goal there names a shape
    assert 0 < shapes["colour_only"]["n"] < 8  # some questions do
    lines = written[0][1].decode().splitlines()
    assert [line.count("|") for line in lines[2:]] == [len(COLUMNS) + 2] * 4 and f"`{WALK}`" in lines[4]


class Open(LanguageEnv):
    """Shows no picture; the goal of every fourth task names a shape."""

    instructions = "Answer."
    action_format = Answer()

    def begin(self, rng):
        return Observation.of("Name the red circle." if self._task_seed % 4 == 0 else "Name it.")

    def act(self, action):
        return Outcome(Observation.of(""), reward=1.0, ended=Cause.GOAL)

    def state(self):
        return self._turn


gym.register("test/Open-v0", entry_point=Open)


def test_colour_only_takes_the_tasks_whose_goal_names_a_shape(taught_path):
    (row,) = score_card(str(taught_path), ["test/Open-v0"], 8)
    assert row.scores["greedy"].count == 8 and row.scores["colour only"].count == 2
    assert row.scores["right thoughts"] is None  # it demonstrates nothing


def test_a_cell_says_what_it_rests_on():
    scores = dict.fromkeys(COLUMNS) | {
        "greedy": proportion([True] * 8 + [False] * 2),
        "blind": Interval(0.5, 0.1, 0.9, 4),
    }
    row = CardRow("saccade/X-v0", scores)
    *_, line = markdown([row], tasks=10).splitlines()
    assert line == "| `saccade/X-v0` | 0.800 [0.490, 0.943] | - | 0.500 [0.100, 0.900], n = 4 | - | - | - |"
    assert row.to_json()["greedy"] == {"mean": 0.8, "low": 0.490162, "high": 0.943318, "n": 10}
    assert row.to_json()["no_goal"] is None


def test_a_card_goes_beside_its_name_whatever_the_ending(tmp_path):
    for out, stem in (("tiny-1.0", "tiny-1.0"), ("c.json", "c"), ("d.md", "d")):
        files = write_card(tmp_path / out, "m", [], 1, 0)
        assert [file.name for file in files] == [f"{stem}.json", f"{stem}.md"]
    with pytest.raises(ConfigError, match="choose another place"):
        write_card(tmp_path / "d.md" / "card", "m", [], 1, 0)
