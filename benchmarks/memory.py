"""What the learner's options for memory and precision cost and save: peak memory and time of an update.

    python benchmarks/memory.py --write docs/training-recipes.md

Each setting runs in a process of its own, one after the other: a model with random weights, the same made-up rows with
a picture each, a warm-up update, then the measured ones. Memory is the highest resident size over that of the process
with the bare model loaded; time is the processor's, not the clock's, so that a busy machine counts for nothing. One
thread, CPU. On a GPU the shares differ: there, 16 bits are fast.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SETTINGS = {
    "default": {},
    "no reference (`kl_coef` 0)": {"kl_coef": 0.0},
    "moving average (`kl.reference`)": {"kl": {"reference": "average"}},
    "`freeze_vision`": {"freeze_vision": True},
    "`activation_checkpointing`": {"activation_checkpointing": True},
    "`precision` bfloat16": {"precision": "bfloat16"},
    "`lora.rank` 16": {"lora": {"rank": 16}},
    "`lora.rank` 16, `activation_checkpointing`": {"lora": {"rank": 16}, "activation_checkpointing": True},
    "all three": {"lora": {"rank": 16}, "activation_checkpointing": True, "precision": "bfloat16"},
}
COLUMNS = ("setting", "trained weights", "checkpoint MB", "peak MB", "CPU s an update")
MALLOC = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
"""Tensors go back to the system as soon as they are free; glibc would keep them, and the peak would be of the past."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--updates", type=int, default=1, help="measured ones, after one to warm up")
    parser.add_argument("--write", type=Path, help="page that gets the table")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(SETTINGS[options.one], options)))
        return
    sizes = [f"--{name}={getattr(options, name)}" for name in ("width", "layers", "rows", "updates")]
    lines = []
    for name in SETTINGS:
        command = [sys.executable, __file__, *sizes, "--one", name]
        done = subprocess.run(command, env=os.environ | MALLOC, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        print(name, found, flush=True)
        trained = f"{found['trained'] / 1e6:.2f} M"
        lines.append([name, trained, f"{found['checkpoint']:.1f}", f"{found['peak']:.0f}", f"{found['seconds']:.2f}"])
    if options.write:
        from page import markdown_table, write_section

        write_section(options.write, "memory", markdown_table(COLUMNS, lines))


def measure(changes: dict[str, object], options: argparse.Namespace) -> dict[str, float]:
    """Memory in MB over that of the process with the bare model, and seconds, of updates under one setting."""
    import numpy as np
    import torch

    from saccade.agents.chat import Chat
    from saccade.agents.ledger import Ledger
    from saccade.agents.load import load_model
    from saccade.agents.lora import LoRAConfig
    from saccade.agents.tiny import TinyConfig, build_tiny
    from saccade.envs.observation import Image, Observation
    from saccade.rl.batch import Row
    from saccade.rl.checkpoint import CheckpointFolder
    from saccade.rl.kl import KLConfig
    from saccade.rl.learner import Learner, LearnerConfig

    torch.set_num_threads(1)
    objects = {"lora": LoRAConfig, "kl": KLConfig}
    settings = {name: objects[name](**value) if name in objects else value for name, value in changes.items()}  # type: ignore[arg-type]
    width, layers = options.width, options.layers
    size = TinyConfig(width, layers, heads=width // 32, mlp=4 * width, vision_layers=layers // 2)

    def row(chat: Chat, number: int) -> Row:
        """A question about a picture of its own, 160 x 160, and a reply of 48 tokens."""
        rng = np.random.default_rng(number)
        ledger: Ledger = chat.open("What is to be seen here?")
        picture = Image(rng.integers(0, 256, (160, 160, 3), dtype=np.uint8))
        chat.observe(ledger, Observation.of(picture, "Tell."), 0)
        reply = rng.integers(20, 200, 48).tolist()
        return Row(reply_to(ledger, reply), rng.normal(size=len(reply)))

    with tempfile.TemporaryDirectory() as folder:
        backbone, chat = load_model(build_tiny(folder, size, ["What is to be seen here? Tell."]))
        rows = [row(chat, number) for number in range(options.rows)]
        for each in rows:
            chat.media.process(each.sample.media[0])
        before = resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the highest size counts from here
        learner = Learner(backbone, chat, LearnerConfig(learning_rate=1e-4, micro_batch_tokens=2048, **settings), 10)
        times = []
        for _ in range(1 + options.updates):
            started = time.process_time()
            learner.step(rows)
            times.append(time.process_time() - started)
        peak = resident("VmHWM") - before
        path = CheckpointFolder(Path(folder) / "checkpoints", "r").save(learner, 1, {})
        return {
            "trained": float(sum(weight.numel() for weight in learner.parameters.values())),
            "checkpoint": sum(file.stat().st_size for file in path.iterdir()) / 2**20,
            "peak": peak,
            "seconds": statistics.median(times[1:]),
        }


def reply_to(ledger, ids):
    """The sample of a ledger with a reply, as if every token had been as likely as any other."""
    from saccade.agents.engines.base import Completion, StopReason

    logprobs = (-5.0,) * len(ids)
    ledger.append_action(Completion(tuple(ids), logprobs, (0,) * len(ids), StopReason.LENGTH, tuple(ledger.ids)), 0)
    return ledger.sample()


def resident(name: str) -> float:
    """Resident size of this process in MB, now (`VmRSS`) or at its highest (`VmHWM`)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


if __name__ == "__main__":
    main()
