"""`PickUp`: take the named thing into the hand."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from saccade.envs.embodied.arm.env import ArmEnv, Scene
from saccade.envs.embodied.arm.things import draw_looks, scatter
from saccade.envs.embodied.arm.words import phrase, refer
from saccade.envs.episode import Demo

PHRASINGS = ("Pick up {}.", "Lift {}.", "Take {} into the hand.")
LIFTED = 0.1
"""Metres above the table."""


class PickUp(ArmEnv):
    """Lift the named thing; lifting another one fails.

    Levels: 1 for two things, 2 for four, 3 for five of which two are alike but for where they lie.
    """

    instructions = "Use the arm to pick up what is named."
    verbs = ("pick",)
    turns: ClassVar = {1: 3, 2: 3, 3: 3}

    def layout(self, rng: np.random.Generator) -> Scene:
        """Things, and the one to lift."""
        while True:
            looks = draw_looks(rng, {1: 2, 2: 4, 3: 4}[self.level])
            placed = scatter(rng, [looks[0], *looks] if self.level == 3 else looks)
            text = refer(rng, placed, 0) if placed else None
            if placed and text:
                things = tuple(sorted(placed, key=lambda thing: thing.order))
                return Scene(phrase(rng, PHRASINGS, text), ((things.index(placed[0]),),), things)

    def reached(self) -> dict[str, bool]:
        """Grasped, then lifted."""
        ((target,),) = self.content.wanted
        held = self.holds(target)
        return {"grasped": held, "lifted": held and bool(self.place_of(self.things[target])[2] > LIFTED)}

    def failed(self) -> bool:
        """Another thing was lifted."""
        ((target,),) = self.content.wanted
        return any(self.holds(i) and self.place_of(b)[2] > LIFTED for i, b in enumerate(self.things) if i != target)

    def solve(self) -> Demo:
        """Pick it."""
        ((target,),) = self.content.wanted
        return self.say("pick", (self.things[target], None))
