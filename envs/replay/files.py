"""Files that a kill or a full disk leaves whole: either the old content or the new one, never half of it."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Iterable
from pathlib import Path

from saccade.envs.errors import StoreError

_FIXES = {
    errno.ENOSPC: "free some space there, or choose a folder on another disk",
    errno.EDQUOT: "your quota is used up: free some space, or choose a folder on another disk",
    errno.EFBIG: "the file may not grow further (ulimit -f): raise the limit",
    errno.EACCES: "make it writable, or choose another folder",
    errno.EPERM: "make it writable, or choose another folder",
    errno.EROFS: "the disk is mounted read-only: choose another folder",
    errno.ENOENT: "it is not there: check the path",
    errno.ENOTDIR: "a part of this path is a file: choose another folder",
    errno.EEXIST: "a file is in the way: choose another folder",
    errno.EMFILE: "too many files are open (ulimit -n): close some, or raise the limit",
}


def failure(verb: str, path: Path, error: OSError) -> StoreError:
    """The `StoreError` for an operating-system error: what could not be done, why, and what helps."""
    why = os.strerror(error.errno) if error.errno else str(error)
    fix = _FIXES.get(error.errno or 0, "check the path and the disk")
    return StoreError(f"cannot {verb} {path}: {why}; {fix}. What was recorded before is intact.")


def write_atomically(path: Path, chunks: Iterable[bytes]) -> None:
    """Write to a temporary name beside `path`, then rename; raise `StoreError` and leave nothing behind on failure."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.writelines(chunks)
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise failure("write", path, error) from error
