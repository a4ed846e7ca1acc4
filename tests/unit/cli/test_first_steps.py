"""`stopstream policy init` and `stopstream cam-policy`."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from bot.catalog.registry import ACTIONS
from bot.cli import cam_policy, policy
from bot.cli.output import DONE, FAILED
from bot.cli.settings import Settings, read_settings
from bot.errors import ConfigError
from bot.policy import example

INIT = argparse.Namespace(what="init")


def _settings(folder: Path) -> Settings:
    return read_settings(STOPSTREAM_POLICY=str(folder / "policy.yml"))


async def _printed(
    folder: Path, capsys: pytest.CaptureFixture[str], account: str = ""
) -> dict[str, Any]:
    capsys.readouterr()
    assert await cam_policy.cam_policy(_settings(folder), argparse.Namespace(account=account)) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def _apis(document: dict[str, Any]) -> set[str]:
    (statement,) = document["statement"]
    return {name.rpartition(":")[2] for name in statement["action"]}


async def test_policy_init_writes_a_file_that_passes_its_check(tmp_path: Path) -> None:
    """The first policy file is the example, and `policy check` finds nothing wrong with it."""
    settings = _settings(tmp_path)

    assert await policy.run(settings, INIT) == DONE

    assert settings.policy.read_text() == example.read()
    assert await policy.run(settings, argparse.Namespace(what="check")) == DONE


async def test_policy_init_keeps_a_file_that_exists(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A policy file is never written over."""
    settings = _settings(tmp_path)
    settings.policy.write_text("roles: {}\n")

    assert await policy.run(settings, INIT) == FAILED

    assert settings.policy.read_text() == "roles: {}\n"
    assert "exists and was not changed" in capsys.readouterr().err


async def test_policy_init_tells_where_it_cannot_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that is missing is one readable line."""
    assert await policy.run(_settings(tmp_path / "no-such-folder"), INIT) == FAILED
    assert "can't be written: No such file or directory" in capsys.readouterr().err


async def test_cam_policy_has_the_form_of_cam(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has version 2.0 and one statement, and names actions as `name/product:Api`."""
    (tmp_path / "policy.yml").write_text(example.read())

    printed = await _printed(tmp_path, capsys)

    (statement,) = printed["statement"]
    assert printed.keys() == {"version", "statement"}
    assert printed["version"] == "2.0"
    assert statement.keys() == {"effect", "action", "resource"}
    assert statement["effect"] == "allow"
    assert statement["resource"] == ["*"]
    named = {f"name/{action.product.name}:{action.api}" for action in ACTIONS}
    assert set(statement["action"]) == named


async def test_cam_policy_without_a_policy_file_has_every_action(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Before there is a policy file, the key may call whatever the catalog has."""
    monkeypatch.chdir(tmp_path)

    assert await cam_policy.cam_policy(read_settings(), argparse.Namespace(account="")) == DONE

    assert _apis(json.loads(capsys.readouterr().out)) == {action.api for action in ACTIONS}


async def test_cam_policy_allows_what_the_policy_allows_and_its_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The key may call what some rule allows, what the bot reads about it, and nothing else."""
    (tmp_path / "policy.yml").write_text(
        "roles: {oncall: {members: {users: [U0A]}, allow: [{actions: [StopLiveRecord]}]}}\n"
    )
    assert _apis(await _printed(tmp_path, capsys)) == {"StopLiveRecord", "DescribeLiveStreamState"}

    (tmp_path / "policy.yml").write_text(
        "limits: [{actions: [ForbidLiveStream], deny: true}]\n"
        "roles: {oncall: {members: {users: [U0A]},"
        " allow: [{actions: [DropLiveStream, ForbidLiveStream, Hold]}]}}\n"
    )
    allowed = _apis(await _printed(tmp_path, capsys))
    assert {"DropLiveStream", "DescribeLiveStreamState", "DescribeLiveDomains"} <= allowed
    assert {one for one in allowed if not one.startswith("Describe")} == {"DropLiveStream"}


async def test_cam_policy_is_for_one_account(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where there are several accounts one must be named, and its rules alone count."""
    (tmp_path / "policy.yml").write_text(
        "accounts: {main: {}, europe: {secret_id: EU_SECRET_ID, secret_key: EU_SECRET_KEY}}\n"
        "roles: {oncall: {members: {users: [U0A]}, allow: [\n"
        "  {actions: [DropLiveStream], accounts: [main]},\n"
        "  {actions: [StopLiveRecord], accounts: [europe]}]}}\n"
    )
    europe = _apis(await _printed(tmp_path, capsys, "europe"))
    assert "StopLiveRecord" in europe
    assert "DropLiveStream" not in europe

    with pytest.raises(ConfigError, match="main, europe"):
        await _printed(tmp_path, capsys)
    with pytest.raises(ConfigError, match='no account "asia"'):
        await _printed(tmp_path, capsys, "asia")
