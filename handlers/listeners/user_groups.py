"""Keeps the directory fresh: a change of a user group counts at once, not when memory lapses.

Source: https://docs.slack.dev/reference/events/subteam_members_changed
"""

from typing import Any

from slack_bolt.async_app import AsyncApp

from handlers.slack.directory import Directory
from handlers.slack.payloads import text_at


def register(app: AsyncApp, *, directory: Directory) -> None:
    """Take changes of user groups."""

    @app.event("subteam_members_changed")
    async def subteam_members_changed(event: dict[str, Any]) -> None:
        """Forget who was in the group."""
        directory.forget_group(text_at(event, "subteam_id"))
