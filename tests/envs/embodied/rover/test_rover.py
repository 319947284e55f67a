"""The mobile robot: what moves it, what it sees and feels, and when each of its tasks is done."""

import math

import numpy as np
import pytest

from saccade.envs.embodied.rover.errands import CLOSE, Avoid, Fetch, GoTo, GoToRoom
from saccade.envs.embodied.rover.houses import Door, House, Thing
from saccade.envs.embodied.rover.surveys import BehindWall, Explore, _answer, _question, plain
from saccade.envs.errors import ConfigError

TASKS = (GoTo, GoToRoom, Avoid, Fetch, Explore, BehindWall)
ROOM = ((0, 0),)
BALL = Thing("red", "ball", 800, 0, 100)


@pytest.fixture
def begun():
    """Begins a house of our own."""
    made = []

    def begin(task, house, **settings):
        env = task(**({"size": 64, "jitter": 0.0} | settings))
        env.layout, env.draw = (lambda rng: house), (lambda make, rng: make(rng))
        env.reset(seed=0)
        made.append(env)
        return env

    yield begin
    for env in made:
        env.close()


def goto(*things, heading=0, robot=(0, 0), **rest):
    return House((*robot, heading), ROOM, things=things, words=things[0].name, **rest)


def says(env, action):
    observation, *_, info = env.step(action)
    return observation["text"], info


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("task", TASKS)
def test_demonstrations_succeed_at_every_level_and_action_level(task, level):
    for actions, seeds in (("skills", (0, 1)), ("velocity", (2,))):
        env = task(level=level, actions=actions, size=64)
        for seed in seeds:
            env.reset(seed=seed)
            total, info = 0.0, {}
            for demo in env.demo():
                assert len(demo.thought) < 40
                _, reward, *_, info = env.step(demo.action)
                total += reward
                assert info["action_error"] is None
                if info["cause"]:
                    break
            assert info["success"] and total == 1.0, (actions, seed, info)
        env.close()


def test_it_drives_as_far_as_it_is_told_and_turns_to_the_left(begun):
    env = begun(GoTo, goto(BALL, robot=(-800, -500)))
    assert says(env, "forward(1.2)")[0] == "Moved 1.20 m."
    assert env.rover.place == pytest.approx((0.4, -0.5), abs=0.01)
    assert says(env, "turn(90)")[0] == "Turned 90 degrees."
    assert env.rover.heading == pytest.approx(90, abs=1)
    says(env, "forward(-0.3)")
    assert env.rover.place == pytest.approx((0.4, -0.8), abs=0.02)
    assert np.abs(env.simulation.data.qvel[:3]).max() < 0.02  # at rest


def test_a_drive_is_an_arc(begun):
    env = begun(GoTo, goto(BALL, robot=(-500, -500)), actions="velocity")
    assert says(env, "drive(0.3, 45, 2)")[0] == "Moved 0.54 m and 90 degrees."
    radius = 0.6 / (math.pi / 2)
    assert env.rover.place == pytest.approx((-0.5 + radius, -0.5 + radius), abs=0.03)
    assert says(env, "drive(0.6, 0, 1)")[1]["action_error"] == "speed must be -0.5 to 0.5, got 0.6"


def test_a_wall_stops_it_and_is_not_walked_through(begun):
    env = begun(GoTo, goto(Thing("red", "ball", -900, -900, 100)))
    text, _ = says(env, "forward(2)")
    assert text.startswith("Blocked after 0.9")
    for _ in range(3):
        says(env, "forward(2)")
    x, y = env.rover.place
    assert x < 0.95 and abs(y) < 0.02


def test_only_what_is_before_it_is_in_its_picture(begun):
    env = begun(GoTo, goto(BALL))
    (x, _), *_ = env.visible().values()
    assert abs(x - 31.5) < 2
    says(env, "turn(20)")
    assert env.visible()[0][0] > 40  # it turned left: the ball moved right
    says(env, "turn(160)")
    assert env.visible() == {}
    says(env, "look(90, 0)")
    says(env, "turn(90)")
    assert abs(env.visible()[0][0] - 31.5) < 3


@pytest.mark.parametrize("action", ["forward(2.1)", "turn(181)", "look(91, 0)", "look(0, -51)"])
def test_what_is_out_of_range_is_an_error_and_nothing_moves(begun, action):
    env = begun(GoTo, goto(BALL))
    before = env.simulation.state()
    assert "must be" in says(env, action)[1]["action_error"]
    assert np.array_equal(env.simulation.state(), before)


def test_nothing_is_placed_by_hand_after_the_start(begun):
    """Between two physics steps no position changes."""
    env = begun(Fetch, goto(Thing("red", "cube", 700, 0, 50), pad=(-800, 0)))
    data, mujoco = env.simulation.data, env.simulation._mujoco
    before, far = data.qpos.copy(), []
    step = mujoco.mj_step

    def watched(model, data, nstep=1):
        nonlocal before
        far.append(np.abs(data.qpos - before).max())
        step(model, data, nstep)
        before = data.qpos.copy()

    class Watched:
        mj_step = staticmethod(watched)

        def __getattr__(self, name):
            return getattr(mujoco, name)

    env.simulation._mujoco = Watched()
    for action in ("turn(10)", "forward(0.4)", "grip()", "forward(-0.3)"):
        says(env, action)
    assert len(far) > 50 and max(far) == 0.0


def test_going_somewhere_is_being_near_and_saying_so(begun):
    env = begun(GoTo, goto(BALL, Thing("blue", "ball", -900, 0, 100)))
    assert says(env, "forward(0.2)")[1]["subgoals"] == {"near": True, "done": False}
    assert env.gap(0) < CLOSE
    assert says(env, "done()")[1]["cause"] == "goal"
    env = begun(GoTo, goto(BALL, heading=180))
    says(env, "forward(0.6)")
    assert says(env, "done()")[1]["cause"] == "failed"


def test_a_room_is_known_by_its_floor(begun):
    house = House((0, 0, 0), ((0, 0), (1, 0)), (Door(0, 1, 0),), target=1, floors=("red", "blue"), words="blue")
    env = begun(GoToRoom, house)
    assert says(env, "forward(1.2)")[1]["subgoals"]["inside"] is False
    assert says(env, "forward(0.6)")[1]["subgoals"]["inside"] is True
    assert says(env, "done()")[1]["cause"] == "goal"
    picture = env.view.images[-1].pixels.astype(int)
    assert picture[-16:, 24:40, 2].mean() > picture[-16:, 24:40, 0].mean() + 20  # blue before its feet


def test_touching_anything_fails_avoid_and_says_what(begun):
    pillar = Thing("green", "cylinder", 700, 0, 120)
    env = begun(Avoid, goto(pillar, pad=(-800, 0)))
    text, info = says(env, "forward(1)")
    assert text == "Bumped into the green cylinder." and info["cause"] == "failed"
    env = begun(Avoid, goto(pillar, pad=(-800, 0)))
    assert says(env, "forward(-0.8)")[1]["cause"] == "goal"


def test_a_thing_is_held_carried_and_put_down(begun):
    cube = Thing("red", "cube", 700, 0, 50, 30)
    env = begun(Fetch, goto(cube, pad=(-700, 0)))
    assert says(env, "release()")[1]["action_error"] == "the gripper is empty"
    assert "nothing to grip" in says(env, "grip()")[1]["action_error"]
    says(env, "forward(0.43)")
    assert says(env, "grip()")[0] == "Holding the red cube."
    assert env.simulation.data.xpos[env._first, 2] > 0.08  # it hangs in the air, by friction alone
    assert env.simulation.model.neq == 0
    for action in ("turn(180)", "forward(0.86)"):
        says(env, action)
        assert env.holding() == 0
    assert says(env, "grip()")[1]["action_error"].startswith("the gripper is not empty")
    _, info = says(env, "release()")
    assert info["cause"] == "goal" and info["subgoals"] == {"gripped": True, "delivered": True}
    assert env.simulation.data.xpos[env._first, 2] < 0.06


def test_the_wrong_thing_on_the_disc_fails(begun):
    wrong, right = Thing("blue", "cube", 700, 0, 50), Thing("red", "cube", 900, 900, 50)
    env = begun(Fetch, House((0, 0, 0), ROOM, things=(right, wrong), pad=(820, 0), words="red cube"))
    for action in ("forward(0.43)", "grip()", "forward(0.1)"):
        says(env, action)
    assert says(env, "release()")[1]["cause"] == "failed"


def test_a_survey_asks_for_a_look_around_and_the_right_number(begun):
    house = goto(BALL, Thing("red", "cube", -800, 0, 100), answer="2")
    env = begun(Explore, House(house.robot, house.rooms, (), house.things, words="red objects", answer="2"))
    assert env.potential() == 0
    for _ in range(3):
        assert env.plan().action != "report(2)"
        says(env, "turn(90)")
    assert env.potential() == 1 and env.plan().action == "report(2)"
    assert says(env, "report(3)")[1]["cause"] == "failed"


def test_answers_are_read_as_people_write_them():
    assert [plain(each) for each in (" Three. ", "3", "The red", "YES", "ten")] == ["3", "3", "red", "yes", "10"]


def test_what_is_behind_the_wall_is_not_seen_from_before_it():
    env = BehindWall(level=3, size=64)
    for seed in range(4):
        env.reset(seed=seed)
        behind = {index for index, thing in enumerate(env.things) if thing.y > env.middle}
        assert behind
        y = env.content.robot[1]
        env.rover.put(env.middle / 1000, y / 1000, 90)  # straight before it
        assert not behind & set(env.visible())
    env.close()


def test_nothing_but_the_picture_tells_the_answers():
    """All answers are as likely, and each kind of question is asked in several ways."""
    rng = np.random.default_rng(0)
    for task, level in ((Explore, 1), (BehindWall, 2)):
        env = task(level=level)
        houses = [env.layout(rng) for _ in range(150)]
        counts = [sum(house.answer == str(number) for house in houses) for number in range(5)]
        assert min(counts) >= 15 and sum(counts) == 150
        assert len({house.phrase for house in houses}) == 3
        env.close()


def test_yes_is_as_likely_as_no():
    rng = np.random.default_rng(0)
    said = [_question(rng, 2, _answer(rng, 2), shaped=True)[3] for _ in range(2000)]
    assert 900 < said.count("yes") < 1100


def test_counts_are_counted():
    env, rng = Explore(level=3), np.random.default_rng(1)
    for _ in range(20):
        house = env.layout(rng)
        colour, shape = house.words.split()
        assert sum(each.name == f"{colour} {shape[:-1]}" for each in house.things) == int(house.answer)
    env.close()


@pytest.mark.parametrize("task", TASKS)
def test_a_branch_goes_on_as_the_original(task):
    env = task(level=2, size=64)
    env.reset(seed=3)
    env.step("forward(0.4)")
    saved = env.snapshot()

    def go_on():
        came = [env.step(action) for action in ("turn(35)", "look(20, -30)", "forward(-0.2)")]
        return [
            (each[0]["images"][0].tobytes(), each[1], each[4]["state_key"]) for each in came
        ], env.simulation.state()

    first, state = go_on()
    env.restore(saved)
    again, repeated = go_on()
    assert again == first and np.array_equal(state, repeated)
    env.close()


def test_options_of_the_picture_are_shown():
    env = GoTo(level=2, size=64, cameras=("ego", "overhead"), depth=True, marks=True, proprioception=True, video=3)
    observation, _ = env.reset(seed=0)
    assert len(observation["images"]) == 4 and "heading" in observation["text"]
    observation, *_ = env.step("forward(0.5)")
    assert observation["videos"][0].shape == (3, 64, 64, 3)
    env.close()


def test_bad_settings_are_refused():
    with pytest.raises(ConfigError, match="actions must be skills or velocity"):
        GoTo(actions="legs")
    with pytest.raises(ConfigError, match="unknown camera 'head'"):
        GoTo(cameras="head")
