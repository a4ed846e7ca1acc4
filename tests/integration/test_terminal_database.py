"""`stopstream run` and `decide` where the database is not there, or cannot be used."""

from pathlib import Path

import pytest

from bot.cli.main import main

POLICY = """
defaults: {live: {DomainName: push.example.com}}
roles: {oncall: {members: {users: [U0ALICE]}, allow: [{actions: [Hold]}]}}
"""
HOLD = ["run", "hold live stream1 reason=legal", "--actor", "U0ALICE"]
DECIDE = ["decide", "op1", "approve", "--actor", "U0ALICE"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a policy and nothing else, in which commands run with no database set."""
    # The log of this process is not the command's.
    monkeypatch.setattr("bot.telemetry.configure", lambda *_, **__: None)
    for name in ("STOPSTREAM_DATABASE_URL", "SLACK_BOT_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TENCENTCLOUD_SECRET_ID", "AKIDTEST")
    monkeypatch.setenv("TENCENTCLOUD_SECRET_KEY", "test")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.yml").write_text(POLICY)
    return tmp_path


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
