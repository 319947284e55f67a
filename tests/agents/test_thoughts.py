"""Thoughts against demonstrations: what counts as right, what it may touch, and what it may not break."""

import asyncio
import logging
import random
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest

from saccade.agents.agent import Agent
from saccade.agents.coordinates import make_codec
from saccade.agents.engines.base import scripted
from saccade.agents.formats import FREE, Reply
from saccade.agents.runner import Job, Runner, RunnerConfig
from saccade.agents.thoughts import ThoughtCheck, judged, same_thought, thoughts_right
from saccade.envs import ENVIRONMENTS
from saccade.envs.actions import Answer
from saccade.envs.core import LanguageEnv, Outcome
from saccade.envs.episode import Cause, Demo
from saccade.envs.observation import Image, Observation
from saccade.envs.replay import ReplayStore
from saccade.envs.task import TaskSource, make
from saccade.rl.notes import rollout_metrics

SIZE = (100, 50)


@pytest.mark.parametrize(
    ("thought", "reference", "right"),
    [
        ("red circle (30, 20)", "red circle (30, 20)", True),
        ("red circle (40, 25)", "red circle (30, 20)", True),  # a tenth of the width, a tenth of the height
        ("red circle (41, 20)", "red circle (30, 20)", False),
        ("red circle (30, 26)", "red circle (30, 20)", False),
        ("red circle (20, 30)", "red circle (30, 20)", False),
        ("red square (30, 20)", "red circle (30, 20)", False),
        ("red circle", "red circle (30, 20)", False),
        ("red circle (30, 20) (30, 20)", "red circle (30, 20)", False),
        ("(30, 20) red circle", "red circle (30, 20)", False),
        ("  red  circle(30,20) ", "red circle (30, 20)", True),
        ("a (1, 1) b (90, 40)", "a (5, 2) b (95, 44)", True),
        ("a (90, 40) b (1, 1)", "a (5, 2) b (95, 44)", False),
        ("go left", "go left", True),
        ("go right", "go left", False),
        ("", "go left", False),
        ("red circle (9999999999, 20)", "red circle (30, 20)", False),
        ("red circle (" + "9" * 5000 + ", 20)", "red circle (30, 20)", False),
    ],
)
def test_a_thought_is_right_by_its_words_and_its_places(thought, reference, right):
    assert same_thought(thought, reference, SIZE) is right


def test_the_tolerance_is_a_share_of_the_picture():
    assert same_thought("(0, 0)", "(50, 0)", (100, 100), tolerance=0.5)
    assert not same_thought("(0, 0)", "(51, 0)", (100, 100), tolerance=0.5)


class Fixed:
    """A reply format that reads the same thought and action from every reply."""

    strict, pattern = False, ""

    def __init__(self, thought):
        self.thought = thought

    def read(self, text, actions=FREE):
        return Reply(self.thought, "x", True)

    def write(self, thought, action, actions=FREE):
        return action


class Pointer(LanguageEnv):
    """Says where to point; its demonstration can go wrong in every way."""

    instructions = "Point."
    action_format = Answer()
    max_turns = 3

    def __init__(self, *, mode="fine", **settings):
        super().__init__(**settings)
        self.mode = mode

    def begin(self, rng):
        self.turn = 0
        return Observation.of(Image(np.full((64, 64, 3), 200, np.uint8)))

    def act(self, action):
        self.turn += 1
        return Outcome(Observation.of("next"))

    def state(self):
        return self.turn

    def demo(self):
        if self.mode == "raise":
            raise ZeroDivisionError("a bug of the demonstration")
        if self.mode == "late" and self.turn:
            raise RuntimeError("a bug of the demonstration")
        if self.mode == "odd":
            yield Demo("x", thought=7)
        if self.mode == "silent":
            yield Demo("x")
        if self.mode == "fine":
            yield Demo("x", thought="dot (30, 20)" if self.turn != 1 else "")
        if self.mode in ("once", "late") and self.turn == 0:
            yield Demo("x", thought="dot (30, 20)")


class Mute(Pointer):
    demo = LanguageEnv.demo


gym.register("test/Pointer-v0", entry_point=Pointer)
gym.register("test/Mute-v0", entry_point=Mute)


def short(agent):
    """The agent, with a model that ends every reply at once."""
    agent.chat.banned = tuple(sorted(set(range(agent.chat.vocabulary)) - {agent.chat.stop, *agent.chat.encode("x")}))
    return Agent(agent.engine, agent.chat, replace(agent.config, max_reply_tokens=64))


def play(agent, thought="dot (30, 20)", mode="fine", id="test/Pointer-v0", **config):
    agent = short(agent)
    agent.format = Fixed(thought)
    runner = Runner(agent, RunnerConfig(concurrency=2, **config))
    done = runner.run([Job(TaskSource(id, {"mode": mode}).task(seed)) for seed in range(2)])
    runner.close()
    for each in done:
        assert each.episode.cause is Cause.HORIZON, each.episode.failure
    return done


def test_each_turn_has_a_verdict_where_something_was_demonstrated(agent):
    for trajectory in play(agent):
        assert trajectory.thoughts_right == [True, None, True]
    for trajectory in play(agent, "dot (60, 60)"):
        assert trajectory.thoughts_right == [False, None, False]
    metrics = rollout_metrics([*play(agent), *play(agent, "dot"), *play(agent)])
    assert metrics["thought/accuracy"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(("mode", "first"), [("raise", None), ("odd", None), ("late", True)])
def test_a_demonstration_that_fails_is_no_verdict_and_ends_nothing(agent, mode, first, caplog):
    with caplog.at_level(logging.WARNING):
        for trajectory in play(agent, mode=mode):
            assert trajectory.thoughts_right == [first, None, None]
    assert sum("Pointer cannot demonstrate" in line for line in caplog.messages) == 2  # once an episode


@pytest.mark.parametrize(("mode", "verdicts"), [("silent", [None] * 3), ("once", [True, None, None])])
def test_nothing_demonstrated_is_no_verdict(agent, mode, verdicts):
    for trajectory in play(agent, mode=mode):
        assert trajectory.thoughts_right == verdicts


def test_it_can_be_switched_off_and_asks_nothing_of_a_world_without_a_demo(agent, monkeypatch):
    def never(self):
        raise AssertionError("asked")

    monkeypatch.setattr(LanguageEnv, "demo", never)
    monkeypatch.setattr(Mute, "demo", LanguageEnv.demo)
    monkeypatch.setattr(Pointer, "demo", never)
    for done in (play(agent, id="test/Mute-v0"), play(agent, check_thoughts=False)):
        assert all(each.episode.info == {} for each in done)
        assert "thought/accuracy" not in rollout_metrics(done)


def test_a_format_without_thoughts_is_not_judged(agent, walk):
    plain = Agent(agent.engine, agent.chat, replace(agent.config, reply_format="plain"))
    runner = Runner(plain)
    done = runner.run([Job(walk.task(0))])
    runner.close()
    assert done[0].thoughts_right == [None] * len(done[0].episode.steps)


def test_what_is_sampled_and_done_is_the_same_with_and_without(agent, walk):
    def once(check):
        runner = Runner(agent, RunnerConfig(concurrency=4, check_thoughts=check))
        done = runner.run([Job(walk.task(seed), sample) for seed in range(4) for sample in range(3)])
        runner.close()
        steps = [[replace(step, seconds=0, observation=None) for step in each.episode.steps] for each in done]
        return [each.samples[0].ids.tolist() for each in done], steps, judged(each.episode for each in done)

    checked, unchecked = once(True), once(False)
    assert checked[:2] == unchecked[:2]
    assert checked[2] and not unchecked[2]


def test_a_replay_keeps_the_verdicts_and_old_ones_have_none(agent, tmp_path):
    done = play(agent)
    with ReplayStore.create(tmp_path / "replay", run_id="r") as store:
        store.add(done[0].episode)
        store.add(replace(done[1].episode, info={}))
        found = [store.episode(record) for record in store.records()]
    assert thoughts_right(found[0]) == [True, None, True]
    assert thoughts_right(found[1]) == [None] * 3


WORLDS = [
    *(
        pytest.param(id, id=id, marks=[pytest.mark.browser] if ".gui." in entry else [])
        for id, entry in ENVIRONMENTS.items()
        if ".sites." not in entry and ".families." not in entry  # they are tested in gui/sites and qa
    ),
    "grid_walk:GridWalk-v0",
]


def _seen(result, env):
    pictures = [image.digest for image in env.unwrapped.view.images]
    return [env.unwrapped.view.text, pictures, *result[1:4], result[4]["state_key"]]


@pytest.mark.parametrize("id", WORLDS)
def test_asking_for_a_demonstration_changes_nothing_in_the_world(id):
    """Two equal worlds, one of them asked before every step, in states that no demonstration leads to as well."""
    asked, other = make(id), make(id)
    for seed in range(3):
        for env in (asked, other):
            env.reset(seed=seed)
        rng = random.Random(seed)
        for _ in range(asked.unwrapped.max_turns):
            for _ in range(2):
                next(asked.unwrapped.demo(), None)
            action = other.unwrapped.sample_action(rng)
            one, two = asked.step(action), other.step(action)
            assert _seen(one, asked) == _seen(two, other)
            if one[2] or one[3]:
                break
    asked.close()
    other.close()


@pytest.mark.parametrize("id", WORLDS)
@pytest.mark.parametrize("codec", ["pixels", "thousand", "location-tokens"])
def test_a_demonstrated_thought_is_right_however_the_model_writes_places(agent, id, codec):
    """Through the session that reads real replies: what was demonstrated is written, read, and judged."""

    async def here(function):
        return function()

    agent = Agent(agent.engine, agent.chat, replace(agent.config, max_context=100_000))
    agent.codec = make_codec(codec)
    env = make(id)
    for seed in range(2):
        env.reset(seed=seed)
        session = agent.begin(env)
        check = ThoughtCheck(agent, env, here)
        prompt = session.observe(env.get_wrapper_attr("view"))
        demo = next(env.unwrapped.demo())
        reply = session.hear(scripted(session.write(demo.thought, demo.action), prompt))
        assert asyncio.run(check.judge(reply, session.size)) is (True if demo.thought else None)
        wrong = replace(reply, thought="something else")
        assert asyncio.run(check.judge(wrong, session.size)) is (False if demo.thought else None)
    env.close()
