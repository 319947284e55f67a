"""Data sets of a Hugging Face hub: their parquet files, fetched once and kept in the hub's own cache.

`hf://owner/name` is every parquet file of a data set, `hf://owner/name/data/testmini-*` those that match, and
`hf://owner/name@main/data/testmini-*` those of a branch, a tag or a commit.
"""

from __future__ import annotations

import re
from pathlib import Path

from saccade.envs.errors import ConfigError

_NAME = re.compile(r"hf://([\w.-]+/[\w.-]+)(?:@([\w./-]+?))?(?:/([^@]+))?", re.A)


def download(name: str) -> list[Path]:
    """The local copies of a data set's parquet files; those that are there already need no hub.

    Raises:
        ConfigError: the name cannot be read, no hub can be reached, or no parquet file matches.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise ConfigError(f"a data set of a hub is written hf://owner/name or hf://owner/name/files-*, got {name!r}")
    repository, revision, pattern = match.groups()
    try:
        from huggingface_hub import snapshot_download

        wanted = [pattern, f"{pattern}*.parquet"] if pattern else ["*.parquet"]
        folder = snapshot_download(repository, repo_type="dataset", revision=revision, allow_patterns=wanted)
    except Exception as error:  # offline, unknown, gated, no space: its own errors say which
        raise ConfigError(
            f"{name} cannot be fetched ({type(error).__name__}: {str(error).splitlines()[0][:200]}); "
            "where no hub can be reached, give the path of a parquet or JSON-lines file instead"
        ) from error
    root = Path(folder)
    files = sorted(root.glob(pattern) if pattern else root.rglob("*.parquet"))
    files = [file for file in files if file.suffix == ".parquet"]
    if not files:
        raise ConfigError(f"{name} has no parquet file that matches; see the files of the data set on its hub")
    return files
