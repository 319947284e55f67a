"""Wrappers that change what is seen: they override `view`, which agents read; the dictionary follows it.

    env = named_view("no-goal")(gym.make("saccade/ClickTarget-v0"))

What a policy still reaches when something is taken from its view did not rest on that.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np

from saccade.envs.errors import ConfigError, near
from saccade.envs.observation import Audio, Image, Observation, Part, Text, Video

LanguageGym = gym.Env[dict[str, Any], str]


class ViewWrapper(gym.Wrapper[dict[str, Any], str, dict[str, Any], str]):
    """Base of wrappers that rewrite the parts of every observation."""

    @abstractmethod
    def change(self, part: Part) -> Part:
        """What is shown in place of a part."""

    @property
    def view(self) -> Observation:
        """The changed observation, parts in order."""
        inner: Observation = self.env.get_wrapper_attr("view")
        return Observation(tuple(self.change(part) for part in inner.parts))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Reset, and show the changed observation."""
        _, info = self.env.reset(seed=seed, options=options)
        return self.view.as_dict(), info

    def step(self, action: str) -> tuple[dict[str, Any], SupportsFloat, bool, bool, dict[str, Any]]:
        """Step, and show the changed observation."""
        _, reward, terminated, truncated, info = self.env.step(action)
        return self.view.as_dict(), reward, terminated, truncated, info


class BlankPictures(ViewWrapper):
    """Every picture becomes white and every sound silent: what remains is the blind score, which none can explain."""

    def change(self, part: Part) -> Part:
        """White pixels, or silence, of the same size; texts as they are."""
        return part if isinstance(part, Text) else blanked(part)


def blanked(medium: Image | Video | Audio) -> Image | Video | Audio:
    """White pixels, or silence, of the same size."""
    match medium:
        case Image():
            return Image(np.full_like(medium.pixels, 255))
        case Video():
            return Video(np.full_like(medium.frames, 255), medium.fps)
        case Audio():
            return Audio(np.zeros_like(medium.samples), medium.rate)


class GoalWrapper(ViewWrapper):
    """Base of wrappers that rewrite the goal: the first text of an episode, wherever an observation shows it again."""

    _goal: Text | None = None

    @abstractmethod
    def rewrite(self, goal: str) -> str:
        """What is shown in place of the goal."""

    def change(self, part: Part) -> Part:
        """The goal rewritten; feedback and pictures as they are."""
        return Text(self.rewrite(part.text)) if isinstance(part, Text) and part == self._goal else part

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Reset, note the goal, and show the changed observation."""
        _, info = self.env.reset(seed=seed, options=options)
        shown: Observation = self.env.get_wrapper_attr("view")
        self._goal = next((part for part in shown.parts if isinstance(part, Text)), None)
        return self.view.as_dict(), info


class HideGoal(GoalWrapper):
    """The goal becomes `...`: what remains is what the picture alone suggests.

    The instructions stay, and so does a goal that a page shows in its picture (MiniWoB).
    """

    def rewrite(self, goal: str) -> str:
        """Nothing of it, not even its length."""
        return "..."


SHAPE_WORDS = ("circle", "square", "triangle", "cube", "ball", "cylinder", "pillar", "brick")
_SHAPE = re.compile(rf"\b({'|'.join(SHAPE_WORDS)})(s)?\b", re.IGNORECASE)


class ColourOnly(GoalWrapper):
    """Shapes in the goal become `object`: what remains is what the colour, or the rest of the goal, decides."""

    def rewrite(self, goal: str) -> str:
        """`Click the red circle.` becomes `Click the red object.`."""
        return _SHAPE.sub(lambda word: "objects" if word[2] else "object", goal)


def names_shape(goal: str) -> bool:
    """Whether `ColourOnly` takes anything from a goal."""
    return _SHAPE.search(goal) is not None


KEY = "view"
"""Where `Episode.info` keeps the name of the view that an episode was played in, if that is not `full`."""
VIEWS: Mapping[str, Callable[[LanguageGym], LanguageGym]] = {
    "full": lambda env: env,
    "blank": BlankPictures,
    "no-goal": HideGoal,
    "colour-only": ColourOnly,
}
"""Name -> wrapper: what of the world an evaluation shows."""


def named_view(name: str) -> Callable[[LanguageGym], LanguageGym]:
    """The wrapper of that name; `full` changes nothing."""
    if name not in VIEWS:
        raise ConfigError(f"unknown view {name!r}; {near(name, VIEWS, 'views')}")
    return VIEWS[name]
