import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saccade.agents.engines.pace import Pace, backoff, told_to_wait

NOW = datetime.datetime(2026, 11, 23, 12, 0, 0, tzinfo=datetime.UTC)


def test_starts_are_spread_by_hand():
    pace = Pace(120)  # one every half second
    assert [pace.take(1, now) for now in (10.0, 10.0, 10.1, 20.0)] == [10.0, 10.5, 11.0, 20.0]
    assert [pace.take(3, 20.0), pace.take(1, 20.0)] == [20.5, 22.0]
    pace.correct(-2)  # the last but one took one after all
    pace.hold(21.0)
    assert pace.take(1, 20.0) == 21.5
    pace.hold(30.0)
    assert pace.take(1, 20.0) == 30.0


def test_without_a_limit_only_a_pause_holds():
    pace = Pace(0)
    assert [pace.take(1e9, 5.0), pace.take(1e9, 5.0)] == [5.0, 5.0]
    pace.hold(8.0)
    assert [pace.take(1, 5.0), pace.take(1, 9.0)] == [8.0, 9.0]


@given(st.floats(1, 1e4), st.lists(st.floats(0, 3), min_size=2, max_size=40))
def test_no_window_holds_more_than_its_share_and_one(per_minute, gaps):
    pace, now, starts = Pace(per_minute), 0.0, []
    for gap in gaps:
        now += gap
        starts.append(pace.take(1, now))
    for first in range(len(starts)):
        for last in range(first, len(starts)):
            assert last - first + 1 <= per_minute * (starts[last] - starts[first]) / 60 + 1 + 1e-6


def test_pauses_double_up_to_a_bound_and_are_a_random_part_of_it():
    assert [backoff(n, 0.5, 6.0, 1.0) for n in range(6)] == [0.5, 1.0, 2.0, 4.0, 6.0, 6.0]
    assert backoff(2, 0.5, 6.0, 0.25) == 0.5 and backoff(10**6, 1.0, 60.0, 0.5) == 30.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("7", 7),
        ("0.5", 0.5),
        ("-3", 0),
        ("nan", 0),
        ("inf", 0),
        ("soon", 0),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0),
    ],
)
def test_what_retry_after_asks_for(header, seconds):
    assert told_to_wait(header, NOW) == seconds
