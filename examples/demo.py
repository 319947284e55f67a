"""The demo: make a tiny vision-language model better at three tasks by reinforcement learning, and show its replays.

    python examples/demo.py                  # a few minutes on two cores

The model, `saccade-tiny`, ships with the package. Each track runs in a process of its own: held-out success before,
GRPO on the policy's own episodes, held-out success after. Exit status 1 unless every trained policy is better than the
model it began from, and their pooled 95 % interval is above 0.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import tyro

THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Track:
    """One environment of the demo and the settings that suit it."""

    env: str
    updates: int
    learning_rate: float
    concurrency: int
    tasks_per_step: int = 16


TRACKS = {
    "gui": Track("saccade/ClickWord-v0?level=3", 50, learning_rate=2e-4, concurrency=16),
    "qa": Track("saccade/Shapes-v0?level=5&question=count", 80, learning_rate=2e-4, concurrency=64, tasks_per_step=48),
    "embodied": Track("saccade/Navigate-v0?level=3", 24, learning_rate=2e-4, concurrency=16),
}


@dataclass(frozen=True)
class Arguments:
    """Demo settings."""

    model: str = "saccade-tiny"
    """What the tracks begin from."""
    engine: str = "transformers"
    """Who draws the replies: `transformers`, bit for bit the same again, or `vllm`."""
    out: str = "runs/demo"
    """Folder of the runs."""
    seed: int = 0
    """Of everything."""
    eval_tasks: int = 256
    """Held-out tasks of each environment."""
    track: str = ""
    """Run only this track, in this process."""
    scale: float = 1.0
    """Share of the training steps; for a quick look."""


def run_track(name: str, args: Arguments) -> None:
    """Train and evaluate one policy; write `result.json`."""
    import torch

    torch.set_num_threads(1)
    from saccade.agents.evaluation import Evaluation, evaluate
    from saccade.agents.runner import Runner, RunnerConfig
    from saccade.envs.wrappers import BlankPictures
    from saccade.rl.config import TrainConfig
    from saccade.rl.evaluate import make_agent
    from saccade.rl.learner import LearnerConfig
    from saccade.rl.trainer import Trainer

    track = TRACKS[name]
    folder = Path(args.out) / name
    runner = RunnerConfig(concurrency=track.concurrency)
    config = TrainConfig(
        model=args.model,
        envs=(track.env,),
        run=str(folder / "run"),
        steps=max(int(track.updates * args.scale), 1),
        tasks_per_step=track.tasks_per_step,
        seed=args.seed,
        engine=args.engine,
        deterministic=args.engine == "transformers",
        eval_tasks=args.eval_tasks,
        runner=runner,
        learner=LearnerConfig(learning_rate=track.learning_rate),
    )

    def tell(update: int, metrics: dict[str, float]) -> None:
        if update % 10 == 9:
            print(
                f"{name}: update {update + 1} of {config.steps}: return {metrics['return']:.2f}, right thoughts "
                f"{metrics['thought/accuracy']:.2f}, KL {metrics.get('policy/kl', 0):.3f}, "
                f"{metrics['time/rollout']:.1f} s rollout, {metrics['time/learn']:.1f} s learning",
                flush=True,
            )

    started = time.perf_counter()
    trained = Trainer(config).run(tell)
    agent = make_agent(str(folder / "run" / "model"))
    blind = Runner(agent, runner, wrap=BlankPictures)
    source = config.sources[0]
    unseen = Evaluation([each.episode for each in evaluate(blind, source, args.eval_tasks)])
    blind.close()
    agent.engine.close()
    before, after = trained.before[str(source)], trained.after[str(source)]
    tasks = sorted(before.successes.keys() & after.successes.keys())
    result = {
        "env": track.env,
        "before": [bool(before.successes[task]) for task in tasks],
        "after": [bool(after.successes[task]) for task in tasks],
        "blind": list(unseen.successes.values()),
        "seconds": time.perf_counter() - started,
    }
    (folder / "result.json").write_text(json.dumps(result))
    print(f"{name}: done in {result['seconds']:.0f} s", flush=True)


def run_lanes(lanes: list[list[str]], args: Arguments) -> bool:
    """Run each lane's tracks one after another, the lanes side by side; false, and all ended, if one failed."""
    running: dict[int, subprocess.Popen[bytes]] = {}
    try:
        while any(lanes) or running:
            for lane, names in enumerate(lanes):
                if lane not in running and names:
                    command = [sys.executable, __file__, "--track", names.pop(0), "--out", args.out]
                    command += ["--model", args.model, "--engine", args.engine, "--seed", str(args.seed)]
                    command += ["--scale", str(args.scale), "--eval-tasks", str(args.eval_tasks)]
                    running[lane] = subprocess.Popen(command, env=os.environ | THREADS)
                elif lane in running and running[lane].poll() is not None:
                    status = running.pop(lane).returncode
                    if status:
                        print(f"a track of the demo failed with status {status}", file=sys.stderr)
                        return False
            time.sleep(0.2)
        return True
    finally:
        for process in running.values():
            process.terminate()
            process.wait()


def main(args: Arguments) -> int:
    """Run the tracks side by side, then print what came of them."""
    from saccade.agents.evaluation import paired_difference, proportion
    from saccade.rl.display import make_console, table

    out = Path(args.out)
    if any((out / name).exists() for name in TRACKS):
        print(f"{out} holds a demo already: remove it, or choose another folder with --out", file=sys.stderr)
        return 2
    started = time.perf_counter()
    if not run_lanes([["gui", "qa"], ["embodied"]], args):
        return 1

    (out / "seconds.txt").write_text(f"{time.perf_counter() - started:.0f}")
    console = make_console()
    results = {name: json.loads((out / name / "result.json").read_text()) for name in TRACKS}
    rows: list[list[object]] = []
    befores: list[bool] = []
    afters: list[bool] = []
    worse = False
    for name in TRACKS:
        result = results[name]
        before, after, blind = result["before"], result["after"], result["blind"]
        befores += before
        afters += after
        difference = paired_difference(before, after)
        worse = worse or difference.mean <= 0
        share = f"{sum(blind) / len(blind):.3f}"
        rows.append([result["env"], proportion(before), proportion(after), difference, share])
    pooled = paired_difference(befores, afters)
    rows.append(["all", "", "", pooled, ""])
    title = f"Held-out success on {args.eval_tasks} tasks each, 95 % intervals"
    console.print(table(title, ["environment", args.model, "trained", "paired difference", "blind"], rows))
    for name in TRACKS:
        console.print(f"replay:      saccade replay {out / name / 'run'}", highlight=False)
    console.print(f"tensorboard: tensorboard --logdir {out}", highlight=False)
    if worse or pooled.low <= 0:
        console.print("[bold red]not every trained policy is better than what it began from[/]")
        return 1
    return 0


if __name__ == "__main__":
    arguments = tyro.cli(Arguments, description=__doc__)
    if arguments.track:
        run_track(arguments.track, arguments)
    else:
        sys.exit(main(arguments))
