"""What a model can be shown beside text: the kinds of media, and the name that equal media share.

name_of(Image(pixels))      # its content hash: computed once, stored once, compared nowhere else
"""

from __future__ import annotations

from enum import StrEnum

from saccade.envs.observation import Audio, Image, Video

Medium = Image | Video | Audio


class Modality(StrEnum):
    """Kinds of media; the values are the words of chat templates and of model configurations."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"


def modality_of(medium: Medium) -> Modality:
    """The kind of a medium."""
    match medium:
        case Image():
            return Modality.IMAGE
        case Video():
            return Modality.VIDEO
        case Audio():
            return Modality.AUDIO


def name_of(medium: Medium) -> str:
    """Content hash, and the rate where there is one: media of one name are the same to every model."""
    match medium:
        case Image():
            return medium.digest
        case Video():
            return f"{medium.digest}@{medium.fps:g}"
        case Audio():
            return f"{medium.digest}@{medium.rate}"


def sampled(medium: Medium) -> Medium:
    """The medium as the sampler sees it; only pictures can differ from what the learner sees."""
    return medium.sampled if isinstance(medium, Image) else medium
