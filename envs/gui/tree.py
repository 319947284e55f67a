"""The accessibility tree of a page: what assistive technology reads, with a ref and a box for every element.

    tree = read_tree(await tab.page.aria_snapshot(mode="ai", boxes=True))
    tree.find("button", "Save").ref         # "e12", which `click("e12")` takes
    tree.text()                             # what a model reads

Playwright computes roles and names as the specification says, in a script world that the page cannot reach, and keeps
the refs: an element has the same one in every snapshot of its document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

_LINE = re.compile(
    r"""^(?P<indent>\ *)-\ (?P<role>[\w/-]+)
    (?:\ (?P<name>"(?:[^"\\]|\\.)*"|/.*?/(?=\ \[|:|$)))?
    (?P<marks>(?:\ \[[^\]]*\])*)
    (?::(?:\ (?P<text>.*))?)?$""",
    re.VERBOSE,
)
_MARK = re.compile(r"\[([\w-]+)(?:=([^\]]*))?\]")
MAX_TEXT = 20_000
"""Characters of a tree that a model is shown at most."""
CLICKABLE = frozenset(
    (
        *("button", "checkbox", "combobox", "gridcell", "link", "listbox", "menuitem", "menuitemcheckbox"),
        *("menuitemradio", "option", "radio", "searchbox", "slider", "spinbutton", "switch", "tab", "textbox"),
        "treeitem",
    )
)
"""Roles that are there to be used."""

Rectangle = tuple[float, float, float, float]
"""Left, top, width and height in CSS pixels of the viewport."""


@dataclass(frozen=True)
class Element:
    """A node of the tree.

    Attributes:
        role: such as `button`; `text` for bare text.
        name: its accessible name.
        text: the text in it, or the value of a field.
        ref: names it in actions, such as `e12`; empty where nothing can be done with it.
        handle: Playwright's own ref of it.
        box: where it is; `None` where it has no place of its own.
        states: `checked`, `disabled`, `active` (it has the focus), `selected`, ...; `""` for a mere flag.
        depth: how far it is below the root.
    """

    role: str
    name: str
    text: str
    ref: str
    handle: str
    box: Rectangle | None
    states: Mapping[str, str]
    depth: int

    @property
    def centre(self) -> tuple[int, int] | None:
        """The middle of its box in whole CSS pixels."""
        if self.box is None:
            return None
        left, top, width, height = self.box
        return int(left + width / 2), int(top + height / 2)

    @property
    def usable(self) -> bool:
        """Whether it is there to be used: a control, or what shows a pointing hand."""
        return bool(self.ref) and (self.role in CLICKABLE or "cursor" in self.states)

    def within(self, size: tuple[int, int]) -> bool:
        """Whether its middle lies inside a viewport of `size` (width, height), and it has an area."""
        if self.box is None or self.centre is None or min(self.box[2:]) <= 0:
            return False
        x, y = self.centre
        return 0 <= x < size[0] and 0 <= y < size[1]

    def line(self) -> str:
        """How a model reads it, without its place."""
        states = "".join(f" [{key}={value}]" if value else f" [{key}]" for key, value in self.states.items())
        parts = [self.role]
        parts += [f'"{self.name}"'] if self.name else []
        parts += [f"[{self.ref}]"] if self.ref else []
        return "  " * self.depth + " ".join(parts) + states + (f": {self.text}" if self.text else "")


@dataclass(frozen=True)
class Tree:
    """The elements of a page in reading order."""

    elements: tuple[Element, ...]

    @cached_property
    def by_ref(self) -> dict[str, Element]:
        """Elements that have a ref."""
        return {each.ref: each for each in self.elements if each.ref}

    def find(self, role: str, name: str) -> Element | None:
        """The first element of this role and name."""
        return next((each for each in self.elements if each.role == role and each.name == name), None)

    @property
    def focused(self) -> Element | None:
        """What has the focus, if it is more than the page as a whole."""
        return next((each for each in reversed(self.elements) if "active" in each.states and each.depth), None)

    def marked(self, size: tuple[int, int]) -> list[Element]:
        """What can be used inside a viewport of `size` (width, height)."""
        return [each for each in self.elements if each.usable and each.within(size)]

    def text(self, limit: int = MAX_TEXT) -> str:
        """The tree as indented lines; what is longer than `limit` characters is cut at a line."""
        lines: list[str] = []
        room = limit
        for each in self.elements:
            line = each.line()
            room -= len(line) + 1
            if room < 0:
                lines.append("... (the page goes on)")
                break
            lines.append(line)
        return "\n".join(lines)


def read_tree(snapshot: str, refs: dict[str, str] | None = None) -> Tree:
    """Read Playwright's snapshot for models; a line that is not understood is left out.

    Args:
        snapshot: of a page, in the mode `ai`, with boxes.
        refs: the refs given so far in this episode, by Playwright's, whose numbers depend on what the page did before;
            new elements are added to it, numbered from 1 in reading order.
    """
    return Tree(tuple(_elements(snapshot, {} if refs is None else refs)))


def _elements(snapshot: str, refs: dict[str, str]) -> Iterator[Element]:
    frames: list[tuple[int, float, float]] = []  # depth and place of the iframes around: boxes in them are their own
    for line in snapshot.split("\n"):  # names may hold other characters that Python takes for line breaks
        found = _LINE.match(_unquoted(line))
        if not found or found["role"].startswith("/"):
            continue
        depth = len(found["indent"]) // 2
        while frames and frames[-1][0] >= depth:
            frames.pop()
        dx, dy = frames[-1][1:] if frames else (0.0, 0.0)
        marks = {key: value or "" for key, value in _MARK.findall(found["marks"])}
        handle, box = marks.pop("ref", ""), _box(marks.pop("box", ""), dx, dy)
        if found["role"] == "iframe" and box:
            frames.append((depth, box[0], box[1]))
        name = re.sub(r"\\(.)", r"\1", (found["name"] or "")[1:-1])
        text = (found["text"] or "").strip()
        if len(text) > 1 and text[0] == text[-1] == '"':
            text = re.sub(r"\\(.)", r"\1", text[1:-1])
        ref = refs.setdefault(handle, f"e{len(refs) + 1}") if handle else ""
        yield Element(found["role"], name, text, ref, handle, box, marks, depth)


def _unquoted(line: str) -> str:
    """An entry that YAML had to put in quotation marks, without them."""
    indent, dash, entry = line.partition("- ")
    if not dash or indent.strip() or not entry.startswith("'"):
        return line
    end = re.match(r"'((?:[^']|'')*)'", entry)
    return f"{indent}- {end[1].replace(chr(39) * 2, chr(39))}{entry[end.end() :]}" if end else line


def _box(text: str, dx: float, dy: float) -> Rectangle | None:
    try:
        left, top, width, height = (float(number) for number in text.split(","))
    except ValueError:
        return None
    return left + dx, top + dy, width, height
