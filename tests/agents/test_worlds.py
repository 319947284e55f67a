"""Worlds in processes: the same episodes, and what happens when one dies, hangs or loses its parent."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from saccade.agents.runner import Job, Runner, RunnerConfig
from saccade.agents.world_host import Host
from saccade.agents.worlds import WorldProcesses, lives_apart
from saccade.envs.episode import Cause
from saccade.envs.errors import ActionError, ConfigError, ResetNeeded, WorldFailure
from saccade.envs.task import TaskSource, TaskSpec
from saccade.envs.wrappers import BlankPictures

TROUBLE = """
import os, time
import gymnasium as gym
from saccade.envs.actions import ActionSet, Param, verb
from saccade.envs.core import LanguageEnv, Outcome
from saccade.envs.episode import Cause, Demo
from saccade.envs.errors import WorldFailure
from saccade.envs.observation import Observation

class Trouble(LanguageEnv):
    instructions = "Say a number."
    action_format = ActionSet(verb("say", "Say it.", number=Param("int")))
    max_turns = 3
    affinity = "process"

    def __init__(self, *, mode="fine", **settings):
        super().__init__(**settings)
        self.mode = mode

    def begin(self, rng):
        self.turn = 0
        self.wanted = int(rng.integers(100))
        return Observation.of(f"Say {self.wanted}.")

    def act(self, call):
        self.turn += 1
        if self.turn == 2:
            match self.mode:
                case "die": os._exit(3)
                case "hang": time.sleep(60)
                case "raise": raise ZeroDivisionError("a bug of the world")
                case "strange": raise type("Strange", (Exception,), {})("of a class nobody else knows")
                case "next": next(iter(()))
                case "fail": raise WorldFailure("the simulation diverged")
                case "lambda": return Outcome(Observation.of("?"), info={"not": lambda: "JSON"})
        right = call.args["number"] == self.wanted
        return Outcome(Observation.of(str(os.getpid())), ended=Cause.GOAL if right else None)

    def state(self):
        return [self.wanted, self.turn]

    def demo(self):
        yield Demo("say(-1)")
        yield Demo(f"say({self.wanted})")

gym.register("Trouble-v0", entry_point="trouble:Trouble")
"""


@pytest.fixture(autouse=True, scope="module")
def trouble(tmp_path_factory):
    folder = tmp_path_factory.mktemp("worlds")
    (folder / "trouble.py").write_text(TROUBLE)
    sys.path.insert(0, str(folder))
    yield
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def processes():
    made = WorldProcesses(1, patience=20.0)
    yield made
    made.close()


def task(mode="fine", seed=0):
    return TaskSpec("trouble:Trouble-v0", seed, kwargs={"mode": mode})


def run(agent, jobs, workers, policy="random", wrap=None, **config):
    runner = Runner(agent, RunnerConfig(workers=workers, **{"concurrency": 2, **config}), policy, wrap)
    try:
        return runner.run(jobs)
    finally:
        runner.close()


def told(trajectory):
    """All of an episode but the time that it took."""
    episode = trajectory.episode
    steps = [{name: value for name, value in vars(step).items() if name != "seconds"} for step in episode.steps]
    shown = [[image.digest for image in step.pop("observation").images] for step in steps]
    return steps, shown, episode.final and episode.final.text, episode.cause, episode.instructions, trajectory.samples


@pytest.mark.parametrize("policy", ["random", "demo"])
@pytest.mark.parametrize("id", ["saccade/Navigate-v0", "saccade/Reach-v0"])
def test_episodes_are_the_same_in_a_process_as_in_a_thread(agent, id, policy):
    jobs = [Job(TaskSource(id, {"level": 2}).task(seed)) for seed in range(3)]
    apart, here = run(agent, jobs, 2, policy), run(agent, jobs, 0, policy)
    for one, other in zip(apart, here, strict=True):
        *facts, samples = told(one)
        *expected, wanted = told(other)
        assert facts == expected
        assert samples[0].ids.tolist() == wanted[0].ids.tolist()
        assert one.episode.success or policy == "random"


def test_only_worlds_that_ask_for_it_live_apart(walk):
    assert lives_apart(TaskSpec("saccade/Reach-v0", 0)) and lives_apart(task())
    assert not lives_apart(walk.task(0)) and not lives_apart(TaskSpec("saccade/ClickTarget-v0", 0))


def test_a_remote_world_is_like_the_world_itself(processes):
    remote, world = processes.make(0, task()), task().make().unwrapped
    with pytest.raises(ResetNeeded):
        _ = remote.view
    for seed in (5, 6):
        assert remote.reset(seed=seed) == world.reset(seed=seed)
        assert remote.action_format.help == world.action_format.help and remote.max_turns == world.max_turns == 3
        with pytest.raises(ActionError, match="needs the argument"):
            remote.action_format.parse("say()")
        rngs = random.Random(1), random.Random(1)
        assert [remote.sample_action(rngs[0]) for _ in range(2)] == [world.sample_action(rngs[1]) for _ in range(2)]
        assert rngs[0].random() == rngs[1].random()
        for demo in remote.demo():
            came = remote.step(demo.action)
            assert came[0]["text"] != str(os.getpid())
            assert came[1:] == world.step(demo.action)[1:]
        assert came[4]["success"]
    with pytest.raises(ResetNeeded):
        remote.step("say(1)")
    remote.reset(seed=5)
    with pytest.raises(TypeError, match="an action is a string"):
        remote.step(3)
    remote.close()
    world.close()


def test_a_process_keeps_no_demonstration_of_an_episode_that_is_over():
    host = Host()
    world = host.make("trouble", task())
    host.reset(world, 0)
    demo = host.demo(world)
    assert host.show(world, demo) and host._demos[world]
    while not any(host.step(world, "say(-1)")[2:4]):
        pass
    assert not host._demos[world] and host.show(world, demo) is None
    host.close(world)


def test_wrappers_work_around_it(agent):
    done = run(agent, [Job(TaskSpec("saccade/Reach-v0", 0))], 1, "demo", BlankPictures)
    assert all((image.pixels == 255).all() for image in done[0].samples[0].media)


def test_worlds_share_as_many_processes_as_there_are_workers(agent):
    done = run(agent, [Job(task(seed=seed)) for seed in range(6)], 2, concurrency=4)
    places = {step.observation.text for each in done for step in each.episode.steps[1:]}
    assert len(places) == 2 and str(os.getpid()) not in places


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("die", "ended with status 3"),
        ("raise", "ZeroDivisionError: a bug of the world"),
        ("strange", "Strange: of a class nobody else knows"),
        ("fail", "the simulation diverged"),
        ("next", "raised StopIteration"),
        ("lambda", "pickle"),
    ],
)
def test_a_world_that_breaks_is_a_recorded_value_and_is_replaced(agent, mode, message):
    jobs = [Job(task(mode, seed=0)), Job(task("fine", seed=1))]
    broken, fine = run(agent, jobs, 1, concurrency=1)
    assert broken.episode.cause is Cause.INFRA and message in broken.episode.failure
    assert len(broken.episode.steps) == 2 and broken.episode.steps[-1].action is None
    assert fine.episode.cause is Cause.HORIZON


def test_a_world_that_hangs_is_ended_and_replaced(agent):
    jobs = [Job(task("hang", seed=0)), Job(task("fine", seed=1))]
    hung, fine = run(agent, jobs, 1, concurrency=1, world_timeout=2.0)
    assert hung.episode.cause is Cause.INFRA and "did not answer within 2 s" in hung.episode.failure
    assert fine.episode.cause is Cause.HORIZON


def test_an_episode_that_had_not_begun_is_not_lost_with_a_process(agent):
    runner = Runner(agent, RunnerConfig(concurrency=1, workers=1), "random")
    assert runner.run([Job(task())])[0].episode.cause is not Cause.INFRA
    runner._processes._processes[0].kill()
    assert runner.run([Job(task())])[0].episode.cause is not Cause.INFRA
    runner.close()


def test_a_process_that_dies_takes_its_worlds_with_it_and_no_other(agent):
    processes = WorldProcesses(2, patience=20.0)
    one, two, other = (processes.make(number, task()) for number in (0, 2, 1))
    for world in (one, two, other):
        world.reset(seed=0)
    one._process.kill()
    for world in (one, two):
        with pytest.raises(WorldFailure, match="ended with status -9"):
            world.step("say(1)")
    assert other.step("say(1)")[0]["text"]
    assert processes.make(0, task()).reset(seed=0)
    processes.close()
    assert not other._process.alive


def test_a_world_that_cannot_be_made_says_why(processes):
    with pytest.raises(ConfigError, match="did you mean 'mode'") as raised:
        processes.make(0, TaskSpec("trouble:Trouble-v0", 0, kwargs={"mod": "fine"}))
    assert "runner.workers to 0" in raised.value.__notes__[0]
    with pytest.raises(ConfigError, match="workers must be >= 0"):
        RunnerConfig(workers=-1)


HOLD = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start background jobs with the signal ignored
from saccade.agents.worlds import WorldProcesses
from saccade.envs.task import TaskSpec
worlds = WorldProcesses(1, patience=60.0)
env = worlds.make(0, TaskSpec("trouble:Trouble-v0", 0, kwargs={"mode": sys.argv[1]}))
env.reset(seed=0)
print(env.step("say(-1)")[0]["text"], flush=True)
env.step("say(-1)")
time.sleep(60)
"""


@pytest.mark.parametrize("mode", ["fine", "hang"])
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_its_parent(end, mode):
    path = os.pathsep.join(sys.path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, mode],
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        time.sleep(0.2)
        parent.send_signal(end)
        parent.wait(30)
    deadline = time.monotonic() + 30
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(child)


def test_a_script_without_a_main_guard_can_use_it(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(HOLD.replace("time.sleep(60)", "print('once')"))
    done = subprocess.run(
        [sys.executable, script, "fine"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[1:] == ["once"], done.stderr


def test_the_host_loads_no_model_library():
    code = "import sys, saccade.agents.world_host; print('torch' in sys.modules, 'transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"


def test_worlds_that_are_closed_do_not_pile_up(processes):
    host = Host()
    for _ in range(3):
        world = host.make("trouble", task())
        host.reset(world, 0)
        host.close(world)
        host.close(world)
    assert not host._worlds and not host._demos
    remote = processes.make(0, task())
    remote.close()
    remote.close()


def _runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] != "Z" if os.path.exists("/proc") else True
