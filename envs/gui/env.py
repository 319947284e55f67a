"""Two small worlds in a real browser: one click, and a form of two pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, ClassVar

import numpy as np

from saccade.envs.actions import ActionSet, Call
from saccade.envs.core import Outcome
from saccade.envs.episode import Cause, Demo
from saccade.envs.errors import ConfigError
from saccade.envs.gui.base import CLICK, PRESS, TYPE, BrowserEnv
from saccade.envs.gui.click import ClickScene
from saccade.envs.gui.observe import picture
from saccade.envs.gui.site import ASSETS, Site
from saccade.envs.gui.tab import Tab
from saccade.envs.gui.tasks import FORM_SIZES, Form, Scene, check_scene_settings, make_form, make_scene
from saccade.envs.observation import Observation


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


class TwoPageForm(BrowserEnv):
    """Enter a name on one page, choose an option on the next, and submit; the page records what was submitted.

    The page builds both forms anew for every episode and keeps nothing else, so it is not loaded again.

    Args:
        size: width and height of the picture in pixels.
        browser: `split`, `max_turns` (8), `error_penalty`, `render_mode`, `fresh_context`, `timeout`.
    """

    instructions = "Fill in the form as asked: click a field before you type into it."
    action_format = ActionSet(CLICK, TYPE, PRESS)
    max_turns = 8
    site = Site(ASSETS)
    home = "form.html"
    resets_in_page: ClassVar[bool] = True

    def __init__(self, *, size: int = 128, **browser: Any) -> None:
        super().__init__(**browser)
        if not FORM_SIZES[0] <= size <= FORM_SIZES[1]:
            raise ConfigError(f"size must be {FORM_SIZES[0]} to {FORM_SIZES[1]} pixels, got {size!r}")
        self.viewport = (size, size)

    def begin(self, rng: np.random.Generator) -> Observation:
        """Show the first page and say what to enter."""
        self._form: Form = self.draw(make_form, rng)
        spec = json.dumps({"options": self._form.options, "top": self._form.top})

        async def show(tab: Tab) -> tuple[Any, bytes]:
            await tab.point(0, 0)  # where the last episode left the mouse, an option of this one would look hovered
            await tab.evaluate(f"form.begin({spec})")
            return await self._look(tab)

        self._page, png = self.open_page(show)
        return Observation.of(self._form.goal, self._report(), picture(png))

    def act(self, call: Call) -> Outcome:
        """Use mouse or keyboard on the page."""
        self.check(call)

        async def use(tab: Tab) -> tuple[Any, bytes]:
            await self.perform(tab, call)
            return await self._look(tab)

        self._page, png = self.on_page(use)
        seen = Observation.of(self._report(), picture(png))
        submitted = self._page["submitted"]
        if submitted is None:
            return Outcome(seen)
        right = submitted == {"name": self._form.name, "choice": self._form.choice}
        return Outcome(seen, reward=float(right), ended=Cause.GOAL if right else Cause.FAILED)

    def state(self) -> Any:
        """What was entered so far, the focus, and what was submitted."""
        return {"form": asdict(self._form)} | {key: value for key, value in self._page.items() if key != "places"}

    def demo(self) -> Iterator[Demo]:
        """The next turns of a solution from what the page holds now; places are where the page says they are."""
        for _ in range(self.max_turns):
            if self._page["submitted"] is not None:
                return
            yield self._next()

    def _next(self) -> Demo:
        page, form = self._page, self._form
        if page["page"] == 1 and page["name"] != form.name:
            if page["focus"] != "Name":
                return self._click("Name")
            if page["name"] and not page["selected"]:
                return Demo('keyboard_press("Control+a")', "replace the name", self._caption())
            return Demo(f"keyboard_type({json.dumps(form.name)})", f'enter "{form.name}"', self._caption())
        if page["page"] == 1:
            return self._click("Next")
        return self._click(form.choice if page["choice"] != form.choice else "Submit")

    def _click(self, what: str) -> Demo:
        x, y = self._page["places"][what]
        return Demo(f"mouse_click({x}, {y})", thought=f"{what} ({x}, {y})", caption=self._caption())

    def _caption(self) -> str:
        places = self._page["places"]
        return " ".join(f"{name} ({x}, {y})" for name, (x, y) in places.items())

    def _report(self) -> str:
        page = self._page
        if page["submitted"] is not None:
            return "The form was submitted."
        focus = f"Focus: {page['focus'] or 'nothing'}."
        return f"Page {page['page']} of 2. {focus}" + (f" {page['message']}" if page["message"] else "")

    @staticmethod
    async def _look(tab: Tab) -> tuple[Any, bytes]:
        page, png = await asyncio.gather(tab.evaluate("form.read()"), tab.screenshot())
        return page, png
