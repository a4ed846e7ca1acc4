"""What somebody without the audit key writes to the outbox is not posted, and delays nothing."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bot.audit.checkpoints import Signer
from bot.audit.hash_chain import Fact
from bot.model.messages import MessageKind, Sent
from bot.model.operations import State
from bot.storage import tables
from bot.storage.key_changes import KeyChanges
from bot.storage.message_integrity import OVERLAP, MessageIntegrity
from bot.storage.outbox import Outbox
from bot.storage.outbox_message import OutboxMessage
from bot.storage.row_macs import OF_MESSAGE, RowMacs
from bot.storage.store import Store
from bot.storage.transition import Guards, Transition
from bot.storage.writer import Transaction
from tests.conftest import opened
from tests.support.clocks import ManualClock
from tests.support.stored_operations import FACTS, operation
from tests.support.stored_rows import Rows

OURS, THEIRS = Signer(b"o" * 32), Signer(b"t" * 32)
CHANNEL = "C0AUDIT"
FORGED, ALTERED = 100, 100
PATH = (State.ASKED, State.DUE, State.RUNNING, State.ACCEPTED)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'signed.db'}"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def signed(url: str, clock: ManualClock) -> AsyncIterator[Store]:
    async with opened(url, signer=OURS, audit=CHANNEL, clock=clock) as store:
        yield store


@pytest.fixture
async def rows(url: str, signed: Store) -> AsyncIterator[Rows]:
    found = Rows(url)
    assert signed.session.message_integrity.enabled
    yield found
    found.close()


def tampered(rows: Rows) -> list[str]:
    """Return what the trail holds of messages that were tampered with."""
    found = [row for row in rows.all(tables.trail) if row.kind == "tampered"]
    return [row.body for row in found if '"table":"outbox"' in row.body]


async def delivered(store: Store) -> list[OutboxMessage]:
    """Deliver what can be delivered, and return it."""
    found: list[OutboxMessage] = []
    while claimed := await store.outbox.claim():
        for number, message in enumerate(claimed):
            assert await store.outbox.mark_in_flight(message)
            sent = Sent(message.destination, f"{len(found) + number}.0")
            await store.outbox.mark_delivered(message, sent)
        found += claimed
    return found


_OTHER = {"operation": "op1", "owed": "private", "about": "failed", "place": "{}"}


def altered(row: Any, name: str) -> dict[str, Any]:
    value = getattr(row, name)
    other = _OTHER.get(name, f"{value}x")
    return {name: other if other != value else ""}


async def test_thousand_forged_messages_are_not_posted(signed: Store, rows: Rows) -> None:
    """Whatever is inserted or altered is not claimed, and what is genuine goes on."""
    await signed.operations.add(operation(), FACTS)
    await delivered(signed)
    notes = [f"note{number}" for number in range(ALTERED)]
    await asyncio.gather(*(signed.outbox.announce(one, one, {}, "note") for one in notes))
    names = itertools.cycle(OF_MESSAGE)
    stored = rows.all(tables.outbox)
    rows.change_each(tables.outbox, {row.id: altered(row, next(names)) for row in stored})
    codes = itertools.cycle(("", stored[0].mac, "x", f"{stored[0].mac[:8]}.0.{'0' * 32}"))
    owed = itertools.cycle(kind.value for kind in MessageKind)
    forged = [
        {name: value for name, value in stored[0]._asdict().items() if name != "id"}
        | {"key": f"forged{n}", "mac": next(codes), "owed": next(owed), "text": "Off: stream1"}
        | {"operation": "op1" if n % 2 else "", "destination": ("C0INC", CHANNEL, "@U0BOB")[n % 3]}
        for n in range(FORGED)
    ]
    rows.insert(tables.outbox, forged)
    await signed.outbox.announce("genuine", "genuine", {}, "note")

    assert [one.text for one in await delivered(signed)] == ["genuine"]

    coded = len([one for one in forged if one["mac"]])
    assert signed.session.quarantine.tampered == ALTERED + coded
    await signed.leases.renew()
    assert len(tampered(rows)) == ALTERED + coded
    # The report itself is genuine.
    (told,) = await delivered(signed)
    assert "Somebody else has written to my database" in told.text
    assert f"and {ALTERED + coded - 1} more" in told.text


async def test_message_without_code_is_left_to_an_older_release(
    signed: Store, rows: Rows, url: str, clock: ManualClock
) -> None:
    """This release posts none, reports it once no older one does, and none holds up another."""
    async with opened(url, owner="old", audit=CHANNEL, signer=OURS) as older:
        older.session.message_integrity = MessageIntegrity(RowMacs(None), older.session.quarantine)
        await older.outbox.announce("older", "of the older one", {}, "note")
        await signed.outbox.announce("newer", "of the newer one", {}, "note")
        assert [one.text for one in await delivered(signed)] == ["of the newer one"]
        await signed.leases.renew()
        assert tampered(rows) == []
        assert [one.text for one in await delivered(older)] == ["of the older one"]
        await older.outbox.announce("left", "left behind", {}, "note")
    for _ in range(2):
        await signed.leases.renew()
        clock.advance(OVERLAP)
    await signed.leases.renew()
    (found,) = tampered(rows)
    assert "it has no code" in found
    assert "left behind" not in [one.text for one in await delivered(signed)]


@pytest.mark.parametrize("kind", [MessageKind.ENDING, MessageKind.AUDIT])
async def test_delivered_message_is_not_posted_again(
    signed: Store, rows: Rows, kind: MessageKind
) -> None:
    """A row that was genuine once, and is put back after its delivery, is not posted."""
    await signed.operations.add(operation(), FACTS)
    await signed.operations.apply(Transition("op1", PATH, FACTS))
    kept = [row._asdict() for row in rows.all(tables.outbox)]
    posted = await delivered(signed)
    assert MessageKind.ENDING in [one.kind for one in posted]
    assert rows.all(tables.outbox) == []
    again = [one for one in kept if one["owed"] == kind.value]
    rows.insert(tables.outbox, again)

    assert await delivered(signed) == []

    await signed.leases.renew()
    assert len(tampered(rows)) == len(again)


async def test_card_is_edited_however_often_it_was(signed: Store, rows: Rows) -> None:
    """A card changes again after its delivery, and an older release may have asked for that."""
    await signed.operations.add(operation(), FACTS)
    await delivered(signed)
    await signed.operations.apply(Transition("op1", PATH[:3], FACTS))
    (card,) = [row for row in rows.all(tables.outbox) if row.owed == MessageKind.CARD.value]
    rows.change(tables.outbox, card.id, wanted=card.wanted - 1)
    assert MessageKind.CARD in [one.kind for one in await delivered(signed)]
    rows.insert(tables.outbox, [card._asdict() | {"wanted": 10**9}])
    edited = await delivered(signed)
    assert [one.kind for one in edited] == [MessageKind.CARD], "once, whatever it is said to want"
    assert tampered(rows) == []


async def test_taken_key_mutes_nothing(signed: Store, rows: Rows) -> None:
    """Who inserts a message under the key of one to come does not keep that from its reader."""
    await signed.operations.add(operation(), FACTS)
    await delivered(signed)
    await signed.outbox.announce("x", "x", {}, "note")
    (other,) = rows.all(tables.outbox)
    taken = {"key": "op1:ending:accepted", "text": "x", "mac": "", "destination": "C0INC"}
    rows.insert(tables.outbox, [other._asdict() | taken | {"id": 10**6}])
    assert [one.key for one in await delivered(signed)] == ["x"]

    await signed.operations.apply(Transition("op1", PATH, FACTS))

    assert "op1:ending:accepted" in [one.key for one in await delivered(signed)]


async def test_new_key_takes_the_queue_over(signed: Store, rows: Rows, url: str) -> None:
    """What waits while the audit key is replaced is posted afterwards; what is forged is not."""
    for text in ("genuine", "altered"):
        await signed.outbox.announce(text, text, {}, "note")
    altered_row = rows.all(tables.outbox)[1]
    rows.change(tables.outbox, altered_row.id, text="forged")
    async with opened(url, owner="terminal", audit=CHANNEL) as terminal:
        assert await KeyChanges(terminal.session).change(THEIRS, former=OURS, facts={}) is None
    async with opened(url, owner="new", audit=CHANNEL, signer=THEIRS) as store:
        assert [one.text for one in await delivered(store)] == ["genuine"]
        await store.leases.renew()
        assert len(tampered(rows)) == 1


@pytest.mark.parametrize("change", [{"card_ts": "9.0"}, {"card_channel": "C0OTHER"}])
async def test_message_that_stands_elsewhere_is_not_edited(
    signed: Store, rows: Rows, change: dict[str, str]
) -> None:
    """Who writes another message's address into an operation has nothing of it overwritten."""
    await signed.operations.add(operation(), FACTS)
    await signed.operations.apply(Transition("op1", PATH[:3], FACTS))
    await delivered(signed)
    rows.change(tables.operations, "op1", **change)

    await signed.operations.apply(Transition("op1", PATH[2:], FACTS))

    assert [one for one in await delivered(signed) if one.operation] == []
    await signed.leases.renew()
    assert "names a card that was not posted for it" in tampered(rows)[0]


async def test_messages_of_the_release_before_are_posted_after_the_upgrade(
    signed: Store, rows: Rows
) -> None:
    """What waited while Slack was away is delivered, whichever release enqueued it."""
    await signed.audit_log.record(Fact("started", "", {"policy": "p"}))
    await signed.outbox.announce("k1", "waits", {}, "notice")
    rows.change_all(tables.outbox, mac="")
    assert await signed.outbox.claim() == []
    await signed.outbox.adopt()

    (message,) = await signed.outbox.claim()
    assert message.text == "waits"
    assert '"count":1' in next(
        row.body for row in rows.all(tables.trail) if row.kind == "messages adopted"
    )


async def test_nothing_is_adopted_once_messages_have_codes(signed: Store, rows: Rows) -> None:
    """Whoever writes a message, and takes the schema back to where it was, waits in vain."""
    await signed.audit_log.record(Fact("started", "", {"policy": "p", "schema": "0014"}))
    await signed.outbox.announce("k1", "forged", {}, "notice")
    rows.change_all(tables.outbox, mac="")
    await signed.outbox.adopt()

    assert await signed.outbox.claim() == []
    assert [row.kind for row in rows.all(tables.trail)].count("messages adopted") == 0


async def test_card_that_is_posted_in_the_same_transaction_is_known(
    signed: Store, rows: Rows
) -> None:
    """A busy writer notes that a card was posted, and hands out what follows it, at once."""
    await signed.operations.add(operation(), FACTS)
    card_and_ending = await signed.operations.apply(
        Transition("op1", PATH, FACTS, {"request_id": "r1"}, guards=Guards())
    )
    assert card_and_ending is not None
    (card,) = [one for one in await signed.outbox.claim() if one.kind is MessageKind.CARD]
    assert await signed.outbox.mark_in_flight(card)

    def work(tx: Transaction, calls: Sequence[None]) -> list[list[OutboxMessage]]:
        Outbox.mark_delivered.__wrapped__(signed.outbox, tx, card, Sent("C0INC", "1.0"))  # type: ignore[attr-defined] # what @write wraps
        return [Outbox.claim.__wrapped__(signed.outbox, tx) for _ in calls]  # type: ignore[attr-defined] # see above

    found = await signed.session.writer.do(work, None)
    await signed.leases.renew()

    assert MessageKind.ENDING in {one.kind for one in found}
    assert tampered(rows) == []
