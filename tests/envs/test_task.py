"""Tasks by name: keys, JSON, and errors that say what was meant."""

import json

import pytest

from saccade.envs.errors import ConfigError, SaccadeError, near
from saccade.envs.qa.env import Shapes
from saccade.envs.task import TaskSource, TaskSpec, make, settings_of


def test_keys_are_canonical():
    one = TaskSpec("saccade/Shapes-v0", 3, "train", {"level": 2, "question": "count"})
    two = TaskSpec("saccade/Shapes-v0", 3, "train", {"question": "count", "level": 2})
    assert one.key == two.key
    assert one == two
    others = [
        TaskSpec("saccade/Shapes-v0", 4, "train", one.kwargs),
        TaskSpec("saccade/Shapes-v0", 3, "test", one.kwargs),
        TaskSpec("saccade/Shapes-v0", 3, "train", {"level": 2}),
        TaskSpec("saccade/Digits-v0", 3, "train", one.kwargs),
    ]
    assert len({one.key, *(other.key for other in others)}) == 5
    assert others[0].env_key == one.env_key
    assert len({one.env_key, *(other.env_key for other in others)}) == 4


def test_json_round_trip():
    spec = TaskSpec("saccade/Shapes-v0", 3, "test", {"level": 2})
    assert TaskSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_a_spec_makes_its_environment():
    env = TaskSpec("saccade/Shapes-v0", 3, "test", {"level": 2}).make()
    assert isinstance(env.unwrapped, Shapes)
    assert (env.unwrapped.split, env.unwrapped.level) == ("test", 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((-1, "train"), "seed must be >= 0, got -1"), ((0, "valid"), "split must be one of train, test, got 'valid'")],
)
def test_wrong_specs_are_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        TaskSpec("saccade/Shapes-v0", *arguments)


def test_a_split_is_no_setting():
    with pytest.raises(ConfigError, match="remove split='test' from saccade/Shapes-v0"):
        TaskSource.parse("saccade/Shapes-v0?split=test")
    with pytest.raises(ConfigError, match="split is no setting"):
        TaskSpec("saccade/Shapes-v0", 0, kwargs={"split": "test"})


def test_unknown_ids_and_settings_are_suggested():
    with pytest.raises(
        ConfigError, match=r"unknown environment id 'saccade/Shape-v0'; did you mean 'saccade/Shapes-v0'"
    ):
        make("saccade/Shape-v0")
    with pytest.raises(ConfigError, match=r"has no setting 'levle'; did you mean 'level'"):
        make("saccade/Shapes-v0", levle=2)


@pytest.mark.parametrize(
    ("id", "name"), [("QA", "data"), ("Grounding", "data"), ("WebArena", "configs"), ("Gym", "env")]
)
def test_a_setting_that_is_needed_is_asked_for(id, name):
    with pytest.raises(ConfigError, match=f"saccade/{id}-v0 needs the setting '{name}'"):
        TaskSource.parse(f"saccade/{id}-v0").check()


def test_what_an_id_or_a_class_gives_itself_is_not_asked_for():
    for id in ("saccade/MiniWoB-click-test-v0", "saccade/MiniWoB-click-test-2-v0", "saccade/ClickTarget-v0"):
        TaskSource.parse(id).check()


def test_settings_include_those_of_the_bases():
    assert {"question", "level", "size", "split", "max_turns", "error_penalty", "render_mode"} == set(
        settings_of(Shapes)
    )


def test_a_type_error_of_the_world_itself_is_not_blamed_on_a_setting():
    with pytest.raises(TypeError):
        make("saccade/Shapes-v0", size="big")


def test_errors_are_also_the_standard_ones():
    assert issubclass(ConfigError, ValueError)
    assert issubclass(ConfigError, SaccadeError)


def test_near_names():
    assert near("colr", ["colour", "shape"]) == "did you mean 'colour'? known: colour, shape"
    assert near("zzz", ["b", "a"], "settings") == "settings: a, b"


@pytest.mark.parametrize("text", ["x-v0", "x-v0?level=2", "x-v0?flag=true&name=red&share=0.5"])
def test_a_source_reads_what_it_writes(text):
    from saccade.envs.task import TaskSource

    source = TaskSource.parse(text)
    assert str(source) == text
    assert TaskSource.parse(str(source)) == source
