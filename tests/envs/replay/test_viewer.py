import json
import re
import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from saccade.envs.episode import Cause
from saccade.envs.errors import StoreError
from saccade.envs.observation import Audio, Image, Observation, Video
from saccade.envs.replay import write_html

HOSTILE = (
    "</script><script>document.title='owned';alert(1)</script><img src=x onerror=\"document.title='owned'\">"
    "<!-- <b>bold</b> {{data}} }} ${1} & &lt; \u2028\u2029 \u202eevil\u202c \u0000 \ud800 "
    "<style>body{display:none}</style>"
    "javascript:alert(1) http://example.com/pixel.png"
)


@pytest.fixture
def filled(store, play, script, notes):
    """Two groups of three, an evaluation, a broken world, and a question that was answered in one turn."""
    wander = script("say('hm')", "click(2, 2)", "click(1, 60)", "clak(1)", "say('end')")
    for group in (0, 1):
        for at in range(3):
            episode = play(group, id=f"g{group}-{at}", group=f"g{group}", **({"player": wander} if at == 2 else {}))
            store.add(episode, notes(episode, at, [1.0, 0.2, -0.8][at]), update=group + 1)
    store.add(play(5, id="eval"), update=2, phase="eval")
    store.add(play(6, script("say('a')", "crash()"), id="broken"), update=2)
    return store


def embedded(path) -> dict:
    return json.loads(re.search(r'id="replay-data">(.*?)</script>', path.read_text(), re.S)[1])


def test_the_file_holds_everything_and_each_picture_once(filled, tmp_path):
    path = write_html(filled, tmp_path / "out" / "replay.html", title="A <run> & more")
    text = path.read_text()
    data = embedded(path)
    assert path == tmp_path / "out" / "replay.html" and "<title>A &lt;run&gt; &amp; more</title>" in text
    assert [each["id"] for each in data["episodes"]] == [record.id for record in filled.records()]
    digests = {path.stem for path in (filled.path / "media").iterdir()}
    assert set(data["media"]) == digests
    assert all(uri.startswith("data:image/png;base64,") for uri in data["media"].values())
    assert 'http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; ' in text
    assert "unsafe" not in text.split("</head>")[0] and not re.search(r"<script[^>]+src|<link", text)


def test_limit_and_records_choose_the_last_ones(filled, tmp_path):
    data = embedded(write_html(filled, tmp_path / "a.html", limit=2))
    assert [each["id"] for each in data["episodes"]] == ["eval", "broken"] and data["total"] == 8
    data = embedded(write_html(filled, tmp_path / "a.html", filled.records(group="g1"), limit=None))
    assert [each["id"] for each in data["episodes"]] == ["g1-0", "g1-1", "g1-2"]


def test_markup_never_appears_in_the_data(store, play, script, tmp_path):
    episode = replace(play(0, script(f"say({HOSTILE!r})"), cause=Cause.CONTEXT), instructions=HOSTILE)
    store.add(episode)
    text = write_html(store, tmp_path / "a.html", title=HOSTILE.replace("\ud800", "")).read_text()
    block = re.search(r'id="replay-data">(.*?)</script>', text, re.S)[1]
    assert not set("<>&\u2028\u2029\u202e") & set(block) and block.isascii()
    assert text.count("<script") == 2 and json.loads(block)["episodes"][0]["instructions"] == HOSTILE


def test_numbers_that_are_not_finite_do_not_break_the_page(store, play, tmp_path):
    store.add(play(0))
    path = store.path / "episodes.jsonl"
    path.write_text(path.read_text().replace('"seconds":0.0004', '"seconds":1e999'))
    assert embedded(write_html(store, tmp_path / "a.html"))["episodes"][0]["steps"][0]["seconds"] is None


def test_a_file_that_cannot_be_written(filled, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="choose another folder"):
        write_html(filled, tmp_path / "file" / "a.html")


# In a real Chromium.


@pytest.fixture(scope="module")
def chromium() -> Iterator:
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def show(chromium, tmp_path):
    """Open a store in a page; at the end, nothing may have gone wrong in it, and nothing may have been asked for."""
    pages, troubles = [], []

    def run(store, link: str = "", size=(1200, 800), scheme="light", **options):
        path = write_html(store, tmp_path / "replay.html", **options)
        page = chromium.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
        pages.append(page)
        page.on("console", lambda message: troubles.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
        page.on("dialog", lambda dialog: troubles.append(f"dialog: {dialog.message}") or dialog.dismiss())
        page.on("request", lambda request: request.url.startswith(("data:", "file:")) or troubles.append(request.url))
        page.goto(path.as_uri() + link)
        return page

    yield run
    for page in pages:
        page.wait_for_timeout(20)
        page.close()
    assert troubles == []


def eventually(page, condition: str) -> None:
    """Wait in Python: Playwright's own waiting evaluates strings, which the policy of the page forbids."""
    for _ in range(150):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(20)
    raise AssertionError(condition)


def rows(page) -> list[str]:
    return page.eval_on_selector_all(".row", "nodes => nodes.map(node => node.innerText.replace(/\\s+/g, ' '))")


def at(page) -> str:
    return page.inner_text(".turn[aria-current=step]").strip()


def fragment(page) -> str:
    return page.evaluate("location.hash")


@pytest.mark.browser
def test_stepping_by_buttons_and_keys(filled, show):
    page = show(filled, "#episode=g0-0&step=0")
    assert page.inner_text("#head h2") == "Tiles" and at(page) == "0"
    assert "tile into the frame" in page.inner_text("#detail") and page.inner_text(".code").startswith("click(")
    page.click("#next")
    assert at(page) == "1" and page.inner_text(".code").startswith("drag(")
    assert page.inner_text("#sofar") == "return so far 1.25"
    assert page.inner_text(".fact:nth-child(1)").split() == ["+1", "reward"]
    assert "task +1" in page.inner_text(".terms")
    page.keyboard.press("ArrowRight")
    assert at(page) == "end" and "Done." in page.inner_text("#detail")
    assert "goal" in page.inner_text(".ending") and "terminated" in page.inner_text(".ending")
    assert page.is_disabled("#next") and not page.is_disabled("#previous")
    page.keyboard.press("ArrowRight")
    assert at(page) == "end"
    page.click("#previous")
    assert at(page) == "1"
    page.keyboard.press("Home")
    assert at(page) == "0" and page.is_disabled("#first")
    page.keyboard.press("End")
    assert at(page) == "end"
    page.click(".turn:nth-child(2)")
    assert fragment(page) == "#episode=g0-0&step=1"
    page.keyboard.press("ArrowDown")
    assert fragment(page) == "#episode=g0-1&step=0"
    page.keyboard.press("ArrowUp")
    assert fragment(page) == "#episode=g0-0&step=0"


@pytest.mark.browser
def test_play_and_pause(filled, show):
    page = show(filled, "#episode=g0-0&step=0")
    page.click("#speed")
    page.click("#speed")
    assert page.inner_text("#speed") == "4\u00d7"
    page.keyboard.press("Escape")
    page.click("#play")
    assert page.get_attribute("#play", "aria-label") == "Pause"
    eventually(page, "location.hash.endsWith('step=2')")
    assert page.get_attribute("#play", "aria-label") == "Play" and at(page) == "end"
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press(" ")  # from the end, it starts again
    assert page.get_attribute("#play", "aria-label") == "Pause" and at(page) == "0"
    page.keyboard.press(" ")
    assert page.get_attribute("#play", "aria-label") == "Play"
    page.wait_for_timeout(350)
    assert at(page) == "0"


@pytest.mark.browser
def test_filters_and_search(filled, show):
    page = show(filled)
    assert len(rows(page)) == 8 and page.inner_text("#count") == "8 episodes"
    assert page.inner_text(".chapter >> nth=0").split("\n")[0].startswith("Update 2, eval")
    page.select_option("#outcome", "void")
    assert rows(page) == ["\u2013 Tiles #6 0.00 infra, 2 turns"]
    page.select_option("#outcome", "failure")
    assert len(rows(page)) == 2 and page.inner_text("#count") == "2 of 8 episodes"
    page.select_option("#outcome", "")
    page.select_option("#phase", "eval")
    assert rows(page) == ["✓ Tiles #5 1.25 goal, 2 turns"]
    page.select_option("#phase", "")
    page.fill("#search", "CLAK")
    assert len(rows(page)) == 2
    page.fill("#search", "clak nowhere")
    assert rows(page) == [] and "No episode fits" in page.inner_text("#list")
    page.fill("#search", "")
    page.select_option("#env", "test/Tiles-v0")
    assert len(rows(page)) == 8
    page.keyboard.press("/")
    page.click(".row >> nth=7")
    assert page.get_attribute(".row >> nth=7", "aria-current") == "true"


@pytest.mark.browser
def test_group_view(filled, show):
    page = show(filled, "#episode=g1-0&step=1")
    page.click("#group")
    assert fragment(page) == "#episode=g1-0&step=1&view=group"
    cards = page.query_selector_all(".card")
    assert len(cards) == 3 and all(card.query_selector("img") for card in cards)
    assert "group of 3" in page.inner_text("#head") and "2 solved" in page.inner_text("#head")
    assert not page.is_visible("#stage")
    page.keyboard.press("End")  # the longest episode has 5 turns: the others stay at their end
    assert [card.query_selector(".top").inner_text().split()[1] for card in page.query_selector_all(".card")] == [
        "end"
    ] * 3
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.click(".card >> nth=2")
    assert fragment(page) == "#episode=g1-2&step=1" and page.is_visible("#stage")
    page.keyboard.press("g")
    assert page.is_visible("#cards")
    page.keyboard.press("Escape")
    assert page.is_visible("#stage")


def centre(page, selector: str) -> tuple[float, float]:
    box = page.eval_on_selector(selector, "node => { const box = node.getBoundingClientRect(); return [box.x, box.y] }")
    return tuple(box)


@pytest.mark.browser
@pytest.mark.parametrize("size", [(1200, 800), (700, 900), (360, 640)])
def test_the_action_is_drawn_on_its_pixel(store, play, script, show, size):
    store.add(play(0, script("click(20, 10)", "drag(0, 0, 95, 63)", "click(500, -3)", "say('a')", "say('b')"), id="e"))
    page = show(store, "#episode=e&step=0", size)
    image = page.eval_on_selector(
        ".picture img", "n => { const b = n.getBoundingClientRect(); return [b.x, b.y, b.width, b.height] }"
    )
    left, top, width, height = image
    assert width / height == pytest.approx(96 / 64, rel=0.01) and width > 200
    assert page.eval_on_selector(".picture img", "node => getComputedStyle(node).imageRendering") == "pixelated"

    def pixel(x: float, y: float) -> tuple[float, float]:
        return left + (x + 0.5) * width / 96, top + (y + 0.5) * height / 64

    assert centre(page, ".point") == pytest.approx(pixel(20, 10), abs=0.6)
    page.keyboard.press("ArrowRight")
    assert centre(page, ".point.start") == pytest.approx(pixel(0, 0), abs=0.6)
    assert centre(page, ".point.end") == pytest.approx(pixel(95, 63), abs=0.6)
    line = page.eval_on_selector(
        ".arrow line", "n => { const b = n.getBoundingClientRect(); return [b.x, b.y, b.right, b.bottom] }"
    )
    assert line[:2] == pytest.approx(pixel(0, 0), abs=4) and line[2:] == pytest.approx(pixel(95, 63), abs=4)
    page.keyboard.press("ArrowRight")  # outside: on the edge, and said
    assert "outside the picture" in page.inner_text(".caption")
    assert centre(page, ".point") == pytest.approx((left + width, top), abs=0.6)
    page.keyboard.press("ArrowRight")
    assert page.query_selector(".point") is None and page.inner_text(".caption code") == "say('a')"


@pytest.mark.browser
def test_an_action_that_was_not_understood_stands_out(filled, show):
    page = show(filled, "#episode=g0-2&step=3")
    assert page.inner_text(".code.wrong") == "clak(1)"
    assert "unknown action 'clak'; did you mean 'click'?" in page.inner_text(".complaint")
    assert "action not understood" in page.get_attribute(".turn[aria-current=step]", "aria-label")
    page = show(filled, "#episode=broken&step=1")
    assert "the tiles fell off" in page.inner_text(".complaint") and "never trained on" in page.inner_text(".ending")


@pytest.mark.browser
def test_a_thought_is_said_to_be_right_or_wrong_where_that_is_known(store, play, show):
    for id, verdicts in {"known": [True, False], "half": [None, True], "old": None}.items():
        store.add(replace(play(0, id=id), info={"thoughts_right": verdicts} if verdicts else {}))
    found = {}
    for id in ("known", "half", "old"):
        page = show(store, f"#episode={id}&step=0")
        found[id] = []
        for _ in range(2):
            node = page.query_selector(".verdict .badge")
            found[id].append(node and (node.inner_text(), node.get_attribute("class")))
            page.keyboard.press("ArrowRight")
        assert page.query_selector(".verdict") is None  # there is no thought after the last turn
    right, wrong = ("right", "badge success"), ("wrong", "badge failure")
    assert found == {"known": [right, wrong], "half": [None, right], "old": [None, None]}


@pytest.mark.browser
def test_a_turn_names_its_sample_where_there_are_several(store, play, show):
    episode = play(0, id="cut")
    notes = [{"sample": at, "prompt_tokens": 300 + at} for at in range(len(episode.steps))]
    store.add(episode, notes)
    store.add(play(0, id="whole"))
    store.add(play(0, id="odd"), [{"sample": "<b>1</b>"} for _ in episode.steps])
    assert "Training sample 2; the model read 301 tokens." in show(store, "#episode=cut&step=1").inner_text("#detail")
    for id in ("whole", "odd"):
        assert "Training sample" not in show(store, f"#episode={id}&step=1").inner_text("#detail")


@pytest.mark.browser
def test_tokens_are_coloured_and_explained(filled, show):
    page = show(filled, "#episode=g0-0&step=0")
    (record,) = filled.records(id="g0-0")
    turn = record.turns[0]
    assert page.eval_on_selector_all(".token", "nodes => nodes.length") == len(turn["tokens"])
    assert page.eval_on_selector_all(".token.advantage-up", "nodes => nodes.length") == len(turn["tokens"])

    def colours() -> list[str]:
        return page.eval_on_selector_all(".token", "nodes => nodes.map(node => getComputedStyle(node).backgroundColor)")

    by_advantage = colours()
    assert len(set(by_advantage)) > 3
    page.click("text=Log-probability")
    assert page.query_selector(".token.advantage-up") is None
    shares = page.eval_on_selector_all(
        ".token", "nodes => nodes.map(node => parseFloat(node.style.getPropertyValue('--share')))"
    )
    assert shares == pytest.approx([min(1, -value / 5) * 62 for value in turn["logprobs"]], abs=0.06)
    assert colours() != by_advantage
    page.keyboard.press("c")
    assert colours() == by_advantage

    page.hover(".token >> nth=2")
    tip = page.inner_text("#tooltip")
    assert json.dumps(turn["tokens"][2]) in tip and "weight version" in tip
    for value in (np.exp(turn["logprobs"][2]), turn["advantages"][2]):
        assert f"{round(value, 4):g}" in tip
    box = page.eval_on_selector(
        "#tooltip", "node => { const b = node.getBoundingClientRect(); return [b.left, b.right] }"
    )
    assert box[0] >= 0 and box[1] <= 1200
    page.mouse.move(5, 5)
    assert not page.is_visible("#tooltip")
    page = show(filled, "#episode=g0-2&step=0")
    assert page.query_selector(".token.advantage-down") is not None


@pytest.mark.browser
def test_hostile_strings_are_inert(store, play, script, show):
    task = replace(play(0).task, kwargs={"error_penalty": 0.5})
    episode = play(0, script(f"say({HOSTILE!r})", HOSTILE), cause=Cause.GAVE_UP, id=HOSTILE, group=HOSTILE)
    steps = [
        replace(
            step,
            observation=step.observation + Observation.of(HOSTILE),
            thought=HOSTILE,
            reply=HOSTILE,
            reward_terms={HOSTILE: 1.0},
        )
        for step in episode.steps
    ]
    shown = replace(episode, task=task, instructions=HOSTILE, steps=steps, failure=HOSTILE, info={HOSTILE: HOSTILE})
    turns = [
        {
            "tokens": [HOSTILE, "a"],
            "logprobs": [None, -1.0],
            "advantages": [1.0, 0.0],
            "versions": [1, 1],
            HOSTILE: [1, 2],
        }
    ] * 2
    for at in range(2):
        store.add(replace(shown, id=f"{at}{HOSTILE}"), turns, phase=HOSTILE)
    page = show(store, title=HOSTILE.replace("\ud800", "?"))
    title = page.title()
    elements = "img:not(.picture img), #detail b:not(.fact b), iframe, [onerror], #main style"
    strange = f"document.querySelectorAll('{elements}').length"
    for key in ["ArrowRight", "ArrowRight", "ArrowLeft", "g", "ArrowLeft", "g", "c", "Home"]:
        page.keyboard.press(key)
        page.evaluate("document.querySelectorAll('details').forEach(node => node.open = true)")
        if page.is_visible(".token"):
            page.hover(".token >> nth=0")
            assert "onerror" in page.inner_text("#tooltip")
        assert page.evaluate(strange) == 0
    assert title.startswith("</script>") and page.title() == title
    assert page.evaluate("getComputedStyle(document.body).display") == "flex"
    assert page.evaluate("document.querySelectorAll('script').length") == 2
    prose = page.inner_text(".block >> nth=0")
    assert "<img src=x onerror" in prose and "<b>bold</b>" in prose and "202E" in prose and "D800" in prose
    # Not one of the characters that reorder or hide text reaches the page as itself.
    bare = page.evaluate(
        "/[\\u202a-\\u202e\\u2066-\\u2069\\u2028\\u2029\\u0000]/.test(document.querySelector('#main').textContent)"
    )
    assert not bare


@pytest.mark.browser
def test_the_policy_of_the_page_stops_what_would_get_through(filled, chromium, tmp_path):
    """Even markup that is put into the page on purpose neither runs nor connects."""
    page = chromium.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto(write_html(filled, tmp_path / "a.html").as_uri())
    server = socket.create_server(("127.0.0.1", 0))
    server.setblocking(False)
    place = f"http://127.0.0.1:{server.getsockname()[1]}/"
    markup = f'<img src="{place}x.png" onerror="window.owned=1"><iframe src="{place}"></iframe><b style="color:red">'
    page.evaluate("markup => document.body.insertAdjacentHTML('beforeend', markup)", markup)
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.owned = 1'}))")
    assert page.evaluate("place => fetch(place).then(() => 'sent', () => 'stopped')", place) == "stopped"
    page.wait_for_timeout(50)
    assert page.title() == "Run run-a" and page.evaluate("window.owned") is None
    form = f'<form action="{place}"><button id="go"></button></form>'
    page.evaluate("markup => document.body.insertAdjacentHTML('beforeend', markup)", form)
    page.eval_on_selector("#go", "node => node.click()")
    page.wait_for_timeout(50)
    for directive in (
        "img-src data:",
        "default-src 'none'",
        "script-src 'sha256-",
        "style-src 'sha256-",
        "form-action 'none'",
    ):
        assert any(f"{quote}{directive}" in text for text in refused for quote in ("'", '"')), (directive, refused)
    with server, pytest.raises(BlockingIOError):
        server.accept()  # nobody ever called
    page.close()


@pytest.mark.browser
def test_many_pictures_video_sound_and_words(store, play, show):
    episode = play(0, id="e")
    rng = np.random.default_rng(0)
    parts = (
        Image(rng.integers(0, 256, (10, 20, 3), dtype=np.uint8)),
        Video(rng.integers(0, 256, (3, 8, 16, 3), dtype=np.uint8), fps=5),
        Audio(rng.uniform(-1, 1, 800).astype(np.float32), 8000),
        Image(rng.integers(0, 256, (30, 20, 3), dtype=np.uint8)),
    )
    steps = [
        replace(episode.steps[0], observation=Observation(parts)),
        replace(episode.steps[1], observation=Observation.of("Only words.")),
    ]
    store.add(replace(episode, steps=steps, final=None))
    page = show(store, "#episode=e&step=0")
    eventually(page, "[...document.images].every(image => image.complete && image.naturalWidth)")
    assert page.eval_on_selector_all(".thumbs img", "nodes => nodes.length") == 3

    def natural() -> list[int]:
        return page.eval_on_selector(".picture img", "node => [node.naturalWidth, node.naturalHeight]")

    assert natural() == [20, 30] and page.query_selector(".picture .point") is not None
    page.click(".thumbs button >> nth=1")
    eventually(page, "document.querySelector('.picture img').naturalWidth === 16")
    assert page.query_selector(".picture .point") is None  # actions point into the last picture
    eventually(page, "document.querySelector('audio').duration > 0")
    assert page.evaluate("document.querySelector('audio').duration") == pytest.approx(0.1, abs=0.01)
    page.keyboard.press("ArrowRight")
    assert page.inner_text(".pane .words") == "Only words."


@pytest.mark.browser
def test_a_picture_that_is_missing_is_said(store, play, show):
    episode = play(0)
    store.add(episode)
    (store.path / "media" / f"{episode.steps[0].observation.images[0].digest}.png").unlink()
    page = show(store)
    assert "missing from the store" in page.inner_text(".pane")


@pytest.mark.browser
def test_episodes_that_never_began_and_stores_without_any(store, play, show):
    assert "no episodes" in show(store).inner_text("#main")
    store.add(replace(play(0, id="e"), steps=[], final=None, cause=Cause.INFRA, success=False, failure="no browser"))
    page = show(store)
    assert "no browser" in page.inner_text(".pane") and "never trained on" in page.inner_text(".ending")


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1200, 800), (360, 640)])
def test_it_fits_the_screen_and_can_be_read(filled, show, size, scheme):
    page = show(filled, "#episode=g0-2&step=3", size, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.evaluate("document.documentElement.scrollHeight") <= size[1]
    assert page.is_visible("#next") and page.is_visible(".picture")
    # WCAG AA: 4.5 to 1 for the text that matters, measured on what is behind it.
    for selector in (".prose", ".code", ".complaint", "#head .badge", ".block h3", "#sofar", ".turn"):
        assert page.eval_on_selector(selector, CONTRAST) >= 4.5, selector
    unnamed = (
        "nodes => nodes.filter(n => !(n.getAttribute('aria-label') || n.textContent.trim())).map(n => n.outerHTML)"
    )
    assert page.eval_on_selector_all("button", unnamed) == []
    if size[0] < 860:
        assert not page.is_visible("#search")
        page.click("#drawer")
        page.wait_for_selector("#search", state="visible")
        page.click(".row >> nth=0")
        assert page.get_attribute("#drawer", "aria-expanded") == "false"


CONTRAST = """node => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const solid = (layers) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const layer of layers) { canvas.fillStyle = layer; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((v) => v / 255);
  };
  const weight = [.2126, .7152, .0722];
  const light = (rgb) => rgb.map((v) => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, at) => sum + v * weight[at], 0);
  const layers = [];
  for (let at = node; at; at = at.parentElement) layers.unshift(getComputedStyle(at).backgroundColor);
  const [a, b] = [light(solid([...layers, getComputedStyle(node).color])), light(solid(layers))];
  return (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
}"""


@pytest.mark.browser
def test_deep_links(filled, show):
    page = show(filled, "#episode=g1-2&step=4")
    assert at(page) == "4"
    page.evaluate("location.hash = '#episode=g0-1&step=1'")
    eventually(page, "document.querySelector('.turn[aria-current=step]').innerText.trim() === '1'")
    assert page.get_attribute(".row[aria-current=true]", "data-index") == "1"
    for link in ("#episode=nothing&step=3", "#step=zzz", "#episode=g0-0&step=999", "#%E0%A4%A"):
        page = show(filled, link)
        assert page.is_visible(".picture")
