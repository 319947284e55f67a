import pytest
from hypothesis import given
from hypothesis import strategies as st

from saccade.agents.coordinates import CODECS, LocationTokenCodec, ThousandCodec, make_codec
from saccade.envs.actions import STR, ActionSet, Answer, X, Y, verb
from saccade.envs.errors import ConfigError

ACTIONS = ActionSet(verb("click", "Click.", x=X, y=Y), verb("type", "Type.", text=STR))
SIZE = (64, 48)


@pytest.mark.parametrize("name", CODECS)
@given(x=st.integers(0, 63), y=st.integers(0, 47))
def test_a_place_survives_the_round_trip_to_half_a_bin(name, x, y):
    codec = make_codec(name)
    there = codec.encode_action(f"click({x}, {y})", ACTIONS, SIZE)
    back = ACTIONS.parse(codec.decode_action(there, ACTIONS, SIZE)).args
    slack = 1 if name == "location-tokens" else 0
    assert abs(back["x"] - x) <= slack and abs(back["y"] - y) <= slack


@pytest.mark.parametrize("name", CODECS)
def test_what_holds_no_place_is_left_alone(name):
    codec = make_codec(name)
    for text in ['type("click(1, 2)")', "not an action", "", "click(", "blue"]:
        assert codec.encode_action(text, ACTIONS, SIZE) == text
        assert codec.decode_action(text, ACTIONS, SIZE) == text
    assert codec.decode_action("click(1, 2)", Answer(), SIZE) == "click(1, 2)"


def test_location_tokens():
    codec = LocationTokenCodec()
    assert codec.encode_action("click(31, 17)", ACTIONS, (64, 64)) == "click(<loc15><loc08>)"
    assert codec.decode_action("click(<loc15><loc08>)", ACTIONS, (64, 64)) == "click(31, 17)"
    assert codec.encode_text("red cube (31, 17) ball (0, 63)", (64, 64)) == "red cube<loc15><loc08> ball<loc00><loc31>"
    assert codec.decode_text("red cube<loc15><loc08>", (64, 64)) == "red cube (31, 17)"
    assert codec.encode_action("click(500, -3)", ACTIONS, (64, 64)) == "click(<loc31><loc00>)"
    write = ActionSet(verb("write", "Write at a place.", x=X, y=Y, text=STR))
    said = "write(<loc15><loc08>, 'a>, <loc')"  # a text is left as it is
    assert codec.encode_action("write(31, 17, 'a>, <loc')", write, (64, 64)) == said


def test_thousandths():
    codec = ThousandCodec()
    assert codec.encode_action("click(32, 12)", ACTIONS, SIZE) == "click(500, 250)"
    assert codec.decode_action("click(500, 250)", ACTIONS, SIZE) == "click(32, 12)"
    assert codec.encode_text("at (32, 12)", SIZE) == "at (500, 250)"


def test_the_far_edge_of_the_range_is_the_last_pixel():
    assert ThousandCodec().decode_action("click(1000, 1000)", ACTIONS, SIZE) == "click(63, 47)"
    assert ThousandCodec().decode_action("click(1200, 0)", ACTIONS, SIZE) == "click(77, 0)"


def test_an_unknown_codec_names_the_near_one():
    with pytest.raises(ConfigError, match="did you mean 'pixels'"):
        make_codec("pixel")
