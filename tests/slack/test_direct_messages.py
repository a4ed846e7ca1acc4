"""Commands in a direct message, where nobody else reads along and the bot cannot be invited."""

import pytest

from bot.catalog.registry import action_of
from bot.model.messages import MessageKind
from bot.model.people import Person, Presence
from bot.operations.results import Permissions
from bot.storage.store import Store
from handlers.messages import endings, rights
from tests.conftest import built
from tests.support.fakes import TEAM
from tests.support.slack_app import Workspace, opened

DIRECT = "D0BOB"
POLICY = """
defaults: {live: {DomainName: push.example.com}}
roles:
  oncall:
    members: {users: [U0ALICE]}
    allow: [{actions: ["*LiveStream"]}, {actions: [ForbidLiveDomain], channels: [C0INC]}]
"""
SENSELESS = ("invite me first", "Invite me", "this channel", "I am not in")


async def said(workspace: Workspace, text: str, command: str = "/stopstream") -> str:
    """Return all that is said about a command in a direct message to somebody else."""
    ack = await workspace.command(text, command, channel_id=DIRECT)
    await workspace.settle()
    later = [*workspace.slack.replies, *workspace.slack.messages]
    refused = [
        endings.private_reply(one.operation, action_of(one.operation)).text
        for one in workspace.house.desk.said(MessageKind.PRIVATE)
    ]
    return "\n".join([ack, *(str(one["text"]) for one in later), *refused])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("help", "whoami"),
        ("help live", "DropLiveStream"),
        ("whoami", "nothing can be done here. Ask in a channel that I am in."),
        ("whoami", "*In any channel I am in* "),
        ("whoami", "*In <#C0INC>* "),
        ("status live s1", "Ask in a channel that I am in."),
        ("audit since=1h", "No requests found"),
        ("off", "Nothing is off, and nothing is held."),
        ("live s1", "Ask in a channel that I am in."),
        ("ban s1 for=30m", "Ask in a channel that I am in."),
        ("live s1 --dry-run", "n a direct message nobody else would see it"),
        ("hold live s1 reason=x", "Ask in a channel that I am in."),
        ("lvie s1", 'Did you mean "live"?'),
    ],
)
async def test_command_in_a_direct_message_is_answered_sensibly(
    quick_store: Store, text: str, wanted: str
) -> None:
    """No answer in a direct message speaks of a channel or of inviting the bot."""
    async with built(quick_store, policy=POLICY) as house, opened(house) as workspace:
        answer = await said(workspace, text)
        sent = list(house.cloud.sent)

    assert wanted in answer
    assert [words for words in SENSELESS if words in answer.replace("a channel that", "")] == []
    assert sent == []


async def test_command_in_the_direct_message_with_the_bot_runs(quick_store: Store) -> None:
    """In its own direct message the bot is there, so whoami and a stop answer as elsewhere."""
    async with built(quick_store, policy=POLICY) as house, opened(house) as workspace:
        house.directory.channels[DIRECT] = Presence.IN
        answer = await said(workspace, "whoami")
        ack = await workspace.command("live s1", channel_id=DIRECT)
        await workspace.settle()

    assert "*At once*: Stop a live stream" in answer
    assert ack == ""
    assert [command.action.api for command in house.cloud.sent] == ["DropLiveStream"]


@pytest.mark.parametrize(
    ("direct", "said_so"),
    [(True, "Ask in a channel that I am in."), (False, "invite me first")],
)
def test_rights_after_help_name_the_way_out(*, direct: bool, said_so: str) -> None:
    """The permissions that follow a help say what can be done about it in that place."""
    found = Permissions(Person("U0ALICE", TEAM), ("oncall",), (), here=False, direct=direct)
    assert said_so in rights.whoami_on("live", found).text
