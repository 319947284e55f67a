import asyncio
import random
import threading

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import saccade.envs  # noqa: F401 - registers the environments
from saccade.envs.errors import ConfigError, ResetNeeded
from saccade.envs.gui.browser import host
from saccade.envs.gui.env import ClickTarget
from saccade.envs.gui.form import TwoPageForm, make_form
from saccade.envs.gui.observe import SCENES, render_scenes
from saccade.envs.gui.tasks import Scene
from saccade.envs.gui.words import HEIGHT, Button, width_of
from saccade.envs.palette import PALETTE

IDS = ("saccade/ClickTarget-v0", "saccade/ClickWord-v0", "saccade/TwoPageForm-v0", "saccade/MiniWoB-click-test-2-v0")
each_id = pytest.mark.parametrize("id", IDS)
pytestmark = pytest.mark.browser


@pytest.fixture
def make():
    made = []

    def make_(id, **settings):
        made.append(gym.make(id, **settings).unwrapped)
        return made[-1]

    yield make_
    for env in made:
        env.close()


def solve(env, seed):
    env.reset(seed=seed)
    for turn in env.demo():
        *_, reward, terminated, truncated, info = env.step(turn.action)
        if terminated or truncated:
            return reward, info
    raise AssertionError("the demonstration did not end the episode")


# What all keep.


@each_id
def test_gymnasium_accepts_it(make, id):
    check_env(make(id), skip_render_check=True)


@each_id
def test_one_seed_is_one_task_and_the_splits_differ(make, id):
    one, two, test = make(id), make(id), make(id, split="test")
    for seed in range(3):
        first, info = one.reset(seed=seed)
        SCENES.clear()  # or the second picture would be the first
        again, info_again = two.reset(seed=seed)
        assert first["text"] == again["text"] and np.array_equal(first["images"][0], again["images"][0])
        assert info == info_again
        other, other_info = test.reset(seed=seed)
        assert not np.array_equal(first["images"][0], other["images"][0]) or first["text"] != other["text"]
        assert other_info["state_key"] != info["state_key"]


@each_id
def test_demonstrations_score_one(make, id):
    env = make(id)
    for seed in range(6):
        reward, info = solve(env, seed)
        assert (reward, info["success"], info["cause"]) == (1.0, True, "goal")
    with pytest.raises(ResetNeeded):
        env.step("mouse_click(1, 1)")


@each_id
def test_a_random_agent_never_breaks_it(make, id):
    env, rng = make(id, max_turns=5), random.Random(0)
    ended = True
    for seed in range(50):
        if ended:
            env.reset(seed=seed)
        *_, terminated, truncated, info = env.step(env.sample_action(rng))
        assert "failure" not in info
        ended = terminated or truncated


HOSTILE = (
    *(
        "",
        "mouse_click",
        "mouse_click(5)",
        "mouse_click('a', 'b')",
        "mouse_click(-1, 5)",
        "mouse_click(5, 1e8)",
        "mouse_click(5, 100000)",
        "clack(1, 2)",
    ),
    *("__import__('os').system('true')", "mouse_click(1, 2); mouse_click(3, 4)", "<|im_start|>system"),
    *(
        "keyboard_press('Control+w')",
        "keyboard_press('F12')",
        "keyboard_type('\\ud800')",
        "keyboard_type('\\x00')",
        "keyboard_type('" + "a" * 600 + "')",
    ),
)


@each_id
def test_hostile_actions_are_legal_steps(make, id):
    env = make(id, max_turns=len(HOSTILE) + 1, error_penalty=0.25)
    before, _ = env.reset(seed=0)
    for action in HOSTILE:
        after, reward, terminated, truncated, info = env.step(action)
        assert info["action_error"] and info["action_error"] in after["text"]
        assert (reward, terminated, truncated) == (-0.25, False, False)
        assert np.array_equal(before["images"][0], after["images"][0])


@each_id
def test_it_works_inside_a_running_loop(make, id):
    async def inside():
        return solve(make(id), 1)

    assert asyncio.run(inside())[0] == 1.0


@each_id
def test_two_threads_do_not_meet(make, id):
    envs = [make(id), make(id)]
    rewards = {}

    def work(number):
        rewards[number] = [solve(envs[number], seed)[0] for seed in (number, 10 + number, 20 + number)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rewards == {0: [1.0] * 3, 1: [1.0] * 3}


@each_id
def test_vectorised(id):
    vector = gym.make_vec(id, num_envs=2, vectorization_mode="sync")
    seen, _ = vector.reset(seed=[3, 4])
    assert len(seen["text"]) == len(seen["images"]) == 2
    actions = tuple(next(env.unwrapped.demo()).action for env in vector.envs)
    _, rewards, *_ = vector.step(actions)
    assert rewards.shape == (2,)
    vector.close()


@each_id
def test_a_browser_that_dies_voids_the_episode_only(make, id):
    env = make(id, max_turns=8)
    env.reset(seed=0)
    host().kill()
    seen, reward, terminated, truncated, info = env.step("mouse_click(1, 1)")
    assert (reward, terminated, truncated, info["failure"]) == (0.0, False, True, "infra")
    assert len(seen["images"]) == 1
    assert solve(env, 0)[0] == 1.0
    host().kill()  # between two episodes nobody notices
    assert solve(env, 1)[0] == 1.0


@each_id
def test_a_closed_environment_holds_no_page(make, id):
    env = make(id)
    env.reset(seed=0)
    tab = next(iter(env._held.values())).front
    env.close()
    assert not env._held
    with pytest.raises(Exception, match="closed"):
        host().call(tab.window.run(tab.evaluate("1")), 20)


# Click targets.


@pytest.fixture(scope="module")
def target():
    env = ClickTarget(level=3, max_turns=3)
    yield env
    env.close()


def test_the_wrong_object_fails_and_the_page_says_which(target):
    for seed in range(5):
        seen, _ = target.reset(seed=seed)
        scene = target._scene
        assert seen["text"] == scene.goal and seen["images"][0].shape == (64, 64, 3)
        wrong = scene.objects[(scene.target + 1) % 4]
        seen, reward, terminated, _, info = target.step(f"mouse_click{wrong.centre}")
        assert (reward, terminated, info["cause"], info["clicked"]) == (0.0, True, "failed", wrong.name)
        assert seen["images"] == ()


def test_a_click_on_the_background_goes_on_with_a_new_picture(target):
    first, info = target.reset(seed=0)
    seen, reward, terminated, truncated, after = target.step("mouse_click(0, 0)")
    assert (seen["text"], reward, terminated, truncated) == ("Nothing there.", 0.0, False, False)
    assert np.array_equal(seen["images"][0], first["images"][0])
    assert after["clicked"] is None and after["state_key"] == info["state_key"]
    x, y = target._scene.objects[target._scene.target].centre
    assert target.step(f"mouse_click({x}.5, {y})")[4]["success"]
    target.reset(seed=0)
    for _ in range(3):
        *_, truncated, info = target.step("mouse_click(0, 0)")
    assert truncated and info["cause"] == "horizon"


def test_one_turn_ends_on_the_background_too():
    env = ClickTarget()
    env.reset(seed=0)
    seen, reward, terminated, _, info = env.step("mouse_click(0, 0)")
    assert (reward, terminated, info["cause"], seen["images"]) == (0.0, True, "failed", ())
    env.close()


def test_a_shape_is_hit_exactly_where_it_is_drawn(target):
    """Clicks on a grid over boxes agree with the picture: corners of triangles and circles are background."""
    checked = {"circle": 0, "triangle": 0, "square": 0}
    for seed in range(4):
        seen, _ = target.reset(seed=seed)
        pixels, background = seen["images"][0].astype(int), seen["images"][0][0, 0].astype(int)
        for each in target._scene.objects:
            for x, y in ((each.x, each.y), (each.x + each.side - 1, each.y), (each.x + each.side // 2, each.y + 3)):
                target.reset(seed=seed)
                clicked = target.step(f"mouse_click({x}.5, {y}.5)")[4]["clicked"]
                drawn = not np.array_equal(pixels[y, x], background)
                assert (clicked == each.name) == drawn, (each, x, y)
                checked[each.shape] += not drawn
    assert checked["square"] == 0 and checked["circle"] > 0 and checked["triangle"] > 0


def test_the_colours_of_the_page_are_those_of_the_goal(target):
    for seed in range(5):
        seen, _ = target.reset(seed=seed)
        for each in target._scene.objects:
            x, y = each.centre
            assert tuple(seen["images"][0][y, x].tolist()) == PALETTE[each.colour]


def test_a_group_of_episodes_takes_one_screenshot(monkeypatch):
    env = ClickTarget(split="test", level=1)
    env.reset(seed=0)
    tab = next(iter(env._held.values())).front
    taken = []
    shoot = tab.screenshot

    async def counted():
        taken.append(1)
        return await shoot()

    monkeypatch.setattr(tab, "screenshot", counted)
    SCENES.clear()
    for _ in range(8):
        assert solve(env, 123)[0] == 1.0
    assert len(taken) == 1
    seeds = range(200, 230)
    assert ClickTarget.prefetch(seeds, "test", level=1) == 30
    assert ClickTarget.prefetch(seeds, "test", level=1) == 0
    for seed in seeds:
        assert solve(env, seed)[0] == 1.0
    assert len(taken) == 1
    env.close()


def test_fresh_contexts_show_the_same():
    env, fresh = ClickTarget(), ClickTarget(fresh_context=True)
    for seed in range(2):
        SCENES.clear()
        one = env.reset(seed=seed)[0]["images"][0]
        SCENES.clear()
        two = fresh.reset(seed=seed)[0]["images"][0]
        assert np.array_equal(one, two)
        old = next(iter(fresh._held.values()))
    assert env._held and fresh._held
    fresh.reset(seed=2)
    assert not old.alive
    env.close()
    fresh.close()


@pytest.mark.parametrize("settings", [{"level": 5}, {"size": 8}, {"timeout": 0}, {"max_turns": 0}])
def test_wrong_settings_are_refused(settings):
    with pytest.raises(ConfigError, match="must be"):
        ClickTarget(**settings)


# Forms.


@pytest.fixture(scope="module")
def form():
    env = TwoPageForm(max_turns=12)
    yield env
    env.close()


def at(env, what):
    return "mouse_click({}, {})".format(*env._page["places"][what])


def run(env, *actions):
    for action in actions:
        step = env.step(at(env, action[1:]) if action.startswith("@") else action)
    return step


def test_the_keyboard_alone_solves_it(form):
    form.reset(seed=1)
    asked = form._form
    index = asked.options.index(asked.choice)
    run(
        form,
        "keyboard_press('Tab')",
        f"keyboard_type('{asked.word}')",
        "keyboard_press('Enter')",
        "keyboard_press('Tab')",
        "keyboard_press('Space')",
    )
    for _ in range(index):
        run(form, "keyboard_press('ArrowDown')")
    seen, reward, terminated, _, info = run(form, "keyboard_press('Enter')")
    assert (seen["text"], reward, terminated, info["success"]) == ("The form was submitted.", 1.0, True, True)


def test_wrong_values_fail(form):
    form.reset(seed=2)
    asked = form._form
    _, reward, terminated, _, info = run(
        form, "@Word", "keyboard_type('Nobody')", "@Next", f"@{asked.choice}", "@Submit"
    )
    assert (reward, terminated, info["cause"]) == (0.0, True, "failed")
    assert form._page["submitted"] == {"word": "Nobody", "choice": asked.choice}
    form.reset(seed=2)
    other = next(option for option in asked.options if option != asked.choice)
    *_, info = run(form, "@Word", f"keyboard_type('{asked.word}')", "@Next", f"@{other}", "@Submit")
    assert info["cause"] == "failed"


def test_no_goal_is_in_both_splits():
    goals = {split: set() for split in ("train", "test")}
    for split, seen in goals.items():
        env = TwoPageForm(split=split)
        seen.update(env.draw(make_form, np.random.default_rng(seed)).goal for seed in range(600))
    assert len(goals["test"]) > 15 and not goals["train"] & goals["test"]


def test_the_form_insists_and_the_text_says_so(form):
    form.reset(seed=3)
    assert "Enter a word." in run(form, "@Next")[0]["text"]
    seen = run(form, "@Word", "keyboard_type('x')", "@Next", "@Submit")[0]
    assert seen["text"].startswith("Page 2 of 2.") and "Choose one." in seen["text"]


def test_a_demonstration_goes_on_from_wherever_the_page_is(form):
    form.reset(seed=4)
    run(form, "@Word", "keyboard_type('wrong')")
    for turn in form.demo():
        *_, terminated, _, info = form.step(turn.action)
    assert terminated and info["success"]


def test_each_turn_shows_text_and_picture_and_has_its_key(form):
    first, info = form.reset(seed=5)
    keys = {info["state_key"]}
    assert first["text"].startswith(form._form.goal)
    for turn in form.demo():
        seen, *_, info = form.step(turn.action)
        assert seen["text"] and seen["images"][0].shape == (144, 144, 3)
        keys.add(info["state_key"])
    assert len(keys) == 6, "five turns, six different states"


def test_level_1_is_the_second_page_alone():
    env = TwoPageForm(level=1)
    env.reset(seed=1)
    assert env._page["page"] == 2 and env._form.goal in env.view.text
    *_, info = run(env, f"@{env._form.choice}", "@Submit")
    assert info["success"] and env._page["submitted"] == {"word": None, "choice": env._form.choice}
    env.close()
    with pytest.raises(ConfigError, match="level must be one of 1, 2, got 3"):
        TwoPageForm(level=3)


def test_nothing_of_an_episode_is_left_in_the_next(form):
    clean = form.reset(seed=6)
    run(form, "@Word", "keyboard_type('<b>left over</b>')", "keyboard_press('Control+a')")
    again = form.reset(seed=6)
    assert again[1] == clean[1] and again[0]["text"] == clean[0]["text"]
    assert np.array_equal(again[0]["images"][0], clean[0]["images"][0])
    run(form, "@Word", "keyboard_type('a')", "@Next")
    third = form.reset(seed=6)
    assert third[1] == clean[1] and np.array_equal(third[0]["images"][0], clean[0]["images"][0])


def test_no_option_is_hovered_by_the_mouse_of_the_episode_before(form):
    def by_keyboard():
        form.reset(seed=3)
        run(form, "keyboard_press('Tab')", f"keyboard_type('{form._form.word}')", "keyboard_press('Enter')")
        return form.view.images[-1].pixels, at(form, form._form.options[0])

    clean, option = by_keyboard()
    form.reset(seed=5)
    run(form, option)
    assert np.array_equal(by_keyboard()[0], clean)


def test_the_letters_of_the_form_are_the_bundled_ones(form):
    form.reset(seed=8)
    tab = next(iter(form._held.values())).front
    faces = "[...document.fonts].map(face => `${face.family} ${face.weight} ${face.status}`)"
    assert host().call(tab.evaluate(faces), 20) == ["Saccade Sans normal loaded", "Saccade Sans bold loaded"]
    used = """[...document.querySelectorAll("h1, label, input, button, output")].map(
        node => [getComputedStyle(node).fontFamily, parseFloat(getComputedStyle(node).fontSize)])"""
    for family, size in host().call(tab.evaluate(used), 20):
        assert family == '"Saccade Sans"' and size >= 13


def test_everything_of_the_form_fits_into_the_picture(form):
    below = "Math.max(...[...document.querySelectorAll('*')].map(node => node.getBoundingClientRect().bottom))"
    beside = "Math.max(...[...document.querySelectorAll('label *, button')].map(n => n.getBoundingClientRect().right))"
    for seed in range(12):
        form.reset(seed=seed)
        tab = next(iter(form._held.values())).front
        run(form, "@Next", "@Word", "keyboard_type('x')", "@Next", "@Submit")
        assert form._page["message"] == "Choose one."
        assert host().call(tab.evaluate(below), 20) <= 144 and host().call(tab.evaluate(beside), 20) <= 144


def test_an_option_looks_as_a_button_with_its_word_does(form):
    """To the pixel: who can read `ClickWord` can read the options."""
    seen = set()
    for seed in range(12):
        form.reset(seed=seed)
        run(form, "@Word", "keyboard_type('x')", "@Next")
        page = form.view.images[-1].pixels
        for word in form._form.options:
            x, y = form._page["places"][word]
            button = Button(word, 8, 8 * (y // 8) - 8, width_of(word), HEIGHT, (255, 255, 255))
            assert (x, y) == button.centre
            (alone,) = render_scenes([Scene(144, (button,), 0)])
            box = np.s_[button.y : button.y + HEIGHT, 8 : 8 + button.width]
            assert np.array_equal(page[box], alone.pixels[box]), word
            seen.add(word)
    assert len(seen) > 12


def test_typed_markup_stays_text(form):
    form.reset(seed=7)
    run(form, "@Word", "keyboard_type('<img src=x>')", "@Next", f"@{form._form.choice}", "@Submit")
    assert form._page["submitted"]["word"] == "<img src=x>"
