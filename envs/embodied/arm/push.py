"""`PushTo`: push things onto regions of the table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from saccade.envs.embodied.arm.env import ArmEnv, Scene
from saccade.envs.embodied.arm.furniture import REGION, Furniture, radius
from saccade.envs.embodied.arm.things import COLOURS, Thing, draw_looks, find_room, scatter
from saccade.envs.embodied.arm.words import phrase
from saccade.envs.embodied.tasks import distance_to_way
from saccade.envs.episode import Demo

AREA = (-170, 170, -170, 70)
"""Where things and regions are: the hand reaches behind a thing from everywhere."""
BEHIND = 75
"""How far behind a thing the hand comes down, from its middle."""
LANE = 75
"""Half the width that a push needs free of other things' middles, in millimetres."""


class PushTo(ArmEnv):
    """Push the named thing onto the named region.

    Levels: 1 for one of each, 2 for three things and two regions, 3 for two of three things, each to its own region.
    """

    instructions = "Use the arm to push things onto the regions that are named."
    verbs = ("push",)
    turns: ClassVar = {1: 4, 2: 4, 3: 8}
    PHRASINGS = ("Push the {} onto the {}.", "Move the {} to the {}.", "Shove the {} until it is on the {}.")
    BOTH = ("Push the {} onto the {} and the {} onto the {}.", "Move the {} to the {} and the {} to the {}.")

    def layout(self, rng: np.random.Generator) -> Scene:
        """Things and regions, with free lanes between."""
        while True:
            colours = rng.permutation(COLOURS).tolist()[: min(self.level, 2)]
            room = find_room(rng, len(colours), radius("region"), AREA, 10, ())
            looks = draw_looks(rng, {1: 1, 2: 3, 3: 3}[self.level], ("cube", "cylinder"))
            things = scatter(rng, looks, AREA, [(x, y, radius("region")) for x, y in room]) if room else None
            if not room or not things:
                continue
            items = tuple(Furniture("region", colour, x, y) for colour, (x, y) in zip(colours, room, strict=True))
            pairs = [(0, 0), (1, 1)] if self.level == 3 else [(0, 0)]
            if all(_free(things, items, thing, region) for thing, region in pairs) and not _cross(things, items, pairs):
                names = [name for thing, region in pairs for name in (things[thing].name, items[region].name)]
                said = phrase(rng, self.BOTH if self.level == 3 else self.PHRASINGS, *names)
                return Scene(said, tuple(pairs), things, items)

    def reached(self) -> dict[str, bool]:
        """Which things are on their regions."""
        return {
            self.content.things[thing].name: self.lies(thing) and self._off(thing, region) < REGION
            for thing, region in self.content.wanted
        }

    def potential(self) -> float:
        """How near the things are."""
        offs = [self._off(thing, region) for thing, region in self.content.wanted]
        return 1.0 - min(1.0, sum(offs) / len(offs))

    def solve(self) -> Demo:
        """Push the first that is not there yet, straight at the middle."""
        done = self.reached().values()
        thing, region = next(pair for pair, there in zip(self.content.wanted, done, strict=True) if not there)
        goal = self.items[region]
        return self.say("push", (self.things[thing], None), (goal, self.place_of(goal)))

    def _off(self, thing: int, region: int) -> float:
        return math.dist(self.place_of(self.things[thing])[:2], self.place_of(self.items[region])[:2])


def _free(things: Sequence[Thing], items: Sequence[Furniture], thing: int, region: int) -> bool:
    """Whether nothing else is in the lane, the hand's place behind the thing included."""
    start, goal = (things[thing].x, things[thing].y), (items[region].x, items[region].y)
    length = math.dist(start, goal)
    behind = tuple(s - BEHIND * (g - s) / length for s, g in zip(start, goal, strict=True))
    clear = all(
        distance_to_way((other.x, other.y), (behind[0], behind[1]), goal) > LANE
        for index, other in enumerate(things)
        if index != thing
    )
    return clear and 80 < length < 330 and behind[1] < 130


def _cross(things: Sequence[Thing], items: Sequence[Furniture], pairs: Sequence[tuple[int, int]]) -> bool:
    """Whether what was pushed first would be in the way of the second."""
    if len(pairs) == 1:
        return False
    pushed = items[pairs[0][1]]
    moved = Thing(
        *(things[pairs[0][0]].colour, things[pairs[0][0]].shape), pushed.x, pushed.y, things[pairs[0][0]].half, 0
    )
    return not _free([moved, *things[1:]], items, *pairs[1])
