"""Errands of the mobile robot: go to an object, go to a room, go and touch nothing, fetch.

env = gym.make("saccade/GoTo-v0", level=2)
observation, info = env.reset(seed=0)    # "Go to the red cube." and what the robot sees
env.step("turn(-40)")
env.step("forward(1.2)")
env.step("done()")                       # the robot's centre is at most 0.55 m from the cube
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from saccade.envs.actions import Call, verb
from saccade.envs.core import Outcome
from saccade.envs.embodied.rover.base import RovingEnv, said
from saccade.envs.embodied.rover.houses import (
    AISLE,
    COLOURS,
    ROOM,
    START,
    Door,
    House,
    Point,
    anywhere,
    draw_looks,
    draw_rooms,
    furnished,
    in_room,
    mats,
    scatter,
)
from saccade.envs.embodied.rover.robot import REACH
from saccade.envs.embodied.rover.ways import Places, near
from saccade.envs.episode import Demo

DONE = verb("done", "Say that you are there: it ends the task.")
CLOSE = 0.55
"""Metres from the robot's centre to the surface of an object that it has gone to."""
HALL = (((0, 0), (1, 0)), (Door(0, 1, 0, ROOM),))
"""Two rooms without a wall between them."""


class GoTo(RovingEnv):
    """Go to the named object and say so.

    Levels: 1 for one object, 2 for three of different colours, 3 for four that share two colours and two shapes in two
    rooms.
    """

    max_turns = 15
    verbs = (DONE,)
    phrases: ClassVar = ("Go to the {}.", "Drive to the {} and stop next to it.", "Find the {} and stand before it.")

    def layout(self, rng: np.random.Generator) -> House:
        """One room, or two with a door."""
        looks = draw_looks(rng, self.level, (1, 3, 4)[self.level - 1])
        return furnished(rng, looks, 2 if self.level == 3 else 1, (100, 140), 260, len(self.phrases))

    def goal(self) -> str:
        """Names the object."""
        return self.phrases[self.content.phrase].format(self.content.words)

    def perform(self, call: Call) -> str | Outcome:
        """Drive, look, or be done."""
        if call.verb != "done":
            return super().perform(call)
        self.memory["done"] = True
        return "Done."

    def reached(self) -> Mapping[str, bool]:
        """Near the object, and said so."""
        return {"near": self.gap(self.content.target) <= CLOSE, "done": "done" in self.memory}

    def failed(self) -> bool:
        """Done elsewhere."""
        return "done" in self.memory and not self.reached()["near"]

    def potential(self) -> float:
        """How much of the way is behind the robot, as the crow flies."""
        goal = self.things[self.content.target]
        return _share(self.content, (goal.x, goal.y), self.rover.place)

    def plan(self) -> Demo | None:
        """Drive up to it, look at it, and be done."""
        target, reach = self.content.target, self.things[self.content.target].reach / 1000
        place = self.place_of(target)
        there = self.gap(target) <= CLOSE
        action = self.turning(place, 15) or "done()" if there else self.towards(near(place, 0, reach + CLOSE - 0.05))
        return self.turn_of(action, self.thought_of(target)) if action else None


class GoToRoom(RovingEnv):
    """Go to the room whose floor has the named colour, through others, and say so.

    Levels: 1 for two rooms, 2 for three, 3 for four.
    """

    max_turns = 30
    verbs = (DONE,)
    phrases: ClassVar = (
        "Go to the room with the {} floor.",
        "Find the room whose floor is {} and stop in it.",
        "Drive into the {} room.",
    )

    def layout(self, rng: np.random.Generator) -> House:
        """Rooms with floors of different colours; the robot starts in another one than that to go to."""
        rooms, doors = draw_rooms(rng, self.level + 1)
        floors = tuple(COLOURS[index] for index in rng.permutation(len(COLOURS))[: len(rooms)])
        target = int(rng.integers(1, len(rooms)))
        x, y = in_room(rng, rooms, 0, START + 50)
        return House(
            (round(x), round(y), int(rng.integers(24)) * 15),
            rooms,
            doors,
            target=target,
            floors=floors,
            words=floors[target],
            phrase=int(rng.integers(len(self.phrases))),
        )

    def goal(self) -> str:
        """Names the colour of the floor."""
        return self.phrases[self.content.phrase].format(self.content.words)

    def perform(self, call: Call) -> str | Outcome:
        """Drive, look, or be done."""
        if call.verb != "done":
            return super().perform(call)
        self.memory["done"] = True
        return "Done."

    def reached(self) -> Mapping[str, bool]:
        """In the room, and said so."""
        x, y = self.rover.place
        return {
            "inside": self.content.room_of(x * 1000, y * 1000) == self.content.target,
            "done": "done" in self.memory,
        }

    def failed(self) -> bool:
        """Done elsewhere."""
        return "done" in self.memory and not self.reached()["inside"]

    def potential(self) -> float:
        """How much of the way is behind the robot, as the crow flies."""
        return _share(self.content, self.content.middle(self.content.target), self.rover.place)

    def plan(self) -> Demo | None:
        """Drive into the middle of the room, and be done."""
        x, y = self.content.middle(self.content.target)
        action = "done()" if self.reached()["inside"] else self.towards(near((x / 1000, y / 1000), 0, 0.7))
        return self.turn_of(action, f"{self.content.words} floor") if action else None


class Avoid(RovingEnv):
    """Drive onto the black disc and touch nothing on the way.

    Levels: 1 for two pillars, 2 for four, 3 for five in two rooms with a door.
    """

    max_turns = 30
    phrases: ClassVar = (
        "Drive onto the black disc and touch nothing.",
        "Go to the black disc without bumping into anything.",
        "Stop on the black disc. Keep clear of the objects.",
    )

    def layout(self, rng: np.random.Generator) -> House:
        """A hall with things in it, the robot at one end and the disc at the other."""
        rooms, doors = HALL if self.level < 3 else draw_rooms(rng, 2)
        while True:
            x, y = in_room(rng, rooms, 0, START + 200)
            pad = in_room(rng, rooms, 1, START + 200)
            looks = [(colour, "cylinder") for colour, _ in draw_looks(rng, 2, (2, 4, 5)[self.level - 1])]
            keep = [(x, y, 560.0), (*pad, 560.0), *(mats(rooms, doors) if self.level == 3 else ())]
            things = scatter(rng, looks, (110, 150), lambda: anywhere(rng, rooms, 170), AISLE, keep)
            if things and math.dist((x, y), pad) > 1800:
                return House(
                    (round(x), round(y), int(rng.integers(24)) * 15),
                    rooms,
                    doors,
                    things,
                    pad=(round(pad[0]), round(pad[1])),
                    phrase=int(rng.integers(len(self.phrases))),
                )

    def goal(self) -> str:
        """The same place, in different words."""
        return self.phrases[self.content.phrase]

    def perform(self, call: Call) -> str | Outcome:
        """Drive or look, and mind what was touched."""
        told = super().perform(call)
        if not self.touched():
            return told
        self.memory["bumped"] = self.touched()
        return f"Bumped into the {self.things[self.touched()[0]].name}."

    def reached(self) -> Mapping[str, bool]:
        """On the disc, and nothing was touched."""
        return {"there": self._away() <= 0.3, "clear": "bumped" not in self.memory}

    def failed(self) -> bool:
        """Something was touched."""
        return "bumped" in self.memory

    def potential(self) -> float:
        """How much of the way is behind the robot, as the crow flies."""
        return _share(self.content, self.content.pad, self.rover.place)

    def plan(self) -> Demo | None:
        """The shortest way that keeps its distance."""
        x, y = self.content.pad
        action = self.towards(near((x / 1000, y / 1000), 0, 0.2))
        return self.turn_of(action, "black disc") if action else None

    def _away(self) -> float:
        x, y = self.content.pad
        return math.dist(self.rover.place, (x / 1000, y / 1000))


class Fetch(RovingEnv):
    """Bring the named object to the black disc: grip it, carry it, let it go.

    Levels: 1 for one object, 2 for three of different colours, 3 for four that share two colours and two shapes in two
    rooms.
    """

    max_turns = 40
    loose = True
    verbs = (
        verb("grip", "Close the gripper on what is right before you, and lift it."),
        verb("release", "Put down what you hold."),
    )
    phrases: ClassVar = (
        "Bring the {} to the black disc.",
        "Fetch the {} and put it down on the black disc.",
        "The {} belongs on the black disc. Carry it there.",
    )

    def layout(self, rng: np.random.Generator) -> House:
        """One room, or two with a door, and a disc in one of them."""
        looks = draw_looks(rng, self.level, (1, 3, 4)[self.level - 1])
        return furnished(rng, looks, 2 if self.level == 3 else 1, (45, 55), 520, len(self.phrases), pad=True)

    def goal(self) -> str:
        """Names the object."""
        return self.phrases[self.content.phrase].format(self.content.words)

    def perform(self, call: Call) -> str | Outcome:
        """Drive, look, grip or release."""
        match call.verb:
            case "grip" if self.holding() is not None:
                return said("", "the gripper is not empty: release first")
            case "grip":
                self.rover.touched.clear()
                held = self.rover.grip()
                if held is None:
                    return said("The gripper closed and opened again.", "there is nothing to grip between the fingers")
                self.memory["gripped"] = sorted({*self.memory.get("gripped", ()), held - self._first})
                return f"Holding the {self.things[held - self._first].name}."
            case "release" if self.holding() is None:
                return said("", "the gripper is empty")
            case "release":
                self.rover.release()
                return "Released."
        return super().perform(call)

    def holding(self) -> int | None:
        """The thing between the fingers."""
        held = self.rover.held()
        return None if held is None else held - self._first

    def reached(self) -> Mapping[str, bool]:
        """The object was gripped, and lies on the disc."""
        return {
            "gripped": self.content.target in self.memory.get("gripped", ()),
            "delivered": self._lies(self.content.target),
        }

    def failed(self) -> bool:
        """Another one was brought."""
        others = (thing for thing in self.memory.get("gripped", ()) if thing != self.content.target)
        return any(self._lies(thing) for thing in others)

    def potential(self) -> float:
        """Half for the way to the object, half for its way to the disc."""
        target, pad = self.content.target, self._pad()
        start = self.things[target]
        brought = 1 - math.dist(self.place_of(target), pad) / math.dist((start.x / 1000, start.y / 1000), pad)
        return 0.5 * max(0.0, brought) + 0.5 * (self.holding() == target or self._lies(target))

    def plan(self) -> Demo | None:
        """Come near it, face it, drive up to it, grip it; the same for the disc."""
        target, held = self.content.target, self.holding()
        if held is not None and held != target:
            action: str | None = "release()"
        elif held is None:
            action = self._approach(self.place_of(target), target, "grip()", 0.03)
        else:
            action = self._approach(self._pad(), target, "release()", 0.12)
        return self.turn_of(action, self.thought_of(target) if held is None else "black disc") if action else None

    def _approach(self, point: Point, target: int, then: str, slack: float) -> str | None:
        """The next action that brings the gripper to a point, and `then` the one to be done there."""
        ground, here = self.ground(target), self.rover.place
        away = math.dist(here, point)
        if abs(away - REACH) <= slack and self.turning(point, 9) is None:
            return then
        if away < 0.5:  # too close to turn about it
            return self.going(-0.3)
        if away <= 1.3 and ground.free(here, _short_of(here, point, REACH), 0.24):
            return self.turning(point, 2) or self.going(away - REACH)

        def good(places: Places) -> NDArray[np.bool_]:
            good = near(point, 0.6, 1.2)(places)
            for index in np.flatnonzero(good):
                place = (float(places[index, 0]), float(places[index, 1]))
                good[index] = ground.free(place, _short_of(place, point, REACH), 0.26)
            return good

        return self.towards(good, without=None if self.holding() is None else target)

    def _lies(self, thing: int) -> bool:
        """Whether a thing rests on the disc, let go."""
        height = float(self.simulation.data.xpos[self._first + thing, 2])
        low = height < self.things[thing].half / 1000 + 0.02
        return low and self.rover.held() is None and math.dist(self.place_of(thing), self._pad()) <= 0.3

    def _pad(self) -> Point:
        x, y = self.content.pad
        return x / 1000, y / 1000


def _short_of(start: Point, end: Point, metres: float) -> Point:
    """The point of the straight way that is so far from its end."""
    share = max(0.0, 1 - metres / max(math.dist(start, end), 1e-9))
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])


def _share(house: House, goal: tuple[int, int], place: Point) -> float:
    """Share of the straight way from the start to a goal that is done, at least 0."""
    x, y, _ = house.robot
    whole = max(math.dist((x, y), goal), 1.0)
    return max(0.0, 1 - math.dist((place[0] * 1000, place[1] * 1000), goal) / whole)
