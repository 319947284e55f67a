"""What every site keeps: demonstrations solve it, chance does not, and episodes leave nothing behind."""

import importlib
import random

import gymnasium as gym
import pytest

from saccade.envs import ENVIRONMENTS
from saccade.envs.gui.sites.base import LEVELS

pytestmark = pytest.mark.browser
SITES = sorted(id for id, entry in ENVIRONMENTS.items() if ".gui.sites." in entry)
REFS = {"actions": ("ref",), "observe": ("tree",)}
SMALL = {"viewport": (320, 200)}
A_FEW_OR_MANY = pytest.mark.parametrize(
    "many", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["few", "many"]
)


@pytest.fixture(scope="module")
def make():
    made = {}

    def make_(id, **settings):
        key = id, repr(settings)
        if key not in made:
            made[key] = gym.make(id, **settings).unwrapped
        return made[key]

    yield make_
    for env in made.values():
        env.close()


def solve(env, seed, **reset):
    """Play the demonstration; the info of the last step, how many actions it took and which pages it saw."""
    env.reset(seed=seed)
    pages, actions = {tuple(env.sight.page["path"])}, 0
    while True:
        before = env.sight.page
        *_, terminated, truncated, info = env.step(next(env.demo()).action)
        actions += 1
        assert info["action_error"] is None
        pages.add(tuple(env.sight.page["path"]))
        assert env.sight.page != before or env.shown != ("screenshot",), "an action without effect"
        if terminated or truncated:
            return info, actions, pages


@A_FEW_OR_MANY
@pytest.mark.parametrize("id", SITES)
def test_demonstrations_solve_every_level_with_pixels_and_with_refs(make, id, many):
    ways = (
        [(level, each) for level in LEVELS for each in ({}, REFS, SMALL)] if many else [(1, SMALL), (2, {}), (3, REFS)]
    )
    for seed, (level, settings) in enumerate(ways):
        info, actions, pages = solve(make(id, level=level, **settings), seed)
        assert info["success"], (level, seed, settings)
        if level == 3 and settings == REFS:
            assert actions >= 4 and len(pages) >= 3


@A_FEW_OR_MANY
@pytest.mark.parametrize("id", SITES)
def test_demonstrations_go_on_from_where_others_left(make, id, many):
    env, rng = make(id, level=3, max_turns=60), random.Random(0)
    solved = played = 0
    for seed in range(4 if many else 1):
        env.reset(seed=seed)
        over = False
        for _ in range(4):  # first a few random actions
            *_, terminated, truncated, _ = env.step(env.sample_action(rng))
            over = over or terminated or truncated
            if over:
                break
        while not over:
            demo = next(env.demo(), None)
            if demo is None:
                break
            *_, terminated, truncated, info = env.step(demo.action)
            over = terminated or truncated
            if over:
                played += 1
                solved += info["success"]
    assert solved == played


@A_FEW_OR_MANY
@pytest.mark.parametrize("id", SITES)
def test_chance_does_not_solve_the_top_level(make, id, many):
    env, rng = make(id, level=3, **REFS), random.Random(1)
    successes = 0
    for seed in range(8 if many else 1):
        env.reset(seed=seed)
        for _ in range(env.max_turns):
            *_, terminated, truncated, info = env.step(env.sample_action(rng))
            if terminated or truncated:
                break
        successes += info["success"]
    assert successes == 0


@pytest.mark.parametrize("id", SITES)
def test_the_same_seed_is_the_same_episode_in_a_new_context_and_in_a_used_one(make, id):
    used, fresh = make(id), make(id, fresh_context=True)
    for env in (used, fresh):
        env.reset(seed=5)
    for _ in range(3):
        assert used.view.images[0].digest == fresh.view.images[0].digest
        assert used.sight.page == fresh.sight.page and used.state_key() == fresh.state_key()
        action = next(used.demo()).action
        assert action == next(fresh.demo()).action
        over = [env.step(action)[2] for env in (used, fresh)]
        if any(over):
            break


def test_goals_differ_and_levels_too():
    for id in SITES:
        goals = []
        module, _, name = ENVIRONMENTS[id].partition(":")
        for level in LEVELS:
            env = getattr(importlib.import_module(module), name)(level=level)
            drawn = [env.draw(env.make, env._task_rng(seed)) for seed in range(40)]
            assert len({each.goal for each in drawn}) >= 8, (id, level)
            assert all(each.begin != each.want for each in drawn)
            goals.append({repr(each) for each in drawn})
        assert not goals[0] & goals[1] and not goals[1] & goals[2]


def test_an_address_that_stands_for_no_text_is_no_page(make):
    env = make("saccade/ShopOrder-v0", level=1, actions=("nav",))
    env.reset(seed=0)
    for address in ("/%zz", "/kind/%"):
        *_, info = env.step(f"goto('{address}')")
        assert "failure" not in info and info["action_error"] is None
        assert env.sight.page["path"] == address.split("/")[1:]


def test_a_key_that_was_held_down_is_up_in_the_next_episode(make):
    env = make("saccade/ShopOrder-v0", level=1)
    env.reset(seed=0)
    *_, info = env.step("keyboard_down('Shift')")
    assert info["action_error"] is None
    assert solve(env, 0)[0]["success"], "the city was written in capital letters"
