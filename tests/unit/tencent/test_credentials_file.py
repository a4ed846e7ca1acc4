"""The credentials file is read again when it changes, and keeps its key while it is unusable."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.tencent.credentials import Credentials
from bot.tencent.credentials_file import CredentialsFile

FIRST, SECOND = Credentials("AKID1", "key1"), Credentials("AKID2", "key2")


def text(key: Credentials) -> str:
    return f"[default]\nsecret_id = {key.secret_id}\nsecret_key = {key.secret_key}\n"


class House:
    """A file with the first key, read long after its last change."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "credentials"
        self.path.write_text(text(FIRST))
        self.later = 3_600.0
        self.source = CredentialsFile(self.path, clock=self.clock)

    def clock(self) -> float:
        return self.path.stat().st_ctime + self.later if self.path.is_file() else self.later


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def _rewrite(path: Path) -> None:
    path.write_text(text(SECOND))


def _replace(path: Path) -> None:
    new = path.with_suffix(".new")
    new.write_text(text(SECOND))
    new.rename(path)


def _link(path: Path) -> None:
    """Swap a link, as Kubernetes does for a mounted Secret."""
    other = path.with_suffix(".2")
    other.write_text(text(SECOND))
    path.unlink()
    path.symlink_to(other)


@pytest.mark.parametrize("change", [_rewrite, _replace, _link])
async def test_changed_file_is_read_again(change: Callable[[Path], None], house: House) -> None:
    """However the file is changed, the next request is signed with the key that it has now."""
    assert await house.source.get() == FIRST
    change(house.path)
    assert await house.source.get() == SECOND


async def test_file_with_the_same_times_is_read_again_while_it_is_new(house: House) -> None:
    """Two changes in one tick of the clock are told apart: what is new is read each time."""
    house.later = 0.1
    assert await house.source.get() == FIRST
    before = house.path.stat()
    with house.path.open("r+") as file:
        file.write(text(SECOND))
    os.utime(house.path, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert await house.source.get() == SECOND


def _truncate(path: Path) -> None:
    path.write_text("")


def _halve(path: Path) -> None:
    path.write_text("[default]\nsecret_id = AKID2\n")


def _remove(path: Path) -> None:
    path.unlink()


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _binary(path: Path) -> None:
    path.write_bytes(b"\xff\xfe[default]")


@pytest.mark.parametrize("spoil", [_truncate, _halve, _remove, _fifo, _binary])
async def test_unusable_file_keeps_the_last_key(
    spoil: Callable[[Path], None], house: House
) -> None:
    """While the file is in the middle of a write, gone or no file, the last key is used."""
    spoil(house.path)

    assert await house.source.get() == FIRST
    assert await house.source.replace(FIRST) is None
    house.path.unlink(missing_ok=True)
    house.path.write_text(text(SECOND))
    assert await house.source.get() == SECOND


async def test_refused_key_is_replaced_by_what_the_file_has_now(house: House) -> None:
    """A refused key is looked up in the file again, whatever its times say."""
    assert await house.source.replace(FIRST) is None
    _replace(house.path)
    assert await house.source.replace(FIRST) == SECOND
    assert await house.source.replace(SECOND) is None


async def test_file_may_hold_a_temporary_key(tmp_path: Path) -> None:
    """The token of a temporary key is read beside it."""
    path = tmp_path / "credentials"
    path.write_text(text(FIRST) + "token = abc\n")
    assert await CredentialsFile(path).get() == Credentials("AKID1", "key1", "abc")
