"""Every task of MiniWoB++: it loads, it is the same again, its clock is off, and its demonstration is worth 1."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from saccade.envs.gui.miniwob import MiniWoB
from saccade.envs.gui.miniwob_demos import SOLVERS, Page
from saccade.envs.gui.miniwob_tasks import ANIMATED, TASKS

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("miniwob")]  # every task is visited once, for all tests

CLOCK = "[core.EPISODE_MAX_TIME, getComputedStyle(document.getElementById('reward-display')).display]"
WORKERS = 3


def solve(env):
    """Play the demonstration of the episode that has begun; how it ended."""
    info = {"cause": "no demonstration"}
    for turn in env.demo():
        _, reward, terminated, truncated, info = env.step(turn.action)
        assert info["action_error"] is None, turn.action
        if terminated or truncated:
            return reward, info
    raise AssertionError(f"{env.goal!r}: {info['cause']}")


def give_up_early(env):
    """Submit at once, where the page has a button for that and the task is not solved already; how it ended."""
    button = Page.of(env.on_page(lambda tab: tab.evaluate("saccade.look()")), 1.0).submit
    if button is None or button.place is None:
        return None
    action = f"mouse_click{tuple(button.place)}"
    if next(env.demo()).action == action:
        return None
    _, reward, terminated, _, info = env.step(action)
    return (reward, info) if terminated else None


def with_env(task, use):
    env = MiniWoB(task=task, fresh_context=False)
    try:
        return use(env)
    finally:
        env.close()


def in_threads(tasks, use):
    """What `use` returns or raises for an environment of each task."""
    with ThreadPoolExecutor(WORKERS) as pool:
        jobs = {task: pool.submit(with_env, task, use) for task in tasks}
    return jobs


def visit(env):
    """Two episodes of one seed; the second is played."""
    found = {"begun": [], "clock": None, "end": None}
    for _ in range(2):
        seen, info = env.reset(seed=0)
        found["begun"].append((seen["text"], seen["images"][0], info["state_key"]))
    found["clock"] = env.on_page(lambda tab: tab.evaluate(CLOCK))
    found["end"] = solve(env) if env.task in SOLVERS else env.step("mouse_click(2, 45)")
    return found


@pytest.fixture(scope="module")
def visits():
    return in_threads(TASKS, visit)


@pytest.mark.parametrize("task", TASKS)
def test_it_begins_the_same_again_and_has_no_clock(visits, task):
    found = visits[task].result()
    (text, pixels, key), (text_again, pixels_again, key_again) = found["begun"]
    assert text and text == text_again and pixels.shape == (210, 160, 3)
    if task not in ANIMATED:
        assert key == key_again and np.array_equal(pixels, pixels_again)
    assert found["clock"] == [2**31 - 1, "none"]


@pytest.mark.parametrize("task", sorted(SOLVERS))
def test_its_demonstration_is_worth_one(visits, task):
    reward, info = visits[task].result()["end"]
    assert (reward, info["success"], info["raw_reward"]) == (1.0, True, 1)


@pytest.mark.parametrize("task", sorted(set(TASKS) - set(SOLVERS)))
def test_a_click_is_a_step(visits, task):
    *_, info = visits[task].result()["end"]
    assert info["action_error"] is None and "failure" not in info


EARLY = ("click-option", "enter-text", "login-user", "odd-or-even", "use-slider-2", "read-table", "drag-box")


@pytest.fixture(scope="module")
def early():
    return in_threads(EARLY, lambda env: (env.reset(seed=1), give_up_early(env))[1])


@pytest.mark.parametrize("task", EARLY)
def test_who_submits_too_early_fails(early, task):
    reward, info = early[task].result()
    assert reward == 0 and info["raw_reward"] < 0 and info["cause"] == "failed"


@pytest.mark.slow
def test_demonstrations_of_other_seeds():
    def play(env):
        for seed in range(1, 4):
            env.reset(seed=seed)
            reward, info = solve(env)
            assert (reward, info["success"]) == (1.0, True), (env.task, seed)
        env.reset(seed=4)
        return give_up_early(env)

    ends = {task: job.result() for task, job in in_threads(sorted(SOLVERS), play).items()}
    failed = [end for task, end in ends.items() if end and task != "generate-number"]  # no number counts as even there
    assert len(failed) > 30
    assert all(info["cause"] == "failed" and 0 <= reward < 1 for reward, info in failed)
