"""The bridge, on Gymnasium's own environments: their actions in words, their rewards, their two endings."""

import math
import random
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from saccade.envs.core import LanguageEnv
from saccade.envs.errors import ConfigError
from saccade.envs.task import TaskSource, make

pytest.importorskip("pygame", reason="saccade[gym] is not installed")
pytest.importorskip("imageio", reason="saccade[gym] is not installed")

SMALL = {"width": 64, "height": 64}
BRIDGED = [
    {"env": "CartPole-v1", "size": 64},
    {"env": "MountainCar-v0", "size": 64},
    {"env": "Reacher-v5", "options": SMALL},
    {"env": "Ant-v5", "options": SMALL},
]
each = pytest.mark.parametrize("settings", BRIDGED, ids=lambda settings: settings["env"])


class Script(gym.Env):
    """Follows a script of (reward, terminated, truncated, info); acts by a number that it remembers."""

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012 - as Gymnasium declares it
    observation_space = gym.spaces.Box(-1, 1, (2,))

    def __init__(self, script=((1.0, False, False, {}),), space=None, render_mode=None):
        self.action_space = space or gym.spaces.Discrete(2)
        self.script, self.done, self.render_mode = script, [], render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.done = []
        return self.np_random.uniform(-1, 1, 2), {}

    def step(self, action):
        self.done.append(action)
        return (np.zeros(2), *self.script[(len(self.done) - 1) % len(self.script)])

    def render(self):
        return np.full((40, 80, 3), len(self.done), np.uint8)


gym.register("Script-v0", entry_point=Script, disable_env_checker=True, order_enforce=False)


def bridged(*script, space=None, **settings):
    options = {"script": script or ((1.0, False, False, {}),), "space": space}
    return make("saccade/Gym-v0", env="Script-v0", options=options, **settings).unwrapped


@each
def test_a_bridge_keeps_the_contract(settings):
    env = make("saccade/Gym-v0", **settings)
    assert isinstance(env.unwrapped, LanguageEnv)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*(not within the observation space|observation space).*Box.*")
        check_env(env.unwrapped, skip_render_check=True)
    env.close()


@each
def test_equal_seeds_are_equal_worlds_and_splits_differ(settings):
    def run(seed, split="train"):
        env = make("saccade/Gym-v0", split=split, **settings).unwrapped
        trace = [(env.reset(seed=seed)[1]["state_key"], env.view.images[0].digest)]
        rng = random.Random(seed)
        for _ in range(3):
            _, reward, terminated, truncated, info = env.step(env.sample_action(rng))
            assert sum(info["reward_terms"].values()) == pytest.approx(reward)
            assert info["action_error"] is None
            trace.append((info["state_key"], env.view.images[0].digest, reward))
            if terminated or truncated:
                break
        env.close()
        return trace

    first = run(3)
    assert len({shown for _, shown, *_ in first}) > 1  # what is done is seen
    assert run(3) == first
    assert run(4)[0] != first[0]
    assert run(3, "test")[0] != first[0]


def test_a_balanced_pole_is_the_goal():
    env = make("saccade/Gym-v0", env="CartPole-v1", size=32).unwrapped
    observation, _ = env.reset(seed=0)
    assert "pole" in observation["text"]
    assert env.action_format.help == "left(): Do this.\nright(): Do this."
    total, turns, over = 0.0, 0, False
    while not over:
        x, speed, angle, turning = env._seen
        action = "right()" if angle + 0.5 * turning + 0.02 * x + 0.05 * speed > 0 else "left()"
        _, reward, terminated, truncated, info = env.step(action)
        total, turns, over = total + reward, turns + 1, terminated or truncated
    env.close()
    assert (total, turns) == (500.0, 250)
    assert info["success"] and terminated


def test_a_pole_that_falls_is_a_failure():
    env = make("saccade/Gym-v0", env="CartPole-v1", size=32).unwrapped
    env.reset(seed=0)
    info = {"cause": None}
    while info["cause"] is None:
        _, _, terminated, truncated, info = env.step("left()")
    env.close()
    assert info["cause"] == "failed" and terminated and not truncated


def test_a_car_on_the_hill_is_the_goal_and_one_that_waits_runs_out_of_time():
    env = make("saccade/Gym-v0", env="MountainCar-v0", size=32).unwrapped

    def drive(policy):
        env.reset(seed=1)
        info = {"cause": None}
        while info["cause"] is None:
            _, _, terminated, truncated, info = env.step(policy())
        return info["cause"], terminated, truncated

    assert drive(lambda: "right()" if env._seen[1] >= 0 else "left()") == ("goal", True, False)
    assert drive(lambda: "coast()") == ("horizon", False, True)
    assert env.max_turns == 200 / env.repeat
    env.close()


def test_an_ant_moves_the_joints_that_are_named():
    env = make("saccade/Gym-v0", env="Ant-v5", options=SMALL).unwrapped
    assert env.action_format.help.startswith("act(hip_4=2, ankle_4=2, hip_1=2, ")
    asked = []
    step = env.inner.step
    env.inner.step = lambda action: asked.append(action) or step(action)
    env.reset(seed=0)
    *_, info = env.step("act(ankle_4=4, hip_2=1)")
    assert len(asked) == 5
    assert asked[0].tolist() == [0, 1, 0, 0, -0.5, 0, 0, 0] and asked[0].dtype == env.inner.action_space.dtype
    assert set(info["reward_terms"]) == {"reward_forward", "reward_ctrl", "reward_contact", "reward_survive"}
    *_, info = env.step("act(ankle_4=5)")
    assert info["action_error"] == "each number must be 0 to 4, got ankle_4=5"
    env.close()


def test_rewards_add_up_over_a_repeat_and_say_what_explains_them():
    env = bridged((1.0, False, False, {"reward_a": 0.25}), (2.0, False, False, {"reward_a": 0.5}), repeat=3)
    env.reset(seed=0)
    observation, reward, *_, info = env.step("action_0()")
    assert reward == 4.0 and info["reward_terms"] == {"reward_a": 1.0, "task": 3.0}
    assert observation["text"] == "Reward 4, return 4."
    assert observation["images"][0].shape == (40, 80, 3) and observation["images"][0].max() == 3
    env.step("action_1()")
    assert env.inner.unwrapped.done == [0, 0, 0, 1, 1, 1]


def test_what_is_no_number_is_no_term_of_the_reward():
    env = bridged((1.0, False, False, {"reward_parts": {"a": 1.0}, "reward_name": "a"}))
    env.reset(seed=0)
    assert env.step("action_0()")[4]["reward_terms"] == {"task": 1.0}


@pytest.mark.parametrize(
    ("ends", "success", "cause"),
    [
        ((True, False, {}), 1.0, "goal"),
        ((False, True, {}), 1.0, "goal"),
        ((True, False, {}), 1.5, "failed"),
        ((False, True, {}), 1.5, "horizon"),
        ((False, False, {}), 1.0, None),
        ((True, False, {}), "terminated", "goal"),
        ((False, True, {}), "terminated", "horizon"),
        ((False, False, {"done": True}), "done", "goal"),
        ((True, False, {"done": False}), "done", "failed"),
        ((False, False, {"is_success": 1.0}), None, "goal"),
        ((False, False, {"success": 0.0}), None, None),
    ],
)
def test_the_success_rule_decides_and_the_two_endings_stay_apart(ends, success, cause):
    env = bridged((1.0, *ends), success=success)
    env.reset(seed=0)
    _, _, terminated, truncated, info = env.step("action_0()")
    assert info["cause"] == cause and info["success"] is (cause == "goal")
    assert (terminated, truncated) == (cause in ("goal", "failed"), cause == "horizon")


def test_our_own_horizon_is_judged_too():
    env = bridged(max_turns=2, success=2.0)
    env.reset(seed=0)
    assert env.step("action_0()")[4]["cause"] is None
    assert env.step("action_0()")[4]["cause"] == "goal"


@pytest.mark.parametrize("reward", [math.nan, math.inf])
def test_an_environment_that_breaks_is_no_failure_of_the_agent(reward):
    env = bridged((reward, False, False, {}))
    env.reset(seed=0)
    assert env.step("action_0()")[4]["cause"] == "infra"
    env = bridged()
    env.reset(seed=0)
    env.inner.step = lambda action: 1 / 0
    assert "ZeroDivisionError" in env.step("action_0()")[4]["failure_message"]


def test_names_of_ones_own_and_a_size():
    env = bridged(actions=["duck", "jump"], goal="Jump over it.", size=20)
    observation, _ = env.reset(seed=0)
    assert observation["text"] == "Jump over it." and observation["images"][0].shape == (10, 20, 3)
    assert env.step("jump()")[4]["action_error"] is None
    assert env.inner.unwrapped.done == [1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"env": "CartPole-v9"}, "did you mean 'CartPole-v"),
        ({"env": "Cartpol-v1"}, "did you mean 'CartPole-v1'"),
        ({"env": "FetchReach-v4"}, r"saccade\[robotics\]"),
        ({"env": "os:CartPole-v1"}, "write os:saccade/Gym-v0"),
        ({"env": "saccade/Shapes-v0"}, "must be Discrete or a bounded Box"),
        ({"env": "CartPole-v1", "bins": 4}, "odd number >= 3"),
        ({"env": "CartPole-v1", "repeat": 0}, "repeat must be >= 1"),
        ({"env": "CartPole-v1", "size": 1}, "at least 8"),
        ({"env": "CartPole-v1", "max_turns": 0}, "max_turns must be >= 1"),
        ({"env": "CartPole-v1", "actions": ["left"]}, "must name the 2 actions"),
        ({"env": "CartPole-v1", "actions": ["push left", "right"]}, "must name the 2 actions"),
        ({"env": "CartPole-v1", "options": {"gravity": 3}}, "cannot be made"),
        ({"env": "Script-v0", "options": {"space": gym.spaces.Box(-np.inf, np.inf, (1,))}}, "bounded Box"),
    ],
)
def test_what_cannot_be_bridged_is_said(settings, message):
    with pytest.raises(ConfigError, match=message):
        make("saccade/Gym-v0", **settings)


def test_it_is_named_on_a_command_line():
    source = TaskSource.parse('saccade/Gym-v0?env=CartPole-v1&size=64&actions=["west","east"]')
    env = source.task(3, "test").make()
    env.reset(seed=3)
    assert env.step("west()")[4]["action_error"] is None
    env.close()
