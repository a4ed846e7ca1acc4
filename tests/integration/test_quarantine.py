"""Rows that another release wrote, or nobody: what can be read is, the rest is quarantined."""

import json
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.errors import UnreadableRowError
from bot.model.actions import Reading
from bot.model.messages import MessageKind
from bot.model.off_air import OffAirChange
from bot.model.operations import (
    Approvals,
    Choice,
    Decision,
    GivenApproval,
    Operation,
    Origin,
    Preview,
    Search,
    State,
)
from bot.model.people import Actor, Place
from bot.storage import database, tables
from bot.storage.store import Store
from bot.storage.transition import Changes, Effects, Transition
from tests.conftest import built, opened
from tests.support.fakes import ALICE
from tests.support.stored_operations import FACTS, operation
from tests.support.stored_rows import Rows

NEWER = {"needed": 2, "newer": {"deep": [1, 2]}, "given": [{"user": "U1", "at": 5.0, "how": "x"}]}

GARBAGE = [
    ("consent", "{"),
    ("consent", "[]"),
    ("consent", "null"),
    ("consent", '{"needed": "many"}'),
    ("consent", '{"given": [{"user": "U1"}]}'),
    ("params", "null"),
    ("params", '{"StreamName": '),
    ("result", "7"),
    ("via", "pigeon"),
    ("approval", "by-acclamation"),
]


@pytest.fixture
def rows(database_url: str) -> Any:
    engine = database.connect(database_url)
    database.migrate(engine)
    engine.dispose()
    found = Rows(database_url)
    yield found
    found.close()


async def two(store: Store) -> tuple[Operation, Operation]:
    """Ask for two operations."""
    asked = operation(1), operation(2)
    for one in asked:
        await store.operations.add(one, FACTS)
    return asked


def press(number: int = 1) -> Decision:
    place = Place("C0INC", "", "https://hooks/x")
    return Decision(f"press{number}", "op1", Choice.CONFIRM, Actor("T0HOME", "U0ALICE"), place)


# --- operations --------------------------------------------------------------------------


async def test_consent_of_newer_release_is_read(database_url: str, rows: Rows) -> None:
    """An unknown key, also a nested one, does not keep an operation from being read."""
    async with opened(database_url) as store:
        await store.operations.add(operation(), FACTS)
        rows.change(tables.operations, "op1", consent=json.dumps(NEWER))

        found = await store.operations.get("op1")

    assert found is not None
    assert found.approvals == Approvals(needed=2, given=(GivenApproval("U1", 5.0),))


async def test_consent_of_newer_release_keeps_what_is_unknown(
    database_url: str, rows: Rows
) -> None:
    """What this release does not know of a consent is still there after it has changed it."""
    async with opened(database_url) as store:
        await store.operations.add(operation(), FACTS)
        rows.change(tables.operations, "op1", consent=json.dumps(NEWER))
        found = await store.operations.get("op1")
        assert found is not None
        changes: Changes = {"approvals": replace(found.approvals, reminded=3)}
        moved = await store.operations.apply(
            Transition("op1", (State.ASKED, State.WAITING), FACTS, changes)
        )

    assert moved is not None
    assert moved.approvals.reminded == 3
    stored = json.loads(rows.one(tables.operations, "op1").consent)
    assert (stored["newer"], stored["reminded"]) == ({"deep": [1, 2]}, 3)


async def test_consent_change_keeps_other_parts(database_url: str, rows: Rows) -> None:
    """A transition that changes the approvals leaves the preview and the origin as stored."""
    asked = replace(operation(), origin=Origin(undoes="op0", spans={"Duration": 60.0}))
    async with opened(database_url) as store:
        await store.operations.add(asked, FACTS)
        changes: Changes = {"preview": Preview(state="active")}
        await store.operations.apply(
            Transition("op1", (State.ASKED, State.WAITING), FACTS, changes)
        )
        given = Approvals(given=(GivenApproval("U1", 5.0),))
        moved = await store.operations.apply(
            Transition("op1", (State.WAITING, State.DUE), FACTS, {"approvals": given})
        )

    assert moved is not None
    assert moved.origin == asked.origin
    assert moved.preview == Preview(state="active")
    assert moved.approvals.given == (GivenApproval("U1", 5.0),)
    stored = json.loads(rows.one(tables.operations, "op1").consent)
    assert (stored["seen"], stored["undoes"], stored["then"]) == ("active", "op0", [])


async def test_consent_of_older_release_takes_defaults(database_url: str, rows: Rows) -> None:
    """A key that was not stored yet has the model's default."""
    async with opened(database_url) as store:
        await store.operations.add(operation(), FACTS)
        stored = {"roles": ["leads"], "sights": [{"words": "{} live", "values": ["x", 7]}]}
        rows.change(tables.operations, "op1", consent=json.dumps(stored))

        found = await store.operations.get("op1")

    assert found is not None
    assert found.approvals == Approvals(roles=("leads",))
    assert found.preview == Preview(readings=(Reading("{} live", ("x", 7.0)),))


async def test_params_and_result_of_newer_release_are_read(database_url: str, rows: Rows) -> None:
    """Parameters and answers have whatever keys they have; an empty object is none."""
    async with opened(database_url) as store:
        await store.operations.add(operation(), FACTS)
        params = {"StreamName": "stream1", "Newer": {"a": [None]}}
        rows.change(tables.operations, "op1", params=json.dumps(params), result='{"New": 1}')
        found = await store.operations.get("op1")
        assert found is not None
        assert (found.params, found.result) == (params, {"New": 1})

        rows.change(tables.operations, "op1", params="{}", result="{}")
        found = await store.operations.get("op1")
        assert found is not None
        assert (found.params, found.result) == ({}, {})


@pytest.mark.parametrize(("column", "value"), GARBAGE)
async def test_claim_quarantines_unreadable_operation(
    database_url: str, rows: Rows, column: str, value: str
) -> None:
    """What cannot be read takes nothing else with it, is claimed once, and held by nobody."""
    async with opened(database_url) as store:
        await two(store)
        rows.change(tables.operations, "op1", **{column: value})
        rows.orphan(tables.operations)

        with capture_logs() as logs:
            assert [one.id for one in await store.leases.claim()] == ["op2"]
            rows.orphan(tables.operations)
            assert [one.id for one in await store.leases.claim()] == ["op2"]
            await store.leases.renew()

        left = rows.one(tables.operations, "op1")
        assert (left.owner, left.lease_until) == ("dead", 1.0), "it was not claimed again"
        named = [line for line in logs if line["event"] == "a stored row is quarantined"]
        assert [(line["table"], line["row"]) for line in named] == [("operations", "op1")]
        with pytest.raises(UnreadableRowError):
            await store.operations.get("op1")


async def test_claim_leaves_unreadable_operation_to_another_release(
    database_url: str, rows: Rows
) -> None:
    """Whoever cannot read it gives its lease up, so that it runs out and nobody renews it."""
    async with opened(database_url) as store:
        await store.operations.add(operation(), FACTS)
        rows.orphan(tables.operations)
        rows.change(tables.operations, "op1", via="pigeon")
        assert await store.leases.claim() == []
        given_up = rows.one(tables.operations, "op1")
        await store.leases.renew()
        assert rows.one(tables.operations, "op1").lease_until == given_up.lease_until > 1.0
        assert given_up.owner == ""

        rows.change(tables.operations, "op1", via="command", lease_until=1.0)
        async with opened(database_url, owner="newer") as newer:
            assert [one.id for one in await newer.leases.claim()] == ["op1"]


async def test_keep_names_unreadable_row_once(database_url: str, rows: Rows) -> None:
    """The trail and the audit channel hear of a row once, however many replicas find it."""
    async with opened(database_url) as one, opened(database_url, owner="replica-2") as other:
        await one.operations.add(operation(), FACTS)
        rows.change(tables.operations, "op1", consent="{")
        for store in (one, other, one):
            rows.orphan(tables.operations)
            assert await store.leases.claim() == []
            assert await store.operations.recent() == []
            await store.leases.renew()
            await store.leases.renew()
        kept = [row.kind for row in rows.all(tables.trail) if row.kind == "unreadable"]

    assert kept == ["unreadable"]
    (notice,) = rows.notices()
    assert "row op1 of operations cannot be read" in notice


async def test_reads_leave_unreadable_operation_out(database_url: str, rows: Rows) -> None:
    """Lists have everything that can be read, though one row cannot."""
    async with opened(database_url) as store:
        for asked in await two(store):
            off = OffAirChange("default", "stream", asked.id, off=True)
            await store.operations.apply(Transition(asked.id, (State.ASKED, State.WAITING), FACTS))
            await store.operations.apply(
                Transition(
                    asked.id, (State.WAITING, State.DUE), FACTS, effects=Effects(off_air=off)
                )
            )
        rows.change(tables.operations, "op1", consent="{")

        assert [one.id for one in await store.operations.recent()] == ["op2"]
        assert [one.id for one in await store.operations.search(Search(), 10)] == ["op2"]
        assert [one.id for one in await store.operations.unfinished()] == ["op2"]
        assert [one.operation.id for one in await store.off_air.list(10)] == ["op2"]
        with store.audit_log.records() as records:
            assert {record.operation for record in records} == {"op1", "op2"}


async def test_lapsing_leaves_unreadable_operation_out(database_url: str, rows: Rows) -> None:
    """Unreadable rows that wait do not stand in the way of those that expire."""
    async with opened(database_url) as store:
        for asked in await two(store):
            move = Transition(
                asked.id, (State.ASKED, State.WAITING), FACTS, effects=Effects(expires_in=-1.0)
            )
            await store.operations.apply(move)
        rows.change(tables.operations, "op1", consent="{")

        assert [one.id for one in await store.operations.due_waits()] == ["op2"]
        assert [one.id for one in await store.operations.due_waits(limit=1)] == ["op2"]


async def test_heartbeat_outlives_unreadable_operation(database_url: str, rows: Rows) -> None:
    """What another replica left behind is taken over, whatever stands beside it."""
    async with opened(database_url, lease=0.5) as store:
        await two(store)
        rows.change(tables.operations, "op1", consent='{"needed": []}')
        rows.orphan(tables.operations)
        async with built(store) as house:
            assert (await house.ended("op2")).request_id
            assert len(house.cloud.sent) == 1
            assert (await house.run("live stream7")).request_id
        assert rows.one(tables.operations, "op1").state == State.ASKED.value


# --- the outbox --------------------------------------------------------------------------


async def settled(store: Store, number: int = 1) -> None:
    """Owe a word to somebody who pressed."""
    booked = await store.decisions.add(press(number))
    assert booked is not None
    await store.decisions.settle(booked, f"word {number}")


@pytest.mark.parametrize("fewer", [True, False])
async def test_word_of_other_release_is_read(database_url: str, rows: Rows, fewer: bool) -> None:
    """A word has a place with more keys than this release knows, or fewer."""
    async with opened(database_url) as store:
        await settled(store)
        (row,) = rows.all(tables.outbox)
        place = json.loads(row.place)
        if fewer:
            del place["place"]["thread_ts"], place["again"]
        else:
            place |= {"newer": 1, "place": place["place"] | {"newer": 1}}
        rows.change(tables.outbox, row.id, place=json.dumps(place))

        (owing,) = await store.outbox.claim()

    assert owing.notice is not None
    assert (owing.notice.text, owing.notice.place.channel) == ("word 1", "C0INC")


@pytest.mark.parametrize(
    ("column", "value"),
    [("place", "{"), ("place", '{"actor": 7}'), ("owed", "telegram"), ("about", "frozen")],
)
async def test_claim_owing_passes_unreadable_message(
    database_url: str, rows: Rows, column: str, value: str
) -> None:
    """A message that cannot be read does not hold up those behind it, and is claimed once."""
    async with opened(database_url) as store:
        await settled(store, 1)
        await settled(store, 2)
        first = min(row.id for row in rows.all(tables.outbox))
        rows.change(tables.outbox, first, **{column: value})

        assert await store.outbox.claim() == []
        (owing,) = await store.outbox.claim()
        assert owing.text == "word 2"
        assert await store.outbox.depth() == 1
        assert rows.one(tables.outbox, first).owner == ""
        await store.leases.renew()

    (notice,) = rows.notices()
    assert f"row {first} of outbox cannot be read" in notice


async def test_claim_owing_passes_message_of_unreadable_operation(
    database_url: str, rows: Rows
) -> None:
    """What is owed about an operation that cannot be read is not sent as something else."""
    async with opened(database_url) as store:
        await two(store)
        await store.outbox.enqueue_card("op1")
        await store.outbox.enqueue_card("op2")
        rows.change(tables.operations, "op1", via="pigeon")

        assert await store.outbox.claim() == []
        (owing,) = await store.outbox.claim()

    assert (owing.kind, owing.operation and owing.operation.id) == (MessageKind.CARD, "op2")


# --- decisions ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    [
        {"channel": "C0INC", "thread_ts": "", "reply_url": "", "newer": 1},
        {"channel": "C0INC"},
    ],
)
async def test_decision_of_other_release_is_read(
    database_url: str, rows: Rows, place: dict[str, Any]
) -> None:
    """A press has a place with more keys than this release knows, or fewer."""
    async with opened(database_url) as store:
        booked = await store.decisions.add(press())
        assert booked is not None
        rows.change(tables.decisions, booked.id, place=json.dumps(place))
        rows.orphan(tables.decisions)

        (found,) = await store.decisions.claim()

    assert found.place == Place("C0INC")


@pytest.mark.parametrize(
    ("column", "value"), [("place", "{"), ("place", "{}"), ("choice", "abstain")]
)
async def test_claim_decisions_quarantines_unreadable_press(
    database_url: str, rows: Rows, column: str, value: str
) -> None:
    """A press that cannot be read takes no other with it, and is claimed once."""
    async with opened(database_url) as store:
        first, second = await store.decisions.add(press(1)), await store.decisions.add(press(2))
        assert first is not None
        assert second is not None
        rows.change(tables.decisions, first.id, **{column: value})
        rows.orphan(tables.decisions)

        assert [one.id for one in await store.decisions.claim()] == [second.id]
        assert rows.one(tables.decisions, first.id).owner == ""
        rows.orphan(tables.decisions)
        assert [one.id for one in await store.decisions.claim()] == [second.id]
        assert rows.one(tables.decisions, first.id).owner == "dead"
        await store.leases.renew()

    assert len(rows.notices()) == 1


async def test_press_on_unreadable_operation_changes_nothing(database_url: str, rows: Rows) -> None:
    """Who decides about what this release cannot read is told so."""
    async with opened(database_url) as store:
        await store.operations.add(operation(), FACTS)
        await store.operations.apply(Transition("op1", (State.ASKED, State.WAITING), FACTS))
        rows.change(tables.operations, "op1", approval="by-acclamation")
        async with built(store) as house:
            settled = await house.decide("op1", Choice.CONFIRM, ALICE)
            assert "refused" in await house.kinds()

    assert not settled.counts
    assert "can't read the request" in settled.words
