"""What a turn in the browser costs: `python benchmarks/gui.py [--write docs/results.md] [--peer-python PATH]`.

The floor is `gui_floor.py`: the same calls on the same page in plain Playwright, in turns with ours, in the same run.
Compare rows of one run only: absolute numbers follow the machine's load. The peer is `gui_peer.py`.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gui_floor import Floor
from page import markdown_table, write_section
from processes import family, memory

from saccade.envs.gui.base import BrowserEnv
from saccade.envs.gui.browser import ARGUMENTS, can_sandbox, find_chromium, host
from saccade.envs.gui.env import ClickTarget
from saccade.envs.gui.form import TwoPageForm
from saccade.envs.gui.miniwob import AREA, WINDOW, MiniWoB, miniwob_html
from saccade.envs.gui.observe import SCENES, render_scenes
from saccade.envs.gui.sites.shop import ShopOrder
from saccade.envs.gui.tasks import make_scene

TASK = "click-checkboxes-large"
STEPS = 10
"""In each episode."""
GOAL = 0.8
"""Of the floor's speed that ours must have."""
COLUMNS = ("what", "unit", "median", "p90", "ratio")
ABOUT = f"""`python benchmarks/gui.py --write docs/results.md` wrote this. The floor is plain Playwright that makes the
same calls on the same page (MiniWoB++ {TASK}: a click, two frames, accessibility tree, screenshot, decoded), in turns
with ours in one run; of ours, *ratio* is its share of the floor's speed, and at least {GOAL:.0%} is the goal. Memory is
the proportional set size of Chromium, its driver and the Python process together.
"""


class Row:
    """A line of the table; it is told on the way, as the whole takes minutes.

    Args:
        what: was measured.
        values: in `unit`.
        ratio: to what the line says.
    """

    def __init__(self, what: str, values: Sequence[float], unit: str = "ms", ratio: str = "") -> None:
        ordered = sorted(values)
        self.median = statistics.median(ordered)
        print(f"{what}: {self.median:.2f} {unit} {ratio}", file=sys.stderr, flush=True)
        high = f"{ordered[int(0.9 * len(ordered))]:.2f}" if len(ordered) > 1 else ""
        self.cells = (what, unit, f"{self.median:.2f}", high, ratio)


class Clock:
    """Times of one kind of call, in milliseconds."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    def __call__(self, work: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """Do it and take its time."""
        began = time.perf_counter()
        result = work(*given, **named)
        self.taken.append(1e3 * (time.perf_counter() - began))
        return result


def make() -> MiniWoB:
    return MiniWoB(task=TASK, observe=("tree", "screenshot"), actions=("coord", "ref"), max_turns=10**9)


def clicks(env: MiniWoB) -> Iterator[tuple[int, int]]:
    """The middles of the checkboxes, over and over."""
    places = [each.centre for each in env.sight.tree.elements if each.role == "checkbox" and each.within(env.area)]
    return itertools.cycle(place for place in places if place)


def click(env: MiniWoB, place: tuple[int, int]) -> None:
    *_, terminated, truncated, info = env.step(f"mouse_click({place[0]}, {place[1]})")
    if terminated or truncated or info["action_error"]:
        raise RuntimeError(f"a click on {place} went wrong: {info}")


@dataclass(frozen=True)
class Ours:
    """Medians in milliseconds, to compare a peer with, and the browser that was used."""

    reset: float
    step: float
    executable: str


def beside_floor(blocks: int) -> tuple[list[Row], Ours]:
    """Rows of floor and ours, taken in turns."""
    page = miniwob_html() / "miniwob" / f"{TASK}.html"
    floor, env = Floor(find_chromium, ARGUMENTS, can_sandbox(), page, WINDOW, AREA), make()
    times = {(who, what): Clock() for who in ("floor", "ours") for what in ("reset", "step")}
    floor.reset(0)
    env.reset(seed=0)
    for seed in range(blocks):
        times["ours", "reset"](env.reset, seed=seed)
        places = list(itertools.islice(clicks(env), STEPS))
        for place in places:
            times["ours", "step"](click, env, place)
        times["floor", "reset"](floor.reset, env._seed)
        for x, y in places:
            times["floor", "step"](floor.step, x, y)
    floor.close()
    env.close()
    rows = []
    for what in ("step", "reset"):
        bare = Row(f"floor: {what}", times["floor", what].taken)
        own = statistics.median(times["ours", what].taken)
        ours = Row(f"ours: {what}", times["ours", what].taken, ratio=f"{bare.median / own:.2f} of the floor's speed")
        rows += [bare, ours]
    return rows, Ours(rows[3].median, rows[1].median, floor.executable)


def rate(environments: int, steps: int) -> float:
    """Steps a second of that many environments together, each in its thread."""
    envs = [make() for _ in range(environments)]
    with ThreadPoolExecutor(environments) as pool:
        list(pool.map(lambda numbered: numbered[1].reset(seed=numbered[0]), enumerate(envs)))

        def work(env: MiniWoB) -> None:
            for place in itertools.islice(clicks(env), steps):
                click(env, place)

        began = time.perf_counter()
        list(pool.map(work, envs))
        taken = time.perf_counter() - began
        list(pool.map(MiniWoB.close, envs))
    return environments * steps / taken


def each_holds(environments: int) -> list[float]:
    """MiB by which memory grows with each further environment after the first."""
    envs, held = [], []
    for seed in range(environments):
        envs.append(make())
        envs[-1].reset(seed=seed)
        for place in itertools.islice(clicks(envs[-1]), STEPS):
            click(envs[-1], place)
        gc.collect()
        time.sleep(0.5)  # what was closed or started in the background is done
        held.append(memory(family(os.getpid()))[1])
    for env in envs:
        env.close()
    return [later - before for before, later in itertools.pairwise(held)]


def small(env: BrowserEnv, name: str, seeds: range, prepare: Callable[[], Any] = lambda: None) -> list[Row]:
    """Episodes by demonstrations."""
    resets, steps = Clock(), Clock()
    env.reset(seed=0)
    for seed in seeds:
        prepare()
        resets(env.reset, seed=seed)
        for turn in env.demo():
            steps(env.step, turn.action)
    env.close()
    return [Row(f"{name}: reset", resets.taken), Row(f"{name}: step", steps.taken)]


def scenes(repeats: int) -> list[Row]:
    """The small worlds."""
    rows = small(ClickTarget(), "ClickTarget, new picture", range(repeats), SCENES.clear)
    ClickTarget.prefetch(range(repeats))
    rows += small(ClickTarget(), "ClickTarget, known picture", range(repeats))
    few = range(max(repeats // 10, 2))
    rows += small(TwoPageForm(), "TwoPageForm", few)
    rows += small(ShopOrder(observe=("tree", "screenshot")), "ShopOrder, level 3", few)
    drawn = [make_scene(np.random.default_rng(seed), 2, 64) for seed in range(512)]
    clock = Clock()
    for _ in range(3):
        clock(render_scenes, drawn)
    rates = [1e3 * len(drawn) / taken for taken in clock.taken]
    return [*rows, Row("render_scenes, 64 x 64 pixels", rates, "scenes a second")]


def peer(python: str, executable: str, resets: int) -> dict[str, Any]:
    """Seconds of BrowserGym's resets and steps, and the size of its pictures."""
    script = Path(__file__).with_name("gui_peer.py")
    pages = miniwob_html() / "miniwob"
    settings = {"executable": executable, "pages": pages, "task": TASK, "resets": resets, "steps": STEPS}
    words = itertools.chain.from_iterable((f"--{name}", str(value)) for name, value in settings.items())
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run([python, str(script), *words], stdout=subprocess.PIPE, text=True, check=True, env=clean)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def beside_peer(found: dict[str, Any], ours: Ours, environments: int, together: float) -> list[Row]:
    """Rows of the peer, and how much faster ours is; `together` is the steps a second of that many environments."""
    rows = []
    name = "BrowserGym, {} x {} pixels".format(*found["picture"])
    for what, own in (("step", ours.step), ("reset", ours.reset)):
        taken = [1e3 * each for each in found[what]]
        rows.append(Row(f"{name}: {what}", taken, ratio=f"ours {statistics.median(taken) / own:.1f} times as fast"))
    alone = len(found["step"]) / sum(found["step"])
    many = f"{environments} of ours {together / alone:.1f} times as fast"
    return [*rows, Row("BrowserGym: 1 environment, which is all a process takes", [alone], "steps a second", many)]


def main(blocks: int, repeats: int, environments: int, python: str, write: Path | None) -> None:
    rows, ours = beside_floor(blocks)
    alone, together = rate(1, 5 * blocks), rate(environments, 5 * blocks)
    rows.append(Row("ours: 1 environment", [alone], "steps a second"))
    share = f"{together / alone:.2f} of one's"
    rows.append(Row(f"ours: {environments} environments in threads", [together], "steps a second", share))
    host().close()  # memory is counted from a fresh browser on
    rows.append(Row(f"ours: each further environment, up to {environments}", each_holds(environments), "MiB"))
    rows += scenes(repeats)
    if python:
        rows += beside_peer(peer(python, ours.executable, max(blocks // 4, 2)), ours, environments, together)
    text = markdown_table(COLUMNS, [row.cells for row in rows])
    print(text)
    if write:
        write_section(write, "gui", f"{ABOUT}\n{text}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--blocks", type=int, default=40, help=f"turns of ours and of the floor, {STEPS} steps each")
    parser.add_argument("--repeats", type=int, default=100, help="of the small worlds")
    parser.add_argument("--environments", type=int, default=8, help="that run at once")
    parser.add_argument("--peer-python", default="", help="an interpreter that has BrowserGym")
    parser.add_argument("--write", type=Path, help="a page whose section `gui` it replaces")
    given = parser.parse_args()
    main(given.blocks, given.repeats, given.environments, given.peer_python, given.write)
