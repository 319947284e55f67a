"""Pictures, videos and sounds of a store: one file for each content, named by its hash, written once.

    media/<hash>.png    a picture, lossless
    media/<hash>.npz    the frames of a video: uint8, T x H x W x 3, compressed; read without pickle
    media/<hash>.wav    a sound: 32-bit float samples, one channel

The hash is that of the content (`Image.digest`), not of the file: reading checks it, so that a damaged or exchanged
file is an error and never a different picture.
"""

from __future__ import annotations

import base64
import io
import re
import struct
import zipfile
from pathlib import Path

import numpy as np

from saccade.envs.errors import MediaError, StoreError
from saccade.envs.observation import Audio, Image, Part, Text, Video
from saccade.envs.replay.files import failure, write_atomically

_DIGEST = re.compile(r"[0-9a-f]{32}")
_WAV = struct.Struct("<4sI4s4sIHHIIHH4sI")
_FLOAT = 3


class MediaFolder:
    """The media of one store, below `path`; safe to share between threads and processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._made = False

    def keep(self, part: Part) -> str:
        """Store a picture, video or sound unless it is there already; return its content hash."""
        match part:
            case Text():
                raise MediaError("text has no file of its own: it is stored in the record")
            case Image():
                path = self.path / f"{part.digest}.png"
            case Video():
                path = self.path / f"{part.digest}.npz"
            case Audio():
                path = self.path / f"{part.digest}.wav"
        if not _is_written(path):
            self._make()
            write_atomically(path, [_encode(part)])
        return part.digest

    def image(self, digest: str) -> Image:
        """The picture with this hash; `StoreError` if it is missing or damaged."""
        path, data = self._read(digest, ".png")
        try:
            image = Image.decode(data, source=str(path))
        except MediaError as error:
            raise StoreError(f"cannot read {path}: {error}") from error
        _check(image, digest, path)
        return image

    def video(self, digest: str, fps: float) -> Video:
        """The video with this hash, at `fps` frames a second."""
        path, data = self._read(digest, ".npz")
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                video = Video(file["frames"], fps)
        except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise StoreError(f"cannot read {path}: it does not hold the frames of a video ({error})") from error
        _check(video, digest, path)
        return video

    def audio(self, digest: str, rate: int) -> Audio:
        """The sound with this hash, at `rate` samples a second."""
        if not isinstance(rate, int) or not 0 < rate < 1 << 30:
            raise StoreError(f"a sound has 1 to {(1 << 30) - 1} samples a second, got {rate!r}: the record is damaged")
        path, data = self._read(digest, ".wav")
        if len(data) < _WAV.size or data[:4] != b"RIFF" or len(data) % 4:
            raise StoreError(f"cannot read {path}: it is not a sound of this store")
        audio = Audio(np.frombuffer(data, "<f4", offset=_WAV.size).astype(np.float32), rate)
        _check(audio, digest, path)
        return audio

    def _read(self, digest: str, suffix: str) -> tuple[Path, bytes]:
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise StoreError(f"a content hash has 32 hexadecimal digits, got {digest!r}: the record is damaged")
        path = self.path / f"{digest}{suffix}"
        try:
            return path, path.read_bytes()
        except OSError as error:
            raise failure("read", path, error) from error

    def _make(self) -> None:
        if not self._made:
            try:
                self.path.mkdir(exist_ok=True)
            except OSError as error:
                raise failure("make", self.path, error) from error
            self._made = True


def wav(audio: Audio) -> bytes:
    """A sound as a WAV file of 32-bit floats, lossless."""
    data = audio.samples.astype("<f4").tobytes()
    header = _WAV.pack(
        *(b"RIFF", _WAV.size - 8 + len(data), b"WAVE", b"fmt ", 16, _FLOAT, 1),
        *(audio.rate, audio.rate * 4, 4, 32, b"data", len(data)),
    )
    return header + data


def shown(part: Image | Video | Audio) -> tuple[str, bytes]:
    """Media type and content of a file that shows a picture, a video (an animated PNG) or a sound."""
    return ("audio/wav", wav(part)) if isinstance(part, Audio) else ("image/png", part.png())


def data_uri(part: Image | Video | Audio) -> str:
    """A picture, a video or a sound as the address of itself, for a page."""
    kind, data = shown(part)
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _encode(part: Image | Video | Audio) -> bytes:
    match part:
        case Image():
            return part.png()
        case Video():
            buffer = io.BytesIO()
            np.savez_compressed(buffer, frames=part.frames)
            return buffer.getvalue()
        case Audio():
            return wav(part)


def _is_written(path: Path) -> bool:
    try:
        return path.stat().st_size > 0  # a power cut can leave an empty file under the final name
    except OSError:
        return False


def _check(part: Image | Video | Audio, digest: str, path: Path) -> None:
    if part.digest != digest:
        raise StoreError(
            f"{path} must hold the content that its name is the hash of, but its content has the hash {part.digest}: "
            "the file was damaged or exchanged; restore it from a copy"
        )
