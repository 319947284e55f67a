"""The arm: nothing moves by magic, skills say what happened, and every task can be done from anywhere."""

import random
import re
from pathlib import Path

import numpy as np
import pytest

from saccade.envs import ENVIRONMENTS
from saccade.envs.embodied.arm.env import Scene
from saccade.envs.embodied.arm.pick import PickUp
from saccade.envs.embodied.arm.place import PlaceOn, StackUp
from saccade.envs.embodied.arm.push import PushTo
from saccade.envs.embodied.arm.things import Thing
from saccade.envs.embodied.arm.words import refer
from saccade.envs.embodied.arm.work import OpenDrawer, PressButton
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Image, Video
from saccade.envs.task import make

IDS = [id for id, entry in ENVIRONMENTS.items() if ".embodied.arm." in entry]
RED = Thing("red", "cube", 60, -40, 20, 15)
BLUE = Thing("blue", "cylinder", -90, -120, 22, 0)


def put(env, *things, wanted=((0,),), items=()):
    """Begin a scene of our own."""
    env.layout = lambda rng: Scene("Do it.", wanted, things, items)
    env.draw = lambda make, rng: make(rng)
    return env.reset(seed=0)


@pytest.fixture
def pick():
    made = PickUp(size=64, jitter=0, targets="millimetres", max_turns=9)
    yield made
    made.close()


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("id", IDS)
def test_demonstrations_succeed(id, level):
    env = make(id, level=level, size=64)
    for seed in range(2):
        env.reset(seed=seed)
        total = 0.0
        for demo in env.unwrapped.demo():
            *_, info = result = env.step(demo.action)
            total += result[1]
            assert info["action_error"] is None
        assert info["success"], (seed, info)
        assert total == pytest.approx(1)
    env.close()


def test_nothing_is_placed_by_hand_after_the_reset(pick, monkeypatch):
    """Between two steps of the simulation no position changes, and no constraint glues."""
    put(pick, RED, BLUE)
    simulation = pick.simulation
    assert simulation.model.neq == 0
    assert simulation.model.nmocap == 0
    seen = []
    run = type(simulation).run

    def checked(self, controls, repeat=1):
        if seen:
            assert np.array_equal(seen[-1], self.data.qpos)
        run(self, controls, repeat)
        seen.append(self.data.qpos.copy())

    monkeypatch.setattr(type(simulation), "run", checked)
    assert pick.step("pick(60, -40)")[4]["success"]
    assert len(seen) > 4


def test_what_is_held_is_held_by_friction(pick):
    put(pick, RED, BLUE, wanted=((1,),))
    pick.step("pick(60, -40)")
    red = pick.things[0]
    assert pick.arm.held() == red
    model = pick.simulation.model
    model.geom_friction[:] = 0  # as if wet
    pick.simulation.hold(200)
    assert pick.arm.held() is None
    assert pick.place_of(red)[2] < 0.1


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("pick(0, 100)", "nothing to pick up"),
        ("pick(1000, 1000)", "nothing"),
        ("pick(310, -310)", "nothing to pick up"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_moves(pick, action, said):
    put(pick, RED, BLUE)
    before = pick.simulation.state()
    observation, reward, terminated, _, info = pick.step(action)
    assert said in info["action_error"]
    assert info["action_error"] in observation["text"]
    assert (reward, terminated) == (0.0, False)
    assert np.array_equal(pick.simulation.state(), before)


def test_out_of_reach_and_a_full_hand_are_refused():
    env = PlaceOn(size=64, jitter=0, targets="millimetres", max_turns=9)
    put(env, RED, BLUE, wanted=((1, 0),), items=())
    env.reached = lambda: {"never": False}
    assert "nothing in the hand" in env.step("place(0, 0)")[4]["action_error"]
    assert env.step("pick(60, -40)")[4]["action_error"] is None
    assert "holds the red cube" in env.step("pick(-90, -120)")[4]["action_error"]
    assert "out of the arm's reach" in env.step("place(320, -320)")[4]["action_error"]
    assert "Placed the red cube" in env.step("place(-50, 40)")[0]["text"]
    place = env.place_of(env.things[0])
    assert np.abs(place - [-0.05, 0.04, 0.02]).max() < 0.006
    env.close()


def test_pixels_outside_the_picture_are_refused():
    env = PickUp(size=64)
    env.reset(seed=0)
    assert "inside the picture, 0 to 63" in env.step("pick(64, 3)")[4]["action_error"]
    env.close()


def test_lifting_another_thing_fails(pick):
    put(pick, RED, BLUE)
    _, reward, terminated, _, info = pick.step("pick(-90, -120)")
    assert (reward, terminated, info["cause"]) == (0.0, True, "failed")


def test_the_order_of_buttons_counts():
    env = PressButton(level=3, size=64)
    env.reset(seed=0)
    first, second = (item for (item,) in env.content.wanted)
    _, _, terminated, _, info = env.step(env.say("press", (env.items[first], None)).action)
    assert not terminated
    assert list(info["subgoals"].values()) == [True, False]
    env.reset(seed=0)
    *_, info = env.step(env.say("press", (env.items[second], None)).action)
    assert info["cause"] == "failed"
    env.close()


def test_the_drawer_to_open_is_on_either_side():
    env = OpenDrawer(level=2)
    left = 0
    for seed in range(40):
        scene = env.draw(env.layout, env._task_rng(seed))
        ((target, _),) = scene.wanted
        left += scene.items[target].x < scene.items[1 - target].x
    assert 8 < left < 32


@pytest.mark.parametrize("cls", [PressButton, PushTo])
def test_a_mark_does_not_tell_what_the_task_is_about(cls):
    env = cls(level=2, size=32, targets="marks")
    numbers = set()
    for seed in range(8):
        env.reset(seed=seed)
        numbers.add(env.marked().index((env.things or env.items)[env.content.wanted[0][0]]))
    assert len(numbers) > 1
    env.close()


def test_a_planner_recovers_from_what_a_random_agent_left():
    env = StackUp(level=2, size=64, max_turns=30)
    env.reset(seed=3)
    rng = random.Random(0)
    env.step(next(env.demo()).action)
    for _ in range(5):
        env.step(env.sample_action(rng))
    for demo in env.demo():
        *_, terminated, truncated, info = env.step(demo.action)
        if terminated or truncated:
            break
    assert info["success"]
    env.close()


def test_a_branch_from_the_middle_is_the_original_continuation():
    env, other = (StackUp(level=2, size=64, depth=True, video=2) for _ in range(2))
    env.reset(seed=1)
    env.step(next(env.demo()).action)
    middle = env.snapshot()
    action = next(env.demo()).action
    expected = env.step(action)
    other.reset(seed=2)
    other.restore(middle)
    for again in (other.step(action),):
        assert again[1] == expected[1]
        assert again[4]["state_key"] == expected[4]["state_key"]
        for key in ("images", "videos"):
            assert all(np.array_equal(a, b) for a, b in zip(again[0][key], expected[0][key], strict=True))
    assert np.array_equal(env.simulation.state(), other.simulation.state())
    env.close()
    other.close()


def test_every_way_of_looking():
    env = PickUp(
        size=48, cameras=("overhead", "front", "wrist"), depth=True, marks=True, proprioception=True, video=3, level=2
    )
    env.reset(seed=0)
    assert len(env.view.images) == 6
    assert "Hand at (0, 190, 260) mm" in env.view.text
    env.step(next(env.demo()).action)
    (video,) = [part for part in env.view.parts if isinstance(part, Video)]
    assert video.frames.shape == (3, 48, 48, 3)
    assert video.fps == 10
    assert "holding something" in env.view.text
    assert all(isinstance(part, Image) for part in env.view.images)
    grey = env.view.images[1].pixels
    assert (grey == grey[..., :1]).all()
    assert len(np.unique(grey)) > 2
    env.close()


@pytest.mark.parametrize("targets", ["pixels", "millimetres", "marks"])
def test_demonstrations_speak_every_way_of_naming_places(targets):
    for cls in (PushTo, StackUp):
        env = cls(size=64, targets=targets)
        env.reset(seed=0)
        for demo in env.demo():
            info = env.step(demo.action)[4]
        assert info["success"]
        env.close()


def test_deltas_move_the_hand_by_what_they_say():
    env = PickUp(size=64, actions="deltas")
    env.reset(seed=0)
    before, opening = env.arm.tip, env.arm.opening
    env.step("move(-60, -80, -50)")
    assert env.arm.tip - before == pytest.approx([-0.06, -0.08, -0.05], abs=1.5e-3)
    env.step("open()")
    assert env.arm.opening > opening + 0.05
    angle = env.arm.pose.angle
    env.step("rotate(30)")
    assert np.degrees(env.arm.pose.angle - angle) == pytest.approx(30, abs=1)
    assert "at most 150" in env.step("move(500, 0, 0)")[4]["action_error"]
    assert list(env.demo()) == []
    env.close()


def test_joints_turn_by_what_they_say():
    env = PickUp(size=64, actions="joints")
    env.reset(seed=0)
    before = env.arm.posture
    env.step("joints(10, -5, 5, 0, 20)")
    assert np.degrees(env.arm.posture - before) == pytest.approx([10, -5, 5, 0, 20])
    assert np.degrees(env.simulation.data.qpos[:5] - before) == pytest.approx([10, -5, 5, 0, 20], abs=0.3)
    assert "limits" in [env.step("joints(0, -30, -10, 0, 0)")[4]["action_error"] for _ in range(4)][-1]
    env.close()


def test_subgoals_pay_and_are_taken_back():
    env = StackUp(size=64, level=3, subgoals=0.5, shaping=0.2)
    env.reset(seed=0)
    rewards = []
    for demo in env.demo():
        _, reward, *_, info = env.step(demo.action)
        rewards.append(reward)
        assert sum(info["reward_terms"].values()) == pytest.approx(reward)
    assert info["success"]
    assert sum(rewards) == pytest.approx(1.5)  # shaping sums to zero: nothing was done at the start
    assert rewards[1] == pytest.approx(0.25 + 0.1)
    env.close()


def test_two_alike_are_told_apart_by_where_they_lie():
    things = (RED, Thing("red", "cube", -100, -40, 20, 0), BLUE)
    said = {refer(np.random.default_rng(seed), things, 0) for seed in range(30)}
    assert said == {"the red cube on the right", "the red cube farther from the blue cylinder"}
    assert refer(np.random.default_rng(0), things, 2) == "the blue cylinder"
    assert refer(np.random.default_rng(0), (RED, Thing("red", "cube", 70, -30, 20, 0)), 0) is None


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"actions": "skill"}, "did you mean 'skills'"),
        ({"targets": "pixel"}, "did you mean 'pixels'"),
        ({"cameras": "overheat"}, "did you mean 'overhead'"),
        ({"cameras": ()}, "at least one"),
        ({"level": 4}, "level must be one of 1, 2, 3"),
        ({"size": 8}, "size must be 32 to 2048"),
        ({"video": -1}, "video must be"),
        ({"jitter": float("nan")}, "jitter must be"),
    ],
)
def test_wrong_settings_are_named(settings, said):
    with pytest.raises(ConfigError, match=said):
        make("saccade/PickUp-v0", **settings)


def test_the_task_of_the_docs_can_be_done():
    page = Path(__file__).parents[4] / "docs" / "embodied.md"
    example = next(code for code in re.findall(r"```python\n(.*?)```", page.read_text(), re.S) if "MoveLeft" in code)
    names = {}
    exec(compile(example, str(page), "exec"), names)
    env = names["MoveLeft"](level=2, size=64)
    env.reset(seed=0)
    turns = [env.step(demo.action) for demo in env.demo()]
    assert turns[-1][4]["success"]
    env.close()
