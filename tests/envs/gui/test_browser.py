import asyncio
import http.server
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from saccade.envs.errors import ConfigError, WorldFailure
from saccade.envs.gui import browser
from saccade.envs.gui.browser import find_chromium, host
from saccade.envs.gui.site import Site

on_linux = pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads /proc")


def executable(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


def test_chromium_is_looked_for_in_order(tmp_path, monkeypatch):
    monkeypatch.delenv("SACCADE_CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    own = tmp_path / "ms-playwright" / "chromium-1234" / "chrome-linux" / "chrome"
    with pytest.raises(ConfigError, match=r"playwright install chromium-headless-shell.*apt-get install"):
        find_chromium(str(own))
    on_path = executable(tmp_path / "bin" / "chromium")
    assert find_chromium(str(own)) == on_path
    assert find_chromium(str(own)) != executable(own) == find_chromium(str(own))
    shell = executable(tmp_path / "ms-playwright" / "chromium_headless_shell-1234" / "linux" / "chrome-headless-shell")
    assert find_chromium(str(own)) == shell
    monkeypatch.setenv("SACCADE_CHROMIUM", on_path)
    assert find_chromium(str(own)) == on_path
    monkeypatch.setenv("SACCADE_CHROMIUM", str(tmp_path / "nothing"))
    with pytest.raises(ConfigError, match="SACCADE_CHROMIUM must name an executable file"):
        find_chromium(str(own))


@pytest.fixture
def open_tab(tmp_path):
    """Open a tab on pages given by name; the tests below are the environment."""
    tabs = []

    def open_(**pages):
        for name, content in pages.items():
            (tmp_path / f"{name}.html").write_text(content)

        async def start():
            tab = (await host().open(Site(tmp_path), (64, 64))).front
            await tab.goto(f"{next(iter(pages))}.html")
            return tab

        tabs.append(host().call(start(), 60))
        return tabs[-1]

    yield open_
    for tab in tabs:
        host().discard(tab.window)


def ask(tab, expression, timeout=20.0):
    return host().call(tab.window.run(tab.evaluate(expression), timeout), timeout + 10)


@pytest.mark.browser
def test_calls_work_from_threads_and_inside_a_running_loop(open_tab):
    tab = open_tab(page="<p>hello")
    found = []
    threads = [threading.Thread(target=lambda n=n: found.append(ask(tab, f"{n} + 1"))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [1, 2, 3, 4]

    async def inside():
        return ask(tab, "document.body.textContent")

    assert asyncio.run(inside()) == "hello"


@pytest.mark.browser
def test_waiting_for_the_browser_in_its_own_thread_is_refused(open_tab):
    tab = open_tab(page="")

    async def nested():
        return host().call(tab.evaluate("1"), 1)

    with pytest.raises(RuntimeError, match="await the coroutine instead"):
        host().call(nested(), 20)


class _Recorder(http.server.BaseHTTPRequestHandler):
    seen: list[str]

    def do_GET(self):
        self.seen.append(self.path)
        self.send_response(200)
        self.end_headers()

    do_POST = do_GET  # noqa: N815 - the standard library's name

    def log_message(self, *args):
        pass


@pytest.mark.browser
def test_a_hostile_page_reaches_no_server_and_no_file(open_tab):
    seen = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Recorder,), {"seen": seen}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_port
    tab = open_tab(page="<p>mine", other="<p>other")
    reached = ask(
        tab,
        f"""(async () => {{
            const at = path => "http://127.0.0.1:{port}/" + path;
            const outcomes = {{}};
            const note = (name, promise) =>
                promise.then(() => "reached", () => "blocked").then(outcome => outcomes[name] = outcome);
            const element = (tag, url) => new Promise((yes, no) => {{
                const made = document.createElement(tag);
                Object.assign(made, {{ onload: yes, onerror: no, src: url }});
                document.body.append(made);
            }});
            const script = `fetch("${{at("worker")}}", {{ mode: "no-cors" }})
                .then(() => postMessage(1), () => postMessage(0))`;
            const worker = new Worker(URL.createObjectURL(new Blob([script])));
            await Promise.all([
                note("fetch", fetch(at("fetch"), {{ mode: "no-cors" }})),
                note("post", fetch(at("post"), {{ mode: "no-cors", method: "POST", body: "x" }})),
                note("image", element("img", at("image"))),
                note("script", element("script", at("script"))),
                note("name", fetch("http://localhost:{port}/name", {{ mode: "no-cors" }})),
                note("file", fetch("file:///etc/hostname")),
                note("worker", new Promise((yes, no) => worker.onmessage = event => event.data ? yes() : no())),
                note("socket", new Promise((yes, no) => {{
                    const socket = new WebSocket("ws://127.0.0.1:{port}/socket");
                    Object.assign(socket, {{ onopen: yes, onerror: no }});
                }})),
                note("own", fetch("other.html")),
            ]);
            navigator.sendBeacon(at("beacon"));
            return outcomes;
        }})()""",
    )
    assert reached.pop("own") == "reached"
    assert set(reached.values()) == {"blocked"}, reached
    for address in (f"http://127.0.0.1:{port}/leave", "file:///etc/hostname"):
        ask(tab, f"void (location.href = {address!r})")
        time.sleep(0.2)
    with pytest.raises(WorldFailure):
        host().call(tab.window.run(tab.goto("missing.html")), 20)
    server.shutdown()
    server.server_close()
    assert seen == []


@pytest.mark.browser
def test_popups_are_closed_and_dialogs_do_not_block(open_tab):
    tab = open_tab(page="<p>mine")
    assert ask(tab, "alert('hi'), confirm('sure?')") is False
    ask(tab, "void window.open('page.html')")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not (tab.window.popups == 1 and len(tab.page.context.pages) == 1):
        time.sleep(0.02)
    assert (tab.window.popups, len(tab.page.context.pages)) == (1, 1)
    assert ask(tab, "document.body.textContent") == "mine"


@pytest.mark.browser
def test_a_page_that_hangs_fails_in_time_and_harms_no_other(open_tab):
    hung, fine = open_tab(page="hung"), open_tab(page="fine")
    began = time.monotonic()
    with pytest.raises(WorldFailure, match="did not answer within"):
        ask(hung, "(() => { for (;;); })()", timeout=0.5)
    assert time.monotonic() - began < 5
    assert not hung.window.alive
    with pytest.raises(WorldFailure, match="did not answer within"):
        ask(hung, "1")
    assert ask(fine, "1 + 1") == 2
    launches = host().launches
    host().call(hung.window.close(), 20)  # closes although its script still runs
    assert ask(fine, "2 + 2") == 4
    assert host().launches == launches


@pytest.mark.browser
def test_a_page_that_crashes_fails_at_once(open_tab):
    tab = open_tab(page="x")

    async def crash():
        await tab._cdp.send("Page.crash")

    began = time.monotonic()
    with pytest.raises(WorldFailure, match="crashed"):
        host().call(tab.window.run(crash()), 30)
    assert time.monotonic() - began < 10 and not tab.window.alive


@pytest.mark.browser
def test_a_script_error_is_a_world_failure_with_its_message(open_tab):
    with pytest.raises(WorldFailure, match="no_such_thing is not defined"):
        ask(open_tab(page="x"), "no_such_thing()")


@pytest.mark.browser
def test_a_killed_browser_is_launched_again(open_tab):
    tab = open_tab(page="x")
    launches = host().launches
    host().kill()
    with pytest.raises(WorldFailure):
        ask(tab, "1")
    assert ask(open_tab(page="y"), "document.body.textContent") == "y"
    assert host().launches == launches + 1


@on_linux
@pytest.mark.browser
def test_a_lost_driver_is_started_again(open_tab):
    tab = open_tab(page="x")
    os.kill(_driver_pid(), signal.SIGKILL)
    with pytest.raises(WorldFailure):
        ask(tab, "1")
    assert ask(open_tab(page="y"), "document.body.textContent") == "y"


def _driver_pid():
    """Playwright's driver: the ancestor of the browser that is no browser and no shell."""
    pid = host().browser_pid
    while "node" not in Path(f"/proc/{pid}/comm").read_text():
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return pid


_USE = """
import os, sys, time
import gymnasium as gym, saccade.envs
from saccade.envs.gui.browser import host
def use():
    env = gym.make("saccade/ClickTarget-v0")
    env.reset(seed=0)
    assert env.step(next(env.unwrapped.demo()).action)[4]["success"]
    print(host().browser_pid, flush=True)
"""


def _is_running(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _end_within(pids, seconds=15):
    deadline = time.monotonic() + seconds
    while any(map(_is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(map(_is_running, pids))


@on_linux
@pytest.mark.browser
def test_the_browser_ends_with_the_interpreter():
    run = subprocess.run(
        [sys.executable, "-c", f"{_USE}\nuse()"], capture_output=True, text=True, timeout=60, check=True
    )
    assert not _is_running(int(run.stdout)), "closed before the interpreter ended"
    assert run.stderr == ""


@on_linux
@pytest.mark.browser
def test_the_browser_ends_when_its_process_is_killed():
    with subprocess.Popen([sys.executable, "-c", f"{_USE}\nuse(); time.sleep(60)"], stdout=subprocess.PIPE) as run:
        pid = int(run.stdout.readline())
        assert _is_running(pid)
        run.kill()
    assert _end_within([pid])


@on_linux
@pytest.mark.browser
def test_a_forked_process_gets_a_browser_of_its_own_and_leaves_its_parents_alone():
    script = f"""{_USE}
use()
child = os.fork()
use()
if child:
    assert os.waitpid(child, 0)[1] == 0
    use()
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=90, check=True)
    first, *later = map(int, run.stdout.split())
    assert len(later) == 3 and len({first, *later}) == 2, "one browser for each of the two processes"
    assert later[-1] == first
    assert _end_within([first, *later])


@pytest.mark.browser
def test_a_caller_that_stops_waiting_abandons_the_tab(open_tab):
    tab = open_tab(page="x")
    with pytest.raises(WorldFailure, match="did not answer within"):
        host().call(tab.window.run(tab.evaluate("new Promise(() => 0)")), timeout=0.3)
    with pytest.raises(WorldFailure, match="did not answer in time"):
        ask(tab, "1")


@on_linux
@pytest.mark.browser
def test_a_browser_that_hangs_is_replaced(open_tab, monkeypatch):
    open_tab(page="x")
    launches, hung = host().launches, host().browser_pid
    monkeypatch.setattr(browser, "OPEN_TIMEOUT", 5.0)
    monkeypatch.setattr(browser, "ANSWER_TIMEOUT", 1.0)
    os.kill(hung, signal.SIGSTOP)
    assert ask(open_tab(page="y"), "document.body.textContent") == "y"
    assert host().launches == launches + 1
    assert _end_within([hung])


@on_linux
@pytest.mark.browser
def test_a_chromium_that_cannot_start_is_a_clear_error():
    environment = os.environ | {"SACCADE_CHROMIUM": "/bin/false"}
    run = subprocess.run([sys.executable, "-c", f"{_USE}\nuse()"], capture_output=True, text=True, env=environment)
    assert run.stderr.count("saccade.envs.errors.ConfigError: Chromium could not be launched") == 1
    assert run.returncode == 1


@pytest.mark.browser
def test_a_shared_page_that_did_not_load_is_not_kept(tmp_path):
    for _ in range(2):
        with pytest.raises(WorldFailure):
            host().call(host().shared("page.html", Site(tmp_path), (64, 64)), 60)
    (tmp_path / "page.html").write_text("<p>here")
    tab = host().call(host().shared("page.html", Site(tmp_path), (64, 64)), 60)
    assert ask(tab, "document.body.textContent") == "here"
    host().discard(tab.window)


@pytest.mark.browser
def test_many_pages_can_be_opened_at_once(open_tab):
    async def all_at_once():
        windows = await asyncio.gather(*(host().open(Site(Path()), (64, 64)) for _ in range(12)))
        values = await asyncio.gather(*(window.front.evaluate("innerWidth") for window in windows))
        await asyncio.gather(*(window.close() for window in windows))
        return values

    assert host().call(all_at_once(), 60) == [64] * 12


@pytest.mark.browser
def test_a_closed_host_is_replaced():
    old = host()
    old.close()
    assert host() is not old
    old.close()  # twice is fine
    assert browser._hosts[os.getpid()] is host()
