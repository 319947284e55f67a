import pytest
from hypothesis import given
from hypothesis import strategies as st

from saccade.agents.formats import FORMATS, make_format
from saccade.envs.errors import ConfigError


def test_think_answer_reads_what_it_writes():
    form = make_format("think-answer")
    reply = form.read(form.write("look left", "click(1, 2)"))
    assert (reply.thought, reply.action, reply.well_formed) == ("look left", "click(1, 2)", True)
    assert form.read(form.write("", "7")).action == "7"


@pytest.mark.parametrize(
    "text",
    [
        "click(1, 2)",
        "<answer>1</answer><answer>2</answer>",
        "<think><answer>1</answer></think>",
        "<answer>1",
        "1</answer>",
        "<answer>1</answer> and more",
        "<answer>a</think>b</answer>",
        "<think>a</think><answer>x</answer><think>b</think><answer>y</answer>",
        "",
    ],
)
def test_anything_else_is_malformed_and_reaches_the_world_whole(text):
    reply = make_format("think-answer").read(text)
    assert not reply.well_formed
    assert reply.action == text.strip()


def test_an_answer_inside_the_thought_does_not_count():
    reply = make_format("think-answer").read("<think>maybe 7</think><answer>3</answer>")
    assert reply.action == "3"


@pytest.mark.parametrize("name", FORMATS)
@given(text=st.text())
def test_reading_never_raises(name, text):
    assert isinstance(make_format(name).read(text).action, str)


def test_an_unknown_format_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'plain'"):
        make_format("plan")
