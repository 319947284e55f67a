"""Sounds into the mel spectrograms of an audio encoder.

sounds = Sounds.from_pretrained(path)
features = sounds(audio)        # 25 tokens a second
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from saccade.agents.media import Features, Run
from saccade.agents.modality import Modality, name_of
from saccade.envs.errors import ConfigError, MediaError
from saccade.envs.observation import Audio

FILE = "preprocessor_config.json"


class Sounds:
    """Wraps a Hugging Face feature extractor of the Whisper kind, as Qwen2.5-Omni reads it.

    Args:
        extractor: gives mel frames; the encoder halves their number twice.
    """

    def __init__(self, extractor: Any) -> None:
        self.extractor = extractor

    @classmethod
    def from_pretrained(cls, path: str | Path) -> Sounds:
        """Load the feature extractor of a checkpoint."""
        from transformers import WhisperFeatureExtractor

        return cls(WhisperFeatureExtractor.from_pretrained(path))

    def save_pretrained(self, path: str | Path) -> None:
        """Add the extractor's settings to those of the image processor: Hugging Face reads both from one file."""
        file = Path(path) / FILE
        there = json.loads(file.read_text()) if file.exists() else {}
        file.write_text(json.dumps(json.loads(self.extractor.to_json_string()) | there, indent=2) + "\n")

    def __call__(self, audio: Audio) -> Features:
        """Mel frames of one sound.

        Raises:
            ConfigError: its rate is not the one that the model hears at.
            MediaError: it is too short for one token, or longer than the extractor allows.
        """
        extractor = self.extractor
        if audio.rate != extractor.sampling_rate:
            raise ConfigError(
                f"the model hears at {extractor.sampling_rate} samples a second, the environment's sound has "
                f"{audio.rate}: give the environment that rate"
            )
        count = len(audio.samples)
        frames = -(-count // extractor.hop_length)
        # As the encoder does: a convolution of stride 2, then the mean of pairs.
        tokens = ((frames - 1) // 2 + 1) // 2
        if tokens < 1 or count > extractor.n_samples:
            shortest = 2 * extractor.hop_length + 1
            raise MediaError(f"a sound needs {shortest} to {extractor.n_samples} samples, got {count}")
        # Silence follows every sound, as if it were padded to the longest one: only what the last frames see of it
        # is computed.
        padded = np.pad(audio.samples, (0, frames * extractor.hop_length + extractor.n_fft - count))
        out = extractor(padded, sampling_rate=audio.rate, padding="do_not_pad", truncation=False, return_tensors="pt")
        values = out["input_features"][0, :, :frames].to(torch.float32).contiguous()
        return Features(Modality.AUDIO, values, (frames, 1, 1), (Run(tokens),), name_of(audio))
