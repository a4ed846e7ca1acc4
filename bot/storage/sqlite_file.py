"""The file of a SQLite database, which holds stream keys: nobody else may read it."""

import contextlib
import os
import stat
from pathlib import Path

_PRIVATE = 0o600
_BESIDE = ("", "-wal", "-shm")
"""SQLite makes the files beside it with the permissions that it has itself."""


def keep_private(file: Path) -> None:
    """Make a file that is not there, and take from everybody what everybody may read.

    The umask decides nothing. What only a group may read was given to it on purpose, and stays so.
    Another descriptor of a file that is there would end SQLite's locks once it is closed.
    """
    # Where this is not possible, SQLite says so.
    with contextlib.suppress(OSError):
        path = file.resolve()
        if not path.exists():
            with contextlib.suppress(FileExistsError):
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _PRIVATE))
        for end in _BESIDE:
            _restrict(path.with_name(path.name + end))


def _restrict(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if stat.S_IMODE(path.stat().st_mode) & stat.S_IRWXO:
            path.chmod(_PRIVATE)
