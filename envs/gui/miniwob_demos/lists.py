"""Tasks of longer lists: posts, dishes, contacts, search results."""

from __future__ import annotations

from collections.abc import Mapping

from saccade.envs.gui.miniwob_demos.page import Node, Page, Solver, Step

POST_BUTTONS = {
    "Reply": "reply",
    "Retweet": "retweet",
    "Like": "like",
    "Share": "share",
    "Share via DM": "share",
    "Copy link to Tweet": "copy",
    "Embed Tweet": "embed",
    "Mute": "menu-user",
    "Block": "block-user",
    "Report": "report",
}


def posts_by(page: Page, user: str) -> list[Node]:
    """The posts of a user."""
    posts = page.all(kind="media")
    return [each for each in posts if page.all(kind="username", inside=each)[0].text == user]


def post(page: Page) -> Step | None:
    """A button of a post, which may be in its menu."""
    [user] = page.said(r"For the user (@.*), click")
    media = posts_by(page, user)[0]
    button = page.one(kind=POST_BUTTONS[page.quoted[0]], inside=media)
    if button and button.tag == "li" and not button.shown:
        return page.click(page.one(kind="more", inside=media))
    return page.click(button)


def posts(page: Page) -> Step | None:
    """The same button of all posts of a user, or of some, and of no others."""
    kind = POST_BUTTONS[page.quoted[0]]
    how_many, user = page.said(r"button on (all|\d+) posts? by (@.*) and then")
    wanted = [page.all(kind=kind, inside=each)[0].number for each in posts_by(page, user)]
    if how_many != "all":
        wanted = wanted[: int(how_many)]
    buttons = [each for name in ("reply", "retweet", "like", "share") for each in page.all("span", kind=name)]
    buttons.sort(key=lambda each: each.number)
    return page.tick(((each, "active" in each.kinds, each.number in wanted) for each in buttons), page.submit)


def order(page: Page) -> Step | None:
    """Dishes by name, or so many of a kind."""
    dishes = page.all(kind="food-item")
    number = page.said(r"Order (\d+) items that are (.*)")
    if number:
        chosen = next(each for each in dishes if has_kind(page, each, number[1]))
        wanted = {chosen.number: int(number[0])}
    else:
        names = [name.strip() for name in page.said(r"each item: (.*)")[0].split(", ")]
        wanted = {each.number: 1 for each in dishes if each.attributes["data-item"].strip() in names}
    for dish in dishes:
        excess = int(dish.attributes["data-quantity"]) - wanted.get(dish.number, 0)
        if excess:
            return page.click(page.one("span", kind="remove" if excess > 0 else "add", inside=dish))
    return page.click(page.one("button", text="Order!"))


def has_kind(page: Page, dish: Node, kind: str) -> bool:
    """Whether a dish shows the picture of a kind."""
    return any(each.attributes.get("alt") == kind for each in page.all("img", inside=dish))


def contact(page: Page) -> Step | None:
    """A line of a contact, whose page is looked for."""
    person, what = page.said(r"Find (.*) in the contact book and click on their (\w+)")
    name = page.one(kind="name")
    if name and name.text == person:
        return page.click(page.one("a", kind=what))
    return page.click(page.one("a", inside=page.one("li", kind="next")))


def search(page: Page) -> Step | None:
    """A numbered result of a search."""
    field, button = page.one(id="search-text"), page.one(id="search")
    [number] = page.said(r"the (\d)\w\w search result")
    links = page.all("a", kind="search-title")
    current = page.one("li", kind="active")
    if field is None or field.value != page.quoted[0]:
        return page.write(field, page.quoted[0])
    if current is None or not links or links[0].attributes["data-result"] == "-1":
        return page.click(button)
    wanted = (int(number) - 1) // 3 + 1
    if current.text != str(wanted):
        return page.click(page.one("a", text=str(wanted), inside=page.one(id="pagination")))
    return page.click(links[(int(number) - 1) % 3])


SOLVERS: Mapping[str, Solver] = {
    "order-food": order,
    "phone-book": contact,
    "search-engine": search,
    "social-media": post,
    "social-media-all": posts,
    "social-media-some": posts,
}
