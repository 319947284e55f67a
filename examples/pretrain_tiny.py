"""Make a tiny model from nothing: supervised learning on the demonstrations of small worlds of all families.

    python examples/pretrain_tiny.py --out runs/pretrain
    python examples/pretrain_tiny.py --out runs/pretrain --resume       # goes on after an interruption
    python examples/pretrain_tiny.py --out runs/tenth --share 0.1 --compare runs/pretrain/curve.jsonl

The last line repeats the first tenth of the schedule and compares its losses with the recorded ones: equal bit for bit
on the same kind of processor, elsewhere within 1 %.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from saccade.agents.agent import AgentConfig
from saccade.agents.tiny import TinyConfig
from saccade.rl.courses import Course
from saccade.rl.curve import read_curve
from saccade.rl.pretrain import PretrainConfig, pretrain

EASY, MIDDLE, MAIN = (0.0, 0.1), (0.1, 0.3), (0.3, 1.0)
"""Spans of the schedule: one object at first, for where things are has to be learned before which of them is meant."""

COURSES = (
    # Small scenes, 64 x 64 pixels: 16 image tokens.
    Course("saccade/ClickTarget-v0?level=1", 4, span=EASY),
    Course("saccade/ClickTarget-v0?level=2", 3, span=MIDDLE),
    Course("saccade/ClickTarget-v0?level=3", 2, span=MAIN),
    Course("saccade/Shapes-v0?level=1", 3, span=EASY),
    Course("saccade/Shapes-v0?level=2", 4, span=MIDDLE),
    Course("saccade/Shapes-v0?level=3", 4, span=MAIN),
    Course("saccade/Shapes-v0?level=3&question=count", 3, span=MAIN),
    Course("saccade/Shapes-v0?level=2", 1, span=MAIN, every=2),
    Course("saccade/Digits-v0", 2, span=(0.0, 0.5)),
    Course("saccade/Digits-v0", 1, span=(0.5, 1.0)),
    Course("saccade/Reach-v0?level=1", 1, span=EASY),
    Course("saccade/Reach-v0?level=2", 1, span=MIDDLE),
    Course("saccade/Reach-v0?level=2", 1, span=MAIN, every=2),
    Course("saccade/Navigate-v0?level=1", 1, span=(0.0, 0.3)),
    Course("saccade/Navigate-v0?level=2", 1, span=(0.2, 1.0), every=2),
    # Pages with words, 112 to 144 pixels wide: 49 to 81 image tokens. One word at first, to learn it from.
    Course("saccade/ClickWord-v0?level=0", 8, span=(0.0, 0.3)),
    Course("saccade/ClickWord-v0?level=0", 2, span=MAIN, every=2),
    Course("saccade/ClickWord-v0?level=1", 3, span=(0.2, 0.4)),
    Course("saccade/ClickWord-v0?level=2", 2, span=(0.3, 1.0)),
    Course("saccade/TwoPageForm-v0?level=1", 2, span=(0.25, 1.0), every=2),
    Course("saccade/TwoPageForm-v0?level=2", 1, captions=2, span=(0.25, 1.0), every=2),
)
"""What is taught; higher levels are left for reinforcement learning."""

RECIPE = PretrainConfig(
    courses=COURSES,
    steps=5000,
    check_every=1250,
    tiny=TinyConfig(width=96, layers=4, heads=3, mlp=288, vision_layers=4, position_embeddings=256, merges=500),
    agent=AgentConfig(coordinates="location-tokens", max_reply_tokens=48, explain=False),
)
TOLERANCE = 0.01
"""Relative difference of losses that another processor may make."""


@dataclass(frozen=True)
class Arguments:
    """Settings of this run; the recipe itself is in the file."""

    out: str = "runs/pretrain"
    """Folder of the run."""
    resume: bool = False
    """Go on from the newest checkpoint."""
    share: float = 1.0
    """Stop after this share of the schedule, without a model."""
    compare: str = ""
    """A recorded curve to hold the losses against."""


def compare(mine: Path, recorded: Path) -> bool:
    """Print how far the losses of two curves are apart; whether that is near enough."""
    losses = {line["step"]: line["sft/loss"] for line in read_curve(recorded)}
    pairs = [(line["sft/loss"], losses[line["step"]]) for line in read_curve(mine) if line["step"] in losses]
    if not pairs:
        print(f"{recorded} has no step in common with {mine}", file=sys.stderr)
        return False
    found, wanted = np.array(pairs).T
    # Single losses jump about; on another processor their course over twenty recorded steps is what must agree.
    smooth = np.ones(min(20, len(found))) / min(20, len(found))
    apart = np.abs(np.convolve(found, smooth, "valid") / np.convolve(wanted, smooth, "valid") - 1).max()
    equal = bool((found == wanted).all())
    print(f"{len(pairs)} steps: {'equal bit for bit' if equal else f'smoothed losses differ by up to {apart:.2%}'}")
    return equal or bool(apart <= TOLERANCE)


def show(step: int, metrics: dict[str, float]) -> None:
    """Print a line now and then."""
    success = {name.removeprefix("success/"): value for name, value in metrics.items() if name.startswith("success/")}
    if success or step % 20 == 0:
        print(
            f"step {step}: loss {metrics['sft/loss']:.3f}, {metrics['time/lessons']:.2f} s lessons, "
            f"{metrics['time/learn']:.2f} s learning",
            flush=True,
        )
    for name, value in success.items():
        print(f"    {value:.2f} {name}", flush=True)


def main(args: Arguments) -> int:
    """Run the recipe, or a part of it."""
    stop_at = 0 if args.share >= 1 else max(int(RECIPE.steps * args.share), 1)
    config = RECIPE if args.out == RECIPE.out else PretrainConfig(**(vars(RECIPE) | {"out": args.out}))
    model = pretrain(config, args.resume, stop_at, show)
    if args.compare:
        return 0 if compare(Path(args.out) / "curve.jsonl", Path(args.compare)) else 1
    if not stop_at:
        print(f"model: {model}")
    return 0


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Arguments, description=__doc__)))
