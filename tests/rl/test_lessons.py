import numpy as np
import pytest

from saccade.agents.runner import Job, Runner
from saccade.envs.episode import Demo, Lesson
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Image
from saccade.rl.lessons import Tutor


def test_a_lesson_is_what_the_demo_policy_would_have_said(agent, walk):
    """Two ways to the same tokens: lessons without a runner, and demonstrations through it."""
    env = walk.task(0).make()
    seeds = [3, 4, 5]
    taught = [Tutor(agent).rows(env, lesson, captions=0)[0].sample for _, lesson in env.unwrapped.lessons(seeds)]
    runner = Runner(agent, policy="demo")
    ran = [trajectory.samples[0] for trajectory in runner.run([Job(walk.task(seed)) for seed in seeds])]
    runner.close()
    assert max(sample.turns.max() for sample in taught) >= 2
    for mine, theirs in zip(taught, ran, strict=True):
        assert np.array_equal(mine.ids, theirs.ids)
        assert np.array_equal(mine.turns, theirs.turns)


def test_a_caption_is_a_question_of_its_own(agent):
    sample = Tutor(agent).caption(Image(np.zeros((64, 64, 3), np.uint8)), "blue dot<loc03><loc04>")
    text = agent.chat.tokenizer.decode(sample.ids[sample.action_mask].tolist())
    assert text == "<answer>blue dot<loc03><loc04></answer><|im_end|>"
    assert len(sample.media_spans) == 1


def test_captions_are_bounded(agent):
    from saccade.envs.task import make

    env = make("saccade/Shapes-v0")
    _, lesson = next(env.unwrapped.lessons([0]))
    assert [len(Tutor(agent).rows(env, lesson, captions=count)) for count in (0, 1, 9)] == [1, 2, 2]


def test_pictures_with_the_same_caption_are_described_once(agent, walk):
    """The first page of a form, still the same when its field has the focus, must not use up what the second needs."""
    env = walk.task(0).make()
    env.reset(seed=0)
    said = ["page one", "page one", "page two", "page three"]
    lesson = Lesson(tuple((env.unwrapped.view, Demo("move('left')", "", caption)) for caption in said))
    told = [
        agent.chat.tokenizer.decode(row.sample.ids[row.sample.action_mask].tolist())
        for row in Tutor(agent).rows(env, lesson, captions=2)
    ]
    assert [text.removesuffix("<|im_end|>") for text in told[-2:]] == [
        "<answer>page one</answer>",
        "<answer>page two</answer>",
    ]


def test_a_lesson_that_does_not_fit_is_an_error(agent, walk):
    from dataclasses import replace

    agent.config = replace(agent.config, max_context=60, max_reply_tokens=8)
    env = walk.task(0).make()
    _, lesson = next(env.unwrapped.lessons([0]))
    with pytest.raises(ConfigError, match="raise agent"):
        Tutor(agent).rows(env, lesson)
