"""`TwoPageForm`: a word to enter, an option to choose, over two pages.

env = gym.make("saccade/TwoPageForm-v0")
env.reset(seed=0)       # Enter "game", choose "open", and submit.
env.step("mouse_click(85, 28)")
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from saccade.envs.actions import ActionSet, Call
from saccade.envs.core import Outcome
from saccade.envs.episode import Cause, Demo
from saccade.envs.errors import ConfigError
from saccade.envs.gui.base import CLICK, PRESS, TYPE, BrowserEnv
from saccade.envs.gui.observe import picture
from saccade.envs.gui.site import ASSETS, Site
from saccade.envs.gui.tab import Tab
from saccade.envs.gui.words import WORDS, width_of
from saccade.envs.observation import Observation

LEVELS = (1, 2)
"""Pages of the form."""
SIZES = (144, 1024)
"""Least and greatest width and height of the picture in pixels."""


@dataclass(frozen=True)
class Form:
    """What a form asks for: a word, unless the first page is left out, and one of two or three options, words too.

    `top` shifts its content down.
    """

    word: str | None
    choice: str
    options: tuple[str, ...]
    top: int

    def __repr__(self) -> str:
        """What is asked for at first sight, by which forms are split: the first page does not show the options."""
        return f"Form({self.options if self.word is None else self.word!r}, {self.choice!r})"

    @property
    def goal(self) -> str:
        """The sentence that names the values."""
        if self.word is None:
            return f'Choose "{self.choice}" and submit.'
        return f'Enter "{self.word}", choose "{self.choice}", and submit.'


def make_form(rng: np.random.Generator, level: int = 2) -> Form:
    """Draw a form."""
    options = tuple(str(each) for each in rng.permutation(WORDS)[: rng.integers(2, 4)])
    word = str(rng.choice(WORDS)) if level == 2 else None
    return Form(word, str(rng.choice(options)), options, 8 * int(rng.integers(2)))


class TwoPageForm(BrowserEnv):
    """Enter a word on one page, choose an option on the next, and submit; the page records what was submitted.

    The page builds both forms anew for every episode and keeps nothing else, so it is not loaded again.

    Args:
        level: 1 the second page alone; 2 both.
        size: width and height of the picture in pixels.
        browser: `split`, `max_turns` (8), `error_penalty`, `render_mode`, `fresh_context`, `timeout`.
    """

    instructions = "Fill in the form as asked: click a field before you type into it."
    action_format = ActionSet(CLICK, TYPE, PRESS)
    max_turns = 8
    site = Site(ASSETS)
    home = "form.html"
    resets_in_page: ClassVar[bool] = True

    def __init__(self, *, level: int = 2, size: int = 144, **browser: Any) -> None:
        super().__init__(**browser)
        if level not in LEVELS:
            raise ConfigError(f"level must be one of {', '.join(map(str, LEVELS))}, got {level!r}")
        if not SIZES[0] <= size <= SIZES[1]:
            raise ConfigError(f"size must be {SIZES[0]} to {SIZES[1]} pixels, got {size!r}")
        self.level = level
        self.viewport = (size, size)

    def begin(self, rng: np.random.Generator) -> Observation:
        """Show the first page and say what to enter."""
        self._form: Form = self.draw(lambda rng: make_form(rng, self.level), rng)
        widths = {option: width_of(option) for option in self._form.options}
        spec = json.dumps({"page": 3 - self.level, "widths": widths, "top": self._form.top})

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
        right = submitted == {"word": self._form.word, "choice": self._form.choice}
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
        if page["page"] == 1 and page["word"] != form.word:
            if page["focus"] != "Word":
                return self._click("Word")
            if page["word"] and not page["selected"]:
                return Demo('keyboard_press("Control+a")', "replace the word", self._caption())
            return Demo(f"keyboard_type({json.dumps(form.word)})", f'enter "{form.word}"', self._caption())
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
