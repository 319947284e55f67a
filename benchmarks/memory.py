"""What the learner's options for memory and precision cost and save: peak memory and time of an update.

    python benchmarks/memory.py --write docs/training-recipes.md

Each setting runs in a process of its own, forked from one that holds a model with random weights and made-up rows with
a picture each: one update to warm up, then the measured ones. Memory is the highest resident size over that at the
fork; time is the processor's, not the clock's, so that a busy machine counts for nothing. One thread, CPU, Linux. On a
GPU the shares differ: there, 16 bits are fast.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from page import markdown_table, write_section

from saccade.agents.backbone import Backbone
from saccade.agents.chat import Chat
from saccade.agents.engines.base import Completion, StopReason
from saccade.agents.load import load_model
from saccade.agents.lora import LoRAConfig
from saccade.agents.tiny import TinyConfig, build_tiny
from saccade.envs.observation import Image, Observation
from saccade.rl.batch import Row
from saccade.rl.checkpoint import CheckpointFolder
from saccade.rl.kl import KLConfig
from saccade.rl.learner import Learner, LearnerConfig

LORA, AVERAGE = LoRAConfig(rank=16), KLConfig(reference="average")
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "`kl_coef` 0": {"kl_coef": 0.0},
    "`kl.reference` average": {"kl": AVERAGE},
    "`freeze_vision`": {"freeze_vision": True},
    "`activation_checkpointing`": {"activation_checkpointing": True},
    "`precision` bfloat16": {"precision": "bfloat16"},
    "`lora.rank` 16": {"lora": LORA},
    "`lora.rank` 16, `activation_checkpointing`": {"lora": LORA, "activation_checkpointing": True},
}
COLUMNS = ("setting", "trained weights", "checkpoint MB", "peak MB", "CPU s an update")
MALLOC = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
"""Tensors go back to the system as soon as they are free; glibc would keep them, and the peak would be of the past."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--updates", type=int, default=1, help="measured ones, after one to warm up")
    parser.add_argument("--write", type=Path, help="page that gets the table")
    options = parser.parse_args()
    if not os.environ.keys() >= MALLOC.keys():  # read when a process starts
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | MALLOC)
    torch.set_num_threads(1)
    width, layers = options.width, options.layers
    size = TinyConfig(width, layers, heads=width // 32, mlp=4 * width, vision_layers=layers // 2)
    with tempfile.TemporaryDirectory() as folder:
        backbone, chat = load_model(build_tiny(folder, size, ["What is to be seen here? Tell."]))
    rows = [make_row(chat, number) for number in range(options.rows)]
    context = multiprocessing.get_context("fork")
    lines = []
    for name, settings in SETTINGS.items():
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=measure, args=(backbone, chat, rows, settings, options.updates, there))
        process.start()
        trained, checkpoint, peak, seconds = here.recv()
        process.join()
        lines.append([name, f"{trained:.2f} M", f"{checkpoint:.1f}", f"{peak:.0f}", f"{seconds:.2f}"])
        print(*lines[-1], sep="  ", flush=True)
    if options.write:
        write_section(options.write, "memory", markdown_table(COLUMNS, lines))


def make_row(chat: Chat, number: int) -> Row:
    """A question about a picture of its own, 160 x 160, and a reply of 48 tokens, each as likely as any other."""
    rng = np.random.default_rng(number)
    ledger = chat.open("What is to be seen here?")
    picture = Image(rng.integers(0, 256, (160, 160, 3), dtype=np.uint8))
    chat.media.process(picture)
    chat.observe(ledger, Observation.of(picture, "Tell."), 0)
    ids = tuple(rng.integers(20, 200, 48).tolist())
    reply = Completion(ids, (-5.0,) * len(ids), (0,) * len(ids), StopReason.LENGTH, tuple(ledger.ids))
    ledger.append_action(reply, 0)
    return Row(ledger.sample(), rng.normal(size=len(ids)))


def measure(
    backbone: Backbone, chat: Chat, rows: Sequence[Row], settings: Mapping[str, Any], updates: int, out: Any
) -> None:
    """Send millions of trained weights, MB of a checkpoint, MB at the highest, and seconds of an update."""
    Path("/proc/self/clear_refs").write_text("5")  # the highest size counts from here
    before = resident("VmRSS")
    learner = Learner(backbone, chat, LearnerConfig(learning_rate=1e-4, micro_batch_tokens=2048, **settings), 10)
    times = []
    for _ in range(1 + updates):
        started = time.process_time()
        learner.step(rows)
        times.append(time.process_time() - started)
    peak = resident("VmHWM") - before
    with tempfile.TemporaryDirectory() as folder:
        path = CheckpointFolder(Path(folder), "r").save(learner, 1, {})
        checkpoint = sum(file.stat().st_size for file in path.iterdir()) / 2**20
    trained = sum(weight.numel() for weight in learner.parameters.values()) / 1e6
    out.send((trained, checkpoint, peak, statistics.median(times[1:])))


def resident(name: str) -> float:
    """Resident size of this process in MB, now (`VmRSS`) or at its highest (`VmHWM`)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


if __name__ == "__main__":
    main()
