"""Pictures into the patches of a vision tower.

pictures = Pictures.from_pretrained(path)
features = pictures(image)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from saccade.agents.media import Features, Run
from saccade.agents.modality import Modality
from saccade.envs.errors import ConfigError, MediaError
from saccade.envs.observation import Image


class Pictures:
    """Wraps a Hugging Face image processor of the Qwen-VL kind (patches and grids).

    Args:
        processor: the image processor; its `merge_size` squared patches make one token.
    """

    def __init__(self, processor: Any) -> None:
        self.processor = processor

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

    def save_pretrained(self, path: str | Path) -> None:
        """Write the image processor's settings beside a model."""
        self.processor.save_pretrained(path)

    def __call__(self, image: Image) -> Features:
        """Patches of one picture.

        Raises:
            MediaError: the processor refuses the picture.
        """
        from PIL import Image as Pillow

        try:
            out = self.processor(images=[Pillow.fromarray(image.pixels)], return_tensors="pt")
        except ValueError as error:
            raise MediaError(f"the image processor refuses a picture of {image.size} pixels: {error}") from error
        time, height, width = (int(n) for n in out["image_grid_thw"][0])
        tokens = time * height * width // self.processor.merge_size**2
        values = out["pixel_values"].to(torch.float32)
        return Features(Modality.IMAGE, values, (time, height, width), (Run(tokens),), image.digest)
