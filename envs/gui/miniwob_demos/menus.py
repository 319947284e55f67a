"""Tasks of menus, tabs, sections and trees: what does not show is looked for, one place after the other."""

from __future__ import annotations

from collections.abc import Mapping

from saccade.envs.gui.miniwob_demos.page import Page, Solver, Step


def tab(page: Page) -> Step | None:
    """The tab that is named."""
    return page.click(page.one("a", text=page.said(r"(Tab #\d)")[0]))


def tab_with_link(page: Page) -> Step | None:
    """The link, or else the next tab."""
    links = [each for each in page.all(kind="alink", text=page.quoted[0]) if each.shown]
    if links:
        return page.click(links[0])
    tabs = page.all("li", kind="ui-tab") or page.all("li", kind="ui-tabs-tab")
    front = next((number for number, each in enumerate(tabs) if "ui-tabs-active" in each.kinds), -1)
    return page.click(page.one("a", inside=tabs[(front + 1) % len(tabs)]))


def section(page: Page) -> Step | None:
    """The only section, opened, and Submit."""
    content = page.one(kind="ui-accordion-content")
    return page.click(page.submit if content and content.shown else page.one("h3"))


def section_with_link(page: Page) -> Step | None:
    """The link, or else the next section."""
    links = [each for each in page.all(kind="alink", text=page.quoted[0]) if each.shown]
    if links:
        return page.click(links[0])
    heads, contents = page.all("h3"), page.all(kind="ui-accordion-content")
    front = next((number for number, each in enumerate(contents) if each.shown), -1)
    return page.click(heads[(front + 1) % len(heads)])


def submenus(page: Page) -> Step | None:
    """A path of entries: the mouse opens all but the last, which is clicked."""
    *path, last = page.said(r"Select (.*)")[0].split(">")
    menu = page.one(id="menu")
    for name in path:
        entry = next((each for each in page.all("div", text=name, inside=menu)), None)
        below = page.one("ul", inside=page.nodes[entry.up]) if entry else None
        if below is None or not below.shown:
            return page.hover(entry)
    return page.click(page.one("div", text=last, inside=menu))


def tree(page: Page) -> Step | None:
    """The file or folder, or else the next closed folder."""
    names = [each for each in page.all("span", text=page.quoted[0]) if each.shown]
    if names:
        return page.click(names[0])
    closed = [each for each in page.all("li", kind="expandable") if each.shown]
    return page.click(page.one("span", kind="folder", inside=closed[0])) if closed else None


SOLVERS: Mapping[str, Solver] = {
    "click-collapsible": section,
    "click-collapsible-2": section_with_link,
    "click-collapsible-2-nodelay": section_with_link,
    "click-collapsible-nodelay": section,
    "click-menu": submenus,
    "click-tab": tab,
    "click-tab-2": tab_with_link,
    "click-tab-2-easy": tab_with_link,
    "click-tab-2-hard": tab_with_link,
    "click-tab-2-medium": tab_with_link,
    "navigate-tree": tree,
}
