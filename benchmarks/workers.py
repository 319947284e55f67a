"""Rollouts of simulated worlds in worker processes against threads, through the real runner: episodes a second.

    python benchmarks/workers.py                    # one thread, as many threads as processes, two processes
    python benchmarks/workers.py --workers 4 --rounds 7

The policy acts by chance, so that no model takes any time; each round runs every way once, in turn, and the best round
of each counts. The goal, on a machine that does nothing else, is 1.5 times the episodes of one thread with two
processes.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import tyro

from saccade.agents.agent import Agent, AgentConfig
from saccade.agents.engines.transformers import TransformersEngine
from saccade.agents.load import load_model
from saccade.agents.runner import Job, Runner, RunnerConfig
from saccade.agents.tiny import TinyConfig, build_tiny
from saccade.agents.worlds import cores
from saccade.envs.task import TaskSource


@dataclass(frozen=True)
class Options:
    """What to measure."""

    envs: tuple[str, ...] = ("saccade/Reach-v0?level=3", "saccade/Navigate-v0?level=3")
    """Worlds, each measured alone."""
    episodes: int = 64
    """Of a round."""
    rounds: int = 5
    """How often each way is measured."""
    concurrency: int = 8
    """Episodes in flight where there are several processes or threads."""
    workers: int = 2
    """Processes."""


def main(options: Options) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = build_tiny(Path(folder), TinyConfig(layers=1), ["move(1, 2)"])
        backbone, chat = load_model(path)
        engine = TransformersEngine(backbone, chat.media)
        agent = Agent(engine, chat, AgentConfig(explain=False, max_context=16384))
        ways = {
            "1 thread": RunnerConfig(concurrency=1, workers=0),
            f"{options.workers} threads": RunnerConfig(concurrency=options.workers, workers=0),
            f"{options.workers} processes": RunnerConfig(concurrency=options.concurrency, workers=options.workers),
        }
        print(f"{cores()} cores")
        print("| world | way | episodes a second | times one thread |")
        print("|---|---|---|---|")
        for env in options.envs:
            runners = {name: Runner(agent, config, "random") for name, config in ways.items()}
            best = dict.fromkeys(ways, 0.0)
            for number in range(options.rounds + 1):
                for name, runner in runners.items():
                    speed = measure(runner, TaskSource.parse(env), options.episodes)
                    best[name] = max(best[name], speed if number else 0.0)  # the first one warms up
            for name, speed in best.items():
                print(f"| `{env}` | {name} | {speed:.1f} | {speed / best['1 thread']:.2f} |", flush=True)
            for runner in runners.values():
                runner.close()
        engine.close()


def measure(runner: Runner, source: TaskSource, episodes: int) -> float:
    """Episodes a second."""
    jobs = [Job(source.task(seed)) for seed in range(episodes)]
    started = time.perf_counter()
    runner.run(jobs)
    return episodes / (time.perf_counter() - started)


if __name__ == "__main__":
    main(tyro.cli(Options))
