"""What `stopstream check` asks Slack about the app: its socket, and the audit channel."""

from slack_sdk.web.async_client import AsyncWebClient

from handlers.slack.api_calls import Answered, Refused, call, without_retries
from handlers.slack.web_client import Identity


async def check_socket(client: AsyncWebClient, app_token: str) -> tuple[bool, str]:
    """Return whether Slack opens a socket with an app-level token, and a line that says so.

    Nothing connects to the address that Slack answers with: what it sends there would be lost.
    """
    outcome = await call(without_retries(client).apps_connections_open(app_token=app_token))
    match outcome:
        case Answered():
            return True, "SLACK_APP_TOKEN opens a socket"
        case Refused("missing_scope"):
            need = "it needs the scope connections:write; make one under Basic Information"
            return False, f"SLACK_APP_TOKEN opens no socket: {need}"
        case _:
            return False, f"SLACK_APP_TOKEN opens no socket: {outcome.why}"


async def check_channel(
    client: AsyncWebClient, channel: str, identity: Identity, purpose: str = "audit"
) -> tuple[bool, str]:
    """Return whether the bot can post in a channel, and a line that says so.

    Args:
        purpose: What the bot posts there: `audit` or `alert`.
    """
    outcome = await call(without_retries(client).conversations_info(channel=channel))
    invite = f"/invite @{identity.name or 'stopstream'}"
    match outcome:
        case Answered(data) if isinstance(found := data.get("channel"), dict):
            named = f"#{found.get('name') or channel} ({channel})"
            if found.get("is_archived") is True:
                return False, f"the {purpose} channel {named} is archived"
            if found.get("is_member") is not True:
                return (
                    False,
                    f"the bot is not in the {purpose} channel {named}: type {invite} there",
                )
            return True, f"{purpose} lines go to {named}, and the bot is in it"
        case Refused("channel_not_found"):
            where = f"it does not exist, or it is private and the bot is not in it ({invite})"
            return False, f"the {purpose} channel {channel} is not found: {where}"
        case Answered():
            return False, f"Slack did not say what the {purpose} channel {channel} is"
        case _:
            return False, f"the {purpose} channel {channel} can't be read: {outcome.why}"
