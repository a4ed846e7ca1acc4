"""Delivers messages to people: each row of the outbox becomes one message in Slack."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

import structlog
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.catalog.registry import action_of
from bot.model.actions import Action
from bot.model.commands import Via
from bot.model.messages import (
    Delivery,
    DeliveryResult,
    EphemeralNotice,
    MessageKind,
    RetryLater,
    Sent,
    Undeliverable,
)
from bot.model.operations import Operation, State
from bot.model.people import Place
from handlers.messages import audit_line, cards, endings, replies
from handlers.messages import off_air as off_air_messages
from handlers.messages.blocks import Message
from handlers.slack.api_calls import (
    AUTH,
    Answered,
    NotSent,
    Outcome,
    Refused,
    UnknownOutcome,
    call,
    reply,
    seen_thread,
    without_retries,
)

log = structlog.get_logger("stopstream.desk")

EVENT_TYPE = "stopstream_operation"
"""Of a message's metadata, whose payload carries the delivery's key."""

REPLY_FOR = 1800.0
"""Seconds for which Slack takes a `response_url`."""

MEND = 60.0
"""Seconds between two tries while a token or an installation must be mended."""

_BACK = 120.0
"""Seconds that Slack's clock and ours may differ when a lost message is looked up."""

_CARD_WITHIN = 15.0
"""Seconds for which an audit line waits for the card that it links to."""

_PAGE, _PAGES = 200, 5
_PERMALINK_PATIENCE = 3.0

_GONE = {
    "cannot_reply_to_message": "Slack takes no replies to that message",
    "channel_is_archived": "the channel is archived",
    "channel_not_found": "the channel is gone, or the bot is not in it",
    "is_archived": "the channel is archived",
    "not_in_channel": "the bot is not in the channel",
    "restricted_action": "the workspace lets only some people post there",
    "user_not_in_channel": "the asker is not in the channel",
}
"""Refusals that stay, in words; the others are shown by their code."""

_NOT_THERE = frozenset({"channel_not_found", "is_archived", "not_in_channel"})
_BAD_BLOCKS = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"})
_LOST_CARD = frozenset({"cant_update_message", "edit_window_closed", "message_not_found"})
_NO_WHISPER = frozenset({"channel_not_found", "not_in_channel", "user_not_in_channel"})

_Request: TypeAlias = Callable[[Sequence[Mapping[str, Any]] | None], Awaitable[AsyncSlackResponse]]
"""Sends with these blocks, or as text alone."""


class Messenger:
    """Hands messages to Slack; never sends one twice by itself.

    Args:
        bot: The bot's own bot id: only its own messages count as sent.
        audit_channel: Where audit lines and notices go; may be empty.
        lost: Called with a channel that Slack says the bot is not in.
        clock: Epoch seconds.

    Attributes:
        trouble: Why Slack takes nothing from the bot at all; empty if it does.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        *,
        bot: str,
        audit_channel: str = "",
        lost: Callable[[str], None] = lambda _channel: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = without_retries(client)
        self._bot = bot
        self._audit_channel = audit_channel
        self._lost = lost
        self._clock = clock
        self.trouble = ""

    async def deliver(self, delivery: Delivery) -> DeliveryResult:
        """Render the operation as it is now and hand it to Slack. Never raises for Slack's sake."""
        operation = delivery.operation
        action = action_of(operation)
        match delivery.kind:
            case MessageKind.CARD:
                return await self._card(delivery, cards.card(operation, action))
            case MessageKind.REMINDER if operation.state is not State.WAITING:
                return Sent()
            case MessageKind.PRIVATE:
                return await self._private(delivery, action)
            case owed if owed in _IN_THREAD:
                message = _IN_THREAD[owed](operation, action, delivery.observed)
                return await self._in_thread(delivery, message)
            case _:
                return await self._audit(delivery, action)

    async def send_ephemeral(self, word: EphemeralNotice) -> DeliveryResult:
        """Say a sentence to one person alone."""
        return await self._aside(
            word.actor.user,
            word.place,
            word.pressed_at,
            replies.ephemeral_notice(word),
            f"word:{word.actor.user}",
        )

    async def announce(self, text: str, key: str, *, uncertain: bool) -> DeliveryResult:
        """Say something that belongs to no operation in the audit channel.

        Args:
            text: Plain; it is escaped here.
            key: For the message's metadata.
            uncertain: An earlier try may have reached Slack.
        """
        return await self._say(
            self._audit_channel,
            "",
            audit_line.audit_notice(text),
            key,
            uncertain=uncertain,
            since=0.0,
        )

    # --- the kinds --------------------------------------------------------------

    async def _card(self, delivery: Delivery, message: Message) -> DeliveryResult:
        operation = delivery.operation
        place = operation.place
        if not place.channel:
            return Undeliverable(_NO_CHANNEL)
        channel, ts = operation.card_channel or place.channel, operation.card_ts
        if not ts and delivery.uncertain:
            found = await self._find(channel, place.thread_ts, delivery.key, operation.asked_at)
            if isinstance(found, Sent):
                # It may have been posted for an earlier state.
                channel, ts = found.channel or channel, found.ts
            elif found is not None:
                return found
        if ts:
            outcome = await self._with_blocks(message, self._update(channel, ts, message.text))
            if not (isinstance(outcome, Refused) and outcome.code in _LOST_CARD):
                return self._settled(outcome, channel, ts)
        # For the first time; or anew, where someone removed it: the state must stand somewhere.
        outcome = await self._post(place.channel, place.thread_ts, message, delivery.key)
        return self._settled(outcome, place.channel)

    async def _in_thread(self, delivery: Delivery, message: Message) -> DeliveryResult:
        operation = delivery.operation
        return await self._say(
            operation.card_channel or operation.place.channel,
            operation.place.thread_ts or operation.card_ts,
            message,
            delivery.key,
            uncertain=delivery.uncertain,
            since=operation.asked_at,
        )

    async def _private(self, delivery: Delivery, action: Action | None) -> DeliveryResult:
        operation = delivery.operation
        link = await self._permalink(operation) if operation.duplicate_of else ""
        message = endings.private_reply(operation, action, link, again=delivery.uncertain)
        user, key = operation.actor.user, f"{operation.id}:private"
        # Whoever pressed in a list does not look at the thread that it is about.
        elsewhere = Place("", reply_url=operation.place.reply_url)
        place = elsewhere if operation.via is Via.LIST else operation.place
        return await self._aside(user, place, operation.asked_at, message, key)

    async def _aside(
        self, user: str, place: Place, at: float, message: Message, key: str
    ) -> DeliveryResult:
        """Tell one person alone, in the first way that Slack still takes.

        Args:
            at: When Slack gave `place.reply_url`, epoch seconds.
        """
        thread = await seen_thread(self._client, place)
        if thread:
            outcome = await self._whisper(user, place.channel, thread, message)
            if not isinstance(outcome, Refused) or outcome.code == "ratelimited":
                return self._settled(outcome, place.channel)
        # A `response_url` knows no thread: what it brings stands in the channel.
        if place.reply_url and self._clock() - at < REPLY_FOR:
            outcome = await reply(self._client, place.reply_url, message)
            if not isinstance(outcome, Refused) or outcome.code == "ratelimited":
                return self._settled(outcome, place.channel)
        outcome = await self._whisper(user, place.channel, "", message)
        if isinstance(outcome, Refused) and outcome.code in _NO_WHISPER:
            # Where nobody can be told aside, a direct message still reaches them.
            outcome = await self._post(user, "", message, key)
            return self._settled(outcome, user)
        return self._settled(outcome, place.channel)

    async def _audit(self, delivery: Delivery, action: Action | None) -> DeliveryResult:
        operation = delivery.operation
        young = self._clock() - operation.asked_at < _CARD_WITHIN
        if young and operation.state is not State.DENIED and _has_no_card_yet(operation):
            return RetryLater(0.5, "the card that it links to does not stand yet")
        link = await self._permalink(operation)
        message = audit_line.audit_line(operation, action, link, delivery.about_state)
        return await self._say(
            self._audit_channel,
            "",
            message,
            delivery.key,
            uncertain=delivery.uncertain,
            since=operation.asked_at,
        )

    # --- one message -----------------------------------------------------------------

    async def _say(
        self,
        channel: str,
        thread_ts: str,
        message: Message,
        key: str,
        *,
        uncertain: bool,
        since: float,
    ) -> DeliveryResult:
        """Post a message, unless an earlier try is found standing there."""
        if not channel:
            return Undeliverable(_NO_CHANNEL)
        if uncertain:
            found = await self._find(channel, thread_ts, key, since)
            if found is not None:
                return found
        outcome = await self._post(channel, thread_ts, message, key)
        return self._settled(outcome, channel)

    async def _post(self, channel: str, thread_ts: str, message: Message, key: str) -> Outcome:
        def request(blocks: Sequence[Mapping[str, Any]] | None) -> Awaitable[AsyncSlackResponse]:
            return self._client.chat_postMessage(
                channel=channel,
                text=message.text,
                blocks=blocks,  # type: ignore[arg-type] # any sequence of dicts will do
                thread_ts=thread_ts or None,
                metadata={"event_type": EVENT_TYPE, "event_payload": {"key": key}},
                unfurl_links=False,
                unfurl_media=False,
            )

        return await self._with_blocks(message, request)

    def _update(self, channel: str, ts: str, text: str) -> _Request:
        def request(blocks: Sequence[Mapping[str, Any]] | None) -> Awaitable[AsyncSlackResponse]:
            return self._client.chat_update(
                channel=channel,
                ts=ts,
                text=text,
                blocks=blocks,  # type: ignore[arg-type] # any sequence of dicts will do
            )

        return request

    async def _whisper(self, user: str, channel: str, thread_ts: str, message: Message) -> Outcome:
        def request(blocks: Sequence[Mapping[str, Any]] | None) -> Awaitable[AsyncSlackResponse]:
            return self._client.chat_postEphemeral(
                channel=channel,
                user=user,
                text=message.text,
                blocks=blocks,  # type: ignore[arg-type] # any sequence of dicts will do
                thread_ts=thread_ts or None,
            )

        return await self._with_blocks(message, request)

    async def _with_blocks(self, message: Message, request: _Request) -> Outcome:
        """Send with blocks; if Slack does not like them, the text alone says it all."""
        outcome = await call(request(list(message.blocks) or None))
        if isinstance(outcome, Refused) and outcome.code in _BAD_BLOCKS and message.blocks:
            log.error("Slack refused the blocks of a message", code=outcome.code)
            outcome = await call(request([]))
        return outcome

    async def _permalink(self, operation: Operation) -> str:
        """Give the address of the card, if Slack tells it at once."""
        if not operation.card_ts:
            return ""
        request = self._client.chat_getPermalink(
            channel=operation.card_channel or operation.place.channel,
            message_ts=operation.card_ts,
        )
        outcome = await call(request, _PERMALINK_PATIENCE)
        found = outcome.data.get("permalink") if isinstance(outcome, Answered) else None
        return found if isinstance(found, str) else ""

    # --- lost answers ------------------------------------------------------------------

    async def _find(
        self, channel: str, thread_ts: str, key: str, since: float
    ) -> DeliveryResult | None:
        """Look up whether a message of ours with this key stands there; None if it does not."""
        cursor = ""
        for _ in range(_PAGES):
            outcome = await call(self._read(channel, thread_ts, since, cursor))
            if not isinstance(outcome, Answered):
                return _not_looked_up(outcome)
            if ts := self._standing(outcome.data, key):
                return Sent(channel, ts)
            cursor = _next(outcome.data)
            if not cursor:
                break
        return None

    def _read(
        self, channel: str, thread_ts: str, since: float, cursor: str
    ) -> Awaitable[AsyncSlackResponse]:
        oldest = f"{max(0.0, since - _BACK):.6f}"
        if thread_ts:
            return self._client.conversations_replies(
                channel=channel,
                ts=thread_ts,
                oldest=oldest,
                limit=_PAGE,
                cursor=cursor or None,
                include_all_metadata=True,
            )
        return self._client.conversations_history(
            channel=channel,
            oldest=oldest,
            limit=_PAGE,
            cursor=cursor or None,
            include_all_metadata=True,
        )

    def _standing(self, data: Mapping[str, Any], key: str) -> str:
        messages = data.get("messages")
        for message in messages if isinstance(messages, list) else ():
            metadata = message.get("metadata") or {}
            ours = metadata.get("event_type") == EVENT_TYPE and message.get("bot_id") == self._bot
            if ours and (metadata.get("event_payload") or {}).get("key") == key:
                return str(message.get("ts", ""))
        return ""

    # --- what came of it -----------------------------------------------------------------

    def _settled(self, outcome: Outcome, channel: str, ts: str = "") -> DeliveryResult:
        match outcome:
            case Answered(data):
                self.trouble = ""
                return Sent(str(data.get("channel") or channel), str(data.get("ts") or ts))
            case NotSent(why):
                return RetryLater(1.0, why)
            case UnknownOutcome(why):
                return RetryLater(1.0, why, uncertain=True)
            case Refused("ratelimited", wait):
                return RetryLater(wait, "Slack is asked too often")
            case Refused(code) if code in AUTH:
                self.trouble = _auth(code)
                return RetryLater(MEND, self.trouble)
            case Refused(code):
                if code in _NOT_THERE:
                    self._lost(channel)
                why = _GONE.get(code, f"Slack refused it ({code})")
                return Undeliverable(f"{why[:1].upper()}{why[1:]}.", closed=code in _GONE)


_NO_CHANNEL = "There is no channel to post it in."

_IN_THREAD: Mapping[MessageKind, Callable[[Operation, Action | None, str], Message]] = {
    MessageKind.ENDING: lambda operation, action, _: endings.ending(operation, action),
    MessageKind.REMINDER: lambda operation, action, _: endings.reminder(operation, action),
    MessageKind.LOOKED: endings.verification,
    MessageKind.LIFT: off_air_messages.expiry_notice,
    MessageKind.LIFTED: off_air_messages.expired_notice,
}


def _has_no_card_yet(operation: Operation) -> bool:
    return bool(operation.place.channel) and not operation.card_ts


def _not_looked_up(outcome: Refused | NotSent | UnknownOutcome) -> RetryLater | None:
    """Say when to look again; None where it will never be possible."""
    match outcome:
        case Refused("ratelimited", wait):
            return RetryLater(wait, "Slack is asked too often", uncertain=True)
        case Refused(code) if code in AUTH and code != "missing_scope":
            return RetryLater(MEND, _auth(code), uncertain=True)
        case Refused(code):
            # Without the look-up, twice is better than never.
            log.warning("a lost message cannot be looked up", code=code)
            return None
        case NotSent(why) | UnknownOutcome(why):
            return RetryLater(1.0, why, uncertain=True)


def _auth(code: str) -> str:
    return f"Slack does not accept the bot's token or scopes ({code}); mend SLACK_BOT_TOKEN"


def _next(data: Mapping[str, Any]) -> str:
    cursor = (data.get("response_metadata") or {}).get("next_cursor")
    return cursor if isinstance(cursor, str) else ""
