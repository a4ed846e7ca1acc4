"""Reads back what the audit channel has witnessed: the signed checkpoints that the bot posted.

Source: https://docs.slack.dev/reference/methods/conversations.history
"""

from collections.abc import Iterator, Mapping
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.audit import checkpoints as seals
from bot.audit.checkpoints import SignedCheckpoint
from handlers.slack.api_calls import call_or_raise, with_rate_limit_retries
from handlers.slack.messenger import EVENT_TYPE

_PAGE = 999
"""Messages at once: the most that Slack gives."""


async def witnessed(client: AsyncWebClient, channel: str, bot: str) -> list[SignedCheckpoint]:
    """Give every checkpoint that stands in a channel, the newest first.

    Args:
        bot: The bot's own bot id: what anyone else wrote is no witness.

    Raises:
        CallError: Slack did not give its messages.
    """
    patient = with_rate_limit_retries(client)
    found: list[SignedCheckpoint] = []
    cursor = ""
    while True:
        answer = await call_or_raise(
            patient.conversations_history(
                channel=channel, limit=_PAGE, cursor=cursor or None, include_all_metadata=True
            )
        )
        found += _seals(answer.data, bot)
        cursor = (answer.data.get("response_metadata") or {}).get("next_cursor") or ""
        if not cursor:
            return found


def _seals(data: Mapping[str, Any], bot: str) -> Iterator[SignedCheckpoint]:
    for message in data.get("messages") or ():
        metadata = message.get("metadata") or {}
        if message.get("bot_id") != bot or metadata.get("event_type") != EVENT_TYPE:
            continue
        key = (metadata.get("event_payload") or {}).get("key")
        seal = seals.parse_checkpoint(key) if isinstance(key, str) else None
        if seal is not None:
            yield seal
