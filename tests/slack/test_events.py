"""Events that are no request: the home tab is opened, a user group changes."""

from tests.support.slack_app import Workspace


async def test_home_tab_is_published_when_opened(workspace: Workspace) -> None:
    """Opening the home tab publishes a view for the user who opened it."""
    await workspace.command("live stream1")
    await workspace.event({"type": "app_home_opened", "user": "U0ALICE", "tab": "home"})
    await workspace.background.stop(grace=60.0)

    (published,) = workspace.slack.asked("views.publish")
    assert published["user_id"] == "U0ALICE"
    assert "stop `stream1`" in str(published["view"])


async def test_home_tab_reports_unreadable_roles(
    workspace: Workspace,
) -> None:
    """The home tab reports when the roles of its user could not be read."""
    workspace.house.directory.people.clear()
    await workspace.event({"type": "app_home_opened", "user": "U0ALICE", "tab": "home"})
    await workspace.background.stop(grace=60.0)

    (published,) = workspace.slack.asked("views.publish")
    assert "Slack did not say who you are." in str(published["view"])


async def test_home_tab_ignores_messages_tab(workspace: Workspace) -> None:
    """Opening the messages tab makes no call to the Slack API."""
    await workspace.event({"type": "app_home_opened", "user": "U0ALICE", "tab": "messages"})
    await workspace.background.stop(grace=60.0)

    assert workspace.slack.calls == []


async def test_directory_refreshes_changed_user_group(workspace: Workspace) -> None:
    """A user group change event takes effect in the directory at once."""
    workspace.slack.groups = {"S0ONCALL": ["U0ALICE"]}
    among = frozenset({"S0ONCALL"})
    assert await workspace.directory.groups("U0ALICE", among) == among
    workspace.slack.groups = {"S0ONCALL": []}

    await workspace.event({"type": "subteam_members_changed", "subteam_id": "S0ONCALL"})

    assert await workspace.directory.groups("U0ALICE", among) == frozenset()
