"""Verifiers and data sets, measured: `python benchmarks/qa.py [--replies 1000000] [--out table.md]`.

1. Fuzz: replies of many shapes against every verifier; none may raise, leave [0, 1] or pass its time bound.
2. Simple answers a second, for each verifier.
3. 200 parquet rows with pictures against bare pyarrow and Pillow, and a file of 100,000 rows opened.

Seconds are of CPU, but those of expressions that go to the worker, which are of the clock. Where math-verify is not
installed, none goes there. `--algebra` bounds how many do: algebra takes 1,000 times as long as anything else here.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from page import markdown_table

from saccade.envs.qa.data.dataset import Dataset
from saccade.envs.qa.verifiers.math_process import ANSWER_SECONDS, PROCESS
from saccade.envs.qa.verify import VERIFIERS

BOUND = 0.1
"""Seconds of CPU that one verdict may take."""
GOLDS = {
    "exact": ("top left", {}),
    "integer": ("7", {}),
    "text": ("the red circle", {}),
    "class": ("sea_lion", {"classes": ["sea lion", "dog"]}),
    "option": ("B", {"choices": ["red", "blue", "a circle", "2"]}),
    "number": ("12.5 cm", {"tolerance": 0.1}),
    "expression": ("\\frac{\\sqrt{3}}{2}", {}),
    "relaxed": ("1,234.5", {}),
    "anls": ("1029 Main Street, Springfield", {}),
    "set": ("red, blue, 7", {"partial": True}),
    "list": ("1, 2, 2", {"partial": True}),
    "ordered": ("c, a, b", {"partial": True}),
    "point": ("[10, 10, 20, 20]", {}),
    "iou": ("[10, 10, 20, 20]", {}),
    "boxes": ("[[10, 10, 20, 20], [30, 30, 50, 40]]", {"confidence": 0.5}),
    "interval": ("3.5 - 7", {}),
}
PIECES = (
    *("7", "12.5", "-", "1,234", "1/2", "\\frac{1}{2}", "\\sqrt{2}", "^", " ", "\n", ",", "(", ")", "[", "]", "{"),
    *("}", "$", "\\boxed{", "<think>", "</think>", "<answer>", "A", "B", "(C)", "cm", "%", "or", "and", "the", "red"),
    *("blue", "10", "e9", "e999", "0x1f", "\u0660", "\uff17", "\u200b", "\u202e", "NaN", "Infinity", "'", '"', ":"),
    *("=", "<", "**", "\0", "\ud800", "__import__", "x", "|", '{"box": [1, 2, 3, 4]}'),
)


def reply(rng: random.Random, gold: str) -> str:
    """A reply: pieces, the right answer damaged, any characters, or one piece very often."""
    draw = rng.random()
    if draw < 0.4:
        return "".join(rng.choices(PIECES, k=rng.randint(0, 12)))
    if draw < 0.8:
        place = rng.randint(0, len(gold))
        return gold[: place - rng.randint(0, 2)] + rng.choice(PIECES) + gold[place:]
    if draw < 0.999:
        return "".join(chr(rng.randrange(0x20, 0x3000)) for _ in range(rng.randint(0, 30)))
    return rng.choice([*PIECES, gold]) * rng.choice([50, 400, 100_000])


def fuzz(count: int, algebra: int) -> list[list[object]]:
    """Judge `count` replies, up to `algebra` of them by the worker; per verifier the scored and the slowest."""
    rng = random.Random(0)
    ask, asked = PROCESS.same, [0]
    if algebra:
        ask("x", "y")  # starts it

    def counted(answer: str, gold: str) -> bool | None:
        asked[0] += 1
        return ask(answer, gold) if asked[0] <= algebra else False

    names, slowest = list(VERIFIERS), dict.fromkeys(VERIFIERS, (0.0, ""))
    judged, scored = Counter[str](), Counter[str]()
    PROCESS.same = counted  # type: ignore[method-assign]
    try:
        for number in range(count):
            name = names[number % len(names)]
            gold, settings = GOLDS[name]
            answer, before = reply(rng, gold), asked[0]
            begun, clock = time.process_time(), time.monotonic()
            score, reason = VERIFIERS[name](answer, gold, **settings)
            taken, bound = time.process_time() - begun, BOUND
            if before < asked[0] <= algebra:
                taken, bound = time.monotonic() - clock, ANSWER_SECONDS + 2.0
            assert 0.0 <= score <= 1.0 and reason, (name, answer)
            assert taken < bound, (name, answer[:100], taken)
            judged[name] += 1
            scored[name] += score > 0
            slowest[name] = max(slowest[name], (taken, answer[:40]))
    finally:
        del PROCESS.same
    print(f"{count} replies raised nothing; {min(asked[0], algebra)} formulas went to the worker")
    return [
        [name, judged[name], scored[name], f"{taken * 1e3:.2f}", repr(said)] for name, (taken, said) in slowest.items()
    ]


def speed(count: int = 20_000) -> list[list[object]]:
    """Simple answers a second."""
    answers = {"option": "B", "expression": "0.5", "point": "(15, 15)", "text": "red circle"}
    table: list[list[object]] = []
    for name, rule in VERIFIERS.items():
        gold, settings = GOLDS[name]
        gold = "1/2" if name == "expression" else gold
        answer = answers.get(name, gold)
        assert rule(answer, gold, **settings).score == 1.0, name
        begun = time.process_time()
        for _ in range(count):
            rule(answer, gold, **settings)
        table.append([name, f"{count / (time.process_time() - begun):,.0f}"])
    return table


def loader(folder: Path) -> list[list[object]]:
    """Our loader against bare pyarrow and Pillow, in turns; and a long file opened in a process of its own."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    rng = np.random.default_rng(0)
    rows = []
    for index in range(200):
        smooth = rng.integers(0, 256, (12, 16, 3), np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(smooth).resize((448, 336), Image.Resampling.BICUBIC).save(buffer, format="JPEG", quality=90)
        rows.append({"question": "?", "answer": str(index), "image": {"bytes": buffer.getvalue(), "path": None}})
    file = folder / "pictures.parquet"
    pq.write_table(pa.Table.from_pylist(rows), file, row_group_size=100)

    def bare() -> float:
        begun = time.process_time()
        for row in pq.read_table(file, use_threads=False).to_pylist():
            np.asarray(Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB"))
        return time.process_time() - begun

    def ours() -> float:
        begun = time.process_time()
        dataset = Dataset(str(file), {"verifier": "exact"})
        for row in range(len(dataset)):
            assert dataset.load(row).observation.images
        return time.process_time() - begun

    pairs = [(bare(), ours()) for _ in range(5)]
    best = min(one for one, _ in pairs), min(one for _, one in pairs)
    table: list[list[object]] = [
        ["200 rows with pictures of 448 x 336, bare pyarrow and Pillow", f"{best[0]:.3f} s"],
        ["the same through `Dataset`, hashes for the split included", f"{best[1]:.3f} s = {best[1] / best[0]:.2f} x"],
    ]
    long = {
        "question": ["Which number is it, and why is it that number?"] * 100_000,
        "answer": list(map(str, range(100_000))),
    }
    pq.write_table(pa.table(long), folder / "long.parquet", row_group_size=1_000)
    with (folder / "long.jsonl").open("w") as out:
        out.writelines(
            json.dumps({name: column[row] for name, column in long.items()}) + "\n" for row in range(100_000)
        )
    for name in ("long.parquet", "long.jsonl"):
        seconds, memory = opened(folder / name)
        table.append([f"100,000 rows in `{name}`: opened, the last one loaded", f"{seconds:.2f} s, {memory:.0f} MB"])
    return table


def opened(file: Path) -> tuple[float, float]:
    """Seconds of CPU to open a file and load its last row, and the largest memory of the process, imports included."""
    code = (
        "import resource, sys, time\nimport pyarrow.parquet\nfrom saccade.envs.qa.data.dataset import Dataset\n"
        "begun = time.process_time()\ndataset = Dataset(sys.argv[1])\ndataset.load(len(dataset) - 1)\n"
        "print(time.process_time() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)"
    )
    run = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True)
    seconds, memory = run.stdout.split()
    return float(seconds), float(memory)


def main() -> None:
    """Run all three parts and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replies", type=int, default=1_000_000)
    parser.add_argument("--algebra", type=int, default=300)
    parser.add_argument("--out", type=Path, help="write the tables here too")
    args = parser.parse_args()
    parts = [markdown_table(["verifier", "simple answers a second"], speed())]
    print(parts[-1], flush=True)
    with tempfile.TemporaryDirectory() as folder:
        parts.append(markdown_table(["loading", "measured"], loader(Path(folder))))
    print(parts[-1], flush=True)
    columns = ["verifier", "replies", "scored above 0", "slowest, ms", "that reply, or its beginning"]
    parts.append(markdown_table(columns, fuzz(args.replies, args.algebra)))
    print(parts[-1])
    if args.out:
        args.out.write_text("\n".join(parts))


if __name__ == "__main__":
    main()
