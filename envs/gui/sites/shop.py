"""The shop: departments, things, a cart and a checkout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from saccade.envs.gui.sites.base import Click, SiteEnv, SiteTask, Write, task

THINGS = {
    "Fruit": ("apples", "pears", "plums", "grapes", "lemons"),
    "Tools": ("hammer", "saw", "pliers", "drill", "ruler"),
    "Books": ("atlas", "novel", "poems", "diary", "comic"),
}
CITIES = ("Bern", "Oslo", "Rome", "Lima", "Cairo", "Delhi", "Kyoto", "Paris")


def stock(rng: np.random.Generator) -> list[dict[str, Any]]:
    """Three things of each department, no two of one price."""
    names = [(name, kind) for kind, all_ in THINGS.items() for name in sorted(rng.permutation(all_)[:3].tolist())]
    prices = rng.permutation(np.arange(2, 40))[: len(names)].tolist()
    return [{"name": name, "kind": kind, "price": price} for (name, kind), price in zip(names, prices, strict=True)]


class ShopOrder(SiteEnv):
    """Order a thing to a city.

    At level 1 it is in the cart already, at level 2 with another one; at level 3 it is the cheapest of a department.
    """

    document = "shop"

    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw a stock, a thing and a city."""
        items = stock(rng)
        kind = str(rng.choice(list(THINGS)))
        offered = [item for item in items if item["kind"] == kind]
        wanted = min(offered, key=lambda item: item["price"]) if self.level == 3 else offered[rng.integers(3)]
        city = str(rng.choice(CITIES))
        other = str(rng.choice([item["name"] for item in items if item is not wanted]))
        cart = {1: [wanted["name"]], 2: sorted([wanted["name"], other]), 3: []}[self.level]
        first = {1: "checkout", 2: "cart", 3: "departments"}[self.level]
        begin = {"first": first, "items": items, "cart": cart, "ordered": None}
        want = begin | {"cart": [], "ordered": {"items": [wanted["name"]], "city": city}}
        what = {1: "what is in the cart", 2: f"only the {wanted['name']}", 3: f"the cheapest of {kind}"}[self.level]
        return task(f"Order {what} to {city}.", begin, want)

    def next(self, page: Mapping[str, Any]) -> Click | Write | None:
        """Into the cart, to the checkout, and order."""
        order = self.wanted["ordered"]
        [thing] = order["items"]
        kind = next(item["kind"] for item in page["state"]["items"] if item["name"] == thing)
        cart = page["state"]["cart"]
        path = [page["state"]["first"]] if page["path"] == [""] else page["path"]
        if cart != [thing]:
            extra = next((name for name in cart if name != thing), thing if len(cart) > 1 else None)
            if extra:
                return Click("button", f"Remove {extra}") if path[0] == "cart" else Click("link", "Cart")
            if path == ["item", thing]:
                return Click("button", "Add to cart")
            if path == ["kind", kind]:
                return Click("link", thing)
            return Click("link", kind) if path == ["departments"] else Click("link", "Departments")
        if path[0] != "checkout":
            return Click("link", "Checkout") if path[0] == "cart" else Click("link", "Cart")
        if page["drafts"].get("City") != order["city"]:
            return Write("City", order["city"])
        return Click("button", "Order")
