"""What `stopstream check` asks Slack: for a socket, and about the channels and the owner."""

from collections.abc import AsyncIterator, Mapping

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


async def check_places(
    client: AsyncWebClient, identity: Identity, channels: Mapping[str, str], owner: str
) -> AsyncIterator[tuple[bool, str]]:
    """Yield the same of the channels that the bot posts in, and of whom people are sent to.

    Args:
        channels: By what is posted there; see `check_channel`.
        owner: A channel or person; empty for none.
    """
    for purpose, channel in channels.items():
        yield await check_channel(client, channel, identity, purpose)
    if owner:
        yield await check_owner(client, owner)


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


async def check_owner(client: AsyncWebClient, owner: str) -> tuple[bool, str]:
    """Return whether there is a channel or person to turn to, and a line that says so.

    The bot posts nothing there, so it need not be in the channel.
    """
    asked = without_retries(client)
    is_person = owner[0] in "UW"
    found = asked.users_info(user=owner) if is_person else asked.conversations_info(channel=owner)
    outcome = await call(found)
    match outcome:
        case Answered(data):
            about = data.get("user" if is_person else "channel")
            about = about if isinstance(about, dict) else {}
            if about.get("deleted") is True or about.get("is_archived") is True:
                gone = "is deactivated" if is_person else "is archived"
                return False, f"STOPSTREAM_OWNER, {owner}, {gone}: name who is to be turned to now"
            sign = "@" if is_person else "#"
            return True, f"people are sent to {sign}{about.get('name') or owner} ({owner})"
        case Refused("user_not_found" | "user_not_visible"):
            return False, f"STOPSTREAM_OWNER, {owner}, is nobody in this workspace"
        case Refused("channel_not_found"):
            where = "it does not exist, or it is private and the bot is not in it"
            return False, f"STOPSTREAM_OWNER, {owner}, is not found: {where}"
        case _:
            return False, f"STOPSTREAM_OWNER, {owner}, can't be read: {outcome.why}"
