"""Tasks of checkboxes, options and lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from saccade.envs.gui.miniwob_demos.page import Node, Page, Solver, Step

DIGITS = (
    ("0110", "1001", "1001", "1001", "1001", "1001", "0110"),
    ("0010", "0110", "0010", "0010", "0010", "0010", "0010"),
    ("0110", "1001", "1001", "0010", "0100", "1000", "1111"),
    ("0110", "1001", "0001", "0110", "0001", "1001", "0110"),
    ("1000", "1010", "1010", "1111", "0010", "0010", "0010"),
    ("1111", "1000", "1000", "1110", "0001", "1001", "0110"),
    ("0110", "1001", "1000", "1110", "1001", "1001", "0110"),
    ("1111", "1001", "0001", "0010", "0010", "0100", "0100"),
    ("0110", "1001", "1001", "0110", "1001", "1001", "0110"),
    ("0110", "1001", "1001", "0111", "0001", "1001", "0110"),
)
"""How `number-checkboxes` draws each digit."""


def boxes(page: Page) -> Iterator[tuple[Node, str]]:
    """Checkboxes and radio buttons with their labels."""
    for label in page.all("label"):
        for box in page.all("input", inside=label):
            yield box, label.text


def labelled(page: Page) -> Step | None:
    """The boxes that are listed, no others, and Submit."""
    names = page.said(r"Select (.*) and click Submit")[0].split(", ")
    return page.tick(((box, box.on, name in names) for box, name in boxes(page)), page.submit)


def option(page: Page) -> Step | None:
    """One radio button, which switches the others off."""
    [name] = page.said(r"Select (.*) and click Submit")
    return page.tick(((box, box.on, True) for box, label in boxes(page) if label == name), page.submit)


def shades(page: Page) -> Step | None:
    """All shades of a colour."""
    [colour] = page.said(r"shades of (\w+)")
    spans = [each for each in page.all("span") if "data-color" in each.attributes]
    marks = ((each, "selected" in each.kinds, each.attributes["data-color"] == colour) for each in spans)
    return page.tick(marks, page.submit)


def digit(page: Page) -> Step | None:
    """A digit drawn with checkboxes."""
    pattern = "".join(DIGITS[int(page.quoted[0])])
    return page.tick(
        ((box, box.on, bit == "1") for box, bit in zip(page.all("input"), pattern, strict=True)), page.submit
    )


def radio_and_text(page: Page) -> Step | None:
    """A numbered radio button and a number in a numbered field."""
    radio, number, field = page.said(r'the (\d)\w\w radio button and enter the number "(-?\d+)" into the (\d)')
    box = page.all("input")[int(radio) - 1]
    if not box.on:
        return page.click(box)
    return page.fill([(page.one(id=f"input-{field}"), number)], page.submit)


def dropdown(page: Page) -> Step | None:
    """An entry of a list that opens, made of ordinary elements, and a button."""
    [height] = page.said(r"Choose (.*) from the dropdown")
    label = page.one(kind="label", inside=page.one(id="dropdown-container"))
    if label and label.text == height:
        return page.click(page.one("button", text=page.quoted[0]))
    entry = next((each for each in page.all("li", text=height) if each.place or each.wheel), None)
    return page.click(entry or label)


def native_list(page: Page) -> Step | None:
    """An entry of a native list, whose menu no picture shows: focus it and type its name."""
    [name] = page.said(r"Select (.*) from the list")
    chosen = next((each.text for each in page.all("option") if each.on), "")
    field = page.one("select")
    if chosen == name:
        return page.click(page.submit)
    if field and not field.focus:
        return page.press("Tab", "focus the list")
    options = [each.text for each in page.all("option")]
    way = options.index(name) - options.index(chosen)
    return page.press("ArrowDown" if way > 0 else "ArrowUp", f"look for {name}")


SOLVERS: Mapping[str, Solver] = {
    "choose-list": native_list,
    "click-checkboxes": labelled,
    "click-checkboxes-large": labelled,
    "click-checkboxes-transfer": labelled,
    "click-option": option,
    "click-shades": shades,
    "form-sequence-2": radio_and_text,
    "form-sequence-3": dropdown,
    "number-checkboxes": digit,
}
