"""Tasks that are solved by writing: what is quoted, what stands elsewhere, what is computed."""

from __future__ import annotations

import re
from collections.abc import Mapping

from saccade.envs.gui.miniwob_demos.page import Node, Page, Solver, Step


def quoted(page: Page) -> Step | None:
    """What the goal quotes, in upper or lower case if it says so, into the only field."""
    text = page.quoted[0]
    if "upper case" in page.goal:
        text = text.upper()
    elif "lower case" in page.goal:
        text = text.lower()
    return answer(page, text)


def answer(page: Page, text: str) -> Step | None:
    """A text into the first field, then Submit."""
    return page.fill([(page.inputs[0], text)], page.submit)


def password(page: Page) -> Step | None:
    """One password, twice."""
    return page.fill([(each, page.quoted[0]) for each in page.inputs], page.submit)


def login(page: Page) -> Step | None:
    """A name and a password; a popup is cancelled first."""
    popup = page.one(id="popup-cancel")
    return page.click(popup) if popup else page.fill(zip(page.inputs, page.quoted, strict=False), page.submit)


def nth_word(page: Page) -> Step | None:
    """The n-th word of a paragraph, without its punctuation."""
    [number] = page.said(r"the (\d+)\w\w word")
    [paragraph] = page.all("p")
    return answer(page, re.sub(r"[^a-zA-Z]", "", paragraph.text.split()[int(number) - 1]))


def last_word(page: Page) -> Step | None:
    """The last word of a long text, once it is scrolled to."""
    area = page.one("textarea")
    if area and not page.inputs[0].value and (step := to_end(page, area)):
        return step
    return answer(page, re.sub(r"\W", "", area.text.split()[-1])) if area else None


def to_end(page: Page, area: Node) -> Step | None:
    """Scroll down a text that is not at its end."""
    if area.scrolled and area.scrolled[0] < area.scrolled[1] - 1:
        return page.turn(area, area.scrolled[1] - area.scrolled[0])
    return None


def scroll(page: Page) -> Step | None:
    """A text scrolled to its top or its end."""
    area = page.one("textarea")
    if area and area.scrolled and "top of" in page.goal:
        return page.turn(area, -area.scrolled[0]) if area.scrolled[0] else page.click(page.submit)
    return (area and to_end(page, area)) or page.click(page.submit)


def agreement(page: Page) -> Step | None:
    """Scrolled to its end, signed, and agreed to or not."""
    area = page.one("textarea")
    button = page.one("button", text="Cancel" if "ancel" in page.goal else "Agree")
    if not page.quoted:
        return page.click(button)
    if area and (step := to_end(page, area)):
        return step
    return page.fill([(page.one(id="name"), page.quoted[0])], button)


def table(page: Page) -> Step | None:
    """Values of a table into the fields that ask for them."""
    cells = [each.text for each in page.all("td")]
    rows = dict(zip(cells[::2], cells[1::2], strict=True))
    asked = page.said(r"value of (.*) into") or [each.text.removesuffix(":") for each in page.all("label")]
    return page.fill(((field, rows[key]) for field, key in zip(page.inputs, asked, strict=True)), page.submit)


def copy(page: Page) -> Step | None:
    """The text of an area, its last space included, into the field."""
    areas = page.all("textarea")
    number = page.said(r"the (\d)\w\w text area")
    return answer(page, areas[int(number[0]) - 1 if number else 0].value)


def captcha(page: Page) -> Step | None:
    """Letters that stand askew."""
    return answer(page, "".join(each.text for each in page.all("span", inside=page.one(id="captcha"))))


def sum_of(page: Page) -> Step | None:
    """`3 x 4 =`, or `x - 3 = 12`."""
    problem = page.one(id="math-problem")
    first, sign, second, *rest = problem.text.replace("=", " ").split() if problem else ("", "", "")
    if not rest:
        a, b = int(first), int(second)
        return answer(page, str({"+": a + b, "-": a - b, "x": a * b}[sign]))
    result = int(rest[0])
    if sign == "+":
        return answer(page, str(result - int(second if first == "x" else first)))
    return answer(page, str(result + int(second) if first == "x" else int(first) - result))


def blocks(page: Page) -> Step | None:
    """How many blocks there are."""
    return answer(page, str(len(page.all(kind="addition-block"))))


def movie(page: Page) -> Step | None:
    """A form of three fields in any order and any layout."""
    genre, name, year = page.said(r"for (.*) movies directed by (.*) from year (\d+)")
    texts = []
    for field in page.inputs:
        row = page.nodes[field.up]
        while not row.text:
            row = page.nodes[row.up]
        texts.append((field, genre if "Genre" in row.text else name if "Director" in row.text else year))
    ends = ("Submit", "Search", "Go!")
    button = next((each for each in page.nodes if each.text in ends and each.place), None)
    return page.fill(texts, button)


def autocomplete(page: Page) -> Step | None:
    """The beginning of a name, and then the entry of the menu that ends as it should."""
    field, entries = page.inputs[0], menu(page)
    start, end = (*page.quoted, "")[:2]
    is_begun, is_picked = field.value.startswith(start), not entries and not field.covers(page.mouse)
    if is_begun and is_picked and field.value.endswith(end):
        return page.click(page.submit)
    if is_picked or not is_begun:
        return page.write(field, start)
    entry = next((each for each in entries if each.text.startswith(start) and each.text.endswith(end)), None)
    if entry and field.focus and not entry.place and entry.text.startswith(field.value):
        return page.type(entry.text[len(field.value)])  # it will come up
    return page.click(entry) if entry else page.wait(400, "the menu")


def menu(page: Page) -> list[Node]:
    """The entries of an open menu of suggestions."""
    return [each for each in page.all(kind="ui-menu-item") if each.shown]


def guess(page: Page) -> Step | None:
    """Guesses from 5 upwards or downwards, as the page says."""
    field = page.one(id="tt")
    higher, lower = page.one(id="higher"), page.one(id="lower")
    number = "5"
    if higher and higher.shown:
        number = str(int(re.sub(r"\D", "", higher.text)) + 1)
    elif lower and lower.shown:
        number = str(int(re.sub(r"\D", "", lower.text)) - 1)
    return page.fill([(field, number)], page.submit)


def terminal(page: Page) -> Step | None:
    """`ls`, and `rm` of a file with the extension."""
    target, active = page.one(id="terminal-target"), page.one(id="active-input")
    outputs = [each.text for each in page.all("span", kind="output")]
    listed = next((text.split() for text in reversed(outputs[2:]) if text and ":" not in text), None)
    suffix = "".join(page.said(r"extension (\.[\w.]+)"))
    command = "ls"
    if listed and "Command" not in listed:
        command = "rm " + next(name for name in listed if (name.endswith(suffix) if suffix else "." not in name))
    if target and not target.focus:
        return page.click(page.one(id="terminal"))
    text = active.text if active else ""
    if text:
        return page.press("Enter" if text == command else "Backspace", f"enter {command}")
    return page.type(command)


def highlight(page: Page) -> Step | None:
    """A paragraph, selected from its beginning to its end."""
    number = page.said(r"the (\d)\w\w paragraph")
    text = page.all("p")[int(number[0]) - 1] if number else page.one(id="randomText")
    if text is None or text.ends is None:
        return None
    if "".join(page.selection.split()) == text.text.replace(" ", ""):
        return page.click(page.submit)
    (x, y), (to_x, to_y) = page.pixel(text.ends[:2]), page.pixel(text.ends[2:])
    return Step(f"mouse_drag_and_drop({x}, {y}, {to_x + 1}, {to_y})", f"from ({x}, {y}) to ({to_x + 1}, {to_y})")


SOLVERS: Mapping[str, Solver] = {
    "copy-paste": copy,
    "copy-paste-2": copy,
    "enter-password": password,
    "enter-text": quoted,
    "enter-text-2": quoted,
    "enter-text-dynamic": quoted,
    "find-word": nth_word,
    "guess-number": guess,
    "highlight-text": highlight,
    "highlight-text-2": highlight,
    "login-user": login,
    "login-user-popup": login,
    "multi-layouts": movie,
    "multi-orderings": movie,
    "read-table": table,
    "read-table-2": table,
    "scroll-text": last_word,
    "scroll-text-2": scroll,
    "sign-agreement": agreement,
    "simple-algebra": sum_of,
    "simple-arithmetic": sum_of,
    "terminal": terminal,
    "text-transform": captcha,
    "use-autocomplete": autocomplete,
    "use-autocomplete-nodelay": autocomplete,
    "visual-addition": blocks,
}
