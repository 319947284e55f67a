r"""An append-only file of lines that survives kills, full disks and several writers.

A line is there once its newline is: readers ignore an unterminated tail, which a killed writer left or a running one
is still writing, and the next `append` cuts it off. Threads and processes may append at once; each append holds a
file lock, and a failed one takes back what it had written.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from saccade.envs.errors import StoreError
from saccade.envs.replay.files import failure, write_atomically

_LOG = logging.getLogger(__name__)
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
_CHUNK = 65_536


class Journal:
    """Lines in a file.

    Args:
        path: the file; it comes to be with the first line.
        lock: a file that exists and is never replaced; writers lock it.
    """

    def __init__(self, path: Path, lock: Path) -> None:
        self.path = path
        self.dropped_bytes = 0
        self._lock_path = lock
        self._threads = threading.Lock()
        self._file: int | None = None
        self._lock_file: int | None = None

    @property
    def torn_bytes(self) -> int:
        """Length of the unterminated tail: 0 unless a writer was killed in the middle of a line, or is writing now."""
        try:
            with open(self.path, "rb") as file:
                return _torn(file.fileno())
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise failure("read", self.path, error) from error

    def append(self, line: bytes) -> None:
        """Add one line (without its newline), whole or not at all; raise `StoreError` if it cannot be written."""
        with self._writing() as file:
            end = self._mend(file)
            try:
                rest = memoryview(line + b"\n")
                while rest:
                    rest = rest[os.write(file, rest) :]
            except BaseException:
                with contextlib.suppress(OSError):  # if this fails too, the next append mends the tail
                    os.ftruncate(file, end)
                raise

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Lazily yield (line number from 1, line with its newline); an unterminated tail is left out."""
        try:
            with open(self.path, "rb") as file:
                for number, line in enumerate(file, 1):
                    if line.endswith(b"\n"):
                        yield number, line
        except FileNotFoundError:
            return
        except OSError as error:
            raise failure("read", self.path, error) from error

    def rewrite(self, keep: Callable[[bytes], bool]) -> int:
        """Drop the lines that `keep` refuses, all at once; return how many were dropped."""
        dropped = 0

        def kept() -> Iterator[bytes]:
            nonlocal dropped
            for _, line in self.lines():
                if keep(line):
                    yield line
                else:
                    dropped += 1

        with self._writing():
            write_atomically(self.path, kept())
        return dropped

    def close(self) -> None:
        """Close the file; a later `append` opens it again."""
        with self._threads:
            for file in (self._file, self._lock_file):
                if file is not None:
                    os.close(file)
            self._file = self._lock_file = None

    @contextlib.contextmanager
    def _writing(self) -> Iterator[int]:
        """Hold the thread lock and the file lock; yield the descriptor of the file that is at `path` now."""
        try:
            with self._threads:
                if self._lock_file is None:
                    self._lock_file = os.open(self._lock_path, os.O_RDWR | os.O_CLOEXEC)
                with _locked(self._lock_file):
                    yield self._current()
        except StoreError:
            raise
        except OSError as error:
            raise failure("write", self.path, error) from error

    def _current(self) -> int:
        """The open file, opened again if another writer has replaced it by `rewrite`."""
        if self._file is not None:
            try:
                replaced = os.fstat(self._file).st_ino != os.stat(self.path).st_ino
            except FileNotFoundError:
                replaced = True
            if replaced:
                os.close(self._file)
                self._file = None
        if self._file is None:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        return self._file

    def _mend(self, file: int) -> int:
        """Cut off an unterminated tail, which under the lock nobody can be writing; return the length of the file."""
        torn = _torn(file)
        end = os.fstat(file).st_size - torn
        if torn:
            os.ftruncate(file, end)
            self.dropped_bytes += torn
            _LOG.warning("%s: dropped %d bytes of a line that a crash had cut off", self.path, torn)
        return end


@contextlib.contextmanager
def _locked(file: int) -> Iterator[None]:
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_LOCKS:  # some network disks have no locks: there, one writer is all that is safe
            raise
        yield
        return
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def _torn(file: int) -> int:
    """Bytes after the last newline."""
    size = start = os.fstat(file).st_size
    while start > 0:
        stop, start = start, max(0, start - (_CHUNK if start < size else 1))
        newline = os.pread(file, stop - start, start).rfind(b"\n")
        if newline >= 0:
            return size - (start + newline + 1)
    return size
