"""Tasks of dates and times."""

from __future__ import annotations

from collections.abc import Mapping

from saccade.envs.gui.miniwob_demos.page import Node, Page, Solver, Step
from saccade.envs.gui.miniwob_demos.text import menu

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November"),
    "December",
)


def pick(page: Page, field: Node | None, date: str) -> Step | None:
    """A date such as `12/24/2016` by the calendar of a field."""
    calendar = page.one(id="ui-datepicker-div")
    title = page.one(kind="ui-datepicker-month")
    if calendar is None or not calendar.shown or title is None:
        return page.click(field)
    month, day, _ = (int(part) for part in date.split("/"))
    way = month - 1 - MONTHS.index(title.text)
    if way:
        return page.click(page.one("a", kind="ui-datepicker-next" if way > 0 else "ui-datepicker-prev"))
    return page.click(page.one("a", kind="ui-state-default", text=str(day), inside=calendar))


def choose(page: Page) -> Step | None:
    """A date of the year 2016."""
    [date] = page.said(r"Select ([\d/]+) as")
    field = page.one(id="datepicker")
    return page.click(page.submit) if field and field.value == date else pick(page, field, date)


def keyed(page: Page, field: Node | None, digits: str) -> Step | None:
    """A native field for a date or time, whose first part takes the focus and whose parts follow each other."""
    if field is None:
        return None
    if field.focus:
        return page.type(digits)
    left, top, _, height = field.box
    return page.at("mouse_click", (left + 8, top + height // 2), field.name)


def date(page: Page) -> Step | None:
    """A date into a native field."""
    month, day, year = page.said(r"Enter (\d+)/(\d+)/(\d+)")
    field = page.one(id="tt")
    if field and field.value == f"{year}-{month}-{day}":
        return page.click(page.submit)
    return keyed(page, field, month + day + year)


def time(page: Page) -> Step | None:
    """A time into a native field."""
    hour, minute, half = page.said(r"Enter (\d+):(\d+)\s*([AP]M)")
    field = page.one(id="tt")
    wanted = f"{int(hour) % 12 + 12 * (half == 'PM'):02d}:{minute}"
    if field and field.value == wanted:
        return page.click(page.submit)
    return keyed(page, field, f"{int(hour):02d}{minute}{half}")


def flight(page: Page) -> Step | None:
    """Where from, where to and when; then the cheapest or the shortest flight."""
    which, *cities, date = page.said(r"the (\w+) one-way flight from: (.*) to: (.*) on ([\d/]+)")
    results = page.one(id="results")
    if results and results.shown:
        key, kind = ("price", "flight-price") if which == "cheapest" else ("duration", "time-duration")
        flights = page.all(kind="flight")
        best = min(flights, key=lambda each: int(page.all(kind=kind, inside=each)[0].attributes[f"data-{key}"]))
        return page.click(page.one(kind="flight-price", inside=best))
    for field, city in zip((page.one(id="flight-from"), page.one(id="flight-to")), cities, strict=True):
        if field is None or (city not in field.value or "(" not in field.value):
            return suggest(page, field, city)
    field = page.one(id="datepicker")
    return page.click(page.one(id="search")) if field and field.value == date else pick(page, field, date)


def suggest(page: Page, field: Node | None, text: str) -> Step | None:
    """An entry of the suggestions for a text."""
    if field is None or field.value != text:
        return page.write(field, text)
    entries = [each for each in menu(page) if text in each.text]
    return page.click(entries[0]) if entries else page.wait(400, "the menu")


SOLVERS: Mapping[str, Solver] = {
    "book-flight": flight,
    "book-flight-nodelay": flight,
    "choose-date": choose,
    "choose-date-easy": choose,
    "choose-date-medium": choose,
    "choose-date-nodelay": choose,
    "enter-date": date,
    "enter-time": time,
}
