"""The action parser: what it reads, what it refuses, and that it never does anything else."""

import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saccade.envs.actions import (
    MAX_ACTION_LENGTH,
    REF,
    STR,
    ActionSet,
    Answer,
    Call,
    Param,
    X,
    Y,
    verb,
)
from saccade.envs.errors import ActionError

ACTIONS = ActionSet(
    verb("click", "Press.", x=X, y=Y),
    verb("type", "Write.", text=STR),
    verb("fill", "Fill in.", ref=REF, value=STR),
    verb("wait", "Wait.", seconds=Param("int", 1)),
    verb("zoom", "Zoom.", factor=Param("float"), smooth=Param("bool", False)),
    verb("scroll", "Scroll.", to=Param("str", "down", choices=("up", "down"))),
    verb("keys", "Press keys.", names=Param("list")),
)


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("click(3, 4)", Call("click", {"x": 3, "y": 4})),
        ("  click( 3 ,4 )\n", Call("click", {"x": 3, "y": 4})),
        ("click(y=4, x=3)", Call("click", {"x": 3, "y": 4})),
        ("click(3, y=4)", Call("click", {"x": 3, "y": 4})),
        ("click(-1.5, +2)", Call("click", {"x": -1.5, "y": 2})),
        ("click(0x10, 1_0)", Call("click", {"x": 16, "y": 10})),
        ("type(\"a\\n'b'\")", Call("type", {"text": "a\n'b'"})),
        ("type('<|im_end|>')", Call("type", {"text": "<|im_end|>"})),
        ("fill('e2', value='Ann')", Call("fill", {"ref": "e2", "value": "Ann"})),
        ("wait()", Call("wait", {"seconds": 1})),
        ("zoom(2, True)", Call("zoom", {"factor": 2, "smooth": True})),
        ("scroll('up')", Call("scroll", {"to": "up"})),
        ("keys(['Control', 'a', 1])", Call("keys", {"names": ["Control", "a", 1]})),
        ("keys([])", Call("keys", {"names": []})),
    ],
)
def test_reads(text, call):
    parsed = ACTIONS.parse(text)
    assert parsed == call
    assert list(parsed.args) == list(ACTIONS.verbs[call.verb].params)  # in the order of the signature


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the action is empty"),
        (" \n", "the action is empty"),
        ("clack(3, 4)", "unknown action 'clack'; did you mean 'click'"),
        ("click", "one call with literal values"),
        ("click(3, 4", "one call with literal values"),
        ("click(3, 4); click(5, 6)", "one call with literal values"),
        ("click(3, 4)(5)", r"an action is one call such as click\(x, y\)"),
        ("page.click(3, 4)", r"an action is one call such as click\(x, y\)"),
        ("click(3)", r"click\(x, y\) needs the argument 'y'"),
        ("click(3, 4, 5)", "takes 2 arguments, got 3"),
        ("click(3, 4, z=5)", "has no argument 'z'"),
        ("click(3, x=4)", "got 'x' twice"),
        ("click(*[3, 4])", "plain numbers"),
        ("click(**{'x': 3})", "has no argument None"),
        ("click('3', 4)", "x must be a finite number, got '3'"),
        ("click(True, 4)", "x must be a finite number, got True"),
        ("click(1e9, 4)", "x must be a finite number, got 1000000000.0"),
        ("click(1e999, 4)", "numbers must be finite"),
        ("click(-1e999, 4)", "numbers must be finite"),
        ("keys([1e999])", "numbers must be finite"),
        (f"click(0x{'f' * 5000}, 4)", "numbers must be finite"),
        (f"keys([0x{'f' * 5000}])", "numbers must be finite"),
        (f"click({'9' * 5000}, 4)", "one call with literal values"),
        ("click(--3, 4)", "plain numbers"),
        ("click(3j, 4)", "plain numbers"),
        ("click(None, 4)", "plain numbers"),
        ("click(x, y)", "plain numbers"),
        ("click(1 + 2, 4)", "plain numbers"),
        ("click(__import__('os'), 4)", "plain numbers"),
        ("type(b'a')", "plain numbers"),
        ("type(f'{1}')", "plain numbers"),
        ("type(3)", "text must be a quoted string, got 3"),
        ("wait(1.5)", "seconds must be a whole number, got 1.5"),
        ("wait(True)", "seconds must be a whole number, got True"),
        ("zoom(1, 1)", "smooth must be True or False, got 1"),
        ("scroll('dwn')", "to cannot be 'dwn'; did you mean 'down'"),
        ("keys('a')", "names must be a list, got 'a'"),
        ("keys([[1]])", "plain numbers"),
        ("click(\0)", "one call with literal values"),
        ("type('\ud800')", "one call with literal values"),
        ("x" * (MAX_ACTION_LENGTH + 1), "at most 10000 characters"),
    ],
)
def test_refuses_with_a_reason(text, message):
    with pytest.raises(ActionError, match=message):
        ACTIONS.parse(text)


@pytest.mark.parametrize("depth", [2, 50, 90, 150, 300, 600, 900, 990, 1050, 3000, 9000])
@pytest.mark.parametrize("shape", ["click({}1, 2)", "{}", "keys({})", "click({})"])
@pytest.mark.parametrize("pair", [("-", ""), ("(", ")"), ("[", "]"), ("f(", ")"), ("not ", "1"), ("a.", "b")])
def test_depth_is_no_danger(depth, shape, pair):
    with pytest.raises(ActionError):
        ACTIONS.parse(shape.format(pair[0] * depth + pair[1] * depth))


def test_messages_stay_short():
    with pytest.raises(ActionError) as caught:
        ACTIONS.parse("click('" + "a" * 5000 + "', 1)")
    assert len(str(caught.value)) < 200


PIECES = [
    *[
        "click",
        "type",
        "keys",
        "(",
        ")",
        "[",
        "]",
        ",",
        "1",
        "-",
        "2.5",
        "'a'",
        "x=",
        "{",
        "}",
        ":",
        "*",
        "lambda",
        " ",
    ],
    *["\\", "\n", "1e400", "0x" + "f" * 300, "'''", "#", "await ", "@", ":=", "\0", "\ud800", "é", "\u0663"],
]
GRAMMAR = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


@given(st.one_of(st.text(st.one_of(st.characters(), st.characters(categories=["Cs"]))), GRAMMAR))
def test_any_string_is_read_or_refused(text):
    try:
        call = ACTIONS.parse(text)
    except ActionError as error:
        assert str(error)
        str(error).encode()  # feedback is shown to a model: it can always be encoded
    else:
        assert ACTIONS.parse(str(call)) == call


SCALARS = st.one_of(
    st.integers(-(10**9) + 1, 10**9 - 1),
    st.floats(-1e8, 1e8),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


@given(
    st.one_of(
        st.tuples(SCALARS, SCALARS).map(lambda xy: Call("click", {"x": xy[0], "y": xy[1]})),
        TEXTS.map(lambda text: Call("type", {"text": text})),
        st.tuples(TEXTS, TEXTS).map(lambda pair: Call("fill", {"ref": pair[0], "value": pair[1]})),
        st.tuples(SCALARS, st.booleans()).map(lambda pair: Call("zoom", {"factor": pair[0], "smooth": pair[1]})),
        st.lists(st.one_of(TEXTS, st.integers(0, 10**9), st.booleans())).map(lambda v: Call("keys", {"names": v})),
    )
)
def test_what_is_written_is_read_back(call):
    assert ACTIONS.parse(str(call)) == call


def test_samples_are_well_formed_and_inside_the_picture():
    rng = random.Random(0)
    seen = set()
    for _ in range(300):
        call = ACTIONS.parse(ACTIONS.sample(rng, (30, 20)))
        seen.add(call.verb)
        if call.verb == "click":
            assert 0 <= call.args["x"] < 30
            assert 0 <= call.args["y"] < 20
    assert seen == set(ACTIONS.verbs)


def test_help_shows_every_signature_and_default():
    assert "click(x, y): Press." in ACTIONS.help.splitlines()
    assert "scroll(to='down'): Scroll." in ACTIONS.help.splitlines()


def test_answers():
    answer = Answer(choices=("a", "b"))
    assert answer.parse("  any words at all \n") == "any words at all"
    assert answer.sample(random.Random(0), (1, 1)) in ("a", "b")
    assert Answer().sample(random.Random(0), (1, 1)) in "0123456789"
    for text in ("", " \n\t"):
        with pytest.raises(ActionError, match="empty"):
            answer.parse(text)
    with pytest.raises(ActionError, match="at most"):
        answer.parse("a" * (MAX_ACTION_LENGTH + 1))


ODD = r"""
import sys, threading, warnings
SETUP
from saccade.envs.actions import STR, X, Y, ActionSet, verb
from saccade.envs.errors import ActionError

actions = ActionSet(verb("click", "Press.", x=X, y=Y), verb("type", "Write.", text=STR))

def parse():
    for text in ("click(1or 2, 3)", "click(0x1for x in y)", r"type('\d\w')", "click(1if 2else 3, 4)", "1 is 1", "()()"):
        for _ in range(20):
            try:
                actions.parse(text)
            except ActionError:
                pass

threads = [threading.Thread(target=parse) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(actions.parse(r"type('\d')").args["text"])
compile("1or 2", "<user>", "eval")
"""


@pytest.mark.parametrize("setup", ["", "warnings.simplefilter('always')"])
def test_odd_output_is_read_in_silence_by_every_thread_and_other_code_is_still_warned(setup):
    done = subprocess.run(
        [sys.executable, "-c", ODD.replace("SETUP", setup)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "\\d\n"
    assert done.stderr.count("Warning") == 1 and "<user>:1: SyntaxWarning" in done.stderr
