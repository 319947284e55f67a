"""Can every simulated task be done, and not by chance? Demonstrations and random agents on many seeds.

    python benchmarks/embodied_demos.py --seeds 100 --write docs/embodied.md

Both play held-out tasks with pictures of 32 x 32 pixels' worth of aim where `--size` says so; by default as registered.
Exits with 1 unless the demonstrations of every task and level succeed on 95 % of the seeds.
"""

import random
import sys
from dataclasses import dataclass
from pathlib import Path

import tyro
from page import markdown_table, write_section

from saccade.envs import ENVIRONMENTS
from saccade.envs.embodied.simulated import LEVELS
from saccade.envs.task import make

IDS = tuple(id for id, entry in ENVIRONMENTS.items() if ".embodied." in entry)

TEXT = """`python benchmarks/embodied_demos.py --seeds {seeds} --write docs/embodied.md` wrote this: success of the
demonstrations and of the random agent, and the mean number of turns of a demonstration, on {seeds} test tasks each,
with pictures of {size} pixels.

{table}"""


@dataclass(frozen=True)
class Arguments:
    """Which tasks."""

    ids: tuple[str, ...] = IDS
    """Registered ids."""
    levels: tuple[int, ...] = LEVELS
    """Levels of each."""
    seeds: int = 100
    """Tasks of each level."""
    size: int = 128
    """Width and height of the pictures: the aim is as fine as they are."""
    verbose: bool = False
    """Tell each failure."""
    write: str | None = None
    """Markdown page that gets the table."""


def main(args: Arguments) -> int:
    rows, good = [], True
    for id in args.ids:
        for level in args.levels:
            env = make(id, level=level, size=args.size, split="test")
            results = [demonstrate(env, seed, args.verbose) for seed in range(args.seeds)]
            chance = [play_randomly(env, seed) for seed in range(args.seeds)]
            env.close()
            done = sum(success for success, _ in results)
            good &= done >= 0.95 * args.seeds
            turns = sum(turns for _, turns in results) / args.seeds
            rows.append([f"`{id}`", level, f"{done}/{args.seeds}", f"{turns:.1f}", f"{sum(chance)}/{args.seeds}"])
            print(*rows[-1], flush=True)
    if args.write:
        table = markdown_table(["id", "level", "demonstrations", "turns", "random"], rows)
        write_section(Path(args.write), "demos", TEXT.format(table=table, seeds=args.seeds, size=args.size))
    return 0 if good else 1


def demonstrate(env, seed, verbose=False):
    """Success and turns of one demonstration."""
    observation, info = env.reset(seed=seed)
    said = [observation["text"]]
    turns = 0
    for demo in env.unwrapped.demo():
        observation, _, terminated, truncated, info = env.step(demo.action)
        said += [demo.action, observation["text"]]
        turns += 1
        if terminated or truncated:
            break
    if verbose and not info.get("success"):
        print(f"  {env.spec.id} seed {seed}: {' | '.join(said)} [{info.get('cause')}]")
    return bool(info.get("success")), turns


def play_randomly(env, seed):
    """Success of the random agent."""
    env.reset(seed=seed)
    rng = random.Random(seed)
    while True:
        *_, terminated, truncated, info = env.step(env.unwrapped.sample_action(rng))
        if terminated or truncated:
            return bool(info["success"])


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Arguments, description=__doc__)))
