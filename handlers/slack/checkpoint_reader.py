"""Reads back the signed checkpoints that the bot posted in the audit channel.

Source: https://docs.slack.dev/reference/methods/conversations.history
"""

from collections.abc import Iterator, Mapping
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.audit.checkpoints import SignedCheckpoint, parse_checkpoint
from handlers.slack.api_calls import call_or_raise, with_rate_limit_retries
from handlers.slack.delivery_lookup import next_cursor
from handlers.slack.posting import EVENT_TYPE

_PAGE = 999
"""Messages per request: the most that Slack returns."""


async def witnessed(client: AsyncWebClient, channel: str, bot: str) -> list[SignedCheckpoint]:
    """Return every checkpoint in a channel, the newest first.

    Args:
        bot: The bot's own bot id: what anyone else wrote proves nothing.

    Raises:
        CallError: Slack did not return its messages.
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
        found += _checkpoints(answer.data, bot)
        cursor = next_cursor(answer.data)
        if not cursor:
            return found


def _checkpoints(data: Mapping[str, Any], bot: str) -> Iterator[SignedCheckpoint]:
    for message in data.get("messages") or ():
        metadata = message.get("metadata") or {}
        if message.get("bot_id") != bot or metadata.get("event_type") != EVENT_TYPE:
            continue
        key = (metadata.get("event_payload") or {}).get("key")
        checkpoint = parse_checkpoint(key) if isinstance(key, str) else None
        if checkpoint is not None:
            yield checkpoint
