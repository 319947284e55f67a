import threading
import time
import urllib.request

import gymnasium as gym
import pytest
import uvicorn

from saccade.envs.errors import ConfigError
from saccade.envs.replay import RecordEpisodes, ReplayStore
from saccade.envs.replay.serve import make_app, serve


@pytest.fixture
def store(tmp_path):
    return ReplayStore.create(tmp_path / "store", run_id="live")


def play(store, seed):
    env = RecordEpisodes(gym.make("saccade/Digits-v0"), store)
    env.reset(seed=seed)
    env.step("7")
    env.close()


def test_a_reload_shows_what_was_added_since(store):
    play(store, seed=11)
    server = uvicorn.Server(uvicorn.Config(make_app(store), host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]

    def page():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
            return answer.read().decode()

    first = page()
    play(store, seed=22)
    second = page()
    server.should_exit = True
    thread.join()
    assert '"seed":11' in first.replace(" ", "") and '"seed":22' not in first.replace(" ", "")
    assert '"seed":22' in second.replace(" ", "")


def test_a_port_is_one(store):
    with pytest.raises(ConfigError, match="port must be 0 to 65535, got 70000"):
        serve(store, port=70_000)
