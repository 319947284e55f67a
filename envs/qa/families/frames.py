"""Films: what moves which way, what comes when, how often. A single frame, or frames out of order, do not tell."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from saccade.envs.observation import Video
from saccade.envs.palette import PALETTE, SHAPES
from saccade.envs.qa.canvas import GREY, INK, UNITS, Canvas
from saccade.envs.qa.families.base import Content, Family, numbers, some, whole
from saccade.envs.qa.tasks import pick

COLOURS = tuple(PALETTE)
FPS = 2.0
WAYS: dict[str, tuple[int, int]] = {"right": (1, 0), "left": (-1, 0), "down": (0, 1), "up": (0, -1)}
SLANTS: dict[str, tuple[int, int]] = {
    f"{down} {across}": (WAYS[across][0], WAYS[down][1]) for down in ("up", "down") for across in ("left", "right")
}


class Film(Content):
    """A content that is drawn frame by frame."""

    @property
    @abstractmethod
    def length(self) -> int:
        """The number of frames, an even one: some models take them in pairs."""

    @abstractmethod
    def draw(self, canvas: Canvas, time: int) -> None:
        """Draw frame number `time` on an empty canvas."""

    def show(self, size: int) -> Video:
        """All frames."""
        canvases = [Canvas(size) for _ in range(self.length)]
        for time, canvas in enumerate(canvases):
            self.draw(canvas, time)
        return Video(np.stack([canvas.pixels for canvas in canvases]), FPS)


class Films(Family):
    """Base of families that show films."""

    instructions = "Answer the question about the film."


@dataclass(frozen=True)
class Mover:
    """A thing of a look that starts at (x, y) and moves by `speed` units a frame."""

    colour: str
    shape: str
    x: int
    y: int
    way: str
    speed: int


@dataclass(frozen=True)
class Motion(Film):
    """Moving things; the first is asked about."""

    movers: tuple[Mover, ...]
    length = 6

    @property
    def questions(self) -> tuple[str, ...]:
        """A direction is asked."""
        name = f"{self.movers[0].colour} {self.movers[0].shape}"
        return f"Which way does the {name} move?", f"In which direction does the {name} go?"

    @property
    def answer(self) -> str:
        """The direction of the first."""
        return self.movers[0].way

    @property
    def thought(self) -> str:
        """Where it is in the first frame and in the last, in quarters of the picture."""
        first = self.movers[0]
        start, end = (tuple(4 * each // UNITS + 1 for each in self.place(first, t)) for t in (0, self.length - 1))
        return f"from column {start[0]} row {start[1]} to column {end[0]} row {end[1]}"

    @property
    def caption(self) -> str:
        """Each thing and its way."""
        return ", ".join(f"{each.colour} {each.shape} {each.way}" for each in self.movers)

    @staticmethod
    def place(mover: Mover, time: int) -> tuple[int, int]:
        """The middle of a thing in a frame."""
        dx, dy = (WAYS | SLANTS)[mover.way]
        return mover.x + dx * mover.speed * time, mover.y + dy * mover.speed * time

    def draw(self, canvas: Canvas, time: int) -> None:
        """Each thing at its place; the first over the others."""
        for mover in reversed(self.movers):
            canvas.shape(mover.shape, *self.place(mover, time), 20, mover.colour)


class Motions(Films):
    """Say which way a thing moves: alone, beside another one, or one of four in eight directions."""

    def answers(self) -> tuple[str, ...]:
        """Four or eight directions."""
        return tuple(WAYS | SLANTS) if self.level == 3 else tuple(WAYS)

    def make(self, rng: np.random.Generator, answer: str) -> Motion:
        """Things of different looks; wherever the one that is asked about starts, it could go any way."""
        looks = some(rng, [(colour, shape) for colour in COLOURS for shape in SHAPES], (1, 2, 4)[self.level - 1])
        movers = []
        for index, (colour, shape) in enumerate(looks):
            way = answer if index == 0 else pick(rng, self.answers())
            x, y = rng.integers(46, 67, 2) if index == 0 else rng.integers(26, 87, 2)
            movers.append(Mover(colour, shape, int(x), int(y), way, whole(rng, 4, 7)))
        return Motion(tuple(movers))


PLACES = {"first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4, "last": -1}


@dataclass(frozen=True)
class Order(Film):
    """Discs of different colours, one a frame, each at its own place; an empty frame where the number is odd."""

    colours: tuple[str, ...]
    spots: tuple[tuple[int, int], ...]
    which: str

    @property
    def length(self) -> int:
        """As many frames as discs, rounded up to an even number."""
        return len(self.colours) + len(self.colours) % 2

    @property
    def questions(self) -> tuple[str, ...]:
        """The colour at a place in the order is asked."""
        return f"Which colour comes {self.which}?", f"What is the colour of the {self.which} disc to appear?"

    @property
    def answer(self) -> str:
        """The colour in that place."""
        return self.colours[PLACES[self.which]]

    @property
    def thought(self) -> str:
        """The colours up to that one."""
        return " ".join(self.colours[: PLACES[self.which] + 1 or None])

    @property
    def caption(self) -> str:
        """The colours in order."""
        return " then ".join(self.colours)

    def draw(self, canvas: Canvas, time: int) -> None:
        """One disc."""
        if time < len(self.colours):
            canvas.disc(*self.spots[time], 16, self.colours[time])


class Orders(Films):
    """Say which of 3, 4 or 6 colours comes first, second, ... last."""

    def answers(self) -> tuple[str, ...]:
        """The colours."""
        return COLOURS

    def make(self, rng: np.random.Generator, answer: str) -> Order:
        """The answer's colour at the place that is asked about, others around it."""
        count = (3, 4, 6)[self.level - 1]
        which = pick(rng, (*tuple(PLACES)[: count - 1], "last"))
        colours = list(some(rng, [colour for colour in COLOURS if colour != answer], count - 1))
        colours.insert(PLACES[which] % count, answer)
        spots = tuple((whole(rng, 20, UNITS - 20), whole(rng, 20, UNITS - 20)) for _ in colours)
        return Order(tuple(colours), spots, which)


@dataclass(frozen=True)
class Blinking(Film):
    """A lamp that is on in some frames, and others that blink beside it and do not count."""

    colours: tuple[str, ...]
    on: tuple[str, ...]
    place: int

    @property
    def length(self) -> int:
        """As long as the lamps' programme."""
        return len(self.on[0])

    @property
    def questions(self) -> tuple[str, ...]:
        """The number of times is asked."""
        colour = self.colours[0]
        return (
            f"How many times does the {colour} lamp light up?",
            f"How often does the {colour} lamp go on? Frames in a row are one time.",
        )

    @property
    def answer(self) -> str:
        """Runs of frames with light; frames are `1` (on) or `0`."""
        return str(len(self.on[0].replace("0", " ").split()))

    @property
    def thought(self) -> str:
        """The lamp, frame by frame."""
        return " ".join("on" if each == "1" else "off" for each in self.on[0])

    @property
    def caption(self) -> str:
        """Every lamp's programme."""
        return ", ".join(f"{colour} {on}" for colour, on in zip(self.colours, self.on, strict=True))

    def draw(self, canvas: Canvas, time: int) -> None:
        """Lamps in a row, grey where they are off."""
        step = UNITS / len(self.on)
        for index, (colour, on) in enumerate(zip(self.colours, self.on, strict=True)):
            x = (index + 0.5) * step
            canvas.disc(x, self.place, 15, colour if on[time] == "1" else GREY)
            canvas.ring(x, self.place, 15, INK)


class Blinks(Films):
    """Count how often a lamp goes on: up to 2 times in 6 frames, 4 in 10 beside another lamp, 6 in 14 beside two."""

    def answers(self) -> tuple[str, ...]:
        """Numbers of times."""
        return numbers(1, 2 * self.level)

    def make(self, rng: np.random.Generator, answer: str) -> Blinking:
        """Programmes at random, the first with so many runs."""
        length = 4 * self.level + 2
        # A programme with n runs is a choice of 2n of the length + 1 borders between frames, where it changes.
        on = []
        for index in range(self.level):
            runs = int(answer) if index == 0 else whole(rng, 0, 2 * self.level)
            changes = set(some(rng, range(length + 1), 2 * runs))
            lit, programme = False, ""
            for time in range(length):
                lit ^= time in changes
                programme += "1" if lit else "0"
            on.append(programme)
        return Blinking(some(rng, COLOURS, self.level), tuple(on), whole(rng, 20, UNITS - 20))
