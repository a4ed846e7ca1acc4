"""`stopstream callbacks show`: what to register at Tencent Cloud."""

import argparse
import re
from pathlib import Path

import pytest

from bot.cli import callbacks
from bot.cli.settings import read_settings

ACCOUNTS = """
accounts:
  main: {}
  events: {secret_id: EV_ID, secret_key: EV_KEY, callback_key: EV_CALLBACK_KEY}
  radio: {secret_id: RA_ID, secret_key: RA_KEY}
roles:
  leads: {members: {users: [U0BOB]}, allow: [{actions: ["*"], accounts: ["*"]}]}
"""
SECRET = "hunter2-hunter2-hunter2"


async def shown(capsys: pytest.CaptureFixture[str], **given: str) -> str:
    capsys.readouterr()
    assert await callbacks.show(read_settings(**given), argparse.Namespace(what="show")) == 0
    return capsys.readouterr().out


async def test_callbacks_show_prints_each_address_and_no_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both addresses are printed, the key by the name of its variable."""
    monkeypatch.chdir(tmp_path)
    text = await shown(
        capsys,
        STOPSTREAM_PUBLIC_URL="https://bot.example.com/",
        STOPSTREAM_LIVE_CALLBACK_KEY=f"{SECRET},{SECRET}-2",
        STOPSTREAM_ALERT_CHANNEL="C0INC",
    )
    of_pushes = ("StreamBeginNotifyUrl", "StreamEndNotifyUrl")
    for name in (*of_pushes, "PornCensorshipNotifyUrl", "AudioAuditNotifyUrl"):
        assert f"{name} https://bot.example.com/hooks/live\n" in re.sub(" +", " ", text)
    assert "STOPSTREAM_LIVE_CALLBACK_KEY, which holds two" in text
    assert SECRET not in text


async def test_callbacks_show_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a key or an address it says what to set."""
    monkeypatch.chdir(tmp_path)
    text = await shown(capsys)
    assert "which is not set" in text
    assert "set STOPSTREAM_PUBLIC_URL" in text


async def test_callbacks_show_names_the_variable_of_each_account(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each account has a template of its own, with the variable that the policy names."""
    policy = tmp_path / "policy.yml"
    policy.write_text(ACCOUNTS)
    text = await shown(capsys, STOPSTREAM_POLICY=str(policy))
    main, events, radio = text.split("\naccount ")[1:]
    assert "STOPSTREAM_LIVE_CALLBACK_KEY" in main
    assert "EV_CALLBACK_KEY" in events
    assert "accounts.radio.callback_key" in radio


async def test_callbacks_show_has_the_snapshots_where_they_are_evidence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A policy that has pictures taken needs to be told of them; any other does not."""
    policy = tmp_path / "policy.yml"
    policy.write_text(ACCOUNTS)
    assert "SnapshotNotifyUrl" not in await shown(capsys, STOPSTREAM_POLICY=str(policy))
    taken = "evidence: [{actions: ['Forbid*'], take: snapshot, template: 1}]\n"
    policy.write_text(ACCOUNTS + taken)
    text = await shown(capsys, STOPSTREAM_POLICY=str(policy))
    assert text.count("SnapshotNotifyUrl") == 3
