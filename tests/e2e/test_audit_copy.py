"""A bot that serves copies its trail to a file, and `stopstream audit verify` compares the two."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.errors import ConfigError
from tests.e2e.test_audit_cli import Terminal
from tests.support.waiting import until
from tests.support.worlds import sandbox


@pytest.fixture
async def copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[tuple[Terminal, Path]]:
    file = tmp_path / "trail.jsonl"
    monkeypatch.setenv("STOPSTREAM_AUDIT_SINK", f"file://{file}")
    async with sandbox(tmp_path, socket=False, limits=False) as world:
        yield Terminal(world, capsys), file
    # What is recorded while it stops is in it, too.
    lines = file.read_bytes().splitlines()
    with contextlib.closing(sqlite3.connect(tmp_path / "stopstream.db")) as database:
        (last,) = database.execute("SELECT max(seq) FROM trail").fetchone()
    assert len(lines) == last
    assert any(b'"kind":"stopped"' in line for line in lines)


async def test_audit_verify_compares_the_copy(
    copied: tuple[Terminal, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The copy of a running bot agrees; one that was cut or exchanged does not."""
    terminal, file = copied
    id_ = await terminal.stop("stream1")
    await until(lambda: f'"kind":"ended","operation":"{id_}"' in file.read_text())
    code, out = await terminal.run("verify", "--against", str(file))
    assert code == 0, out
    assert "the copy agrees" in out

    lines = file.read_bytes().splitlines(keepends=True)
    copy = tmp_path / "copy.jsonl"
    for what, made in {
        "missing": [*lines[:3], lines[4], lines[3], *lines[5:]],
        "out of order": [*lines[:3], lines[2], *lines[3:]],
    }.items():
        copy.write_bytes(b"".join(made))
        code, out = await terminal.run("verify", "--against", str(copy))
        assert code == 1
        assert f"the copy says otherwise, at record {4 if what == 'missing' else 3}: {what}" in out

    copy.write_bytes(b"".join(lines[:-1]))
    monkeypatch.setattr("bot.cli.audit_copy._DUE", 0.0)
    code, out = await terminal.run("verify", "--against", str(copy))
    assert code == 1
    assert "cut off there, or not written because no bot runs" in out

    with pytest.raises(ConfigError, match="--against"):
        await terminal.run("verify", "--against", str(tmp_path / "nothing"))
