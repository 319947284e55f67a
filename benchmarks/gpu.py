"""A model of 3 billion parameters on one GPU: `PYTHONPATH=typings python benchmarks/gpu.py [--write docs/gpu.md]`.

Builds a Qwen3-VL with random weights and trains it on made-up rows: groups that share a prompt with one picture, and
replies of unlike lengths. Correctness first: log-probabilities of the learner's micro-batches (prompts shared, padded,
and packed) beside those of each row alone through the plain model, and bfloat16 beside float32. Then tokens a second,
model FLOP utilisation and peak memory of a whole step, with and without activation checkpointing and packing. *Tokens*
count each row's prompt, as if nothing were shared; FLOPs count what had to be computed, once.

It runs from source, offline, with torch >= 2.11, transformers >= 5.17, numpy, safetensors and pillow. `--small` runs
all of it on a CPU in a minute. Exit status 1 unless every bound holds.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import sys
import time
import types
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch


def without_gymnasium() -> None:
    """Let the packages import where Gymnasium is not installed; worlds are defined on it, and none is made here."""
    if importlib.util.find_spec("gymnasium"):
        return

    class Base:
        """What a world's class derives from."""

        def __class_getitem__(cls, item: Any) -> type:
            return cls

    absent = types.ModuleType("gymnasium")
    absent.Env = absent.Space = absent.Wrapper = Base  # type: ignore[attr-defined]
    absent.spaces = types.SimpleNamespace(Dict=Base, Sequence=Base)  # type: ignore[attr-defined]
    absent.registry, absent.register = {}, lambda *args, **settings: None  # type: ignore[attr-defined]
    sys.modules["gymnasium"] = absent


without_gymnasium()

from page import markdown_table, write_section  # noqa: E402

from saccade.agents.backbone import Backbone  # noqa: E402
from saccade.agents.engines.sampling import masked_logprobs  # noqa: E402
from saccade.agents.media import Media, placeholders  # noqa: E402
from saccade.agents.modality import Modality  # noqa: E402
from saccade.agents.pictures import Pictures  # noqa: E402
from saccade.agents.trajectory import Sample  # noqa: E402
from saccade.envs.observation import Image  # noqa: E402
from saccade.rl.batch import Row  # noqa: E402
from saccade.rl.learner import Learner, LearnerConfig  # noqa: E402

PEAKS = {"H100": 989.4e12, "H200": 989.4e12, "A100": 312e12}
"""Dense bfloat16 FLOPs a second, by a part of the GPU's name; of the SXM modules (NVIDIA's data sheets)."""
EXACT = 2e-3
"""Largest difference of a log-probability in float32, however rows are put together."""
ROUNDED = (0.05, 0.5)
"""Mean and largest difference of a log-probability in bfloat16 from float32."""


@dataclass(frozen=True)
class Sizes:
    """Of the model and of the rows."""

    width: int = 2048
    layers: int = 36
    heads: int = 16
    kv_heads: int = 2
    head_dim: int = 128
    mlp: int = 11008
    vocabulary: int = 151_936
    vision_width: int = 1152
    vision_layers: int = 27
    vision_heads: int = 16
    vision_mlp: int = 4304
    deepstack: tuple[int, ...] = (8, 16, 24)
    rotary: tuple[int, int, int] = (24, 20, 20)
    picture: int = 448
    prompt: int = 512
    reply: int = 512
    tasks: int = 4
    group: int = 8
    micro_batch: int = 4096
    repeats: int = 3


SMALL = Sizes(
    width=64,
    layers=2,
    heads=2,
    kv_heads=1,
    head_dim=32,
    mlp=128,
    vocabulary=512,
    vision_width=64,
    vision_layers=2,
    vision_heads=2,
    vision_mlp=128,
    deepstack=(0,),
    rotary=(6, 5, 5),
    picture=64,
    prompt=24,
    reply=24,
    tasks=2,
    group=3,
    micro_batch=512,
    repeats=1,
)


@dataclass(frozen=True)
class Tokenless:
    """What a learner asks of a chat."""

    banned: tuple[int, ...]
    media: Media


def control(sizes: Sizes) -> dict[str, int]:
    """Ids of the tokens around pictures: the last of the vocabulary."""
    names = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
    return {name: sizes.vocabulary - 1 - index for index, name in enumerate(names)}


def build(sizes: Sizes, device: str, dtype: torch.dtype) -> tuple[Backbone, Tokenless]:
    """The model with random weights, the same at every call, and what processes its pictures."""
    from transformers import Qwen2VLImageProcessorPil, Qwen3VLConfig, Qwen3VLForConditionalGeneration

    text = {
        "vocab_size": sizes.vocabulary,
        "hidden_size": sizes.width,
        "intermediate_size": sizes.mlp,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "num_key_value_heads": sizes.kv_heads,
        "head_dim": sizes.head_dim,
        "max_position_embeddings": 8192,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 5e6,
            "mrope_section": list(sizes.rotary),
            "mrope_interleaved": True,
        },
    }
    vision = {
        "depth": sizes.vision_layers,
        "hidden_size": sizes.vision_width,
        "num_heads": sizes.vision_heads,
        "intermediate_size": sizes.vision_mlp,
        "patch_size": 16,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "out_hidden_size": sizes.width,
        "num_position_embeddings": 2304,
        "deepstack_visual_indexes": list(sizes.deepstack),
    }
    config = Qwen3VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=True, **control(sizes))
    torch.manual_seed(0)
    with torch.device(device):
        model = Qwen3VLForConditionalGeneration(config)
    cast(model, dtype)
    processor = Qwen2VLImageProcessorPil(patch_size=16, merge_size=2, temporal_patch_size=2)
    media = Media({Modality.IMAGE: Pictures(processor)}, placeholders(config))
    return Backbone(model.eval()), Tokenless(tuple(sorted(control(sizes).values())), media)


def cast(model: torch.nn.Module, dtype: torch.dtype) -> None:
    """Change the weights, as loading in that type does; the frequencies of rotary positions stay as they are."""
    for weight in model.parameters():
        weight.data = weight.data.to(dtype)


def make_rows(sizes: Sizes, chat: Tokenless) -> list[Row]:
    """Groups that share a prompt with a picture; replies have a quarter to all of `sizes.reply` tokens."""
    rng = np.random.default_rng(0)
    special = control(sizes)
    rows = []
    for _ in range(sizes.tasks):
        picture = Image(rng.integers(0, 256, (sizes.picture, sizes.picture, 3), np.uint8))
        count = chat.media.process(picture).tokens
        text = rng.integers(0, special["vision_end_token_id"], sizes.prompt)
        before = [*text[: sizes.prompt // 2], special["vision_start_token_id"]]
        inside = [special["image_token_id"]] * count
        prompt = [*before, *inside, special["vision_end_token_id"], *text[sizes.prompt // 2 :]]
        for member in range(sizes.group):
            length = int(rng.integers(sizes.reply // 4, sizes.reply + 1))
            reply = rng.integers(0, special["vision_end_token_id"], length)
            ids = np.array([*prompt, *reply], np.int64)
            turns = np.where(np.arange(len(ids)) >= len(prompt), 0, -1).astype(np.int32)
            span = (len(before), len(before) + count)
            logprobs = np.zeros(len(ids), np.float32)
            sample = Sample(ids, turns, logprobs, turns.copy(), (picture,), (span,))
            rows.append(Row(sample, np.full(length, 1.0 if member % 2 else -1.0)))
    return rows


def sampled(rows: Sequence[Row], learner: Learner) -> list[Row]:
    """The rows as if the learner's own weights had drawn them."""
    out = []
    for row, found in zip(rows, learner.logprobs(rows), strict=True):
        logprobs = row.sample.logprobs.copy()
        logprobs[row.sample.action_mask] = found.float().cpu().numpy()
        out.append(replace(row, sample=replace(row.sample, logprobs=logprobs)))
    return out


def alone(rows: Sequence[Row], backbone: Backbone, chat: Tokenless, banned: torch.Tensor) -> torch.Tensor:
    """Log-probabilities of the action tokens, each row by itself through the plain model."""
    out = []
    for row in rows:
        features = chat.media.process(row.sample.media[0])
        ids = torch.from_numpy(row.sample.ids)[None].to(backbone.device)
        with torch.no_grad():
            logits = backbone.model(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                pixel_values=features.values.to(backbone.device),
                image_grid_thw=torch.tensor([features.grid], device=backbone.device),
                mm_token_type_ids=(ids == backbone.placeholders[Modality.IMAGE]).int(),
                logits_to_keep=row.tokens + 1,
            ).logits[0, :-1]
        scores = masked_logprobs(logits, banned, 1.0)
        out.append(scores.gather(-1, ids[0, -row.tokens :, None])[:, 0])
    return torch.cat(out)


def make_learner(backbone: Backbone, chat: Tokenless, sizes: Sizes, **options: Any) -> Learner:
    config = LearnerConfig(learning_rate=1e-6, kl_coef=0.0, micro_batch_tokens=sizes.micro_batch, **options)
    return Learner(backbone, chat, config, 100)  # type: ignore[arg-type]


def correctness(sizes: Sizes, device: str) -> tuple[list[list[str]], bool]:
    """Rows of a table of differences, and whether all are within their bounds."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    backbone, chat = build(sizes, device, torch.float32)
    rows = make_rows(sizes, chat)
    table, good = [], True

    def compare(name: str, found: torch.Tensor, truth: torch.Tensor, mean: float, largest: float) -> None:
        nonlocal good
        gaps = (found.float() - truth.float()).abs()
        good = good and bool(gaps.mean() <= mean and gaps.max() <= largest)
        table.append([name, f"{gaps.mean():.1e}", f"{gaps.max():.1e}", f"{mean:g}, {largest:g}"])

    exact = make_learner(backbone, chat, sizes)
    truth = alone(rows, backbone, chat, exact.banned)
    compare("float32: shared prompts, padded", torch.cat(exact.logprobs(rows)), truth, EXACT, EXACT)
    packed = torch.cat(make_learner(backbone, chat, sizes, packing=True).logprobs(rows))
    compare("float32: packed", packed, truth, EXACT, EXACT)
    cast(backbone.model, torch.bfloat16)
    compare("bfloat16: each row alone", alone(rows, backbone, chat, exact.banned), truth, *ROUNDED)
    compare("bfloat16: shared prompts, padded", torch.cat(exact.logprobs(rows)), truth, *ROUNDED)
    return table, good


def flops(sizes: Sizes, backbone: Backbone, rows: Sequence[Row]) -> float:
    """Of forward and backward of one step: matrix products of what must be computed, each shared prompt once.

    6 for each weight and token, and 12 x heads x width of a head for each pair in attention, causal pairs only.
    """
    towers = backbone.model.model
    text = sum(each.numel() for name, each in towers.language_model.named_parameters() if "embed" not in name)
    # Four patches are one token behind the tower.
    sizes_of = {name: each.numel() for name, each in towers.visual.named_parameters()}
    vision = sum(count / 4 if "merger" in name else count for name, count in sizes_of.items())
    prompts = {row.prefix_key: row for row in rows}.values()
    tokens = sum(row.prefix for row in prompts) + sum(row.continuation for row in rows)
    actions = sum(row.tokens for row in rows)
    pairs = sum(row.prefix**2 / 2 for row in prompts)
    pairs += sum(row.continuation * (row.prefix + row.continuation / 2) for row in rows)
    patches = [(sizes.picture // 16) ** 2 for _ in prompts]
    attention = 12 * sizes.layers * sizes.heads * sizes.head_dim * pairs
    seeing = 12 * sizes.vision_layers * sizes.vision_width * sum(count**2 for count in patches)
    dense = 6 * (text * tokens + sizes.vocabulary * sizes.width * actions + vision * sum(patches))
    return float(dense + attention + seeing)


def empty(device: str) -> None:
    """Give back what earlier models held."""
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def clock(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def speed(sizes: Sizes, device: str, peak: float, **options: Any) -> list[str]:
    """A row: tokens a second, utilisation and peak memory of a step with these options."""
    empty(device)
    backbone, chat = build(sizes, device, torch.bfloat16)
    learner = make_learner(backbone, chat, sizes, precision="bfloat16", **options)
    try:
        rows = sampled(make_rows(sizes, chat), learner)
        learner.step(rows)
        times = []
        for _ in range(sizes.repeats):
            began = clock(device)
            learner.step(rows)
            times.append(clock(device) - began)
    except torch.cuda.OutOfMemoryError:
        return ["out of memory", "-", "-"]
    seconds = sorted(times)[len(times) // 2]
    tokens = sum(len(row.sample.ids) for row in rows)
    used = f"{100 * flops(sizes, backbone, rows) / seconds / peak:.1f} %" if peak else "-"
    held = f"{torch.cuda.max_memory_allocated() / 2**30:.1f}" if device == "cuda" else "-"
    return [f"{tokens / seconds:.0f}", used, held]


def main(small: bool, write: str) -> int:
    if not small and not torch.cuda.is_available():
        print("there is no CUDA device: --small runs everything on a CPU", file=sys.stderr)
        return 2
    device = "cpu" if small else "cuda"
    sizes = SMALL if small else Sizes()
    name = torch.cuda.get_device_name() if device == "cuda" else "a CPU"
    peak = next((value for part, value in PEAKS.items() if part in name), 0.0)
    began = time.perf_counter()
    columns = ["log-probabilities", "mean difference", "largest", "bounds"]
    differences, good = correctness(sizes, device)
    text = f"\n{markdown_table(columns, differences)}"
    print(text, flush=True)
    rows: list[list[str]] = []
    for packing in (False, True):
        for checkpointing in (False, True):
            options = {"packing": packing, "activation_checkpointing": checkpointing}
            rows.append([*map(str, options.values()), *speed(sizes, device, peak, **options)])
            print(*rows[-1], flush=True)
    columns = ["packing", "activation checkpointing", "tokens/s", "MFU", "peak GiB"]
    text += f"\n{markdown_table(columns, rows)}"
    backbone, _ = build(sizes, "meta", torch.bfloat16)
    count = sum(weight.numel() for weight in backbone.model.parameters()) / 1e9
    note = (
        f"{name}, torch {torch.__version__}: {count:.2f} billion parameters in bfloat16 (float32 masters), "
        f"{sizes.tasks} x {sizes.group} rows, {time.perf_counter() - began:.0f} s in all."
    )
    print(f"\n{markdown_table(columns, rows)}\n{note}")
    if write:
        write_section(Path(write), "gpu", f"{note}\n{text}")
    return 0 if good else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a tiny model on a CPU, to see that it runs")
    parser.add_argument("--write", default="", help="a Markdown page that gets the tables")
    given = parser.parse_args()
    sys.exit(main(given.small, given.write))
