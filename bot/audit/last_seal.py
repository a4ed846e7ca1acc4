"""A file outside the database that keeps where the audit log ended when this machine last wrote it.

An older copy of the database bears genuine signatures; only what is kept elsewhere shows that it
is older.
"""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

import structlog

from bot.files import read_regular_file

log = structlog.get_logger("stopstream.trail")

_LENGTH = 128
"""Bytes of the file: padded, so that one write of a page replaces all of it."""

_HASH = 64


@dataclass(frozen=True, slots=True)
class LastSeal:
    """The last record that was sealed from here, and its hash."""

    seq: int
    hash: str


class LastSealFile:
    """Keeps the last seal in a file. Without the file nothing is known.

    It is written after each commit and not synced: it survives the process, and after a loss of
    power it is older than the log, never newer.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._complained = False

    def read(self) -> LastSeal | None:
        """Return the last seal; None if none is known."""
        try:
            seq, hash_ = read_regular_file(self.path, _LENGTH).decode("ascii").split()
            seal = LastSeal(int(seq), hash_)
        except (OSError, ValueError):
            return None
        return seal if len(seal.hash) == _HASH and seal.seq > 0 else None

    def write(self, seq: int, hash_: str) -> None:
        """Replace the last seal; a file that cannot be written is logged once."""
        line = f"{seq} {hash_}".ljust(_LENGTH - 1).encode() + b"\n"
        flags = os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            file = os.open(self.path, flags, 0o600)
            try:
                os.pwrite(file, line, 0)
            finally:
                os.close(file)
        except OSError as error:
            if not self._complained:
                log.warning(
                    "an older copy of the database would not be noticed at a start",
                    file=str(self.path),
                    why=error.strerror or str(error),
                )
            self._complained = True

    def forget(self) -> None:
        """Remove the file."""
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
