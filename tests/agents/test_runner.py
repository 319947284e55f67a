import os
import subprocess
import sys
import time
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest

from saccade.agents.agent import Agent
from saccade.agents.runner import Job, Runner, RunnerConfig
from saccade.agents.worker import Worker
from saccade.envs.actions import Answer
from saccade.envs.core import LanguageEnv, Outcome
from saccade.envs.episode import Cause
from saccade.envs.errors import ConfigError, WorldFailure
from saccade.envs.observation import Image, Observation
from saccade.envs.task import TaskSource, TaskSpec
from saccade.envs.wrappers import BlankPictures


class Fragile(LanguageEnv):
    """Breaks in every way, chosen by `mode`."""

    instructions = "Say anything."
    action_format = Answer()
    max_turns = 3
    made = 0

    def __init__(self, *, mode="fine", **settings):
        super().__init__(**settings)
        self.mode = mode
        type(self).made += 1

    def begin(self, rng):
        if self.mode == "reset":
            raise WorldFailure("no page")
        if self.mode == "late":
            time.sleep(0.5)
            raise ConfigError("a setting that only shows now")
        self.turn = 0
        return Observation.of("word " * (2000 if self.mode == "long start" else 1))

    def act(self, action):
        self.turn += 1
        if self.mode == "step" and self.turn == 2:
            raise WorldFailure("the page went away")
        if self.mode == "hang" and self.turn == 2:
            time.sleep(3)
        if self.mode == "raise" and self.turn == 2:
            raise ZeroDivisionError("a bug of the world")
        if self.mode == "next" and self.turn == 2:
            next(iter(()))
        if self.mode == "exit" and self.turn == 2:
            sys.exit(2)
        return Outcome(Observation.of("word " * 2000 if self.mode == "long" else f"turn {self.turn}"))

    def state(self):
        return self.turn if hasattr(self, "turn") else 0


gym.register("test/Fragile-v0", entry_point=Fragile)


def run(agent, mode, count=4, **config):
    runner = Runner(agent, RunnerConfig(concurrency=2, **config), "random")
    done = runner.run([Job(TaskSpec("test/Fragile-v0", seed, kwargs={"mode": mode})) for seed in range(count)])
    runner.close()
    return done


def test_a_fine_world_runs_to_its_horizon(agent):
    for trajectory in run(agent, "fine"):
        episode = trajectory.episode
        assert episode.cause is Cause.HORIZON and len(episode.steps) == 3
        assert [step.truncated for step in episode.steps] == [False, False, True]
        assert not any(step.terminated for step in episode.steps)
        assert trajectory.tokens_per_turn().min() > 0


@pytest.mark.parametrize(
    ("mode", "steps", "message"),
    [
        ("reset", 0, "no page"),
        ("step", 2, "the page went away"),
        ("raise", 2, "a bug of the world"),
        ("next", 2, "raised StopIteration"),
        ("exit", 2, "raised SystemExit(2)"),
    ],
)
def test_a_failing_world_is_a_recorded_value_and_never_trained_on(agent, mode, steps, message):
    for trajectory in run(agent, mode):
        episode = trajectory.episode
        assert episode.cause is Cause.INFRA and message in episode.failure
        assert len(episode.steps) == len(trajectory.tokens_per_turn()) == steps
        assert steps == 0 or episode.steps[-1].action is None
        assert not episode.rule.trained and not episode.rule.in_baseline


class Winning(gym.Wrapper):
    """Ends with a cause that nobody knows."""

    def step(self, action):
        *came, info = super().step(action)
        return (*came, info | {"cause": "goals" if any(came[-2:]) else None})


def test_an_ending_that_nobody_knows_is_recorded_and_says_what_was_meant(agent):
    runner = Runner(agent, RunnerConfig(concurrency=1), "random", Winning)
    done = runner.run([Job(TaskSpec("test/Fragile-v0", seed)) for seed in range(2)])
    runner.close()
    for episode in (each.episode for each in done):
        assert episode.cause is Cause.INFRA and len(episode.steps) == 3
        assert "got 'goals'" in episode.failure and "did you mean 'goal'" in episode.failure


def test_a_hanging_world_is_given_up_and_its_thread_too(agent):
    started = time.perf_counter()
    done = run(agent, "hang", count=2, world_timeout=0.3)
    assert [each.episode.cause for each in done] == [Cause.INFRA] * 2
    assert "did not answer within 0.3 s" in done[0].episode.failure
    assert time.perf_counter() - started < 2.5


def test_an_environment_that_failed_is_made_anew(agent):
    Fragile.made = 0
    run(agent, "step", count=4)
    assert Fragile.made == 4
    Fragile.made = 0
    run(agent, "fine", count=6)
    assert Fragile.made == 2


def test_an_observation_that_does_not_fit_ends_the_episode(agent):
    small = Agent(agent.engine, agent.chat, replace(agent.config, max_context=200))
    for trajectory in run(small, "long"):
        assert trajectory.episode.cause is Cause.CONTEXT
        assert len(trajectory.episode.steps) == 1
        assert len(trajectory.samples[0].ids) < 200


def test_a_first_observation_that_does_not_fit_is_a_setting_to_mend(agent):
    small = Agent(agent.engine, agent.chat, replace(agent.config, max_context=200))
    with pytest.raises(ConfigError, match=r"raise agent\.max_context"):
        run(small, "long start")


def test_an_engine_that_fails_ends_its_episodes_and_nothing_else(agent, walk):
    asked = {"count": 0}
    serve = agent.engine._batcher._serve

    def sometimes(requests):
        asked["count"] += 1
        if asked["count"] == 2:
            raise MemoryError("out of memory")
        return serve(requests)

    agent.engine._batcher._serve = sometimes
    runner = Runner(agent, RunnerConfig(concurrency=2))
    done = runner.run([Job(walk.task(seed)) for seed in range(6)])
    runner.close()
    lost = [each for each in done if each.episode.cause is Cause.ENGINE]
    assert len(lost) == 2 and len(done) == 6
    assert all("out of memory" in each.episode.failure and not each.episode.rule.trained for each in lost)


def test_a_run_that_was_stopped_leaves_the_next_one_as_it_was(agent, walk):
    """The others wait at the engine when one episode finds a setting that cannot be used."""
    runner, jobs = Runner(agent, RunnerConfig(concurrency=3)), [Job(walk.task(seed)) for seed in range(4)]
    before = runner.run(jobs)
    with pytest.raises(ConfigError, match="only shows now"):
        runner.run([Job(TaskSpec("test/Fragile-v0", 0, kwargs={"mode": "late"})), *jobs])
    assert agent.engine._batcher.participants == 0
    again = Worker("again").submit(lambda: runner.run(jobs)).result(timeout=200)
    runner.close()
    for one, other in zip(before, again, strict=True):
        assert one.samples[0].ids.tolist() == other.samples[0].ids.tolist()
        assert one.samples[0].logprobs.tolist() == other.samples[0].logprobs.tolist()


def test_a_world_that_never_returns_does_not_keep_the_process():
    code = """
import time
from saccade.agents.worker import Worker
Worker("hung").submit(lambda: time.sleep(60))
time.sleep(0.2)
"""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, timeout=50)
    assert time.perf_counter() - started < 40


def test_interrupting_stops_a_rollout_at_once(taught_path):
    code = f"""
import os, signal, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start background jobs with the signal ignored
import grid_walk
from saccade.agents.runner import Job, Runner, RunnerConfig
from saccade.envs.task import TaskSource
from saccade.rl.evaluate import make_agent
agent = make_agent({str(taught_path)!r})
act = grid_walk.GridWalk.act
grid_walk.GridWalk.act = lambda self, call: (time.sleep(0.2), act(self, call))[1]
threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    Runner(agent, RunnerConfig(concurrency=1)).run([Job(TaskSource("GridWalk-v0").task(s)) for s in range(1000)])
except KeyboardInterrupt:
    print("interrupted")
os._exit(0)
"""
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, timeout=60
    )
    assert "interrupted" in done.stdout, done.stderr


def test_a_reply_that_is_cut_ends_the_episode(agent, walk):
    short = Agent(agent.engine, agent.chat, replace(agent.config, max_reply_tokens=1))
    runner = Runner(short, RunnerConfig(concurrency=2))
    done = runner.run([Job(walk.task(seed)) for seed in range(6)])
    runner.close()
    cut = [each for each in done if each.episode.cause is Cause.LENGTH]
    assert cut
    for trajectory in cut:
        last = trajectory.episode.steps[-1]
        assert last.action is None and last.truncated
        assert trajectory.tokens_per_turn()[-1] == 1


def test_tokens_are_counted_and_a_stream_keeps_nothing(agent, walk):
    runner, jobs = Runner(agent, RunnerConfig(concurrency=2), "demo"), [Job(walk.task(seed)) for seed in range(4)]
    met = {}
    assert runner.stream(jobs, lambda index, done: met.update({index: done})) is None
    runner.close()
    assert sorted(met) == [0, 1, 2, 3]
    for index, job in enumerate(jobs):
        done = met[index]
        assert done.episode.task == job.task and done.episode.id == job.episode_id("", "")
        assert [each.reply_tokens for each in done.usage] == done.tokens_per_turn().tolist()
        ids, turns = done.samples[0].ids, done.samples[0].turns
        assert [each.prompt_tokens for each in done.usage] == [list(turns).index(n) for n in range(len(done.usage))]
        assert done.usage[-1].total == len(ids)


def test_demonstrations_and_chance_go_the_same_way(agent, walk):
    jobs = [Job(walk.task(seed)) for seed in range(8)]
    for policy, least in (("demo", 8), ("random", 0)):
        runner = Runner(agent, RunnerConfig(concurrency=4), policy)
        done = runner.run(jobs)
        runner.close()
        assert sum(each.episode.success for each in done) >= least
        assert all(sample.versions[sample.action_mask].max() == -1 for each in done for sample in each.samples)
    assert all(step.thought.startswith("go") for each in done for step in each.episode.steps if policy == "demo")


def test_results_come_in_the_order_of_the_jobs_and_do_not_depend_on_concurrency(agent, walk):
    jobs = [Job(walk.task(seed), sample) for seed in range(3) for sample in range(2)]
    found = []
    for concurrency in (1, 4):
        runner = Runner(agent, RunnerConfig(concurrency=concurrency))
        done = runner.run(jobs, scope="s", seed=1)
        runner.close()
        assert [each.episode.task.seed for each in done] == [0, 0, 1, 1, 2, 2]
        found.append([[step.reply for step in each.episode.steps] for each in done])
    assert found[0] == found[1]


def test_equal_runs_are_equal_bit_for_bit(agent, walk):
    jobs = [Job(walk.task(seed), sample) for seed in range(4) for sample in range(4)]

    def once(seed):
        runner = Runner(agent, RunnerConfig(concurrency=8))
        done = runner.run(jobs, scope="s", seed=seed)
        runner.close()
        return [(each.samples[0].ids.tolist(), each.samples[0].logprobs.tolist()) for each in done]

    assert once(3) == once(3)
    assert once(3) != once(4)


def test_a_label_changes_names_and_nothing_else(agent, walk):
    runner = Runner(agent)
    one, two = (runner.run([Job(walk.task(0))], label=label)[0] for label in "ab")
    runner.close()
    assert one.episode.id != two.episode.id
    assert one.samples[0].ids.tolist() == two.samples[0].ids.tolist()


def test_a_wrapper_changes_what_the_agent_sees(agent, walk):
    runner = Runner(agent, policy="demo", wrap=BlankPictures)
    done = runner.run([Job(walk.task(0))])[0]
    runner.close()
    assert all(np.all(image.pixels == 255) for image in done.samples[0].media)


def test_it_runs_inside_a_running_event_loop(agent, walk):
    import asyncio

    async def main():
        runner = Runner(agent, policy="random")
        done = runner.run([Job(walk.task(0))])
        runner.close()
        return done

    assert len(asyncio.run(main())) == 1


def test_bad_settings_are_refused(agent):
    with pytest.raises(ConfigError, match="policy"):
        Runner(agent, policy="oracle")
    with pytest.raises(ConfigError, match="concurrency"):
        RunnerConfig(concurrency=0)


def test_the_sampler_sees_noise_and_the_learner_does_not(agent):
    class Noisy(LanguageEnv):
        instructions = "?"
        action_format = Answer()

        def begin(self, rng):
            clean = np.full((64, 64, 3), 200, np.uint8)
            return Observation.of(Image(clean, sampler_pixels=clean // 2))

        def act(self, action):
            return Outcome(Observation.of(""), ended=Cause.FAILED)

        def state(self):
            return 0

    gym.register("test/Noisy-v0", entry_point=Noisy)
    runner = Runner(agent)
    done = runner.run([Job(TaskSource("test/Noisy-v0").task(0))])[0]
    runner.close()
    assert np.all(done.samples[0].media[0].pixels == 200)
