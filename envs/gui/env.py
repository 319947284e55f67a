"""`ClickTarget`: one click in a real browser, on the shape that is named."""

from __future__ import annotations

from typing import Any

import numpy as np

from saccade.envs.gui.click import ClickScene
from saccade.envs.gui.tasks import Scene, check_scene_settings, make_scene


class ClickTarget(ClickScene):
    """Click the shape that the goal names. The page records which shape took the click.

    Args:
        level: 1 one object; 2 two or three of different colours; 3 four, some sharing the target's colour or shape.
        size: width and height of the picture in pixels.
        browser: `split`, `max_turns` (1), `error_penalty`, `render_mode`, `fresh_context`, `timeout`.
    """

    instructions = "Click the shape that is named."

    def __init__(self, *, level: int = 2, size: int = 64, **browser: Any) -> None:
        super().__init__(size=size, **browser)
        check_scene_settings(level, size)
        self.level = level

    def make(self, rng: np.random.Generator) -> Scene:
        """A scene of shapes."""
        return make_scene(rng, self.level, self.size)
