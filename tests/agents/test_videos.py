from types import SimpleNamespace

import numpy as np
import pytest
import torch

from saccade.agents.videos import Videos
from saccade.envs.errors import MediaError
from saccade.envs.observation import Image, Video


def film(frames, height=32, width=48, fps=2.0):
    return Video(np.random.default_rng(0).integers(0, 256, (frames, height, width, 3), dtype=np.uint8), fps)


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5])
def test_patches_are_those_of_the_library(agent, frames):
    """Qwen3-VL's own video processor needs torchvision to resize; its patchify is plain torch."""
    from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor

    videos = agent.chat.media.processors["video"]
    video, processor = film(frames), videos.processor
    found = videos(video)
    pixels = torch.from_numpy(video.frames).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (processor.image_mean, processor.image_std))
    patchify = vars(Qwen3VLVideoProcessor)["patchify"]
    patches, *grid = patchify(
        None,
        ((pixels - mean) / std)[None],
        patch_size=processor.patch_size,
        merge_size=processor.merge_size,
        temporal_patch_size=processor.temporal_patch_size,
    )
    assert found.grid == tuple(grid) == ((frames + 1) // 2, 4, 6)
    assert torch.allclose(found.values, patches[0], atol=1e-6)
    assert found.tokens == found.values.shape[0] // 4 == 6 * found.grid[0]


@pytest.mark.parametrize(("frames", "fps"), [(1, 2.0), (4, 2.0), (5, 24.0), (7, 0.5)])
def test_times_are_those_of_the_library(agent, frames, fps):
    from transformers import Qwen3VLProcessor

    videos = agent.chat.media.processors["video"]
    assert videos.times(frames, fps) == Qwen3VLProcessor._calculate_timestamps(None, list(range(frames)), fps, 2)
    found = videos(film(frames, fps=fps))
    names = {"video_token": "P", "vision_start_token": "(", "vision_end_token": ")"}
    reference = SimpleNamespace(
        video_processor=videos.processor,
        _calculate_timestamps=lambda *args: Qwen3VLProcessor._calculate_timestamps(None, *args),
        **names,
    )
    metadata = SimpleNamespace(fps=fps, frames_indices=list(range(frames)))
    inputs = {"video_grid_thw": [np.array(found.grid)], "video_metadata": [metadata]}
    text = Qwen3VLProcessor.replace_video_token(reference, inputs, 0)
    assert "".join(f"{run.caption}({'P' * run.tokens})" for run in found.runs) == text


def test_what_stands_still_gives_the_patches_of_its_picture(agent):
    still = film(1).frames[0]
    picture = agent.chat.media.process(Image(still))
    video = agent.chat.media.process(Video(np.stack([still] * 4), 2.0))
    assert torch.equal(video.values, picture.values.repeat(2, 1))


def test_a_size_of_all_frames_bounds_their_patches(agent, tmp_path):
    processor = agent.chat.media.processors["image"].processor
    videos = Videos(processor, spelled=True, size={"shortest_edge": 256, "longest_edge": 4 * 32 * 32})
    assert videos(film(4)).grid == (2, 2, 4)  # 32 x 48 would be more than 1024 pixels a frame
    assert videos(film(2)).grid == (1, 4, 6)
    videos.save_pretrained(tmp_path)
    assert Videos.from_pretrained(tmp_path, processor, "qwen3_vl").size == videos.size


def test_frames_that_the_processor_refuses_are_a_media_error(agent):
    with pytest.raises(MediaError, match="refuses frames"):
        agent.chat.media.process(film(2, height=2, width=1000))
