"""The API engine against a real server: vLLM's, on a CPU, with the model that ships."""

import asyncio
import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from saccade.agents.engines.api import APIEngine, APIEngineConfig
from saccade.agents.engines.base import ContextFull, SamplingParams, StopReason
from saccade.agents.engines.vllm_start import EAGER, QUIET, require_vllm
from saccade.agents.load import model_place, saved_agent_config
from saccade.agents.messages import MessageAgent
from saccade.agents.runner import Job, Runner, RunnerConfig
from saccade.envs.episode import Cause
from saccade.rl.cli import main

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vllm is not installed"),
]
MODEL, PATIENCE = "saccade-tiny", 540


class Server:
    """A vLLM server in a process of its own."""

    def __init__(self, log):
        require_vllm()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        flags = {
            "model": model_place(MODEL),
            "served-model-name": MODEL,
            "host": "127.0.0.1",
            "port": port,
            "dtype": "float32",
            "max-model-len": 1024,
            "max-num-seqs": 8,
            "max-num-batched-tokens": 8192,
            "kv-cache-memory-bytes": 64 << 20,
            "generation-config": "vllm",
            "limit-mm-per-prompt": '{"image": 16, "video": 0}',
        }
        words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
        words += ["--enforce-eager", "--no-enable-chunked-prefill", "--skip-mm-profiling"]
        env = os.environ | QUIET | EAGER
        env.pop("VLLM_ENABLE_V1_MULTIPROCESSING")  # its core has a process of its own
        self.process = subprocess.Popen(
            [sys.executable, "-m", "vllm.entrypoints.openai.api_server", *words],
            env=env,
            stdout=log.open("wb"),
            stderr=subprocess.STDOUT,
        )
        self.url = f"http://127.0.0.1:{port}/v1"
        self._wait(f"http://127.0.0.1:{port}/health", log)

    def _wait(self, health, log):
        for _ in range(PATIENCE):
            assert self.process.poll() is None, log.read_text()[-3000:]
            try:
                urllib.request.urlopen(health, timeout=5).close()
                return
            except (OSError, urllib.error.URLError):
                time.sleep(1)
        self.stop()
        pytest.fail(f"vLLM's server did not start:\n{log.read_text()[-3000:]}")

    def stop(self):
        self.process.terminate()  # its core goes with it
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="module")
def vllm_server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("vllm") / "server.log")
    yield server
    server.stop()


@pytest.fixture
def api_engine(vllm_server):
    made = APIEngine(MODEL, APIEngineConfig(base_url=vllm_server.url))
    yield made
    made.close()


def evaluated(tmp_path, name, *arguments):
    file = tmp_path / f"{name}.json"
    command = ["eval", "--model", MODEL, "--envs", "saccade/Shapes-v0?level=1", "--tasks", "8", "--greedy"]
    assert main([*command, "--json", str(file), *arguments]) == 0
    return json.loads(file.read_text())["rows"][0]


def test_greedy_episodes_are_those_of_the_embedded_engine_tokens_included(vllm_server, tmp_path):
    """Same replies, same number of tokens in and out: pictures, template and order arrived as the ledger has them."""
    served = evaluated(tmp_path, "api", "--engine", "api", "--api.base-url", vllm_server.url)
    embedded = evaluated(tmp_path, "transformers")
    assert served == embedded and served["success"]["n"] == 8


def test_seeds_repeat_episodes_of_many_turns_and_pictures(api_engine, walk):
    agent = MessageAgent(api_engine, saved_agent_config(MODEL))

    def play(seed):
        runner = Runner(agent, RunnerConfig(concurrency=1))
        done = runner.run([Job(walk.task(n)) for n in range(3)], seed=seed)
        runner.close()
        assert not {each.episode.cause for each in done} & {Cause.ENGINE, Cause.INFRA}
        return [[step.reply for step in each.episode.steps] for each in done]

    first, again, other = play(0), play(0), play(1)
    assert first == again != other and max(map(len, first)) >= 3


def test_a_reply_that_is_cut_and_a_prompt_that_is_too_long_are_told_apart(api_engine):
    def ask(text, tokens):
        message = {"role": "user", "content": text}
        return asyncio.run(api_engine.generate((message,), SamplingParams(tokens, 0.0), 0, ""))

    assert ask("What colour is it?", 1).stop_reason is StopReason.LENGTH
    with pytest.raises(ContextFull, match="maximum context length"):
        ask("word " * 3000, 8)


def test_a_server_that_dies_ends_its_episodes_and_the_evaluation_goes_on(vllm_server, tmp_path):
    vllm_server.stop()
    flags = ["--api.base-url", vllm_server.url, "--api.retries", "1", "--api.backoff", "0.1"]
    row = evaluated(tmp_path, "dead", "--engine", "api", *flags)
    assert row["ended"] == {"engine": 8} and row["success"] is None
