"""A map: areas with places, which can be marked; saving the marks as pins or as a route closes the site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from saccade.envs.gui.sites.base import Click, SiteEnv, SiteTask, Write, task

AREAS = ("Harbor", "Market", "Castle", "Garden", "Temple", "Forest", "Station", "College")
FIRST = ("Oak", "Elm", "Red", "Blue", "Old", "Sun", "Moon", "Star", "Fox", "Rose", "Gold", "Snow")
KINDS = ("Cafe", "Bank", "Pool", "Park", "Zoo", "Gym", "Inn", "Bar")
CLEARLY = 1.5
"""The nearest place is nearer than the next one by this factor, squared."""

Place = dict[str, Any]


def city(rng: np.random.Generator, kinds: Sequence[Sequence[str]]) -> tuple[list[str], list[Place]]:
    """Areas, and the places in them: for each area its kinds, at most 12, on squares that leave room for names."""
    areas = rng.permutation(AREAS)[: len(kinds)].tolist()
    firsts = {kind: iter(rng.permutation(FIRST).tolist()) for kind in KINDS}
    places = []
    for area, of_area in zip(areas, kinds, strict=True):
        slots = rng.permutation(12)[: len(of_area)].tolist()
        for kind, slot in zip(of_area, slots, strict=True):
            x, y = 1 + 4 * (slot % 3) + int(rng.integers(2)), 2 * (slot // 3) + int(rng.integers(2))
            places.append({"name": f"{next(firsts[kind])} {kind}", "kind": kind, "area": area, "x": x, "y": y})
    return areas, sorted(places, key=lambda place: str(place["name"]))


def nearest(place: Place, others: Sequence[Place]) -> Place | None:
    """The one of at least two others that is clearly nearest."""
    far = sorted(others, key=lambda each: _square(place, each))
    clear = len(far) > 1 and CLEARLY * _square(place, far[0]) <= _square(place, far[1])
    return far[0] if clear else None


def _square(one: Place, other: Place) -> int:
    return int((one["x"] - other["x"]) ** 2 + (one["y"] - other["y"]) ** 2)


def state(areas: Sequence[str], places: Sequence[Place], **saved: Sequence[str]) -> dict[str, Any]:
    """What the site keeps."""
    empty: dict[str, Any] = {"marks": [], "pins": [], "route": []}
    return {"areas": list(areas), "places": list(places), **empty, **{key: list(names) for key, names in saved.items()}}


class MapSite(SiteEnv):
    """What the tasks on the map share: find places, mark them and save."""

    document = "map"
    max_turns = 30

    def next(self, page: Mapping[str, Any]) -> Click | Write | None:
        """To the area of the next place, mark it there; save when all are marked."""
        now, path, goal = page["state"], page["path"], self.task.goal
        route, marks = self.wanted["route"], now["marks"]
        names = route or self.wanted["pins"]
        areas, places = now["areas"], {each["name"]: each for each in now["places"]}
        here = path[-1] if path[0] == "area" else areas[0] if path == [""] and len(areas) == 1 else None
        on_map = here in areas or path == [""]
        if marks != names[: len(marks)] if route else not set(marks) <= set(names):
            return Click("button", "Clear") if on_map else Click("link", "Map")
        rest = [places[name] for name in names if name not in marks]
        if not rest:
            button = "Save route" if route else "Save pins"
            return Click("button", button) if on_map else Click("link", "Map")
        place = next((each for each in rest if each["area"] == here and not route), rest[0])
        if place["area"] == here:
            return Click("button", f"{place['name']}, {'ABCDEFGHIJKL'[place['x']]}{place['y'] + 1}")
        if here in areas and not (route and self.level == 3):
            return Click("button", _way(areas.index(here), areas.index(place["area"])))
        if self.level < 3:
            return Click("link", place["area"] if path == [""] else "Map")
        # What the goal names can be looked up.
        told = [each for each in places.values() if each["name"] in goal and each["area"] == place["area"]]
        known = place if place["name"] in goal else next(iter(told), place)
        if path == ["kind", known["kind"]]:
            return Click("link", known["name"])
        return Click("link", known["kind"] if path == ["places"] else "Places")


def _way(here: int, there: int) -> str:
    if here % 2 != there % 2:
        return "East" if there % 2 else "West"
    return "South" if there > here else "North"


class MapNearest(MapSite):
    """Pin the place of a kind that is nearest to another place, whose area level 3 does not tell."""

    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw a city, a kind and a place."""
        while True:
            areas, places = city(rng, [_three(rng) for _ in range((1, 2, 4)[self.level - 1])])
            anchor, kind = places[rng.integers(len(places))], str(rng.choice(KINDS))
            found = nearest(anchor, _others(places, anchor, kind))
            if found and anchor["kind"] != kind:
                break
        book = f"In {anchor['area']}, pin" if self.level == 2 else "Pin"
        same = " in the same area" if self.level == 3 else ""
        goal = f"{book} the {kind} nearest to {anchor['name']}{same}, and save the pins."
        return task(goal, state(areas, places), state(areas, places, pins=[found["name"]]))


class MapRoute(MapSite):
    """Save a route; at level 2 through a third place, at level 3 this is the nearest one of a kind."""

    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw a city and the stops."""
        areas, places = city(rng, [_three(rng) for _ in range((1, 2, 4)[self.level - 1])])
        start = places[rng.integers(len(places))]
        near = [each for each in places if each["area"] == start["area"] and each is not start]
        through, end = (near[index] for index in rng.permutation(len(near))[:2].tolist())
        names = [start["name"], through["name"], end["name"]]
        if self.level == 3:
            return self._through_nearest(rng)
        if self.level == 1:
            names.pop(1)
            goal = f"Save a route from {names[0]} to {names[1]}."
        else:
            goal = f"In {start['area']}, save a route from {names[0]} through {names[1]} to {names[2]}."
        return task(goal, state(areas, places), state(areas, places, route=names))

    def _through_nearest(self, rng: np.random.Generator) -> SiteTask:
        while True:
            areas, places = city(rng, [_three(rng) for _ in range(4)])
            start, end = (places[index] for index in rng.permutation(len(places))[:2].tolist())
            kind = str(rng.choice(KINDS))
            through = nearest(start, _others(places, start, kind))
            if through and start["area"] != end["area"] and start["kind"] != kind:
                break
        goal = f"Save a route from {start['name']} through the {kind} nearest to it in the same area, to {end['name']}."
        names = [start["name"], through["name"], end["name"]]
        return task(goal, state(areas, places), state(areas, places, route=names))


class MapKind(MapSite):
    """Pin the places of two kinds; at level 3 all places of one kind, wherever they are."""

    def make(self, rng: np.random.Generator) -> SiteTask:
        """Draw a city and the kinds."""
        first, second = rng.permutation(KINDS)[:2].tolist()
        if self.level == 3:
            shuffled = rng.permutation(KINDS * 3).reshape(4, 6).tolist()
            areas, places = city(rng, shuffled)
            chosen = [each for each in places if each["kind"] == first]
            goal = f"Pin every {first} in all areas"
        else:
            areas, places = city(rng, [KINDS] * self.level)
            area = areas[rng.integers(len(areas))]
            chosen = [each for each in places if each["area"] == area and each["kind"] in (first, second)]
            goal = f"{f'In {area}, pin' if self.level == 2 else 'Pin'} the {first} and the {second}"
        pins = sorted(each["name"] for each in chosen)
        return task(f"{goal}, and save the pins.", state(areas, places), state(areas, places, pins=pins))


def _three(rng: np.random.Generator) -> list[str]:
    """Kinds of the places of an area: three of two kinds, one of two others."""
    one, two, third, fourth = (str(kind) for kind in rng.permutation(KINDS)[:4])
    return [one] * 3 + [two] * 3 + [third, fourth]


def _others(places: Sequence[Place], place: Place, kind: str) -> list[Place]:
    return [each for each in places if each["kind"] == kind and each["area"] == place["area"] and each is not place]
