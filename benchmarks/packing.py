"""What packing costs and saves on this machine: one gradient of rows padded beside, and packed behind, each other.

    python benchmarks/packing.py                                # prints the table
    python benchmarks/packing.py --write docs/scaling-out.md    # ... and puts it into the page

Rows of like and of unlike lengths, in groups of eight with a common prompt and alone, mixed text and pictures, on a
tiny model with random weights. The ways take turns, so that what else the machine does meets all of them; times are
processor time of one thread, the median of `repeats` and the quartiles.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from page import markdown_table, write_section

from saccade.agents.chat import Chat
from saccade.agents.engines.base import scripted
from saccade.agents.engines.sampling import banned_mask
from saccade.agents.load import load_model
from saccade.agents.tiny import TinyConfig, build_tiny
from saccade.envs.observation import Image, Observation
from saccade.rl.batch import Row, collate, cut, pack, score
from saccade.rl.display import make_console, table
from saccade.rl.looks import Looks

TOKENS = 16384
"""Of a micro-batch, as the learner's default."""
WORDS = "left right up down red blue green dot ring square move click type press"


@dataclass(frozen=True)
class Settings:
    """What is measured."""

    repeats: int = 9
    """Turns of every way."""
    width: int = 64
    """Of the model, a multiple of 32; 64 is the tiny one."""
    layers: int = 3
    """Of the text model."""
    rows: int = 32
    """Rows of a batch."""
    capacities: tuple[int, ...] = (256, 512, 1024)
    """Lengths of packed rows that are tried."""
    write: Path | None = None
    """Markdown page whose section `packing` gets the table."""


def main(settings: Settings) -> None:
    torch.set_num_threads(1)
    sizes = TinyConfig(width=settings.width, heads=settings.width // 32, mlp=3 * settings.width, layers=settings.layers)
    with tempfile.TemporaryDirectory() as folder:
        backbone, chat = load_model(build_tiny(folder, sizes, [WORDS]))
    banned = banned_mask(chat.banned, backbone.vocabulary)

    def seconds(rows: list[Row], capacity: int) -> float:
        """Of one gradient; capacity 0 is padded."""
        backbone.model.zero_grad()
        begun = time.process_time()
        looks = Looks(backbone, [chat.media.process(medium) for row in rows for medium in row.sample.media])
        for part, trees in packed_parts(rows, capacity) if capacity else ((each, None) for each in cut(rows, TOKENS)):
            batch = collate(part, backbone, chat.media, trees)
            chosen, _ = score(backbone, batch, banned, 1.0, looks.encoded)
            (chosen * batch.weights).sum().backward()
        looks.backward()
        return time.process_time() - begun

    ways = (0, *settings.capacities)
    lines = []
    for name, (unlike, group) in {
        "like, groups": (False, 8),
        "unlike, groups": (True, 8),
        "like, alone": (False, 1),
        "unlike, alone": (True, 1),
    }.items():
        rows = make_rows(chat, settings.rows, unlike, group)
        times: dict[int, list[float]] = {way: [] for way in ways}
        for turn in range(settings.repeats + 1):
            for way in ways:
                found = seconds(rows, way)
                if turn:  # the first one warms up
                    times[way].append(found * 1000)
        cells = [name, str(sum(len(row.sample.ids) for row in rows))]
        for way in ways:
            low, middle, high = np.percentile(times[way], [25, 50, 75])
            cells.append(f"{middle:.0f} ({low:.0f}-{high:.0f})")
        lines.append(cells)
        print(*cells, sep=" | ", flush=True)
    columns = ["rows", "tokens", "padded ms", *(f"packed to {each} ms" for each in settings.capacities)]
    if settings.write:
        write_section(settings.write, "packing", markdown_table(columns, lines))
    parameters = sum(weight.numel() for weight in backbone.model.parameters()) / 1e6
    title = f"A gradient of {settings.rows} rows, {parameters:.1f} M parameters, processor time of one thread"
    make_console().print(table(title, columns, lines))


def packed_parts(rows: list[Row], capacity: int) -> Iterator[tuple[list[Row], list[list[int]]]]:
    """Micro-batches of packed rows of a given length: their rows, and how many each tree has."""
    for part in pack(rows, TOKENS, capacity):
        yield [row for trees in part for tree in trees for row in tree], [[len(tree) for tree in row] for row in part]


def make_rows(chat: Chat, count: int, unlike: bool, group: int) -> list[Row]:
    """Rows with a prompt each group: half with a picture; unlike ones have 1 to 6 turns and 1 to 6 times the words."""
    rng = np.random.default_rng(0)
    words = chat.encode(WORDS)
    rows = []
    for number in range(count // group):
        factor = int(rng.integers(1, 7)) if unlike else 2
        images = [Image(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)) for _ in range(factor)]
        texts = [" ".join(rng.choice(WORDS.split(), size=3 * factor)) for _ in range(factor)]
        for _ in range(group):
            ledger = chat.open("Do what is asked.")
            for turn in range(factor):
                shown = [images[turn]] if number % 2 else []
                chat.observe(ledger, Observation.of(texts[turn], *shown), turn)
                length = int(rng.integers(4, 4 * factor + 1)) if unlike else 12
                ledger.append_action(
                    scripted([*rng.choice(words, size=length).tolist(), chat.stop], ledger.prompt()), turn
                )
            sample = ledger.sample()
            rows.append(Row(sample, np.ones(int(sample.action_mask.sum())), weight=1 / count))
    return rows


if __name__ == "__main__":
    main(tyro.cli(Settings))
