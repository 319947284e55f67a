"""What a turn in the browser costs: `python benchmarks/gui.py [--repeats 100]`.

The floor is Playwright and raw Chrome DevTools messages alone, on the same page, in the same run, without threads,
decoding or environments. Compare rows of one run only: absolute numbers follow the machine's load.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from saccade.envs.gui.base import BrowserEnv
from saccade.envs.gui.browser import host
from saccade.envs.gui.env import ClickTarget, TwoPageForm
from saccade.envs.gui.miniwob import ClickTest2
from saccade.envs.gui.observe import SCENE_PAGE, SCENES, render_scenes, show_call
from saccade.envs.gui.site import ASSETS, Site
from saccade.envs.gui.tasks import Scene, make_scene

GRID = "{:<52} {:>9} {:>9}"


def row(name: str, seconds: list[float]) -> None:
    ordered = sorted(seconds)
    print(GRID.format(name, f"{1e3 * statistics.median(ordered):.2f}", f"{1e3 * ordered[int(0.9 * len(ordered))]:.2f}"))


def timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def floor(scenes: list[Scene]) -> None:
    async def measure() -> tuple[list[float], list[float], list[float]]:
        tab = await host().open(Site(ASSETS), (64, 64))
        await tab.goto(SCENE_PAGE)
        shows, shots, clicks = [], [], []
        for scene in scenes:
            times = [time.perf_counter()]
            await tab.evaluate(show_call(scene))
            times.append(time.perf_counter())
            await tab.screenshot()
            times.append(time.perf_counter())
            await asyncio.gather(tab.evaluate("scene.after(1)"), *tab.mouse(32, 32))
            times.append(time.perf_counter())
            for kept, start, end in zip((shows, shots, clicks), times, times[1:], strict=False):
                kept.append(end - start)
        await tab.close()
        return shows, shots, clicks

    shows, shots, clicks = host().call(measure(), 120)
    row("floor: rebuild the page", shows)
    row("floor: 64 x 64 screenshot after a change", shots)
    row("floor: click and read what it hit", clicks)


def episodes(name: str, env: BrowserEnv, seeds: range, prepare: Callable[[], Any]) -> None:
    resets, steps = [], []
    for seed in seeds:
        prepare()
        resets.append(timed(lambda seed=seed: env.reset(seed=seed)))  # type: ignore[misc]
        for turn in env.demo():
            steps.append(timed(lambda action=turn.action: env.step(action)))  # type: ignore[misc]
    row(f"{name}: reset", resets)
    row(f"{name}: step", steps)


def main(repeats: int) -> None:
    scenes = [make_scene(np.random.default_rng(seed), 2, 64) for seed in range(max(repeats, 512))]
    start = timed(lambda: host().call(host().shared(SCENE_PAGE, Site(ASSETS), (512, 512)), 60))
    print(GRID.format("milliseconds", "median", "p90"))
    print(GRID.format("start of driver, browser and first page", f"{1e3 * start:.0f}", ""))
    floor(scenes[:repeats])
    env = ClickTarget()
    env.reset(seed=0)
    episodes("ClickTarget, new picture", env, range(repeats), SCENES.clear)
    ClickTarget.prefetch(range(repeats))
    episodes("ClickTarget, known picture", env, range(repeats), lambda: None)
    for other in (TwoPageForm(), ClickTest2()):
        other.reset(seed=0)
        episodes(type(other).__name__, other, range(max(repeats // 10, 3)), lambda: None)
        other.close()
    env.close()
    taken = min(timed(lambda: render_scenes(scenes[:512])) for _ in range(3))
    print(f"\nrender_scenes: {512 / taken:.0f} scenes a second (512 scenes, best of 3)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--repeats", type=int, default=100)
    main(parser.parse_args().repeats)
