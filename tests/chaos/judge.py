"""Counts what a campaign left: on file, at the cloud, in the channels and on the trail."""

from collections import Counter
from collections.abc import Iterable

from bot.catalog import effects as offair
from bot.catalog.registry import by_api
from bot.model.lifecycle import ENDINGS
from bot.model.messages import MessageKind
from bot.model.operations import Operation, State
from bot.sandbox.slack.entities import Message
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.requests import Received
from bot.sandbox.tencent.server import CloudEmulator
from bot.storage import database
from bot.storage.message_integrity import DELIVERED
from bot.storage.store import Store
from handlers.messages.looks import Look
from handlers.messages.operation_text import detail_text
from handlers.messages.state_text import STATE_TEXTS
from tests.chaos.people import People
from tests.chaos.tally import Tally

IN_FLIGHT = 0.5
"""Seconds that a request may be under way when its operation ends."""

TURNED_AWAY = ("asked", "denied")
"""The records of what was denied before anybody but the asker was shown anything."""


class Judge:
    """Compares what people were told with what ran.

    Args:
        url: Of the database, without anything before it that fails.
        answered: Whether every request's answer came back to whoever sent it, so that all
            RequestIds must be on the trail.
        true_clocks: Whether all clocks were right, so that times can be compared.
    """

    def __init__(
        self,
        url: str,
        slack: Workspace,
        cloud: CloudEmulator,
        people: People,
        tally: Tally,
        *,
        answered: bool,
        true_clocks: bool,
    ) -> None:
        self._url = url
        self._slack = slack
        self._cloud = cloud
        self._people = people
        self._tally = tally
        self._answered = answered
        self._true_clocks = true_clocks
        self._ended_at: dict[str, float] = {}
        self._records: dict[str, tuple[str, ...]] = {}
        self._told: set[str] = set()

    async def count(self) -> None:
        """Count what is wrong, into the tally."""
        tally, acks = self._tally, self._people.acks
        found, off = await self._read()
        tally.asked, tally.accepted = len(acks), sum(acks.values())
        tally.unlisted += [
            f"{operation.target}: {operation.api} {operation.state.value}"
            for operations in found.values()
            for operation in operations
            if (operation.id in off) != _is_off(operation)
        ]
        for name, accepted in acks.items():
            operations = found.pop(name, [])
            self._judge(name, operations, accepted=accepted)
        tally.untrue += [f"{name}: nobody asked for it" for name in found]
        tally.untrue += self._people.stuck
        keys = Counter(_key(message) for message in self._said() if _key(message))
        tally.posted_twice += [f"{key}: {count} times" for key, count in keys.items() if count > 1]

    async def _read(self) -> tuple[dict[str, list[Operation]], set[str]]:
        """Read the operations by their names, the ids of what is off, and the trail."""
        store = open_store(self._url)
        engine = database.connect(self._url)
        try:
            with engine.connect().execution_options(reads=True) as connection:
                rows = connection.exec_driver_sql("SELECT id FROM operations").scalars().all()
            found: dict[str, list[Operation]] = {}
            for id_ in rows:
                operation = await store.operations.get(id_)
                assert operation is not None
                found.setdefault(_target(operation), []).append(operation)
            off = {one.operation.id for one in await store.off_air.list(1_000_000)}
            self._read_trail(store)
        finally:
            await store.close()
            engine.dispose()
        return found, off

    def _read_trail(self, store: Store) -> None:
        with store.audit_log.snapshot() as audited:
            report = audited.verify((), lambda _seq: None)
        if report.found:
            self._tally.trail = f"broken after {report.count}: {report.found}"
        with store.audit_log.records() as records:
            trail = list(records)
        self._ended_at = {one.operation: one.at for one in trail if one.kind == "ended"}
        for one in trail:
            # What was posted of it is no step of it.
            if one.kind != DELIVERED:
                self._records[one.operation] = (*self._records.get(one.operation, ()), one.kind)
        if self._answered:
            known = " ".join(one.body for one in trail)
            self._tally.unrecorded += [
                f"{one.api} {one.request_id}"
                for one in self._changes()
                if one.request_id not in known
            ]

    def _judge(self, name: str, operations: list[Operation], *, accepted: bool) -> None:
        tally = self._tally
        ran = [one for one in self._changes() if name in one.params.values()]
        runs = len(ran)
        if runs and name in self._people.told_unsent:
            tally.untrue.append(f"{name}: told that nothing was sent, and it ran")
        if not operations:
            if accepted:
                tally.lost.append(f"{name}: acked as taken, and not on file; ran {runs} times")
            elif runs:
                tally.untrue.append(f"{name}: ran {runs} times, and not on file")
            return
        if len(operations) > 1:
            tally.doubled.append(f"{name}: {len(operations)} operations for one asking")
        for operation in operations:
            tally.endings[operation.state.value] += 1
            ended = self._ended_at.get(operation.id)
            if self._true_clocks and ended is not None:
                late = sum(one.at > ended + IN_FLIGHT for one in ran)
                tally.late += [f"{name}: sent after it had ended"] * late
            self._judge_one(name, operation, runs)

    def _judge_one(self, name: str, operation: Operation, runs: int) -> None:
        tally, state = self._tally, operation.state
        said = [message for message in self._said() if _key(message).startswith(operation.id)]
        ending = [m for m in said if MessageKind.ENDING.value in _key(m)]
        if state not in ENDINGS:
            tally.lost.append(f"{name}: still {state.value}")
            return
        if state in (State.ACCEPTED, State.ALREADY) and not runs:
            tally.lost.append(f"{name}: {state.value}, and it never ran")
        if state not in (State.ACCEPTED, State.ALREADY, State.UNKNOWN) and runs:
            tally.untrue.append(f"{name}: {state.value}, and it ran")
        if runs > 1:
            tally.resent += 1
            if not any(f"sent {operation.attempts} times" in m.text for m in ending) or (
                operation.attempts < runs
            ):
                tally.doubled.append(f"{name}: ran {runs} times, tried {operation.attempts}")
        cards = [m for m in said if f":{MessageKind.CARD.value}" in _key(m)]
        tally.unposted += [
            f"{name}: its card still says: {card.text[:60]}"
            for card in cards
            if not _shows(card.text, state)
        ]
        kinds = Counter(_key(message).split(":")[1] for message in said)
        tally.unposted += [
            f"{name}: no {owed.value} of its being {state.value}"
            for owed in self._owed(operation)
            if not kinds[owed.value]
        ]
        if self._is_turned_away(operation) and not self._take_private_reply(operation):
            tally.unposted.append(f"{name}: nobody was told that it is {state.value}")

    def _owed(self, operation: Operation) -> tuple[MessageKind, ...]:
        """Return the messages for everybody that an operation with this ending must have."""
        if self._is_turned_away(operation):
            return (MessageKind.AUDIT,)
        announced = operation.state is State.ACCEPTED and "ResumeTime" in operation.params
        lift = (MessageKind.LIFT,) if announced else ()
        return (MessageKind.CARD, MessageKind.ENDING, MessageKind.AUDIT, *lift)

    def _is_turned_away(self, operation: Operation) -> bool:
        return self._records.get(operation.id) == TURNED_AWAY

    def _take_private_reply(self, operation: Operation) -> bool:
        """Find a message to the asker alone that says why, one for each operation.

        Slack keeps no metadata of such a message, which therefore is known by its words.
        """
        user, place, why = operation.actor.user, operation.place.channel, detail_text(operation)
        channels = [
            channel
            for id_, channel in self._slack.channels.items()
            if id_ == place or (id_.startswith("D") and user in channel.members)
        ]
        for channel in channels:
            for message in channel.messages:
                alone = message.to == user or channel.id != place
                if (
                    alone
                    and message.bot_id
                    and message.ts not in self._told
                    and why in message.text
                ):
                    self._told.add(message.ts)
                    return True
        return False

    def _changes(self) -> list[Received]:
        return [one for one in self._cloud.ran() if not one.api.startswith("Describe")]

    def _said(self) -> Iterable[Message]:
        return [message for c in self._slack.channels.values() for message in c.messages]


def _target(operation: Operation) -> str:
    names = ("StreamName", "UserId", "DomainName")
    return next(str(operation.params[name]) for name in names if name in operation.params)


def _is_off(operation: Operation) -> bool:
    switch = offair.off_air_change(operation, by_api(operation.api), {}, 0.0)
    return switch is not None and switch.off


def _key(message: Message) -> str:
    payload = message.metadata.get("event_payload") or {}
    return str(payload.get("key", ""))


def open_store(url: str) -> Store:
    """Open the store of a campaign, as one more reader of it."""
    engine = database.connect(url)
    database.migrate(engine)
    return Store(engine, owner="the campaign")


def _shows(text: str, state: State) -> bool:
    """Return whether a card shows a final state; what was accepted has many looks."""
    if text.startswith(tuple(STATE_TEXTS[one].look.emoji for one in _OPEN)):
        return False
    look = STATE_TEXTS[state].look
    # What is over without anything sent differs by its word.
    shows = (f"{one.emoji} *{one.word}" for one in _OVER.get(state, ()))
    return state is State.ACCEPTED or text.startswith((*shows,) or look.emoji)


_OVER = {State.EXPIRED: (Look.EXPIRED,), State.CANCELLED: (Look.CANCELLED, Look.SUPERSEDED)}


_OPEN = (State.ASKED, State.WAITING, State.DUE, State.RUNNING)
