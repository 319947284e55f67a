"""Tasks that put things somewhere: on plates, on each other, into boxes, on regions of their colour."""

from __future__ import annotations

import itertools
import math
from abc import abstractmethod
from typing import ClassVar

import numpy as np

from saccade.envs.embodied.arm.env import ArmEnv, Scene
from saccade.envs.embodied.arm.furniture import BOX, BOX_HEIGHT, PLATE, PLATE_HEIGHT, REGION, Furniture, radius
from saccade.envs.embodied.arm.kinematics import Array
from saccade.envs.embodied.arm.things import COLOURS, Thing, draw_alike, draw_looks, find_room, scatter
from saccade.envs.embodied.arm.words import phrase
from saccade.envs.episode import Demo

ITEM_AREA = (-200, 200, -200, 100)
SLACK = 0.006
"""Metres by which the height of what was put down may be wrong."""


class PutSomewhere(ArmEnv):
    """Base of tasks whose goal is pairs of a thing and where it belongs; sub-goals are pairs."""

    verbs = ("pick", "place")

    @abstractmethod
    def there(self, thing: int, goal: int) -> bool:
        """Whether a thing, which was let go of, is where it belongs."""

    @abstractmethod
    def spot(self, thing: int, goal: int) -> tuple[int, Array]:
        """A body and a point on it to put the thing down at."""

    def reached(self) -> dict[str, bool]:
        """Which things are where they belong."""
        return {
            f"{self.content.things[thing].name} {thing}": self.lies(thing) and self.there(thing, goal)
            for thing, goal in self.content.wanted
        }

    def solve(self) -> Demo | None:
        """Put down what is held where it belongs, else pick up the first that is not there yet."""
        wanted = dict(self.content.wanted)
        held = next((index for index in range(len(self.things)) if self.holds(index)), None)
        if held is None:
            done = self.reached().values()
            thing = next(pair[0] for pair, there in zip(self.content.wanted, done, strict=True) if not there)
            return self.say("pick", (self.things[thing], None))
        if held in wanted:
            return self.say("place", self.spot(held, wanted[held]))
        if self.reading.targets == "marks":
            return None  # the free table has no mark
        start = self.content.things[held]  # back to where it came from
        return self.say("place", (0, np.array([start.x, start.y, 0]) / 1000))

    def furnish(
        self, rng: np.random.Generator, kind: str, colours: list[str], looks: list[tuple[str, str]], gap: int = 46
    ) -> tuple[tuple[Furniture, ...], tuple[Thing, ...]] | None:
        """Items of one kind and things beside them, or `None` without room."""
        room = find_room(rng, len(colours), radius(kind), ITEM_AREA, 12, ())
        if not room:
            return None
        yaws = [int(rng.integers(-20, 21)) if kind == "box" else 0 for _ in room]
        items = tuple(Furniture(kind, c, x, y, yaw) for c, (x, y), yaw in zip(colours, room, yaws, strict=True))
        things = scatter(rng, looks, taken=[(x, y, radius(kind)) for x, y in room], gap=gap)
        return (items, things) if things else None


class PlaceOn(PutSomewhere):
    """Put the named thing on the named plate.

    Levels: 1 for one of each, 2 for three things and two plates, 3 for two of four things that share colours and
    shapes, and three plates.
    """

    instructions = "Use the arm to put things on the plates that are named."
    turns: ClassVar = {1: 4, 2: 5, 3: 8}
    PHRASINGS = ("Put the {} on the {}.", "Place the {} on the {}.", "The {} belongs on the {}.")
    BOTH = ("Put the {} on the {} and the {} on the {}.", "Place the {} on the {}, and the {} on the {}.")

    def layout(self, rng: np.random.Generator) -> Scene:
        """Things and plates."""
        while True:
            looks = draw_alike(rng, 4) if self.level == 3 else draw_looks(rng, {1: 1, 2: 3}[self.level])
            colours = rng.permutation(COLOURS).tolist()[: self.level]
            found = self.furnish(rng, "plate", colours, looks)
            if found:
                items, things = found
                pairs = [(thing, plate) for plate, thing in enumerate(rng.permutation(len(things)).tolist()[:2])]
                pairs = pairs if self.level == 3 else pairs[:1]
                names = [name for thing, plate in pairs for name in (things[thing].name, items[plate].name)]
                said = phrase(rng, self.BOTH if self.level == 3 else self.PHRASINGS, *names)
                return Scene(said, tuple(pairs), things, items)

    def there(self, thing: int, goal: int) -> bool:
        """Its middle is over the plate, and it lies on it."""
        place, plate = self.place_of(self.things[thing]), self.place_of(self.items[goal])
        lowest = place[2] - self.skills.solids.half_height(self.things[thing])
        return math.dist(place[:2], plate[:2]) < PLATE and abs(lowest - PLATE_HEIGHT) < SLACK

    def spot(self, thing: int, goal: int) -> tuple[int, Array]:
        """The middle of the plate."""
        return self.items[goal], self.place_of(self.items[goal])


class StackUp(PutSomewhere):
    """Stack the named things.

    Levels: 1 for two things, 2 for one on another of four, 3 for a tower of three of four.
    """

    instructions = "Use the arm to stack what is named."
    turns: ClassVar = {1: 4, 2: 5, 3: 8}
    PHRASINGS = ("Stack the {} on the {}.", "Put the {} on top of the {}.", "Build a tower: the {} on the {}.")
    TOWER = ("Stack the {1} on the {2}, and the {0} on top.", "Build a tower: the {0} on the {1} on the {2}.")

    def layout(self, rng: np.random.Generator) -> Scene:
        """Cubes and cylinders."""
        shapes = ("cube", "cylinder")
        while True:
            looks = draw_alike(rng, 4, shapes) if self.level == 3 else draw_looks(rng, 2 * self.level, shapes)
            things = scatter(rng, looks)
            if things:
                tower = rng.permutation(len(things)).tolist()[: 3 if self.level == 3 else 2]  # the top first
                names = [things[index].name for index in tower]
                said = phrase(rng, self.TOWER if self.level == 3 else self.PHRASINGS, *names)
                # What lies lowest is put down first.
                return Scene(said, tuple(reversed(list(itertools.pairwise(tower)))), things)

    def there(self, thing: int, goal: int) -> bool:
        """It lies on the other one, and on nothing else."""
        upper, lower = self.things[thing], self.things[goal]
        solids = self.skills.solids
        gap = self.place_of(upper)[2] - self.place_of(lower)[2] - solids.half_height(upper) - solids.half_height(lower)
        return abs(gap) < SLACK and lower in self.simulation.touching(upper)

    def spot(self, thing: int, goal: int) -> tuple[int, Array]:
        """The middle of the lower one's top."""
        body = self.things[goal]
        return body, self.place_of(body) + np.array([0, 0, self.skills.solids.half_height(body)])


class PutIn(PutSomewhere):
    """Put things into a box.

    Levels: 1 for one thing and one box, 2 for one of three things and two boxes, 3 for both of four things that have a
    colour in common.
    """

    instructions = "Use the arm to put things into the boxes that are named."
    turns: ClassVar = {1: 4, 2: 5, 3: 8}
    PHRASINGS = ("Put the {} into the {}.", "Drop the {} in the {}.", "The {} belongs in the {}.")
    EVERY = ("Put every {} thing into the {}.", "Collect all that is {} in the {}.")

    def layout(self, rng: np.random.Generator) -> Scene:
        """Things and boxes; no box has the colour of a thing."""
        while True:
            looks = draw_alike(rng, 4) if self.level == 3 else draw_looks(rng, {1: 1, 2: 3}[self.level])
            free = [colour for colour in rng.permutation(COLOURS).tolist() if colour not in dict(looks)]
            found = self.furnish(rng, "box", free[: min(self.level, 2)], looks, gap=40)
            if not found:
                continue
            items, things = found
            if self.level == 3:
                colour = things[0].colour
                pairs = tuple((i, 0) for i, thing in enumerate(things) if thing.colour == colour)
                return Scene(phrase(rng, self.EVERY, colour, items[0].name), pairs, things, items)
            thing = int(rng.integers(len(things)))
            return Scene(phrase(rng, self.PHRASINGS, things[thing].name, items[0].name), ((thing, 0),), things, items)

    def there(self, thing: int, goal: int) -> bool:
        """Its middle is between the walls."""
        place = self.place_of(self.things[thing])
        axes = self.simulation.data.xmat[self.items[goal]].reshape(3, 3)
        inside = np.abs(axes.T @ (place - self.place_of(self.items[goal])))[:2].max() < BOX
        return bool(inside) and bool(place[2] < 2.5 * BOX_HEIGHT)

    def spot(self, thing: int, goal: int) -> tuple[int, Array]:
        """The middle of the box, or of the half that is free."""
        box = self.place_of(self.items[goal])
        pairs = [each for each, home in self.content.wanted if home == goal]
        if len(pairs) == 1:
            return self.items[goal], box
        side = self.simulation.data.xmat[self.items[goal]].reshape(3, 3)[:, 0]
        inside = [self.place_of(self.things[each]) for each in pairs if each != thing and self.there(each, goal)]
        taken = sum(float((place - box) @ side) for place in inside)
        return self.items[goal], box + (0.026 if taken <= 0 else -0.026) * side


class SortColours(PutSomewhere):
    """Put every thing on the region of its colour.

    Levels: 1 for two things, 2 for three, 3 for six on three regions.
    """

    instructions = "Use the arm to put every thing on the region of its own colour."
    turns: ClassVar = {1: 6, 2: 9, 3: 18}
    PHRASINGS = (
        "Sort the things by colour.",
        "Put every thing on the region of its colour.",
        "Bring each thing to where its colour is painted.",
    )

    def layout(self, rng: np.random.Generator) -> Scene:
        """Regions in a row, and things beside them."""
        while True:
            colours = rng.permutation(COLOURS).tolist()[: 2 if self.level == 1 else 3]
            shapes = rng.permutation(("cube", "cylinder", "cube", "cylinder", "cube", "cylinder")).tolist()
            looks = [(colours[i % len(colours)], shapes[i]) for i in range({1: 2, 2: 3, 3: 6}[self.level])]
            row = 150 if len(colours) == 3 else 210
            left, y = -row * (len(colours) - 1) // 2, -165 + int(rng.integers(-15, 16))
            items = tuple(
                Furniture("region", colour, left + row * i + int(rng.integers(-10, 11)), y)
                for i, colour in enumerate(colours)
            )
            area = (-230, 230, y + 62 + 30, 120)
            things = scatter(rng, looks, area, [(i.x, i.y, radius("region")) for i in items], 34)
            if things:
                home = {item.colour: index for index, item in enumerate(items)}
                pairs = tuple((index, home[thing.colour]) for index, thing in enumerate(things))
                return Scene(phrase(rng, self.PHRASINGS), pairs, things, items)

    def there(self, thing: int, goal: int) -> bool:
        """Its middle is on the region."""
        return math.dist(self.place_of(self.things[thing])[:2], self.place_of(self.items[goal])[:2]) < REGION

    def spot(self, thing: int, goal: int) -> tuple[int, Array]:
        """The middle of the region, or of the half that is free."""
        region = self.place_of(self.items[goal])
        pairs = [each for each, home in self.content.wanted if home == goal]
        if len(pairs) == 1:
            return self.items[goal], region
        inside = [self.place_of(self.things[each]) for each in pairs if each != thing and self.there(each, goal)]
        taken = sum(float(place[0] - region[0]) for place in inside)
        return self.items[goal], region + np.array([0.034 if taken <= 0 else -0.034, 0, 0])
