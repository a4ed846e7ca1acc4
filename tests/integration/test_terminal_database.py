"""`stopstream run` and `decide` where the database is not there, or cannot be used."""

from pathlib import Path

import pytest

from bot.cli.main import main
from bot.errors import StoreError
from bot.operations.decisions import Decisions
from bot.storage.audit_log import AuditLog
from tests.support.databases import lay_schema
from tests.support.terminal_folder import enter_folder

POLICY = """
defaults: {live: {DomainName: push.example.com}}
roles:
  oncall: {members: {users: [U0ALICE]}, allow: [{actions: [Hold]}]}
  leads: {members: {users: [U0BOB]}, allow: [{actions: [Hold], approval: confirm}]}
"""
HOLD = ["run", "hold live stream1 reason=legal", "--actor", "U0ALICE"]
DECIDE = ["decide", "op1", "approve", "--actor", "U0ALICE"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a policy and nothing else, in which commands run with no database set."""
    return enter_folder(tmp_path, POLICY, monkeypatch)


def made(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if file.name != "policy.yml")


@pytest.mark.parametrize("command", [HOLD, DECIDE], ids=["run", "decide"])
def test_command_elsewhere_makes_no_database(
    folder: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    """Where no database is set and none is there, nothing is done: what is held is in another."""
    assert main(command) == 1

    said = capsys.readouterr()
    assert said.out == ""
    assert f"{folder / 'stopstream.db'} (STOPSTREAM_DATABASE_URL is not set)" in said.err
    assert "it has no tables yet" in said.err
    assert made(folder) == []


def test_decide_makes_no_database_that_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing waits in a database without tables."""
    monkeypatch.setenv("STOPSTREAM_DATABASE_URL", f"sqlite:///{folder / 'other.db'}")

    assert main(DECIDE) == 1

    assert f"{folder / 'other.db'}: it has no tables yet" in capsys.readouterr().err
    assert made(folder) == []


def test_run_says_that_it_makes_the_database_that_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is set may be new, and no hold counts in it, so that is said; once."""
    monkeypatch.setenv("STOPSTREAM_DATABASE_URL", f"sqlite:///{folder / 'other.db'}")

    assert main(HOLD) == 0
    said = capsys.readouterr()
    assert "accepted: Hold" in said.out
    assert f"the database {folder / 'other.db'} is new: no hold" in said.err
    assert main(HOLD) == 0
    assert "is new" not in capsys.readouterr().err


def unusable(folder: Path, kind: str) -> Path:
    """Make what SQLite can't open, or can't read."""
    file = folder / "stopstream.db"
    if kind == "folder":
        file.mkdir()
    else:
        file.write_text("no database " * 100)
    return file


@pytest.mark.parametrize("command", [HOLD, DECIDE], ids=["run", "decide"])
@pytest.mark.parametrize(
    ("kind", "why"),
    [("folder", "unable to open database file"), ("text", "file is not a database")],
)
def test_database_that_cannot_be_opened_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], command: list[str], kind: str, why: str
) -> None:
    """One sentence says that nothing was sent, which file it is about, and what to do at once."""
    file = unusable(folder, kind)

    assert main(command) == 1

    said = capsys.readouterr()
    assert said.out == ""
    assert f"stopstream: nothing was sent: the database {file} " in said.err
    assert why in said.err
    assert "do it in the Tencent Cloud console" in said.err


@pytest.mark.parametrize("kind", ["folder", "text"])
def test_other_commands_name_the_database(
    folder: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """Its file, and whether somebody has set it, belong to every error of the database."""
    file = unusable(folder, kind)

    assert main(["pending"]) == 1
    assert main(["check"]) == 1

    said = capsys.readouterr()
    assert f"stopstream: the database {file} (STOPSTREAM_DATABASE_URL is not set): " in said.err
    assert f"FIX the database {file} (STOPSTREAM_DATABASE_URL is not set): " in said.out


def test_full_disk_after_the_opening_says_that_nothing_was_sent(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything was asked for, no error leaves open whether it ran."""
    lay_schema(folder / "stopstream.db")

    async def full(*_: object) -> None:
        raise StoreError("database or disk is full")

    monkeypatch.setattr(AuditLog, "record", full)

    assert main(HOLD) == 1

    assert "nothing was sent: the database" in capsys.readouterr().err


def test_decision_whose_effect_is_not_known_may_have_run(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the decision is recorded, another replica may let it have its effect."""
    lay_schema(folder / "stopstream.db")
    assert main([*HOLD[:-1], "U0BOB"]) == 1
    waiting = capsys.readouterr().out.rpartition("operation ")[2].strip()

    async def away(*_: object) -> None:
        raise StoreError("disk I/O error")

    monkeypatch.setattr(Decisions, "settle", away)

    assert main(["decide", waiting, "approve", "--actor", "U0BOB"]) == 1

    said = capsys.readouterr().err
    assert f"{waiting} may have run, or may yet: look with stopstream audit show {waiting}." in said
    assert "nothing was sent" not in said
