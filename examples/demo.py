"""The demo: grow two tiny policies from nothing, make them better by reinforcement learning, and show their replays.

    python examples/demo.py                  # a few minutes on two cores

Each track runs in a process of its own: a warm start on scripted solutions until the policy succeeds now and then,
GRPO on its own rollouts, held-out success before and after. A third policy learns to reach in MuJoCo and is shown
acting. Exit status 1 unless every trained policy is better than its warm start, and their pooled 95 % interval above 0.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import tyro

from saccade.rl.sft import SFTConfig

THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Track:
    """One environment of the demo and the settings that suit it."""

    env: str
    sft: SFTConfig
    updates: int
    """Of reinforcement learning; 0 only shows the warm start acting."""
    tasks_per_step: int
    learning_rate: float
    concurrency: int


TRACKS = {
    "gui": Track(
        "saccade/ClickTarget-v0?level=1&max_turns=2",
        SFTConfig(steps=400, target=0.45, pool=1024, learning_rate=3e-3, check_every=10),
        updates=100,
        tasks_per_step=12,
        learning_rate=4e-4,
        concurrency=16,
    ),
    "qa": Track(
        "saccade/Digits-v0",
        SFTConfig(steps=300, target=0.42, pool=1024, learning_rate=4e-3),
        updates=120,
        tasks_per_step=16,
        learning_rate=4e-4,
        concurrency=64,
    ),
    "embodied": Track(
        "saccade/Reach-v0?level=1",
        SFTConfig(steps=300, target=0.4, pool=256, batch=16, learning_rate=2e-3),
        updates=0,
        tasks_per_step=16,
        learning_rate=3e-4,
        concurrency=8,
    ),
}


@dataclass(frozen=True)
class Arguments:
    """Demo settings."""

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
    """Grow, train and evaluate one policy; write `result.json`."""
    import torch

    torch.set_num_threads(1)
    from saccade.agents.evaluation import Evaluation, evaluate
    from saccade.agents.runner import Runner, RunnerConfig
    from saccade.envs.replay import ReplayStore
    from saccade.envs.wrappers import BlankPictures
    from saccade.rl.config import TrainConfig
    from saccade.rl.evaluate import make_agent
    from saccade.rl.learner import LearnerConfig
    from saccade.rl.notes import token_notes
    from saccade.rl.tiny_start import GrowConfig, grow
    from saccade.rl.trainer import Trainer

    track = TRACKS[name]
    folder = Path(args.out) / name
    runner = RunnerConfig(concurrency=track.concurrency)

    def tell_growth(step: int, metrics: dict[str, float]) -> None:
        success = next(value for key, value in metrics.items() if key.startswith("sft/success"))
        print(f"{name}: warm start, step {step}: sampled success {success:.2f}", flush=True)

    def tell_update(update: int, metrics: dict[str, float]) -> None:
        if update % 10 == 9:
            print(
                f"{name}: update {update + 1}: return {metrics['return']:.2f}, KL {metrics.get('policy/kl', 0):.3f}, "
                f"{metrics['time/rollout']:.2f} s rollout, {metrics['time/learn']:.2f} s learning",
                flush=True,
            )

    started = time.perf_counter()
    pool = max(int(track.sft.pool * min(args.scale, 1)), track.sft.batch)
    sft = replace(track.sft, steps=max(int(track.sft.steps * args.scale), 10), pool=pool)
    grow(GrowConfig((track.env,), str(folder / "start"), args.seed, sft=sft, runner=runner), tell_growth)
    result: dict[str, object] = {"env": track.env, "warm_start_seconds": time.perf_counter() - started}
    if track.updates:
        config = TrainConfig(
            model=str(folder / "start"),
            envs=(track.env,),
            run=str(folder / "run"),
            steps=max(int(track.updates * args.scale), 1),
            tasks_per_step=track.tasks_per_step,
            seed=args.seed,
            eval_tasks=args.eval_tasks,
            runner=runner,
            learner=LearnerConfig(learning_rate=track.learning_rate),
        )
        trainer = Trainer(config)
        trained = trainer.run(tell_update)
        agent = make_agent(str(folder / "run" / "model"), "engine", None)
        blind = Runner(agent, runner, wrap=BlankPictures)
        source = config.sources[0]
        unseen = Evaluation([each.episode for each in evaluate(blind, source, args.eval_tasks)])
        blind.close()
        before, after = trained.before[str(source)], trained.after[str(source)]
        tasks = sorted(before.successes.keys() & after.successes.keys())
        result |= {
            "before": [bool(before.successes[task]) for task in tasks],
            "after": [bool(after.successes[task]) for task in tasks],
            "blind": list(unseen.successes.values()),
        }
    else:
        from saccade.envs.task import TaskSource

        agent = make_agent(str(folder / "start"), "engine", None)
        acting = Runner(agent, runner)
        shown = evaluate(acting, TaskSource.parse(track.env), 32)
        acting.close()
        with ReplayStore.create(folder / "run" / "replay", run_id=f"demo-{args.seed}") as store:
            for each in shown:
                store.add(each.episode, token_notes(each, agent.chat), phase="eval")
        result["acting"] = [each.episode.success for each in shown]
    agent.engine.close()
    result["seconds"] = time.perf_counter() - started
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
                    command += ["--seed", str(args.seed), "--scale", str(args.scale)]
                    command += ["--eval-tasks", str(args.eval_tasks)]
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
    if not run_lanes([["gui"], ["qa", "embodied"]], args):
        return 1

    (out / "seconds.txt").write_text(f"{time.perf_counter() - started:.0f}")
    console = make_console()
    results = {name: json.loads((out / name / "result.json").read_text()) for name in TRACKS}
    rows: list[list[object]] = []
    befores: list[bool] = []
    afters: list[bool] = []
    worse = False
    for name in ("gui", "qa"):
        result = results[name]
        before, after, blind = result["before"], result["after"], result["blind"]
        befores += before
        afters += after
        difference = paired_difference(before, after)
        worse = worse or difference.mean <= 0
        share = f"{sum(blind) / len(blind):.3f}"
        rows.append([result["env"], proportion(before), proportion(after), difference, share])
    pooled = paired_difference(befores, afters)
    rows.append(["both", "", "", pooled, ""])
    title = f"Held-out success on {args.eval_tasks} tasks each, 95 % intervals"
    console.print(table(title, ["environment", "warm start", "trained", "paired difference", "blind"], rows))
    acting = results["embodied"]["acting"]
    console.print(f"{results['embodied']['env']}: warm start shown acting, {sum(acting)} of {len(acting)} reached")
    for name in TRACKS:
        console.print(f"replay:      saccade replay {out / name / 'run'}", highlight=False)
    console.print(f"tensorboard: tensorboard --logdir {out}", highlight=False)
    if worse or pooled.low <= 0:
        console.print("[bold red]not every trained policy is better than its warm start[/]")
        return 1
    return 0


if __name__ == "__main__":
    arguments = tyro.cli(Arguments, description=__doc__)
    if arguments.track:
        run_track(arguments.track, arguments)
    else:
        sys.exit(main(arguments))
