"""Goals in words: several phrasings of each, and expressions that single out one of several things alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from saccade.envs.embodied.arm.things import Thing

APART = 60
"""Millimetres by which a relation must hold to be said."""


def phrase(rng: np.random.Generator, phrasings: Sequence[str], *names: str) -> str:
    """One of the phrasings, with the names filled in."""
    return phrasings[int(rng.integers(len(phrasings)))].format(*names)


def refer(rng: np.random.Generator, things: Sequence[Thing], index: int) -> str | None:
    """`the red cube`, or `the red cube on the left`, `the red cube nearer to the blue brick` where two are alike.

    `None` where no relation holds clearly.
    """
    target = things[index]
    twins = [each for i, each in enumerate(things) if i != index and each.name == target.name]
    if not twins:
        return f"the {target.name}"
    said = [f"the {target.name} {relation}" for relation in _sides(target, twins)]
    for landmark in things:
        if sum(each.name == landmark.name for each in things) == 1:
            nearest = min(_distance(twin, landmark) for twin in twins)
            if _distance(target, landmark) + APART <= nearest:
                said.append(f"the {target.name} nearer to the {landmark.name}")
            furthest = max(_distance(twin, landmark) for twin in twins)
            if _distance(target, landmark) >= furthest + APART:
                said.append(f"the {target.name} farther from the {landmark.name}")
    return said[int(rng.integers(len(said)))] if said else None


def _sides(target: Thing, twins: Sequence[Thing]) -> list[str]:
    sides = {
        "on the left": [twin.x - target.x for twin in twins],
        "on the right": [target.x - twin.x for twin in twins],
        "at the top": [target.y - twin.y for twin in twins],
        "at the bottom": [twin.y - target.y for twin in twins],
    }
    return [side for side, leads in sides.items() if min(leads) >= APART]


def _distance(one: Thing, other: Thing) -> float:
    return math.dist((one.x, one.y), (other.x, other.y))
