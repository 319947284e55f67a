"""Wrappers that change what is seen: they override `view`, which agents read; the dictionary follows it."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np

from saccade.envs.observation import Image, Observation, Part

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
    """Every picture becomes white: what remains is the blind score, which no picture can explain."""

    def change(self, part: Part) -> Part:
        """White pixels of the same size."""
        return Image(np.full_like(part.pixels, 255)) if isinstance(part, Image) else part
