"""A tiny multimodal model of a real architecture (`Qwen3VLForConditionalGeneration`), made from nothing downloaded.

    build_tiny("runs/tiny", TinyConfig(), corpus)
    model = Backbone.from_pretrained("runs/tiny")

The initialisation matters most: with the library's own (std 0.02) a model of this size ignores the picture for hundreds
of steps. Here every linear starts at 1/sqrt(fan_in), halved where it writes to the residual stream, and the patch
embedding, the position embedding and the merger are large enough for the picture to be seen from the first step.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from saccade.agents.coordinates import LocationTokenCodec
from saccade.agents.formats import ThinkAnswer
from saccade.agents.torchvision import mend

CONTROL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
CHAT_TEMPLATE = """{%- for message in messages -%}
{{- '<|im_start|>' + message['role'] + '\\n' -}}
{%- if message['content'] is string -%}
{{- message['content'] -}}
{%- else -%}
{%- for part in message['content'] -%}
{%- if part['type'] == 'image' -%}
{{- '<|vision_start|><|image_pad|><|vision_end|>' -}}
{%- elif part['type'] == 'video' -%}
{{- '<|vision_start|><|video_pad|><|vision_end|>' -}}
{%- else -%}
{{- part['text'] -}}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|im_start|>assistant\\n' -}}
{%- endif -%}"""

SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Qwen2's own split: words with their leading space, digits one by one."""


@dataclass(frozen=True)
class TinyConfig:
    """Sizes of the tiny model; the default has about 0.43 million parameters."""

    width: int = 64
    """Width of the text model and of the vision tower."""
    layers: int = 3
    """Text layers."""
    heads: int = 2
    """Attention heads of 32 dimensions each."""
    mlp: int = 192
    """Inner width of the text MLP."""
    vision_layers: int = 2
    """Vision layers."""
    position_embeddings: int = 64
    """Learned positions of the vision tower, a square number; they are interpolated to a picture's own grid."""
    patch: int = 8
    """Patch side in pixels; four patches make one image token."""
    max_pixels: int = 224 * 224
    """Larger pictures are scaled down to this."""
    merges: int = 96
    """Byte-pair merges learned from the corpus."""


def build_tiny(path: str | Path, config: TinyConfig, corpus: Iterable[str], seed: int = 0) -> Path:
    """Make a tokenizer, an image processor and random weights, and save them as a Hugging Face folder.

    Args:
        path: folder to write.
        config: sizes.
        corpus: texts that the tokenizer learns its merges from; the more of the worlds' words, the shorter the prompts.
        seed: of the weights.
    """
    mend()
    import transformers

    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer(corpus, config.merges, CONTROL, CHAT_TEMPLATE)
    model = _model(config, tokenizer, seed)
    tokenizer.save_pretrained(path)
    make_image_processor(config).save_pretrained(path)
    transformers.utils.logging.disable_progress_bar()
    model.save_pretrained(path)
    (path / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    return path


def make_tokenizer(corpus: Iterable[str], merges: int, control: Iterable[str], template: str) -> Any:
    """A byte-pair tokenizer of the Qwen2 kind with these control tokens and chat template."""
    import transformers
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bare.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=len(alphabet) + merges, initial_alphabet=alphabet, show_progress=False)
    bare.train_from_iterator(corpus, trainer)
    learned = json.loads(bare.to_str())["model"]
    tokenizer = transformers.Qwen2Tokenizer(
        vocab=learned["vocab"],
        merges=[tuple(merge) for merge in learned["merges"]],
        unk_token="<|endoftext|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=list(control),
    )
    tokenizer.add_tokens([*ThinkAnswer.tags, *LocationTokenCodec().tokens], special_tokens=False)
    tokenizer.chat_template = template
    tokenizer.padding_side = "left"
    tokenizer.model_max_length = 4096
    return tokenizer


def make_image_processor(config: TinyConfig) -> Any:
    """An image processor for the patches of a tiny vision tower."""
    from transformers import Qwen2VLImageProcessorPil

    unit = config.patch * 2
    # A near-white background is the zero of the vision tower: empty places say nothing.
    return Qwen2VLImageProcessorPil(
        patch_size=config.patch,
        merge_size=2,
        temporal_patch_size=2,
        size={"shortest_edge": unit * unit, "longest_edge": config.max_pixels},
        image_mean=[0.96] * 3,
        image_std=[0.3] * 3,
    )


def _model(config: TinyConfig, tokenizer: Any, seed: int) -> Any:
    import transformers

    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in CONTROL}
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": config.width,
        "intermediate_size": config.mlp,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": 1,
        "head_dim": 32,
        "max_position_embeddings": 4096,
        "bos_token_id": None,
        "eos_token_id": ids["<|im_end|>"],
        "pad_token_id": ids["<|endoftext|>"],
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10000.0,
            "mrope_section": [6, 5, 5],
            "mrope_interleaved": True,
        },
    }
    vision = {
        "depth": config.vision_layers,
        "hidden_size": config.width,
        "num_heads": config.heads,
        "intermediate_size": config.width * 2,
        "patch_size": config.patch,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "out_hidden_size": config.width,
        "num_position_embeddings": config.position_embeddings,
        "deepstack_visual_indexes": [0],
    }
    model_config = transformers.Qwen3VLConfig(
        text_config=text,
        vision_config=vision,
        tie_word_embeddings=True,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    return begin(transformers.Qwen3VLForConditionalGeneration(model_config), ids, seed)


def begin(model: Any, ids: Mapping[str, int], seed: int) -> Any:
    """A fresh model with our weights and its end of turn; `ids` are those of the control tokens."""
    import transformers

    model = model.float()
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=ids["<|im_end|>"], pad_token_id=ids["<|endoftext|>"], do_sample=True
    )
    initialise(model, torch.Generator().manual_seed(seed))
    return model


RESIDUAL_OUTPUTS = ("o_proj", "out_proj", "down_proj", "attn.proj", "fc2")
"""Linears that write to the residual stream: they start at half size."""


@torch.no_grad()
def initialise(model: nn.Module, rng: torch.Generator) -> None:
    """Redraw all weights at sizes under which a small model sees its pictures."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            if name == "lm_head":
                continue  # tied to the embedding
            scale = 0.5 if name.endswith(RESIDUAL_OUTPUTS) else 1.0
            if "deepstack_merger" in name and name.endswith("linear_fc2"):
                scale = 0.3
            elif "merger" in name and name.endswith(("linear_fc2", "mlp.2")):
                scale = 0.7
            module.weight.normal_(0, scale / module.in_features**0.5, generator=rng)
            if module.bias is not None:
                module.bias.zero_()
        elif isinstance(module, (nn.Conv1d, nn.Conv3d)):
            module.weight.normal_(0, 1 / module.weight[0].numel() ** 0.5, generator=rng)
            if module.bias is not None:
                module.bias.zero_()
        elif isinstance(module, nn.Embedding):
            std = 0.5 if "pos_embed" in name else 0.1
            module.weight.normal_(0, std, generator=rng)
