"""Can every simulated task be done, and not by chance? Demonstrations and random agents on many seeds.

    python benchmarks/embodied_demos.py --seeds 100 --write docs/embodied.md

Resumable: what is in `--out` is not played again, and more seeds add to it. Exits with 1 unless the demonstrations of
every task and level succeed on 95 % of the seeds.
"""

import json
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
    out: str = "runs/embodied_demos.jsonl"
    """File of the results."""
    verbose: bool = False
    """Tell each failure."""
    write: str | None = None
    """Markdown page that gets the table."""


def main(args: Arguments) -> int:
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    known = {}
    for line in out.read_text().splitlines() if out.exists() else []:
        id, level, size, seed, *result = json.loads(line)
        known[id, level, size, seed] = result
    rows, good = [], True
    for id in args.ids:
        for level in args.levels:
            missing = [seed for seed in range(args.seeds) if (id, level, args.size, seed) not in known]
            for seed, result in play(id, level, missing, args):
                known[id, level, args.size, seed] = result
                with out.open("a") as file:
                    file.write(json.dumps([id, level, args.size, seed, *result]) + "\n")
            done, turns, chance = map(
                sum, zip(*(known[id, level, args.size, s] for s in range(args.seeds)), strict=True)
            )
            good &= done >= 0.95 * args.seeds
            shares = [f"{done}/{args.seeds}", f"{chance}/{args.seeds}"]
            rows.append([f"`{id}`", level, *shares, f"{turns / args.seeds:.1f}"])
            print(*rows[-1], flush=True)
    if args.write:
        table = markdown_table(["id", "level", "demonstrations", "random agent", "turns"], rows)
        write_section(Path(args.write), "demos", TEXT.format(table=table, seeds=args.seeds, size=args.size))
    return 0 if good else 1


def play(id, level, seeds, args):
    """Each seed with the success and the turns of its demonstration, and the success of the random agent."""
    if not seeds:
        return
    env = make(id, level=level, size=args.size, split="test")
    for seed in seeds:
        yield seed, [*demonstrate(env, seed, args.verbose), play_randomly(env, seed)]
    env.close()


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
