"""Compares the trail with a copy outside the database, for `stopstream audit verify`."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bot.audit.verifier import ChainError
from bot.cli.output import counted, say
from bot.errors import ConfigError
from bot.files import open_regular_file
from bot.storage.audit_snapshot import AuditSnapshot

_DUE = 60.0
"""Seconds within which a running bot writes a record to its sink, where that takes it."""


@contextmanager
def open_copy(path: str) -> Iterator[Iterable[bytes] | None]:
    """Yield the lines of a copy; None where none is named.

    What is in it by now was committed before: the database must be read after this.

    Raises:
        ConfigError: It cannot be read.
    """
    if not path:
        yield None
        return
    try:
        file = open_regular_file(Path(path))
    except OSError as error:
        raise ConfigError([f"--against {path}: {error.strerror or error}"]) from None
    with file:
        yield _upto(file, os.fstat(file.fileno()).st_size)


def _upto(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the lines that end within the first so many bytes."""
    for line in file:
        size -= len(line)
        if size < 0:
            return
        yield line


def compare_with_copy(audited: AuditSnapshot, lines: Iterable[bytes]) -> ChainError | None:
    """Compare the database with a copy that somebody who alters it cannot alter."""
    result = audited.compare_copy(lines, due_before=time.time() - _DUE)
    if result.found is not None:
        error = result.found
        say(f"the copy says otherwise, at record {error.seq}: {error.what}: {error.why}")
        return error
    say(f"the copy agrees: {counted(result.count, 'record')}")
    if result.older:
        say(f"note: {result.older} of them were removed from the database since")
    if result.behind:
        say(f"note: the {result.behind} newest are not in it yet")
    return None
