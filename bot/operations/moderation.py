"""The use cases of flagged content: show it, show its picture to one person, call it a false alarm.

A notice is a hint from outside: it is shown, and never does anything by itself.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from bot.catalog.readings import listed_since
from bot.catalog.registry import by_api
from bot.errors import PictureError, StoreError
from bot.model.alerts import MODERATION, Alert, Notice
from bot.model.commands import Command, Invocation
from bot.model.operations import Operation, State
from bot.model.verdicts import Denied
from bot.operations.alert_offers import AlertChoice, command_for
from bot.operations.alert_service import AlertService
from bot.operations.authorizer import Authorizer
from bot.operations.operation_ids import new_id
from bot.operations.pictures import Picture, Pictures
from bot.operations.recorder import in_time
from bot.operations.results import NotRecorded
from bot.operations.state_reader import StateReader
from bot.policy.loader import LoadedPolicy
from bot.storage.alerts import Taken
from bot.storage.store import Store

log = structlog.get_logger("stopstream.alerts")

_EXPIRED = "This button has expired."
_NO_DOMAIN = "Nothing was done: the policy names no domain for this stream."
_NOT_SAVED = "That could not be saved: the database does not answer. Press again."
_READING = 10.0
"""Seconds that reading since when a stream is live may take."""


@dataclass(frozen=True, slots=True)
class FlagPress:
    """A press of a button on the card of flagged content.

    Attributes:
        alert: Its id.
        message_ts: The message whose button it was.
    """

    alert: str
    message_ts: str


class ModerationService:
    """Takes notices of flagged content, and what people press on their cards.

    Args:
        policy: Returns the policy as it is now.
        clock: Epoch seconds.
    """

    def __init__(
        self,
        *,
        store: Store,
        alerts: AlertService,
        authorizer: Authorizer,
        reader: StateReader,
        pictures: Pictures,
        policy: Callable[[], LoadedPolicy],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._alerts = alerts
        self._authorizer = authorizer
        self._reader = reader
        self._pictures = pictures
        self._policy = policy
        self._clock = clock
        self._reads: dict[str, asyncio.Task[None]] = {}

    async def take(self, notice: Notice) -> Taken:
        """Store what was flagged; when this returns, it is on disk.

        Since when the stream is live is read afterwards, and added to the card.

        Raises:
            StoreError: It is not stored, or nobody knows.
            TimeoutError: The same.
        """
        taken = await self._alerts.take(notice)
        if taken is Taken.STORED and notice.group not in self._reads:
            task = asyncio.create_task(self._add_live_since(notice), name="live since")
            self._reads[notice.group] = task
            task.add_done_callback(lambda _: self._reads.pop(notice.group, None))
        return taken

    async def dismiss(self, pressed: FlagPress, asked: Invocation) -> NotRecorded | None:
        """Record that somebody calls it a false alarm, if they could stop the stream. Asks Slack.

        Returns:
            Why not; None where the card shows it.
        """
        found = await self._authorized(pressed, asked)
        if isinstance(found, NotRecorded):
            return found
        try:
            async with in_time():
                recorded = await self._store.alerts.dismiss(found.id, asked.actor.user)
        except (StoreError, TimeoutError) as error:
            log.error("a press is not recorded", why=str(error))
            return NotRecorded(_NOT_SAVED)
        return None if recorded else NotRecorded(_EXPIRED)

    async def picture(self, pressed: FlagPress, asked: Invocation) -> Picture | NotRecorded:
        """Return the picture for somebody who could stop the stream. Asks Slack and its host."""
        found = await self._authorized(pressed, asked)
        if isinstance(found, NotRecorded):
            return found
        try:
            return await self._pictures.fetch(found.picture)
        except PictureError as error:
            return NotRecorded(f"The picture can't be shown: {error}.")

    async def _authorized(self, pressed: FlagPress, asked: Invocation) -> Alert | NotRecorded:
        """Return the alert of a card, if whoever pressed may stop its stream."""
        try:
            async with in_time():
                alert = await self._store.alerts.get(pressed.alert)
        except (StoreError, TimeoutError) as error:
            log.error("a press is not read", why=str(error))
            return NotRecorded(_NOT_SAVED)
        if alert is None or not self._is_current(alert, pressed, asked):
            return NotRecorded(_EXPIRED)
        vocabulary = self._policy().vocabulary.at(alert.channel)
        stream = alert.streams[0]
        stop = command_for(stream, AlertChoice.STOP, vocabulary, self._clock())
        if stop is None:
            return NotRecorded(_NO_DOMAIN)
        verdict = await self._authorizer.verdict(_asking(asked, stop), stop)
        return NotRecorded(verdict.reason) if isinstance(verdict, Denied) else alert

    def _is_current(self, alert: Alert, pressed: FlagPress, asked: Invocation) -> bool:
        is_card = alert.card_ts in ("", pressed.message_ts) and bool(pressed.message_ts)
        flagged = alert.source == MODERATION and bool(alert.streams) and not alert.unsigned
        here = asked.place.channel == alert.channel
        return flagged and is_card and here and alert.is_open(self._clock())

    async def _add_live_since(self, notice: Notice) -> None:
        """Read since when the stream is live, and have the card show it."""
        stream = next((one for item in notice.items for one in item.streams), None)
        if stream is None:
            return
        vocabulary = self._policy().vocabulary
        stop = command_for(stream, AlertChoice.STOP, vocabulary, self._clock())
        since = await self._read_live_since(stop) if stop is not None else None
        if since is None:
            return
        try:
            await self._store.alerts.note_live_since(notice, since)
        except StoreError as error:
            log.error("since when it is live is not stored", why=str(error))

    async def _read_live_since(self, stop: Command) -> float | None:
        read = by_api("DescribeLiveStreamOnlineList")
        body = await self._reader.read(stop, read, _READING)
        rows = (body or {}).get("OnlineInfo")
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and row.get("StreamName") == stop.params.get("StreamName"):
                return listed_since(read.effect_spec, row)
        return None


def _asking(asked: Invocation, command: Command) -> Operation:
    """Return the operation about which the policy is asked; it is never stored."""
    return Operation(
        id=new_id(),
        key=asked.key,
        state=State.ASKED,
        actor=asked.actor,
        place=asked.place,
        via=asked.via,
        text="",
        asked_at=0.0,
        api=command.action.api,
        params=command.params,
        account=command.account,
    )
