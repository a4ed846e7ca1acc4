"""The file of the trail: each line once and in order, whatever interrupts its writer."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.audit.copies import parse_line
from bot.audit.trail_file import BrokenFileError, FileEnd, TrailFile
from tests.unit.audit.test_copies import LINES, ROWS

ALL = b"".join(LINES)


def rest(end: FileEnd) -> bytes:
    return b"".join(LINES[end.seq :])


@pytest.fixture
def file(tmp_path: Path) -> TrailFile:
    return TrailFile(tmp_path / "trail.jsonl")


def test_file_is_made_for_its_owner_alone(file: TrailFile) -> None:
    """A file that is not there is made, readable by nobody else."""
    assert file.end() == FileEnd()
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_end_is_the_last_line(file: TrailFile) -> None:
    """The end is known from the last line, however long the file and its lines are."""
    assert file.append(FileEnd(), LINES[0])
    assert file.end() == FileEnd(1, ROWS[0].hash)
    long = LINES[1].replace(b"U0ALICE", b"x" * 200_000)
    file.path.write_bytes(LINES[0] + long)
    assert file.end() == FileEnd(2, ROWS[1].hash)


def test_whoever_is_late_writes_nothing(file: TrailFile) -> None:
    """Of two processes that append the same, the second writes nothing."""
    end = file.end()
    assert file.append(end, ALL)
    assert not file.append(end, ALL)
    assert file.path.read_bytes() == ALL


def test_torn_line_is_finished(file: TrailFile) -> None:
    """Wherever a write broke off, the next one goes on there: an append-only file allows that."""
    for cut in range(0, len(ALL), 7):
        file.path.write_bytes(ALL[:cut])
        end = file.end()
        assert file.append(end, rest(end))
        assert file.path.read_bytes() == ALL


@pytest.mark.parametrize("content", [LINES[0] + b"{}\n", LINES[0] + b"not of the record"])
def test_foreign_file_is_left_alone(file: TrailFile, content: bytes) -> None:
    """Nothing is appended to what ends with something else."""
    file.path.write_bytes(content)
    with pytest.raises(BrokenFileError):
        file.append(file.end(), rest(FileEnd(1)))
    assert file.path.read_bytes() == content


def test_fifo_is_refused(file: TrailFile) -> None:
    """A FIFO without a reader keeps nobody waiting."""
    os.mkfifo(file.path)
    with pytest.raises(OSError, match="not a regular file"):
        file.end()


def test_file_locked_by_another_is_an_error(
    file: TrailFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who holds the lock and is stopped keeps nobody waiting; afterwards the file is as before."""
    monkeypatch.setattr("bot.audit.trail_file.LOCK_WITHIN", 0.0)
    file.path.touch()
    with file.path.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError, match="locked by another process"):
            file.end()
    assert file.end() == FileEnd()


def test_file_without_lines_is_not_read_to_its_beginning(file: TrailFile) -> None:
    """A large file without a line feed is refused after the length of the longest records."""
    with file.path.open("wb") as out:
        out.truncate(1 << 34)
    with pytest.raises(BrokenFileError):
        file.end()


_KILLED = """
import os, signal, sys
from pathlib import Path
from bot.audit import trail_file
from bot.audit.trail_file import TrailFile
def die(_file):
    os.kill(os.getpid(), signal.SIGKILL)
trail_file.os.fsync = die
file = TrailFile(Path(sys.argv[1]))
file.append(file.end(), sys.stdin.buffer.read())
"""


def test_kill_after_the_write_doubles_nothing(file: TrailFile) -> None:
    """A process that is killed before it knows what it has written leaves no gap, no double."""
    file.path.touch()
    command = (sys.executable, "-c", _KILLED, str(file.path))
    given = b"".join(LINES[:4])
    killed = subprocess.run(command, input=given, check=False)  # noqa: S603 (our own code)
    assert killed.returncode == -9
    end = file.end()
    assert end.seq == 4

    assert file.append(end, rest(end))

    assert file.path.read_bytes() == ALL
    assert all(parse_line(line) for line in file.path.read_bytes().splitlines(keepends=True))
