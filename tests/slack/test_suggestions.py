"""The buttons of a mistyped command, from the mistake to what they run."""

from typing import Any

import pytest

from bot.errors import ParseError
from bot.model.actions import Effect
from bot.model.operations import State
from handlers.messages import replies, ways_in
from tests.support.commands import read
from tests.support.fakes import TEAM
from tests.support.slack_app import Workspace


def _press(workspace: Workspace, value: str, user: str = "U0ALICE") -> dict[str, Any]:
    return {
        "type": "block_actions",
        "trigger_id": f"trigger.{user}",
        "user": {"id": user, "team_id": TEAM},
        "container": {"type": "message", "channel_id": "C0INC", "thread_ts": "1.5"},
        "response_url": workspace.slack.reply_url,
        "actions": [{"action_id": f"{ways_in.SUGGESTED}:1", "value": value, "type": "button"}],
    }


def _buttons(text: str) -> list[dict[str, Any]]:
    with pytest.raises(ParseError) as caught:
        read(text, Effect.STOP)
    message = replies.parse_error(caught.value)
    assert message.blocks[0]["text"]["text"] == message.text
    return list(message.blocks[1]["elements"])


@pytest.mark.parametrize("text", ["stream1", "stop stream1", "lvie stream1", "list", "undo"])
def test_parse_error_shows_a_button_for_each_command(text: str) -> None:
    """A mistake is shown with buttons of distinct ids that Slack accepts."""
    buttons = _buttons(text)

    assert len({button["action_id"] for button in buttons}) == len(buttons) > 0
    assert all(0 < len(button["text"]["text"]) <= 75 for button in buttons)
    assert all(0 < len(button["value"]) <= 2000 for button in buttons)


async def test_suggested_button_runs_its_command(workspace: Workspace) -> None:
    """A press runs the command as if the presser had typed it."""
    value = _buttons("stop stream1")[0]["value"]

    await workspace.interact(_press(workspace, value))
    await workspace.settle()

    assert [command.target for command in workspace.house.cloud.sent] == ["stream1"]
    (operation,) = await workspace.house.service.queries.recent(None)
    assert operation.place.thread_ts == "1.5"
    assert operation.actor.user == "U0ALICE"
    assert workspace.slack.replies == [{"delete_original": True}], "its card follows"


async def test_suggested_button_is_judged_for_the_presser(workspace: Workspace) -> None:
    """A press by someone without a role sends nothing."""
    await workspace.interact(_press(workspace, "stop live stream1", "U0NOBODY"))
    await workspace.settle()

    assert workspace.house.cloud.sent == []


async def test_suggested_button_with_a_mistake_sends_nothing(workspace: Workspace) -> None:
    """A value that is no command is refused like a typed one."""
    await workspace.interact(_press(workspace, "nonsense"))
    await workspace.settle()

    assert workspace.house.cloud.sent == []
    (operation,) = await workspace.house.service.queries.recent(None)
    assert operation.state is State.INVALID
