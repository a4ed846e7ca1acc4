"""Configuration files that are no files: nothing hangs, and the reason is readable."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.audit.last_seal import LastSealFile
from bot.audit.signing_key import load_public_key, load_signer
from bot.cli.secret_files import read_secret
from bot.errors import ConfigError
from bot.files import read_regular_file
from bot.policy.watched_file import WatchedFile
from bot.tencent.credential_chain import chain


def _policy(path: Path) -> object:
    return WatchedFile(path, str)


def _credentials(path: Path) -> object:
    return chain({}, files=[str(path)])


def _named_credentials(path: Path) -> object:
    return chain({"TENCENTCLOUD_CREDENTIALS_FILE": str(path)})


def _signer(path: Path) -> object:
    return load_signer(None, path)


def _public_key(path: Path) -> object:
    return load_public_key(None, path)


def _secret(path: Path) -> object:
    return read_secret(path.parent, path.name)


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _null(path: Path) -> None:
    path.symlink_to("/dev/null")


def _large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(5 << 20)


def _problem(read: Callable[[Path], object], path: Path) -> str:
    """Return the problem of reading; in a thread of its own, since it may hang."""
    found: list[str] = []

    def run() -> None:
        try:
            read(path)
        except ConfigError as error:
            found.extend(error.problems)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("put", "why"),
    [
        (_fifo, "is not a regular file"),
        (_zeros, "is not a regular file"),
        (_null, "is not a regular file"),
        (Path.mkdir, "directory|is not a regular file"),
        (_large, "is larger than"),
    ],
)
@pytest.mark.parametrize(
    "read", [_policy, _credentials, _named_credentials, _signer, _public_key, _secret]
)
def test_file_that_is_none_is_refused(
    tmp_path: Path, read: Callable[[Path], object], put: Callable[[Path], None], why: str
) -> None:
    """What is no regular file of a sensible size is a configuration error that names it."""
    path = tmp_path / "the-file"
    put(path)

    problem = _problem(read, path)

    assert "the-file" in problem
    assert any(one in problem for one in why.split("|"))


@pytest.mark.parametrize("put", [_fifo, _zeros, Path.mkdir, _large])
def test_last_seal_that_is_no_file_is_unknown(tmp_path: Path, put: Callable[[Path], None]) -> None:
    """What stands in place of the last seal's file delays no start."""
    path = tmp_path / "the-file"
    put(path)
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(LastSealFile(path).read()), daemon=True)
    thread.start()
    thread.join(60)

    assert found == [None]


def test_policy_that_becomes_fifo_keeps_old_value(tmp_path: Path) -> None:
    """A policy that turns into a FIFO is reported once, and the old one stays."""
    path = tmp_path / "policy.yml"
    path.write_text("old")
    watched = WatchedFile(path, str)
    path.unlink()
    os.mkfifo(path)

    assert "is not a regular file" in _problem(lambda _: watched.refresh(), path)
    assert (watched.refresh(), watched.value) == (False, "old")

    path.unlink()
    path.write_text("new")
    assert (watched.refresh(), watched.value) == (True, "new")


def test_read_stops_at_bound(tmp_path: Path) -> None:
    """A file is read up to its bound and no further, whatever size it had when it was opened."""
    path = tmp_path / "a"
    path.write_bytes(b"x" * 10)
    assert read_regular_file(path, 10) == b"x" * 10
    with pytest.raises(OSError, match="larger than 9 bytes"):
        read_regular_file(path, 9)
    # More than any memory holds, and nothing on the disk.
    os.truncate(path, 1 << 42)
    with pytest.raises(OSError, match="larger than 10 bytes"):
        read_regular_file(path, 10)
