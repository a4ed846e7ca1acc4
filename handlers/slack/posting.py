"""Sends one rendered message: to a channel, in place of an earlier one, or to one person alone."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

import structlog
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.audit.checkpoints import parse_checkpoint
from bot.model.people import Place
from handlers.messages.blocks import Message
from handlers.slack.api_calls import Answered, Outcome, Refused, call, respond
from handlers.slack.error_codes import is_final

log = structlog.get_logger("stopstream.desk")

EVENT_TYPE = "stopstream_operation"
"""Of a message's metadata, whose payload carries the delivery's key."""

_THREAD_TIMEOUT = 2.0
"""Seconds for reading a thread before a private message is sent."""

_INVALID_BLOCKS = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"})

_Request: TypeAlias = Callable[[Sequence[Mapping[str, Any]] | None], Awaitable[AsyncSlackResponse]]
"""Sends with these blocks, or as text alone."""


async def post(
    client: AsyncWebClient,
    channel: str,
    thread_ts: str,
    message: Message,
    key: str = "",
    *,
    seal: str = "",
) -> Outcome:
    """Post a message, with a key in its metadata by which it can be found again.

    Args:
        seal: The signed end of the audit log, for the metadata; empty for none.
    """
    payload = {"key": key} | seal_payload(seal)
    metadata = {"event_type": EVENT_TYPE, "event_payload": payload} if key else None

    def request(blocks: Sequence[Mapping[str, Any]] | None) -> Awaitable[AsyncSlackResponse]:
        return client.chat_postMessage(
            channel=channel,
            text=message.text,
            blocks=blocks,  # type: ignore[arg-type] # any sequence of dicts will do
            thread_ts=thread_ts or None,
            metadata=metadata,
            unfurl_links=False,
            unfurl_media=False,
        )

    return await _with_blocks(message, request)


def seal_payload(seal: str) -> dict[str, Any]:
    """Return what a message's metadata says of the end of the audit log; nothing without one."""
    end = parse_checkpoint(seal)
    return {"seq": end.seq, "hash": end.hash, "seal": seal} if end is not None else {}


async def update(client: AsyncWebClient, channel: str, ts: str, message: Message) -> Outcome:
    """Replace a message."""

    def request(blocks: Sequence[Mapping[str, Any]] | None) -> Awaitable[AsyncSlackResponse]:
        return client.chat_update(
            channel=channel,
            ts=ts,
            text=message.text,
            blocks=blocks,  # type: ignore[arg-type] # any sequence of dicts will do
        )

    return await _with_blocks(message, request)


async def send_private(
    client: AsyncWebClient,
    user: str,
    place: Place,
    message: Message,
    *,
    key: str = "",
    any_failure: bool = False,
) -> Outcome:
    """Send a message to one person alone, in the first way that Slack accepts.

    The ways are an ephemeral message in the thread, the `response_url`, an ephemeral message in
    the channel, and a direct message.

    Args:
        place: Its `reply_url` is empty once Slack no longer accepts it.
        key: For the metadata of a direct message.
        any_failure: Try the next way after any failure, where the caller does not try again;
            else only after a refusal that a repetition would not change.
    """
    if thread_ts := await visible_thread(client, place):
        outcome = await _post_ephemeral(client, user, place.channel, thread_ts, message)
        if not _tries_next(outcome, any_failure=any_failure):
            return outcome
    # A `response_url` knows no thread: its message appears in the channel.
    if place.reply_url:
        outcome = await respond(client, place.reply_url, message)
        if not _tries_next(outcome, any_failure=any_failure):
            return outcome
    if place.channel:
        outcome = await _post_ephemeral(client, user, place.channel, "", message)
        if not (isinstance(outcome, Refused) and is_final(outcome.code)):
            return outcome
    return await post(client, user, "", message, key)


async def visible_thread(client: AsyncWebClient, place: Place) -> str:
    """Return the thread of a place if Slack shows ephemeral messages in it, else nothing.

    Slack shows them only in a thread that has a reply already, so not under a message that has
    none. Where Slack does not say, the channel is the safe choice.

    Source: https://docs.slack.dev/reference/methods/chat.postEphemeral
    """
    if not (place.channel and place.thread_ts):
        return ""
    request = client.conversations_replies(channel=place.channel, ts=place.thread_ts, limit=2)
    outcome = await call(request, _THREAD_TIMEOUT)
    found = outcome.data.get("messages") if isinstance(outcome, Answered) else None
    messages = found if isinstance(found, list) else []
    replies = any(isinstance(m, dict) and m.get("ts") != place.thread_ts for m in messages)
    return place.thread_ts if replies else ""


def _tries_next(outcome: Outcome, *, any_failure: bool) -> bool:
    if any_failure:
        return not isinstance(outcome, Answered)
    return isinstance(outcome, Refused) and outcome.code != "ratelimited"


async def _post_ephemeral(
    client: AsyncWebClient, user: str, channel: str, thread_ts: str, message: Message
) -> Outcome:
    def request(blocks: Sequence[Mapping[str, Any]] | None) -> Awaitable[AsyncSlackResponse]:
        return client.chat_postEphemeral(
            channel=channel,
            user=user,
            text=message.text,
            blocks=blocks,  # type: ignore[arg-type] # any sequence of dicts will do
            thread_ts=thread_ts or None,
        )

    return await _with_blocks(message, request)


async def _with_blocks(message: Message, request: _Request) -> Outcome:
    """Send with blocks; if Slack refuses them, send the text alone, which is complete."""
    outcome = await call(request(list(message.blocks) or None))
    if isinstance(outcome, Refused) and outcome.code in _INVALID_BLOCKS and message.blocks:
        log.error("Slack refused the blocks of a message", code=outcome.code)
        outcome = await call(request([]))
    return outcome
