"""A tiny model that also hears: `Qwen2_5OmniThinkerForConditionalGeneration`, made from nothing downloaded.

    build_tiny_omni("runs/omni", TinyOmniConfig(), corpus)
    backbone, chat = load_model("runs/omni")

Text, pictures, videos and sounds in, text out. Tokenizer and initial weights are made as those of `agents/tiny.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saccade.agents.media import Media, Processor, placeholders
from saccade.agents.modality import Modality
from saccade.agents.pictures import Pictures
from saccade.agents.sounds import Sounds
from saccade.agents.tiny import CHAT_TEMPLATE, TinyConfig, begin, make_image_processor, make_tokenizer

CONTROL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_bos|>",
    "<|vision_eos|>",
    "<|audio_bos|>",
    "<|audio_eos|>",
    "<|IMAGE|>",
    "<|VIDEO|>",
    "<|AUDIO|>",
)
TEMPLATE = (
    CHAT_TEMPLATE.replace("<|vision_start|>", "<|vision_bos|>")
    .replace("<|vision_end|>", "<|vision_eos|>")
    .replace("<|image_pad|>", "<|IMAGE|>")
    .replace("<|video_pad|>", "<|VIDEO|>")
    .replace(
        "{%- else -%}\n{{- part['text'] -}}",
        "{%- elif part['type'] == 'audio' -%}\n{{- '<|audio_bos|><|AUDIO|><|audio_eos|>' -}}\n"
        "{%- else -%}\n{{- part['text'] -}}",
    )
)


@dataclass(frozen=True)
class TinyOmniConfig(TinyConfig):
    """Sizes of the tiny model; the default has about 0.46 million parameters."""

    audio_layers: int = 2
    """Layers of the audio encoder."""
    mel_bins: int = 64
    """Frequencies that it hears."""
    max_seconds: int = 30
    """Longest sound."""


def build_tiny_omni(path: str | Path, config: TinyOmniConfig, corpus: Iterable[str], seed: int = 0) -> Path:
    """Make a tokenizer, processors and random weights, and save them as a Hugging Face folder.

    Args:
        path: folder to write.
        config: sizes.
        corpus: texts that the tokenizer learns its merges from.
        seed: of the weights.
    """
    import transformers

    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer(corpus, config.merges, CONTROL, TEMPLATE)
    model = _model(config, tokenizer, seed)
    extractor = transformers.WhisperFeatureExtractor(feature_size=config.mel_bins, chunk_length=config.max_seconds)
    processors: dict[Modality, Processor] = {
        Modality.IMAGE: Pictures(make_image_processor(config)),
        Modality.AUDIO: Sounds(extractor),
    }
    tokenizer.save_pretrained(path)
    Media(processors, placeholders(model.config)).save_pretrained(path)
    transformers.utils.logging.disable_progress_bar()
    model.save_pretrained(path)
    (path / "chat_template.jinja").write_text(TEMPLATE)
    return path


def _model(config: TinyOmniConfig, tokenizer: Any, seed: int) -> Any:
    import transformers

    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in CONTROL}
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": config.width,
        "intermediate_size": config.mlp,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": 1,
        "max_position_embeddings": 4096,
        "eos_token_id": ids["<|im_end|>"],
        "pad_token_id": ids["<|endoftext|>"],
        "tie_word_embeddings": True,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10000.0,
            "mrope_section": _sections(config.width // config.heads // 2),
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
        "window_size": config.patch * 8,
        "fullatt_block_indexes": [config.vision_layers - 1],
        "out_hidden_size": config.width,
    }
    audio = {
        "num_mel_bins": config.mel_bins,
        "encoder_layers": config.audio_layers,
        "encoder_attention_heads": config.heads,
        "encoder_ffn_dim": config.width * 2,
        "d_model": config.width,
        "n_window": 50,
        "max_source_positions": 50,
        "output_dim": config.width,
    }
    model_config = transformers.Qwen2_5OmniThinkerConfig(
        text_config=text,
        vision_config=vision,
        audio_config=audio,
        tie_word_embeddings=True,
        image_token_index=ids["<|IMAGE|>"],
        video_token_index=ids["<|VIDEO|>"],
        audio_token_index=ids["<|AUDIO|>"],
        vision_start_token_id=ids["<|vision_bos|>"],
        vision_end_token_id=ids["<|vision_eos|>"],
        audio_start_token_id=ids["<|audio_bos|>"],
        audio_end_token_id=ids["<|audio_eos|>"],
    )
    return begin(transformers.Qwen2_5OmniThinkerForConditionalGeneration(model_config), ids, seed)


def _sections(half: int) -> list[int]:
    """Shares of time, height and width in the rotary frequencies."""
    return [half - 2 * (half // 3), half // 3, half // 3]
