"""The calendar: a week of meetings, to be added to, moved about and cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from saccade.envs.gui.sites.base import Click, SiteEnv, SiteTask, Write, task

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
HOURS = range(8, 18)
WHO = ("Ann", "Ben", "Clara", "Dan", "Emma", "Eric", "Jane", "Leo", "Mary", "Paul", "Rosa", "Tom")
WHAT = ("call", "chess", "coffee", "dinner", "interview", "lesson", "lunch", "review", "tennis", "walk")
NEW = (
    *("bank", "bus tour", "clean desk", "concert", "dentist", "doctor", "fix bike", "gym"),
    *("haircut", "library", "market", "museum", "nap", "piano", "tax", "yoga"),
)
REASONS = (
    *("I am ill", "too busy", "car broke down", "train strike", "wrong day", "on holiday", "no room", "bad weather"),
    *("need more time", "lost my keys", "plans changed", "work to do"),
)

Event = dict[str, Any]
"""`day`, `hour` (0 to 23), `what` and `who`; no two share an hour."""


def week(rng: np.random.Generator) -> dict[str, Any]:
    """Two meetings a day, early or late ones among them; people and occasions come back, no pair of them does."""
    who, what = rng.permutation(WHO)[:4].tolist(), rng.permutation(WHAT)[:4].tolist()
    pairs = iter(rng.permutation([(one, other) for one in what for other in who]).tolist())
    events = []
    for day in DAYS:
        any_ = int(rng.choice(HOURS[2:-2]))
        for hour in sorted([(8, 9), (8, any_), (any_, 17), (16, 17)][rng.integers(4)]):
            occasion, person = next(pairs)
            events.append({"day": day, "hour": hour, "what": occasion, "who": person})
    return {"first": "week", "events": events, "cancelled": None}


def free(state: Mapping[str, Any], day: str) -> list[int]:
    """The hours of a day without a meeting."""
    taken = {event["hour"] for event in state["events"] if event["day"] == day}
    return [hour for hour in HOURS if hour not in taken]


def name(event: Event) -> str:
    """What a meeting is called; no other of the week is."""
    return f"{event['what']} with {event['who']}"


def place(page: Mapping[str, Any]) -> list[str]:
    """The parts of the address; at the bare one those of the page that the task begins with."""
    path = list(page["path"])
    return str(page["state"]["first"]).split("/") if path == [""] else path


class CalendarSite(SiteEnv):
    """What the tasks on the calendar share."""

    document = "calendar"

    def _open(self, page: Mapping[str, Any], event: Event) -> Click | None:
        """The next step to the page of a meeting; `None` on it."""
        where, day = place(page), event["day"]
        if where == ["event", day, str(event["hour"])]:
            return None
        if where == ["day", day]:
            return Click("link", name(event))
        return Click("link", day if where == ["week"] else "Week")


class CalendarAdd(CalendarSite):
    """Add something at an hour; at level 3 it is the hour before or after a meeting."""

    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw a week, a free hour and what to do in it."""
        state, what = week(rng), str(rng.choice(NEW))
        slots = [
            (f"in the hour {word} the {name(event)}", event["day"], event["hour"] + step)
            for event in state["events"]
            for word, step in (("before", -1), ("after", 1))
            if event["hour"] + step in free(state, event["day"])
        ]
        when, day, hour = slots[rng.integers(len(slots))]
        if self.level < 3:
            day = str(rng.choice(DAYS))
            hour = int(rng.choice(free(state, day)))
            when = f"on {day} at {hour}:00"
            state["first"] = f"new/{day}/{hour}" if self.level == 1 else f"day/{day}"
        event = {"day": day, "hour": hour, "what": what, "who": ""}
        return task(f'Add "{what}" {when}.', state, {**state, "events": [*state["events"], event]})

    def next(self, page: Mapping[str, Any]) -> Click | Write | None:
        """Open the day, choose the hour, name it and save."""
        where, event = place(page), self.wanted["events"][-1]
        day, hour = event["day"], event["hour"]
        if where == ["new", day, str(hour)]:
            return (
                Click("button", "Save") if page["drafts"].get("What") == event["what"] else Write("What", event["what"])
            )
        if where == ["day", day]:
            return Click("link", f"Add at {hour}:00")
        return Click("link", day if where == ["week"] else "Week")


class CalendarMove(CalendarSite):
    """Move a meeting to a free hour of another day; at level 3 it is the first or the last free one."""

    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw a week, a meeting and a free hour."""
        state = week(rng)
        number = int(rng.integers(len(state["events"])))
        event = state["events"][number]
        day = str(rng.choice([day for day in DAYS if day != event["day"]]))
        hours = free(state, day)
        word, hour = (("first", hours[0]), ("last", hours[-1]))[rng.integers(2)]
        when = f"the {word} free hour of {day}"
        if self.level < 3:
            hour = int(rng.choice(hours))
            when = f"{hour}:00 on {day}"
            old = f"{event['day']}/{event['hour']}"
            state["first"] = f"to/{old}/{day}" if self.level == 1 else f"move/{old}"
        events = [*state["events"]]
        events[number] = {**event, "day": day, "hour": hour}
        return task(f"Move the {name(event)} to {when}.", state, {**state, "events": events})

    def next(self, page: Mapping[str, Any]) -> Click | Write | None:
        """Open the meeting, then the other day, and choose the hour."""
        pairs = zip(page["state"]["events"], self.wanted["events"], strict=True)
        old, new = next((old, new) for old, new in pairs if old != new)
        here = [old["day"], str(old["hour"])]
        if place(page) == ["to", *here, new["day"]]:
            return Click("button", f"Move to {new['hour']}:00")
        if place(page) == ["move", *here]:
            return Click("link", new["day"])
        return self._open(page, old) or Click("link", "Move")


class CalendarCancel(CalendarSite):
    """Cancel a meeting for a reason; at level 3 it is the first or the last of the week with a person."""

    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw a week, someone who is met more than once, a meeting and a reason."""
        state, reason = week(rng), str(rng.choice(REASONS))
        met = [[event for event in state["events"] if event["who"] == who] for who in WHO]
        several = [events for events in met if len(events) > 1]
        events = several[rng.integers(len(several))]
        number = int(rng.choice((0, len(events) - 1) if self.level == 3 else len(events)))
        event = events[number]
        which = f"{'last' if number else 'first'} meeting with {event['who']}" if self.level == 3 else name(event)
        here = f"{event['day']}/{event['hour']}"
        state["first"] = {1: f"cancel/{here}", 2: f"event/{here}", 3: state["first"]}[self.level]
        left = [each for each in state["events"] if each != event]
        want = {**state, "events": left, "cancelled": {**event, "reason": reason}}
        return task(f'Cancel the {which} with the reason "{reason}".', state, want)

    def next(self, page: Mapping[str, Any]) -> Click | Write | None:
        """Open the meeting, give the reason and cancel it."""
        event = self.wanted["cancelled"]
        if place(page) != ["cancel", event["day"], str(event["hour"])]:
            return self._open(page, event) or Click("link", "Cancel")
        given = page["drafts"].get("Reason") == event["reason"]
        return Click("button", "Cancel meeting") if given else Write("Reason", event["reason"])
