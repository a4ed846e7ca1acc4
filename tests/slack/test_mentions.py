"""Mentions of the bot, from the event to the answer."""

from typing import Any

import pytest
import structlog

from bot.errors import StoreError
from bot.model.commands import Via
from bot.model.messages import MessageKind
from bot.model.people import Actor
from handlers.listeners import mentions
from tests.support.fake_slack import BOT_USER, TEAM
from tests.support.slack_app import Workspace, mention


async def test_mention_is_answered_in_its_thread(workspace: Workspace) -> None:
    """A mention in a thread is carried out, and its card belongs to that thread."""
    await workspace.event(mention("stop live stream1", thread_ts="1600000000.000100"))
    await workspace.settle()

    (card,) = workspace.house.desk.said(MessageKind.CARD)[:1]
    assert card.operation.place.thread_ts == "1600000000.000100"
    assert card.operation.via is Via.MENTION
    assert [command.action.api for command in workspace.house.cloud.sent] == ["DropLiveStream"]


async def test_mention_outside_thread_starts_one(workspace: Workspace) -> None:
    """A mention outside a thread starts a thread under its own message."""
    await workspace.event(mention("stop live stream1"))

    (operation,) = await workspace.house.service.queries.recent(None)
    assert operation.place.thread_ts == "1700000000.000100"


async def test_mention_runs_once_when_redelivered(workspace: Workspace) -> None:
    """A mention that Slack delivers three times is run once."""
    for _ in range(3):
        await workspace.event(mention("stop live stream1"))
    await workspace.settle()

    assert len(workspace.house.cloud.sent) == 1


async def test_header_that_nobody_signed_skips_nothing(workspace: Workspace) -> None:
    """Bolt would run none of a listener but what is to follow its ack."""
    await workspace.event(mention("stop live stream1"), **{"X-Slack-Bolt-Lazy-Only": "1"})
    await workspace.settle()

    assert len(workspace.house.cloud.sent) == 1


@pytest.mark.parametrize(
    ("headers", "said"),
    [({}, "Nothing was sent"), ({"X-Slack-Retry-Num": "1"}, "I don't know yet")],
)
async def test_redelivered_mention_is_not_told_that_nothing_was_sent(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], said: str
) -> None:
    """Slack says that it delivers an event again: the first delivery may have been recorded."""

    async def refused(*_: Any) -> Any:
        raise StoreError("the database is away")

    monkeypatch.setattr(workspace.house.store.operations, "add", refused)
    monkeypatch.setattr(workspace.house.store.operations, "by_key", refused)
    await workspace.event(mention("stop live stream1"), **headers)
    await workspace.background.stop(grace=60.0)

    (whisper,) = workspace.slack.asked("chat.postEphemeral")
    assert whisper["text"].startswith(said)


@pytest.mark.parametrize("thread", ["", "1700000000.000100"])
async def test_mention_error_is_ephemeral(workspace: Workspace, thread: str) -> None:
    """A parse error in a mention is shown only to its sender, in the thread if there is one."""
    workspace.slack.threads.add(thread)
    await workspace.event(mention("stop lvie stream1"))
    await workspace.background.stop(grace=60.0)

    (whisper,) = workspace.slack.asked("chat.postEphemeral")
    assert (whisper["user"], whisper.get("thread_ts", "")) == ("U0ALICE", thread)
    assert 'Did you mean "live"?' in whisper["text"]


@pytest.mark.parametrize(
    ("text", "said"), [("", "@stopstream stop live"), ("stop", "fill in the form")]
)
async def test_mention_without_command_offers_help_or_form(
    workspace: Workspace, text: str, said: str
) -> None:
    """An empty mention is answered with an example, a bare verb with an offer of the form."""
    await workspace.event(mention(text))
    await workspace.background.stop(grace=60.0)

    (whisper,) = workspace.slack.asked("chat.postEphemeral")
    assert said in whisper["text"]


async def test_mention_whoami_replies_ephemerally(workspace: Workspace) -> None:
    """Whoami in a mention is answered with an ephemeral message."""
    await workspace.event(mention("whoami"))
    await workspace.background.stop(grace=60.0)

    (whisper,) = workspace.slack.asked("chat.postEphemeral")
    assert "in `oncall`" in whisper["text"]


@pytest.mark.parametrize(
    "subtype", ["thread_broadcast", "file_share", "me_message", "reply_broadcast", "of_next_year"]
)
async def test_mention_with_a_subtype_is_a_command(workspace: Workspace, subtype: str) -> None:
    """What a person writes is a command, in whatever way Slack shows the message."""
    await workspace.event(mention("stop live stream1", subtype=subtype))
    await workspace.settle()

    assert [command.action.api for command in workspace.house.cloud.sent] == ["DropLiveStream"]


@pytest.mark.parametrize(
    "more",
    [{"bot_id": "B0OTHER"}, {"subtype": "bot_message"}, {"subtype": "x", "user": None}],
)
async def test_mention_that_is_not_taken_is_logged(
    workspace: Workspace, more: dict[str, Any]
) -> None:
    """A mention that is not a command of a person leaves a line in the log."""
    with structlog.testing.capture_logs() as lines:
        await workspace.event(mention("stop live stream1", **more))

    assert [line["event"][:9] for line in lines] == ["a mention"]
    assert await workspace.house.service.queries.recent(None) == []


@pytest.mark.parametrize("more", [{"bot_id": "B0OTHER"}, {"subtype": "bot_message"}])
async def test_mention_from_another_bot_is_ignored(
    workspace: Workspace, more: dict[str, Any]
) -> None:
    """A mention written by another bot is ignored."""
    await workspace.event(mention("stop live stream1", **more))
    await workspace.background.stop(grace=60.0)

    assert await workspace.house.service.queries.recent(None) == []
    assert workspace.slack.calls == []


async def test_mention_from_the_bot_itself_is_ignored(workspace: Workspace) -> None:
    """A mention written by the bot itself is not stored."""
    await workspace.event(mention("stop live stream1", user=BOT_USER))

    assert await workspace.house.service.queries.recent(None) == []


async def test_mention_edited_is_not_run(workspace: Workspace) -> None:
    """An edited mention is not run, and its sender is told so."""
    await workspace.event(mention("stop live stream1", edited={"user": "U0ALICE", "ts": "1"}))
    await workspace.background.stop(grace=60.0)

    assert await workspace.house.service.queries.recent(None) == []
    (whisper,) = workspace.slack.asked("chat.postEphemeral")
    assert "edited messages again" in whisper["text"]


@pytest.mark.parametrize("absent", ["user", "channel", "ts"])
async def test_mention_rejects_missing_fields(workspace: Workspace, absent: str) -> None:
    """A mention without user, channel or timestamp is not stored."""
    await workspace.event(mention("stop live stream1", **{absent: None}))

    assert await workspace.house.service.queries.recent(None) == []


def test_mention_strips_only_own_user_id() -> None:
    """Only the mention of the bot itself is removed from the text."""
    text = f"<@{BOT_USER}|stopstream>  stop live <@U0BOB>"
    body = {"event_id": "Ev1", "team_id": TEAM, "event": mention("") | {"text": text}}

    found = mentions.parse_mention(body, BOT_USER)

    assert found is not None
    assert found.text == "stop live <@U0BOB>"
    assert found.actor == Actor(TEAM, "U0ALICE")
