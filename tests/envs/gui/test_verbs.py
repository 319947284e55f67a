import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.envs.errors import ActionError, ConfigError
from saccade.envs.gui.hands import Hands
from saccade.envs.gui.verbs import GROUPS, KEYS, check_keys, check_text, gui_actions

ALL = gui_actions(GROUPS)
BROWSERGYM = {
    *("noop", "send_msg_to_user", "report_infeasible", "scroll", "fill", "select_option", "click", "dblclick"),
    *("hover", "press", "focus", "clear", "drag_and_drop", "upload_file", "mouse_move", "mouse_up", "mouse_down"),
    *("mouse_click", "mouse_dblclick", "mouse_drag_and_drop", "mouse_upload_file", "keyboard_down", "keyboard_up"),
    *("keyboard_press", "keyboard_type", "keyboard_insert_text", "goto", "go_back", "go_forward", "new_tab"),
    *("tab_close", "tab_focus"),
}


def test_the_names_are_browsergyms():
    assert set(ALL.verbs) == BROWSERGYM


def test_every_verb_is_something_that_hands_do():
    spoken = {"send_msg_to_user", "report_infeasible"}
    for name, verb in ALL.verbs.items():
        if name not in spoken:
            code = getattr(Hands, name).__code__
            assert set(verb.params) <= set(code.co_varnames[1 : code.co_argcount]), name


def test_groups_are_chosen_by_name():
    assert set(gui_actions(["nav"]).verbs) == {"goto", "go_back", "go_forward", "noop"}
    assert "scroll" in gui_actions(["coord"]).verbs and "scroll" in gui_actions(["ref"]).verbs
    with pytest.raises(ConfigError, match="did you mean 'coord'"):
        gui_actions(["coords"])


@pytest.mark.parametrize("chord", ["Enter", "Control+a", "Shift+Tab", "a", "+", "Control++", "Control+Shift+ArrowLeft"])
def test_keys(chord):
    assert check_keys(chord) == chord


@pytest.mark.parametrize("chord", ["", "enter", "Ctrl+a", "Control+", "a+b", "Control+w", "Meta+Shift+t", "F12", "\n"])
def test_what_is_no_key_or_belongs_to_the_browser_is_refused(chord):
    with pytest.raises(ActionError):
        check_keys(chord)


def test_texts_are_bounded_and_printable():
    assert check_text("a\nb\tc é") == "a\nb\tc é"
    for text in ("x" * 501, "\x00", "a\x1bb"):
        with pytest.raises(ActionError):
            check_text(text)


@given(st.integers(0, 2**32), st.integers(1, 2000), st.integers(1, 2000))
def test_random_actions_are_well_formed(seed, width, height):
    assert ALL.parse(ALL.sample(random.Random(seed), (width, height)))


fragments = st.sampled_from(
    [
        "click",
        "fill",
        "mouse_click",
        "goto",
        "(",
        ")",
        '"e1"',
        "'x'",
        ",",
        "=",
        "[",
        "]",
        "1",
        "-",
        "True",
        "\\",
        "{",
        "#",
    ]
)


@settings(max_examples=10_000, deadline=None)
@given(st.one_of(st.text(max_size=80), st.lists(fragments, max_size=12).map("".join)))
def test_ten_thousand_strings_are_a_call_or_an_action_error(text):
    try:
        call = ALL.parse(text)
    except ActionError as error:
        assert str(error)
    else:
        assert call.verb in ALL.verbs and set(call.args) == set(ALL.verbs[call.verb].params)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_no_chord_breaks_the_check(text):
    try:
        *_, key = check_keys(text)
    except ActionError:
        return
    assert text in KEYS or key.isprintable()
