"""Pictures of pages: decoding, cropping, and many scenes from one screenshot.

A scene's picture depends on the scene alone, so pictures are kept in one bounded cache for the process and shared by
all environments; `render_scenes` draws whole sheets of them, far faster than one by one.
"""

from __future__ import annotations

import json
import os
import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from saccade.envs.gui.browser import host
from saccade.envs.gui.site import ASSETS, Site
from saccade.envs.gui.tab import Tab
from saccade.envs.gui.tasks import Scene
from saccade.envs.observation import Image

SCENE_PAGE = "scene.html"
SHEETS = (512, 1280)
"""Widths and heights in pixels of the pages on which `render_scenes` draws: 8 x 8 scenes of 64 or of 160 pixels."""


class Pictures:
    """A thread-safe least-recently-used cache of pictures, bounded by the bytes of their pixels."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[Hashable, Image] = OrderedDict()
        self._lock = threading.Lock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)

    def get(self, key: Hashable) -> Image | None:
        """The picture, if it is kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: Hashable, picture: Image) -> None:
        """Keep a picture; the longest unused ones go when there is no room."""
        with self._lock:
            old = self._kept.pop(key, None)
            self._kept[key] = picture
            self._bytes += picture.pixels.nbytes - (old.pixels.nbytes if old else 0)
            while self._bytes > self.max_bytes and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1].pixels.nbytes

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()


SCENES = Pictures(max_bytes=64 << 20)
"""Pictures of scenes by `Scene.look`: about 5,400 of 64 x 64 pixels, or 870 of 160 x 160."""


def picture(png: bytes, size: tuple[int, int] | None = None) -> Image:
    """Decode a screenshot; with `size` (width, height), only its top left part."""
    whole = Image.decode(png, "a screenshot")
    if size is None or size == whole.size:
        return whole
    return Image(np.ascontiguousarray(whole.pixels[: size[1], : size[0]]))


def show_call(scene: Scene) -> str:
    """The JavaScript that makes `scene.html` show a scene."""
    return f"scene.show({json.dumps([each.drawn() for each in scene.objects])}, {scene.size})"


def render_scenes(scenes: Sequence[Scene], timeout: float = 60.0) -> list[Image]:
    """Pictures of scenes (`size` x `size` x 3), pixel for pixel as their environments show them, in order.

    Scenes of one size share a sheet, which is one screenshot: the first of `SHEETS` that holds them all, else as many
    as it takes of the last.

    Raises:
        WorldFailure: the browser broke, or a sheet took more than `timeout` seconds.
    """
    found: dict[int, Image] = {}
    for size in sorted({scene.size for scene in scenes}):
        places = [index for index, scene in enumerate(scenes) if scene.size == size]
        side = next((each for each in SHEETS if (each // size) ** 2 >= len(places)), SHEETS[-1])
        room = (side // size) ** 2
        parts = [places[start : start + room] for start in range(0, len(places), room)]

        def draw(part: list[int], size: int = size, side: int = side) -> list[Image]:
            return _cut(host().call(_sheet([scenes[index] for index in part], side), timeout), len(part), size)

        with ThreadPoolExecutor(2) as pool:  # the browser draws a sheet while another is decoded
            for part, images in zip(parts, pool.map(draw, parts), strict=True):
                found.update(zip(part, images, strict=True))
    return [found[index] for index in range(len(scenes))]


async def _sheet(scenes: Sequence[Scene], side: int) -> bytes:
    tab = await host().shared(SCENE_PAGE, Site(ASSETS), (side, side))
    drawn = json.dumps([[each.drawn() for each in scene.objects] for scene in scenes])

    async def draw(tab: Tab) -> bytes:
        await tab.evaluate(f"scene.sheet({drawn}, {scenes[0].size}, {side // scenes[0].size})")
        return await tab.screenshot()

    async with tab.window.lock:
        return await tab.window.run(draw(tab))


def _cut(png: bytes, count: int, size: int) -> list[Image]:
    """The first `count` pictures of a sheet, row by row."""
    sheet = picture(png).pixels
    columns = len(sheet) // size
    corners = [(size * row, size * column) for row, column in (divmod(index, columns) for index in range(count))]
    return [Image(np.ascontiguousarray(sheet[top : top + size, left : left + size])) for top, left in corners]
