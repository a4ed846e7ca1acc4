"""The global shortcut, and who may open the form."""

from dataclasses import replace

import pytest

from tests.support.fake_slack import TEAM
from tests.support.slack_app import Workspace


@pytest.mark.parametrize("known", [True, False])
async def test_form_opens_only_for_members(workspace: Workspace, known: bool) -> None:
    """The form is not opened for guests or unknown users, and they are told why."""
    people = workspace.house.directory.people
    if known:
        people["U0ALICE"] = replace(people["U0ALICE"], guest=True)
    else:
        people.clear()
    said = "Guests may not use" if known else "Slack did not say who you are."
    assert await workspace.command("") in ("Guests may not use this bot.", "")
    await workspace.interact(
        {
            "type": "shortcut",
            "callback_id": "open_form",
            "trigger_id": "trigger.shortcut",
            "user": {"id": "U0ALICE", "team_id": TEAM},
        }
    )
    await workspace.background.stop(grace=60.0)

    assert workspace.slack.asked("views.open") == []
    assert known or said in workspace.slack.replies[0]["text"]
    (direct,) = workspace.slack.asked("chat.postMessage")
    assert direct["channel"] == "U0ALICE"
    assert said in direct["text"]
