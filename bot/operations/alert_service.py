"""The use cases of alerts: store what a notice says, and do what somebody presses on its card.

A notice is a hint from outside: it is shown, and never does anything by itself.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from bot.commands.alerts import find_candidates
from bot.errors import StoreError
from bot.model.alerts import OPEN_FOR, Alert, NamedStream, Notice, NoticeItem
from bot.model.commands import Invocation
from bot.model.operations import Origin
from bot.model.people import Place
from bot.operations.alert_offers import AlertChoice, StreamOffer, command_for, offers
from bot.operations.operation_ids import new_id
from bot.operations.recorder import in_time
from bot.operations.results import NotRecorded, PressReply
from bot.operations.service import Service
from bot.policy.loader import LoadedPolicy
from bot.redact import redact
from bot.storage.alerts import Taken
from bot.storage.store import Store

log = structlog.get_logger("stopstream.alerts")

_NOT_SAVED = (
    "Your press could not be saved: the database does not answer. If a card for it is here, an "
    "earlier press was saved. If not, press again."
)
_EXPIRED = "This button has expired."
_UNSIGNED = "The alert's row is not as it was stored, so nothing was sent."
_OVER = "Nothing was sent: this alert is over."
_TOO_OLD = "Nothing was sent: nothing was heard of this alert for 12 h."
_NO_COMMAND = "Nothing was sent: the policy names no domain for this stream any more."


@dataclass(frozen=True, slots=True)
class AlertPress:
    """A press of a button on the card of an alert.

    Attributes:
        alert: Its id.
        position: Of the stream among those of the alert.
        message_ts: The message whose button it was.
    """

    alert: str
    choice: AlertChoice
    position: int
    message_ts: str


class AlertService:
    """Takes notices and presses.

    Args:
        channel: Where alerts are shown.
        policy: Returns the policy as it is now.
        clock: Epoch seconds.
    """

    def __init__(
        self,
        *,
        store: Store,
        service: Service,
        policy: Callable[[], LoadedPolicy],
        channel: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._service = service
        self._policy = policy
        self._channel = channel
        self._clock = clock

    def offers(self, alert: Alert) -> tuple[StreamOffer, ...]:
        """Return what the card of an alert offers now."""
        return offers(alert, self._policy(), self._clock())

    async def take(self, notice: Notice) -> Taken:
        """Store what a notice says; when this returns, it is on disk.

        Raises:
            StoreError: It is not stored, or nobody knows.
            TimeoutError: The same.
        """
        # Text of strangers, which may be made to take long: others are served meanwhile.
        named = await asyncio.to_thread(_with_streams, notice)
        async with in_time():
            return await self._store.alerts.take(new_id(), named, self._channel)

    async def press(self, pressed: AlertPress, asked: Invocation, reason: str = "") -> PressReply:
        """Ask for what a button offers, for the person who pressed, in the alert's thread.

        Args:
            reason: The code that was chosen for it.
        """
        choice, position = pressed.choice, pressed.position
        try:
            async with in_time():
                alert = await self._store.alerts.get(pressed.alert)
        except (StoreError, TimeoutError) as error:
            log.error("a press is not recorded", why=str(error))
            return NotRecorded(_NOT_SAVED)
        if alert is None or not _is_on_card(alert, pressed, asked):
            return NotRecorded(_EXPIRED)
        vocabulary = self._policy().vocabulary.at(alert.channel)
        wanted = command_for(alert.streams[position], choice, vocabulary, self._clock())
        objection = self._objection(alert, position)
        if objection or wanted is None:
            return NotRecorded(objection or _NO_COMMAND, wanted)
        place = Place(alert.channel, pressed.message_ts, asked.place.reply_url)
        begin = f"{alert.id}:{choice.value}:{position}:{asked.actor.user}"
        origin = Origin(alert=alert.id)
        return await self._service.press(begin, replace(asked, place=place), wanted, origin, reason)

    def _objection(self, alert: Alert, position: int) -> str:
        """Return why a button of an alert means nothing any more; empty if it does."""
        if alert.unsigned:
            return _UNSIGNED
        if alert.resolved_at is not None or position not in alert.live_streams:
            return _OVER
        return _TOO_OLD if self._clock() - alert.seen_at > OPEN_FOR else ""


def _is_on_card(alert: Alert, pressed: AlertPress, asked: Invocation) -> bool:
    """Return whether a press is of a button that the card of an alert can have had.

    Somebody may be faster than the note of where the card was posted.
    """
    is_card = alert.card_ts in ("", pressed.message_ts) and bool(pressed.message_ts)
    in_channel = asked.place.channel == alert.channel
    return is_card and in_channel and 0 <= pressed.position < len(alert.streams)


def _with_streams(notice: Notice) -> Notice:
    """Return a notice without secrets, with the streams that its texts name."""
    return replace(
        notice,
        title=redact(notice.title),
        summary=redact(notice.summary),
        items=tuple(map(_item_with_streams, notice.items)),
    )


def _item_with_streams(item: NoticeItem) -> NoticeItem:
    # What is over offers nothing.
    found = find_candidates({"text": item.text}) if item.firing else ()
    named = (*item.streams, *(NamedStream(one.api, one.params) for one in found))
    return replace(item, title=redact(item.title), text="", streams=tuple(_distinct(named)))


def _distinct(streams: tuple[NamedStream, ...]) -> list[NamedStream]:
    """Return streams without those that another names with more parameters."""
    found: list[NamedStream] = []
    for one in streams:
        fuller = (
            other
            for other in streams
            if other.api == one.api and one.params.items() < other.params.items()
        )
        if one not in found and next(fuller, None) is None:
            found.append(one)
    return found
