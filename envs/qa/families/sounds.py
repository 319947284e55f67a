"""Sounds: counting beeps, and finding the highest or longest tone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from saccade.envs.observation import Audio
from saccade.envs.qa.families.base import NO_ANSWER, Content, Family, leads, numbers, some, whole
from saccade.envs.qa.tasks import pick

RATE = 16_000
FADE = 0.01
"""Seconds in which a tone swells and fades: it does not click."""


@dataclass(frozen=True)
class Tone:
    """A pause, then a sine; times in milliseconds."""

    pause: int
    hertz: int
    length: int


def sound(tones: Sequence[Tone], seconds: float) -> Audio:
    """The tones one after the other, then silence up to `seconds`."""
    samples = np.zeros(round(seconds * RATE), np.float32)
    at = 0
    for tone in tones:
        at += tone.pause * RATE // 1000
        time = np.arange(tone.length * RATE // 1000) / RATE
        swell = np.clip(np.minimum(time, time[::-1]) / FADE, 0, 1)
        samples[at : at + len(time)] = 0.5 * swell * np.sin(2 * np.pi * tone.hertz * time)
        at += len(time)
    return Audio(samples, RATE)


class Sound(Content):
    """A content that is heard."""

    seconds = 3.0

    @property
    @abstractmethod
    def tones(self) -> tuple[Tone, ...]:
        """What is played."""

    def show(self, size: int) -> Audio:
        """The sound; `size` is that of pictures and says nothing here."""
        return sound(self.tones, self.seconds)


class Sounds(Family):
    """Base of families that play sounds."""

    instructions = "Answer the question about the sound."


HIGH, LOW = (1200, 2000), (250, 500)
"""Hertz of high and low beeps."""


@dataclass(frozen=True)
class Beeping(Sound):
    """Beeps; of some only the high ones count."""

    beeps: tuple[Tone, ...]
    only_high: bool

    @property
    def tones(self) -> tuple[Tone, ...]:
        """The beeps."""
        return self.beeps

    @property
    def questions(self) -> tuple[str, ...]:
        """A number is asked."""
        name = "high beeps" if self.only_high else "beeps"
        return f"How many {name} are there?", f"Count the {name}."

    @property
    def answer(self) -> str:
        """How many count."""
        return str(sum(not self.only_high or tone.hertz >= HIGH[0] for tone in self.beeps))

    @property
    def thought(self) -> str:
        """The beeps in order."""
        return self.caption

    @property
    def caption(self) -> str:
        """The beeps in order."""
        return " ".join("high" if tone.hertz >= HIGH[0] else "low" for tone in self.beeps)


class Beeps(Sounds):
    """Count beeps: up to 3, up to 6, up to 7 high ones among low ones."""

    def answers(self) -> tuple[str, ...]:
        """Numbers of beeps."""
        return numbers(1, (3, 6, 7)[self.level - 1])

    def make(self, rng: np.random.Generator, answer: str) -> Beeping:
        """Beeps of any pitch; low ones between high ones where only those count."""
        ranges = [HIGH if self.level == 3 else pick(rng, (HIGH, LOW)) for _ in range(int(answer))]
        if self.level == 3:
            ranges = list(some(rng, ranges + [LOW] * whole(rng, 1, 10 - len(ranges)), 10))
        beeps = [Tone(whole(rng, 100, 170), whole(rng, *hertz), whole(rng, 60, 130)) for hertz in ranges]
        return Beeping(tuple(beeps), self.level == 3)


@dataclass(frozen=True)
class Tune(Sound):
    """Tones one after the other; one of them is the highest, the lowest or the longest."""

    notes: tuple[Tone, ...]
    which: str

    @property
    def tones(self) -> tuple[Tone, ...]:
        """The notes."""
        return self.notes

    @property
    def questions(self) -> tuple[str, ...]:
        """A tone's number is asked."""
        return f"Which tone is the {self.which}? Count from 1.", f"What is the number of the {self.which} tone?"

    @property
    def values(self) -> list[int]:
        """What is compared, the larger the better."""
        if self.which == "longest":
            return [note.length for note in self.notes]
        return [note.hertz if self.which == "highest" else -note.hertz for note in self.notes]

    @property
    def answer(self) -> str:
        """The number of the tone, unless another one is close."""
        order = sorted(self.values, reverse=True)
        near = abs(order[0]) * 0.12
        return str(self.values.index(order[0]) + 1) if leads(order[:2], near) else NO_ANSWER

    @property
    def thought(self) -> str:
        """Up or down, longer or shorter, from tone to tone."""
        more, less = ("longer", "shorter") if self.which == "longest" else ("up", "down")
        values = [-each for each in self.values] if self.which == "lowest" else self.values
        return " ".join(more if after > before else less for before, after in pairwise(values))

    @property
    def caption(self) -> str:
        """Pitch in hundreds of hertz and length in tenths of a second, tone by tone."""
        return ", ".join(f"{round(note.hertz / 100)} for {round(note.length / 100)}" for note in self.notes)


class Tunes(Sounds):
    """Find a tone: the highest of 2, the highest or lowest of 4, the highest, lowest or longest of 6."""

    def answers(self) -> tuple[str, ...]:
        """Numbers of the tones."""
        return numbers(1, 2 * self.level)

    def make(self, rng: np.random.Generator, answer: str) -> Tune:
        """Tones at random; the one that is asked for takes the answer's place."""
        which = pick(rng, ("highest", "lowest", "longest")[: self.level])
        notes = [Tone(60, whole(rng, 250, 1500), whole(rng, 120, 400)) for _ in self.answers()]
        values = Tune(tuple(notes), which).values
        found, at = values.index(max(values)), int(answer) - 1
        notes[found], notes[at] = notes[at], notes[found]
        return Tune(tuple(notes), which)
