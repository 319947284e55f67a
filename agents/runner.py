"""Runs many episodes at once, each at its own pace; evaluation and training both use it.

    runner = Runner(agent, RunnerConfig(concurrency=16))
    trajectories = runner.run([Job(task, sample) for task in tasks for sample in range(8)], seed=0)

Every slot owns its environments and one thread, so environments that are bound to a thread work unchanged; those that
keep a core busy live in a few processes instead (`affinity`), and the slot's thread waits for them. There is no turn
barrier: a slot asks the engine when its world is ready. In deterministic mode the engine itself waits until every
slot asks, and serves them in canonical order. A world or an engine that fails ends its episode with cause `infra` or
`engine`, as a recorded value: nothing is trained on, nothing stops.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import gymnasium as gym

from saccade.agents.actor import Actor
from saccade.agents.engines.base import ContextFull, StopReason
from saccade.agents.policies import DemoPolicy, EnginePolicy, Policy, RandomPolicy
from saccade.agents.record import Record
from saccade.agents.thoughts import ThoughtCheck
from saccade.agents.trajectory import Trajectory
from saccade.agents.worker import Worker, end
from saccade.agents.worlds import RemoteWorld, WorldProcesses, cores, lives_apart
from saccade.envs.episode import Cause
from saccade.envs.errors import ConfigError, MediaError, WorldFailure, near
from saccade.envs.observation import Observation
from saccade.envs.task import TaskSpec, prefetch

R = TypeVar("R")
_LOG = logging.getLogger(__name__)
POLICIES = ("engine", "demo", "random")
"""Who answers a prompt."""
_CAUSES = [cause.value for cause in Cause]
Progress = Callable[[Trajectory], None]


@dataclass(frozen=True)
class RunnerConfig:
    """How episodes are run."""

    concurrency: int = 16
    """Episodes in flight; each has an environment and a thread of its own."""
    world_timeout: float = 120.0
    """Seconds that one `reset` or `step` may take before the episode ends with cause `infra`."""
    workers: int | None = None
    """Processes for the worlds whose affinity is `process`, such as simulators: by default as many as there are cores;
    0 runs them in threads as all others. The episodes are the same."""
    check_thoughts: bool = True
    """Whether to compare sampled thoughts with what the environment demonstrates in the same state."""

    def __post_init__(self) -> None:
        if self.concurrency < 1:
            raise ConfigError(f"concurrency must be >= 1, got {self.concurrency}")
        if self.workers is not None and self.workers < 0:
            raise ConfigError(f"workers must be >= 0, got {self.workers}")


@dataclass(frozen=True)
class Job:
    """One episode to run.

    Attributes:
        task: what to do.
        sample: number among the episodes of the same task.
        group: episodes that share a baseline; defaults to the task.
    """

    task: TaskSpec
    sample: int = 0
    group: str = ""

    def key(self, scope: str) -> str:
        """Canonical name within a run."""
        return f"{scope}|{self.task.key}|{self.sample:06d}"

    def episode_id(self, scope: str, label: str) -> str:
        """The id that the job's episode will have."""
        return hashlib.sha256(f"{label}|{self.key(scope)}".encode()).hexdigest()[:16]


class Runner:
    """Runs episodes of one agent.

    Args:
        agent: who acts.
        config: how many at once.
        policy: `engine` samples from the model, `demo` follows the environment's solution, `random` acts by chance.
        wrap: put around every environment, such as `BlankPictures`.
        show_final: whether the sample of an episode that was cut off ends with its final observation, for its value.
    """

    def __init__(
        self,
        agent: Actor[Any, Any],
        config: RunnerConfig | None = None,
        policy: str = "engine",
        wrap: Callable[[gym.Env[Any, Any]], gym.Env[Any, Any]] | None = None,
        show_final: bool = False,
    ) -> None:
        if policy not in POLICIES:
            raise ConfigError(f"unknown policy {policy!r}; {near(policy, POLICIES, 'policies')}")
        self.agent = agent
        self.config = config or RunnerConfig()
        self.policy = policy
        self.wrap = lambda env: agent.enter(wrap(env) if wrap else env)
        self.show_final = show_final
        self._slots: list[_Slot] = []
        workers = cores() if self.config.workers is None else self.config.workers
        self._processes = WorldProcesses(workers, self.config.world_timeout) if workers else None

    def run(
        self,
        jobs: Sequence[Job],
        scope: str = "",
        seed: int = 0,
        label: str = "",
        progress: Progress | None = None,
    ) -> list[Trajectory]:
        """Run all jobs and return their trajectories in the order of `jobs`.

        Args:
            jobs: what to run.
            scope: part of every key, such as the update number; equal scopes and seeds repeat the same draws.
            seed: of the run.
            label: makes the episode ids of otherwise equal calls differ; it changes no draw.
            progress: called with each trajectory when it ends, in any order.
        """
        results: list[Trajectory | None] = [None] * len(jobs)

        def keep(index: int, done: Trajectory) -> None:
            results[index] = done
            if progress:
                progress(done)

        self.stream(jobs, keep, scope, seed, label)
        return [done for done in results if done is not None]

    def stream(
        self,
        jobs: Sequence[Job],
        done: Callable[[int, Trajectory], None],
        scope: str = "",
        seed: int = 0,
        label: str = "",
    ) -> None:
        """Run all jobs and keep nothing: each trajectory is handed to `done`, with the number of its job, as it ends.

        `done` is called in the runner's thread, one trajectory at a time; an exception of it stops the run.
        """
        with suppress(WorldFailure):  # only a head start: the episode that needs the picture will report the failure
            prefetch(job.task for job in jobs)
        # A loop of its own in a thread of its own: works inside notebooks and servers, which have a running loop.
        loop = asyncio.new_event_loop()
        worker = Worker("saccade-runner")
        task = loop.create_task(self._run(jobs, done, scope, seed, label))
        finished = worker.submit(lambda: loop.run_until_complete(task))
        try:
            finished.result()
        except KeyboardInterrupt:
            loop.call_soon_threadsafe(task.cancel)
            raise
        finally:
            ended = worker.submit(lambda: end(loop))
            worker.stop()  # once that is done, even if nobody waits for it
            ended.result()

    def close(self) -> None:
        """Close all environments."""
        for slot in self._slots:
            slot.close()
        self._slots.clear()
        if self._processes:
            self._processes.close()

    async def _run(
        self, jobs: Sequence[Job], done: Callable[[int, Trajectory], None], scope: str, seed: int, label: str
    ) -> None:
        queue = deque(enumerate(jobs))
        wanted = min(self.config.concurrency, len(jobs))
        while len(self._slots) < wanted:
            self._slots.append(_Slot(len(self._slots), self.config.world_timeout, self.wrap, self._processes))

        async def serve(slot: _Slot) -> None:
            with self.agent.participant():
                while queue:
                    index, job = queue.popleft()
                    done(index, await self._episode(slot, job, scope, seed, label))

        # All participants must be present before the first one asks, or a deterministic engine would not wait for them.
        await asyncio.gather(*(serve(slot) for slot in self._slots[:wanted]))

    async def _episode(self, slot: _Slot, job: Job, scope: str, seed: int, label: str) -> Trajectory:
        key = job.key(scope)
        record = Record(key, job, job.episode_id(scope, label), self.show_final)
        try:
            env = await slot.environment(job.task)
            _, info = await slot.call(lambda: env.reset(seed=job.task.seed))
        except ConfigError:
            raise
        except Exception as failure:
            slot.discard(job.task)
            return record.end(Cause.INFRA, None, failure=_describe(failure))
        session = self.agent.begin(env)
        record.session = session
        policy = self._policy(env, slot)
        sampled = self.policy == "engine"  # only a model has thoughts of its own
        check = ThoughtCheck(self.agent, env, slot.call) if sampled and self.config.check_thoughts else None
        state_key = info.get("state_key", "")
        while True:
            view: Observation = env.get_wrapper_attr("view")
            try:
                prompt = session.observe(view)
            except MediaError as failure:
                return record.end(Cause.INFRA, view, failure=_describe(failure))
            turn = session.turn
            if prompt is None and turn == 0:
                raise ConfigError(
                    f"the first observation of {job.task.id} does not fit: max_context is "
                    f"{self.agent.config.max_context} tokens, {self.agent.config.max_reply_tokens} of them for the "
                    f"reply, and a prompt may have {self.agent.config.max_prompt}; raise agent.max_context (or "
                    "agent.context.tokens), or show smaller pictures"
                )
            if prompt is None:
                return record.end(Cause.CONTEXT, view)
            try:
                completion = await policy.reply(session, prompt, _seed(seed, key, turn), f"{key}|{turn:04d}")
            except ConfigError:
                raise
            except ContextFull as failure:
                return record.end(Cause.CONTEXT, view, failure=str(failure))
            except Exception as failure:
                return record.end(Cause.ENGINE, view, failure=_describe(failure))
            if completion.stop_reason is StopReason.ABORT:
                return record.end(Cause.ENGINE, view, failure=completion.failure)
            reply = session.hear(completion)
            record.thoughts_right.append(await check.judge(reply, session.size) if check else None)
            if completion.stop_reason is StopReason.LENGTH:
                record.turn(view, session.raw, replace(reply, action=""), None, state_key, 0.0)
                return record.end(Cause.LENGTH, view)
            started = time.perf_counter()
            try:
                outcome = await slot.call(lambda action=reply.action: env.step(action))  # type: ignore[misc]
            except Exception as failure:
                slot.discard(job.task)
                record.turn(view, session.raw, reply, None, state_key, time.perf_counter() - started)
                return record.end(Cause.INFRA, view, failure=_describe(failure))
            _, _, terminated, truncated, info = outcome
            if info.get("failure"):
                slot.discard(job.task)
                record.turn(view, session.raw, reply, None, state_key, time.perf_counter() - started)
                return record.end(Cause.INFRA, view, failure=info.get("failure_message", info["failure"]))
            record.turn(view, session.raw, reply, outcome, state_key, time.perf_counter() - started)
            state_key = info.get("state_key", "")
            if terminated or truncated:
                final: Observation = env.get_wrapper_attr("view")
                said = info.get("cause") or (Cause.FAILED if terminated else Cause.HORIZON)
                if said not in _CAUSES:
                    return record.end(Cause.INFRA, final, failure=_describe(_unknown(said)))
                captions = getattr(policy, "captions", None)
                extra = {"captions": captions} if captions else {}
                return record.end(Cause(said), final, success=bool(info.get("success")), info=extra)

    def _policy(self, env: gym.Env[Any, Any], slot: _Slot) -> Policy:
        if self.policy == "demo":
            return DemoPolicy(env, slot.call)
        if self.policy == "random":
            return RandomPolicy(env, slot.call)
        return EnginePolicy()


class _Slot:
    """A thread and the environments that live in it, or that it speaks for."""

    def __init__(
        self,
        number: int,
        timeout: float,
        wrap: Callable[[gym.Env[Any, Any]], gym.Env[Any, Any]],
        processes: WorldProcesses | None,
    ) -> None:
        self._number = number
        self._timeout = timeout
        self._limit: float | None = timeout
        self._wrap = wrap
        self._processes = processes
        self._worker = Worker("saccade-world")
        self._envs: dict[str, gym.Env[Any, Any]] = {}

    async def call(self, function: Callable[[], R]) -> R:
        """Run a function in the slot's thread; `WorldFailure` after the world's time, which a process keeps itself."""
        return await self._worker.call(function, self._limit)

    async def environment(self, task: TaskSpec) -> gym.Env[Any, Any]:
        processes = self._processes if self._processes and lives_apart(task) else None
        self._limit = None if processes else self._timeout
        found = self._envs.get(task.env_key)
        if found is None or (isinstance(found.unwrapped, RemoteWorld) and not found.unwrapped.alive):
            make = task.make if processes is None else lambda: processes.make(self._number, task)
            self._envs[task.env_key] = found = await self.call(lambda: self._wrap(make()))
        return found

    def discard(self, task: TaskSpec) -> None:
        """Give up an environment that failed, and its thread, which may hang in it."""
        failed = self._envs.pop(task.env_key, None)
        if failed and isinstance(failed.unwrapped, RemoteWorld):
            self._worker.submit(failed.close)  # its process may have other worlds, and go on for a long time
        self.close()
        self._worker = Worker("saccade-world")

    def close(self) -> None:
        """Close the environments in their own thread."""
        for env in self._envs.values():
            self._worker.submit(env.close)
        self._envs.clear()
        self._worker.stop()


def _seed(run_seed: int, key: str, turn: int) -> int:
    """64-bit name of the random numbers of one reply."""
    return int.from_bytes(hashlib.sha256(f"{run_seed}|{key}|{turn}".encode()).digest()[:8], "little")


def _unknown(cause: object) -> WorldFailure:
    return WorldFailure(
        f"info['cause'] must be one of saccade.envs.episode.Cause, got {cause!r}; {near(str(cause), _CAUSES, 'causes')}"
    )


def _describe(failure: BaseException) -> str:
    _LOG.warning("an episode was lost", exc_info=failure)
    return "".join(traceback.format_exception_only(failure)).strip()
