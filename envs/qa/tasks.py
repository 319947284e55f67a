"""What is asked: real handwritten digits, and generated scenes of coloured shapes.

Contents are frozen dataclasses whose `repr` is complete, so that `LanguageEnv.draw` can keep the splits disjoint.
Scenes live on a canvas of 64 x 64 units, whatever the size of the delivered picture.

    make_scene(rng, "colour", level=2)
    # Scene(things=(Thing('red', 'circle', 20, 31, 16), Thing('blue', 'square', 48, 12, 18)), question=Asked(...))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, TypeVar, get_args

import numpy as np

from saccade.envs.errors import ConfigError
from saccade.envs.palette import PALETTE, SHAPES, describe

Kind = Literal["colour", "shape", "count", "position"]
KINDS: tuple[Kind, ...] = get_args(Kind)
COLOURS = tuple(PALETTE)
CORNERS = ("top left", "top right", "bottom left", "bottom right")
CANVAS = 64
GAP = 2
"""Least distance between the bounding boxes of two things, and from a thing to the border, in units."""
TOTALS = {1: (1, 2), 2: (2, 3), 3: (4, 5), 4: (6, 7), 5: (8, 9)}
"""Level -> how many things a scene can have; see `totals`."""
MOST_COUNTED = 5
WIDTHS, SMALL, TINY = (14, 20), (11, 15), (8, 11)
"""Least and most units that a thing is wide; `SMALL` where a scene has six things or more, `TINY` from eight on."""

Choice = TypeVar("Choice")
Look = tuple[str, str]
"""A colour and a shape."""


@dataclass(frozen=True)
class Digit:
    """One handwritten digit: its label and its 8 x 8 ink levels, 0 (paper) to 16, row by row."""

    label: int
    ink: bytes


@dataclass(frozen=True)
class Thing:
    """One object of a scene; centre and width in canvas units."""

    colour: str
    shape: str
    x: int
    y: int
    width: int

    @property
    def order(self) -> tuple[int, int, int, int]:
        """Where captions name it: by colour, then shape, then from left to right."""
        return COLOURS.index(self.colour), SHAPES.index(self.shape), self.x, self.y

    def describe(self, scale: float) -> str:
        """`red circle (x, y)` in pixels of a picture that is `scale` times the canvas."""
        return describe(self.colour, self.shape, self.x * scale, self.y * scale)


@dataclass(frozen=True)
class Asked:
    """A question about a scene: its kind, the look that it names, its answer, and the things that have this look."""

    kind: Kind
    look: str
    answer: str
    about: tuple[Thing, ...]

    @property
    def text(self) -> str:
        """The question in words."""
        match self.kind:
            case "colour":
                return f"What colour is the {self.look}?"
            case "shape":
                return f"What shape is {self.look}?"
            case "count":
                return f"How many {self.look}s?" if self.look in SHAPES else f"How many {self.look} objects?"
            case "position":
                return f"Where is the {self.look}?"

    def thought(self, scale: float) -> str:
        """The look that is asked about, at each place where it is, in pixels of a picture `scale` times the canvas.

        It says nothing that has not been found yet: the look stands in the question, and what is found is a place.
        """
        places = (f"{self.look} ({round(thing.x * scale)}, {round(thing.y * scale)})" for thing in self.about)
        return " ".join(places) or "none"


@dataclass(frozen=True)
class Scene:
    """Things that do not overlap, in the order of captions, and a question about them.

    The question is no part of the `repr`: a picture belongs to one split, whatever is asked about it.
    """

    things: tuple[Thing, ...]
    question: Asked = field(repr=False)


@cache
def digits() -> tuple[Digit, ...]:
    """The 1797 digits of scikit-learn (UCI "Optical Recognition of Handwritten Digits"), read once a process."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ConfigError("Digits needs scikit-learn; install it with `pip install saccade[qa]`") from error
    data = load_digits()
    return tuple(
        Digit(int(label), ink.astype(np.uint8).tobytes()) for label, ink in zip(data.target, data.images, strict=True)
    )


def choices(kind: Kind, level: int) -> tuple[str, ...]:
    """The possible answers; each is equally likely."""
    match kind:
        case "colour":
            return COLOURS
        case "shape":
            return SHAPES
        case "count":
            return tuple(str(count) for count in range(min(MOST_COUNTED, totals("count", level)[-1]) + 1))
        case "position":
            return CORNERS


def totals(kind: Kind, level: int) -> tuple[int, ...]:
    """How many things a scene can have; where level 3 counts to five, there can be one that does not count."""
    return (*TOTALS[level], MOST_COUNTED + 1) if kind == "count" and level == 3 else TOTALS[level]


def make_scene(rng: np.random.Generator, kind: Kind, level: int) -> Scene:
    """Draw the answer first, then a scene in which it is the only right one: a blind guess is at chance."""
    answer = pick(rng, choices(kind, level))
    count = int(answer) if kind == "count" else 1
    total = pick(rng, [total for total in totals(kind, level) if total >= count])
    wanted, others, look = _looks(rng, kind, level, answer, count, total - count)
    corner = answer if kind == "position" else None
    things: list[Thing] | None = None
    while things is None:  # a crowded canvas can leave no room: begin again
        things = _place(rng, [*wanted, *others], corner)
    ordered = tuple(sorted(things, key=lambda thing: thing.order))
    return Scene(ordered, Asked(kind, look, answer, _left_to_right(things[:count])))


def other_questions(rng: np.random.Generator, scene: Scene, count: int) -> list[Asked]:
    """Up to `count` more questions that have one right answer in a scene.

    All kinds alike, but colours twice as often: to find a thing by its shape alone is the hardest to learn.
    """
    found: dict[Kind, list[Asked]] = {kind: [] for kind in KINDS}
    for look in (*COLOURS, *SHAPES):
        same = _left_to_right([thing for thing in scene.things if look in (thing.colour, thing.shape)])
        found["count"].append(Asked("count", look, str(len(same)), same))
        if len(same) == 1:
            kind: Kind = "shape" if look in COLOURS else "colour"
            found[kind].append(Asked(kind, look, getattr(same[0], kind), same))
    for thing in scene.things:
        alone = [each for each in scene.things if (each.colour, each.shape) == (thing.colour, thing.shape)] == [thing]
        if alone and (corner := _corner(thing)):
            found["position"].append(Asked("position", f"{thing.colour} {thing.shape}", corner, (thing,)))
    # Most looks are in no scene: without this most counts would be 0.
    counted = [each for each in found["count"] if each.about]
    absent = [each for each in found["count"] if not each.about]
    found["count"] = counted + [absent[index] for index in rng.permutation(len(absent))[: len(counted) // 3 + 1]]
    asked: list[Asked] = []
    while len(asked) < count:
        left = {kind: [each for each in all_ if each not in (scene.question, *asked)] for kind, all_ in found.items()}
        kinds = [kind for kind, all_ in left.items() if all_]
        if not kinds:
            break
        asked.append(pick(rng, left[pick(rng, [*kinds, *(kind for kind in kinds if kind == "colour")])]))
    return asked


def _looks(
    rng: np.random.Generator, kind: Kind, level: int, answer: str, count: int, spare: int
) -> tuple[list[Look], list[Look], str]:
    """Colours and shapes of the things that matter and of the `spare` others, and the look that the question names."""
    colour = answer if kind == "colour" else pick(rng, COLOURS)
    shape = answer if kind == "shape" else pick(rng, SHAPES)
    other_colours = [each for each in COLOURS if each != colour]
    other_shapes = [each for each in SHAPES if each != shape]
    by_colour = kind == "shape" or (kind == "count" and rng.random() < 0.5)

    def same_colour() -> Look:
        return colour, pick(rng, other_shapes)

    def same_shape() -> Look:
        return pick(rng, other_colours), shape

    if kind == "position":
        wanted = [(colour, shape)]
        look = f"{colour} {shape}"
        confusing, plain = [same_colour, same_shape], lambda: (pick(rng, other_colours), pick(rng, SHAPES))
    elif by_colour:
        wanted = [(colour, shape)] + [(colour, pick(rng, SHAPES)) for _ in range(count - 1)]
        look = colour
        confusing, plain = [same_shape], lambda: (pick(rng, other_colours), pick(rng, SHAPES))
    else:
        wanted = [(colour, shape)] + [(pick(rng, COLOURS), shape) for _ in range(count - 1)]
        look = shape
        confusing, plain = [same_colour], lambda: (pick(rng, COLOURS), pick(rng, other_shapes))
    if kind == "position":
        confusing = confusing * (level - 2)
    elif level >= 3:  # the answer's look and another one, each as often the most common: counting looks is no way
        lure = pick(rng, other_shapes if by_colour else other_colours)
        decoy = (lambda: (pick(rng, other_colours), lure)) if by_colour else (lambda: (lure, pick(rng, other_shapes)))
        same = level - 2 if kind == "count" or rng.random() < 0.5 else level - 3
        confusing = confusing * same + [decoy] * (2 * level - 4 - same)
    draws: list[Callable[[], Look]] = [*(confusing if level >= 3 else []), *[plain] * spare]
    return wanted[:count], [draw() for draw in draws[:spare]], look


def _place(rng: np.random.Generator, looks: Sequence[Look], corner: str | None) -> list[Thing] | None:
    """Free places without overlap, the first thing wholly inside `corner`; `None` where no room was found."""
    least, most = WIDTHS if len(looks) < 6 else SMALL if len(looks) < 8 else TINY
    placed: list[Thing] = []
    for colour, shape in looks:
        for _ in range(40):
            width = int(rng.integers(least, most + 1))
            half = width // 2 + GAP
            x, y = (int(each) for each in rng.integers(half, CANVAS - half + 1, size=2))
            thing = Thing(colour, shape, x, y, width)
            if corner and not placed and _corner(thing) != corner:
                continue
            if all(max(abs(x - each.x), abs(y - each.y)) >= (width + each.width) / 2 + GAP for each in placed):
                placed.append(thing)
                break
        else:
            return None
    return placed


def _left_to_right(things: Sequence[Thing]) -> tuple[Thing, ...]:
    return tuple(sorted(things, key=lambda thing: (thing.x, thing.y)))


def _corner(thing: Thing) -> str | None:
    """The quadrant that holds the whole thing."""
    middle, half = CANVAS / 2, thing.width / 2
    if abs(thing.x - middle) <= half or abs(thing.y - middle) <= half:
        return None
    return f"{'top' if thing.y < middle else 'bottom'} {'left' if thing.x < middle else 'right'}"


def pick(rng: np.random.Generator, options: Sequence[Choice]) -> Choice:
    """One of the options, each equally likely."""
    return options[int(rng.integers(len(options)))]
