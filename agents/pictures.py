"""Pictures into the tensors of a model's vision tower: one processor pass is the truth for rollout and training.

    features = pictures.process(image)      # features.tokens placeholders, features.pixel_values, features.grid

Results are cached by the content hash of the picture, so the eight episodes of a group process it once.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from saccade.envs.errors import ConfigError, MediaError
from saccade.envs.observation import Image


@dataclass(frozen=True, eq=False)
class Features:
    """One picture, ready for the vision tower.

    Attributes:
        pixel_values: float32 [patches, patch dimension].
        grid: (time, height, width) in patches.
        tokens: how many placeholder tokens stand for the picture in the text.
        digest: content hash of the picture.
    """

    pixel_values: Tensor
    grid: tuple[int, int, int]
    tokens: int
    digest: str


class Pictures:
    """Wraps a Hugging Face image processor of the Qwen-VL kind (patches and grids).

    Args:
        processor: the image processor; its `merge_size` squared patches make one token.
        capacity: bytes of tensors kept.
    """

    def __init__(self, processor: Any, capacity: int = 512 << 20) -> None:
        self.processor = processor
        self._cache: OrderedDict[str, Features] = OrderedDict()
        self._capacity = capacity
        self._size = 0
        self._lock = Lock()

    @classmethod
    def from_pretrained(cls, path: str | Path) -> Pictures:
        """Load the image processor of a checkpoint; the torchvision-free one."""
        from transformers import AutoImageProcessor

        processor = AutoImageProcessor.from_pretrained(path, backend="pil")
        if not hasattr(processor, "merge_size"):
            raise ConfigError(
                f"the image processor must give patches and grids (Qwen-VL kind), {path} has "
                f"{type(processor).__name__}: use a Qwen2-VL, Qwen2.5-VL or Qwen3-VL checkpoint"
            )
        return cls(processor)

    def process(self, image: Image) -> Features:
        """Tensors of one picture, from the cache if it was seen before."""
        with self._lock:
            found = self._cache.get(image.digest)
            if found is not None:
                self._cache.move_to_end(image.digest)
                return found
        features = self._process(image)
        with self._lock:
            if image.digest not in self._cache:
                self._cache[image.digest] = features
                self._size += features.pixel_values.nbytes
            while self._size > self._capacity and len(self._cache) > 1:
                self._size -= self._cache.popitem(last=False)[1].pixel_values.nbytes
        return features

    def _process(self, image: Image) -> Features:
        from PIL import Image as Pillow

        try:
            out = self.processor(images=[Pillow.fromarray(image.pixels)], return_tensors="pt")
        except ValueError as error:
            raise MediaError(f"the image processor refuses a picture of {image.size} pixels: {error}") from error
        time, height, width = (int(n) for n in out["image_grid_thw"][0])
        tokens = time * height * width // self.processor.merge_size**2
        return Features(out["pixel_values"].to(torch.float32), (time, height, width), tokens, image.digest)
