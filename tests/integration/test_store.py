"""The store on both databases: a row, its records and what it owes, together or not at all."""

import asyncio
import contextlib
import itertools
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.errors import StoreError
from bot.model.actions import Effect
from bot.model.messages import MessageKind, Sent
from bot.model.operations import State
from bot.storage import database, tables
from bot.storage.outbox_message import OutboxMessage
from bot.storage.store import Store
from bot.storage.transition import Transition
from tests.conftest import built, opened
from tests.support.clocks import ManualClock
from tests.support.fakes import BOB
from tests.support.stored_operations import FACTS, operation

RUN = (State.ASKED, State.DUE, State.RUNNING)
END = (State.RUNNING, State.ACCEPTED)


async def test_store_returns_an_operation_by_id_and_key(store: Store) -> None:
    """A stored operation is returned unchanged by its id and by its key."""
    asked = operation()
    await store.operations.add(asked, FACTS)

    found = await store.operations.get("op1")

    assert found is not None
    assert found.asked_at > 0
    assert found.params == asked.params
    assert await store.operations.by_key("key1") == found


async def test_store_accepts_an_idempotency_key_once(store: Store) -> None:
    """Of 50 concurrent operations with the same key, one is stored."""
    same = [operation(number, key="same") for number in range(50)]

    booked = await asyncio.gather(*(store.operations.add(one, FACTS) for one in same))

    assert sum(one is not None for one in booked) == 1
    assert len(await store.operations.recent(limit=100)) == 1


async def test_store_accepts_a_key_once_across_replicas(database_url: str) -> None:
    """Two replicas store a key once, and the audit log has no gap or duplicate."""
    async with opened(database_url) as one, opened(database_url, owner="replica-2") as two:
        booked = await asyncio.gather(
            *(
                replica.operations.add(operation(number * 2 + side, key=f"same{number}"), FACTS)
                for number in range(25)
                for side, replica in enumerate((one, two))
            )
        )
        with one.audit_log.records() as records:
            seqs = [record.seq for record in records]

    assert sum(one is not None for one in booked) == 25
    assert seqs == list(range(1, 26))


async def test_store_lets_one_concurrent_transition_win(store: Store) -> None:
    """Of 100 concurrent transitions of an operation, one succeeds."""
    await store.operations.add(operation(), FACTS)

    moved = await asyncio.gather(
        *(store.operations.apply(Transition("op1", RUN, FACTS)) for _ in range(100))
    )

    assert sum(one is not None for one in moved) == 1


async def test_audit_log_records_each_transition(store: Store) -> None:
    """Each step of an operation's path through its states is recorded in the audit log."""
    await store.operations.add(operation(), FACTS)
    await store.operations.apply(Transition("op1", RUN, FACTS))
    await store.operations.apply(Transition("op1", END, FACTS))

    with store.audit_log.records(operation="op1") as records:
        assert [record.kind for record in records] == ["asked", "allowed", "sending", "ended"]


async def test_store_rejects_an_unknown_transition(store: Store) -> None:
    """A transition that the lifecycle does not define raises KeyError."""
    await store.operations.add(operation(), FACTS)
    with pytest.raises(KeyError):
        await store.operations.apply(Transition("op1", (State.ASKED, State.ACCEPTED), FACTS))


async def claimed(store: Store) -> list[OutboxMessage]:
    return await store.outbox.claim()


async def test_outbox_merges_updates_of_one_card(store: Store) -> None:
    """Several changes before delivery leave one card in the outbox, in its newest state."""
    await store.operations.add(operation(), FACTS)
    await store.operations.apply(Transition("op1", RUN, FACTS))
    await store.operations.apply(Transition("op1", END, FACTS))

    card, audit = await claimed(store)

    assert (card.kind, audit.kind) == (MessageKind.CARD, MessageKind.AUDIT)
    assert card.operation is not None
    assert card.operation.state is State.ACCEPTED


async def test_outbox_requeues_a_card_that_changed_in_delivery(store: Store) -> None:
    """A card that changed during its delivery is sent again before the result."""
    await store.operations.add(operation(), FACTS)
    await store.operations.apply(Transition("op1", RUN, FACTS))
    (card,) = await claimed(store)
    await store.operations.apply(Transition("op1", END, FACTS))
    await store.outbox.mark_delivered(card, Sent("C0INC", "1.0"))

    newer = [row for row in await claimed(store) if row.destination == "C0INC"]

    assert [row.kind for row in newer] == [MessageKind.CARD]
    assert newer[0].operation is not None
    assert newer[0].operation.card_ts == "1.0"
    await store.outbox.mark_delivered(newer[0], Sent("C0INC", "1.0"))
    assert MessageKind.ENDING in [row.kind for row in await claimed(store)]


async def test_outbox_keeps_order_within_a_channel(store: Store) -> None:
    """A channel's messages are claimed one by one in order; other channels do not wait."""
    for number in (1, 2, 3):
        channel = "C0OTHER" if number == 3 else "C0INC"
        await store.operations.add(operation(number, channel=channel), FACTS)
        await store.operations.apply(Transition(f"op{number}", RUN, FACTS))

    first = await claimed(store)

    assert [row.key for row in first] == ["op1:card", "op3:card"]
    await store.outbox.mark_postponed(first[0], 60.0, uncertain=True)
    assert await claimed(store) == []


async def test_outbox_marks_a_message_uncertain_after_a_crash(database_url: str) -> None:
    """A message whose sender died after an attempt is claimed as uncertain by another."""
    clock = ManualClock()
    async with opened(database_url, clock=clock) as one:
        await one.operations.add(operation(), FACTS)
        await one.operations.apply(Transition("op1", RUN, FACTS))
        (card,) = await one.outbox.claim()
        assert not card.uncertain
        await one.outbox.mark_in_flight(card)
    clock.advance(60.0)
    async with opened(database_url, owner="replica-2", clock=clock) as two:
        (card,) = await two.outbox.claim()
        assert card.uncertain


async def test_outbox_reports_an_undeliverable_message(
    store: Store,
) -> None:
    """An undeliverable card is recorded and announced, and its requester is told once."""
    await store.operations.add(operation(), FACTS)
    await store.operations.apply(Transition("op1", RUN, FACTS))
    (card,) = await claimed(store)

    await store.outbox.mark_undeliverable(
        card, "the channel is archived", tell="Nobody heard of it"
    )

    rows = {row.kind: row for row in await claimed(store)}
    assert rows[MessageKind.AUDIT].text == "Nobody heard of it"
    assert MessageKind.PRIVATE not in rows, "its ending will be told"
    with store.audit_log.records(last=1) as records:
        assert next(records).kind == "undeliverable"

    await store.operations.apply(Transition("op1", (State.RUNNING, State.ACCEPTED), FACTS))
    told = []
    for _ in range(4):
        for row in await claimed(store):
            if row.kind in (MessageKind.CARD, MessageKind.ENDING):
                await store.outbox.mark_undeliverable(row, "the channel is archived")
            told += [row] if row.kind is MessageKind.PRIVATE else []
    assert [row.destination for row in told] == ["@U0ALICE"], "once"


# A slot is by the database's clock and told by ours: between the two lies how long a query took.
EVERY, FAR = 300.0, 60.0


async def test_rate_limits_space_starts_evenly(store: Store) -> None:
    """Starts of one API get evenly spaced slots, and a started one is not started again."""
    for number in range(6):
        await store.operations.add(operation(number), FACTS)
        await store.operations.apply(Transition(f"op{number}", (State.ASKED, State.DUE), FACTS))
    moves = [Transition(f"op{number}", (State.DUE, State.RUNNING), FACTS) for number in range(6)]

    began = time.monotonic()
    start = store.operations.start
    started = await start("default", "DropLiveStream", EVERY, moves[:3])
    later = await start("default", "DropLiveStream", EVERY, moves[3:] + moves[:1])
    other = await start("default", "ResumeLiveStream", EVERY, [])

    slots = [at for at, one in started + later if one is not None]
    assert began - FAR < slots[0] < time.monotonic() + FAR
    gaps = [then - at for at, then in itertools.pairwise(slots)]
    assert gaps == pytest.approx([EVERY] * 5, abs=FAR)
    assert later[-1][1] is None
    assert other == []


async def test_store_refuses_while_locked_and_recovers(tmp_path: Path) -> None:
    """A locked database raises StoreError, and the store works once the lock is gone."""
    file = tmp_path / "a.db"
    async with opened(f"sqlite:///{file}?timeout=0.05") as store:
        await store.operations.add(operation(1), FACTS)
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(StoreError, match="locked"):
                await store.operations.add(operation(2), FACTS)
            with pytest.raises(StoreError, match="locked"):
                await store.ready()
        assert await store.operations.add(operation(3), FACTS) is not None
        await store.ready()
        with store.audit_log.records() as records:
            assert [record.operation for record in records] == ["op1", "op3"]


async def test_writer_isolates_a_failing_write_in_a_batch(store: Store) -> None:
    """A write that fails does not fail the other writes submitted with it."""
    twice = [
        store.operations.add(operation(1), FACTS),
        store.operations.add(operation(1, key="other"), FACTS),
    ]

    results = await asyncio.gather(
        *twice, store.operations.add(operation(2), FACTS), return_exceptions=True
    )

    assert isinstance(results[1], StoreError)
    assert await store.operations.get("op1") is not None
    assert await store.operations.get("op2") is not None


async def test_outbox_leaves_a_reclaimed_message_to_its_owner(database_url: str) -> None:
    """A replica whose lease ran out can neither send nor postpone the reclaimed message."""
    clock = ManualClock()
    async with (
        opened(database_url, "slow", clock=clock) as slow,
        opened(database_url, "quick", clock=clock) as quick,
    ):
        await slow.outbox.announce("key", "a notice", {}, "notice")
        (first,) = await slow.outbox.claim()
        clock.advance(60.0)
        (second,) = await quick.outbox.claim()
        assert not await slow.outbox.mark_in_flight(first)
        assert await quick.outbox.mark_in_flight(second)

        await slow.outbox.mark_postponed(first, 0.0, uncertain=False)
        assert await slow.outbox.claim() == [], "the slow one's word changes nothing"


async def test_outbox_keeps_a_message_in_flight_on_shutdown(database_url: str) -> None:
    """A message in flight at a shutdown is claimed only after its lease, as uncertain."""
    async with opened(database_url, "one") as one, opened(database_url, "two") as two:
        await one.outbox.announce("key", "a notice", {}, "notice")
        (message,) = await one.outbox.claim()
        assert await one.outbox.mark_in_flight(message)
        await one.leases.hand_over()

        assert await two.outbox.claim() == []
        with one.session.engine.begin() as connection:
            connection.execute(sa.update(tables.outbox).values(lease_until=1.0))
        (found,) = await two.outbox.claim()
        assert found.uncertain


async def test_store_statements_use_an_index_on_large_tables(tmp_path: Path) -> None:
    """No statement on SQLite scans a table that grows without using an index."""
    seen: dict[str, None] = {}

    def trace(raw: sqlite3.Connection, _record: Any) -> None:
        # As SQLite runs it, with its values, whoever has given it to the driver.
        raw.set_trace_callback(seen.setdefault)

    engine = database.connect(f"sqlite:///{tmp_path / 'x.db'}")
    database.migrate(engine)
    engine.dispose()
    sa.event.listen(engine, "connect", trace)
    store = Store(engine, owner="one", audit_channel="C0AUDIT")
    async with built(store) as app:
        await app.run("live one")
        await app.ask("live one", BOB)
        await app.run("live two for=30m")
        await app.run("hold live two reason=x")
        await app.run("live two", verb=Effect.START)
        await store.off_air.list(10)
        await store.off_air.list_holds()
        await store.off_air.claim_expiring()
        await store.off_air.record_on_again("nothing", "active", {})
        await store.operations.unfinished()
        await store.operations.due_waits()
        await store.decisions.claim()
        await store.operations.recent(user="U0ALICE")
        await store.leases.hand_over()
    plans = {}
    with engine.connect().execution_options(reads=True) as connection:
        for statement in list(seen):
            if statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
                explained = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}")
                plans[statement] = [str(row.detail) for row in explained]
    await store.close()

    assert len(plans) > 15
    for statement, plan in plans.items():
        for line in plan:
            slow = line.startswith("SCAN") and "USING INDEX" not in line
            big = any(f" {table}" in line for table in ("operations", "decisions", "off"))
            assert not (slow and big), (line, statement)
