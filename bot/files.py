"""Reads configuration files: regular ones only, without blocking, and to a bound."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular_file(path: Path) -> BinaryIO:
    """Open a file to read.

    A FIFO would keep the whole process waiting for its writer, and a device may have no end.

    Raises:
        OSError: It cannot be opened, or is not a regular file.
    """
    # Without a writer, opening a FIFO to read waits for one unless it is non-blocking.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    file = os.fdopen(os.open(path, flags), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "is not a regular file", str(path))
    return file


def read_regular_file(path: Path, most: int) -> bytes:
    """Return the content of a file that is at most `most` bytes long.

    Raises:
        OSError: It cannot be read, is not a regular file, or is longer.
    """
    with open_regular_file(path) as file:
        # It may grow while it is read, so its size is no bound.
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"is larger than {most} bytes", str(path))
    return content
