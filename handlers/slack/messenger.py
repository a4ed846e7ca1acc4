"""Delivers messages to people: each row of the outbox becomes one message in Slack."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.catalog.registry import action_of
from bot.model.actions import Action
from bot.model.alerts import Alert
from bot.model.commands import Via
from bot.model.messages import (
    Delivery,
    DeliveryResult,
    EphemeralNotice,
    MayLeave,
    MessageKind,
    RetryLater,
    Sent,
    Undeliverable,
    Withdrawal,
    at_any_time,
)
from bot.model.operations import Operation, State
from bot.model.people import Place
from bot.operations.alert_offers import StreamOffer
from handlers.messages import alert_card, audit_line, cards, endings, off_air, replies
from handlers.messages.blocks import Message
from handlers.messages.contacts import NOBODY, Contacts
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
    without_retries,
)
from handlers.slack.delivery_lookup import find_beside, find_message
from handlers.slack.error_codes import NOT_IN_CHANNEL, describe, is_closed, is_final
from handlers.slack.posting import post, send_private, update

log = structlog.get_logger("stopstream.desk")

RESPONSE_URL_LIFETIME = 1800.0
"""Seconds for which Slack accepts a `response_url`."""

_CARD_TIMEOUT = 2.0
"""Seconds for which an audit line waits for the card that it links to.

Others wait behind it, and until one is posted, nothing outside knows of the newest records.
"""

_PERMALINK_TIMEOUT = 3.0

_CARD_NOT_EDITABLE = frozenset({"cant_update_message", "edit_window_closed", "message_not_found"})


@dataclass(frozen=True, slots=True)
class _Card:
    """A message that is posted once and then edited.

    Attributes:
        ts: Empty while it is not known to be posted.
        since: When it can have been posted first, epoch seconds.
        uncertain: An earlier attempt may have posted it.
        may_leave: See Delivery.
    """

    channel: str
    ts: str
    key: str
    since: float
    uncertain: bool
    may_leave: MayLeave


class Messenger:
    """Sends messages to Slack; never sends one twice by itself.

    Args:
        bot: The bot's own bot id: only its own messages count as sent.
        audit_channel: Where audit lines and notices go; may be empty.
        on_channel_lost: Called with a channel that Slack says the bot is not in.
        alert_offers: Returns what the card of an alert offers now.
        clock: Epoch seconds.

    Attributes:
        trouble: Why Slack accepts nothing from the bot at all; empty if it does.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        *,
        bot: str,
        audit_channel: str = "",
        on_channel_lost: Callable[[str], None] = lambda _channel: None,
        contacts: Contacts = NOBODY,
        alert_offers: Callable[[Alert], Sequence[StreamOffer]] = lambda _alert: (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = without_retries(client)
        self._bot = bot
        self._audit_channel = audit_channel
        self._on_channel_lost = on_channel_lost
        self._contacts = contacts
        self._alert_offers = alert_offers
        self._clock = clock
        self.trouble = ""

    async def deliver(self, delivery: Delivery) -> DeliveryResult:
        """Render the operation as it is now and send it. Slack's failures are results."""
        operation = delivery.operation
        action = action_of(operation)
        match delivery.kind:
            case MessageKind.CARD:
                return await self._card(delivery, cards.card(operation, action, self._contacts))
            case MessageKind.REMINDER if operation.state is not State.WAITING:
                return Sent()
            case MessageKind.PRIVATE:
                return await self._private(delivery, action)
            case MessageKind.ENDING:
                message = endings.ending(operation, action, self._contacts)
                return await self._in_thread(delivery, message)
            case kind if kind in _IN_THREAD:
                message = _IN_THREAD[kind](operation, action, delivery.observed)
                return await self._in_thread(delivery, message)
            case _:
                return await self._audit(delivery, action)

    async def send_ephemeral(self, notice: EphemeralNotice) -> DeliveryResult:
        """Send a sentence to one person alone."""
        return await self._send_private(
            notice.actor.user,
            notice.place,
            notice.pressed_at,
            replies.ephemeral_notice(notice),
            f"word:{notice.actor.user}",
        )

    async def announce(
        self,
        text: str,
        key: str,
        *,
        uncertain: bool,
        seal: str = "",
        may_leave: MayLeave = at_any_time,
    ) -> DeliveryResult:
        """Post something that belongs to no operation in the audit channel.

        Args:
            text: Plain; it is escaped here.
            key: For the message's metadata.
            uncertain: An earlier attempt may have reached Slack.
            seal: See Delivery.
            may_leave: See Delivery.
        """
        return await self._post_once(
            self._audit_channel,
            "",
            audit_line.audit_notice(text),
            key,
            uncertain=uncertain,
            since=0.0,
            seal=seal,
            may_leave=may_leave,
        )

    async def show_alert(
        self,
        alert: Alert,
        key: str,
        *,
        uncertain: bool,
        may_leave: MayLeave = at_any_time,
    ) -> DeliveryResult:
        """Post the card of an alert, or edit it."""
        message = alert_card.alert_card(alert, self._alert_offers(alert))
        place = Place(alert.channel)
        card = _Card(alert.card_channel, alert.card_ts, key, alert.opened_at, uncertain, may_leave)
        return await self._post_or_edit(card, place, message)

    async def withdraw(self, withdrawal: Withdrawal) -> None:
        """Delete what stands beside the message that counts; where Slack refuses, it stays."""
        about, channel, key = withdrawal.about, withdrawal.channel, withdrawal.key
        if isinstance(about, Alert):
            root, since = "", about.opened_at
        else:
            root, since = about.place.thread_ts, about.asked_at
        found = await find_beside(
            self._client,
            bot=self._bot,
            channel=channel,
            thread_ts=root or ("" if withdrawal.kind.is_card else about.card_ts),
            key=key,
            since=since,
            counts=withdrawal.counts,
        )
        # A card that Slack does not let the bot edit any more is followed by another one.
        for ts in (one for one in found if one != about.card_ts):
            outcome = await call(self._client.chat_delete(channel=channel, ts=ts))
            deleted = isinstance(outcome, Answered)
            log.warning("withdrawn" if deleted else "not withdrawn", key=key, ts=ts)

    async def _card(self, delivery: Delivery, message: Message) -> DeliveryResult:
        operation = delivery.operation
        card = _Card(
            operation.card_channel,
            operation.card_ts,
            delivery.key,
            operation.asked_at,
            delivery.uncertain,
            delivery.may_leave,
        )
        return await self._post_or_edit(card, operation.place, message)

    async def _post_or_edit(self, card: _Card, place: Place, message: Message) -> DeliveryResult:
        if not place.channel:
            return Undeliverable(_NO_CHANNEL)
        channel, ts, maybe_twice = card.channel or place.channel, card.ts, False
        if not ts and card.uncertain:
            found = await self._find(channel, place.thread_ts, card.key, card.since)
            if isinstance(found, Sent):
                # It may have been posted for an earlier state.
                channel, ts, maybe_twice = found.channel or channel, found.ts, found.maybe_twice
            elif found is not None:
                return found
        if ts:
            outcome = await update(self._client, channel, ts, message)
            if not (isinstance(outcome, Refused) and outcome.code in _CARD_NOT_EDITABLE):
                return self._result(outcome, channel, ts, maybe_twice=maybe_twice)
        if not await card.may_leave():
            return _TAKEN_OVER
        # For the first time, or again where someone removed it: the state must be visible.
        outcome = await post(self._client, place.channel, place.thread_ts, message, card.key)
        return self._result(outcome, place.channel, maybe_twice=card.uncertain)

    async def _in_thread(self, delivery: Delivery, message: Message) -> DeliveryResult:
        operation = delivery.operation
        return await self._post_once(
            operation.card_channel or operation.place.channel,
            operation.place.thread_ts or operation.card_ts,
            message,
            delivery.key,
            uncertain=delivery.uncertain,
            since=operation.asked_at,
            may_leave=delivery.may_leave,
        )

    async def _private(self, delivery: Delivery, action: Action | None) -> DeliveryResult:
        operation = delivery.operation
        joined = operation.duplicate_of and not operation.superseded
        link = await self._permalink(operation) if joined else ""
        message = endings.private_reply(
            operation, action, link, again=delivery.uncertain, to=self._contacts
        )
        user, key = operation.actor.user, f"{operation.id}:private"
        # Someone who pressed a button in a list does not see the thread that it is about.
        list_place = Place("", reply_url=operation.place.reply_url)
        place = list_place if operation.via is Via.LIST else operation.place
        return await self._send_private(user, place, operation.asked_at, message, key)

    async def _send_private(
        self, user: str, place: Place, at: float, message: Message, key: str
    ) -> DeliveryResult:
        """Send to one person alone.

        Args:
            at: When Slack issued `place.reply_url`, epoch seconds.
        """
        if self._clock() - at >= RESPONSE_URL_LIFETIME:
            place = replace(place, reply_url="")
        outcome = await send_private(self._client, user, place, message, key=key)
        return self._result(outcome, place.channel or user)

    async def _audit(self, delivery: Delivery, action: Action | None) -> DeliveryResult:
        operation = delivery.operation
        recent = self._clock() - operation.asked_at < _CARD_TIMEOUT
        if recent and operation.state is not State.DENIED and _has_no_card_yet(operation):
            why = "the card that it links to does not stand yet"
            return RetryLater(0.5, why, steady=True)
        link = await self._permalink(operation)
        message = audit_line.audit_line(operation, action, link, delivery.about_state)
        return await self._post_once(
            self._audit_channel,
            "",
            message,
            delivery.key,
            uncertain=delivery.uncertain,
            since=operation.asked_at,
            seal=delivery.seal,
            may_leave=delivery.may_leave,
        )

    async def _post_once(
        self,
        channel: str,
        thread_ts: str,
        message: Message,
        key: str,
        *,
        uncertain: bool,
        since: float,
        seal: str = "",
        may_leave: MayLeave,
    ) -> DeliveryResult:
        """Post a message, unless an earlier attempt is found to have posted it."""
        if not channel:
            return Undeliverable(_NO_CHANNEL)
        if uncertain:
            found = await self._find(channel, thread_ts, key, since)
            if found is not None:
                return found
        if not await may_leave():
            return _TAKEN_OVER
        outcome = await post(self._client, channel, thread_ts, message, key, seal=seal)
        result = self._result(outcome, channel, maybe_twice=uncertain)
        if not (seal and isinstance(result, Sent) and isinstance(outcome, Answered)):
            return result
        posted = outcome.data.get("message") or {}
        return replace(result, seal=seal, text=str(posted.get("text") or ""))

    async def _find(
        self, channel: str, thread_ts: str, key: str, since: float
    ) -> Sent | RetryLater | None:
        return await find_message(
            self._client,
            bot=self._bot,
            channel=channel,
            thread_ts=thread_ts,
            key=key,
            since=since,
        )

    async def _permalink(self, operation: Operation) -> str:
        """Return the URL of the card, if Slack returns it at once."""
        if not operation.card_ts:
            return ""
        request = self._client.chat_getPermalink(
            channel=operation.card_channel or operation.place.channel,
            message_ts=operation.card_ts,
        )
        outcome = await call(request, _PERMALINK_TIMEOUT)
        found = outcome.data.get("permalink") if isinstance(outcome, Answered) else None
        return found if isinstance(found, str) else ""

    def _result(
        self, outcome: Outcome, channel: str, ts: str = "", *, maybe_twice: bool = False
    ) -> DeliveryResult:
        match outcome:
            case Answered(data):
                self.trouble = ""
                channel, ts = str(data.get("channel") or channel), str(data.get("ts") or ts)
                return Sent(channel, ts, maybe_twice=maybe_twice)
            case NotSent(why):
                return RetryLater(1.0, why)
            case UnknownOutcome(why):
                return RetryLater(1.0, why, uncertain=True)
            case Refused("ratelimited", wait):
                return RetryLater(wait, "Slack is asked too often")
            case Refused(code) if code in AUTH_ERRORS:
                self.trouble = auth_problem(code)
                return RetryLater(AUTH_RETRY_AFTER, self.trouble)
            case Refused(code):
                return self._refusal(code, channel)

    def _refusal(self, code: str, channel: str) -> DeliveryResult:
        if code in NOT_IN_CHANNEL:
            self._on_channel_lost(channel)
        why = describe(code)
        if not is_final(code):
            return RetryLater(0.0, why, refused=True)
        return Undeliverable(f"{why[:1].upper()}{why[1:]}.", closed=is_closed(code))


_NO_CHANNEL = "There is no channel to post it in."
_TAKEN_OVER = RetryLater(0.0, "another replica has taken it over")

_IN_THREAD: Mapping[MessageKind, Callable[[Operation, Action | None, str], Message]] = {
    MessageKind.REMINDER: lambda operation, action, _: endings.reminder(operation, action),
    MessageKind.LOOKED: endings.verification,
    MessageKind.SEEN: endings.seen,
    MessageKind.LATE: endings.late_answer,
    MessageKind.LIFT: off_air.expiry_notice,
    MessageKind.LIFTED: off_air.expired_notice,
}


def _has_no_card_yet(operation: Operation) -> bool:
    return bool(operation.place.channel) and not operation.card_ts
