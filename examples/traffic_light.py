"""A family of generated questions in one file: which lamp of a traffic light is on?

import gymnasium as gym
gym.make("traffic_light:TrafficLight-v0", level=2)      # with this file's folder on PYTHONPATH
"""

from dataclasses import dataclass

import gymnasium as gym

from saccade.envs.qa.canvas import GREY, INK
from saccade.envs.qa.families.base import Family, Picture, whole

LAMPS = ("red", "yellow", "green")


@dataclass(frozen=True)
class Lights(Picture):
    lit: tuple[str, ...]  # one light or several, from left to right
    asked: int
    height: int

    @property
    def questions(self):
        return f"Which lamp of light {self.asked} is on?", f"What colour does light {self.asked} show?"

    @property
    def answer(self):
        return self.lit[self.asked - 1]

    @property
    def thought(self):
        return " ".join(self.lit[: self.asked])

    @property
    def caption(self):
        return "lights: " + " ".join(self.lit)

    def draw(self, canvas):
        for place, lit in enumerate(self.lit):
            x = 112 * (place + 0.5) / len(self.lit)
            canvas.box(x - 9, self.height - 26, 18, 52, INK)
            for row, colour in enumerate(LAMPS):
                canvas.disc(x, self.height - 17 + 17 * row, 7, colour if colour == lit else GREY)


class TrafficLight(Family):
    """Read a traffic light: one, one of three, one of five."""

    def answers(self):
        return LAMPS

    def make(self, rng, answer):
        lit = [LAMPS[whole(rng, 0, 2)] for _ in range(2 * self.level - 1)]
        asked = whole(rng, 1, len(lit))
        lit[asked - 1] = answer
        return Lights(tuple(lit), asked, whole(rng, 28, 84))


gym.register("TrafficLight-v0", entry_point=TrafficLight)
