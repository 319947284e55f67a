"""The API engine against a real HTTP server that fails in every way."""

import asyncio
import base64
import logging
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saccade.agents.engines.api import APIEngine, APIEngineConfig
from saccade.agents.engines.api_chat import Answer, read_answer, user_message
from saccade.agents.engines.base import ContextFull, SamplingParams, StopReason
from saccade.agents.usage import Prices, Usage
from saccade.envs.errors import ConfigError
from saccade.envs.observation import Image, Observation, Video

SECRET = "sk-test-1234567890abcdef"
HELLO = ({"role": "user", "content": "hello"},)
PARAMS = SamplingParams(16, 0.7)


def ask(engine, count=1, messages=HELLO):
    async def all_of_them():
        asked = [engine.generate(messages, PARAMS, seed, f"k{seed}") for seed in range(count)]
        return await asyncio.gather(*asked)

    return asyncio.run(all_of_them())


def test_a_request_says_everything_and_nothing_else(server, engine):
    view = Observation.of("look", "here", Image(np.full((4, 6, 3), 7, np.uint8)), "and act")
    made = engine(options='{"top_p": 0.9, "temperature": null}')
    answer = ask(made, 1, ({"role": "system", "content": "S"}, user_message(view)))[0]
    assert answer == Answer('<answer>move("left")</answer>', StopReason.STOP, Usage(200, 10))
    body = server.bodies[0]
    assert body.keys() == {"model", "messages", "max_tokens", "seed", "top_p"}
    assert (body["model"], body["max_tokens"], body["seed"], body["top_p"]) == ("some-model", 16, 0, 0.9)
    first, picture, last = body["messages"][1]["content"]
    assert (first["text"], last["text"]) == ("look\nhere", "and act")
    url = picture["image_url"]["url"]
    assert url.startswith("data:image/png;base64,")
    seen = Image.decode(base64.b64decode(url.partition(",")[2]))
    assert np.array_equal(seen.pixels, view.images[0].pixels)
    assert user_message(Observation.of("only text")) == {"role": "user", "content": "only text"}
    with pytest.raises(ConfigError, match="video"):
        user_message(Observation.of(Video(np.zeros((2, 4, 4, 3), np.uint8), 2.0)))


@pytest.mark.parametrize("fault", [408, 429, 500, 503, "hang", "garbage", "cut", "empty"])
def test_whatever_passes_is_tried_again(server, engine, fault):
    server.faults += [fault, fault]
    answer = ask(engine(timeout=2 if fault == "hang" else 60))[0]
    assert answer.stop_reason is StopReason.STOP and answer.usage == Usage(100, 10)
    assert len(server.bodies) == 3 and server.bodies[0] == server.bodies[2]


@pytest.mark.parametrize("fault", [500, "hang", "garbage", "cut"])
def test_a_server_that_stays_away_gives_an_aborted_answer(server, engine, fault):
    server.forever = fault
    answer = ask(engine(timeout=1 if fault == "hang" else 60, retries=2))[0]
    assert answer.stop_reason is StopReason.ABORT and answer.text == ""
    assert "3 attempts" in answer.failure and len(server.bodies) == 3


def test_so_does_one_that_is_not_there(server, engine):
    made = engine(retries=1)
    server.close()
    assert "no reply in 2 attempts: ConnectError" in ask(made)[0].failure


def test_a_server_is_left_alone_as_long_as_it_asks(server, engine):
    server.faults.append((429, {"Retry-After": "0.6"}, {"error": {"message": "slowly"}}))
    made = engine()
    ask(made)
    assert 0.6 <= server.times[1] - server.times[0] < 5
    server.faults.append((503, {"Retry-After": "3600"}, "come back tomorrow"))
    answer = ask(made)[0]
    assert answer.stop_reason is StopReason.ABORT and "come back tomorrow" in answer.failure
    assert len(server.times) == 3


def test_no_more_requests_at_once_than_allowed(server, engine):
    server.delay = 0.2
    ask(engine(max_concurrent=2), 7)
    assert server.most == 2 and len(server.bodies) == 7


def test_requests_and_tokens_a_minute_are_kept(server, engine):
    for limit in ({"requests_per_minute": 600}, {"tokens_per_minute": 66_000}):  # of 110 tokens: one every 0.1 s
        made, begun = engine(**limit), time.monotonic()
        ask(made)
        ask(made, 5)
        assert time.monotonic() - begun >= 0.5


@pytest.mark.parametrize(
    ("status", "message"),
    [(401, "SACCADE_TEST_KEY"), (404, "some-model"), (400, "api.options"), (307, "moved")],
)
def test_a_refusal_before_anything_worked_is_a_setting_to_mend(server, engine, monkeypatch, status, message):
    monkeypatch.setenv("SACCADE_TEST_KEY", SECRET)
    server.forever = (status, {"Location": "http://else.where/"}, {"error": {"message": f"wrong key Bearer {SECRET}"}})
    with pytest.raises(ConfigError, match=message) as caught:
        ask(engine())
    assert SECRET not in str(caught.value) and "***" in str(caught.value) and len(server.bodies) == 1


def test_a_refusal_later_ends_one_episode(server, engine):
    made = engine()
    ask(made)
    server.faults.append((400, {}, {"error": {"message": "flagged", "code": "content_filter"}}))
    answer = ask(made)[0]
    assert answer.stop_reason is StopReason.ABORT and "flagged" in answer.failure
    assert ask(made)[0].stop_reason is StopReason.STOP


@pytest.mark.parametrize(
    "error",
    [
        {"message": "too long", "code": "context_length_exceeded"},
        {"message": "This model's maximum context length is 1024 tokens.", "code": 400},
    ],
)
def test_a_prompt_that_is_too_long_is_known_from_its_refusal(server, engine, error):
    server.faults.append((400, {}, {"error": error}))
    with pytest.raises(ContextFull):
        ask(engine())


def test_the_key_goes_into_one_header_and_nowhere_else(server, engine, monkeypatch, caplog):
    monkeypatch.setenv("SACCADE_TEST_KEY", SECRET)
    caplog.set_level(logging.DEBUG)
    server.faults += [(500, {}, {"error": {"message": f"I know {SECRET}"}}), "cut"]
    made = engine()
    answer = ask(made)[0]
    server.forever = (500, {}, f"I know {SECRET}")
    failed = ask(made)[0]
    assert all(headers["Authorization"] == f"Bearer {SECRET}" for headers in server.headers)
    assert "I know ***" in failed.failure and "asking" in caplog.text
    for shown in (caplog.text, repr(made.config), repr(answer), repr(failed), str(server.bodies)):
        assert SECRET not in shown
    monkeypatch.delenv("SACCADE_TEST_KEY")
    server.forever = None
    ask(engine())
    assert "Authorization" not in server.headers[-1]
    monkeypatch.setenv("SACCADE_TEST_KEY", "two\nlines")
    with pytest.raises(ConfigError, match="visible ASCII") as caught:
        engine()
    assert "lines" not in str(caught.value)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"max_concurrent": 0}, "max_concurrent"),
        ({"retries": -1}, "retries"),
        ({"timeout": 0}, "timeout"),
        ({"key_env": SECRET}, "capitals"),
        ({"options": "[1]"}, "JSON object"),
    ],
)
def test_settings_are_checked(bad, message):
    with pytest.raises(ConfigError, match=message) as caught:
        APIEngineConfig(**bad)
    assert SECRET not in str(caught.value)
    with pytest.raises(ConfigError, match=r"prices\.output"):
        Prices(output=-1.0)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "--api.base-url"),
        ("host/v1", "http://"),
        ("http://me:pass@host/v1", "no key"),
        ("http://h:x/v1", "address"),
    ],
)
def test_addresses_are_checked(url, message):
    with pytest.raises(ConfigError, match=message) as caught:
        APIEngine("m", APIEngineConfig(base_url=url))
    assert "pass@" not in str(caught.value)


def test_what_an_answer_costs():
    prices = Prices(input=2.0, output=8.0, cached=0.5)
    assert prices.cost(Usage(1_000_000, 500_000, 400_000)) == pytest.approx(0.6 * 2 + 0.4 * 0.5 + 0.5 * 8)
    assert Prices(input=2.0).cost(Usage(1_000_000, 5, 400_000)) == pytest.approx(2.0)


def test_a_cancelled_request_is_dropped(server, engine):
    server.forever = "hang"
    made = engine(timeout=60)

    async def give_up():
        task = asyncio.create_task(made.generate(HELLO, PARAMS, 0, ""))
        while not server.bodies:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up())
    server.forever = None
    assert ask(made)[0].stop_reason is StopReason.STOP


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["choices", "message", "content", "usage", "finish_reason"]), inner)
    ),
)


@given(JSON)
def test_any_response_is_an_answer_or_a_value_error(data):
    try:
        answer = read_answer(data)
    except ValueError:
        return
    answer.text.encode()


def test_halves_of_surrogate_pairs_and_missing_counts_are_survived():
    data = {"choices": [{"message": {"content": "a\ud83db"}, "finish_reason": "length"}], "usage": None}
    assert read_answer(data) == Answer("a?b", StopReason.LENGTH, Usage())
    refused = {"choices": [{"message": {"content": None, "refusal": "no"}, "finish_reason": "stop"}]}
    assert read_answer(refused).text == "no"
    cached = {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}
    assert read_answer(refused | {"usage": cached}).usage == Usage(9, 2, 4)
