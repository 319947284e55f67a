"""How often an environment's own demonstrations succeed, and how often chance does: one table row an environment.

    python benchmarks/demonstrations.py                                  # the mobile robot, 100 tasks a level
    python benchmarks/demonstrations.py --envs saccade/Fetch-v0 --chance 0

Tasks are those of seeds 0, 1, ... of the train split. Chance is the random agent of each environment.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import tyro

from saccade.envs.core import LanguageEnv
from saccade.envs.task import make


@dataclass(frozen=True)
class Options:
    """What to measure."""

    envs: tuple[str, ...] = (
        "saccade/GoTo-v0",
        "saccade/GoToRoom-v0",
        "saccade/Avoid-v0",
        "saccade/Fetch-v0",
        "saccade/Explore-v0",
        "saccade/BehindWall-v0",
    )
    """Ids of environments with levels."""
    levels: tuple[int, ...] = (1, 2, 3)
    """Each measured alone."""
    tasks: int = 100
    """How many demonstrations."""
    chance: int = 100
    """How many random episodes."""


def main(options: Options) -> None:
    names = [f"level {level}" for level in options.levels]
    print("| environment | " + " | ".join(f"{name} | turns | by chance" for name in names) + " |", flush=True)
    print("|---" * (1 + 3 * len(names)) + "|", flush=True)
    for id in options.envs:
        cells = []
        for level in options.levels:
            env = make(id, level=level).unwrapped
            assert isinstance(env, LanguageEnv)
            shown = [demonstrated(env, seed) for seed in range(options.tasks)]
            luck = [by_chance(env, seed) for seed in range(options.chance)]
            env.close()
            turns = [turns for _, turns in shown]
            cells += [
                f"{sum(won for won, _ in shown)} of {len(shown)}",
                f"{sum(turns) / len(turns):.1f}",
                f"{sum(luck)} of {len(luck)}",
            ]
        print(f"| `{id}` | {' | '.join(cells)} |", flush=True)


def demonstrated(env: LanguageEnv, seed: int) -> tuple[bool, int]:
    """Whether the demonstration of a task succeeds without an error on the way, and in how many turns."""
    env.reset(seed=seed)
    turns, clean = 0, True
    for demo in env.demo():
        _, _, terminated, truncated, info = env.step(demo.action)
        turns, clean = turns + 1, clean and info["action_error"] is None
        if terminated or truncated:
            return clean and info["success"], turns
    return False, turns


def by_chance(env: LanguageEnv, seed: int) -> bool:
    """Whether a random agent succeeds."""
    rng = random.Random(seed)
    env.reset(seed=seed)
    while True:
        _, _, terminated, truncated, info = env.step(env.sample_action(rng))
        if terminated or truncated:
            return bool(info["success"])


if __name__ == "__main__":
    main(tyro.cli(Options))
