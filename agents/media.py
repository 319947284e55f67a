"""Media into the tensors of a model's encoders: one processor pass is the truth for rollout and training.

    media = Media.from_pretrained(path)
    features = media.process(image)      # features.tokens placeholders, features.values, features.grid

Results are cached by the content of the medium, so the eight episodes of a group process it once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from torch import Tensor

from saccade.agents.modality import Medium, Modality, modality_of, name_of
from saccade.envs.errors import ConfigError

TAKES = {
    Modality.IMAGE: "a Qwen2-VL, Qwen2.5-VL or Qwen3-VL checkpoint",
    Modality.VIDEO: "a Qwen3-VL checkpoint or a Qwen2.5-Omni thinker",
    Modality.AUDIO: "a Qwen2.5-Omni thinker",
}
"""Models that take a kind of media, for messages."""


@dataclass(frozen=True)
class Run:
    """Placeholders in a row, wrapped as the chat template wraps one medium; `caption` is plain text before them."""

    tokens: int
    caption: str = ""


@dataclass(frozen=True, eq=False)
class Features:
    """One medium, ready for its encoder.

    Attributes:
        modality: which encoder.
        values: float32; patches x patch dimension for pictures and videos, mel bins x frames for sounds.
        grid: (time, height, width) in patches; (frames, 1, 1) for sounds.
        runs: how its placeholders stand in the text.
        digest: name of the medium.
        seconds: between two steps of the grid's time; 0 where the model is told in words or not at all.
    """

    modality: Modality
    values: Tensor
    grid: tuple[int, int, int]
    runs: tuple[Run, ...]
    digest: str
    seconds: float = 0.0

    @cached_property
    def tokens(self) -> int:
        """How many placeholder tokens stand for the medium in the text."""
        return sum(run.tokens for run in self.runs)


class Processor(Protocol):
    """Makes features of the media of one kind."""

    def __call__(self, medium: Any, /) -> Features:
        """Features of one medium; `MediaError` where it is not one that the model can take."""

    def save_pretrained(self, path: str | Path) -> None:
        """Write its settings beside a model."""


class Media:
    """The media processors of one model, with a cache.

    Args:
        processors: of each kind that the model takes.
        placeholders: token id that stands for features, of each kind that the model knows.
        capacity: bytes of tensors kept.
    """

    def __init__(
        self,
        processors: Mapping[Modality, Processor],
        placeholders: Mapping[Modality, int],
        capacity: int = 512 << 20,
    ) -> None:
        self.processors = dict(processors)
        self.placeholders = dict(placeholders)
        self._cache: OrderedDict[str, Features] = OrderedDict()
        self._capacity = capacity
        self._size = 0
        self._lock = Lock()

    @classmethod
    def from_pretrained(cls, path: str | Path) -> Media:
        """Load the processors of a checkpoint."""
        from transformers import AutoConfig

        # They import Features from here.
        from saccade.agents.pictures import Pictures
        from saccade.agents.sounds import Sounds
        from saccade.agents.videos import SPELLED, Videos

        config = AutoConfig.from_pretrained(path)
        processors: dict[Modality, Processor] = {}
        if hasattr(config, "vision_config"):
            pictures = Pictures.from_pretrained(path)
            processors[Modality.IMAGE] = pictures
            if config.model_type in SPELLED:
                processors[Modality.VIDEO] = Videos.from_pretrained(path, pictures.processor, config.model_type)
        if config.model_type == "qwen2_5_omni_thinker":
            processors[Modality.AUDIO] = Sounds.from_pretrained(path)
        return cls(processors, placeholders(config))

    def save_pretrained(self, path: str | Path) -> None:
        """Save the processors beside a model, as Hugging Face reads them."""
        for processor in self.processors.values():
            processor.save_pretrained(path)

    def process(self, medium: Medium) -> Features:
        """Features of one medium, from the cache if it was seen before.

        Raises:
            ConfigError: the model takes no media of this kind.
            MediaError: the processor refuses this one.
        """
        name = name_of(medium)
        with self._lock:
            found = self._cache.get(name)
            if found is not None:
                self._cache.move_to_end(name)
                return found
        modality = modality_of(medium)
        if modality not in self.processors:
            raise ConfigError(
                f"the environment shows {modality}, which this model's processor cannot take "
                f"(it takes {', '.join(self.processors) or 'text only'}): use {TAKES[modality]}"
            )
        features = self.processors[modality](medium)
        with self._lock:
            if name not in self._cache:
                self._cache[name] = features
                self._size += features.values.nbytes
            while self._size > self._capacity and len(self._cache) > 1:
                self._size -= self._cache.popitem(last=False)[1].values.nbytes
        return features


def placeholders(config: Any) -> dict[Modality, int]:
    """The token ids that stand for features, by kind, from a model's configuration."""
    found = {modality: getattr(config, f"{modality}_token_id", None) for modality in Modality}
    return {modality: token for modality, token in found.items() if token is not None}
