"""A data set: rows of a source read by a schema, their media loaded, and the split that each belongs to."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from saccade.envs.core import TEST_SHARE
from saccade.envs.errors import ConfigError, SaccadeError, WorldFailure, near
from saccade.envs.observation import Image, Observation
from saccade.envs.qa.data.fields import Fields
from saccade.envs.qa.data.item import BOXED, Item
from saccade.envs.qa.data.media import bytes_digest, file_digest, load_picture, load_sound, load_video
from saccade.envs.qa.data.paths import below
from saccade.envs.qa.data.presets import PRESETS, Preset
from saccade.envs.qa.data.prompt import prompt
from saccade.envs.qa.data.sources import open_source
from saccade.envs.qa.verifiers.expression import INSTALL, needs_math_verify
from saccade.envs.qa.verify import check_verifier, judge, solution

Schema = str | Mapping[str, Any] | None
_UNKNOWN, _TRAIN, _TEST, _BOTH = range(4)


@dataclass(frozen=True)
class Loaded:
    """A question ready to be asked.

    Attributes:
        row: its number in the data.
        observation: text and media in reading order.
        item: what the row said, boxes in pixels of the delivered picture.
        digests: content hashes of all its media, or of its text where it has none.
    """

    row: int
    observation: Observation
    item: Item
    digests: tuple[str, ...]

    @property
    def is_test(self) -> bool | None:
        """Whether its contents belong to the test split; `None` where they belong to both, and it to neither."""
        sides = {zlib.crc32(digest.encode()) % TEST_SHARE == 0 for digest in self.digests}
        return sides.pop() if len(sides) == 1 else None


class Dataset:
    """Questions by row, loaded when asked for.

    Args:
        data: what `open_source` takes.
        schema: a name in `PRESETS`, the keys of `Fields`, or nothing for columns named `question`, `answer`, `image`.
        max_pixels: larger pictures and frames are made smaller, their boxes with them.
        frames: frames of a video.

    Raises:
        ConfigError: the data cannot be opened, or has not the columns of the schema.
    """

    def __init__(self, data: str, schema: Schema = None, *, max_pixels: int = 1_003_520, frames: int = 8) -> None:
        self.name = data
        self.max_pixels, self.frames = max_pixels, frames
        self.schema: Preset | Fields = _schema(schema)
        self.source = open_source(data, self.schema.uses)
        for name in self.schema.needed:
            if name not in self.source.columns:
                raise ConfigError(f"{data} has no column {name!r}; {near(name, self.source.columns, 'columns')}")
        # One order for all: seed n begins with the n-th row of it, so that as many seeds as rows ask each row once.
        self.order = np.random.default_rng(len(self.source)).permutation(len(self.source))
        self._sides = bytearray(len(self.source))

    def __len__(self) -> int:
        return len(self.source)

    def load(self, row: int) -> Loaded:
        """Read a row and its media.

        Raises:
            WorldFailure: the row, a file it names, or its right answer cannot be used.
            ConfigError: a package that it needs is not installed.
        """
        try:
            loaded = self._load(row)
        except ConfigError:
            raise
        except (SaccadeError, ValueError, TypeError, LookupError, OSError) as error:
            raise WorldFailure(f"row {row} of {self.name} cannot be asked: {type(error).__name__}: {error}") from error
        side = loaded.is_test
        self._sides[row] = _BOTH if side is None else _TEST if side else _TRAIN
        return loaded

    def draw(self, seed: int, split: str | None, rng: np.random.Generator) -> Loaded:
        """The question of a seed: a row of the split, or any where it is `None`.

        Raises:
            ConfigError: the split has no row.
        """
        wanted = {None: (_TRAIN, _TEST, _BOTH), "train": (_TRAIN,), "test": (_TEST,)}[split]
        row = int(self.order[seed % len(self)])
        for _ in range(40 * TEST_SHARE + 4 * len(self)):
            if self._sides[row] in (*wanted, _UNKNOWN):
                loaded = self.load(row)
                if self._sides[row] in wanted:
                    return loaded
            row = int(rng.integers(len(self)))
        raise ConfigError(
            f"no row of {self.name} belongs to the {split} split, which one picture in {TEST_SHARE} does; "
            'give each split its own file: data={"train": ..., "test": ...}'
        )

    def problems(self) -> Iterator[str]:
        """Load every row and tell what is wrong with those that cannot be asked."""
        for row in range(len(self)):
            try:
                self.load(row)
            except WorldFailure as failure:
                yield str(failure)

    def _load(self, row: int) -> Loaded:
        item = self.schema.read(self.source.row(row))
        check_verifier(item.verifier, item.settings)
        if item.verifier == "expression" and any(needs_math_verify(gold) for gold in item.golds):
            raise ConfigError(INSTALL)
        images: list[Image | None] = []
        scales: list[tuple[float, float]] = []
        for each in item.images:
            if each is None:
                images.append(None)
                continue
            image, x, y = load_picture(self._bytes(each), self.max_pixels)
            # Shares are of the delivered picture; pixels are of the file's.
            scales.append((float(image.size[0]), float(image.size[1])) if item.shares else (x, y))
            images.append(image)
        digests = [image.digest for image in images if image]
        video = audio = None
        if item.video is not None:
            path = below(self.source.root, _path_of(item.video))
            video = load_video(path, self.frames, self.max_pixels)
            digests.append(file_digest(path))
        if item.audio is not None:
            data = self._bytes(item.audio)
            audio = load_sound(data)
            digests.append(bytes_digest(data))
        if item.verifier in BOXED:
            scale = scales[0] if scales else (1.0, 1.0)
            item = replace(item, golds=tuple(_scaled(gold, scale) for gold in item.golds), shares=False)
        own = solution(item.verifier, item.golds[0]) if item.golds else ""
        if judge(item.verifier, own, item.golds, item.settings).score < 1.0:
            raise ValueError(f"the verifier {item.verifier!r} does not accept the row's own answer {item.golds!r:.200}")
        observation = prompt(item, images, video, audio)
        return Loaded(
            row, observation, item, tuple(digests) or (bytes_digest(item.question.encode(errors="surrogatepass")),)
        )

    def _bytes(self, value: Any) -> bytes:
        """The bytes of a file that a row holds, or names."""
        data = value.get("bytes") if isinstance(value, Mapping) else value
        if isinstance(data, bytes):
            return data
        return below(self.source.root, _path_of(value)).read_bytes()


@lru_cache(maxsize=8)
def open_dataset(data: str, schema: str, max_pixels: int, frames: int) -> Dataset:
    """The same data set for every environment of this process; `schema` as JSON."""
    return Dataset(data, json.loads(schema), max_pixels=max_pixels, frames=frames)


def _schema(schema: Schema) -> Preset | Fields:
    if isinstance(schema, str):
        if schema not in PRESETS:
            raise ConfigError(f"unknown schema {schema!r}; {near(schema, PRESETS, 'presets')}; or give a dictionary")
        return PRESETS[schema]
    return Fields.of(schema or {})


def _path_of(value: Any) -> str:
    path = value.get("path") if isinstance(value, Mapping) else value
    if not isinstance(path, str) or not path:
        raise ValueError(f"a medium is bytes, a path, or a dictionary of them, got {type(value).__name__}")
    return path


def _scaled(gold: str, scale: tuple[float, float]) -> str:
    def scaled(box: Any) -> Any:
        if box and isinstance(box[0], list):
            return [scaled(each) for each in box]
        return [round(side * scale[place % 2], 2) for place, side in enumerate(box)]

    return json.dumps(scaled(json.loads(gold)))
