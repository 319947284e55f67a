"""What an environment shows: an ordered tuple of text, pictures, videos and sounds.

    Observation.of("Touch the red cube.", Image(pixels))

`Observation.as_dict` derives the Gymnasium observation; the order of the parts survives only here, and is what
an agent reads. World text may contain anything, chat-control strings included: it is data, never markup.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.envs.errors import MediaError

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Text:
    """A run of world text; it can hold anything and is never parsed as markup."""

    text: str


@dataclass(frozen=True, eq=False)
class Image:
    """One picture.

    Attributes:
        pixels: uint8, H x W x 3, RGB. Treated as immutable.
        sampler_pixels: what only the sampler sees (NoisyRollout, arXiv 2504.13055); same shape, `None` for the same.
        encoded: the PNG bytes that `pixels` was decoded from, kept so that a replay stores them without re-encoding.
    """

    pixels: Pixels
    sampler_pixels: Pixels | None = None
    encoded: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check_pixels(self.pixels, ndim=3)
        if self.sampler_pixels is not None and self.sampler_pixels.shape != self.pixels.shape:
            raise MediaError(
                f"sampler_pixels must have the shape of pixels {self.pixels.shape}, got {self.sampler_pixels.shape}"
            )

    @classmethod
    def decode(cls, data: bytes, source: str = "the given bytes") -> Image:
        """Decode an encoded picture (PNG, JPEG, ...); PNG bytes are kept for the replay store."""
        from PIL import Image as Pillow

        try:
            with Pillow.open(io.BytesIO(data)) as picture:
                is_rgb_png = picture.format == "PNG" and picture.mode == "RGB"
                pixels = np.asarray(picture.convert("RGB"))
        except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
            raise MediaError(
                f"an image must be a readable PNG, JPEG, WebP, GIF or BMP file; {source} is not ({error}): "
                "check the file, or convert it again"
            ) from error
        return cls(pixels, encoded=data if is_rgb_png else None)

    @cached_property
    def digest(self) -> str:
        """Content hash of the pixels, independent of their encoding: the name of the picture in every store."""
        return digest_of(self.pixels)

    @property
    def sampled(self) -> Image:
        """The picture as the sampler sees it."""
        return self if self.sampler_pixels is None else Image(self.sampler_pixels)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def png(self) -> bytes:
        """The picture as PNG bytes, lossless."""
        if self.encoded is not None:
            return self.encoded
        from PIL import Image as Pillow

        buffer = io.BytesIO()
        Pillow.fromarray(self.pixels).save(buffer, format="PNG", compress_level=1)
        return buffer.getvalue()


@dataclass(frozen=True, eq=False)
class Video:
    """Frames in order: uint8, T x H x W x 3, at `fps` frames a second."""

    frames: Pixels
    fps: float

    def __post_init__(self) -> None:
        _check_pixels(self.frames, ndim=4)
        if not self.fps > 0:
            raise MediaError(f"fps must be > 0, got {self.fps}")

    @cached_property
    def digest(self) -> str:
        """Content hash of the frames."""
        return digest_of(self.frames)

    def png(self) -> bytes:
        """The video as an animated PNG, lossless, played in a loop."""
        from PIL import Image as Pillow

        first, *others = [Pillow.fromarray(frame) for frame in self.frames]
        if not others:
            return Image(self.frames[0]).png()
        buffer, milliseconds = io.BytesIO(), 1000 / self.fps
        if self.fps < 1:  # the file holds a fraction of two numbers of two bytes: thousandths, or whole seconds
            seconds = min(1 / self.fps, 65_535)
            milliseconds = round(1000 * seconds) if seconds < 60 else 1000 * round(seconds)
        first.save(buffer, "PNG", save_all=True, append_images=others, duration=milliseconds, loop=0)
        return buffer.getvalue()


@dataclass(frozen=True, eq=False)
class Audio:
    """One channel of sound: float32 samples in [-1, 1], `rate` samples a second."""

    samples: NDArray[np.float32]
    rate: int

    def __post_init__(self) -> None:
        if self.samples.ndim != 1 or self.samples.dtype != np.float32:
            raise MediaError(
                f"audio samples must be a one-dimensional float32 array, got {self.samples.dtype} {self.samples.shape}"
            )
        if self.rate <= 0:
            raise MediaError(f"rate must be > 0, got {self.rate}")

    @cached_property
    def digest(self) -> str:
        """Content hash of the samples."""
        return digest_of(self.samples)


Part = Text | Image | Video | Audio


@dataclass(frozen=True)
class Observation:
    """What the world shows after one step, in reading order."""

    parts: tuple[Part, ...]

    @classmethod
    def of(cls, *parts: str | Part) -> Observation:
        """Build an observation; bare strings become `Text`."""
        return cls(tuple(Text(part) if isinstance(part, str) else part for part in parts))

    def __add__(self, other: Observation) -> Observation:
        return Observation(self.parts + other.parts)

    @property
    def text(self) -> str:
        """All text parts, one a line."""
        return "\n".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def images(self) -> tuple[Image, ...]:
        """All pictures, in order."""
        return tuple(part for part in self.parts if isinstance(part, Image))

    def as_dict(self) -> dict[str, Any]:
        """The Gymnasium observation: every key always present, fresh containers each time."""
        return {
            "text": self.text,
            "images": tuple(part.pixels.copy() for part in self.parts if isinstance(part, Image)),
            "videos": tuple(part.frames.copy() for part in self.parts if isinstance(part, Video)),
            "audios": tuple(part.samples.copy() for part in self.parts if isinstance(part, Audio)),
        }


def digest_of(array: NDArray[Any]) -> str:
    """SHA-256 (first 32 hex digits) over dtype, shape and bytes of an array."""
    header = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.sha256(header + np.ascontiguousarray(array).tobytes()).hexdigest()[:32]


def _check_pixels(pixels: Pixels, ndim: int) -> None:
    shape = "H x W x 3" if ndim == 3 else "T x H x W x 3"
    if pixels.dtype != np.uint8 or pixels.ndim != ndim or pixels.shape[-1] != 3 or 0 in pixels.shape:
        raise MediaError(f"pixels must be a non-empty uint8 array of shape {shape}, got {pixels.dtype} {pixels.shape}")
