"""Tasks that work what stands on the table: drawers, buttons and knobs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from saccade.envs.embodied.arm.env import ArmEnv, Scene
from saccade.envs.embodied.arm.furniture import BUTTON_TRAVEL, DRAWER_TRAVEL, Furniture, radius
from saccade.envs.embodied.arm.things import COLOURS, find_room
from saccade.envs.embodied.arm.words import phrase
from saccade.envs.episode import Demo

OPEN, SHUT = 0.65, 0.2
"""A drawer that is open more, or less, than this share of its way counts as open, or shut."""
DOWN = 0.7 * BUTTON_TRAVEL
AS_ASKED, UNTOUCHED = math.radians(20), math.radians(40)
"""How exactly a knob is to be turned, and how far another may be."""


class OpenDrawer(ArmEnv):
    """Open the named drawer; moving another one fails.

    Levels: 1 for one drawer, 2 for two, 3 for one to open and one to shut, of three.
    """

    instructions = "Use the arm to open or shut the drawers that are named."
    verbs = ("pull",)
    turns: ClassVar = {1: 4, 2: 4, 3: 6}
    PHRASINGS = ("Open the {}.", "Pull the {} open.", "Slide out the {}.")
    BOTH = ("Open the {} and shut the {}.", "Pull the {} open, and push the {} in.")

    def layout(self, rng: np.random.Generator) -> Scene:
        """Chests side by side; `wanted` holds a drawer and whether it is to be open."""
        colours = rng.permutation(COLOURS).tolist()[: self.level]
        items = []
        flip = int(rng.integers(2)) if self.level < 3 else 0
        for index, colour in enumerate(colours):
            x = (
                150 * index
                - 75 * (self.level - 1)
                + int(rng.integers(-12, 13) if self.level > 1 else rng.integers(-120, 121))
            )
            # The chest stands at the back and opens to the front, or the other way round.
            y = int(rng.integers(50, 81)) if not flip else int(rng.integers(-150, -119))
            yaw = 180 * flip + int(rng.integers(-9, 10) if self.level > 1 else rng.integers(-25, 26))
            start = 0.9 if self.level == 3 and index == 1 else 0.0
            items.append(Furniture("drawer", colour, x, y, yaw, start))
        names = [item.name for item in items]
        if self.level == 3:
            order = rng.permutation(3).tolist()  # the open one is not always in the middle
            places = [(item.x, item.y, item.yaw) for item in items]
            items = [
                replace(i, x=places[at][0], y=places[at][1], yaw=places[at][2])
                for i, at in zip(items, order, strict=True)
            ]
            return Scene(phrase(rng, self.BOTH, *names[:2]), ((0, 1), (1, 0)), items=tuple(items))
        # Two stand in the order in which they were drawn, so that either of them must be the one to open.
        target = int(rng.integers(2)) if self.level == 2 else 0
        return Scene(phrase(rng, self.PHRASINGS, names[target]), ((target, 1),), items=tuple(items))

    def reached(self) -> dict[str, bool]:
        """Which drawers are as they should be."""
        return {
            f"{self.content.items[item].name}": self._share(item) > OPEN if is_open else self._share(item) < SHUT
            for item, is_open in self.content.wanted
        }

    def failed(self) -> bool:
        """Another drawer was moved."""
        wanted = {item for item, _ in self.content.wanted}
        return any(abs(self.part(item)) > 0.5 * DRAWER_TRAVEL for item in range(len(self.items)) if item not in wanted)

    def potential(self) -> float:
        """How far the drawers are on their ways."""
        shares = [self._share(item) if is_open else 1 - self._share(item) for item, is_open in self.content.wanted]
        return sum(shares) / len(shares)

    def solve(self) -> Demo:
        """Pull, or push, the first that is not as it should be, a little too far."""
        done = self.reached().values()
        item, is_open = next(pair for pair, there in zip(self.content.wanted, done, strict=True) if not there)
        share, body = self._share(item), self.items[item]
        out = -self.simulation.data.xmat[body].reshape(3, 3)[:, 1]
        way = (1.15 - share if is_open else -0.15 - share) * DRAWER_TRAVEL
        return self.say("pull", (body, None), (body, self.place_of(body) + way * out))

    def _share(self, item: int) -> float:
        return self.content.items[item].start + self.part(item) / DRAWER_TRAVEL


class PressButton(ArmEnv):
    """Press the named button; pressing another one fails.

    Levels: 1 for two buttons, 2 for four, 3 for two of four in the order that is told.
    """

    instructions = "Use the arm to press what is named, and nothing else."
    verbs = ("press",)
    turns: ClassVar = {1: 3, 2: 3, 3: 5}
    PHRASINGS = ("Press the {}.", "Push the {} down.", "Hit the {}.")
    BOTH = ("Press the {}, then the {}.", "First press the {}, after that the {}.")

    def layout(self, rng: np.random.Generator) -> Scene:
        """Buttons; `wanted` holds them in order."""
        colours = rng.permutation(COLOURS).tolist()[: 2 if self.level == 1 else 4]
        while True:
            room = find_room(rng, len(colours), radius("button"), (-220, 220, -220, 110), 20, ())
            if room:
                items = tuple(Furniture("button", colour, x, y) for colour, (x, y) in zip(colours, room, strict=True))
                count = 2 if self.level == 3 else 1
                said = phrase(rng, self.BOTH if count == 2 else self.PHRASINGS, *(item.name for item in items[:count]))
                return Scene(said, tuple((index,) for index in range(count)), items=items)

    def settle(self) -> None:
        """Nothing was pressed yet."""
        self.memory["pressed"] = []
        super().settle()

    def watch(self) -> None:
        """Note what is down."""
        pressed: list[int] = self.memory["pressed"]
        for item in range(len(self.items)):
            if self.part(item) > DOWN and pressed[-1:] != [item]:
                pressed.append(item)

    def reached(self) -> dict[str, bool]:
        """Which presses were done."""
        pressed = self.memory["pressed"]
        wanted = [item for (item,) in self.content.wanted]
        return {
            f"{self.content.items[item].name}": pressed[: index + 1] == wanted[: index + 1]
            for index, item in enumerate(wanted)
        }

    def failed(self) -> bool:
        """Another button was pressed, or in another order."""
        pressed: list[int] = self.memory["pressed"]
        return pressed != [item for (item,) in self.content.wanted][: len(pressed)]

    def solve(self) -> Demo:
        """Press the next one."""
        item = self.items[self.content.wanted[len(self.memory["pressed"])][0]]
        return self.say("press", (item, None))


class TurnKnob(ArmEnv):
    """Turn the named knob as asked; turning another one fails.

    Levels: 1 for one knob and quarter turns, 2 for three knobs, quarter and half turns, 3 for two of three knobs.
    """

    instructions = "Use the arm to turn the knobs that are named."
    verbs = ("turn",)
    turns: ClassVar = {1: 4, 2: 4, 3: 7}
    PHRASINGS = ("Turn the {} {}.", "Rotate the {} {}.", "Give the {} {}.")
    BOTH = ("Turn the {} {} and the {} {}.", "Rotate the {} {}, and the {} {}.")
    TURNS: ClassVar = {90: "a quarter turn to the left", -90: "a quarter turn to the right", 180: "half a turn"}

    def layout(self, rng: np.random.Generator) -> Scene:
        """Knobs; `wanted` holds them with degrees, counter-clockwise."""
        colours = rng.permutation(COLOURS).tolist()[: 1 if self.level == 1 else 3]
        while True:
            room = find_room(rng, len(colours), radius("knob"), (-200, 200, -200, 90), 45, ())
            if room:
                yaws = rng.integers(-89, 91, size=len(room)).tolist()
                items = tuple(
                    Furniture("knob", colour, x, y, yaw)
                    for colour, (x, y), yaw in zip(colours, room, yaws, strict=True)
                )
                turns = rng.choice((90, -90) if self.level == 1 else (90, -90, 180), size=2).tolist()
                wanted = tuple(enumerate(turns[: 2 if self.level == 3 else 1]))
                names = [word for item, turn in wanted for word in (items[item].name, self.TURNS[turn])]
                said = phrase(rng, self.BOTH if self.level == 3 else self.PHRASINGS, *names)
                return Scene(said, wanted, items=items)

    def reached(self) -> dict[str, bool]:
        """Which knobs are turned as asked."""
        return {
            f"{self.content.items[item].name}": abs(self._left(item, turn)) < AS_ASKED
            for item, turn in self.content.wanted
        }

    def failed(self) -> bool:
        """Another knob was turned."""
        wanted = {item for item, _ in self.content.wanted}
        return any(abs(self.part(item)) > UNTOUCHED for item in range(len(self.items)) if item not in wanted)

    def potential(self) -> float:
        """How little is left to turn."""
        left = [abs(self._left(item, turn)) for item, turn in self.content.wanted]
        return 1.0 - min(1.0, sum(left) / len(left) / math.pi)

    def solve(self) -> Demo:
        """Turn the first that is not as asked by what is left."""
        done: Any = self.reached().values()
        item, turn = next(pair for pair, there in zip(self.content.wanted, done, strict=True) if not there)
        left = round(math.degrees(self._left(item, turn)))
        return self.say("turn", (self.items[item], None), left)

    def _left(self, item: int, turn: int) -> float:
        """What is left to turn, in radians, the shorter way."""
        return (math.radians(turn) - self.part(item) + math.pi) % (2 * math.pi) - math.pi
