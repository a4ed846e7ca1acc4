"""A file to which the trail is appended: JSON lines, each record once and in order.

Where the file ends is known from its last line alone, so nothing beside it can disagree with it.
"""

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.audit.copies import parse_line
from bot.files import open_regular_file

_CHUNK = 64 * 1024
"""Bytes that are read at once, from the end backwards."""

_LONGEST = 8 * 1024 * 1024
"""Bytes of two lines; no record is as long."""

LOCK_WITHIN, _AGAIN = 2.0, 0.02
"""Seconds for which another process may hold the file, and between two tries."""


class BrokenFileError(OSError):
    """The file does not end like one that this program has written."""


@dataclass(frozen=True, slots=True)
class FileEnd:
    """Where a file ends.

    Attributes:
        seq: Number of the last whole record; 0 for none.
        hash: Its hash, or empty.
        torn: What follows it: the beginning of a line that was not finished.
    """

    seq: int = 0
    hash: str = ""
    torn: bytes = b""


class TrailFile:
    """Appends lines to a file, which several processes may share."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def end(self) -> FileEnd:
        """Return where the file ends; one that is not there is made.

        Raises:
            OSError: It cannot be read, or is no file of ours.
        """
        with self._locked() as file:
            return _end(file)

    def peek(self) -> FileEnd:
        """Return where the file ends, as `end` does, and leave one that is not there absent.

        Raises:
            OSError: It cannot be read, or is no file of ours.
        """
        try:
            with open_regular_file(self.path) as file:
                return _end(file.fileno())
        except FileNotFoundError:
            return FileEnd()

    def append(self, after: FileEnd, lines: bytes) -> bool:
        """Append whole lines and wait for the disk.

        A line that was not finished is finished, for it must be the beginning of these lines.

        Args:
            after: Where the file ended.

        Returns:
            False if it ends elsewhere by now, so that nothing was written.

        Raises:
            OSError: They are not written, or not all of them; what was is found by `end`.
        """
        with self._locked() as file:
            if _end(file) != after:
                return False
            if not lines.startswith(after.torn):
                raise BrokenFileError(errno.EINVAL, "its last line is not the record that is due")
            rest = memoryview(lines)[len(after.torn) :]
            while rest:
                rest = rest[os.write(file, rest) :]
            os.fsync(file)
        return True

    @contextmanager
    def _locked(self) -> Iterator[int]:
        # Appending is all that an append-only file allows; a FIFO must not make this wait.
        flags = os.O_RDWR | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        try:
            file = os.open(self.path, flags)
        except FileNotFoundError:
            file = os.open(self.path, flags | os.O_CREAT, 0o600)
            _sync_folder(self.path.parent)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise BrokenFileError(errno.EINVAL, "is not a regular file", str(self.path))
            self._lock(file)
            yield file
        finally:
            os.close(file)

    def _lock(self, file: int) -> None:
        """Lock the file; who holds it may be stopped, and must not keep this process from ending.

        Raises:
            OSError: Another process has held it for too long.
        """
        until = time.monotonic() + LOCK_WITHIN
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    why = "is locked by another process"
                    raise OSError(errno.EWOULDBLOCK, why, str(self.path)) from None
                time.sleep(_AGAIN)
            else:
                return


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _end(file: int) -> FileEnd:
    at = os.fstat(file).st_size
    tail = b""
    # Up to the line feed before the last whole line, or to the beginning.
    while at > 0 and tail.count(b"\n") < 2:  # noqa: PLR2004 (its own, and the one before)
        if len(tail) > _LONGEST:
            raise BrokenFileError(errno.EINVAL, "its last line is no record of a trail")
        begin = max(0, at - _CHUNK)
        tail = os.pread(file, at - begin, begin) + tail
        at = begin
    whole, feed, torn = tail.rpartition(b"\n")
    if not feed:
        return FileEnd(torn=torn)
    line = parse_line(whole.rpartition(b"\n")[2] + b"\n")
    if line is None:
        raise BrokenFileError(errno.EINVAL, "its last line is no record of a trail")
    return FileEnd(line.seq, line.hash, torn)
