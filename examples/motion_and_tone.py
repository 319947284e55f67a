"""Two worlds that no single picture shows: which way does a square move, and is a tone high or low?

import gymnasium as gym
gym.make("motion_and_tone:Motion-v0")      # a video; with this file's folder on PYTHONPATH
gym.make("motion_and_tone:Tone-v0")        # a sound, and a picture that says nothing about it
"""

from dataclasses import dataclass

import gymnasium as gym
import numpy as np

from saccade.envs.actions import Answer
from saccade.envs.core import LanguageEnv, Outcome
from saccade.envs.episode import Cause, Demo
from saccade.envs.observation import Audio, Image, Observation, Video

WAYS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
HERTZ = {"low": (200, 400), "high": (1200, 2400)}
RATE = 16000


class OneAnswer(LanguageEnv):
    """Something is shown; one answer is right."""

    def begin(self, rng):
        self.item = self.draw(self.make, rng)
        self.done = False
        return self.show()

    def act(self, answer):
        self.done = True
        right = answer == self.item.answer
        return Outcome(Observation.of("."), reward=float(right), ended=Cause.GOAL if right else Cause.FAILED)

    def state(self):
        return [repr(self.item), self.done]

    def demo(self):
        if not self.done:
            yield Demo(self.item.answer)


@dataclass(frozen=True)
class Drift:
    answer: str
    start: tuple[int, int]
    colour: tuple[int, int, int]


class Motion(OneAnswer):
    """Say which way a square moves: four frames, two a second."""

    instructions = "Which way does the square move?"
    action_format = Answer("Answer with a direction.", tuple(WAYS))

    @staticmethod
    def make(rng):
        colour = tuple(int(n) for n in rng.integers(0, 160, 3))
        return Drift(str(rng.choice(list(WAYS))), tuple(int(n) for n in rng.integers(9, 15, 2)), colour)

    def show(self):
        frames = np.full((4, 32, 32, 3), 245, np.uint8)
        for time, frame in enumerate(frames):
            x, y = np.add(self.item.start, np.multiply(WAYS[self.item.answer], 3 * time))
            frame[y : y + 8, x : x + 8] = self.item.colour
        return Observation.of("Look.", Video(frames, fps=2.0))


@dataclass(frozen=True)
class Pitch:
    answer: str
    hertz: int


class Tone(OneAnswer):
    """Say whether a tone of 0.4 seconds is high or low; the picture beside it is always the same."""

    instructions = "Is the tone high or low?"
    action_format = Answer("Answer high or low.", tuple(HERTZ))

    @staticmethod
    def make(rng):
        answer = str(rng.choice(list(HERTZ)))
        return Pitch(answer, int(rng.integers(*HERTZ[answer])))

    def show(self):
        time = np.arange(int(0.4 * RATE)) / RATE
        wave = (0.5 * np.sin(2 * np.pi * self.item.hertz * time)).astype(np.float32)
        return Observation.of("Listen.", Image(np.full((32, 32, 3), 200, np.uint8)), Audio(wave, RATE))


gym.register("Motion-v0", entry_point=Motion)
gym.register("Tone-v0", entry_point=Tone)
