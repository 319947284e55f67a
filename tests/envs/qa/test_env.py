"""Digits and Shapes: contents, balance, splits, pictures, demonstrations, retries."""

from collections import Counter

import gymnasium as gym
import numpy as np
import pytest

import saccade.envs
from saccade.envs.errors import ConfigError
from saccade.envs.palette import PALETTE, SHAPES
from saccade.envs.qa.env import ASKED, Digits, Shapes
from saccade.envs.qa.observe import digit_image, scene_image
from saccade.envs.qa.tasks import CANVAS, KINDS, choices, digits, make_scene, other_questions, totals
from saccade.envs.task import make

LEVELS = [1, 2, 3, 4]


def scenes(kind, level, count):
    rng = np.random.default_rng(0)
    return [make_scene(rng, kind, level) for _ in range(count)]


def test_digits_are_the_real_ones():
    assert len(digits()) == 1797
    assert set(Counter(digit.label for digit in digits())) == set(range(10))
    assert len({digit.ink for digit in digits()}) == 1797


def test_digit_picture_is_dark_on_white_and_nearest():
    digit = digits()[0]
    pixels = digit_image(digit, 64).pixels
    assert pixels.shape == (64, 64, 3)
    ink = np.frombuffer(digit.ink, np.uint8).reshape(8, 8)
    blocks = pixels[::8, ::8, 0]
    assert np.array_equal(pixels[..., 0], np.kron(blocks, np.ones((8, 8), np.uint8)))
    assert np.all(blocks[ink == 0] == 255)
    assert np.all(blocks[ink == 16] == 0)


def test_digit_splits_share_no_picture_and_one_in_five_is_test():
    seen = {}
    for split in ("train", "test"):
        env = Digits(split=split)
        seen[split] = {env.reset(seed=seed)[0]["images"][0].tobytes() for seed in range(1500)}
    assert not seen["train"] & seen["test"]
    assert 300 < len(seen["test"]) < 420  # all of about 1797 / 5 after so many draws


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_balanced(kind, level):
    counts = Counter(scene.question.answer for scene in scenes(kind, level, 600))
    expected = 600 / len(choices(kind, level))
    assert set(counts) == set(choices(kind, level))
    assert all(0.7 * expected < count < 1.3 * expected for count in counts.values()), counts


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", KINDS)
def test_answers_follow_from_the_scene(kind, level):
    for scene in scenes(kind, level, 200):
        asked, things = scene.question, scene.things
        assert len(things) in totals(kind, level)
        words = asked.text.rstrip("?").split()
        names = {word.removesuffix("s") if word not in PALETTE else word for word in words}
        match = [
            thing
            for thing in things
            if {thing.colour} >= names & set(PALETTE) and {thing.shape} >= names & {"circle", "square", "triangle"}
        ]
        assert sorted(match, key=repr) == sorted(asked.about, key=repr)
        if kind == "count":
            assert asked.answer == str(len(match))
            continue
        [only] = match
        if kind == "position":
            vertical, horizontal = asked.answer.split()
            reach = only.width / 2
            assert only.y + reach < 32 if vertical == "top" else only.y - reach > 32
            assert only.x + reach < 32 if horizontal == "left" else only.x - reach > 32
        else:
            assert asked.answer == getattr(only, kind)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", ["position", "count"])
def test_things_are_inside_apart_and_in_caption_order(kind, level):
    for scene in scenes(kind, level, 100):
        crowded = len(scene.things) >= 6
        assert list(scene.things) == sorted(scene.things, key=lambda thing: thing.order)
        for index, thing in enumerate(scene.things):
            assert 11 <= thing.width <= 15 if crowded else 14 <= thing.width <= 20
            assert thing.width / 2 < min(thing.x, thing.y)
            assert max(thing.x, thing.y) < CANVAS - thing.width / 2
            for other in scene.things[index + 1 :]:
                assert max(abs(thing.x - other.x), abs(thing.y - other.y)) >= (thing.width + other.width) / 2


@pytest.mark.parametrize(("level", "most"), [(1, 2), (2, 3), (3, 5), (4, 5), (5, 5)])
def test_counts_begin_at_none_with_every_number_of_things(level, most):
    assert choices("count", level) == tuple(map(str, range(most + 1)))
    drawn = {(scene.question.answer, len(scene.things)) for scene in scenes("count", level, 600)}
    assert drawn == {(str(n), total) for n in range(most + 1) for total in totals("count", level) if total >= n}
    env = Shapes(question="count", level=level)
    thoughts = {}
    for seed in range(60):
        env.reset(seed=seed)
        [demo] = env.demo()
        thoughts[demo.action] = demo.thought
    assert thoughts["0"] == "none" and len(thoughts) == most + 1


@pytest.mark.parametrize("level", [3, 4, 5])
@pytest.mark.parametrize("kind", ["colour", "shape"])
def test_the_most_common_look_tells_little_about_the_answer(kind, level):
    right = 0.0
    for scene in scenes(kind, level, 400):
        looks = Counter(getattr(thing, kind) for thing in scene.things)
        best = [look for look, count in looks.items() if count == max(looks.values())]
        right += (scene.question.answer in best) / len(best)
    assert 0.3 < right / 400 < 0.6


@pytest.mark.parametrize("level", [3, 4, 5])
def test_hard_scenes_hold_things_that_share_a_property_with_the_target(level):
    for scene in scenes("position", level, 100):
        [target] = scene.question.about
        others = [thing for thing in scene.things if thing != target]
        assert any(other.colour == target.colour for other in others)
        assert any(other.shape == target.shape for other in others)


@pytest.mark.parametrize("size", [32, 64, 112])
def test_captions_point_at_their_colour(size):
    env = Shapes(level=3, size=size)
    for seed in range(30):
        env.reset(seed=seed)
        [demo] = env.demo()
        pixels = env.view.images[0].pixels
        for colour, _, x, y in [each.split(" ", 3) for each in _named(demo.caption)]:
            assert tuple(pixels[int(y), int(x)]) == PALETTE[colour]
        question = env._scene(env._task_rng(seed)).question
        seen = [each for each in _named(demo.caption) if set(question.look.split()) <= set(each.split())]
        seen.sort(key=lambda each: [int(number) for number in each.split()[2:]])
        thought = " ".join("{} ({}, {})".format(question.look, *each.split()[2:]) for each in seen)
        assert demo.thought == (thought or "none")


def _named(caption):
    words = caption.replace("(", "").replace(")", "").replace(",", "").split()
    return [" ".join(words[start : start + 4]) for start in range(0, len(words), 4)]


def test_scene_picture_has_flat_shapes_of_the_named_width():
    for scene in scenes("shape", 1, 20):
        pixels = scene_image(scene.things, 64).pixels
        for thing in scene.things:
            rows = (pixels == PALETTE[thing.colour]).all(-1).any(1)
            assert rows.sum() >= thing.width - 3  # the outline is smooth, the inside has the exact colour


def test_split_is_by_picture_whatever_is_asked():
    seen = {"train": set(), "test": set()}
    for split in seen:
        for question in KINDS:
            env = Shapes(split=split, question=question)
            seen[split] |= {env.reset(seed=seed)[0]["images"][0].tobytes() for seed in range(200)}
    assert not seen["train"] & seen["test"]


def test_reward_ending_and_info():
    env = gym.make("saccade/Shapes-v0", question="colour")
    observation, _ = env.reset(seed=3)
    assert observation["text"].startswith("What colour is the ")
    [demo] = env.unwrapped.demo()
    _, reward, terminated, truncated, info = env.step(demo.action.upper() + ".")
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert info["success"]
    assert info["verdict"] == "right"
    env.reset(seed=3)
    _, reward, terminated, _, info = env.step(f"{demo.action} or blue")
    assert (reward, terminated, info["cause"], info["success"]) == (0.0, True, "failed", False)


def test_an_empty_answer_can_be_retried_only_when_turns_are_left():
    once = Digits()
    once.reset(seed=0)
    assert once.step(" ")[2:4] == (True, False)
    twice = Digits(max_turns=2)
    twice.reset(seed=0)
    observation, reward, terminated, truncated, info = twice.step("")
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert "empty" in info["action_error"]
    assert len(observation["images"]) == 1  # the question is still there to be answered
    [demo] = twice.demo()
    assert twice.step(demo.action)[1] == 1.0


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"question": "color"}, "did you mean 'colour'"),
        ({"level": 6}, "level must be one of 1, 2, 3, 4, 5, got 6"),
        ({"size": 4}, "size must be 16 to 2048"),
        ({"sise": 64}, "did you mean 'size'"),
    ],
)
def test_wrong_settings_say_what_was_meant(settings, hint):
    with pytest.raises(ConfigError, match=hint):
        make("saccade/Shapes-v0", **settings)


def test_registered():
    assert {"saccade/Digits-v0", "saccade/Shapes-v0"} <= set(saccade.envs.ENVIRONMENTS)


def test_lessons_ask_the_tasks_own_question_first_and_others_about_its_picture():
    env = Shapes(level=3)
    lessons = list(env.lessons(range(10)))
    for seed in range(10):
        env.reset(seed=seed)
        (first, demo), *others = [turn for number, lesson in lessons for turn in lesson.turns if number == seed]
        assert first.text == env.view.text and demo == next(env.demo())
        assert {seen.images[0].digest for seen, _ in ((first, demo), *others)} == {env.view.images[0].digest}
        assert len({seen.text for seen, _ in others} | {first.text}) == 1 + len(others) == ASKED
    alone = list(Shapes(level=3, question="count").lessons(range(5)))
    assert [seed for seed, _ in alone] == list(range(5)), "one kind is taught alone"


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_other_questions_have_one_right_answer_and_differ(level):
    rng = np.random.default_rng(0)
    kinds = Counter()
    for seed in range(150):
        scene = make_scene(np.random.default_rng(seed), KINDS[seed % 4], level)
        asked = other_questions(rng, scene, 3)
        assert len({each.text for each in (scene.question, *asked)}) == 1 + len(asked) and len(asked) >= 2
        for each in asked:
            kinds[each.kind] += 1
            words = each.text.rstrip("?").split()
            match each.kind:
                case "count":
                    look = words[2].removesuffix("s") if words[2] in (f"{shape}s" for shape in SHAPES) else words[2]
                    right = [thing for thing in scene.things if look in (thing.colour, thing.shape)]
                    assert each.answer == str(len(right))
                case "shape":
                    right = [thing for thing in scene.things if thing.colour == words[-1]]
                    assert [thing.shape for thing in right] == [each.answer]
                case "colour":
                    right = [thing for thing in scene.things if thing.shape == words[-1]]
                    assert [thing.colour for thing in right] == [each.answer]
                case "position":
                    right = [thing for thing in scene.things if [thing.colour, thing.shape] == words[-2:]]
                    [thing] = right
                    assert each.answer == f"{'top' if thing.y < 32 else 'bottom'} {'left' if thing.x < 32 else 'right'}"
            assert list(each.about) == sorted(right, key=lambda thing: (thing.x, thing.y))
    assert min(kinds.values()) > 40 and set(kinds) == set(KINDS)
