"""Tasks of dragging and drawing."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from saccade.envs.gui.miniwob_demos.page import Node, Page, Place, Solver, Step

WAYS: Mapping[str, Place] = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
FIGURES = {"rectangles": "rect", "circles": "circle", "triangles": "polygon"}
PLACES = (
    *("top left", "top center", "top right", "center left", "center", "center right"),
    *("bottom left", "bottom center", "bottom right"),
)


def small_box(page: Page) -> Step | None:
    """The small box into the large one; if that covers it, the large one away first."""
    small, large = page.one(id="draggableSmall"), page.one(id="draggableLarge")
    if small is None or large is None:
        return None
    dx, dy = small.box[0] - large.box[0], small.box[1] - large.box[1]
    if 3 < dx < 27 and 3 < dy < 27:
        return page.click(page.submit)
    if small.place is None:
        return page.drag(large, (30 if large.centre[0] > 80 else 125, large.centre[1]))
    return page.drag(small, _shifted(small, large.centre))


def shape_one_way(page: Page) -> Step | None:
    """A shape in a direction."""
    dx, dy = WAYS[page.said(r"Drag the \w+ (\w+)")[0]]
    shape = page.one(kind="black-shape") or page.one("circle")
    if shape is None or shape.place is None:
        return None
    moved = [float(number) for number in re.findall(r"-?[\d.]+", shape.attributes.get("transform", ""))]
    if moved and moved[0] * dx + moved[1] * dy > 5:
        return page.click(page.submit)
    return page.drag(shape, (shape.place[0] + 30 * dx, shape.place[1] + 30 * dy))


def shapes_into_box(page: Page) -> Step | None:
    """Shapes of a figure or a colour into a box, and where there are two boxes, all others into the other one."""
    boxes = page.all("rect", id="shape-container")
    what = page.said(r"Drag all (\w+)")[0]
    shapes = [each for each in page.all(inside=page.one(id="area_svg")) if each.id != "shape-container"]
    for shape in shapes:
        is_wanted = shape.tag == FIGURES[what] if what in FIGURES else shape.attributes["fill"] == what
        box = boxes[0] if is_wanted else boxes[1] if len(boxes) > 1 else None
        if box and not (box.covers(shape.box) and box.covers((shape.box[0] + 8, shape.box[1] + 8))):
            return page.drag(shape, box.centre)
    return page.click(page.submit)


def item(page: Page) -> Step | None:
    """An entry of a list to another position."""
    name, where = page.said(r"Drag (\S+) (.*)\.$")
    items = [each for each in page.all("li") if each.text]
    place = next(number for number, each in enumerate(items) if each.text == name)
    numbered = page.said(r"to the (\d)\w\w position")
    target = {"up by": place - 1, "down by": place + 1, "to the": len(items) - 1}[where[:6].strip()]
    if numbered:
        target = int(numbered[0]) - 1
    elif where == "to the top":
        target = 0
    return _into_place(page, items, place, target)


def item_of_grid(page: Page) -> Step | None:
    """An entry of a 3 x 3 grid to another position, with a last move that says on which side of it."""
    name, where = page.said(r"Drag (\S+) (.*)\.$")
    items = [each for each in page.all("li") if each.text]  # one that is dragged keeps its place among them
    place = next(number for number, each in enumerate(items) if each.text == name)
    if not page.held:
        return page.at("mouse_down", items[place].centre, name)
    way = where.removesuffix(" by one")
    target = place + WAYS[way][0] + 3 * WAYS[way][1] if way in WAYS else PLACES.index(where.removeprefix("to the "))
    cells = [each.centre for each in page.all("li") if "ui-sortable-helper" not in each.kinds]
    side = 6 if target > place else -6
    before, behind = ((cells[target][0] + d, cells[target][1] + d) for d in (-side, side))
    if _near(page.mouse, behind):
        return page.at("mouse_up", behind, where)
    return page.at("mouse_move", behind if _near(page.mouse, before) else before, where)


def _near(place: Sequence[float], other: Sequence[float]) -> bool:
    return math.dist(place, other) < 2


def sort_numbers(page: Page) -> Step | None:
    """The least number that is too far down, upwards."""
    items = [each for each in page.all("li") if each.text]
    numbers = [int(each.text) for each in items]
    for place, number in enumerate(sorted(numbers)):
        if numbers[place] != number:
            return _into_place(page, items, numbers.index(number, place), place)
    return page.click(page.submit)


def line(page: Page) -> Step | None:
    """A line through a dot, and Submit."""
    if page.one("path"):
        return page.click(page.submit)
    dot = page.one(id="circ")
    if dot is None:
        return None
    x, y = dot.centre[0] - 1, dot.centre[1] - 1
    dx, dy = (22, 0) if "horizontal" in page.goal else (0, 22)
    (x1, y1), (x2, y2) = page.pixel((x - dx, y - dy)), page.pixel((x + dx, y + dy))
    return Step(f"mouse_drag_and_drop({x1}, {y1}, {x2}, {y2})", f"line ({x1}, {y1}) to ({x2}, {y2})")


def _shifted(node: Node, centre: Sequence[int]) -> Place:
    """Where to drop an element that is held at its place, so that its middle comes to lie at `centre`."""
    assert node.place is not None  # it was just asked for
    return centre[0] + node.place[0] - node.centre[0], centre[1] + node.place[1] - node.centre[1]


def _into_place(page: Page, items: Sequence[Node], place: int, target: int) -> Step | None:
    """Drag an entry over another one and a little further, so that the others make room."""
    to, start = items[target].centre, items[place].centre
    step = [int(math.copysign(min(abs(b - a), 4), b - a)) for a, b in zip(start, to, strict=True)]
    return page.drag(items[place], (to[0] + step[0], to[1] + step[1]))


SOLVERS: Mapping[str, Solver] = {
    "drag-box": small_box,
    "drag-circle": shape_one_way,
    "drag-items": item,
    "drag-items-grid": item_of_grid,
    "drag-shapes": shapes_into_box,
    "drag-shapes-2": shapes_into_box,
    "drag-single-shape": shape_one_way,
    "drag-sort-numbers": sort_numbers,
    "draw-line": line,
}
