"""Surveys of the mobile robot: look around first, then answer.

env = gym.make("saccade/Explore-v0", level=2)
observation, info = env.reset(seed=0)    # "How many red things are there in the rooms?"
env.step("turn(90)")
env.step("report(2)")

env = gym.make("saccade/BehindWall-v0", level=3)
observation, info = env.reset(seed=0)    # "How many red cubes are behind the wall?"
env.step('answer("2")')
"""

from __future__ import annotations

import math
import random
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

import numpy as np

from saccade.envs.actions import STR, Call, Param, verb
from saccade.envs.core import Outcome
from saccade.envs.embodied.rover.base import RovingEnv
from saccade.envs.embodied.rover.houses import (
    COLOURS,
    ROOM,
    SHAPES,
    START,
    Door,
    House,
    Point,
    Rooms,
    anywhere,
    draw_rooms,
    in_room,
    mats,
    scatter,
)
from saccade.envs.embodied.rover.robot import wrapped
from saccade.envs.embodied.rover.ways import near
from saccade.envs.episode import Demo

MOST = 4
"""The largest number that is ever right; all from 0 on are equally likely."""
SPOT = 0.7
"""Metres around the middle of a place from which a look into it counts."""
HALVES, APART = (80, 110), 120
"""Of things, and the least gap between two of them."""
WIDE = 100
"""Degrees between two looks that leave nothing out: the picture is 90 wide, and things are not points."""
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
Look = tuple[str, str]
"""Colour and shape."""


class Survey(RovingEnv):
    """Look around at every spot, then answer; a wrong answer ends the task too."""

    @abstractmethod
    def spots(self) -> Sequence[Point]:
        """From where to look around, in metres."""

    def perform(self, call: Call) -> str | Outcome:
        """Answer, or drive and look, and note what came into view."""
        if call.verb in ("report", "answer"):
            self.memory["answer"] = plain(str(next(iter(call.args.values()))))
            return "Answered."
        told = super().perform(call)
        self._note()
        return told

    def settle(self) -> None:
        """What is seen at the start counts."""
        super().settle()
        self._note()

    def reached(self) -> Mapping[str, bool]:
        """The answer is right."""
        return {"answered": self.memory.get("answer") == self.content.answer}

    def failed(self) -> bool:
        """The answer is wrong."""
        return "answer" in self.memory and not self.reached()["answered"]

    def potential(self) -> float:
        """Share of the spots that were looked around at."""
        spots = range(len(self.spots()))
        return sum(self._missing(spot) is None for spot in spots) / len(spots)

    def plan(self) -> Demo | None:
        """Go to the nearest spot that was not looked around at, look, and answer when there is none."""
        here = self.rover.place
        left = [spot for spot in range(len(self.spots())) if self._missing(spot) is not None]
        if not left:
            name = "report" if "report" in self.action_format.verbs else "answer"
            written = self.content.answer if name == "report" else f'"{self.content.answer}"'
            return self.turn_of(f"{name}({written})", self.content.answer)
        spot = min(left, key=lambda each: math.dist(here, self.spots()[each]))
        if math.dist(here, self.spots()[spot]) > SPOT:
            action = self.towards(near(self.spots()[spot], 0, SPOT - 0.15))
            return self.turn_of(action, f"{self.content.words}?") if action else None
        missing = self._missing(spot)
        assert missing is not None
        pan, _ = self.rover.gaze
        off = wrapped(missing - self.rover.heading)
        if abs(off) <= 90 and abs(off - pan) > 5:
            return self.turn_of(f"look({off:.0f}, -15)", f"{self.content.words}?")
        return self.turn_of(self.rotating(off), f"{self.content.words}?")

    def _note(self) -> None:
        """Remember the direction of this look for the spot that the robot stands in."""
        for spot, point in enumerate(self.spots()):
            if math.dist(self.rover.place, point) <= SPOT:
                looks = self.memory.setdefault("looks", {}).setdefault(str(spot), [])
                looks.append(round(self.rover.heading + self.rover.gaze[0]) % 360)
                looks[:] = sorted(set(looks))

    def _missing(self, spot: int) -> float | None:
        """A direction that was not looked in from a spot: the next one to the left of a look; `None` if none is."""
        looks: list[int] = self.memory.get("looks", {}).get(str(spot), [])
        if not looks:
            return self.rover.heading
        gaps = [(there - here) % 360 or 360 for here, there in zip(looks, looks[1:] + looks[:1], strict=True)]
        widest = max(range(len(gaps)), key=gaps.__getitem__)
        if gaps[widest] <= WIDE:
            return None
        return looks[widest] + gaps[widest] / math.ceil(gaps[widest] / WIDE)


class Explore(Survey):
    """Count the named things in all rooms and report their number.

    Levels: 1 for one room and things of a colour, 2 for two rooms, 3 for three rooms and things of a colour and shape.
    """

    max_turns = 50
    verbs = (verb("report", "Say how many there are: it ends the task.", count=Param("int")),)
    phrases: ClassVar = (
        "How many {} are there in the rooms?",
        "Count the {} in this place and report how many there are.",
        "Look into every room: how many {} do you find?",
    )

    def layout(self, rng: np.random.Generator) -> House:
        """Rooms with as many of the things in question as the answer says, and others."""
        answer = int(rng.integers(MOST + 1))
        while True:
            rooms, doors = draw_rooms(rng, self.level)
            x, y = in_room(rng, rooms, 0, START + 50)
            asked, others, words = _looks(rng, answer, int(rng.integers(2, 5)), shaped=self.level == 3)
            keep = [(x, y, float(START)), *mats(rooms, doors), *_ways(rooms, doors)]
            place = partial(anywhere, rng, rooms, 200)
            things = scatter(rng, asked + others, HALVES, place, APART, keep)
            if things:
                return House(
                    (round(x), round(y), int(rng.integers(24)) * 15),
                    rooms,
                    doors,
                    things,
                    words=words,
                    answer=str(answer),
                    phrase=int(rng.integers(len(self.phrases))),
                )

    def goal(self) -> str:
        """Names what is to be counted."""
        return self.phrases[self.content.phrase].format(self.content.words)

    def spots(self) -> Sequence[Point]:
        """The middles of the rooms."""
        return [(x / 1000, y / 1000) for x, y in map(self.content.middle, range(len(self.content.rooms)))]

    def sample_own(self, chosen: str, rng: random.Random) -> str:
        """A number that can be right."""
        return f"report({rng.randint(0, MOST)})"


class BehindWall(Survey):
    """Answer a question about what is behind the wall that stands before the robot.

    Levels: 1 counts things of a colour, 2 has such things before the wall too, 3 asks for things of a colour and
    shape, for the colour of the only thing of a shape, or whether there is one.
    """

    max_turns = 30
    verbs = (verb("answer", "Answer the question in a word or a number: it ends the task.", text=STR),)
    phrases: ClassVar = (
        "How many {} are behind the wall?",
        "Look behind the wall. How many {} are there?",
        "Count the {} on the other side of the wall.",
        "What colour is the {} behind the wall?",
        "Which colour has the {} on the other side of the wall?",
        "Look behind the wall. What is the colour of the {} there?",
        "Is there a {} behind the wall? Answer yes or no.",
        "Look behind the wall: do you find a {} there, yes or no?",
        "Yes or no: a {} stands on the other side of the wall.",
    )
    """Three of each kind of question."""
    rooms = ((0, 0), (1, 0), (0, 1), (1, 1))
    doors = (Door(0, 1, 0, ROOM), Door(0, 2, 0, ROOM), Door(1, 3, 0, ROOM), Door(2, 3, 0, ROOM))
    middle = ROOM // 2
    screen = (middle - 1100, middle, middle + 1100, middle)
    """A wall in the middle of four rooms that are one; the robot starts below it."""
    spot = (middle, middle + 1250)

    def layout(self, rng: np.random.Generator) -> House:
        """Things behind the wall, and from level 2 on before it."""
        kind = 0 if self.level < 3 else int(rng.integers(3))
        answer = _answer(rng, kind)
        while True:
            behind, decoy, words, said = _question(rng, kind, answer, shaped=self.level == 3)
            before = [] if self.level == 1 else [decoy] * int(rng.integers(1, 3))
            x, y = (round(each) for each in rng.uniform((-200, -700), (ROOM + 200, -200)))
            aisle = [(self.middle + dx, self.spot[1], 480.0) for dx in (-1100, -550, 0, 550, 1100)]
            there = scatter(rng, behind, HALVES, partial(self._side, rng, 300, 2350), APART, aisle)
            here = scatter(rng, before, HALVES, partial(self._side, rng, -1400, -300), APART, [(x, y, float(START))])
            if there is not None and here is not None:
                return House(
                    (x, y, int(rng.integers(24)) * 15),
                    self.rooms,
                    self.doors,
                    there + here,
                    screens=(self.screen,),
                    words=words,
                    answer=said,
                    phrase=3 * kind + int(rng.integers(3)),
                )

    def goal(self) -> str:
        """The question."""
        return self.phrases[self.content.phrase].format(self.content.words)

    def spots(self) -> Sequence[Point]:
        """Behind the wall."""
        return [(self.spot[0] / 1000, self.spot[1] / 1000)]

    def sample_own(self, chosen: str, rng: random.Random) -> str:
        """An answer that fits the kind of question."""
        fitting = ([str(number) for number in range(MOST + 1)], list(COLOURS), ["yes", "no"])
        return f'answer("{rng.choice(fitting[self.content.phrase // 3])}")'

    def _side(self, rng: np.random.Generator, least: int, most: int) -> Point:
        """A place before or behind the wall, so far from it."""
        x, y = rng.uniform((self.middle - 1050, self.middle + least), (self.middle + 1050, self.middle + most))
        return float(x), float(y)


def plain(answer: str) -> str:
    """An answer without case, article, full stop, and words for numbers: `The three.` is `3`."""
    word = answer.strip().lower().removesuffix(".").removeprefix("the ").strip()
    return str(NUMBERS.index(word)) if word in NUMBERS else word


def _looks(rng: np.random.Generator, count: int, others: int, shaped: bool) -> tuple[list[Look], list[Look], str]:
    """So many things that are asked for, others that are not, and how the question calls the former."""
    colours, shapes = rng.permutation(COLOURS).tolist(), rng.permutation(SHAPES).tolist()
    colour, shape = colours[0], shapes[0]

    def any_shape() -> str:
        return SHAPES[int(rng.integers(len(SHAPES)))]

    def other() -> Look:
        if not shaped:
            return colours[int(rng.integers(1, len(colours)))], any_shape()
        same_colour = rng.random() < 0.5
        return (colour, shapes[int(rng.integers(1, 3))]) if same_colour else (colours[int(rng.integers(1, 4))], shape)

    asked = [(colour, shape if shaped else any_shape()) for _ in range(count)]
    return asked, [other() for _ in range(others)], f"{colour} {shape}s" if shaped else f"{colour} objects"


def _answer(rng: np.random.Generator, kind: int) -> int:
    """How many there are; for the last kind of question, 0 or 1 as likely, of which an even number means yes."""
    return int(rng.integers(2 if kind == 2 else MOST + 1))


def _question(rng: np.random.Generator, kind: int, count: int, shaped: bool) -> tuple[list[Look], Look, str, str]:
    """Looks behind the wall, one that would mislead if it were seen before it, words and answer."""
    if kind == 0:
        asked, others, words = _looks(rng, count, int(rng.integers(1, 3)), shaped)
        colour, *rest = words.split()
        return asked + others, (colour, rest[0][:-1] if shaped else SHAPES[int(rng.integers(3))]), words, str(count)
    (one,), others, _ = _looks(rng, 1, 2, shaped=True)
    colour, shape = one
    if kind == 1:
        elsewhere = [(other, each) for other, each in others if each != shape]
        misleading = COLOURS[(COLOURS.index(colour) + int(rng.integers(1, len(COLOURS)))) % len(COLOURS)]
        return [one, *elsewhere], (misleading, shape), shape, colour
    there = count % 2 == 0
    return ([one] if there else []) + others, one, f"{colour} {shape}", "yes" if there else "no"


def _ways(rooms: Rooms, doors: Sequence[Door]) -> list[tuple[float, float, float]]:
    """x, y and radius of what must stay free between the middles of the rooms and their doors."""
    ways = [(float(column * ROOM), float(row * ROOM), 560.0) for column, row in rooms]
    for door, (x, y, _) in zip(doors, mats(rooms, tuple(doors)), strict=True):
        for room in (door.one, door.other):
            column, row = rooms[room]
            ways.append(((x + column * ROOM) / 2, (y + row * ROOM) / 2, 440.0))
    return ways
