import asyncio
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest

import saccade.envs  # noqa: F401 - registers the environments
from saccade.envs.errors import ConfigError
from saccade.envs.gui.miniwob import MiniWoB, miniwob_html
from saccade.envs.gui.miniwob_demos import SOLVERS
from saccade.envs.gui.miniwob_tasks import ANIMATED, TASKS, TURNS
from saccade.envs.gui.site import Site

pytestmark = pytest.mark.browser


@pytest.fixture
def make():
    made = []

    def make_(task, **settings):
        made.append(gym.make(f"saccade/MiniWoB-{task}-v0", **settings).unwrapped)
        return made[-1]

    yield make_
    for env in made:
        env.close()


def place(env, **wanted):
    """Where an element is that has these properties."""
    nodes = env.on_page(lambda tab: tab.evaluate("saccade.look()"))["nodes"]
    return next(each["place"] for each in nodes if all(each[key] == value for key, value in wanted.items()))


def click(env, **wanted):
    return env.step("mouse_click({}, {})".format(*place(env, **wanted)))


class SlowPictures(Site):
    """The site, whose pictures take a while."""

    async def serve(self, route):
        if route.request.url.endswith(".png"):
            await asyncio.sleep(1.5)  # longer than a page is given to settle
        await super().serve(route)


def test_an_episode_begins_when_the_icons_have_their_size(make):
    slow, quick = make("email-inbox-delete"), make("email-inbox-delete")
    slow.site = SlowPictures(slow.site.root)
    (late, late_info), (seen, info) = slow.reset(seed=0), quick.reset(seed=0)
    assert late_info["state_key"] == info["state_key"]
    assert np.array_equal(late["images"][0], seen["images"][0])
    open_search = place(slow, id="open-search")
    assert open_search is not None and open_search == place(quick, id="open-search")


def test_the_pages_are_found_without_importing_selenium_or_playwright():
    code = (
        "import sys, saccade.envs, saccade.envs.gui.miniwob as it; it.miniwob_html();"
        "print([name in sys.modules for name in ('selenium', 'playwright', 'miniwob')])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[False, False, False]"
    assert (miniwob_html() / "core" / "core.js").is_file()


def test_every_page_is_a_task_and_every_task_is_registered():
    pages = {page.stem for page in (miniwob_html() / "miniwob").glob("*.html")}
    assert set(TASKS) == pages and len(TASKS) == 130
    assert all(f"saccade/MiniWoB-{task}-v0" in gym.registry for task in TASKS)
    assert set(SOLVERS) | set(TURNS) | ANIMATED <= pages
    assert len(SOLVERS) >= 75


def test_an_unknown_task_is_refused_with_a_suggestion():
    with pytest.raises(ConfigError, match="did you mean 'click-test-2'"):
        MiniWoB(task="click-tset-2")
    with pytest.raises(ConfigError, match="no task"):
        MiniWoB(task="../core/core")
    with pytest.raises(ConfigError, match="one viewport"):
        MiniWoB(task="click-test", viewport=(400, 400))


def test_the_picture_is_the_task_area_without_display_and_cover(make):
    env = make("click-test-2")
    seen, _ = env.reset(seed=0)
    (pixels,) = seen["images"]
    assert seen["text"] == "Click button ONE." and pixels.shape == (210, 160, 3)
    assert pixels[40, 100].tolist() == [255, 255, 0] and pixels[205, 2].tolist() == [255, 255, 255]
    (large,) = make("click-test-2", scale=2).reset(seed=0)[0]["images"]
    assert large.shape == (420, 320, 3)


def test_the_tree_shows_the_task_and_not_the_rewards(make):
    env = make("click-test-2", observe=("tree", "marks"), actions=("ref",))
    seen, _ = env.reset(seed=1)
    assert "ONE" in seen["text"] and "reward" not in seen["text"] and "START" not in seen["text"]
    seen, reward, terminated, _, info = env.step(f"click('{env.sight.tree.find('button', 'TWO').ref}')")
    assert (reward, terminated, info["cause"], info["raw_reward"]) == (0.0, True, "failed", -1)
    assert "reward" not in seen["text"] and "START" not in seen["text"]


def test_the_end_is_shown_as_the_page_left_it(make):
    env = make("click-test-2")
    before = env.reset(seed=1)[0]["images"][0]
    after, reward, terminated, _, info = click(env, text="ONE", tag="button")
    assert (reward, terminated, info["success"], info["raw_reward"]) == (1.0, True, True, 1)
    assert (before == after["images"][0]).mean() > 0.9


def test_a_miss_goes_on(make):
    env = make("click-test-2")
    first, info = env.reset(seed=2)
    seen, reward, terminated, truncated, after = env.step("mouse_click(2, 205)")
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert np.array_equal(seen["images"][0], first["images"][0]) and after["state_key"] == info["state_key"]


def test_a_second_click_does_not_start_the_page_again(make):
    env = make("click-test")
    env.reset(seed=0)
    *_, reward, terminated, _, info = env.step("mouse_dblclick({}, {})".format(*place(env, tag="button")))
    assert (reward, terminated, info["success"]) == (1.0, True, True)


def test_buttons_that_overlap_are_still_solved(make):
    """One demonstration in about ten finds the centre of its button covered by the other one."""
    env = make("click-test-2")
    env.reset(seed=3)
    over = (
        "[subbtn, subbtn2].forEach((b, i) => { b.style.left = `${40 + 15 * i}px`; b.style.top = `${80 + 15 * i}px` })"
    )
    env.on_page(lambda tab: tab.evaluate(over))
    turn = next(env.demo())
    assert turn.action != "mouse_click(60, 100)"
    assert env.step(turn.action)[4]["success"]


def test_parts_of_a_point_are_kept(make):
    env = make("click-checkboxes-large")
    env.reset(seed=0)
    turns = 0
    while not env.step(next(env.demo()).action)[2]:
        turns += 1
    env.reset(seed=0)
    for _ in range(turns - 1):
        env.step(next(env.demo()).action)
    _, reward, terminated, _, info = click(env, id="subbtn")
    assert terminated and info["cause"] == "failed" and 0 < reward == info["raw_reward"] < 1


def test_the_wheel_turns_where_the_mouse_is(make):
    env = make("scroll-text-2")
    env.reset(seed=0)
    x, y = place(env, tag="textarea")
    top = "document.querySelector('textarea').scrollTop"
    before = env.on_page(lambda tab: tab.evaluate(top))
    env.step("mouse_move(80, 20)")
    env.step("scroll(0, 20)")
    assert env.on_page(lambda tab: tab.evaluate(top)) == before
    env.step(f"mouse_move({x}, {y})")
    env.step("scroll(0, 20)")
    assert env.on_page(lambda tab: tab.evaluate(top)) == before + 20


def test_an_agent_that_leaves_the_page_does_not_break_it(make):
    env = make("click-test", actions=("coord", "nav", "tab"))
    env.reset(seed=0)
    for action in ("new_tab()", "scroll(0, 10)", "tab_close()", "goto('http://saccade.local/miniwob/click-link.html')"):
        *_, terminated, truncated, info = env.step(action)
        assert not terminated and not truncated and "failure" not in info
    assert next(env.demo(), None) is None
