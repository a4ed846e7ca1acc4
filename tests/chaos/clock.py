"""A clock that is turned from outside: `time.time` plus what a file says.

`python -m tests.chaos.clock FILE MODULE …` runs a module under it. The clock is replaced before
anything else is imported, because much of the program keeps `time.time` itself.
"""

import mmap
import os
import runpy
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

_OFFSET = struct.Struct("d")


def turn(file: Path, seconds: float) -> None:
    """Put the clock ahead of the true one, in seconds; negative for behind."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT)
    os.pwrite(descriptor, _OFFSET.pack(seconds), 0)
    os.close(descriptor)


def turnable(file: Path) -> Callable[[], float]:
    """Return a clock that follows a file."""
    descriptor = os.open(file, os.O_RDWR)
    shared = mmap.mmap(descriptor, _OFFSET.size)
    os.close(descriptor)
    real = time.time

    def now() -> float:
        return real() + float(_OFFSET.unpack_from(shared)[0])

    return now


if __name__ == "__main__":
    time.time = turnable(Path(sys.argv[1]))
    module = sys.argv[2]
    sys.argv = sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
