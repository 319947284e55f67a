"""Answering questions on pictures: GRPO from `saccade-tiny` on single-step episodes.

python examples/train_qa.py --steps 80
saccade replay runs/train-qa
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import tyro

from saccade.agents.runner import RunnerConfig
from saccade.rl.config import TrainConfig
from saccade.rl.display import ProgressDisplay
from saccade.rl.learner import LearnerConfig
from saccade.rl.trainer import Trainer


@dataclass(frozen=True)
class Arguments:
    """What one changes first; everything else is in `TrainConfig`."""

    model: str = "saccade-tiny"
    """Checkpoint to start from: shipped, a folder, or a hub id."""
    run: str = "runs/train-qa"
    """Folder of metrics, checkpoints and replay."""
    steps: int = 80
    """Updates."""
    seed: int = 0
    """Of the tasks and of every random number."""
    eval_tasks: int = 128
    """Held-out tasks, before and after."""
    engine: str = "transformers"
    """Who draws the replies: `transformers`, bit for bit the same again, or `vllm`."""
    resume: bool = False
    """Go on from the newest checkpoint."""


def main(args: Arguments) -> None:
    """Train, and print what it was good for."""
    torch.set_num_threads(1)  # on small machines more threads fight each other
    config = TrainConfig(
        model=args.model,
        envs=("saccade/Shapes-v0?level=5&question=count",),
        run=args.run,
        steps=args.steps,
        tasks_per_step=16,
        group_size=8,
        seed=args.seed,
        engine=args.engine,
        deterministic=args.engine == "transformers",
        eval_tasks=args.eval_tasks,
        runner=RunnerConfig(concurrency=64),  # these worlds cost nothing: many at once
        learner=LearnerConfig(learning_rate=1e-4, kl_coef=0.03),
    )
    trainer = Trainer(config, args.resume)
    with ProgressDisplay(config.steps, config.run, trainer.start) as display:
        result = trainer.run(display.report)
    for env, after in result.after.items():
        before = result.before[env]
        print(f"{env}: {before.success} -> {after.success}, paired difference {after.against(before)}")


if __name__ == "__main__":
    main(tyro.cli(Arguments, description=__doc__))
