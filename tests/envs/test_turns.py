"""Turns of several actions: which are done, what is said of them, and what no string can break."""

import gymnasium as gym
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st

from saccade.envs.actions import STR, ActionSet, verb
from saccade.envs.core import LanguageEnv, Outcome
from saccade.envs.episode import Cause
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Observation
from saccade.envs.replay.marks import points
from saccade.envs.turns import Turns, read_turn, write_turn


class Ladder(LanguageEnv):
    """Four steps up; `jump` is not there."""

    instructions = "Climb."
    action_format = ActionSet(verb("up", "Climb."), verb("say", "Speak.", text=STR))
    max_turns = 6

    def begin(self, rng):
        self.height = 0
        return Observation.of("height 0")

    def act(self, call):
        self.height += call.verb == "up"
        top = self.height == 4
        shown = Observation.of(f"height {self.height}")
        return Outcome(shown, 1.0 + top, {"rung": 1.0, "top": float(top)}, Cause.GOAL if top else None)

    def state(self):
        return self.height


gym.register("test/Ladder-v0", entry_point=Ladder)


@pytest.fixture
def env():
    env = Turns(gym.make("test/Ladder-v0", error_penalty=0.5), limit=4)
    env.reset(seed=0)
    return env


def test_one_action_is_as_without(env):
    observation, reward, *_, info = env.step("up()")
    assert (observation["text"], reward, info["action_error"]) == ("height 1", 1.0, None)


def test_several_are_done_in_order_and_rewards_add_up(env):
    observation, reward, terminated, truncated, info = env.step(write_turn(["up()", "say('a')", "up()"]))
    assert observation["text"] == "height 2\nDone, 3 of 3: up(); say('a'); up()"
    assert (reward, terminated, truncated) == (3.0, False, False)
    assert info["reward_terms"] == {"rung": 3.0, "top": 0.0}
    assert env.step("up()")[0]["text"] == "height 3"  # the note is of one turn


def test_an_error_ends_the_turn(env):
    observation, reward, *_, info = env.step(write_turn(["up()", "jump()", "up()"]))
    assert "unknown action 'jump'" in observation["text"] and "unknown action 'jump'" in info["action_error"]
    assert observation["text"].endswith("Done, 2 of 3: up(); jump(); not done: up()")
    assert reward == 0.5 and info["reward_terms"] == {"rung": 1.0, "top": 0.0, "action_error": -0.5}


def test_the_end_of_the_episode_ends_the_turn(env):
    env.step(write_turn(["up()", "up()"]))
    observation, reward, terminated, _, info = env.step(write_turn(["up()", "up()", "up()", "up()"]))
    assert terminated and info["success"] and reward == 3.0
    assert "Done, 2 of 4" in observation["text"]


def test_each_action_counts_against_the_horizon(env):
    env.step(write_turn(["say('a')"] * 4))
    *_, truncated, info = env.step(write_turn(["say('a')"] * 4))
    assert truncated and info["cause"] == "horizon"


def test_too_many_are_none(env):
    observation, *_, info = env.step(write_turn(["up()"] * 5))
    assert observation["text"] == "height 0\nError: a turn has at most 4 actions, got 5; nothing was done"
    assert info["action_error"].startswith("a turn has at most 4")


def test_an_error_of_the_agent_stands_in_place_of_the_worlds(env):
    observation, reward, *_, info = env.step(write_turn([], "no tags"))
    assert observation["text"] == "height 0\nError: no tags" and info["action_error"] == "no tags"
    assert reward == -0.5
    assert env.step("up()")[0]["text"] == "height 1"


def test_a_limit_has_bounds():
    with pytest.raises(ConfigError, match="1 to 32"):
        Turns(gym.make("test/Ladder-v0"), 0)


@pytest.mark.filterwarnings("ignore:.*different from the unwrapped version")
def test_it_is_a_gymnasium_environment(env):
    check_env(env, skip_render_check=True)


@given(st.lists(st.text(), min_size=1))
def test_turns_are_read_as_written(actions):
    assert read_turn(write_turn(actions)).actions == tuple(actions)


@given(st.text(min_size=1))
def test_errors_are_read_as_written(error):
    assert read_turn(write_turn([], error)).error == error


@given(st.text() | st.text().map("[{}".format) | st.text().map("{{{}".format))
def test_reading_a_turn_never_raises(text):
    turn = read_turn(text)
    assert turn.actions or turn.error


@pytest.mark.parametrize("text", ["[" * 200_000, '["a", 1]', "[]", "{}", '{"error": 1}', '{"a": "b"}'])
def test_what_is_no_turn_is_one_action(text):
    assert read_turn(text).actions == (text,)


def test_the_viewer_marks_the_places_of_all_actions():
    assert points(write_turn(["click(1, 2)", "drag(3, 4, 5, 6)"]), "nowhere") == [[1, 2], [3, 4], [5, 6]]
    assert points("click(1, 2)", "nowhere") == [[1, 2]]
