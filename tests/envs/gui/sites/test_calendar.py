import pytest
from visit import do, finish

from saccade.envs.gui.sites.base import Click, Write
from saccade.envs.gui.sites.calendar import CalendarMove, free, name, week

pytestmark = pytest.mark.browser


def test_a_meeting_at_another_free_hour_is_wrong(start):
    env = start("CalendarMove")
    state = env.sight.page["state"]
    old, new = next(pair for pair in zip(state["events"], env.wanted["events"], strict=True) if pair[0] != pair[1])
    hour = next(hour for hour in free(state, new["day"]) if hour != new["hour"])
    way = Click("link", old["day"]), Click("link", name(old)), Click("link", "Move"), Click("link", new["day"])
    assert do(env, *way, Click("button", f"Move to {hour}:00")) is False


def test_a_taken_hour_is_refused_and_the_task_goes_on(start):
    env = start("CalendarMove", level=1)
    state = env.sight.page["state"]
    day = state["first"].split("/")[-1]
    taken = next(event for event in state["events"] if event["day"] == day)
    assert do(env, Click("button", f"Move to {taken['hour']}:00")) is None
    assert env.sight.page["message"] == "This hour is taken." and env.sight.page["state"] == state
    assert finish(env)


def test_the_right_words_on_another_day_are_wrong(start):
    env = start("CalendarAdd")
    event, state = env.wanted["events"][-1], env.sight.page["state"]
    day = next(day for day in ("Monday", "Friday") if day != event["day"])
    hour = free(state, day)[0]
    do(env, Click("link", day), Click("link", f"Add at {hour}:00"))
    assert do(env, Write("What", event["what"]), Click("button", "Save")) is False


def test_an_hour_is_added_to_only_if_it_is_free_and_there_is_something_to_add(start):
    env = start("CalendarAdd", level=1)
    assert do(env, Click("button", "Save")) is None
    assert env.sight.page["message"] == "Say what it is."
    taken = env.sight.page["state"]["events"][0]
    for address in (f"{taken['day']}/{taken['hour']}", f"{taken['day']}/0{taken['hour']}", "Sunday/9", "Monday/99"):
        env.step(f'goto("/new/{address}")')
        assert env.sight.tree.find("button", "Save") is None, address


def test_only_the_meeting_that_was_meant_may_be_cancelled(start):
    env = start("CalendarCancel")
    meant = env.wanted["cancelled"]
    same = [event for event in env.sight.page["state"]["events"] if event["who"] == meant["who"]]
    other = next(event for event in same if name(event) != name(meant))
    do(env, Click("link", other["day"]), Click("link", name(other)), Click("link", "Cancel"))
    assert do(env, Click("button", "Cancel meeting")) is None
    assert env.sight.page["message"] == "Give a reason."
    assert do(env, Write("Reason", meant["reason"]), Click("button", "Cancel meeting")) is False


def test_weeks_have_rivals_and_free_hours_to_look_for():
    env, hours = CalendarMove(), set()
    for seed in range(40):
        rng = env._task_rng(seed)
        events = week(rng)["events"]
        assert len({name(event) for event in events}) == len(events) == 10
        assert len({event["who"] for event in events}) <= 4
        env.task = env.draw(env.make, rng)
        begun = week(env._task_rng(seed))["events"]
        assert begun == events
        hours |= {event["hour"] for event in env.wanted["events"]}
    assert hours >= {8, 9, 10, 15, 16, 17}
