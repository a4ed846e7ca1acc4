"""Looks up whether a message whose answer was lost has reached Slack, by its metadata key."""

from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from typing import Any

import structlog
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.model.messages import RetryLater, Sent
from handlers.slack.api_calls import (
    AUTH_ERRORS,
    AUTH_RETRY_AFTER,
    Answered,
    NotSent,
    Outcome,
    Refused,
    UnknownOutcome,
    auth_problem,
    call,
)
from handlers.slack.error_codes import NO_LOOKUP, is_final
from handlers.slack.posting import EVENT_TYPE

log = structlog.get_logger("stopstream.desk")

_CLOCK_SKEW = 600.0
"""Seconds that Slack's clock and ours may differ; Tencent Cloud takes nothing beyond 300."""

_PAGE, _PAGES = 200, 5


async def find_message(
    client: AsyncWebClient, *, bot: str, channel: str, thread_ts: str, key: str, since: float
) -> Sent | RetryLater | None:
    """Find the bot's message with a key.

    Args:
        bot: The bot's own bot id: only its own messages count as sent.
        since: Epoch seconds before which it cannot have been sent.

    Returns:
        Where it is; when to look again; or None if it is not there or can never be looked up.
    """
    async for outcome in _pages(client, channel, thread_ts, since):
        if not isinstance(outcome, Answered):
            return _retry(outcome)
        if found := _by_key(outcome.data, bot, key):
            return _sent(channel, found)
    return None


async def find_beside(
    client: AsyncWebClient,
    *,
    bot: str,
    channel: str,
    thread_ts: str,
    key: str,
    since: float,
    counts: str,
) -> list[str]:
    """Return the `ts` of the bot's messages with a key that stand beside the one that counts.

    What somebody has replied to is left out. Where Slack does not answer, or does not show the one
    that counts, nothing is found. See find_message.
    """
    found = list[Mapping[str, Any]]()
    async for outcome in _pages(client, channel, thread_ts, since):
        if not isinstance(outcome, Answered):
            log.warning("what was posted twice cannot be looked up", why=outcome.why)
            return []
        found += _by_key(outcome.data, bot, key)
    if all(one.get("ts") != counts for one in found):
        return []
    return [str(one["ts"]) for one in found if one["ts"] != counts and not one.get("reply_count")]


async def _pages(
    client: AsyncWebClient, channel: str, thread_ts: str, since: float
) -> AsyncIterator[Outcome]:
    """Read a channel or thread; what is no answer is the last."""
    cursor = ""
    for _ in range(_PAGES):
        outcome = await call(_read_page(client, channel, thread_ts, since, cursor))
        yield outcome
        cursor = next_cursor(outcome.data) if isinstance(outcome, Answered) else ""
        if not cursor:
            return


def next_cursor(data: Mapping[str, Any]) -> str:
    """Return the cursor of the next page, or nothing after the last one."""
    cursor = (data.get("response_metadata") or {}).get("next_cursor")
    return cursor if isinstance(cursor, str) else ""


def _read_page(
    client: AsyncWebClient, channel: str, thread_ts: str, since: float, cursor: str
) -> Awaitable[AsyncSlackResponse]:
    oldest = f"{max(0.0, since - _CLOCK_SKEW):.6f}"
    if thread_ts:
        return client.conversations_replies(
            channel=channel,
            ts=thread_ts,
            oldest=oldest,
            limit=_PAGE,
            cursor=cursor or None,
            include_all_metadata=True,
        )
    return client.conversations_history(
        channel=channel,
        oldest=oldest,
        limit=_PAGE,
        cursor=cursor or None,
        include_all_metadata=True,
    )


def _by_key(data: Mapping[str, Any], bot: str, key: str) -> list[Mapping[str, Any]]:
    messages = data.get("messages")
    return [
        message
        for message in (messages if isinstance(messages, list) else ())
        if own_payload(message, bot).get("key") == key and message.get("ts")
    ]


def _sent(channel: str, found: Sequence[Mapping[str, Any]]) -> Sent:
    """Return where the newest of some messages stands, with the seal that it was posted with."""
    message = found[0]
    seal = str(message["metadata"]["event_payload"].get("seal") or "")
    text = str(message.get("text") or "") if seal else ""
    return Sent(channel, str(message["ts"]), seal, text, maybe_twice=len(found) > 1)


def own_payload(message: Mapping[str, Any], bot: str) -> Mapping[str, Any]:
    """Return what the metadata of one of the bot's own messages says; empty for any other."""
    metadata = message.get("metadata") or {}
    if metadata.get("event_type") != EVENT_TYPE or message.get("bot_id") != bot:
        return {}
    return metadata.get("event_payload") or {}


def _retry(outcome: Refused | NotSent | UnknownOutcome) -> RetryLater | None:
    """Return when to look again; None where it will never be possible."""
    match outcome:
        case Refused("ratelimited", wait):
            return RetryLater(wait, "Slack is asked too often", uncertain=True)
        case Refused(code) if code in AUTH_ERRORS and code != "missing_scope":
            return RetryLater(AUTH_RETRY_AFTER, auth_problem(code), uncertain=True)
        case Refused(code) if code not in NO_LOOKUP and not is_final(code):
            return RetryLater(0.0, outcome.why, uncertain=True, refused=True)
        case Refused(code):
            # Without the look-up, twice is better than never.
            log.warning("a lost message cannot be looked up", code=code)
            return None
        case NotSent(why) | UnknownOutcome(why):
            return RetryLater(1.0, why, uncertain=True)
