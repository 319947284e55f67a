"""Is the engine kept busy? `python benchmarks/rollout.py [--engine vllm] [--write docs/engines.md]`.

Episodes of 1 to 8 turns in a world of random latency, a picture each turn, replies of a fixed number of tokens, 64 in
flight. Beside each rollout, in the same run: the bare engine, which is given all prompts of that rollout at once and
nothing else to do; the longest episode alone; and (the embedded engine) the same episodes in lock-step, each turn
waiting for all, which is its deterministic mode. *Ideal* is the longer of the bare engine and the longest episode.

The agent's own time (showing an observation, hearing a reply, writing the sample) is processor time of its thread. The
last table is what new weights take.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fixed_turns
import gymnasium as gym
import torch
from page import markdown_table, write_section

from saccade.agents.agent import Agent, Session
from saccade.agents.engines.base import Completion, Engine, Prompt, SamplingParams, StopReason
from saccade.agents.engines.transformers import TransformersEngine, TransformersEngineConfig
from saccade.agents.engines.vllm import VLLMEngine, VLLMEngineConfig
from saccade.agents.load import load_model, model_place, saved_agent_config
from saccade.agents.runner import Job, Runner, RunnerConfig
from saccade.envs.observation import Observation
from saccade.envs.task import TaskSource
from saccade.rl.display import make_console, table

MODEL = fixed_turns.MODEL
IN_FLIGHT = 64
TOKENS = 24
WORLD = "fixed_turns:SlowTurns-v0?turns={turns}&latency={latency}"


@dataclass(frozen=True)
class Request:
    """What an engine was asked."""

    prompt: Prompt
    params: SamplingParams
    seed: int
    key: str


class Noted:
    """An engine that remembers what it was asked; a reply counts as finished after its last token."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.version = 0
        self.requests: list[Request] = []

    async def generate(self, prompt: Prompt, params: SamplingParams, seed: int, key: str) -> Completion:
        """Draw one reply."""
        self.requests.append(Request(prompt, params, seed, key))
        return replace(await self.engine.generate(prompt, params, seed, key), stop_reason=StopReason.STOP)

    def participant(self) -> AbstractContextManager[None]:
        """Held by each episode loop."""
        return self.engine.participant()

    def update(self, weights: Iterable[tuple[str, torch.Tensor]], version: int) -> None:
        """Take new weights."""
        self.engine.update(weights, version)

    def close(self) -> None:
        """Free what the engine holds."""
        self.engine.close()


class Watched(Session):
    """A session that adds up its own processor time."""

    seconds, turns = 0.0, 0

    def observe(self, observation: Observation) -> Any:
        """Show an observation."""
        return self._timed(super().observe, observation)

    def hear(self, completion: Completion) -> Any:
        """Read a reply."""
        Watched.turns += 1
        return self._timed(super().hear, completion)

    def samples(self) -> Any:
        """What there is to train on."""
        return self._timed(super().samples)

    def _timed(self, function: Any, *args: Any) -> Any:
        began = time.thread_time()
        found = function(*args)
        Watched.seconds += time.thread_time() - began
        return found


class WatchedAgent(Agent):
    """An agent whose sessions are watched."""

    def begin(self, env: gym.Env[Any, Any]) -> Session:
        """Open a ledger."""
        return Watched(self, env)


def make_agent(engine: str, max_batch: int, deterministic: bool) -> tuple[WatchedAgent, Noted]:
    """An agent of saccade-tiny whose replies all have `TOKENS` tokens."""
    backbone, chat = load_model(MODEL, "cpu" if engine == "vllm" else "auto")
    chat.banned = tuple(sorted({*chat.banned, chat.stop}))
    config = replace(saved_agent_config(MODEL), reply_format="plain", explain=False, max_reply_tokens=TOKENS)
    inner: Engine
    if engine == "vllm":
        inner = VLLMEngine(model_place(MODEL), chat, VLLMEngineConfig(max_batch=max_batch), config.max_context)
    else:
        inner = TransformersEngine(backbone, chat.media, TransformersEngineConfig(max_batch, deterministic))
    noted = Noted(inner)
    return WatchedAgent(noted, chat, config), noted


@dataclass(frozen=True)
class Found:
    """One rollout: seconds of everything, and replies."""

    seconds: float
    replies: int
    agent: float
    requests: list[Request]


def rollout(agent: WatchedAgent, engine: Noted, jobs: list[Job], in_flight: int, scope: str) -> Found:
    """Run the episodes."""
    runner = Runner(agent, RunnerConfig(concurrency=in_flight, workers=0, check_thoughts=False))
    engine.requests, Watched.seconds, Watched.turns = [], 0.0, 0
    began = time.perf_counter()
    done = runner.run(jobs, scope)
    seconds = time.perf_counter() - began
    runner.close()
    lost = [each.episode.failure for each in done if each.episode.failure]
    if lost:
        raise RuntimeError(f"{len(lost)} episodes were lost: {lost[0]}")
    return Found(seconds, Watched.turns, Watched.seconds, engine.requests)


def bare(engine: Noted, requests: list[Request]) -> float:
    """Seconds of the engine for the same prompts, all there at once, those of early turns first."""

    async def ask_all() -> None:
        await asyncio.gather(*(engine.engine.generate(each.prompt, each.params, each.seed, each.key) for each in turns))

    # The batcher serves in the order of keys: that in which the rollout asked.
    turns = [replace(each, key=f"{index:06d}") for index, each in enumerate(requests)]
    began = time.perf_counter()
    asyncio.run(ask_all())
    return time.perf_counter() - began


def length(job: Job, latency: float, reply: float) -> float:
    """Seconds that an episode takes alone, about, if a reply takes so many."""
    world: Any = job.task.make().unwrapped
    world.latency = 0.0
    world.reset(seed=job.task.seed)
    return float(world.left * reply + sum(world.draws) * latency)


def weight_updates(engine: Noted, repeats: int) -> float:
    """Seconds of an update with the weights of another copy of the model, the median."""
    backbone, _ = load_model(MODEL, "cpu")
    seconds = []
    for version in range(1, repeats + 2):
        began = time.perf_counter()
        engine.update(backbone.weights(), version)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


COLUMNS = ["episodes", "rollout", "bare engine", "of its speed", "longest alone", "of the ideal time", "lock-step"]


def main(given: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    agent, engine = make_agent(given.engine, given.batch, deterministic=False)
    steps = make_agent(given.engine, given.batch, deterministic=True) if given.engine == "transformers" else None
    source = TaskSource.parse(WORLD.format(turns=given.turns, latency=given.latency))
    rows: list[list[object]] = []
    own: list[tuple[float, float]] = []
    warm = rollout(agent, engine, [Job(source.task(index)) for index in range(4)], 1, "warm")
    for episodes in given.episodes:
        jobs = [Job(source.task(index)) for index in range(episodes)]
        longest = max(jobs, key=lambda job: length(job, given.latency, warm.seconds / warm.replies))
        found: list[list[float]] = []
        for repeat in range(given.repeats):
            free = rollout(agent, engine, jobs, IN_FLIGHT, f"{repeat}")
            alone = rollout(agent, engine, [longest], 1, f"alone {repeat}").seconds
            floor = bare(engine, free.requests)
            locked = rollout(*steps, jobs, IN_FLIGHT, f"{repeat}").seconds if steps else float("nan")
            found.append([free.seconds, floor, alone, locked])
            own.append((free.agent / free.replies, free.agent / free.seconds))
        free_, floor_, alone_, locked_ = (statistics.median(column) for column in zip(*found, strict=True))
        speed = statistics.median(line[1] / line[0] for line in found)
        ideal = statistics.median(line[0] / max(line[1], line[2]) for line in found)
        apart = statistics.median(line[3] / line[0] for line in found)
        rows.append(
            [
                episodes,
                f"{free_:.2f} s",
                f"{floor_:.2f} s",
                f"{speed:.0%}",
                f"{alone_:.2f} s",
                f"{ideal:.2f} times",
                f"{locked_:.2f} s, {apart:.2f} times" if steps else "-",
            ]
        )
    update = weight_updates(engine, given.repeats)
    agent.engine.close()
    if steps:
        steps[1].close()
    each_turn, of_all = (statistics.median(column) for column in zip(*own, strict=True))
    note = (
        f"Engine {given.engine}, {IN_FLIGHT} episodes in flight, {given.batch} replies a batch, 1 to {given.turns} "
        f"turns of {TOKENS} tokens; the world takes {given.latency * 1000:.0f} ms a turn on average (exponential). "
        f"Medians of {given.repeats} repetitions. The agent and its ledger take {each_turn * 1000:.2f} ms a turn, "
        f"{of_all:.1%} of the rollout; new weights {update * 1000:.0f} ms."
    )
    make_console().print(table("Episodes at their own pace", COLUMNS, rows))
    print(note)
    if given.write:
        lead = f"`{Path(sys.argv[0]).name} --write` wrote this; its docstring says what is compared. {note}\n\n"
        write_section(Path(given.write), f"rollout-{given.engine}", lead + markdown_table(COLUMNS, rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("transformers", "vllm"), default="transformers")
    parser.add_argument("--episodes", type=int, nargs="+", default=[64, 256], help="of each row")
    parser.add_argument("--turns", type=int, default=8, help="most turns of an episode")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds of the world a turn, on average")
    parser.add_argument("--batch", type=int, default=16, help="most replies drawn together")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", default="", help="a Markdown page that gets the table")
    main(parser.parse_args())
