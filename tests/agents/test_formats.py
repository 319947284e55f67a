"""Reply formats: what each writes it reads, and nothing can break their reading."""

import json
import re
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.agents.agent import Agent, AgentConfig
from saccade.agents.engines.base import scripted
from saccade.agents.formats import FORMATS, TYPED, make_format
from saccade.agents.formats.calls import MAX_DEPTH, load
from saccade.agents.runner import Job, Runner
from saccade.envs.actions import REF, STR, ActionSet, Answer, Param, X, Y, verb
from saccade.envs.episode import Demo
from saccade.envs.errors import ActionError, ConfigError
from saccade.envs.replay import ReplayStore, verify, write_html
from saccade.rl.lessons import Tutor

VERBS = ActionSet(
    verb("click", "Press the left mouse button.", x=X, y=Y),
    verb("fill", "Type into an element.", ref=REF, text=STR, submit=Param("bool", False)),
    verb("pick", "Choose options.", options=Param("texts"), speed=Param("float", 1.0)),
)
TAGS = ("<think>", "</think>", "<answer>", "</answer>", "<tool_call>", "</tool_call>")
words = st.text(max_size=40).map(str.strip).filter(lambda text: not any(tag in text for tag in TAGS[:4]))
strings = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(TAGS)
calls = st.one_of(
    st.builds("click({}, {})".format, st.integers(-999, 999), st.integers(-999, 999)),
    st.builds(lambda text, submit: f"fill('e1', {text!r}, {submit})", strings, st.booleans()),
    st.builds(lambda texts, speed: f"pick({texts!r}, {speed})", st.lists(strings, min_size=1), st.floats(0, 9)),
)


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
    assert not reply.well_formed and not reply.error
    assert reply.action == text.strip()


def test_an_answer_inside_the_thought_does_not_count():
    reply = make_format("think-answer").read("<think>maybe 7</think><answer>3</answer>")
    assert reply.action == "3"


@pytest.mark.parametrize("name", FORMATS)
@given(text=st.text() | st.lists(st.sampled_from([*TAGS, "{", "[", '"name": ', "click(1, 2)", "\n"])).map("".join))
def test_reading_never_raises(name, text):
    for limit in (1, 3):
        form = make_format(name, limit)
        for actions in (VERBS, Answer()):
            reply = form.read(text, actions)
            assert len(reply.rest) < limit
            assert reply.well_formed or form.strict == bool(reply.error)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("text", [" ", "<", "[", '{"a":', "<think>", "<answer></answer>", "<tool_call>{}</tool_call>"])
def test_a_megabyte_is_read_in_linear_time(name, text):
    whole = text * (1_000_000 // len(text))
    started = time.process_time()
    for odd in (whole, f"<answer>{whole}", f"<tool_call>{whole}</tool_call>", f'{{"thought": "{whole}'):
        make_format(name, 3).read(odd, VERBS)
    assert time.process_time() - started < 20  # quadratic time would be hours


@pytest.mark.parametrize("name", FORMATS)
@given(thought=words, action=calls)
def test_rendered_actions_are_read_again(name, thought, action):
    form = make_format(name)
    text = form.write(thought, action, VERBS)
    reply = form.read(text, VERBS)
    if name not in TYPED and any(tag in action for tag in TAGS[:4]):
        return  # tags in an action of the tag formats are malformed, by design
    assert reply.well_formed, text
    assert VERBS.parse(reply.action) == VERBS.parse(action)
    assert reply.thought == ("" if name in ("plain", "no-think") else thought)


@pytest.mark.parametrize("name", TYPED)
@given(answer=st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(TAGS))
def test_free_answers_are_read_again(name, answer):
    form = make_format(name)
    assert form.read(form.write("so", answer)).action == answer


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "plain"])
@pytest.mark.parametrize("limit", [1, 3])
@given(data=st.data())
@settings(max_examples=8)
def test_the_forced_pattern_allows_only_what_is_well_formed(name, limit, data):
    form = make_format(name, limit)
    assert re.fullmatch(form.pattern, form.write("a circle", "click(3, 4)", VERBS))
    text = data.draw(st.from_regex(form.pattern, fullmatch=True))
    reply = form.read(text, VERBS)
    # A name may stand twice in an object: no regular expression sees that.
    assert reply.well_formed or "twice" in reply.error, (text, reply.error)


@pytest.mark.parametrize(
    ("text", "actions"),
    [
        ("<answer>click(1, 2)</answer>\n<answer>click(3, 4)</answer>", ["click(1, 2)", "click(3, 4)"]),
        ("<think>two</think><answer>a</answer> <answer>b</answer><answer>c</answer>", ["a", "b", "c"]),
    ],
)
def test_several_tagged_actions(text, actions):
    reply = make_format("think-answer", 3).read(text)
    assert [reply.action, *reply.rest] == actions and reply.well_formed
    more = make_format("think-answer", 3).read(text + "<answer>d</answer><answer>e</answer>")
    assert not more.well_formed and "at most 3 actions" in more.error


def test_several_actions_of_the_other_formats():
    block = '<tool_call>\n{{"name": "click", "arguments": {{"x": {}, "y": 2}}}}\n</tool_call>'
    reply = make_format("tool-call", 2).read(block.format(1) + "\n" + block.format(5), VERBS)
    assert (reply.action, reply.rest) == ("click(x=1, y=2)", ("click(x=5, y=2)",))
    both = {"actions": [{"name": "click", "arguments": {"x": n, "y": 2}} for n in (1, 5)]}
    assert make_format("json", 2).read(json.dumps(both), VERBS) == reply
    assert "got 2" in make_format("json").read(json.dumps(both), VERBS).error
    assert make_format("plain", 2).read("click(1, 2)\n\nclick(3, 4)\n").rest == ("click(3, 4)",)
    assert not make_format("plain", 2).read("a\nb\nc").well_formed


@pytest.mark.parametrize(
    ("inside", "wrong"),
    [
        ("{", "cannot be read"),
        ("[1]", "a call is a JSON object"),
        ('{"name": "click"}', "a call is a JSON object"),
        ('{"name": "click", "arguments": {}, "id": 1}', "a call is a JSON object"),
        ('{"name": "os.system", "arguments": {}}', "`name`"),
        ('{"name": "click", "arguments": {"x=1, y": 2}}', "`arguments`"),
        ('{"name": "click", "arguments": {"x": null}}', "x must be"),
        ('{"name": "click", "arguments": {"x": {"y": 1}}}', "x must be"),
        ('{"name": "click", "arguments": {"x": 1, "x": 2}}', "twice"),
        ('{"name": "click", "arguments": {"x": NaN}}', "NaN"),
        ('{"name": "click", "arguments": {"x": 1e999}}', "too large"),
        ('{"name": "click", "arguments": {"x": ' + "9" * 5000 + "}}", "cannot be read"),
        ('{"name": "fill", "arguments": {"text": "\\ud800"}}', "half a character"),
        ("[" * 50 + "]" * 50, f"nested {MAX_DEPTH} deep"),
        ("[" * 9000, "nested"),
        ('{"x": "' + "y" * 20_000 + '"}', "at most 10000 characters"),
    ],
)
def test_what_is_wrong_with_a_call_is_told(inside, wrong):
    reply = make_format("tool-call").read(f"<tool_call>{inside}</tool_call>", VERBS)
    assert not reply.well_formed and wrong in reply.error


def test_brackets_inside_texts_are_not_depth():
    assert load(json.dumps({"text": "[" * 100})) == {"text": "[" * 100}
    with pytest.raises(ActionError, match="deep"):
        load("[" * 6 + "]" * 6)


def test_an_unknown_format_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'plain'"):
        make_format("plan")


@pytest.mark.parametrize("bad", [{"actions_per_turn": 0}, {"actions_per_turn": 99}])
def test_a_turn_has_bounds(bad):
    with pytest.raises(ConfigError, match="actions_per_turn must be from 1 to 32"):
        AgentConfig(**bad)


@pytest.mark.parametrize("name", TYPED)
def test_numbers_and_location_tokens_do_not_go_together(name):
    with pytest.raises(ConfigError, match="writes places as numbers"):
        AgentConfig(reply_format=name, coordinates="location-tokens")


@pytest.fixture(params=[(name, limit) for name in FORMATS for limit in (1, 3)], ids=lambda p: f"{p[0]}-{p[1]}")
def speaker(request, agent):
    """An agent of each format, one action a turn and several."""
    name, limit = request.param
    config = replace(agent.config, reply_format=name, actions_per_turn=limit, coordinates="thousand", explain=True)
    return Agent(agent.engine, agent.chat, replace(config, max_reply_tokens=96, max_context=20_000))


def test_demonstrations_replays_and_lessons_work_in_every_format(speaker, walk, tmp_path):
    runner = Runner(speaker, policy="demo")
    done = runner.run([Job(walk.task(seed)) for seed in range(2)])
    runner.close()
    with ReplayStore.create(tmp_path / "replay", run_id="r") as store:
        for each in done:
            assert each.episode.success, [step.action_error for step in each.episode.steps]
            assert all(each.well_formed)
            store.add(each.episode)
        report = verify(store)
        assert report.ok and report.steps == sum(len(each.episode.steps) for each in done), str(report)
        assert "GridWalk" in write_html(store, tmp_path / "replay.html").read_text()
    env = walk.task(0).make()
    rows = [row for _, lesson in env.unwrapped.lessons(range(2)) for row in Tutor(speaker).rows(env, lesson)]
    assert all(row.sample.action_mask.any() for row in rows)
    env.close()


def test_sampled_nonsense_is_feedback_and_can_be_verified(speaker, walk, tmp_path):
    """A random model in every format: no reply ends a run, and every episode can be executed again."""
    speaker = Agent(speaker.engine, speaker.chat, replace(speaker.config, max_reply_tokens=60, temperature=1.0))
    # Nearly every token ends the reply, or is a letter.
    chat = speaker.chat
    chat.banned = tuple(sorted(set(range(chat.vocabulary)) - {chat.stop, *chat.encode("<answer>x\n{}</answer>")}))
    runner = Runner(speaker)
    done = runner.run([Job(walk.task(seed)) for seed in range(2)])
    runner.close()
    with ReplayStore.create(tmp_path / "replay", run_id="r") as store:
        for each in done:
            store.add(each.episode)
            for step, ok in zip(each.episode.steps, each.well_formed, strict=True):
                assert ok or step.action is None or step.action_error
        report = verify(store)
        assert report.ok and not report.skipped, str(report)


def test_a_thought_is_right_in_every_format_that_thinks(speaker, walk):
    env = walk.task(0).make()
    env.reset(seed=0)
    session = speaker.begin(env)
    prompt = session.observe(env.get_wrapper_attr("view"))
    demo = Demo('move("left")', "dot (30, 20)")
    reply = session.hear(scripted(session.write(demo.thought, demo.action), prompt))
    thinks = speaker.config.reply_format not in ("plain", "no-think")
    assert reply.thought.replace("31", "30").replace("19", "20") == ("dot (30, 20)" if thinks else "")
    env.close()
