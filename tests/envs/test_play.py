import http.client
import json
import shutil
import socket
import threading
import time

import gymnasium as gym
import numpy as np
import pytest

from saccade.envs.actions import STR, ActionSet, Answer, Param, X, Y, verb
from saccade.envs.core import LanguageEnv, Outcome
from saccade.envs.episode import Cause, Demo
from saccade.envs.errors import ConfigError, WorldFailure
from saccade.envs.gui.verbs import gui_actions
from saccade.envs.observation import Audio, Image, Observation, Video
from saccade.envs.play import KEYS, Game, Hand
from saccade.envs.play_terminal import plain, play_in_terminal
from saccade.envs.play_window import MAX_BODY, Window
from saccade.envs.replay import ReplayStore, verify
from saccade.envs.task import TaskSource

HOSTILE = (
    "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    "<style>body{display:none}</style> \u202eevil\u202c \x1b[2J"
)
CHOICES = ("Enter", "Control+a")


class Spot(LanguageEnv):
    """Click the only dark pixel of a picture of 9 x 6, or write the word; bound to the thread that made it."""

    instructions = f"Click the dark pixel. {HOSTILE}"
    affinity = "thread"
    max_turns = 4
    action_format = ActionSet(
        verb("wait", f"Do nothing. {HOSTILE}"),
        verb("click", "Click.", x=X, y=Y),
        verb("type", "Type.", text=STR),
        verb("press", "Press.", key=Param("str", choices=CHOICES)),
        verb("crash", "Break."),
    )

    def __init__(self, **settings):
        super().__init__(**settings)
        self.thread = threading.get_ident()

    def begin(self, rng):
        assert threading.get_ident() == self.thread
        self.at = tuple(int(n) for n in rng.integers((9, 6)))
        self.did = []
        return Observation.of(f"Find it. {HOSTILE}", self.picture())

    def picture(self):
        pixels = np.full((6, 9, 3), 230, np.uint8)
        pixels[self.at[1], self.at[0]] = 20
        return Image(pixels)

    def act(self, call):
        assert threading.get_ident() == self.thread
        if call.verb == "crash":
            raise WorldFailure(f"it fell {HOSTILE}")
        self.did.append(str(call))
        seen = Observation.of(f"Did {self.did}.", self.picture())
        if call.verb != "click":
            return Outcome(seen)
        hit = (call.args["x"], call.args["y"]) == self.at
        return Outcome(seen, reward=float(hit), ended=Cause.GOAL if hit else Cause.FAILED)

    def state(self):
        return [self.at, self.did]

    def demo(self):
        yield Demo(f"click{self.at}", f"there {HOSTILE}")

    def close(self):
        assert threading.get_ident() == self.thread


class Senses(LanguageEnv):
    """A film and a sound."""

    action_format = Answer()

    def begin(self, rng):
        film = Video(rng.integers(0, 255, (3, 4, 5, 3)).astype(np.uint8), 2.0)
        return Observation.of("What?", film, Audio(np.zeros(8, np.float32), 8000))

    def act(self, answer):
        return Outcome(Observation.of("Well."), ended=Cause.FAILED)

    def state(self):
        return 0


for _id, _world in {"test/Spot-v0": Spot, "test/Senses-v0": Senses}.items():
    if _id not in gym.registry:
        gym.register(_id, entry_point=_world)


@pytest.fixture
def store(tmp_path):
    with ReplayStore.create(tmp_path / "replay", run_id="play") as made:
        yield made


def game_of(env, store, **settings):
    return Game(TaskSource.parse(env), store, **settings)


# The game.


def test_a_question_is_played_recorded_and_verified(store):
    game = game_of("saccade/Shapes-v0?level=2", store, seed=3, split="test", episodes=2)
    for seed in (3, 4):
        view = game.view()
        text, picture = view["parts"]
        assert view["title"] == f"saccade/Shapes-v0?level=2, task {seed} of test" and view["goal"] == text["text"]
        assert picture["picture"].startswith("data:image/png;base64,") and not view["done"]
        game.act(game.demo().action)
        assert game.end.success and game.view()["end"]["cause"] == "goal" and game.demo() is None
        game.act("again")  # after the end, nothing happens
        assert len(game.moves) == 1
        game.new()
    assert game.done and "task 4" in game.title  # no third one begins
    game.close()
    records = list(store.records())
    assert [(each.phase, each.task.seed, each.task.split, each.success) for each in records] == [
        ("play", 3, "test", True),
        ("play", 4, "test", True),
    ]
    assert verify(store).ok


def test_what_is_given_up_is_not_stored_and_errors_are_told(store):
    game = game_of("test/Spot-v0?error_penalty=0.5", store)
    game.act("clik(1, 2)")
    view = game.view()
    assert "did you mean 'click'" in view["moves"][0]["error"] and view["moves"][0]["reward"] == -0.5
    assert "Error: " in view["parts"][-1]["text"] and "turn 1 of 4, return -0.5" in view["status"]
    game.new()
    assert game.moves == [] and list(store.records()) == []
    game.act("crash()")
    assert game.end.failure.startswith("it fell") and "it fell" in game.status
    game.close()
    assert [each.cause for each in store.records()] == [Cause.INFRA]


def test_all_kinds_of_media_are_shown(store):
    text, film, sound = game_of("test/Senses-v0", store).view()["parts"]
    assert text == {"text": "What?"}
    assert film["picture"].startswith("data:image/png") and sound["sound"].startswith("data:audio/wav")


def test_mouse_and_keyboard_find_their_verbs():
    assert Hand.of(Answer()) == Hand() and Hand.of(gui_actions(["nav"])) == Hand()
    assert Hand.of(Spot.action_format) == Hand("click", "type", "press", CHOICES)
    assert Hand.of(gui_actions(["ref"])) == Hand()  # they name elements
    assert Hand.of(gui_actions(["ref", "coord"])) == Hand("mouse_click", "keyboard_type", "keyboard_press", KEYS)
    assert Hand.of(ActionSet(verb("move", "", x=X, y=Y), verb("drag", "", x1=X, y1=Y, x2=X, y2=Y))) == Hand("move")


def test_episodes_must_be_some(store):
    with pytest.raises(ConfigError, match="episodes must be >= 1"):
        game_of("test/Spot-v0", store, episodes=0)


def test_a_world_that_does_not_begin_is_closed(store, monkeypatch):
    closed = []

    def fall(world, rng):
        raise WorldFailure("it fell")

    monkeypatch.setattr(Spot, "begin", fall)
    monkeypatch.setattr(Spot, "close", lambda world: closed.append(world))
    with pytest.raises(WorldFailure, match="it fell"):
        game_of("test/Spot-v0", store)
    assert len(closed) == 1


# The terminal.


def in_terminal(game, folder, *lines):
    told, rest = [], iter(lines)

    def read():
        try:
            return next(rest)
        except StopIteration:
            raise EOFError from None

    play_in_terminal(game, folder, read, told.append)
    return "\n".join(told)


def test_a_game_in_the_terminal(store, tmp_path):
    game = game_of("test/Spot-v0", store)
    told = in_terminal(game, tmp_path, "", ":what", "type(1)", ":demo", ":do", "wait()", ":new", "wait()", ":quit")
    assert "\x1b" not in told and "\u202e" not in told and "\\x1b[2J" in told
    assert told.count("Do nothing.") == 1  # the help
    assert told.count(":demo shows") == 2  # at the beginning, and for what it does not know
    assert "Error: text must be a quoted string, got 1" in told
    assert told.count(" -> click(") == 2  # asked for, and done
    assert "reward 1; success (goal), turn 2 of 4, return 1" in told and "The episode is over: :new" in told
    assert told.count("task 1 of train") == 1 and f"{tmp_path / 'now.png'} (9 x 6 pixels)" in told
    assert Image.decode((tmp_path / "now.png").read_bytes()).size == (9, 6)
    assert [each.task.seed for each in store.records()] == [0]  # the second was given up


def test_the_end_of_the_input_and_the_last_episode_end_the_game(store, tmp_path):
    in_terminal(game_of("test/Spot-v0", store), tmp_path, "wait()")
    assert list(store.records()) == []
    in_terminal(game_of("test/Spot-v0", store, episodes=1), tmp_path, ":do", "wait()", "wait()")
    assert len(list(store.records())) == 1
    in_terminal(game_of("test/Senses-v0", store), tmp_path)
    assert (tmp_path / "now-2.wav").read_bytes().startswith(b"RIFF")


def test_a_terminal_obeys_no_text():
    assert plain("a\nb\t\x1b[31m\u202e\ud800é") == "a\nb\\t\\x1b[31m\\u202e\\ud800é"


# The window.


@pytest.fixture
def window(store):
    """A running window on `Spot`."""
    with Window(lambda: game_of("test/Spot-v0", store), port=0) as made:
        thread = threading.Thread(target=made.serve)
        thread.start()
        yield made
        made.stop()
        thread.join()


def request(window, method, name, body=None, token=None, **headers):
    """Status, headers and body of the answer to a request; `Host` and the JSON type are right unless given."""
    connection = http.client.HTTPConnection(window.hosts[0], timeout=10)
    given = {"Host": window.hosts[0], "Content-Type": "application/json"}
    given |= {key.replace("_", "-"): value for key, value in headers.items()}
    data = body if isinstance(body, str | None) else json.dumps(body)
    connection.request(method, f"/{window.token if token is None else token}/{name}", data, given)
    reply = connection.getresponse()
    content = reply.read()
    connection.close()
    return reply.status, reply.headers, content


def test_an_action_is_played_and_its_episode_stored(window, store):
    status, _, content = request(window, "GET", "view")
    view = json.loads(content)
    assert status == 200 and view["hand"]["click"] == "click" and view["moves"] == []
    demo = json.loads(request(window, "POST", "demo", {})[2])["demo"]
    status, _, content = request(window, "POST", "act", {"action": demo["action"]})
    view = json.loads(content)
    assert status == 200 and view["end"]["success"] and view["moves"][0]["reward"] == 1.0
    (record,) = store.records()
    assert record.steps[0]["action"] == demo["action"] and record.success
    assert "task 1" in json.loads(request(window, "POST", "new", {})[2])["title"]


@pytest.mark.parametrize(
    ("status", "change"),
    [
        (403, {"token": ""}),
        (403, {"token": "x" * 22}),
        (403, {"token": "%C3%A9"}),
        (403, {"Host": "saccade.example"}),
        (403, {"Host": "127.0.0.1:1"}),
        (415, {"Content_Type": "text/plain"}),
        (415, {"Content_Type": "application/x-www-form-urlencoded"}),
        (413, {"Content_Length": str(MAX_BODY + 1)}),
        (411, {"Content_Length": "-1"}),
        (400, {"body": "[" * 9000}),
        (400, {"body": '["wait()"]'}),
        (400, {"body": '{"action": 1}'}),
        (400, {"name": "quit"}),
    ],
    ids=str,
)
def test_nobody_else_can_play(window, status, change):
    change = dict(change)
    name = change.pop("name", "act")
    body = change.pop("body", {"action": "wait()"})
    assert request(window, "POST", name, body, **change)[0] == status
    assert json.loads(request(window, "GET", "view")[2])["moves"] == []


def test_pages_are_behind_the_token_too_and_have_a_policy(window):
    for name, kind in {"": "text/html", "play.js": "text/javascript", "viewer.css": "text/css"}.items():
        status, headers, content = request(window, "GET", name)
        assert status == 200 and headers["Content-Type"].startswith(kind) and content
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'; ")
        assert headers["Referrer-Policy"] == "no-referrer"
        assert request(window, "GET", name, token="wrong")[0] == 403
        assert request(window, "GET", name, Host="evil.example")[0] == 403
    assert request(window, "GET", "../play.py")[0] == request(window, "GET", "nothing")[0] == 404
    assert request(window, "OPTIONS", "act")[0] == 501  # no other origin may send JSON


def test_only_this_machine_is_listened_to(window):
    port = int(window.hosts[0].partition(":")[2])
    socket.create_connection(("127.0.0.1", port), timeout=5).close()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.2", port), timeout=5)  # where a server of all addresses would answer


def test_the_last_episode_closes_the_window(store):
    with Window(lambda: game_of("test/Spot-v0", store, episodes=1), port=0) as window:
        thread = threading.Thread(target=window.serve)
        thread.start()
        assert json.loads(request(window, "POST", "act", {"action": "click(0, 0)"})[2])["done"]
        thread.join(5)
        assert not thread.is_alive()


def test_a_port_that_is_taken_and_a_game_that_cannot_be_made(store):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="choose another"):
            Window(lambda: game_of("test/Spot-v0", store), taken.getsockname()[1])
    with pytest.raises(ConfigError, match="port must be"):
        Window(lambda: game_of("test/Spot-v0", store), 1 << 16)
    with pytest.raises(ConfigError, match="has no setting"):
        Window(lambda: game_of("test/Spot-v0?sze=3", store), 0)


# In a real Chromium.


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, window):
    """The page of the window; at the end, nothing may have gone wrong in it, and nothing else may have been asked."""
    troubles = []
    page = chromium.new_page(viewport={"width": 1000, "height": 700})
    page.on("console", lambda message: troubles.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
    page.on("request", lambda asked: asked.url.startswith((window.url, "data:")) or troubles.append(asked.url))
    page.goto(window.url)
    eventually(lambda: page.locator("#seen img").count() and page.evaluate("document.images[0].width") > 9)
    yield page
    page.close()
    assert troubles == []


def eventually(condition):
    """Wait in Python: Playwright's own waiting evaluates strings, which the policy of the page forbids."""
    for _ in range(250):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come to be")


def moves(window):
    return [each["action"] for each in json.loads(request(window, "GET", "view")[2])["moves"]]


@pytest.mark.browser
def test_a_click_on_the_picture_plays(page, window, store):
    x, y = map(int, json.loads(request(window, "POST", "demo", {})[2])["demo"]["action"][6:-1].split(", "))
    box = page.locator("#seen img").bounding_box()
    scale = box["width"] / 9
    assert scale == box["height"] / 6 == int(scale) > 20
    page.mouse.click(box["x"] + (x + 0.9) * scale, box["y"] + (y + 0.1) * scale)
    eventually(lambda: page.inner_text("#status") == "success (goal), turn 1 of 4, return 1")
    (record,) = store.records()
    assert record.steps[0]["action"] == f"click({x}, {y})"
    page.click("#new")
    eventually(lambda: "task 1 of train" in page.inner_text("#title"))


@pytest.mark.browser
def test_keys_go_to_the_picture_and_lines_to_the_form(page, window):
    page.focus("#seen img")
    page.keyboard.type('it\'s "ok"')
    page.keyboard.press("Escape")  # this world has no such key
    page.keyboard.press("Control+a")
    eventually(lambda: len(moves(window)) == 2)
    assert moves(window) == ['type("it\'s \\"ok\\"")', 'press("Control+a")']
    eventually(lambda: page.evaluate("document.activeElement.localName") == "img")
    page.fill("#action", "clik(1)")
    page.keyboard.press("Enter")
    eventually(lambda: "did you mean 'click'" in page.inner_text("#note"))
    page.click("#demo")
    eventually(lambda: page.input_value("#action").startswith("click("))
    page.keyboard.press("Enter")
    eventually(lambda: page.inner_text("#status").startswith("success"))
    page.keyboard.press("Enter")
    eventually(lambda: "task 1 of train" in page.inner_text("#title"))


@pytest.mark.browser
def test_what_was_typed_is_sent_after_a_pause(page, window):
    page.focus("#seen img")
    page.keyboard.type("ab")
    assert page.inner_text("#typed") == "typing: ab" and moves(window) == []
    eventually(lambda: moves(window) == ['type("ab")'])
    eventually(lambda: page.inner_text("#typed") == "")


@pytest.mark.browser
def test_hostile_text_stays_text(page):
    page.click("#demo")
    eventually(lambda: "<script>" in page.inner_text("#note"))
    for place in ("#seen", "#instructions", "#goal", "#help", "#note"):
        assert "onerror=\"document.title='owned'\"" in page.inner_text(place)
        assert page.locator(f"{place} .control").first.inner_text() == "202E"  # nothing reorders what is read
    page.fill("#action", f"{HOSTILE[:60]}")
    page.click("#go")
    eventually(lambda: "<script>" in page.inner_text("#moves"))
    page.fill("#action", "crash()")
    page.click("#go")
    eventually(lambda: "<script>" in page.inner_text("#status"))
    assert "owned" not in page.title() and page.locator("script").count() == 2
    assert page.locator("main style").count() == 0 and page.locator("img").count() == 1


# In a browser and in the terminal: a world that is a web page.


@pytest.mark.browser
def test_a_page_is_played_by_a_click(store):
    with Window(lambda: game_of("saccade/ClickTarget-v0?level=1", store, episodes=1), port=0) as window:
        thread = threading.Thread(target=window.serve)
        thread.start()
        demo = json.loads(request(window, "POST", "demo", {})[2])["demo"]
        view = json.loads(request(window, "POST", "act", {"action": demo["action"]})[2])
        thread.join()
    assert view["end"]["success"] and [each.success for each in store.records()] == [True]
