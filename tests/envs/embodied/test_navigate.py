"""Navigate: a robot that only physics moves, walls that stop it, posts that decide, ways of three to six steps."""

import math
import zlib

import numpy as np
import pytest

from saccade.envs.core import TEST_SHARE
from saccade.envs.embodied.control import HOLD_STEPS, RAMP_STEPS, ROOM, World
from saccade.envs.embodied.env import Navigate
from saccade.envs.embodied.lattice import DIRECTIONS, ROBOT_RADIUS, ROOM_WIDTH, STEP, shortest_way, towards
from saccade.envs.embodied.rooms import POSTS, STEPS, Room, make_room
from saccade.envs.embodied.tasks import CLEARANCE, Piece
from saccade.envs.palette import PALETTE

LEVELS = [1, 2, 3]
EDGE = ROOM_WIDTH / 2 - ROBOT_RADIUS
"""Where the robot's centre is when it touches a wall."""


@pytest.fixture
def env():
    made = Navigate(level=2)
    yield made
    made.close()


def put(env, room):
    """Begin a room of our own."""
    env.layout = lambda rng: room
    env.draw = lambda make, rng: make(rng)
    return env.reset(seed=0)


def room(robot, *posts, target=0):
    return Room(target, robot, posts)


def post(x, y, colour="red", shape="cube"):
    return Piece(colour, shape, x, y, 58 if shape != "cylinder" else 38, 0)


def solve(env):
    """Follow the demonstration; what each step returned."""
    turns = []
    for demo in env.demo():
        turns.append(env.step(demo.action))
        if turns[-1][2] or turns[-1][3]:
            break
    return turns


@pytest.mark.parametrize("level", LEVELS)
def test_demonstrations_succeed_in_as_many_steps_as_allowed(level):
    env = Navigate(level=level)
    lengths = []
    for seed in range(50):
        env.reset(seed=seed)
        turns = solve(env)
        assert turns[-1][4]["success"], f"seed {seed}: {turns[-1][4]}"
        assert sum(turn[1] for turn in turns) == 1.0
        lengths.append(len(turns))
    env.close()
    assert STEPS[0] == min(lengths) < max(lengths) <= STEPS[1]


def test_demonstrations_find_a_way_from_anywhere():
    env = Navigate(level=3, max_turns=40)
    rng = np.random.default_rng(0)
    finished = 0
    for seed in range(25):
        env.reset(seed=seed)
        for _ in range(5):
            if env.step(f'go("{rng.choice(list(DIRECTIONS))}")')[2]:
                break
        else:
            assert solve(env)[-1][4]["success"], f"seed {seed}"
            finished += 1
    env.close()
    assert finished >= 12


@pytest.mark.parametrize("level", LEVELS)
def test_rooms_are_fair(level):
    """Posts stand apart within the walls, and nothing but the goal says which is the target."""
    rng = np.random.default_rng(0)
    nearer = farther = 0
    for _ in range(60):
        made = make_room(rng, level)
        assert len({each.name for each in made.pieces}) == len(made.pieces) == POSTS[level]
        for each in made.pieces:
            others = [other for other in made.pieces if other is not each]
            assert max(abs(each.x), abs(each.y)) + each.reach <= ROOM_WIDTH / 2
            assert 10 <= 2 * max(each.half, each.length) / 10 <= 13  # pixels at 64 x 64
            assert STEPS[0] <= len(shortest_way(made.robot, each, others)) <= STEPS[1]
            for other in others:
                assert math.dist((each.x, each.y), (other.x, other.y)) >= each.reach + other.reach + CLEARANCE
        away = [math.dist(made.robot, (each.x, each.y)) for each in made.pieces]
        nearer += min(away) < away[made.target]
        farther += max(away) > away[made.target]
    if level == 2:
        assert min(nearer, farther) >= 20
        assert nearer + farther == 60
    if level == 3:
        assert min(nearer, farther) >= 35  # three in four are expected


def test_names_of_hard_rooms_need_both_words():
    rng = np.random.default_rng(1)
    for _ in range(20):
        made = make_room(rng, 3)
        others = [each for each in made.pieces if each is not made.goal]
        assert sum(each.colour == made.goal.colour for each in others) == 1
        assert sum(each.shape == made.goal.shape for each in others) == 1


def test_a_step_is_straight_as_long_as_it_says_and_ends_at_rest(env):
    put(env, room((0, 0), post(230, 230)))
    for name, along in DIRECTIONS.items():
        start, begun = env.world.mover, env.world.data.time
        env.step(f'go("{name}")')
        assert env.view.text == "Moved."
        assert np.subtract(env.world.mover, start) == pytest.approx(np.multiply(along, STEP), abs=0.3)
        assert np.abs(env.world.data.qvel).max() < 0.05
        assert env.world.data.time - begun == pytest.approx((RAMP_STEPS + HOLD_STEPS) * 0.005)
    assert env.world.mover == pytest.approx((0, 0), abs=0.5)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_walls_stop_the_robot_and_end_nothing(env, direction):
    put(env, room((60, -40), post(-200, 200), post(200, 200, "blue")))
    along = np.array(DIRECTIONS[direction])
    for _ in range(4):
        *_, terminated, truncated, info = env.step(f'go("{direction}")')
        assert (terminated, truncated, info["cause"]) == (False, False, None)
    assert env.view.text == "Blocked."
    assert np.dot(env.world.mover, along) == pytest.approx(EDGE, abs=1.5)
    assert env.world.data.ncon >= 1  # held by the wall, by nothing else
    key = info["state_key"]
    assert env.step(f'go("{direction}")')[4]["state_key"] == key
    aside = next(name for name in ("up", "left") if not np.dot(DIRECTIONS[name], along))
    before = env.world.mover
    env.step(f'go("{aside}")')  # along the wall
    assert math.dist(env.world.mover, before) == pytest.approx(STEP, abs=2)


def test_the_first_contact_decides_and_is_physical(env):
    put(env, room((-230, 10), post(200, 0, "red"), post(0, 0, "blue")))
    env.step('go("right")')
    assert env.view.text == "Moved."
    observation, reward, terminated, truncated, info = env.step('go("right")')
    assert (reward, terminated, truncated, info["cause"]) == (0.0, True, False, "failed")
    assert observation["text"] == "Touched the blue cube."
    assert env.world.mover[0] == pytest.approx(-58 - ROBOT_RADIUS, abs=6)  # a millisecond is a millimetre
    assert env.world.model.neq == 0


@pytest.mark.parametrize("shape", ["cube", "ball", "cylinder"])
def test_the_named_post_is_success_and_stands_fast(env, shape):
    put(env, room((-150, 30), post(0, 0, "blue", shape), post(-150, -200, "red")))
    observation, reward, terminated, _, info = env.step('go("right")')
    assert (reward, terminated, info["cause"]) == (1.0, True, "goal")
    assert observation["text"] == f"Touched the blue {shape}."
    assert env.world.pieces[0] == (0.0, 0.0)
    assert shortest_way((-150, 30), env.world.layout.pieces[0], []) == ["right"]


def test_the_plan_knows_how_far_the_robot_comes_before_it_touches():
    """The plan's geometry against the physics, at many offsets: sure touches touch, free steps are free."""
    touches = frees = 0
    for index, shape in enumerate(["cube", "ball", "cylinder"] * 30):
        made = room((-100, -130 + 3 * index), post(40, 0, "blue", shape))
        touched = World(made, ROOM).glide((0, -130 + 3 * index))
        if shortest_way(made.robot, made.goal, [], 1):
            assert touched == [0]
            touches += 1
        elif not shortest_way(made.robot, made.goal, [], 1, sure=-3):
            assert touched == []
            frees += 1
    assert min(touches, frees) >= 15


def test_ways_go_around_other_posts_and_first_along_the_longer_axis():
    target, other = post(200, 0), post(0, 0, "blue")
    assert shortest_way((-200, 0), target, []) == ["right"] * 3
    around = shortest_way((-200, 0), target, [other])
    assert len(around) > 3
    assert {"up", "down"} & set(around)
    assert shortest_way((-200, -100), post(200, 180), [])[0] == "right"
    assert shortest_way((-100, -200), post(120, 200), [])[0] == "up"
    assert shortest_way((-240, -240), post(240, 240), [], limit=3) == []
    assert towards((0, 0), post(30, -200)) == ["down", "right", "left", "up"]


def test_a_robot_beside_a_post_may_leave_but_not_come_nearer():
    target, other = post(-200, 200), post(0, 0, "blue")
    beside = (-58 - ROBOT_RADIUS - 2, 0)  # a gap of 2 mm
    assert shortest_way(beside, target, [other])[0] == "up"
    assert "right" not in shortest_way(beside, post(200, 200), [other])[:1]


@pytest.mark.parametrize("action", ['go("north")', "go(3)", "go()", 'go("up", "up")', "move(3, 3)", "up"])
def test_other_actions_are_feedback(env, action):
    env.reset(seed=0)
    key = env.state_key()
    observation, reward, terminated, truncated, info = env.step(action)
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert info["action_error"] in observation["text"]
    assert info["state_key"] == key


def test_shaping_is_potential_based():
    env = Navigate(level=1, shaping=0.5)
    env.reset(seed=4)
    terms = [turn[4]["reward_terms"] for turn in solve(env)]
    assert terms[0]["progress"] > 0.03
    assert sum(term["progress"] for term in terms) == pytest.approx(0, abs=1e-9)
    env.close()


def test_snapshots_continue_bit_for_bit_here_and_elsewhere():
    env, other = Navigate(level=3), Navigate(level=3)
    env.reset(seed=7)
    env.step(next(env.demo()).action)
    snapshot = env.snapshot()

    def go_on(each):
        out = []
        for direction in ("left", "left", "down", "right"):
            observation, reward, terminated, _, info = each.step(f'go("{direction}")')
            out.append((observation["text"], observation["images"][0].tobytes(), reward, terminated, info["state_key"]))
            out.append(each.world.physics().tobytes())
            if terminated:
                break
        return out

    expected = go_on(env)
    env.restore(snapshot)
    assert go_on(env) == expected
    other.reset(seed=100)
    other.restore(snapshot)
    assert go_on(other) == expected
    other.restore(snapshot)
    assert solve(other)[-1][4]["success"]
    for each in (env, other):
        each.close()


def test_splits_share_no_room():
    rooms = {}
    for split in ("train", "test"):
        env = Navigate(level=1, split=split)
        rooms[split] = set()
        for seed in range(20):
            env.reset(seed=seed)
            rooms[split].add(env.world.layout)
        env.close()
        for made in rooms[split]:  # by content: seeds alone would hardly ever draw one room twice
            assert (zlib.crc32(repr(made).encode()) % TEST_SHARE == 0) == (split == "test")
    assert not rooms["train"] & rooms["test"]
    assert len(rooms["train"]) == len(rooms["test"]) == 20


@pytest.mark.parametrize("size", [64, 224])
def test_pictures_show_the_posts_in_their_colours_and_a_robot_like_nothing_else(size):
    env = Navigate(level=3, size=size)
    for seed in range(5):
        [pixels] = env.reset(seed=seed)[0]["images"]
        for each, place in zip(env.world.layout.pieces, env.world.pieces, strict=True):
            x, y = env.camera.to_pixel(place)
            assert np.abs(pixels[y, x].astype(int) - PALETTE[each.colour]).max() <= 8
        x, y = env.camera.to_pixel(env.world.mover)
        assert pixels[y, x].max() < 90
        dark = np.argwhere(pixels.max(-1) < 60)  # (row, column)
        assert len(dark) > 25 * (size / 64) ** 2
        assert np.abs(dark - (y, x)).max() <= 6 * size / 64  # all of it is the robot
    env.close()


def test_captions_name_every_post_and_the_robot_in_order(env):
    for seed in range(5):
        observation, _ = env.reset(seed=seed)
        assert observation["text"] == f"Go to the {env.world.layout.goal.name}."
        demo = next(env.demo())
        names = [each.name for each in env.world.layout.pieces]
        places = [demo.caption.index(name) for name in [*names, "robot ("]]
        assert places == sorted(places)
        target, robot = demo.thought.split(" robot ")
        assert target.startswith(env.world.layout.goal.name)
        assert target in demo.caption
        assert demo.caption.endswith(f"robot {robot}")


def test_running_out_of_turns_is_the_horizon(env):
    put(env, room((0, -250), post(-200, 200)))
    for _ in range(env.max_turns):
        *_, terminated, truncated, info = env.step('go("down")')
    assert (terminated, truncated, info["cause"]) == (False, True, "horizon")
