"""What Slack refuses for a while holds back its own operation and thread, and nothing else."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from bot import supervision
from bot.model.messages import Delivery, DeliveryResult, MessageKind, RetryLater, Sent
from bot.model.people import Place
from bot.operations.results import Accepted
from bot.storage import outbox_lanes
from bot.storage.outbox_message import OutboxMessage
from bot.storage.store import Store
from bot.storage.tables import operations
from bot.storage.writer import Transaction
from tests.conftest import built, opened
from tests.support.clocks import ManualClock
from tests.support.fakes import FakeNotifier
from tests.support.notices import SINCE, firing, notice
from tests.support.outbox import delivering, queue
from tests.support.stored_operations import operation
from tests.support.waiting import BOUND, until

CARD, ENDING, LOOKED = MessageKind.CARD, MessageKind.ENDING, MessageKind.LOOKED
AN_HOUR = 3600.0
TS = "1700000000.000100"


@pytest.fixture
async def timed_store(database_url: str, clock: ManualClock) -> AsyncIterator[Store]:
    async with opened(database_url, clock=clock) as store:
        yield store


async def refuse(store: Store, *, aside: bool = True) -> list[str]:
    """Claim what is ready, and have all of it refused for an hour."""
    claimed = await store.outbox.claim()
    for message in claimed:
        await store.outbox.mark_postponed(message, AN_HOUR, uncertain=False, aside=aside)
    return keys(claimed)


async def send_all(store: Store) -> list[str]:
    """Deliver what may be delivered now, in the order in which it is handed out."""
    sent: list[str] = []
    while claimed := await store.outbox.claim():
        for message in claimed:
            await store.outbox.mark_delivered(message, Sent("C0INC", TS))
        sent += keys(claimed)
    return sent


def keys(messages: Sequence[OutboxMessage]) -> list[str]:
    return [f"{m.operation.id if m.operation else m.key} {m.kind.value}" for m in messages]


async def test_refused_message_is_passed_by_other_operations(
    timed_store: Store, clock: ManualClock
) -> None:
    """Others pass a message that was set aside; those of its operation wait, in their order."""
    await queue(timed_store, operation(1), CARD, ENDING)
    await queue(timed_store, operation(2), CARD, ENDING)
    assert await refuse(timed_store, aside=False) == ["op1 card"]
    assert await send_all(timed_store) == [], "it is the first of its channel"
    clock.advance(AN_HOUR)
    assert await refuse(timed_store) == ["op1 card"]

    await queue(timed_store, operation(1), LOOKED)
    await queue(timed_store, operation(3), CARD)
    assert await send_all(timed_store) == ["op2 card", "op2 ending", "op3 card"]
    clock.advance(AN_HOUR)
    await queue(timed_store, operation(4), CARD)
    sent = await send_all(timed_store)
    assert [one for one in sent if "op1" in one] == ["op1 card", "op1 ending", "op1 looked"]
    assert "op4 card" in sent
    assert await timed_store.outbox.depth() == 0


@pytest.mark.parametrize("queued_before", [True, False])
@pytest.mark.parametrize(
    "mate",
    [
        Place("C0INC", thread_ts=TS),
        # Asked in the same thread by somebody else.
        Place("C0INC", thread_ts="1600000000.000100"),
    ],
)
async def test_refused_message_holds_its_thread(
    timed_store: Store, clock: ManualClock, mate: Place, *, queued_before: bool
) -> None:
    """A follow-up in the thread of an operation does not pass what is refused there."""
    in_thread = mate.thread_ts != TS
    first = replace(operation(1), card_ts=TS, card_channel="C0INC")
    first = replace(first, place=mate) if in_thread else first
    follow_up = replace(operation(2), place=mate)
    await queue(timed_store, first, ENDING)
    if queued_before:
        await queue(timed_store, follow_up, CARD)
    assert await refuse(timed_store) == ["op1 ending"]
    if not queued_before:
        await queue(timed_store, follow_up, CARD)
    await queue(timed_store, operation(3), CARD)

    assert await send_all(timed_store) == ["op3 card"]
    clock.advance(AN_HOUR)
    assert await send_all(timed_store) == ["op1 ending", "op2 card"]


async def test_refused_notice_is_passed_by_other_notices(timed_store: Store) -> None:
    """An announcement belongs to no operation, so every other one passes it."""
    await timed_store.outbox.announce("one", "One.", {}, "policy broken")
    assert await refuse(timed_store) == ["one audit"]
    await timed_store.outbox.announce("two", "Two.", {}, "policy broken")
    assert await send_all(timed_store) == ["two audit"]


async def test_refused_messages_of_one_channel_are_set_aside_within_bounds(
    timed_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A channel that refuses everything holds the rest back, and is not tried for each."""
    monkeypatch.setattr(outbox_lanes, "MOST", 2)
    for number in range(1, 6):
        await queue(timed_store, operation(number), CARD)
    await queue(timed_store, operation(9, channel="C0OTHER"), CARD)

    assert await refuse(timed_store) == ["op1 card", "op9 card"]
    assert await refuse(timed_store) == ["op2 card"]
    assert await refuse(timed_store) == ["op3 card"]
    assert await refuse(timed_store) == []


class Refuses(FakeNotifier):
    """Refuses one kind of message about one stream, until it relents."""

    def __init__(self, kind: MessageKind) -> None:
        super().__init__()
        self.kind = kind
        self.relents = False
        self.tried = 0

    async def deliver(self, delivery: Delivery) -> DeliveryResult:
        mine = delivery.operation.target == "s1" and delivery.kind is self.kind
        if mine and not self.relents:
            self.tried += 1
            return RetryLater(0.0, "Slack refused it (odd_code)", refused=True)
        return await super().deliver(delivery)


@pytest.mark.parametrize("kind", [CARD, ENDING, MessageKind.AUDIT])
async def test_outbox_relay_lets_others_pass_what_is_refused(
    quick_store: Store, kind: MessageKind
) -> None:
    """After a few tries the rest of the channel is delivered, and the refused one goes on."""
    desk = Refuses(kind)
    async with built(quick_store, desk=desk) as house:
        refused, passes = await house.ask("live s1"), await house.ask("live s2")
        assert isinstance(refused, Accepted)
        assert isinstance(passes, Accepted)

        def about(id_: str) -> list[MessageKind]:
            return [one.kind for one in desk.heard if one.operation.id == id_]

        wanted = {CARD, ENDING, MessageKind.AUDIT}
        await until(lambda: wanted <= set(about(passes.operation.id)))
        assert kind not in about(refused.operation.id)
        assert kind is not CARD or ENDING not in about(refused.operation.id)
        tried = desk.tried
        await until(lambda: desk.tried > tried)
        desk.relents = True
        await until(lambda: wanted <= set(about(refused.operation.id)))

    assert about(refused.operation.id).index(CARD) < about(refused.operation.id).index(ENDING)


@pytest.mark.parametrize("result", [RetryLater(1.0, "busy"), Sent("C0INC", TS)])
async def test_message_claimed_while_its_task_ends_is_delivered(
    timed_store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, result: DeliveryResult
) -> None:
    """A message that is put back and claimed at once waits for no lease."""
    outbox, desk = timed_store.outbox, FakeNotifier(results=[result])
    name = "mark_delivered" if isinstance(result, Sent) else "mark_postponed"
    put_back, claim = getattr(outbox, name), outbox.claim
    claims: list[int] = []

    async def counted(*args: Any, **more: Any) -> list[OutboxMessage]:
        found: list[OutboxMessage] = await claim(*args, **more)
        claims.extend(message.id for message in found)
        return found

    async def ends_late(message: OutboxMessage, *args: Any, **more: Any) -> None:
        if claims.count(message.id) > 1:
            await put_back(message, *args, **more)
            return
        if isinstance(result, Sent):
            # The card has changed since it was rendered.
            await change(timed_store)
        await put_back(message, *args, **more)
        clock.advance(2.0)
        timed_store.session.outbox_changed.set()
        await until(lambda: claims.count(message.id) > 1)

    monkeypatch.setattr(outbox, "claim", counted)
    monkeypatch.setattr(outbox, name, ends_late)
    await queue(timed_store, operation(1), CARD)
    async with delivering(timed_store, desk) as relay:
        await until(lambda: len(desk.said(CARD)) == (2 if isinstance(result, Sent) else 1))
        await relay.drain()
    # Once more, because the relay cannot know that it was put back before it was claimed.
    assert len(claims) == 3


@pytest.mark.parametrize(
    ("result", "late"),
    [
        (RetryLater(60.0, "Slack is asked too often"), True),
        (RetryLater(60.0, "its card does not stand yet", steady=True), False),
    ],
)
async def test_cards_are_late_while_slack_takes_no_message(
    timed_store: Store,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    result: DeliveryResult,
    late: bool,
) -> None:
    """A channel is late from a message that Slack did not take until one that it did."""
    desk, postpone, put_back = FakeNotifier([result]), timed_store.outbox.mark_postponed, False

    async def postponed(*args: Any, **more: Any) -> None:
        nonlocal put_back
        await postpone(*args, **more)
        put_back = True

    monkeypatch.setattr(timed_store.outbox, "mark_postponed", postponed)
    await queue(timed_store, operation(1), CARD)
    async with delivering(timed_store, desk) as relay:
        await until(lambda: put_back)
        assert relay.is_late("C0INC") is late
        assert not relay.is_late("C0ELSE")
        clock.advance(61.0)
        timed_store.session.outbox_changed.set()
        await relay.drain()
        assert not relay.is_late("C0INC")


@pytest.mark.parametrize(("steady", "waits"), [(True, [0.5] * 3), (False, [0.5, 1.0, 2.0])])
async def test_wait_for_what_is_not_slack_does_not_grow(
    timed_store: Store,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    steady: bool,
    waits: list[float],
) -> None:
    """An audit line looks for its card at an even pace: nothing outside knows of the rest yet."""
    postpone, found = timed_store.outbox.mark_postponed, list[float]()

    async def postponed(message: OutboxMessage, seconds: float, **more: Any) -> None:
        found.append(seconds)
        await postpone(message, seconds, **more)
        clock.advance(seconds)
        timed_store.session.outbox_changed.set()

    monkeypatch.setattr(timed_store.outbox, "mark_postponed", postponed)
    later = RetryLater(0.5, "its card does not stand yet", steady=steady)
    await queue(timed_store, operation(1), CARD)
    async with delivering(timed_store, FakeNotifier(results=[later] * 3)) as relay:
        await relay.drain()
    assert found == waits


async def test_message_claimed_again_before_its_post_is_not_posted_twice(
    timed_store: Store, clock: ManualClock
) -> None:
    """A clock that is turned on ends the lease of a message while it is posted."""
    desk, outbox, claims, marks = FakeNotifier(), timed_store.outbox, 0, 0
    claim, mark, deliver = outbox.claim, outbox.mark_in_flight, desk.deliver

    async def counted(*args: Any) -> list[OutboxMessage]:
        nonlocal claims
        found = await claim(*args)
        claims += len(found)
        return found

    async def claimed_once_more(message: OutboxMessage) -> float | None:
        nonlocal marks
        marks += 1
        if marks == 2:
            # By the loop of this replica, so that the row is its own again.
            await claim()
        return await mark(message)

    async def slowly(delivery: Delivery) -> DeliveryResult:
        if claims == 1:
            # The card changes while it is posted, and is claimed as it was.
            await change(timed_store)
            clock.advance(2 * timed_store.session.lease)
            timed_store.session.outbox_changed.set()
            await until(lambda: claims == 2)
        return await deliver(delivery)

    outbox.claim = counted  # type: ignore[method-assign, assignment]
    outbox.mark_in_flight = claimed_once_more  # type: ignore[method-assign]
    desk.deliver = slowly  # type: ignore[method-assign]
    await queue(timed_store, operation(1), CARD)
    async with delivering(timed_store, desk) as relay:
        await until(lambda: len(desk.said(CARD)) == 2)
        await relay.drain()
    assert [one.operation.card_ts for one in desk.said(CARD)] == ["", "1.0"]


@pytest.mark.parametrize("count", [1, 2])
async def test_nothing_is_claimed_after_the_last_message(
    count: int, timed_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits for a message is claimed once that is delivered; where nothing does, nothing."""
    monkeypatch.setattr(supervision, "IDLE", BOUND)
    desk, found, claim = FakeNotifier(), list[int](), timed_store.outbox.claim

    async def counted(*args: Any) -> list[OutboxMessage]:
        claimed = await claim(*args)
        found.append(len(claimed))
        return claimed

    timed_store.outbox.claim = counted  # type: ignore[method-assign, assignment]
    await queue(timed_store, operation(1), *(CARD, ENDING)[:count])
    # PostgreSQL tells of the new messages a moment after their commit.
    await asyncio.sleep(0.5)
    async with delivering(timed_store, desk) as relay:
        await relay.drain()
        await asyncio.sleep(0.1)
    assert found == [1] * count


async def test_clock_that_is_turned_back_mutes_no_channel(
    timed_store: Store, clock: ManualClock
) -> None:
    """Slots that were reserved by a clock which was ahead are void."""
    clock.advance(300.0)
    reserve = partial(timed_store.rate_limits.reserve, "slack:", "C0INC", 1.0)
    await reserve()
    clock.advance(-300.0)
    for _ in range(3):
        assert await reserve() < time.monotonic() + 10.0


async def change(store: Store) -> None:
    """Change the only operation, so that its card has to be drawn again."""

    def work(tx: Transaction, calls: Sequence[None]) -> list[None]:
        tx.connection.execute(sa.update(operations).values(seq=1))
        store.outbox.enqueue(tx, replace(operation(1), seq=1), CARD)
        return [None for _ in calls]

    await store.session.writer.do(work, None)


async def told(store: Store, name: str, *, at: float = SINCE) -> None:
    """Have an alert of a group told, at another time than before."""
    one = notice(firing("cam-1", at=at), key=name)
    await store.alerts.take(name, one, "C0INC")


async def shown(store: Store) -> list[str]:
    """Deliver the cards that may be delivered now, one claim at a time."""
    claimed = await store.outbox.claim()
    for message in claimed:
        ts = message.alert.card_ts if message.alert else ""
        await store.outbox.mark_delivered(message, Sent("C0INC", ts or f"{message.id}.0001"))
    return keys(claimed)


async def test_new_card_passes_the_edits_of_others(timed_store: Store) -> None:
    """What is told for the first time goes first; each card's edits are one, its newest form."""
    for name in ("one", "two"):
        await told(timed_store, name)
    assert await shown(timed_store) + await shown(timed_store) == [
        "one:alert alert",
        "two:alert alert",
    ]
    for number in range(1, 4):
        await told(timed_store, "one", at=SINCE + number)
        await told(timed_store, "two", at=SINCE + number)
    await told(timed_store, "three")
    await queue(timed_store, operation(1), CARD)

    assert sorted(await shown(timed_store)) == ["op1 card", "three:alert alert"]
    assert await shown(timed_store) == ["one:alert alert"]
    assert await shown(timed_store) == ["two:alert alert"]
    assert await shown(timed_store) == []


async def test_edit_gives_way_for_a_while_alone(timed_store: Store, clock: ManualClock) -> None:
    """However much is told for the first time, an edit goes with it after half a minute."""
    await told(timed_store, "one")
    assert await shown(timed_store) == ["one:alert alert"]
    await told(timed_store, "one", at=SINCE + 1)
    clock.advance(outbox_lanes.EDIT_PATIENCE - 1)
    await told(timed_store, "two")
    assert await shown(timed_store) == ["two:alert alert"]
    await told(timed_store, "three")
    clock.advance(2)
    assert sorted(await shown(timed_store)) == ["one:alert alert", "three:alert alert"]


async def test_notice_during_the_first_post_becomes_an_edit(timed_store: Store) -> None:
    """A card that changed while it was posted is edited after the new ones."""
    await told(timed_store, "one")
    (claimed,) = await timed_store.outbox.claim()
    await told(timed_store, "one", at=SINCE + 1)
    await timed_store.outbox.mark_delivered(claimed, Sent("C0INC", TS))
    await told(timed_store, "two")
    assert await shown(timed_store) == ["two:alert alert"]
    assert await shown(timed_store) == ["one:alert alert"]


async def test_edit_that_slack_does_not_take_now_is_passed(
    timed_store: Store, clock: ManualClock
) -> None:
    """What is said of the same operation and of others does not wait for the edit of a card."""
    posted = replace(operation(1), card_ts=TS, card_channel="C0INC")
    await queue(timed_store, posted, CARD, ENDING)
    await queue(timed_store, operation(2), CARD)
    assert await refuse(timed_store, aside=False) == ["op1 card"]

    assert await send_all(timed_store) == ["op1 ending", "op2 card"]
    await queue(timed_store, posted, CARD, LOOKED)
    assert await send_all(timed_store) == ["op1 looked"]
    clock.advance(AN_HOUR)
    assert await send_all(timed_store) == ["op1 card"]
    assert await timed_store.outbox.depth() == 0


async def test_edits_of_alerts_are_further_apart_than_the_rest(timed_store: Store) -> None:
    """Slack takes some edits a minute of all cards together: alerts leave most of them."""
    for name in ("one", "two"):
        await told(timed_store, name)
        await shown(timed_store)
        await told(timed_store, name, at=SINCE + 1)
    waits = list[float]()
    while claimed := await timed_store.outbox.claim(1.0, 5):
        waits += [one.wait for one in claimed]
        for message in claimed:
            await timed_store.outbox.mark_delivered(message, Sent("C0INC", TS))
    assert waits == pytest.approx([0.0, 3.0], abs=0.1)
