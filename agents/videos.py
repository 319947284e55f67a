"""Videos into the patches of a vision tower: frames in groups, each group one step of the grid's time.

    videos = Videos.from_pretrained(path, image_processor, "qwen3_vl")
    features = videos(video)        # an odd last frame is shown twice

Every frame that the environment shows is used: which frames, and how many a second, is the environment's choice. Frames
go through the image processor, so no torchvision is needed, and a video that stands still gives the patches of its
picture.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from saccade.agents.media import Features, Run
from saccade.agents.modality import Modality, name_of
from saccade.envs.errors import MediaError
from saccade.envs.observation import Video

SPELLED: Mapping[str, bool] = {"qwen3_vl": True, "qwen2_5_omni_thinker": False}
"""Model types that take videos: whether they read the time of each step in words (else in rotary positions)."""
FILE = "video_preprocessor_config.json"


class Videos:
    """Uses an image processor of the Qwen-VL kind on frames.

    Args:
        processor: the image processor.
        spelled: whether each step of time has placeholders of its own, after its time in words.
        size: fewest and most pixels (`shortest_edge`, `longest_edge`): of all frames together where the time is
            spelled, else of one frame; by default the image processor's, of one frame.
    """

    def __init__(self, processor: Any, spelled: bool, size: Mapping[str, int] | None = None) -> None:
        self.processor = processor
        self.spelled = spelled
        self.size = size

    @classmethod
    def from_pretrained(cls, path: str | Path, processor: Any, model_type: str) -> Videos:
        """The video settings of a checkpoint, where it has a file of them."""
        from transformers.utils import cached_file

        file = cached_file(path, FILE, _raise_exceptions_for_missing_entries=False)
        size = json.loads(Path(file).read_text()).get("size") if file else None
        return cls(processor, SPELLED[model_type], size)

    def save_pretrained(self, path: str | Path) -> None:
        """Write the video settings beside a model, where they differ from those of pictures."""
        if self.size is not None:
            (Path(path) / FILE).write_text(json.dumps({"size": dict(self.size)}, indent=1) + "\n")

    def __call__(self, video: Video) -> Features:
        """Patches of one video.

        Raises:
            MediaError: the processor refuses the frames.
        """
        try:
            frames, (height, width) = self._patches(video)
        except ValueError as error:
            raise MediaError(f"the image processor refuses frames of {video.frames.shape} pixels: {error}") from error
        group, merged = self.processor.temporal_patch_size, self.processor.merge_size**2
        frames += frames[-1:] * (-len(frames) % group)
        # Patch vectors are channels x time x height x width; those of one picture repeat it along time.
        parts = [patches.view(height * width, 3, group, -1) for patches in frames]
        steps = [
            torch.stack([parts[start + at][:, :, 0] for at in range(group)], dim=2).flatten(1)
            for start in range(0, len(parts), group)
        ]
        grid = (len(steps), height, width)
        tokens = height * width // merged
        if self.spelled:
            runs = tuple(Run(tokens, f"<{time:.1f} seconds>") for time in self.times(len(video.frames), video.fps))
        else:
            runs = (Run(tokens * len(steps)),)
        seconds = 0.0 if self.spelled else group / video.fps
        return Features(Modality.VIDEO, torch.cat(steps), grid, runs, name_of(video), seconds)

    def times(self, frames: int, fps: float) -> list[float]:
        """Seconds of each step: the middle between its first and its last frame."""
        group, last = self.processor.temporal_patch_size, frames - 1
        return [(start / fps + min(start + group - 1, last) / fps) / 2 for start in range(0, frames, group)]

    def _patches(self, video: Video) -> tuple[list[Tensor], tuple[int, int]]:
        """Patches of each frame as a picture, [height x width, patch dimension], and the grid of each."""
        from PIL import Image as Pillow

        frames = [Pillow.fromarray(frame) for frame in video.frames]
        settings: dict[str, Any] = {}
        if self.size is not None and self.spelled:
            from transformers.models.qwen3_vl.video_processing_qwen3_vl import smart_resize

            height, width = smart_resize(
                max(len(frames), self.processor.temporal_patch_size),
                *video.frames.shape[1:3],
                temporal_factor=self.processor.temporal_patch_size,
                factor=self.processor.patch_size * self.processor.merge_size,
                min_pixels=self.size["shortest_edge"],
                max_pixels=self.size["longest_edge"],
            )
            frames = [frame.resize((width, height), self.processor.resample) for frame in frames]
            settings["do_resize"] = False
        elif self.size is not None:
            settings["size"] = dict(self.size)
        out = self.processor(images=frames, return_tensors="pt", **settings)
        _, height, width = (int(n) for n in out["image_grid_thw"][0])
        return list(out["pixel_values"].to(torch.float32).chunk(len(frames))), (height, width)
