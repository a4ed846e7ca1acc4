"""Changes of user groups take effect at once, not when the directory's cache expires.

Source: https://docs.slack.dev/reference/events/subteam_members_changed
"""

from typing import Any

from slack_bolt.async_app import AsyncApp

from handlers.slack.directory import Directory
from handlers.slack.payloads import text_at


def register(app: AsyncApp, *, directory: Directory) -> None:
    """Register changes of user groups."""

    @app.event("subteam_members_changed")
    async def subteam_members_changed(event: dict[str, Any]) -> None:
        """Drop the group's members from the cache."""
        directory.forget_group(text_at(event, "subteam_id"))
