"""Reach: physics without tricks, contact decides, demonstrations, snapshots, pictures."""

import threading

import numpy as np
import pytest

from saccade.envs.embodied.control import HOLD_STEPS, RAMP_STEPS, TABLE, World
from saccade.envs.embodied.env import MOVE, Reach
from saccade.envs.embodied.tasks import CLEARANCE, COUNTS, EXTENT, FINGER_RADIUS, distance_to_way, make_scene
from saccade.envs.errors import ActionError, ConfigError, WorldFailure
from saccade.envs.palette import PALETTE
from saccade.envs.task import make

LEVELS = [1, 2, 3]


@pytest.fixture
def env():
    made = Reach(level=2)
    yield made
    made.close()


def solve(env, limit=20):
    """Follow the demonstration; rewards, endings and infos of all turns."""
    turns = []
    for demo in env.demo():
        turns.append(env.step(demo.action))
        if turns[-1][2] or turns[-1][3] or len(turns) == limit:
            break
    return turns


@pytest.mark.parametrize("level", LEVELS)
def test_demonstrations_always_succeed_in_two_to_four_moves(level):
    env = Reach(level=level)
    lengths = []
    for seed in range(100):
        env.reset(seed=seed)
        turns = solve(env)
        assert turns[-1][4]["success"], f"seed {seed}: {turns[-1][4]}"
        assert sum(turn[1] for turn in turns) == 1.0
        lengths.append(len(turns))
    env.close()
    assert set(lengths) <= {2, 3, 4}


def test_demonstrations_go_around_other_pieces_from_anywhere():
    env = Reach(level=3, max_turns=40)
    rng = np.random.default_rng(0)
    finished = bent = 0
    for seed in range(40):
        env.reset(seed=seed)
        for _ in range(4):
            x, y = rng.integers(64, size=2)
            if env.step(f"move({x}, {y})")[2]:
                break
        else:
            [goal] = {env.camera.to_pixel(env.world.pieces[env.world.layout.target])}
            bent += next(env.demo()).action != f"move({goal[0]}, {goal[1]})"
            assert solve(env)[-1][4]["success"], f"seed {seed}"
            finished += 1
    env.close()
    assert finished >= 10
    assert bent >= 3


@pytest.mark.parametrize("level", LEVELS)
def test_scenes_are_apart_on_the_table_and_free_on_the_way(level):
    rng = np.random.default_rng(0)
    for _ in range(100):
        scene = make_scene(rng, level)
        assert COUNTS[level][0] <= len(scene.pieces) <= COUNTS[level][1]
        assert len({piece.name for piece in scene.pieces}) == len(scene.pieces)
        for piece in scene.pieces:
            assert max(abs(piece.x), abs(piece.y)) + piece.reach <= EXTENT / 2
            assert 2 * piece.half / (EXTENT / 64) >= 9  # pixels at 64 x 64
            if piece != scene.goal:
                free = distance_to_way((piece.x, piece.y), scene.finger, (scene.goal.x, scene.goal.y))
                assert free >= piece.reach + FINGER_RADIUS + CLEARANCE
    if level == 2:
        assert len(scene.pieces) == 3
        assert len({piece.colour for piece in scene.pieces}) == len(scene.pieces)


def test_hard_scenes_share_the_colour_and_the_shape_of_the_target():
    rng = np.random.default_rng(1)
    for _ in range(50):
        scene = make_scene(rng, 3)
        others = [piece for piece in scene.pieces if piece != scene.goal]
        assert any(piece.colour == scene.goal.colour for piece in others)
        assert any(piece.shape == scene.goal.shape for piece in others)


def test_touching_another_piece_fails():
    env = Reach(level=3)
    for seed in range(10):
        env.reset(seed=seed)
        other = next(i for i, piece in enumerate(env.world.layout.pieces) if i != env.world.layout.target)
        x, y = env.camera.to_pixel(env.world.pieces[other])
        for _ in range(env.max_turns):
            observation, reward, terminated, _, info = env.step(f"move({x}, {y})")
            if terminated:
                break
        if not info["success"]:
            assert (reward, info["cause"]) == (0.0, "failed")
            assert observation["text"].startswith("Touched the ")
            assert env.world.layout.goal.name not in observation["text"]
            env.close()
            return
    pytest.fail("no piece but the target was ever reached")


def test_a_move_is_limited_and_ends_at_rest_where_it_should(env):
    env.reset(seed=3)
    start = env.world.mover
    x, y = (0, 0) if start[0] > 0 else (63, 0)
    env.step(f"move({x}, {y})")
    assert env.view.text == "Moved."
    moved = np.subtract(env.world.mover, start)
    aim = np.subtract(env.camera.to_table(x, y), start)
    assert np.linalg.norm(moved) == pytest.approx(MOVE, abs=3)
    assert np.dot(moved, aim) / np.linalg.norm(moved) / np.linalg.norm(aim) > 0.9999
    assert np.abs(env.world.data.qvel[:2]).max() < 0.05


def test_pieces_rest_by_contact_and_can_be_pushed_by_the_finger_alone():
    world = World(make_scene(np.random.default_rng(5), 1), TABLE)
    before = world.pieces[0]
    for _ in range(4):
        world.glide(world.mover)  # nowhere to go: time passes
    assert np.hypot(*np.subtract(world.pieces[0], before)) < 0.1
    assert world.data.ncon >= 1  # resting on the table, held by nothing else
    assert world.model.neq == 0
    touched = []
    for _ in range(12):
        touched += world.glide(before)
    assert touched
    assert np.hypot(*np.subtract(world.pieces[0], before)) > 0.1


def test_time_passes_only_by_stepping(env):
    env.reset(seed=0)
    begun = env.world.data.time
    env.step("move(63, 1)")
    assert env.view.text == "Moved."
    assert env.world.data.time - begun == pytest.approx((RAMP_STEPS + HOLD_STEPS) * 0.005)


@pytest.mark.parametrize("action", ["move(64, 3)", "move(-1, 3)", "move(3, 1e6)", "move(3)", "push(3, 3)", "touch"])
def test_bad_targets_are_feedback(env, action):
    env.reset(seed=0)
    key = env.state_key()
    observation, reward, terminated, truncated, info = env.step(action)
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert info["action_error"] in observation["text"]
    assert info["state_key"] == key


def test_targets_outside_the_picture_name_the_limit(env):
    env.reset(seed=0)
    with pytest.raises(ActionError, match="0 to 63, got 64"):
        env.act(env.action_format.parse("move(64, 3)"))


def test_running_out_of_turns_is_the_horizon():
    env = Reach(max_turns=2)
    env.reset(seed=0)
    x, y = env.camera.to_pixel(env.world.mover)
    env.step(f"move({x}, {y})")
    *_, terminated, truncated, info = env.step(f"move({x}, {y})")
    assert (terminated, truncated, info["cause"]) == (False, True, "horizon")
    env.close()


def test_shaping_is_potential_based():
    env = Reach(level=1, shaping=0.5)
    env.reset(seed=4)
    turns = solve(env)
    terms = [turn[4]["reward_terms"] for turn in turns]
    assert terms[0]["progress"] > 0.05
    assert sum(term["progress"] for term in terms) == pytest.approx(0, abs=1e-9)
    assert sum(turn[1] for turn in turns) == pytest.approx(1.0)
    env.close()


def test_same_actions_show_the_same_pixels():
    def run():
        env = Reach(level=3, max_turns=5)
        shown = [env.reset(seed=11)[0]["images"][0].tobytes()]
        for action in ("move(10, 50)", "move(60, 2)", "move(5, 5)", "move(33, 60)"):
            observation, _, terminated, truncated, info = env.step(action)
            shown.append((observation["images"][0].tobytes(), info["state_key"]))
            if terminated or truncated:
                break
        env.close()
        return shown

    assert run() == run()


def test_snapshots_continue_bit_for_bit_here_and_elsewhere():
    env, other = Reach(level=2), Reach(level=2)
    env.reset(seed=7)
    demos = env.demo()
    env.step(next(demos).action)
    snapshot = env.snapshot()

    def go_on(each):
        out = []
        for action in ("move(30, 30)", "move(2, 60)", "move(nonsense"):
            observation, reward, terminated, truncated, info = each.step(action)
            out.append((observation["text"], observation["images"][0].tobytes(), reward, terminated, info["state_key"]))
            out.append(each.world.physics().tobytes())
            if terminated or truncated:
                break
        return out

    expected = go_on(env)
    env.restore(snapshot)
    assert env.view.text == "Moved."
    assert go_on(env) == expected
    other.reset(seed=100)
    other.restore(snapshot)
    assert go_on(other) == expected
    env.reset(seed=8)
    env.restore(snapshot)
    assert go_on(env) == expected
    for each in (env, other):
        each.close()


def test_a_restored_episode_can_be_won(env):
    env.reset(seed=2)
    snapshot = env.snapshot()
    solve(env)
    env.restore(snapshot)
    assert solve(env)[-1][4]["success"]


@pytest.mark.parametrize("broken", [np.nan, 1e30, 100.0])
def test_a_diverged_simulation_is_a_world_failure(env, broken):
    env.reset(seed=0)
    env.world.data.qvel[2] = broken
    with pytest.raises(WorldFailure, match="diverged"):
        env.world.glide((0.0, 0.0))
    env.reset(seed=0)
    env.world.data.qvel[2] = broken
    *_, terminated, truncated, info = env.step("move(3, 3)")
    assert (terminated, truncated, info["cause"], info["failure"]) == (False, True, "infra", "infra")
    env.reset(seed=0)
    assert solve(env)[-1][4]["success"]


@pytest.mark.parametrize("size", [64, 96, 224])
def test_pictures_show_each_piece_in_its_colour_and_a_dark_finger(size):
    env = Reach(level=2, size=size)
    for seed in range(8):
        observation, _ = env.reset(seed=seed)
        [pixels] = observation["images"]
        assert pixels.shape == (size, size, 3)
        for piece, place in zip(env.world.layout.pieces, env.world.pieces, strict=True):
            x, y = env.camera.to_pixel(place)
            assert np.abs(pixels[y, x].astype(int) - PALETTE[piece.colour]).max() <= 8
        x, y = env.camera.to_pixel(env.world.mover)
        assert pixels[y, x].max() < 60
        assert (pixels.max(-1) < 60).sum() > 12 * (size / 64) ** 2
    env.close()


def test_pixels_and_table_are_inverse(env):
    for x, y in [(0, 0), (63, 0), (31, 32), (10, 63)]:
        assert env.camera.to_pixel(env.camera.to_table(x, y)) == (x, y)


def test_captions_name_every_piece_and_the_finger_in_order(env):
    for seed in range(10):
        env.reset(seed=seed)
        demo = next(env.demo())
        names = [piece.name for piece in env.world.layout.pieces]
        places = [demo.caption.index(name) for name in [*names, "finger ("]]
        assert places == sorted(places)
        assert demo.thought in demo.caption
        assert demo.thought.startswith(env.world.layout.goal.name)
        assert demo.action.removeprefix("move") in demo.thought


def test_another_thread_is_told_to_keep_out(env):
    env.reset(seed=0)
    caught = []

    def step():
        try:
            env.step("move(3, 3)")
        except ConfigError as error:
            caught.append(str(error))

    thread = threading.Thread(target=step)
    thread.start()
    thread.join()
    assert "thread" in caught[0]


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"level": 0}, "level must be one of 1, 2, 3"),
        ({"size": 8}, "size must be 32 to 2048"),
        ({"shaping": -1.0}, "shaping must be"),
        ({"shapping": 1.0}, "did you mean 'shaping'"),
    ],
)
def test_wrong_settings_say_what_is_allowed(settings, hint):
    with pytest.raises(ConfigError, match=hint):
        make("saccade/Reach-v0", **settings)
