"""A run that is killed again and again ends with the same weights: `python benchmarks/learner_kills.py`.

One run of 60 updates goes through; another one, of the same settings, gets SIGKILL at 20 moments and is resumed each
time. Moments are drawn from a seed, in processor time of the running process, so that they do not follow the load of
the machine: any of them may fall into a rollout, a step, an evaluation or the writing of a checkpoint. At the end
weights and metrics must be equal bit for bit; exit status 1 if they are not. What was done is kept in `--out`, and the
script goes on where it was stopped. Processes are forked from one that has imported everything.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path

import numpy as np
from page import markdown_table, write_section

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))

import torch
from safetensors.torch import load_file

from saccade.agents.agent import AgentConfig
from saccade.agents.load import model_place
from saccade.agents.runner import RunnerConfig
from saccade.rl.config import TrainConfig
from saccade.rl.learner import LearnerConfig
from saccade.rl.trainer import Trainer

MODEL = "saccade-tiny"
BEGUN, SECONDS = "begun", "processor-seconds"
TICKS = os.sysconf("SC_CLK_TCK")


def config(folder: Path, updates: int) -> TrainConfig:
    """A short run on the world of the examples; shorter replies are worth more, so that every update learns."""
    return TrainConfig(
        model=MODEL,
        envs=("grid_walk:GridWalk-v0",),
        run=str(folder),
        steps=updates,
        tasks_per_step=2,
        group_size=3,
        eval_tasks=2,
        checkpoint_every=1,
        rewards={"task": 1.0, "brevity": 1.0},
        agent=AgentConfig(max_reply_tokens=24, explain=False),
        runner=RunnerConfig(concurrency=6),
        learner=LearnerConfig(warmup=1, learning_rate=1e-3),
    )


def start(folder: Path, updates: int) -> int:
    """The run in a process of its own, from its newest checkpoint; the process's id.

    It writes down its processor time after each update.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / BEGUN).unlink(missing_ok=True)
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        torch.set_num_threads(1)
        trainer = Trainer(config(folder, updates), resume=True)
        (folder / BEGUN).write_text(str(time.process_time()))
        last = time.process_time()

        def report(update: int, metrics: dict[str, float]) -> None:
            nonlocal last
            now = time.process_time()
            with (folder / SECONDS).open("a") as file:
                file.write(f"{now - last}\n")
            last = now

        trainer.run(report)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def finish(child: int) -> None:
    """Wait for a run to end well."""
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise RuntimeError(f"the run ended with status {status}: see what it printed")


def kill(child: int, folder: Path, after: float) -> bool:
    """Send SIGKILL so many seconds of processor time after the run has begun; whether it was still there."""
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            if status != 0:
                raise RuntimeError(f"the run ended by itself with status {status}: see what it printed")
            return False
        begun = (folder / BEGUN).read_text() if (folder / BEGUN).exists() else ""
        times = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[11:13]
        if begun and sum(map(int, times)) / TICKS >= float(begun) + after:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return True
        time.sleep(0.005)


def logged(folder: Path) -> list[str]:
    """The metrics of each update, without times."""
    path = folder / "metrics.jsonl"
    found = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            metrics = json.loads(line)
        except ValueError:  # torn by the kill
            break
        plain = {name: value for name, value in metrics.items() if "time" not in name and "second" not in name}
        found.append(json.dumps(plain))
    return found


def main(out: Path, updates: int, kills: int, seed: int, write: str) -> int:
    out.mkdir(parents=True, exist_ok=True)
    state = out / "kills.json"
    found: list[int] = json.loads(state.read_text()) if state.exists() else []
    if not (out / "whole" / "model").exists():
        finish(start(out / "whole", updates))
    seconds = sum(map(float, (out / "whole" / SECONDS).read_text().split()))
    # On average a little less than a share of the run each, since an update that was cut short is done again.
    moments = np.random.default_rng(seed).uniform(0, 1.8, kills) * seconds / kills
    while len(found) < kills:
        after = float(moments[len(found)])
        if not kill(start(out / "killed", updates), out / "killed", after):
            print(f"the run was over after {len(found)} kills: take another --seed and --out", file=sys.stderr)
            return 1
        found.append(len(logged(out / "killed")))
        state.write_text(json.dumps(found))
        print(f"kill {len(found)}: after {after:.2f} s, {found[-1]} updates logged", flush=True)
    if not (out / "killed" / "model").exists():
        finish(start(out / "killed", updates))
    one, other = (load_file(out / name / "model" / "model.safetensors") for name in ("whole", "killed"))
    begin = load_file(Path(model_place(MODEL)) / "model.safetensors")
    weights = one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    metrics = logged(out / "whole") == logged(out / "killed")
    learned = any(not torch.equal(one[name], begin[name]) for name in one)
    columns = ["updates", "kills", "updates logged at each", "weights", "metrics"]
    said = {True: "equal bit for bit", False: "DIFFERENT"}
    where = " ".join(map(str, found))
    table = markdown_table(columns, [[updates, kills, where, said[weights], said[metrics]]])
    print(table)
    if write:
        write_section(Path(write), "learner-kills", f"`{Path(sys.argv[0]).name} --write` wrote this.\n\n{table}")
    return 0 if weights and metrics and learned else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/learner-kills"), help="folder of both runs")
    parser.add_argument("--updates", type=int, default=60, help="of each run")
    parser.add_argument("--kills", type=int, default=20, help="of the second one")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--write", default="", help="a Markdown page that gets the table")
    given = parser.parse_args()
    sys.exit(main(given.out, given.updates, given.kills, given.seed, given.write))
