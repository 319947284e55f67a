"""Tasks of sliders, spinners and colours."""

from __future__ import annotations

import json
from collections.abc import Mapping

from saccade.envs.gui.miniwob_demos.page import Node, Page, Solver, Step

COLOURS = {
    **{"black": "000000", "white": "ffffff", "aqua": "00ffff", "blue": "0000ff", "gray": "808080", "green": "008000"},
    **{"lime": "00ff00", "maroon": "800000", "navy": "000080", "olive": "808000", "purple": "800080", "red": "ff0000"},
    **{"silver": "c0c0c0", "teal": "008080", "yellow": "ffff00", "pink": "ffc0cb", "magenta": "ff00ff"},
    **{"gold": "ffd700", "orange": "ffa500"},
}


def slide(page: Page, slider: Node | None, value: int, wanted: int) -> Step | None:
    """A slider towards a value: by the mouse while it is far away, then by the keys."""
    if slider is None or slider.range is None:
        return None
    handle = page.one("span", kind="ui-slider-handle", inside=slider)
    low, high = slider.range
    left, top, width, height = slider.box
    is_upright = "ui-slider-vertical" in slider.kinds
    share = (wanted - low) / (high - low)
    x = left + width // 2 if is_upright else left + min(max(round(share * width), 0), width - 1)
    y = top + min(max(round((1 - share) * height), 0), height - 1) if is_upright else top + height // 2
    pixels = abs(wanted - value) / (high - low) * (height if is_upright else width)
    if pixels > 2 and tuple(page.mouse) != (x, y):
        return page.at("mouse_click", (x, y), f"{wanted}")
    if handle and not handle.focus:
        return page.click(handle)
    return page.press("ArrowRight" if wanted > value else "ArrowLeft", f"{value} to {wanted}")


def slider(page: Page) -> Step | None:
    """One slider, and Submit."""
    wanted, shown = int(page.said(r"Select (-?\d+) with")[0]), page.one(id="val")
    value = int(shown.text) if shown else 0
    return page.click(page.submit) if value == wanted else slide(page, page.one(id="slider"), value, wanted)


def sliders(page: Page) -> Step | None:
    """Three sliders, and Submit."""
    for number, wanted in enumerate(json.loads(page.said(r"(\[.*\])")[0]), start=1):
        shown = page.one(id=f"val-{number}")
        value = int(shown.text) if shown else 0
        if value != wanted:
            return slide(page, page.one(id=f"slider-{number}"), value, wanted)
    return page.click(page.submit)


def slider_and_box(page: Page) -> Step | None:
    """A slider, one of three checkboxes, and Submit."""
    wanted, number = page.said(r"Select (-?\d+) with the slider, click the (\d)\w\w checkbox")
    shown = page.one(id="val")
    value = int(shown.text) if shown else 0
    if value != int(wanted):
        return slide(page, page.one(id="slider"), value, int(wanted))
    boxes = page.all("input")
    return page.tick(((each, each.on, each.id == f"checkbox-{number}") for each in boxes), page.submit)


def spinner(page: Page) -> Step | None:
    """A number field that only its arrows and keys change."""
    wanted, field = int(page.said(r"Select (-?\d+) with")[0]), page.one(id="spinner")
    value = int(field.value or 0) if field else 0
    if value == wanted:
        return page.click(page.submit)
    return page.click(page.one("a", kind="ui-spinner-up" if wanted > value else "ui-spinner-down"))


def colour(page: Page) -> Step | None:
    """A colour, entered as its number."""
    field, sample = page.one(id="col"), page.one(kind="cc")
    style = sample.attributes["style"].rpartition("#")[2] if sample else ""
    wanted = style or COLOURS[page.said(r"Select (\w+) with")[0]]
    if field is None or field.value.lower() != wanted:
        return page.write(field, wanted)
    is_covered = page.submit is not None and page.submit.place is None
    return page.click(page.one(id="query") if is_covered else page.submit)


SOLVERS: Mapping[str, Solver] = {
    "form-sequence": slider_and_box,
    "use-colorwheel": colour,
    "use-colorwheel-2": colour,
    "use-slider": slider,
    "use-slider-2": sliders,
    "use-spinner": spinner,
}
