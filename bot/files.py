"""Reads configuration files: regular ones only, without blocking, and to a bound."""

import errno
import os
import stat
from pathlib import Path


def read_regular_file(path: Path, most: int) -> bytes:
    """Return the content of a file that is at most `most` bytes long.

    A FIFO would keep the whole process waiting for its writer, and a device may have no end.

    Raises:
        OSError: It cannot be read, is not a regular file, or is longer.
    """
    # Without a writer, opening a FIFO to read waits for one unless it is non-blocking.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags), "rb", closefd=True) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "is not a regular file", str(path))
        # It may grow while it is read, so its size is no bound.
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"is larger than {most} bytes", str(path))
    return content
