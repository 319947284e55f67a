"""Pictures, videos and sounds out of data files, safely: bounded in size, of known kinds only."""

from __future__ import annotations

import hashlib
import io
import math
import wave
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from saccade.envs.errors import ConfigError, MediaError
from saccade.envs.observation import Audio, Image, Video

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "MPO", "PPM")
MAX_SOURCE_PIXELS = 64_000_000
"""Pixels of a picture before it is made smaller; a file that says more is not decoded at all."""
MAX_DECODED = 5_000
"""Frames that are decoded to come from one whole frame of a video to the one that is wanted."""
MAX_SOUND_SECONDS = 600
_ROTATED = 0x0112
"""EXIF tag: how the camera was held."""


def load_picture(data: bytes, most: int) -> tuple[Image, float, float]:
    """Decode a picture, upright, on white where it is transparent, with at most `most` pixels.

    Returns:
        The picture, and how much wider and higher it is than in the file (1.0 where it was not made smaller).

    Raises:
        MediaError: it is no picture, or too large to be decoded.
    """
    from PIL import Image as Pillow
    from PIL import ImageOps

    try:
        with Pillow.open(io.BytesIO(data), formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_SOURCE_PIXELS:
                raise MediaError(
                    f"a picture has at most {MAX_SOURCE_PIXELS} pixels, not {picture.width} x {picture.height}"
                )
            kept = picture.format == "PNG" and picture.mode == "RGB" and "transparency" not in picture.info
            upright: Picture = picture
            if "exif" in picture.info and picture.getexif().get(_ROTATED, 1) != 1:
                upright, kept = ImageOps.exif_transpose(picture), False
            width, height = upright.size
            whole = _rgb(upright)
            if width * height > most:
                size = smaller(width, height, most)
                whole, kept = whole.resize(size, Pillow.Resampling.BICUBIC, reducing_gap=3.0), False
            pixels = np.asarray(whole)
    except MediaError:
        raise
    except Exception as error:  # decoders meet hostile bytes here, and raise whatever they like
        raise MediaError(f"a picture must be a readable {', '.join(FORMATS)} file: {error}") from error
    image = Image(pixels, encoded=data if kept else None)
    return image, image.size[0] / width, image.size[1] / height


def load_video(path: Path, frames: int, most: int) -> Video:
    """Decode `frames` frames from the middles of equal parts of a video; fewer where it has fewer.

    Raises:
        ConfigError: PyAV is not installed.
        MediaError: it is no video, or its frames are too large.
    """
    try:
        import av
    except ImportError as error:
        raise ConfigError("videos need PyAV; install it with `pip install av`") from error

    times: list[float] = []
    pictures: list[NDArray[np.uint8]] = []
    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            stream = container.streams.video[0]
            if not stream.time_base:
                raise MediaError(f"the video {path.name} tells no times")
            if stream.width * stream.height > MAX_SOURCE_PIXELS:
                raise MediaError(f"the frames of {path.name} are too large: {stream.width} x {stream.height}")
            width, height = smaller(stream.width, stream.height, most)
            start = float((stream.start_time or 0) * stream.time_base)
            length = _seconds(stream.duration, stream.time_base, container.duration)
            for index in range(frames):
                wanted = start + (index + 0.5) * length / frames
                container.seek(int(wanted / stream.time_base), stream=stream)
                decoded = islice(container.decode(stream), MAX_DECODED)
                frame = next((each for each in decoded if (each.time or 0.0) + 1e-6 >= wanted), None)
                if frame is None or (times and frame.time == times[-1]):
                    continue
                times.append(frame.time or 0.0)
                pixels = frame.to_ndarray(format="rgb24", width=width, height=height)
                pictures.append(np.asarray(pixels, np.uint8))
    except MediaError:
        raise
    except Exception as error:  # as above
        raise MediaError(f"the video {path.name} cannot be decoded: {error}") from error
    if not pictures:
        raise MediaError(f"the video {path.name} has no frame")
    return Video(np.stack(pictures), fps=len(pictures) / length)


def load_sound(data: bytes) -> Audio:
    """Decode a WAV file of 8, 16, 24 or 32 bits to one channel.

    Raises:
        MediaError: it is no such file, or longer than `MAX_SOUND_SECONDS`.
    """
    try:
        with wave.open(io.BytesIO(data)) as sound:
            channels, width, rate, count = sound.getparams()[:4]
            if count > MAX_SOUND_SECONDS * rate:
                raise MediaError(f"a sound lasts at most {MAX_SOUND_SECONDS} s")
            raw = np.frombuffer(sound.readframes(count), np.uint8)
    except MediaError:
        raise
    except (wave.Error, EOFError, ValueError) as error:
        raise MediaError(f"a sound must be a PCM WAV file: {error}") from error
    raw = raw[: len(raw) // (width * channels) * width * channels].reshape(-1, width)
    if width == 1:
        values = raw[:, 0].astype(np.float64) - 128.0
    else:  # little-endian integers of any width, as the highest bytes of 32 bits
        wide = np.zeros((len(raw), 4), np.uint8)
        wide[:, 4 - width :] = raw
        values = wide.view("<i4")[:, 0] / float(1 << 8 * (4 - width))
    samples = values.reshape(-1, channels).mean(1) / float(1 << 8 * width - 1)
    return Audio(samples.astype(np.float32), rate)


def smaller(width: int, height: int, most: int) -> tuple[int, int]:
    """The size of a picture of at most `most` pixels, of the same shape as far as that goes."""
    share = min(math.sqrt(most / (width * height)), 1.0)
    narrow = max(int(width * share), 1)
    low = max(min(int(height * share), most // narrow), 1)
    return min(narrow, most // low), low


def bytes_digest(data: bytes) -> str:
    """Content hash of bytes."""
    return hashlib.sha256(data).hexdigest()[:32]


def file_digest(path: Path) -> str:
    """Content hash of a file, which is not read whole."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


def _rgb(picture: Picture) -> Picture:
    from PIL import Image as Pillow

    if picture.mode == "RGB" and "transparency" not in picture.info:
        return picture
    if picture.mode.startswith("I;16"):  # sixteen bits of grey, as in medical pictures
        return Pillow.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        over = picture.convert("RGBA")
        return Pillow.alpha_composite(Pillow.new("RGBA", over.size, "white"), over).convert("RGB")
    return picture.convert("RGB")


def _seconds(duration: int | None, base: Fraction, whole: int | None) -> float:
    length = float(duration * base) if duration else (whole or 0) / 1e6  # the container counts microseconds
    if not length > 0:
        raise MediaError("the video tells no duration")
    return length
