"""Tasks that are solved by clicking what is named: buttons, links, shapes, colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from saccade.envs.gui.miniwob_demos.page import Node, Page, Solver, Step

COLOURS = ("red", "green", "blue", "aqua", "black", "magenta", "yellow")
SHAPES = {"rect": "rectangle", "circle": "circle", "polygon": "triangle"}
TICKETS = {"cheapest": ("price", 1), "most expensive": ("price", -1), "shortest": ("duration", 1)}


def named_button(page: Page) -> Step | None:
    """The button whose caption the goal quotes; `x` closes a dialog."""
    if page.quoted[0] == "x":
        return page.click(page.one("button", kind="ui-dialog-titlebar-close"))
    return page.click(page.one("button", text=page.quoted[0]))


def named_word(page: Page) -> Step | None:
    """The button whose name the goal says: `Click button TWO`."""
    return page.click(page.one("button", text=page.said(r"button (\w+)")[0]))


def sequence(page: Page) -> Step | None:
    """First ONE, which then has the focus."""
    one = page.one("button", text="ONE")
    return page.click(page.one("button", text="TWO") if one and one.focus else one)


def link(page: Page) -> Step | None:
    """The word that is a link."""
    return page.click(page.one("span", kind="alink", text=page.quoted[0]))


def only_button(page: Page) -> Step | None:
    """The one button there is."""
    return page.click(page.one("button"))


def field(page: Page) -> Step | None:
    """The field that the goal numbers, or the only one."""
    number = page.said(r"the (\d)\w\w input")
    return page.click(page.inputs[int(number[0]) - 1 if number else 0])


def colour(page: Page) -> Step | None:
    """The box of a colour."""
    [name] = page.said(r"Click on the (\w+) colored box")
    area = page.one(id="area")
    return page.click(next(each for each in page.all(inside=area) if each.attributes.get("data-color") == name))


def widget(page: Page) -> Step | None:
    """The first widget of a kind."""
    return page.click(next(each for each in page.nodes if each.attributes.get("data-type") == page.quoted[0]))


def coordinate(page: Page) -> Step | None:
    """A point of a grid, which has its coordinates as its id."""
    return page.click(page.one("circle", id=page.said(r"(\(-?\d,-?\d\))")[0]))


def shapes(page: Page) -> list[tuple[Node, str, str, str]]:
    """The shapes on a page, with size, colour, kind and figure: `("large", "red", "digit 7")`."""
    found = []
    for each in page.all(inside=page.one(id="area_svg")):
        if each.tag == "text":
            what = f"{'digit' if each.text.isdigit() else 'letter'} {each.text}"
            large = float(each.attributes["font-size"].removesuffix("px")) > 15
        else:
            what, large = f"shape {SHAPES[each.tag]}", each.box[2] > 15
        found.append((each, "large" if large else "small", each.attributes["fill"], what))
    return found


def matching(page: Page, words: Sequence[str]) -> list[Node]:
    """The shapes that are as described: `["large", "red", "digit"]`; the last word is a kind, a figure or `item`."""
    *looks, what = words
    return [
        node
        for node, size, fill, kind in shapes(page)
        if all(look in (size, fill) for look in looks) and (what == "item" or what in kind.split())
    ]


def shape(page: Page) -> Step | None:
    """A shape that is described."""
    return page.click(next(iter(matching(page, page.said(r"Click on a (.*)")[0].split())), None))


def count(page: Page) -> Step | None:
    """How many shapes are as described; an `s` ends the description."""
    words = page.said(r"How many (.*)s are there")[0].split()
    return page.click(page.one("button", text=str(len(matching(page, words)))))


def identify(page: Page) -> Step | None:
    """What a single shape is."""
    [(_, _, _, what)] = shapes(page)
    kind, figure = what.split()
    name = {"letter": "Letter", "digit": "Number"}.get(kind, figure.capitalize())
    return page.click(page.one("button", text=name))


def ascending(page: Page) -> Step | None:
    """Number 1, and then the covered numbers in their order."""
    covers = sorted(page.all("rect"), key=lambda each: int(each.attributes["data-index"]))
    return page.click(covers[0] if covers else page.one("text", text="1"))


def generate(page: Page) -> Step | None:
    """Numbers until one is as it should be."""
    shown = page.one(id="display-number")
    text = shown.text if shown else "-"
    if text == "-":
        return page.click(page.one(id="generate"))
    number = int(text)
    wanted = (
        ("odd" in page.goal and number % 2 == 1)
        or ("even" in page.goal and number % 2 == 0)
        or any(number < int(limit) for limit in page.said(r"less than (\d+)"))
        or any(number > int(limit) for limit in page.said(r"greater than (\d+)"))
    )
    return page.click(page.one(id="submit" if wanted else "generate"))


def odd_or_even(page: Page) -> Step | None:
    """Every number marked, then Submit."""
    for row in page.all(kind="row"):
        number = page.one(kind="display-number", inside=row)
        mark = page.one(kind="odd" if number and int(number.text) % 2 else "even", inside=row)
        if mark and "selected" not in mark.kinds:
            return page.click(mark)
    return page.click(page.submit)


def ticket(page: Page) -> Step | None:
    """The cheapest, shortest, longest or most expensive of some tickets."""
    key, sign = next((rule for words, rule in TICKETS.items() if words in page.goal), ("duration", -1))

    def rank(trip: Node) -> int:
        kind = "buy-ticket" if key == "price" else "time-duration"
        return sign * int(page.all(kind=kind, inside=trip)[0].attributes[f"data-{key}"])

    return page.click(page.one("button", inside=min(page.all(kind="flight"), key=rank)))


SOLVERS: Mapping[str, Solver] = {
    "ascending-numbers": ascending,
    "buy-ticket": ticket,
    "click-button": named_button,
    "click-button-sequence": sequence,
    "click-color": colour,
    "click-dialog": only_button,
    "click-dialog-2": named_button,
    "click-link": link,
    "click-shape": shape,
    "click-test": only_button,
    "click-test-2": named_word,
    "click-test-transfer": named_word,
    "click-widget": widget,
    "count-shape": count,
    "focus-text": field,
    "focus-text-2": field,
    "generate-number": generate,
    "grid-coordinate": coordinate,
    "identify-shape": identify,
    "odd-or-even": odd_or_even,
    "unicode-test": named_button,
}
