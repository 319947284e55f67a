"""`PageEnv` on a page that has everything, and what hostile pages come to."""

import random
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.envs.episode import Cause
from saccade.envs.errors import ConfigError
from saccade.envs.gui.browser import host
from saccade.envs.gui.page import PageEnv, Verdict
from saccade.envs.gui.site import Site
from saccade.envs.gui.verbs import GROUPS

pytestmark = pytest.mark.browser

KITCHEN = """<!DOCTYPE html><title>Kitchen</title>
<style>body { margin: 4px; font: 12px sans-serif } #map { height: 20px; width: 60px;
background: #ccc } #cover { position: absolute; left: 0; top: 150px; width: 90px; height: 30px }</style>
<label>Name <input id=name></label> <input type=checkbox aria-label=Agree>
<select aria-label=Size><option>Small<option>Large</select> <button id=save>Save</button>
<a href="two.html">Two</a> <a href="two.html" target=_blank>Apart</a> <a href="https://other.test/">Away</a>
<input type=file aria-label=File multiple> <button onclick="alert('careful')">Warn</button>
<button onclick="log.push(confirm('sure?'))">Ask</button> <button disabled>Off</button>
<div id=map role=button aria-label=Map></div><div draggable=true role=button aria-label=Thing>Thing</div>
<div id=bin role=button aria-label=Bin style="width: 60px">Bin</div>
<button style="position: absolute; left: 5px; top: 155px">Under</button><div id=cover></div>
<p style="margin-top: 600px"><button>Deep</button></p>
<script>
const log = [];
for (const kind of ["click", "dblclick", "contextmenu", "mousedown", "mouseup"])
  document.getElementById("map").addEventListener(kind, event => log.push([kind, event.offsetX, event.button]));
document.getElementById("map").addEventListener("mouseenter", () => log.push("enter"));
document.querySelector("button:nth-of-type(1)").addEventListener("click", event => log.push(["save", event.shiftKey]));
for (const button of document.querySelectorAll("button"))
  if (["Deep", "Under"].includes(button.textContent)) button.onclick = () => log.push(button.textContent);
document.querySelector("[type=file]").onchange = async event =>
  { for (const file of event.target.files) log.push([file.name, await file.text()]); };
document.querySelector("[draggable]").ondragstart = event => event.dataTransfer.setData("text", "thing");
const bin = document.getElementById("bin");
bin.ondragover = event => event.preventDefault();
bin.ondrop = event => { event.preventDefault(); log.push("dropped " + event.dataTransfer.getData("text")); };
addEventListener("keydown", event => { if (event.target === document.body) log.push(event.key); });
</script>"""


@pytest.fixture
def make(tmp_path):
    made = []

    def make_(pages=None, **given):
        pages = {"index": KITCHEN, "two": "<title>Second</title><h1>Page two</h1>"} if pages is None else pages
        for name, text in pages.items():
            (tmp_path / f"{name}.html").write_text(text)
        given = {"actions": tuple(GROUPS), "observe": ("status", "tree", "screenshot")} | given
        made.append(Kitchen(tmp_path, **given))
        return made[-1]

    yield make_
    for env in made:
        env.close()


class Kitchen(PageEnv):
    """Ends when the page's log says so."""

    home = "index.html"
    viewport = (240, 200)
    files = {"a.txt": b"alpha", "b.txt": b"beta"}  # noqa: RUF012

    def __init__(self, folder, **page):
        super().__init__(**page)
        self.site = Site(Path(folder))

    def pose(self, rng):
        return "Cook."

    async def read(self, tab):
        return await tab.evaluate("typeof log === 'undefined' ? null : log")

    def judge(self, page):
        return Verdict(0.5, Cause.GOAL, {"why": "Deep"}) if page and "Deep" in page else None


def ref(env, name):
    return next(each.ref for each in env.sight.tree.elements if each.name == name)


def place(env, name):
    element = next(each for each in env.sight.tree.elements if each.name == name)
    return tuple(int(side * env.scale) for side in element.centre)


def do(env, action):
    """The error of an action that does not end the episode."""
    *_, terminated, truncated, info = env.step(action)
    assert not terminated and not truncated, info
    return info["action_error"]


def test_elements_are_used_by_their_refs(make):
    env = make()
    env.reset(seed=0)
    assert do(env, f"fill('{ref(env, 'Name')}', 'Ann')") is None
    assert env.sight.tree.find("textbox", "Name").text == "Ann"
    assert do(env, f"press('{ref(env, 'Name')}', 'End')") is None and do(env, "keyboard_type('a!')") is None
    assert env.sight.tree.find("textbox", "Name").text == "Anna!" and env.sight.tree.focused.name == "Name"
    assert do(env, f"clear('{ref(env, 'Name')}')") is None and env.sight.tree.find("textbox", "Name").text == ""
    assert do(env, f"click('{ref(env, 'Agree')}')") is None
    assert "checked" in env.sight.tree.find("checkbox", "Agree").states
    assert do(env, f"select_option('{ref(env, 'Size')}', 'Large')") is None
    assert "selected" in env.sight.tree.find("option", "Large").states
    assert do(env, f"click('{ref(env, 'Save')}', modifiers=['Shift'])") is None
    assert do(env, f"dblclick('{ref(env, 'Map')}')") is None
    assert do(env, f"click('{ref(env, 'Map')}', 'right')") is None
    assert do(env, f"drag_and_drop('{ref(env, 'Thing')}', '{ref(env, 'Bin')}')") is None
    assert do(env, f"upload_file('{ref(env, 'File')}', ['a.txt', 'b.txt'])") is None
    log = env.sight.page
    assert ["save", True] in log and ["dblclick", 30, 0] in log and ["contextmenu", 30, 2] in log
    assert "dropped thing" in log and log[-2:] == [["a.txt", "alpha"], ["b.txt", "beta"]]


def test_pixels_are_used_by_mouse_and_keyboard(make):
    env = make(scale=1.5)
    env.reset(seed=0)
    assert env.view.images[0].size == (360, 300) == env.picture_size
    x, y = place(env, "Map")
    for action in (f"mouse_move({x}, {y})", f"mouse_click({x}, {y})", f"mouse_dblclick({x}, {y}, 'middle')"):
        assert do(env, action) is None
    assert do(env, f"mouse_down({x}, {y})") is None and do(env, f"mouse_up({x}, {y})") is None
    log = env.sight.page
    assert log[0] == "enter" and log[1:4] == [["mousedown", 30, 0], ["mouseup", 30, 0], ["click", 30, 0]]
    assert [each[0] for each in log[-3:]] == ["mousedown", "mouseup", "click"]
    assert do(env, "keyboard_press('Escape')") is None and env.sight.page[-1] == "Escape"
    start, end = place(env, "Thing"), place(env, "Bin")
    assert do(env, f"mouse_drag_and_drop({start[0]}, {start[1]}, {end[0]}, {end[1]})") is None
    assert env.sight.page[-1] == "dropped thing"
    x, y = place(env, "File")
    assert do(env, f"mouse_upload_file({x}, {y}, 'a.txt')") is None
    assert env.sight.page[-1] == ["a.txt", "alpha"]
    assert do(env, f"mouse_upload_file({x}, {y}, 'b.txt')") is None and env.sight.page[-1] == ["b.txt", "beta"]
    assert "asks for a file" in do(env, f"mouse_upload_file({start[0]}, {start[1]}, 'b.txt')")
    assert do(env, f"mouse_click{place(env, 'Name')}") is None and do(env, "keyboard_insert_text('é')") is None
    assert env.sight.tree.find("textbox", "Name").text == "é"
    assert do(env, "keyboard_down('Shift')") is None and do(env, "keyboard_up('Shift')") is None


def test_a_deep_element_is_scrolled_to_and_ends_the_task(make):
    env = make()
    env.reset(seed=0)
    assert do(env, "scroll(0, 100)") is None
    assert place(env, "Name")[1] < 0
    _, reward, terminated, _, info = env.step(f"click('{ref(env, 'Deep')}')")
    assert (reward, terminated, info["success"], info["why"]) == (0.5, True, True, "Deep")


def test_what_cannot_be_done_is_said_and_the_episode_goes_on(make):
    env = make()
    env.reset(seed=0)
    wrong = {
        "click('e99')": "there is no element 'e99'",
        f"click('{ref(env, 'Under')}')": "is covered by a <div>",
        f"click('{ref(env, 'Off')}')": "is disabled",
        f"click('{ref(env, 'Save')}', modifiers=['Ctrl'])": "unknown modifier 'Ctrl'; did you mean 'Control'?",
        f"fill('{ref(env, 'Save')}', 'x')": "fill could not be done",
        f"select_option('{ref(env, 'Size')}', 'Huge')": "select_option could not be done",
        f"upload_file('{ref(env, 'File')}', '/etc/passwd')": "there is no file '/etc/passwd'; files: a.txt, b.txt",
        "mouse_click(240, 5)": "mouse_click needs 0 <= x < 240, got 240",
        "keyboard_press('Control+w')": "belongs to the browser",
        "goto('file:///etc/passwd')": "only addresses that belong to the task",
        "goto('http://other.test/')": "only addresses that belong to the task",
        "goto('http://[')": "only addresses that belong to the task",
        f"goto('{'x' * 300}.html')": "only addresses that belong to the task",
        r"goto('\ud800.html')": "only addresses that belong to the task",
        "go_back()": "there is no page to go back to",
        "tab_close()": "the last tab cannot be closed",
        "tab_focus(3)": "there is no tab 3",
        "scroll(0, 1e6)": "at most 10000 pixels",
        "clickk(3)": "unknown action 'clickk'; did you mean 'click'?",
    }
    env.max_turns = 40
    for action, message in wrong.items():
        error = do(env, action)
        assert error and message in error, (action, error)
        assert f"Error: {error}" in env.view.text
    assert do(env, f"click('{ref(env, 'Away')}')") is None, "a blocked link leads nowhere"
    assert "other.test" not in env.sight.url or not env.sight.page


def test_pages_and_tabs(make):
    env = make()
    env.reset(seed=0)
    assert do(env, f"click('{ref(env, 'Two')}')") is None
    assert env.sight.title == "Second" and env.sight.url.endswith("/two.html") and "Page two" in env.view.text
    assert do(env, "go_back()") is None and env.sight.title == "Kitchen"
    assert do(env, "go_forward()") is None and env.sight.title == "Second"
    assert do(env, "goto('/index.html')") is None and env.sight.title == "Kitchen"
    assert do(env, f"click('{ref(env, 'Apart')}')") is None
    assert env.sight.tabs == ("Kitchen", "Second") and env.sight.front == 1 and "Page two" in env.view.text
    assert "Tab 1 (in front): 'Second'" in env.view.text
    assert do(env, "tab_focus(0)") is None and env.sight.title == "Kitchen" and env.sight.front == 0
    assert do(env, "new_tab()") is None and env.sight.front == 2 and env.sight.url == "about:blank"
    assert do(env, "goto('two.html')") is None and env.sight.title == "Second"
    assert do(env, "tab_close()") is None and do(env, "tab_close()") is None and env.sight.tabs == ("Kitchen",)
    env.step("new_tab()")
    env.reset(seed=1)
    assert env.sight.tabs == ("Kitchen",), "tabs do not outlive their episode"


def test_dialogs_are_answered_and_told(make):
    env = make()
    env.reset(seed=0)
    assert do(env, f"click('{ref(env, 'Warn')}')") is None
    assert "Dialog: alert 'careful', closed." in env.view.text
    assert do(env, f"click('{ref(env, 'Ask')}')") is None
    assert "Dialog: confirm 'sure?', dismissed." in env.view.text and env.sight.page[-1] is False
    assert do(env, "noop(0)") is None and "Dialog" not in env.view.text


def test_observations_are_chosen(make):
    env = make(observe=("text",), actions=("coord",))
    seen, _ = env.reset(seed=0)
    assert "Thing" in seen["text"] and seen["images"] == () and not env.sight.tree.elements
    env = make(observe=("marks", "screenshot"))
    seen, _ = env.reset(seed=0)
    plain, marked = seen["images"]
    assert seen["text"] == "Cook." and plain.shape == marked.shape and (plain != marked).any()
    for wrong in (
        {"observe": ("picture",)},
        {"observe": ()},
        {"actions": ("refs",)},
        {"scale": 9},
        {"viewport": (5, 5)},
    ):
        with pytest.raises(ConfigError):
            make(**wrong)


def test_giving_up_ends_without_success_and_messages_are_heard(make):
    env = make()
    env.reset(seed=0)
    assert do(env, "send_msg_to_user('hello')") is None
    _, reward, terminated, _, info = env.step("report_infeasible('no stove')")
    assert (reward, terminated, info["success"], info["cause"]) == (0.0, True, False, "gave_up")
    assert info["reason"] == "no stove"


def test_random_actions_never_break_it(make):
    env, rng = make(max_turns=200), random.Random(0)
    env.reset(seed=0)
    for _ in range(60):
        *_, terminated, truncated, info = env.step(env.sample_action(rng))
        assert info.get("failure") is None, info
        if terminated or truncated:
            env.reset(seed=0)


def test_odd_strings_are_legal_steps(make):
    env = make(observe=("text",), actions=("coord",), max_turns=10**6)
    env.reset(seed=0)

    @settings(max_examples=300, deadline=None)
    @given(st.text(max_size=60))
    def step(text):
        *_, terminated, truncated, info = env.step(text)
        assert not terminated and not truncated and (info["action_error"] or env.action_format.parse(text))

    step()


def test_the_page_in_front_is_the_one_that_is_seen(make):
    env = make()
    first = env.reset(seed=0)[0]["images"][0]
    env.step(f"click('{ref(env, 'Apart')}')")
    other = env.view.images[0].pixels
    env.step("tab_focus(0)")
    assert np.array_equal(env.view.images[0].pixels, first) and not np.array_equal(other, first)


# Hostile pages.

HOSTILE = {
    "dialogs": "<script>onclick = () => { for (let n = 0; n < 200; n += 1) alert(n); }</script>",
    "popups": "<script>onclick = () => { for (let n = 0; n < 30; n += 1) open('index.html'); }</script>",
    "storm": "<script>setInterval(() => { location.hash = Math.random(); }, 1)</script>",
    "huge": "<script>onclick = () => { for (let n = 0; n < 30000; n += 1) document.body.append("
    "document.createElement('button')); }</script>",
    "frames": "<script>setInterval(() => document.body.append(document.createElement('p')), 0)</script>",
    "fake": "<script>window.requestAnimationFrame = () => {}; MutationObserver = null; performance.now = () => 0;"
    "document.querySelector = null; Array.prototype.find = () => { throw 1; }</script><button>Here</button>",
    "away": "<script>onclick = () => { location = 'file:///etc/passwd'; }</script>",
    "download": "<a id=a href='data:application/octet-stream,x' download=x.bin>x</a>"
    "<script>onclick = () => a.click()</script>",
    "unload": "<script>onbeforeunload = event => { event.preventDefault(); return 'stay'; }</script><p>x",
    "print": "<script>onclick = () => { print(); }</script>",
    "full": "<script>onclick = () => document.documentElement.requestFullscreen()</script>",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_pages_are_bounded_and_the_next_episode_is_fine(make, kind):
    page = "<!DOCTYPE html><title>x</title><body style='margin: 0; height: 100vh'>" + HOSTILE[kind]
    env = make({"index": page}, timeout=20.0)
    began = time.monotonic()
    env.reset(seed=0)
    for action in ("mouse_click(50, 50)", "noop(0)"):
        *_, terminated, truncated, info = env.step(action)
        assert not terminated
        if truncated:
            assert info["failure"] == "infra"
            break
    if kind == "fake":
        assert "Here" in env.view.text
    assert time.monotonic() - began < 60
    assert len(env._held[host()].tabs if env._held else []) <= env.max_tabs
    env.close()
    fine = make({"index": KITCHEN})
    fine.reset(seed=0)
    assert do(fine, f"click('{ref(fine, 'Agree')}')") is None


def test_a_page_that_never_returns_ends_the_episode_as_the_worlds_failure(make):
    env = make({"index": "<script>onclick = () => { for (;;); }</script><body style='height: 100vh'>"}, timeout=3.0)
    env.reset(seed=0)
    *_, terminated, truncated, info = env.step("mouse_click(50, 50)")
    assert (terminated, truncated, info["failure"]) == (False, True, "infra")
    env.reset(seed=1)
    assert not env.sight.error


def test_an_error_is_told_once(make):
    env = make()
    env.reset(seed=0)
    assert do(env, "click('nothing')")
    seen, _, _, _, info = env.step("send_msg_to_user('hello')")
    assert info["action_error"] is None and "Error" not in seen["text"]


def test_a_page_that_lies_about_places_is_told_to_have_none(make):
    lies = "Element.prototype.getClientRects = () => [{ left: 'a', top: 0, width: 1, height: 1 }];"
    env = make({"index": f"<button>Here</button><script>{lies} document.elementFromPoint = () => null</script>"})
    env.reset(seed=0)
    assert "has no place" in do(env, f"click('{ref(env, 'Here')}')")
