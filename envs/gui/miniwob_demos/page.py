"""What a demonstration sees of a MiniWoB++ page, and the steps it can take on it.

page.click(page.one(id="subbtn"))                       # scrolls to it first where that is needed
page.fill([(page.one(id="tt"), "Ann")], page.submit)    # whatever is still to be done of that
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Place = tuple[int, int]
FIELDS = ("text", "password", "number", "search", "input")


@dataclass(frozen=True)
class Step:
    """One action, and why."""

    action: str
    thought: str


@dataclass(frozen=True)
class Node:
    """An element.

    Attributes:
        number: in document order.
        tag, id, kinds: its name, id and classes.
        text: of it and all that is in it, spaces squeezed.
        value: of a field.
        on: whether it is checked or selected.
        focus: whether it has the focus.
        whole: whether all of its value is selected.
        box: left, top, width and height in CSS pixels.
        place: where to click it; `None` if it does not show.
        wheel: where to turn the wheel and by how much, so that it shows.
        scrolled: how far it is scrolled, and how far it can be.
        range: least and greatest value of a slider.
        ends: where its own text begins and ends.
        up: number of its parent.
        attributes: as they stand in the document.
    """

    number: int
    tag: str
    id: str
    kinds: Sequence[str]
    text: str
    value: str
    on: bool
    focus: bool
    whole: bool
    box: Sequence[int]
    place: Place | None
    wheel: Sequence[int] | None
    scrolled: Sequence[int] | None
    range: Sequence[float] | None
    ends: Sequence[int] | None
    up: int
    attributes: Mapping[str, str]

    @property
    def shown(self) -> bool:
        """Whether it has an area."""
        return self.box[2] > 0 and self.box[3] > 0

    @property
    def name(self) -> str:
        """What to call it: its text, or what else tells it from others."""
        words = (self.text, self.attributes.get("placeholder"), self.id, self.kinds[0], self.attributes.get("type"))
        return next((word[:24] for word in words if word), self.tag)

    @property
    def centre(self) -> Place:
        """The middle of its box."""
        left, top, width, height = self.box
        return left + width // 2, top + height // 2

    def covers(self, place: Sequence[float]) -> bool:
        """Whether a place lies in its box."""
        left, top, width, height = self.box
        return left <= place[0] < left + width and top <= place[1] < top + height


@dataclass(frozen=True)
class Page:
    """A page at one moment.

    Attributes:
        goal: what it asks for.
        fields: the parts of the goal, for pages that tell them.
        mouse: where the mouse is, in CSS pixels.
        held: whether its button is down.
        selection: the selected text.
        nodes: its elements in document order.
        scale: pixels of the picture for each CSS pixel.
    """

    goal: str
    fields: Mapping[str, str]
    mouse: Sequence[float]
    held: bool
    selection: str
    nodes: Sequence[Node]
    scale: float = 1.0

    @classmethod
    def of(cls, seen: Mapping[str, Any], scale: float) -> Page:
        """From what `saccade.look` found."""
        nodes = tuple(Node(number=number, **each) for number, each in enumerate(seen["nodes"]))
        return cls(seen["goal"], seen["fields"], seen["mouse"], seen["held"], seen["selection"], nodes, scale)

    # What is there.

    @cached_property
    def quoted(self) -> list[str]:
        """What stands in quotation marks in the goal."""
        return re.findall(r'"([^"]*)"', self.goal)

    def said(self, pattern: str) -> tuple[str, ...]:
        """The groups of a pattern in the goal; none if it says something else."""
        found = re.search(pattern, self.goal)
        return found.groups() if found else ()

    def all(
        self, tag: str = "", id: str = "", kind: str = "", text: str | None = None, inside: Node | None = None
    ) -> list[Node]:
        """Elements of this name, id, class and text, inside of another one."""
        return [
            each
            for each in self.nodes
            if (not tag or each.tag == tag)
            and (not id or each.id == id)
            and (not kind or kind in each.kinds)
            and (text is None or each.text == text)
            and (inside is None or self.is_inside(each, inside))
        ]

    def one(
        self, tag: str = "", id: str = "", kind: str = "", text: str | None = None, inside: Node | None = None
    ) -> Node | None:
        """The first such element that shows, or else the first."""
        found = self.all(tag, id, kind, text, inside)
        return next((each for each in found if each.place), found[0] if found else None)

    def is_inside(self, node: Node, around: Node) -> bool:
        """Whether an element is a part of another one."""
        up = node.up
        while up > around.number:
            up = self.nodes[up].up
        return up == around.number

    def around(self, node: Node, kind: str = "", tag: str = "") -> Node | None:
        """The next element of this class or name that contains another one."""
        up = node.up
        while up >= 0 and not (kind in self.nodes[up].kinds or tag == self.nodes[up].tag):
            up = self.nodes[up].up
        return self.nodes[up] if up >= 0 else None

    @property
    def inputs(self) -> list[Node]:
        """The fields for text that have an area."""
        return [each for each in self.all("input") if each.shown and each.attributes.get("type", "text") in FIELDS]

    @property
    def submit(self) -> Node | None:
        """The button that ends the task."""
        return self.one(id="subbtn") or self.one(id="submit") or self.one("button", text="Submit")

    def caption(self) -> str:
        """What can be clicked, with its places."""
        tags = ("a", "button", "input", "select", "textarea")
        places = [(each.name, self.pixel(each.place)) for each in self.nodes if each.place and each.tag in tags]
        return " ".join(f"{name} ({x}, {y})" for name, (x, y) in places)

    # What can be done.

    def pixel(self, place: Sequence[float]) -> Place:
        """A place in pixels of the picture."""
        return int(place[0] * self.scale), int(place[1] * self.scale)

    def at(self, verb: str, place: Sequence[float], name: str) -> Step:
        """A verb of the mouse at a place."""
        x, y = self.pixel(place)
        return Step(f"{verb}({x}, {y})", f"{name} ({x}, {y})")

    def click(self, node: Node | None) -> Step | None:
        """Click an element, once it shows."""
        return self._reach(node) or (self.at("mouse_click", node.place, node.name) if node and node.place else None)

    def hover(self, node: Node | None) -> Step | None:
        """Move the mouse over an element; wait if it is there already."""
        if node and node.place and node.covers(self.mouse):
            return self.wait(400, node.name)
        return self._reach(node) or (self.at("mouse_move", node.place, node.name) if node and node.place else None)

    def press(self, key: str, why: str) -> Step:
        """Press a key."""
        return Step(f"keyboard_press({json.dumps(key)})", why)

    def type(self, text: str) -> Step:
        """Type into what has the focus."""
        return Step(f"keyboard_type({json.dumps(text, ensure_ascii=False)})", f"enter {text.strip()[:60]}")

    def write(self, node: Node | None, text: str) -> Step | None:
        """Let a text stand in a field: focus it, select what stands there, and type."""
        if node is None or not node.focus:
            return self.click(node)
        if node.value and not node.whole:
            return self.press("Control+a", f"replace {node.value[:24]}")
        return self.type(text)

    def fill(self, texts: Iterable[tuple[Node | None, str]], done: Node | None) -> Step | None:
        """Write every text that does not stand in its field yet; then click `done`."""
        for node, text in texts:
            if node is None or node.value != text:
                return self.write(node, text)
        return self.click(done)

    def tick(self, marks: Iterable[tuple[Node | None, bool, bool]], done: Node | None) -> Step | None:
        """Click every element that is not as it should be (element, how it is, how it should be); then `done`."""
        for node, is_on, should in marks:
            if node is None or is_on != should:
                return self.click(node)
        return self.click(done)

    def drag(self, node: Node | None, end: Sequence[float]) -> Step | None:
        """Drag an element by its place to another place."""
        if node is None or node.place is None:
            return self._reach(node)
        (x, y), (to_x, to_y) = self.pixel(node.place), self.pixel(end)
        return Step(f"mouse_drag_and_drop({x}, {y}, {to_x}, {to_y})", f"{node.name} ({x}, {y}) to ({to_x}, {to_y})")

    def turn(self, node: Node | None, way: float) -> Step | None:
        """Turn the wheel over an element by some CSS pixels, downwards where positive."""
        if node is None or node.place is None:
            return None
        if not node.covers(self.mouse):
            return self.at("mouse_move", node.place, node.name)
        return Step(f"scroll(0, {int(way * self.scale)})", f"scroll {node.name}")

    def wait(self, milliseconds: int, why: str) -> Step:
        """Look again a little later."""
        return Step(f"noop({milliseconds})", f"wait for {why}")

    def _reach(self, node: Node | None) -> Step | None:
        """A step towards an element that does not show."""
        if node is None or node.place or not node.wheel:
            return None
        x, y, way = node.wheel
        if abs(self.mouse[0] - x) > 30 or abs(self.mouse[1] - y) > 30:
            return self.at("mouse_move", (x, y), f"scroll to {node.name}")
        return Step(f"scroll(0, {int(way * self.scale)})", f"look for {node.name}")


Solver = Callable[[Page], Step | None]
