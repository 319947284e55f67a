"""What luck is worth on our own sites: the random agent, and one that knows everything but its goal.

    python benchmarks/gui_chance.py                             # all 25 tasks at their top level
    python benchmarks/gui_chance.py --write docs/results.md     # ... and put the table into the page

*Random* takes random actions on elements that it sees, each drawn from all verbs, in the real browser. *No goal* knows
the site and everything on it, and does without a mistake what some goal asks that could have been given in the same
state, but not the one that was: an upper bound for who cannot read the instruction. Exit status 1 if the random agent
solves 5 % or more of a task, or the other a third or more.
"""

from __future__ import annotations

import importlib
import itertools
import random
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import tyro
from page import markdown_table, write_section

from saccade.agents.evaluation import proportion
from saccade.envs import ENVIRONMENTS
from saccade.envs.gui.sites.base import SiteEnv, SiteTask

SITES = tuple(sorted(id for id, entry in ENVIRONMENTS.items() if entry.startswith("saccade.envs.gui.sites")))
LEVEL = 3
RANDOM_LIMIT, BLIND_LIMIT = 0.05, 1 / 3
WINDOW = 100
"""Draws, the last ones of a task, that can belong to its goal: before them stand attempts that were discarded."""
TRIES, LAST, TRIES_OF_LAST = 4, 6, 40
"""Other values of a draw, to see whether the state depends on it; the last draws often choose the goal, and few values
may make one: then the task is drawn anew."""
OTHERS, STRIDE = 8, 4
"""Other goals that are held against the one of a state, and steps between two of them for each draw that is free."""


@dataclass(frozen=True)
class Arguments:
    """How much is measured."""

    episodes: int = 20
    """Of the random agent, for each task."""
    states: int = 20
    """In which the other agent is asked, for each task."""
    tasks: tuple[str, ...] = SITES
    """Ids of the tasks."""
    write: str = ""
    """Markdown page that gets the table."""


class Draws:
    """A random generator each of whose draws has a stream of its own, so that some can be made anew.

    Args:
        seed: of all streams.
        others: number of a draw -> which of its other values it gets.
    """

    def __init__(self, seed: int, others: Mapping[int, int]) -> None:
        self._seed, self._others = seed, others
        self.values: list[str] = []
        """What was drawn, as text, in order."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def draw(*args: Any, **settings: Any) -> Any:
            number = len(self.values)
            stream = np.random.default_rng([self._seed, number, self._others.get(number, 0)])
            value = getattr(stream, name)(*args, **settings)
            self.values.append(repr(value))
            return value

        return draw


def other_goals(env: SiteEnv, seed: int) -> tuple[SiteTask, list[SiteTask]]:
    """A task, and others that begin in the same state: a random walk over the draws that do not change it."""

    def make(others: Mapping[int, int]) -> tuple[SiteTask, list[str]]:
        draws = Draws(seed, others)
        return env.make(cast(np.random.Generator, draws)), draws.values

    task, values = make({})

    def is_free(number: int) -> bool:
        for other in range(TRIES_OF_LAST if number >= len(values) - LAST else TRIES):
            found, again = make({number: 1 + other})
            if found.begin == task.begin and again[number] != values[number]:
                return True
        return False

    free = [number for number in range(max(0, len(values) - WINDOW), len(values)) if is_free(number)]
    if not free:
        return task, []
    walk, others, seen = random.Random(seed), dict[int, int](), [task]
    for other in range(1, OTHERS * STRIDE * len(free) + 1):
        changed = others | {walk.choice(free): other}
        found, _ = make(changed)
        if found.begin == task.begin:
            others = changed
            seen.append(found)
        else:
            seen.append(seen[-1])
    return task, seen[STRIDE * len(free) :: STRIDE * len(free)]


def without_goal(env: SiteEnv, states: int) -> list[bool]:
    """Whether what another goal wants is what this one wants; a state that tells its goal away counts as solved."""
    found: list[bool] = []
    for seed in range(states):
        task, others = other_goals(env, seed)
        found += [other.want == task.want for other in others] or [True] * OTHERS
    return found


def at_random(env: SiteEnv, episodes: int) -> list[bool]:
    """Success of random actions."""
    rng, found = random.Random(0), []
    for seed in range(episodes):
        env.reset(seed=seed)
        over = False
        while not over:
            *_, terminated, truncated, info = env.step(env.sample_action(rng))
            over = terminated or truncated
        found.append(bool(info["success"]))
    env.close()
    return found


def make_site(id: str) -> SiteEnv:
    """The environment of a task at its top level, acted on by element."""
    module, _, name = ENVIRONMENTS[id].partition(":")
    env: SiteEnv = getattr(importlib.import_module(module), name)(level=LEVEL, actions=("ref",), observe=("tree",))
    return env


def main(args: Arguments) -> int:
    """Measure all tasks and print the table."""
    for id in args.tasks:
        if id not in SITES:
            print(f"{id!r} is none of the tasks on our own sites: {', '.join(SITES)}", file=sys.stderr)
            return 2
    with ThreadPoolExecutor(2) as pool:
        randoms = list(pool.map(lambda id: at_random(make_site(id), args.episodes), args.tasks))
    blinds = []
    for id in args.tasks:
        blinds.append(without_goal(make_site(id), args.states))
        print(f"{id}: {np.mean(blinds[-1]):.2f} without its goal", file=sys.stderr, flush=True)
    rows = [[f"`{id}`", proportion(r), proportion(b)] for id, r, b in zip(args.tasks, randoms, blinds, strict=True)]
    rows.append(["all", *(proportion([*itertools.chain(*found)]) for found in (randoms, blinds))])
    text = markdown_table(["task, level 3", "random", "no goal"], rows)
    print(text)
    if args.write:
        write_section(Path(args.write), "gui-chance", text)
    bad = [id for id, r in zip(args.tasks, randoms, strict=True) if sum(r) >= RANDOM_LIMIT * len(r) > 0]
    bad += [id for id, b in zip(args.tasks, blinds, strict=True) if sum(b) >= BLIND_LIMIT * len(b)]
    for id in bad:
        print(f"{id} is solved by luck too often", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Arguments, description=__doc__)))
