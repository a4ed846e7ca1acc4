"""Reads back what the bot posted in the audit channel, with what its metadata vouches for.

Source: https://docs.slack.dev/reference/methods/conversations.history
"""

from collections.abc import Iterator, Mapping
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.audit.checkpoints import SignedCheckpoint, parse_checkpoint
from bot.audit.witness import PostedMessage
from handlers.slack.api_calls import call_or_raise, with_rate_limit_retries
from handlers.slack.delivery_lookup import next_cursor, own_payload
from handlers.slack.posting import seal_payload

_PAGE = 999
"""Messages per request: the most that Slack returns."""


async def posted_messages(client: AsyncWebClient, channel: str, bot: str) -> list[PostedMessage]:
    """Return the bot's own messages in a channel, the newest first.

    Args:
        bot: The bot's own bot id: what anyone else wrote proves nothing.

    Raises:
        CallError: Slack did not return its messages.
    """
    patient = with_rate_limit_retries(client)
    found: list[PostedMessage] = []
    cursor = ""
    while True:
        answer = await call_or_raise(
            patient.conversations_history(
                channel=channel, limit=_PAGE, cursor=cursor or None, include_all_metadata=True
            )
        )
        found += _messages(answer.data, bot)
        cursor = next_cursor(answer.data)
        if not cursor:
            return found


def _messages(data: Mapping[str, Any], bot: str) -> Iterator[PostedMessage]:
    for message in data.get("messages") or ():
        payload = own_payload(message, bot)
        # One whose metadata was removed is still the bot's.
        if payload or message.get("bot_id") == bot:
            yield PostedMessage(
                str(message.get("ts", "")),
                _seal(payload),
                str(message.get("text") or ""),
                is_changed="edited" in message or not _is_plain(message),
            )


def _seal(payload: Mapping[str, Any]) -> SignedCheckpoint | None:
    """Return the checkpoint of a message, or the end of the log that an audit line names."""
    checkpoint = parse_checkpoint(str(payload.get("key")))
    if checkpoint is not None:
        return checkpoint
    seal = str(payload.get("seal"))
    says = seal_payload(seal)
    return parse_checkpoint(seal) if says and says.items() <= payload.items() else None


def _is_plain(message: Mapping[str, Any]) -> bool:
    """Return whether a message shows its text: Slack may have made `rich_text` of it."""
    blocks = message.get("blocks") or ()
    return all(block.get("type") == "rich_text" for block in blocks)
