"""Slash commands, from the signed request to the ack."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest

from bot.model.actions import Effect
from bot.model.commands import Via
from bot.storage.store import Store
from handlers.listeners import commands
from handlers.messages import replies
from tests.conftest import built
from tests.support.slack_app import Workspace, opened


async def test_slash_command_is_stored_before_ack(workspace: Workspace) -> None:
    """A slash command is stored before it is acknowledged, then sent to Tencent Cloud."""
    text = await workspace.command("live stream1")

    assert text == "", "its card follows at once"
    (operation,) = await workspace.house.service.queries.recent(None)
    assert (operation.key, operation.via) == ("trigger.live stream1", Via.COMMAND)
    assert operation.place.channel == "C0INC"
    await workspace.settle()
    assert [command.action.api for command in workspace.house.cloud.sent] == ["DropLiveStream"]


async def test_slash_command_selects_start_or_stop(workspace: Workspace) -> None:
    """The same text resumes a stream under /startstream and drops it under /stopstream."""
    await workspace.command("live one", "/startstream")
    await workspace.command("live two")
    await workspace.settle()

    sent = [command.action.api for command in workspace.house.cloud.sent]
    assert sorted(sent) == ["DropLiveStream", "ResumeLiveStream"]


async def test_slash_command_runs_once_when_redelivered(workspace: Workspace) -> None:
    """A slash command that Slack delivers twice is run once."""
    first = await workspace.command("live stream1")
    again = await workspace.command("live stream1")
    await workspace.settle()

    assert first == ""
    assert "it runs only once" in again
    assert len(workspace.house.cloud.sent) == 1


async def test_ack_makes_no_slack_api_call(workspace: Workspace) -> None:
    """A slash command is acknowledged without any call to the Slack API."""
    for text in ("live stream1", "help", "lvie"):
        await workspace.command(text)

    assert workspace.slack.calls == []


async def test_slash_command_reports_parse_error_in_ack(workspace: Workspace) -> None:
    """A parse error is marked in the acknowledgement and nothing is sent."""
    text = await workspace.command("lvie stream1")

    assert 'Did you mean "live"?' in text
    assert "lvie stream1\n^^^^" in text
    assert workspace.house.cloud.sent == []


async def test_slash_command_accepts_the_word_payload(
    workspace: Workspace,
) -> None:
    """A slash command whose text contains the word payload is parsed as usual."""
    assert await workspace.command("live payload-1") == ""
    (operation,) = await workspace.house.service.queries.recent(None)
    assert operation.target == "payload-1"


@pytest.mark.parametrize("absent", ["trigger_id", "user_id", "team_id", "channel_id"])
async def test_slash_command_rejects_missing_fields(workspace: Workspace, absent: str) -> None:
    """A slash command without trigger, user, team or channel is rejected and not stored."""
    assert await workspace.command("live stream1", **{absent: ""}) == replies.MALFORMED
    assert await workspace.house.service.queries.recent(None) == []


@pytest.mark.parametrize("value", [None, 1, [], {}])
def test_slash_command_rejects_wrong_field_types(value: object) -> None:
    """A slash command payload with a field of the wrong type yields no invocation."""
    sound = {"trigger_id": "t", "user_id": "U0", "team_id": "T0", "channel_id": "C0"}

    assert commands.parse_command(sound, Effect.STOP) is not None
    for name in sound:
        assert commands.parse_command(sound | {name: value}, Effect.STOP) is None


async def test_slash_command_unknown_points_to_help(workspace: Workspace) -> None:
    """An unknown slash command is answered with a pointer to /stopstream help."""
    assert "/stopstream help" in await workspace.command("live stream1", "/nosuch")


async def test_help_is_returned_in_ack(workspace: Workspace) -> None:
    """Help is returned in the acknowledgement itself."""
    assert "`/stopstream live" in await workspace.command("help")
    assert "DropLiveStream" in await workspace.command("help live")


async def test_whoami_replies_after_ack(workspace: Workspace) -> None:
    """Whoami is answered through the response URL after the acknowledgement."""
    assert "Looking up" in await workspace.command("whoami")
    await workspace.settle()

    (reply,) = workspace.slack.replies
    assert "in `oncall`" in reply["text"]


async def test_audit_search_replies_after_ack(workspace: Workspace) -> None:
    """An audit search is answered through the response URL after the acknowledgement."""
    await workspace.command("live stream1")
    await workspace.command("audit since=1h")
    await workspace.background.stop(grace=60.0)

    (reply,) = workspace.slack.replies
    assert "stop `stream1`" in reply["text"]
    assert "DropLiveStream" not in reply["text"]


async def test_whoami_reports_failed_user_lookup(workspace: Workspace) -> None:
    """Whoami reports when the user could not be looked up in Slack."""
    workspace.house.directory.people.clear()
    await workspace.command("whoami")
    await workspace.settle()

    (reply,) = workspace.slack.replies
    assert reply["text"].startswith("Slack did not say who you are.")


async def test_background_queue_full_is_reported_in_ack(quick_store: Store) -> None:
    """A full background queue is reported in the acknowledgement; stop commands still pass."""
    async with built(quick_store) as house, opened(house, workers=1, capacity=1) as workspace:
        gate = asyncio.Event()
        workspace.background.submit("blocks the worker", gate.wait)
        await asyncio.sleep(0)
        workspace.background.submit("fills the queue", gate.wait)

        assert "Too much is asked" in await workspace.command("whoami")
        assert await workspace.command("live stream1") == ""
        gate.set()


async def test_late_card_is_announced_in_ack(quick_store: Store) -> None:
    """While Slack takes no messages in a channel, its asker hears that the request is saved."""
    async with built(quick_store) as house, opened(house, late="C0INC") as workspace:
        late = await workspace.command("live stream1")
        soon = await workspace.command("live stream2", channel_id="C0ELSE")

    assert late.startswith("Saved. ")
    assert soon == ""


async def test_database_failure_is_reported_in_ack(workspace: Workspace, tmp_path: Path) -> None:
    """A broken database is reported in the acknowledgement and nothing is sent."""
    with contextlib.closing(sqlite3.connect(tmp_path / "quick.db")) as connection:
        connection.execute("DROP TABLE operations")

    text = await workspace.command("live stream1")

    assert text.startswith("Your request could not be saved")
    assert workspace.house.cloud.sent == []
