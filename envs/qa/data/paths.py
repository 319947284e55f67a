"""Names in data files are not trusted: what they lead to stays below the data's folder."""

from __future__ import annotations

from pathlib import Path

from saccade.envs.errors import MediaError

MAX_FILE = 512 << 20
"""Bytes of one picture, video or sound."""


def below(root: Path, name: str) -> Path:
    """The ordinary file `name` in the folder `root` or below it, links followed.

    Raises:
        MediaError: it is an absolute path, leads out of the folder, is no file, or is larger than `MAX_FILE`.
    """
    if "\0" in name or "://" in name or Path(name).is_absolute():
        raise MediaError(f"a file in the data must be a path below {root.name!r}, got {name[:100]!r}")
    try:
        path = (root / name).resolve(strict=True)
        if not path.is_relative_to(root.resolve()):
            raise MediaError(f"a file in the data must stay below {root.name!r}, {name[:100]!r} leads out of it")
        if not path.is_file():
            raise MediaError(f"{name[:100]!r} is no file")
        if path.stat().st_size > MAX_FILE:
            raise MediaError(f"{name[:100]!r} has more than {MAX_FILE >> 20} MiB")
    except (OSError, RuntimeError) as error:  # not there, not readable, or a circle of links
        raise MediaError(f"{name[:100]!r} cannot be read below {root.name!r}: {error}") from error
    return path
