"""`ClickScene`: one page, one click. A subclass says what stands on the page.

    class ClickTarget(ClickScene):
        instructions = "Click the shape that is named."

        def make(self, rng):
            return make_scene(rng, self.level, self.size)

The page rebuilds itself for every episode, so it is never loaded again. The first picture of a scene is kept in
`observe.SCENES`: it depends on the scene alone, and the episodes of a group begin with the same scene, so they need
one screenshot together. `prefetch` fills that cache for many tasks at once; `observe.render_scenes` draws any number.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from typing import Any, ClassVar

import numpy as np

from saccade.envs.actions import ActionSet, Call
from saccade.envs.core import Outcome
from saccade.envs.episode import Cause, Demo, Lesson
from saccade.envs.gui.base import CLICK, BrowserEnv
from saccade.envs.gui.observe import SCENE_PAGE, SCENES, picture, render_scenes, show_call
from saccade.envs.gui.site import ASSETS, Site
from saccade.envs.gui.tab import Tab
from saccade.envs.gui.tasks import Scene
from saccade.envs.observation import Image, Observation
from saccade.envs.task import Split

ASKED = 3
"""Items of one picture that lessons ask for: the picture is drawn, and seen, once for all of them."""


class ClickScene(BrowserEnv):
    """Click the item of a `Scene` that the goal names. The page records which item took the click.

    Args:
        size: width and height of the picture in pixels.
        browser: `split`, `max_turns` (1), `error_penalty`, `render_mode`, `fresh_context`, `timeout`.
    """

    action_format = ActionSet(CLICK)
    max_turns = 1
    site = Site(ASSETS)
    home = SCENE_PAGE
    resets_in_page: ClassVar[bool] = True

    def __init__(self, *, size: int, **browser: Any) -> None:
        super().__init__(**browser)
        self.size = size
        self.viewport = (size, size)

    @abstractmethod
    def make(self, rng: np.random.Generator) -> Scene:
        """Draw a scene of `size` pixels, of any split."""

    @classmethod
    def prefetch(cls, seeds: Iterable[int], split: Split = "train", **settings: Any) -> int:
        """Draw the first pictures of many tasks, so that `reset` to them needs no screenshot; how many were drawn.

        The cache is bounded (about 5,400 pictures of 64 x 64, 870 of 160 x 160): seeds beyond it are left out.
        """
        env = cls(split=split, **settings)
        room = SCENES.max_bytes // (3 * env.size**2)
        scenes: dict[Any, Scene] = {}
        for seed in seeds:
            if len(scenes) == room:
                break
            scene = env.scene_of(env._task_rng(seed))
            scenes[scene.look] = scene
        missing = [scene for look, scene in scenes.items() if SCENES.get(look) is None]
        for scene, image in zip(missing, render_scenes(missing), strict=True):
            SCENES.put(scene.look, image)
        return len(missing)

    def scene_of(self, rng: np.random.Generator) -> Scene:
        """The scene of this split that `rng` determines."""
        return self.draw(self.make, rng)

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

    def lessons(self, seeds: Iterable[int]) -> Iterator[tuple[int, Lesson]]:
        """Lessons on many scenes at once, without a click; up to `ASKED` items of each picture are asked for."""
        scenes = {seed: self.scene_of(self._task_rng(seed)) for seed in seeds}
        pictures = render_scenes(list(scenes.values()))
        for (seed, scene), image in zip(scenes.items(), pictures, strict=True):
            items = len(scene.objects)
            for offset in range(min(items, ASKED)):
                asked = replace(scene, target=(scene.target + offset) % items)
                yield seed, Lesson(((Observation.of(asked.goal, image), _solution(asked)),))

    def state(self) -> Any:
        """The scene and what was hit."""
        return {"scene": asdict(self._scene), "hit": self._hit}

    def demo(self) -> Iterator[Demo]:
        """Click the centre of the target."""
        yield _solution(self._scene)


def _solution(scene: Scene) -> Demo:
    target = scene.objects[scene.target]
    x, y = target.centre
    return Demo(f"mouse_click({x}, {y})", thought=f"{target.name} ({x}, {y})", caption=scene.caption())
