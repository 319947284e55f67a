import http.server
import json
import threading

import pytest

from saccade.envs.errors import ConfigError
from saccade.envs.gui.site import Hosts
from saccade.envs.gui.webarena import WebArena, load_tasks, score_answer, score_contents, score_url

PAGES = {
    "/": "<h1>Shop</h1><a href='/item?id=3&from=list'>Pears</a> <a href='http://other.test/'>Away</a>"
    "<form action='/search'><input name=q aria-label=Search><button>Go</button></form>",
    "/item": "<h1>Pears</h1><p id=price>4 coins</p>",
    "/search": "<h1>Nothing found</h1>",
    "/moved": None,
    "/old": None,
    "/broken": "<h1>Broken</h1><img src=/gone>",
}


class Shop(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/gone":
            return  # the connection is closed without an answer
        page = PAGES.get(self.path.partition("?")[0], "<h1>Not here</h1>")
        self.send_response(302 if page is None else 200)
        if page is None:
            self.send_header("Location", "/item?id=3" if self.path == "/old" else "http://other.test/")
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write((page or "").encode())

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def origin():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def config(**eval):
    return {"task_id": 1, "intent": "What do pears cost?", "start_url": "__SHOP__/", "eval": eval}


@pytest.fixture
def make(tmp_path, origin):
    made = []

    def make_(*configs):
        file = tmp_path / "tasks.json"
        # One of three ids belongs to each split; all are the same task.
        tasks = [each | {"task_id": f"{number}-{copy}"} for number, each in enumerate(configs) for copy in range(12)]
        file.write_text(json.dumps(tasks))
        made.append(WebArena(configs=str(file), hosts=f"SHOP={origin}", viewport=(320, 200)))
        return made[-1]

    yield make_
    for env in made:
        env.close()


def click(env, name):
    found = next(each for each in env.sight.tree.elements if each.name == name)
    return env.step(f'click("{found.ref}")')


@pytest.mark.browser
def test_an_answer_is_judged_with_the_address_and_the_page(make):
    env = make(
        config(
            eval_types=["string_match", "url_match", "program_html"],
            reference_answers={"must_include": ["4"]},
            reference_url="__SHOP__/item?id=3",
            program_html=[
                {
                    "url": "last",
                    "locator": "document.querySelector('#price').outerText",
                    "required_contents": {"must_include": ["3 coins |OR| 4 coins"]},
                },
                {"url": "__SHOP__/search", "locator": "", "required_contents": {"must_include": ["nothing found"]}},
            ],
        )
    )
    for way, answer, reward in (("Pears", "4 coins", 1.0), ("Pears", "5 coins", 0.0), ("", "4 coins", 0.0)):
        seen, _ = env.reset(seed=0)
        assert "What do pears cost?" in seen["text"] and "Pears" in seen["text"]
        if way:
            *_, info = click(env, way)
            assert info["action_error"] is None and env.sight.url.endswith("/item?id=3&from=list")
        _, got, terminated, _, info = env.step(f"send_msg_to_user({answer!r})")
        assert (got, terminated, info["success"]) == (reward, True, bool(reward)), (way, answer, info)
        assert set(info["evaluators"]) == {"string_match", "url_match", "program_html"}


@pytest.mark.browser
def test_no_other_server_is_reached_not_even_by_a_redirect(make, origin):
    env = make(config(eval_types=["string_match"], reference_answers={"exact_match": "x"}))
    for action in ("goto('http://other.test/')", "goto('file:///etc/passwd')", "goto('//other.test/x')"):
        env.reset(seed=0)
        *_, info = env.step(action)
        assert "belong to the task" in info["action_error"]
        assert env.sight.url == f"{origin}/"
    for go in (lambda: click(env, "Away"), lambda: env.step("goto('/moved')")):
        env.reset(seed=0)
        *_, terminated, truncated, info = go()
        assert not terminated and not truncated and "other.test" not in (env.sight.text or "")
        assert not Hosts(origin).allows(env.sight.url) or env.sight.url == f"{origin}/"


@pytest.mark.browser
def test_a_redirect_to_the_same_server_is_followed_and_leaves_no_trace(make, origin):
    env = make(config(eval_types=["url_match"], reference_url="__SHOP__/item?id=3"))
    env.reset(seed=0)
    *_, info = env.step("goto('/old')")
    assert info["action_error"] is None and env.sight.url == f"{origin}/item?id=3"
    assert env.sight.tree.find("heading", "Pears")
    env.step("go_back()")
    assert env.sight.url == f"{origin}/"


@pytest.mark.browser
def test_a_request_without_an_answer_does_not_keep_its_page_loading(make):
    env = make(config(eval_types=["string_match"], reference_answers={"exact_match": "x"}))
    env.reset(seed=0)
    *_, info = env.step("goto('/broken')")
    assert info["action_error"] is None and env.sight.tree.find("heading", "Broken")


@pytest.mark.browser
def test_giving_up_is_right_where_there_is_no_answer(make):
    rules = {"eval_types": ["string_match"]}
    for answers, reward in (({"fuzzy_match": "N/A"}, 1.0), ({"exact_match": "4 coins"}, 0.0)):
        env = make(config(**rules, reference_answers=answers))
        env.reset(seed=0)
        _, got, terminated, _, info = env.step("report_infeasible('there are no pears')")
        assert (got, terminated, info["success"]) == (reward, True, bool(reward))


@pytest.mark.browser
def test_an_error_before_giving_up_is_told_once(make):
    env = make(config(eval_types=["string_match"], reference_answers={"fuzzy_match": "N/A"}))
    env.reset(seed=0)
    assert env.step("click('nothing')")[4]["action_error"]
    _, reward, _, _, info = env.step("report_infeasible('there are no pears')")
    assert (reward, info["action_error"]) == (1.0, None)


@pytest.mark.browser
def test_a_field_is_filled_and_sent(make, origin):
    env = make(config(eval_types=["url_match"], reference_url="__SHOP__/search?q=pears"))
    env.reset(seed=0)
    field = env.sight.tree.find("textbox", "Search")
    env.step(f"fill('{field.ref}', 'pears')")
    click(env, "Go")
    assert env.step("send_msg_to_user('done')")[1] == 1.0


def test_answers():
    assert score_answer(" 'Four' ", {"exact_match": "four"}) == 1
    assert score_answer("four coins", {"exact_match": "four"}) == 0
    assert score_answer("It is four, I think", {"must_include": ["four", "think"]}) == 1
    assert score_answer("unknown", {"must_include": ["no"]}) == 0, "a single word must stand as a word"
    assert score_answer("no, never", {"must_include": ["no"]}) == 1
    assert score_answer("n/a", {"fuzzy_match": "N/A"}) == 1


def test_addresses():
    assert score_url("http://a.test/x/y?b=2&a=1", "http://a.test/x?a=1") == 1
    assert score_url("http://a.test/x/y", "http://a.test/x?a=1") == 0
    assert score_url("http://a.test/z/", "http://a.test/x |OR| http://a.test/z") == 1


def test_contents():
    assert score_contents(" Four ", {"exact_match": "four"}) == 1
    assert score_contents("one two", {"must_include": ["two", "three |OR| one"]}) == 1
    assert score_contents("one two", {"must_include": ["two", "three"]}) == 0


@pytest.mark.parametrize(
    "change, message",
    [
        ({"intent": ""}, "needs the field 'intent'"),
        ({"start_url": "http://other.test/"}, "on none of the servers"),
        ({"eval": {"eval_types": ["string_match"], "reference_answers": {"fuzzy_match": ["x"]}}}, "judge model"),
        ({"eval": {"eval_types": ["guess"]}}, "judged by 'guess'"),
        ({"eval": {"eval_types": []}}, "judged by 'nothing'"),
        ({"eval": {"eval_types": ["url_match"]}}, "reference_url"),
        ({"eval": {"eval_types": ["program_html"], "program_html": []}}, "required_contents"),
        (
            {
                "eval": {
                    "eval_types": ["program_html"],
                    "program_html": [{"url": "func:last()", "required_contents": {"exact_match": "x"}}],
                }
            },
            "code of WebArena's own",
        ),
    ],
)
def test_what_cannot_be_judged_is_refused_when_it_is_loaded(tmp_path, change, message):
    file = tmp_path / "tasks.json"
    good = config(eval_types=["string_match"], reference_answers={"exact_match": "x"})
    hosts = {"SHOP": "http://127.0.0.1:7770"}
    file.write_text(json.dumps(good))
    assert load_tasks(file, hosts)[0].content["start_url"] == "http://127.0.0.1:7770/"
    assert len(load_tasks(tmp_path, hosts)) == 1
    file.write_text(json.dumps([good, good | change]))
    with pytest.raises(ConfigError, match=message):
        load_tasks(file, hosts)


def test_wrong_settings_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        WebArena(configs=str(tmp_path / "none.json"), hosts="SHOP=http://127.0.0.1:1")
    for hosts in ("", "SHOP", "SHOP=ftp://x", "SHOP=http://127.0.0.1:1/path"):
        with pytest.raises(ConfigError):
            WebArena(configs=str(tmp_path), hosts=hosts)
