"""Whether the browser holds out: `python benchmarks/gui_soak.py [--episodes 1000 --environments 8 --kills 20]`.

Sites, MiniWoB++ tasks and small worlds are played in threads of one process, by demonstrations and by random actions,
while the browser is killed at random moments. The exit status is 1 if anything is left over (contexts, processes,
descriptors, memory beyond `BOUNDS`), or if an episode was lost without a kill during it.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium as gym
from page import markdown_table, write_section
from processes import descriptors, family, memory, session

from saccade.envs import ENVIRONMENTS
from saccade.envs.errors import WorldFailure
from saccade.envs.gui.base import BrowserEnv
from saccade.envs.gui.browser import host
from saccade.envs.gui.observe import SCENES
from saccade.envs.gui.site import ASSETS, Site

MARKS = (0.1, 0.5, 1.0)
"""Parts of the run after which everything is counted."""
BOUNDS = {"this RSS": 48.0, "this PSS": 48.0, "Chromium PSS": 96.0, "driver PSS": 48.0}
"""MiB by which memory may grow between the last two marks, with every environment closed."""
SLACK = {"descriptors": 2, "driver's descriptors": 8, "Chromium processes": 2}
"""Numbers by which these may grow between the first mark and the last."""
STAY = 4
"""Episodes that a worker plays in an environment before it takes another."""
PATIENCE = 20.0
"""Seconds that what closes in the background is waited for."""
SITES = sorted(id for id, entry in ENVIRONMENTS.items() if entry.startswith("saccade.envs.gui.sites"))
TASKS = (
    *("click-checkboxes-large", "click-test-2", "click-tab-2", "email-inbox", "enter-date", "login-user"),
    *("navigate-tree", "use-autocomplete", "click-collapsible-2", "social-media"),
)
GROUPS = (("coord",), ("ref", "nav", "tab", "chat"))


def draw(rng: random.Random) -> tuple[str, dict[str, Any]]:
    """An environment: a site half of the time, else a MiniWoB++ task or a small world."""
    kind = rng.choice(("site", "site", "miniwob", "small"))
    if kind == "small":
        small = {"ClickTarget": (1, 2, 3), "ClickWord": (1, 2, 3), "TwoPageForm": ()}
        name = rng.choice(sorted(small))
        return f"saccade/{name}-v0", {"level": rng.choice(small[name])} if small[name] else {}
    page = {"observe": ("tree", "screenshot"), "actions": rng.choice(GROUPS)}
    if kind == "site":
        return rng.choice(SITES), page | {"level": rng.choice((1, 2, 3))}
    return f"saccade/MiniWoB-{rng.choice(TASKS)}-v0", page


@dataclass(frozen=True)
class Played:
    """One episode: where it was played, by whom, what ended it and when it ran in seconds."""

    world: str
    by_demo: bool
    cause: str
    began: float
    ended: float
    why: str = ""


@dataclass
class Soak:
    """The run.

    Attributes:
        played: episodes that are over.
        kills: before and after each kill of the browser.
        browsers: sessions of the browsers that were killed.
    """

    episodes: int
    environments: int
    kills_wanted: int
    played: list[Played] = field(default_factory=list)
    kills: list[tuple[float, float]] = field(default_factory=list)
    browsers: list[int] = field(default_factory=list)
    _envs: dict[int, BrowserEnv] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> list[dict[str, float]]:
        """Play everything; what was counted at each of `MARKS`."""
        ends = [max(round(self.episodes * mark), 1) for mark in MARKS]
        rng = random.Random(0)
        moments = sorted(rng.uniform(0, self.episodes - 1) for _ in range(self.kills_wanted))
        counted = []
        for start, end in zip([0, *ends], ends, strict=False):
            numbers = iter(range(start, end))
            due = [(moment, rng.uniform(0, 0.5)) for moment in moments if start <= moment < end]
            killer = threading.Thread(target=self._kill, args=(due,))
            killer.start()
            with ThreadPoolExecutor(self.environments) as pool:
                list(pool.map(self._work, range(self.environments), itertools.repeat(numbers)))
            killer.join()
            counted.append(self._count())
        return counted

    # Playing.

    def _work(self, worker: int, numbers: Iterator[int]) -> None:
        """Play episodes until there are no more."""
        rng = random.Random(worker)
        for turn in itertools.count():
            with self._lock:
                number = next(numbers, None)
            if number is None:
                return
            if turn % STAY == 0:
                self._change(worker, rng)
            played = play(self._envs[worker], number, by_demo=rng.random() < 0.6)
            with self._lock:
                self.played.append(played)
                if len(self.played) % 50 == 0:
                    print(f"{len(self.played)} episodes, {len(self.kills)} kills", file=sys.stderr, flush=True)

    def _change(self, worker: int, rng: random.Random) -> None:
        if worker in self._envs:
            self._envs.pop(worker).close()
        id, settings = draw(rng)
        env = gym.make(id, disable_env_checker=True, **settings).unwrapped
        assert isinstance(env, BrowserEnv)
        self._envs[worker] = env

    def _kill(self, due: list[tuple[float, float]]) -> None:
        """Kill the browser some seconds after so many episodes are over, as often as is due."""
        for moment, delay in due:
            while len(self.played) < moment:
                time.sleep(0.02)
            time.sleep(delay)
            while (leader := browser_session()) is None:
                launch()  # the last kill is too short ago, or nobody plays any more
            self.browsers.append(leader)
            before = time.monotonic()
            host().kill()
            self.kills.append((before, time.monotonic()))

    # Counting.

    def _count(self) -> dict[str, float]:
        """Count what is held, first with the environments that are open and then with all closed, which they stay."""
        wait(lambda: contexts() == self._held(), PATIENCE)
        found: dict[str, float] = {
            "episodes": len(self.played),
            "environments with a window": self._held(),
            "contexts": contexts(),
        }
        for env in self._envs.values():
            env.close()
        self._envs.clear()
        wait(lambda: contexts() == 0, PATIENCE)
        found["contexts after close"] = contexts()
        launch()  # if the last one was killed
        wait(lambda: contexts() == 0 == self._left(), PATIENCE)
        found["left of killed browsers"] = self._left()
        SCENES.clear()
        gc.collect()
        time.sleep(1)  # renderers end after their pages
        chromium = session(browser_session() or 0)
        drivers = [pid for pid in family(os.getpid()) if pid != os.getpid() and pid not in chromium]
        rss, pss = memory([os.getpid()])
        return found | {
            "Chromium processes": len(chromium),
            "drivers": len(drivers),
            "descriptors": descriptors(os.getpid()),
            "driver's descriptors": sum(map(descriptors, drivers)),
            "threads": threading.active_count(),
            "this RSS": rss,
            "this PSS": pss,
            "driver PSS": memory(drivers)[1],
            "Chromium RSS": memory(chromium)[0],
            "Chromium PSS": memory(chromium)[1],
        }

    def _held(self) -> int:
        """Windows of the environments; one whose browser was killed is none any more."""
        return sum(window.alive for env in self._envs.values() for window in env._held.values())

    def _left(self) -> int:
        """Processes of browsers that were killed."""
        return sum(len(session(leader)) for leader in self.browsers)

    def during_kill(self, episode: Played) -> bool:
        """Whether the browser was killed while an episode ran."""
        return any(episode.began <= after and before <= episode.ended for before, after in self.kills)

    def unexplained(self) -> list[Played]:
        """Episodes that the world ended without a kill while they ran."""
        return [
            each
            for each in self.played
            if each.cause == "error" or (each.cause == "infra" and not self.during_kill(each))
        ]


def play(env: BrowserEnv, seed: int, by_demo: bool) -> Played:
    """One episode, by demonstrations as long as there are any and then by random actions."""
    rng = random.Random(seed)
    world = f"{env.spec.id if env.spec else type(env).__name__} {getattr(env, 'level', '')}"
    began = time.monotonic()
    info: dict[str, Any] = {}
    try:
        env.reset(seed=seed)
        over = False
        while not over:
            demo = next(env.demo(), None) if by_demo else None
            by_demo = demo is not None
            *_, terminated, truncated, info = env.step(demo.action if demo else env.sample_action(rng))
            over = terminated or truncated
        cause, why = info["cause"], info.get("failure_message", "")
    except WorldFailure as failure:  # of a reset, or while a demonstration looks at the page
        cause, why = "infra", str(failure)
    except Exception as error:
        cause, why = "error", f"{type(error).__name__}: {error}"
    return Played(world, by_demo, cause, began, time.monotonic(), why)


def launch() -> None:
    """Make sure that there is a browser, by a window that is closed again."""
    host().discard(host().call(host().open(Site(ASSETS), (64, 64)), 300))


def browser_session() -> int | None:
    """The session of the browser, which is led by it or by the script that started it; none while there is none."""
    pid = host().browser_pid
    try:
        return None if pid is None else os.getsid(pid)
    except ProcessLookupError:  # it has just ended
        return None


def contexts() -> int:
    """Contexts that Chromium itself knows; none if there is no browser."""

    async def ask() -> int:
        browser = host()._browser
        if browser is None or not browser.is_connected():
            return 0
        session = await browser.new_browser_cdp_session()
        known = await session.send("Target.getBrowserContexts")
        await session.detach()
        return len(known["browserContextIds"])

    try:
        return host().call(ask(), 30)
    except WorldFailure:  # it was killed just now
        return 0


def wait(reached: Callable[[], bool], seconds: float) -> bool:
    """Wait until something is so; whether it came to that in time."""
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def faults(soak: Soak, counted: list[dict[str, float]]) -> list[str]:
    """Why the run failed; nothing if it did not."""
    first, middle, last = counted
    found = [f"{each.world} was lost: {each.why}" for each in soak.unexplained()]
    if len(soak.played) != soak.episodes or len(soak.kills) != soak.kills_wanted:
        found.append(f"{len(soak.played)} episodes and {len(soak.kills)} kills came to pass")
    for mark in counted:
        if mark["contexts"] != mark["environments with a window"]:
            found.append(f"{mark['contexts']:g} contexts were open for {mark['environments with a window']:g} windows")
        for name, wanted in (("contexts after close", 0), ("left of killed browsers", 0), ("drivers", 1)):
            if mark[name] != wanted:
                found.append(f"{name}: {mark[name]:g} instead of {wanted}")
    found += [
        f"{name} grew by {more:.1f} MiB"
        for name, bound in BOUNDS.items()
        if (more := last[name] - middle[name]) > bound
    ]
    found += [f"{name} grew by {more:g}" for name, bound in SLACK.items() if (more := last[name] - first[name]) > bound]
    return found


def main(episodes: int, environments: int, kills: int, page: str = "") -> int:
    began = time.monotonic()
    soak = Soak(episodes, environments, kills)
    counted = soak.run()
    causes = Counter(each.cause for each in soak.played)
    demos = [each for each in soak.played if each.by_demo and each.cause != "infra"]
    during = [each.cause for each in soak.played if soak.during_kill(each)]
    rows: list[tuple[str, object]] = [
        ("episodes", len(soak.played)),
        *((f"ended: {cause}", number) for cause, number in causes.most_common()),
        ("kills of the browser", len(soak.kills)),
        ("browsers launched", host().launches),
        ("running at a kill", len(during)),
        ("running at a kill, ended: infra", during.count("infra")),
        ("lost without a kill", len(soak.unexplained())),
        ("demonstrations that reached their goal", f"{sum(each.cause == 'goal' for each in demos)} of {len(demos)}"),
        ("seconds", f"{time.monotonic() - began:.0f}"),
    ]
    columns = ["everything closed, memory in MiB", *(f"at {mark:.0%}" for mark in MARKS)]
    counts = markdown_table(columns, [[name, *(f"{mark[name]:.4g}" for mark in counted)] for name in counted[0]])
    bounds = ", ".join(f"{name} {bound:g} MiB" for name, bound in BOUNDS.items())
    text = f"{markdown_table(('run', ''), rows)}\n{counts}\nBounds of growth between the last two: {bounds}.\n"
    print(text)
    wrong = faults(soak, counted)
    host().close()
    if not wait(lambda: family(os.getpid()) == [os.getpid()], PATIENCE):
        wrong.append(f"processes remain after the end: {family(os.getpid())[1:]}")
    verdict = "\n".join(["FAILED", *wrong]) if wrong else "Nothing was left over, and nothing lost without a kill."
    print(verdict)
    if page:
        write_section(Path(page), "gui-soak", f"{text}\n{verdict}\n")
    return bool(wrong)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--episodes", type=int, default=1000)
    parser.add_argument("--environments", type=int, default=8)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--write", default="", help="Markdown page that gets the tables")
    given = parser.parse_args()
    sys.exit(main(given.episodes, given.environments, given.kills, given.write))
