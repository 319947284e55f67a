"""Two small worlds in a real browser: one click, and a form of two pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any, ClassVar

import numpy as np

from saccade.envs.actions import ActionSet, Call
from saccade.envs.core import Outcome
from saccade.envs.episode import Cause, Demo
from saccade.envs.errors import ConfigError
from saccade.envs.gui.base import CLICK, PRESS, TYPE, BrowserEnv
from saccade.envs.gui.observe import SCENE_PAGE, SCENES, picture, render_scenes, show_call
from saccade.envs.gui.site import ASSETS, Site
from saccade.envs.gui.tab import Tab
from saccade.envs.gui.tasks import FORM_SIZES, Form, Scene, check_scene_settings, make_form, make_scene
from saccade.envs.observation import Image, Observation
from saccade.envs.task import Split


class ClickTarget(BrowserEnv):
    """Click the shape that the goal names. The page records which shape took the click.

    The page rebuilds itself for every episode, so it is never loaded again. The first picture of a scene is kept in
    `observe.SCENES`: it depends on the scene alone, and the episodes of a group begin with the same scene, so they
    need one screenshot together. `prefetch` fills that cache for many tasks at once.

    Args:
        level: 1 one object; 2 two or three of different colours; 3 four, some sharing the target's colour or shape.
        size: width and height of the picture in pixels.
        browser: `split`, `max_turns` (1), `error_penalty`, `render_mode`, `fresh_context`, `timeout`.
    """

    instructions = "Click the shape that is named."
    action_format = ActionSet(CLICK)
    max_turns = 1
    site = Site(ASSETS)
    home = SCENE_PAGE
    resets_in_page: ClassVar[bool] = True

    def __init__(self, *, level: int = 2, size: int = 64, **browser: Any) -> None:
        super().__init__(**browser)
        check_scene_settings(level, size)
        self.level = level
        self.viewport = (size, size)

    @classmethod
    def prefetch(cls, seeds: Iterable[int], split: Split = "train", **settings: Any) -> int:
        """Draw the first pictures of many tasks, so that `reset` to them needs no screenshot; how many were drawn.

        The cache is bounded (about 5,400 pictures of 64 x 64): with more seeds the first are forgotten again.
        """
        env = cls(split=split, **settings)
        scenes = {scene.look: scene for scene in (env.scene_of(env._task_rng(seed)) for seed in seeds)}
        missing = [scene for look, scene in scenes.items() if SCENES.get(look) is None]
        for scene, image in zip(missing, render_scenes(missing), strict=True):
            SCENES.put(scene.look, image)
        return len(missing)

    def scene_of(self, rng: np.random.Generator) -> Scene:
        """The scene that `rng` determines."""
        return self.draw(lambda rng: make_scene(rng, self.level, self.viewport[0]), rng)

    def begin(self, rng: np.random.Generator) -> Observation:
        """Show the scene and say what to click."""
        self._scene = scene = self.scene_of(rng)
        self._clicks = 0
        self._hit: int | None = None
        known = SCENES.get(scene.look)

        async def show(tab: Tab) -> bytes | None:
            await tab.evaluate(show_call(scene))
            return None if known else await tab.screenshot()

        png = self.open_page(show)
        if png is not None:
            known = picture(png)
            SCENES.put(scene.look, known)
        assert known is not None  # it was cached, or a screenshot was taken
        return Observation.of(scene.goal, known)

    def act(self, call: Call) -> Outcome:
        """Click; the page says what was hit."""
        self.check(call)
        self._clicks += 1
        needs_picture = self.max_turns > 1  # else the episode ends here, and nobody looks

        async def click(tab: Tab) -> tuple[int | None, bytes | None]:
            x, y = call.args["x"], call.args["y"]
            after = f"scene.after({self._clicks})"
            hit, *_ = await asyncio.gather(tab.evaluate(after), *tab.mouse(x, y))  # type: ignore[arg-type]
            return hit, await tab.screenshot() if hit is None and needs_picture else None

        self._hit, png = self.on_page(click)
        clicked = None if self._hit is None else self._scene.objects[self._hit].name
        info = {"clicked": clicked}
        if self._hit is not None:
            right = self._hit == self._scene.target
            ended = Cause.GOAL if right else Cause.FAILED
            return Outcome(Observation.of("The page took the click."), reward=float(right), ended=ended, info=info)
        shown: tuple[Image, ...] = () if png is None else (picture(png),)
        return Outcome(Observation.of("Nothing there.", *shown), info=info)

    def state(self) -> Any:
        """The scene and what was hit."""
        return {"scene": asdict(self._scene), "hit": self._hit}

    def demo(self) -> Iterator[Demo]:
        """Click the centre of the target."""
        target = self._scene.objects[self._scene.target]
        x, y = target.centre
        yield Demo(f"click({x}, {y})", thought=f"{target.name} ({x}, {y})", caption=self._scene.caption())


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

    def __init__(self, *, size: int = 160, **browser: Any) -> None:
        super().__init__(**browser)
        if not FORM_SIZES[0] <= size <= FORM_SIZES[1]:
            raise ConfigError(f"size must be {FORM_SIZES[0]} to {FORM_SIZES[1]} pixels, got {size!r}")
        self.viewport = (size, size)

    def begin(self, rng: np.random.Generator) -> Observation:
        """Show the first page and say what to enter."""
        self._form: Form = self.draw(make_form, rng)
        spec = json.dumps({"options": self._form.options, "top": self._form.top})

        async def show(tab: Tab) -> tuple[Any, bytes]:
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
                return Demo('press("Control+a")', "replace the name", self._caption())
            return Demo(f"type({json.dumps(form.name)})", f"enter {form.name}", self._caption())
        if page["page"] == 1:
            return self._click("Next")
        return self._click(form.choice if page["choice"] != form.choice else "Submit")

    def _click(self, what: str) -> Demo:
        x, y = self._page["places"][what]
        return Demo(f"click({x}, {y})", thought=f"{what} ({x}, {y})", caption=self._caption())

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
