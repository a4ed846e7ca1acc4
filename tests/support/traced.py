"""Runs a process under strace, and reads which system calls it made, in their order."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

BOUND = 120
"""Seconds after which a process is ended."""

WRITES, SYNCS = ("write", "pwrite64"), ("fsync", "fdatasync")

_CALL = re.compile(r"^(\d+) +(\w+)\((.*)$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. \w+ resumed>(.*)$")
_UNFINISHED = " <unfinished ...>"
_FILE = re.compile(r"^\d+<([^>]*)>")


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that has returned.

    Attributes:
        file: The path of its first argument, if that is a file descriptor.
        rest: Its other arguments and its result, as strace prints them.
    """

    name: str
    file: str
    rest: str


def why_not() -> str:
    """Return why nothing can be traced here; empty if it can."""
    strace = shutil.which("strace")
    if strace is None:
        return "strace is not installed"
    done = subprocess.run([strace, "-o", "/dev/null", "true"], capture_output=True, check=False)  # noqa: S603
    return "" if done.returncode == 0 else "strace may not trace a process here"


def run(module: str, *arguments: str, log: Path, options: Sequence[str]) -> tuple[int, str]:
    """Run a module under strace; return its exit code and what it wrote to standard output."""
    command = ["strace", "-f", "-y", "-o", str(log), *options, sys.executable, "-m", module]
    heard = log.with_suffix(".out")
    with heard.open("wb") as out:
        done = subprocess.run(  # noqa: S603
            [*command, *arguments], stdout=out, stderr=subprocess.PIPE, timeout=BOUND, check=False
        )
    return done.returncode, heard.read_text()


def calls(log: Path) -> Iterator[Call]:
    """Yield the calls in the order of their return, with those of all threads among each other."""
    begun: dict[str, str] = {}
    for line in log.read_text(errors="replace").splitlines():
        if line.endswith(_UNFINISHED):
            begun[line.split()[0]] = line.removesuffix(_UNFINISHED)
            continue
        if resumed := _RESUMED.match(line):
            line = begun.pop(resumed[1], "") + resumed[2]  # noqa: PLW2901 (the whole of it)
        if found := _CALL.match(line):
            file = _FILE.match(found[3])
            yield Call(found[2], file[1] if file else "", found[3])


def unsynced(log: Path, wal: str, answer: str) -> list[str]:
    """Return the answers that left before what was written to the WAL was synced.

    Args:
        wal: How the name of the WAL ends.
        answer: What an answer on standard output begins with.
    """
    written = synced = False
    early = []
    for call in calls(log):
        if call.file.endswith(wal):
            written = written or call.name in WRITES
            # A later write needs a sync of its own.
            synced = call.name in SYNCS or (synced and call.name not in WRITES)
        elif call.name == "write" and f'"{answer}' in call.rest:
            if not (written and synced):
                early.append(call.rest)
            written = synced = False
    return early
