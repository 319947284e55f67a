import itertools

import numpy as np
import pytest

from saccade.envs.errors import ConfigError
from saccade.envs.gui.form import make_form
from saccade.envs.gui.tasks import Shape, check_scene_settings, make_scene
from saccade.envs.gui.words import WORDS


def scenes(level, size=64, count=200):
    return [make_scene(np.random.default_rng(seed), level, size) for seed in range(count)]


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("size", [32, 64, 200])
def test_objects_lie_inside_the_picture_and_apart(level, size):
    for scene in scenes(level, size, count=100):
        for each in scene.objects:
            assert min(each.x, each.y) >= 0 and max(each.x, each.y) + each.side <= size
            assert 7 * size / 64 * 2 - 2 <= each.side <= 20 * size / 64 + 2 and each.side % 2 == 0
        for one, two in itertools.combinations(scene.objects, 2):
            apart = abs(one.centre[0] - two.centre[0]), abs(one.centre[1] - two.centre[1])
            assert max(apart) >= (one.side + two.side) / 2 + 2


def test_levels_grow_in_confusion():
    assert {len(scene.objects) for scene in scenes(1)} == {1}
    two = scenes(2)
    assert {len(scene.objects) for scene in two} == {2, 3}
    assert all(len({each.colour for each in scene.objects}) == len(scene.objects) for scene in two)
    for scene in scenes(3):
        target = scene.objects[scene.target]
        others = [each for index, each in enumerate(scene.objects) if index != scene.target]
        assert len(others) == 3
        assert any(each.colour == target.colour for each in others) and any(
            each.shape == target.shape for each in others
        )
        assert len({each.name for each in scene.objects}) == 4


def test_every_look_and_every_position_of_the_target_occurs():
    drawn = scenes(3, count=500)
    assert len({scene.objects[scene.target].name for scene in drawn}) == 18
    assert {scene.target for scene in drawn} == {0, 1, 2, 3}


def test_the_split_looks_at_the_picture_alone():
    scene = scenes(2)[0]
    other = type(scene)(scene.size, scene.objects, target=(scene.target + 1) % len(scene.objects))
    assert repr(scene) == repr(other) and scene.look == other.look and scene.goal != other.goal


def test_caption_is_in_a_fixed_order():
    scene = scenes(2)[0]
    shapes = (
        Shape("blue", "square", 0, 0, 14),
        Shape("red", "triangle", 30, 30, 16),
        Shape("red", "circle", 50, 1, 14),
    )
    made = type(scene)(64, shapes, target=2)
    assert made.caption() == "red circle (57, 8) red triangle (38, 38) blue square (7, 7)"
    assert made.goal == "Click the red circle."


def test_forms_ask_for_an_option_that_is_there():
    forms = [make_form(np.random.default_rng(seed)) for seed in range(1000)]
    assert {len(form.options) for form in forms} == {2, 3}
    assert all(form.choice in form.options and len(set(form.options)) == len(form.options) for form in forms)
    assert {form.word for form in forms} == {form.choice for form in forms} == set(WORDS)


def test_a_form_of_one_page_asks_for_no_word():
    form = make_form(np.random.default_rng(0), level=1)
    assert form.word is None and form.goal == f'Choose "{form.choice}" and submit.'
    assert repr(form) == f"Form({form.options!r}, {form.choice!r})"


@pytest.mark.parametrize(("level", "size"), [(0, 64), (4, 64), (2, 31), (2, 513)])
def test_settings_that_cannot_be_drawn_are_refused(level, size):
    with pytest.raises(ConfigError, match="must be"):
        check_scene_settings(level, size)
