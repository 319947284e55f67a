"""Rows of a file, each read when it is asked for: JSON lines, parquet, and folders of pictures."""

from __future__ import annotations

import json
import mmap
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from saccade.envs.errors import ConfigError

Row = Mapping[str, Any]
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
MAX_LINE = 256 << 20
MAX_JSON = 512 << 20
MAX_GROUP = 1 << 30
CACHE = 128 << 20
"""Bytes of row groups that are kept."""
_CHUNK = 16 << 20


class Source(Protocol):
    """Rows by number; the same from any thread.

    Attributes:
        root: the folder that files named in the rows are looked for in.
        columns: the names that rows have, as far as known.
    """

    root: Path
    columns: tuple[str, ...]

    def __len__(self) -> int:
        """How many rows there are."""

    def row(self, index: int) -> Row:
        """One row; raises `ValueError` where it cannot be read."""


class JsonLines:
    """A JSON object a line, memory-mapped; only the places of the lines are kept."""

    def __init__(self, file: Path) -> None:
        self.root = file.parent
        self._starts, self._ends = _lines(file)
        if not len(self._starts):
            raise ConfigError(f"{file} holds no row")
        with file.open("rb") as handle:
            self._data = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            self.columns = tuple(self.row(0))
        except ValueError as error:
            raise ConfigError(f"{file} must hold one JSON object a line, its first line does not: {error}") from error

    def __len__(self) -> int:
        return len(self._starts)

    def row(self, index: int) -> Row:
        """Parse one line."""
        start, end = int(self._starts[index]), int(self._ends[index])
        if end - start > MAX_LINE:
            raise ValueError(f"the line has more than {MAX_LINE >> 20} MiB")
        return _object(self._data[start:end])


class JsonList:
    """A JSON file that holds one list of objects; it is read whole."""

    def __init__(self, file: Path) -> None:
        self.root = file.parent
        if file.stat().st_size > MAX_JSON:
            raise ConfigError(
                f"{file} has more than {MAX_JSON >> 20} MiB; write it as JSON lines, which are read lazily"
            )
        try:
            rows = json.loads(file.read_bytes())
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{file} is no JSON: {error}") from error
        if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
            raise ConfigError(f"{file} must hold a list of objects; for one object a line name it .jsonl")
        self._rows: list[dict[str, Any]] = rows
        self.columns = tuple(rows[0])

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, index: int) -> Row:
        """One object of the list."""
        return self._rows[index]


class Parquet:
    """One or several parquet files, memory-mapped and read by row group; of each group only the columns that are used.

    Args:
        files: in the order of their rows.
        uses: the columns that may be needed; all where `None`.
    """

    def __init__(self, files: Sequence[Path], uses: Sequence[str] | None = None) -> None:
        try:
            import pyarrow.parquet as pq
        except ImportError as error:
            raise ConfigError("parquet needs pyarrow; install it with `pip install saccade[qa]`") from error
        self.root = files[0].parent
        self._files = []
        starts = [0]
        self._groups: list[tuple[int, int]] = []
        for number, file in enumerate(files):
            try:
                opened = pq.ParquetFile(file, memory_map=True)
            except (OSError, ValueError) as error:
                raise ConfigError(f"{file} is no readable parquet file: {error}") from error
            self._files.append(opened)
            for group in range(opened.metadata.num_row_groups):
                meta = opened.metadata.row_group(group)
                if meta.total_byte_size > MAX_GROUP:
                    raise ConfigError(
                        f"a row group of {file} has {meta.total_byte_size >> 20} MiB, and is read as one: at most "
                        f"{MAX_GROUP >> 20} MiB; write the file again with row_group_size=100"
                    )
                if meta.num_rows:
                    self._groups.append((number, group))
                    starts.append(starts[-1] + meta.num_rows)
        if not self._groups:
            raise ConfigError(f"{files[0]} holds no row")
        self._starts = np.array(starts, np.int64)
        names = tuple(self._files[0].schema_arrow.names)
        self._uses = [name for name in names if uses is None or name in uses]
        self.columns = names
        self._cache: OrderedDict[int, Any] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return int(self._starts[-1])

    def row(self, index: int) -> Row:
        """One row of its group, which is kept for the next one."""
        place = int(np.searchsorted(self._starts, index, side="right")) - 1
        table = self._group(place)
        offset = index - int(self._starts[place])
        return {name: table[name][offset].as_py() for name in self._uses}

    def _group(self, place: int) -> Any:
        with self._lock:
            if place in self._cache:
                self._cache.move_to_end(place)
                return self._cache[place]
            file, group = self._groups[place]
            try:
                table = self._files[file].read_row_group(group, columns=self._uses, use_threads=False)
            except OSError as error:
                raise ValueError(f"row group {group} cannot be read: {error}") from error
            self._cache[place] = table
            while len(self._cache) > 1 and sum(each.nbytes for each in self._cache.values()) > CACHE:
                self._cache.popitem(last=False)
            return table


class Folder:
    """Pictures in one folder a class: the rows are `image` and `label`, in the order of their names."""

    columns: tuple[str, ...] = ("image", "label")

    def __init__(self, root: Path) -> None:
        self.root = root
        self.classes = tuple(sorted(each.name for each in root.iterdir() if each.is_dir() and not each.is_symlink()))
        self._files = [
            (f"{label}/{file.name}", label)
            for label in self.classes
            for file in sorted((root / label).iterdir())
            if file.suffix.lower() in PICTURES
        ]
        if not self._files:
            raise ConfigError(
                f"{root} must hold one folder of pictures for each class, or a metadata.jsonl, or parquet files"
            )

    def __len__(self) -> int:
        return len(self._files)

    def row(self, index: int) -> Row:
        """A picture's path and its class."""
        image, label = self._files[index]
        return {"image": image, "label": label}


def open_source(data: str, uses: Sequence[str] | None = None) -> Source:
    """Open a data file, a pattern of parquet files, a folder, or a data set of a hub (`hf://owner/name`, see `hub`).

    Raises:
        ConfigError: there is no such thing, or it cannot be read.
    """
    if data.startswith("hf://"):
        from saccade.envs.qa.data.hub import download

        return Parquet(download(data), uses)
    path = Path(data)
    if "*" in path.name:
        files = sorted(path.parent.glob(path.name))
        if not files:
            raise ConfigError(f"no file matches {data}")
        return Parquet(files, uses)
    if not path.exists():
        raise ConfigError(f"there is no {data}; for a data set of a hub write hf://owner/name")
    if path.is_dir():
        if (path / "metadata.jsonl").exists():
            return JsonLines(path / "metadata.jsonl")
        files = sorted(path.glob("*.parquet"))
        return Parquet(files, uses) if files else Folder(path)
    match path.suffix:
        case ".parquet":
            return Parquet([path], uses)
        case ".json":
            return JsonList(path)
        case ".jsonl" | ".ndjson":
            return JsonLines(path)
    raise ConfigError(f"data must be .jsonl, .json, .parquet or a folder, got {data}")


def _lines(file: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the lines that are not blank begin and end, found a chunk at a time."""
    breaks, size = [], 0
    with file.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            breaks.append(np.flatnonzero(np.frombuffer(chunk, np.uint8) == 10).astype(np.int64) + size)
            size += len(chunk)
    ends = np.concatenate([*breaks, np.array([size], np.int64)])
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1] + 1])
    full = ends - starts > 1  # an object has two characters; a blank line has none, or a carriage return
    return starts[full], ends[full]


def _object(line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except RecursionError as error:
        raise ValueError("the line is nested too deeply") from error
    if not isinstance(row, dict):
        raise ValueError("the line is no JSON object")
    return row
