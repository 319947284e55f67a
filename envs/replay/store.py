"""`ReplayStore`: a folder that keeps the episodes of one run.

    meta.json         what wrote it: run, schema version, library versions, Python, platform, renderer fingerprint
    episodes.jsonl    one line an episode: `Episode.to_json` plus run_id, update, phase and turns; append-only
    media/            pictures, videos and sounds by content hash, each once

    store = ReplayStore.create("runs/a/replay", run_id="a")
    store.add(episode, turns=[{"tokens": ["2"], "logprobs": [-0.1]}], update=3, phase="train")
    for record in store.records(phase="train", last=8): ...

Threads and processes may add at the same time. Nothing is pickled, and everything is checked when it is read: a store
from a stranger can be opened.
"""

from __future__ import annotations

import datetime
import json
import logging
import os
import platform
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from saccade.envs.episode import SCHEMA_VERSION, Episode
from saccade.envs.errors import StoreError
from saccade.envs.observation import Audio, Image, Video
from saccade.envs.replay.files import failure, write_atomically
from saccade.envs.replay.journal import Journal
from saccade.envs.replay.media import MediaFolder
from saccade.envs.replay.record import Record, Turn, check_turns

_LOG = logging.getLogger(__name__)
_LIBRARIES = ("saccade", "gymnasium", "numpy", "pillow", "playwright", "mujoco", "torch", "transformers", "vllm")


class ReplayStore:
    """The episodes of one run. Made by `create` or `open`; a context manager.

    Attributes:
        path: the folder.
        meta: the content of `meta.json`.
        damaged: numbers of complete lines that were met and could not be read; each is logged once.
    """

    def __init__(self, path: Path, meta: Mapping[str, Any]) -> None:
        self.path = path
        self.meta = meta
        self.media = MediaFolder(path / "media")
        self.damaged: set[int] = set()
        self._journal = Journal(path / "episodes.jsonl", lock=path / "meta.json")
        if torn := self._journal.torn_bytes:
            _LOG.warning("%s: ignoring %d bytes of a line that was cut off", self._journal.path, torn)

    @classmethod
    def create(
        cls, path: str | os.PathLike[str], *, run_id: str, fingerprint: Mapping[str, Any] | None = None
    ) -> ReplayStore:
        """Make a store, or go on with the one that this run made there before.

        Args:
            path: the folder; it must be missing or empty, or hold a store of the same run.
            run_id: the run that the episodes belong to.
            fingerprint: what the pictures depend on (browser, renderer, fonts), JSON values; `verify` reports changes.

        Raises:
            StoreError: another run's store, or anything else, is there; or the folder cannot be written.
        """
        folder = Path(path)
        if (folder / "meta.json").exists():
            return cls.open(folder, run_id=run_id)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            others = [each.name for each in folder.iterdir() if not each.name.endswith(".tmp")]
        except OSError as error:
            raise failure("make", folder, error) from error
        if others:
            raise StoreError(
                f"a new store needs an empty folder, but {folder} holds {', '.join(sorted(others)[:3])}; "
                "choose another folder, or remove what is there"
            )
        meta = {
            "schema_version": SCHEMA_VERSION,
            "run_id": run_id,
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "python": platform.python_version(),
            "platform": platform.platform(),
            "libraries": libraries(),
            "fingerprint": dict(fingerprint or {}),
        }
        write_atomically(folder / "meta.json", [json.dumps(meta, indent=2).encode("ascii"), b"\n"])
        return cls(folder, meta)

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, run_id: str | None = None) -> ReplayStore:
        """Open a store to read it or to go on with it; nothing is written before the first `add`.

        Raises:
            StoreError: there is no store, it belongs to another run than `run_id`, or a newer Saccade wrote it.
        """
        folder = Path(path)
        try:
            meta = json.loads((folder / "meta.json").read_bytes())
            version, owner = int(meta["schema_version"]), str(meta["run_id"])
        except (FileNotFoundError, NotADirectoryError) as error:
            raise StoreError(
                f"a replay store is a folder with a meta.json, and {folder} is none; check the path"
            ) from error
        except OSError as error:
            raise failure("read", folder / "meta.json", error) from error
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise StoreError(
                f"{folder / 'meta.json'} must name schema_version and run_id, and does not: this is no replay store, "
                "or its meta.json is damaged"
            ) from error
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"this version of saccade reads stores up to schema version {SCHEMA_VERSION}, but {folder} "
                f"has {version}; install the version of saccade that wrote it, or a later one"
            )
        if run_id is not None and owner != run_id:
            raise StoreError(
                f"one store holds one run: {folder} belongs to run {owner!r}, not {run_id!r}; "
                "choose another folder, or resume that run"
            )
        return cls(folder, meta)

    @property
    def run_id(self) -> str:
        """The run that the episodes belong to."""
        return str(self.meta["run_id"])

    def add(
        self, episode: Episode, turns: Sequence[Turn | None] | None = None, *, update: int = 0, phase: str = "train"
    ) -> None:
        """Append an episode: its new media first, then its line, so that no line lacks a picture.

        Args:
            episode: the episode, whole.
            turns: what is known about the tokens of each step (see `Turn`), aligned with its steps; `None` for nothing.
            update: number of the training update that it belongs to.
            phase: what it was played for: `train`, `eval`, `play`, ...

        Raises:
            StoreError: it could not be written; the store is as before.
            ConfigError: `turns` do not fit the steps, or something is not a JSON value.
        """
        notes = [dict(turn or {}) for turn in turns] if turns is not None else [{} for _ in episode.steps]
        check_turns(list(notes), len(episode.steps))
        extra = {"run_id": self.run_id, "update": update, "phase": phase, "turns": notes}
        self._journal.append(Record(episode.to_json(self.media.keep) | extra).encode())

    def records(
        self,
        *,
        phase: str | None = None,
        update: int | None = None,
        env: str | None = None,
        success: bool | None = None,
        group: str | None = None,
        id: str | None = None,
        last: int | None = None,
    ) -> Iterator[Record]:
        """Lazily yield the records that fit every given filter, in the order of writing; `last` keeps the last n.

        Lines that cannot be read are skipped, logged and noted in `damaged`.
        """
        wanted: dict[str, Any] = {"phase": phase, "update": update, "success": success, "group": group, "id": id}
        wanted = {name: value for name, value in wanted.items() if value is not None}
        found = (
            record
            for record in self._read()
            if all(getattr(record, name) == value for name, value in wanted.items())
            and (env is None or record.task.id == env)
        )
        return found if last is None else iter(deque(found, maxlen=last))

    def image(self, digest: str) -> Image:
        """The picture with this content hash."""
        return self.media.image(digest)

    def video(self, digest: str, fps: float) -> Video:
        """The video with this content hash."""
        return self.media.video(digest, fps)

    def audio(self, digest: str, rate: int) -> Audio:
        """The sound with this content hash."""
        return self.media.audio(digest, rate)

    def episode(self, record: Record) -> Episode:
        """The episode of a record, media included."""
        return record.episode(self.media)

    def truncate_after(self, update: int) -> int:
        """Drop the episodes of later updates than `update`, all at once; return how many.

        A resumed run calls it with the update of its checkpoint, so that no episode is held twice.
        """
        return self.drop(lambda record: record.update > update)

    def drop(self, unwanted: Callable[[Record], bool]) -> int:
        """Drop some episodes, all at once; return how many. Pictures stay."""

        def keep(line: bytes) -> bool:
            try:
                return not unwanted(Record.decode(line))
            except StoreError:
                return True  # what cannot be read is not ours to drop

        self.damaged.clear()  # lines get other numbers
        return self._journal.rewrite(keep)

    def close(self) -> None:
        """Close the file; a later `add` opens it again."""
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> Iterator[Record]:
        for number, line in self._journal.lines():
            try:
                yield Record.decode(line, number)
            except StoreError as error:
                if number not in self.damaged:
                    self.damaged.add(number)
                    _LOG.warning("%s: skipping a damaged line: %s", self._journal.path, error)


def libraries() -> dict[str, str]:
    """Versions of the libraries that pictures and tokens depend on, as far as they are installed."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
