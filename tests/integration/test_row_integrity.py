"""A row is not an order: what somebody without the audit key writes to the database never runs."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.audit.checkpoints import Signer
from bot.model.actions import Approval, Effect
from bot.model.commands import Command, Via
from bot.model.messages import MessageKind
from bot.model.operations import Approvals, Choice, Decision, Operation, State
from bot.model.people import Place
from bot.operations.follow_ups import FollowUp
from bot.operations.results import Accepted, NotRecorded
from bot.storage import row_macs, tables
from bot.storage.store import Store
from bot.storage.transition import Transition
from tests.conftest import House, built, opened
from tests.support import accounts
from tests.support.fakes import ALICE, BOB
from tests.support.off_air import press_of
from tests.support.stored_operations import FACTS, operation
from tests.support.stored_rows import Rows
from tests.support.waiting import until

OURS = Signer(b"o" * 32)
FORGED, ALTERED = 500, 500
APPROVALS = """
defaults: {live: {DomainName: push.example.com}}
roles:
  oncall:
    members: {users: [U0ALICE]}
    allow: [{actions: ["*"], approval: second-person, approvers: [leads]}]
  leads: {members: {users: [U0BOB]}, allow: [{actions: ["*"], approval: confirm}]}
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'signed.db'}"


@pytest.fixture
async def signed(url: str) -> AsyncIterator[Store]:
    async with opened(url, signer=OURS, lease=0.5) as store:
        yield store


@pytest.fixture
async def rows(url: str, signed: Store) -> AsyncIterator[Rows]:
    found = Rows(url)
    assert signed.session.integrity.macs.enabled
    yield found
    found.close()


_OTHER = {
    "state": (State.DUE.value, State.RUNNING.value),
    "approval": ("confirm", "none"),
    "via": ("mention", "command"),
    "params": ('{"StreamName": "stream666"}',),
    "result": ('{"TaskId": "666"}',),
    "consent": ('{"needed": 0}',),
    "live_now": ('[{"StreamName": "stream666"}]',),
    "live_before": ("live",),
    "emergency": (True, False),
}


def other(name: str, value: Any) -> Any:
    """Return another value that a column of an operation may hold."""
    if isinstance(tables.operations.c[name].type, sa.Double | sa.Integer):
        return (value or 0) + 1
    return next(one for one in _OTHER.get(name, (f"{value}x",)) if one != value)


def altered(row: Any, name: str) -> dict[str, Any]:
    """Return the change of a column of a row whose lease has lapsed."""
    return {name: other(name, getattr(row, name)), "owner": "dead", "lease_until": 1.0}


def alter(rows: Rows, id_: str, name: str) -> None:
    rows.change(tables.operations, id_, **altered(rows.one(tables.operations, id_), name))


def tampered(rows: Rows) -> list[str]:
    """Return what the trail holds of rows that were tampered with."""
    found = [row for row in rows.all(tables.trail) if row.kind == "tampered"]
    return [row.operation for row in found if '"table"' in row.body]


def stops(bot: House) -> list[Command]:
    """Return what was sent that is no read."""
    return [one for one in bot.cloud.sent if one.action.effect is not Effect.READ]


# --- forged and altered rows -------------------------------------------------------------


def test_every_column_is_covered_or_known_not_to_be() -> None:
    """A column that is added is not left out of the codes without a thought."""
    left_out = {
        tables.operations: {
            *("owner", "lease_until", "due_at", "look_at", "seq", "mac"),
            *("card_channel", "card_ts", "looked", "later"),
        },
        tables.decisions: {"id", "settled", "owner", "lease_until", "mac"},
        tables.outbox: {
            *("id", "wanted", "attempts", "uncertain", "next_at", "owner", "lease_until"),
            *("aside", "enqueued_at", "mac"),
        },
    }
    covered = {
        tables.operations: row_macs.OF_OPERATION,
        tables.decisions: row_macs.OF_DECISION,
        tables.outbox: row_macs.OF_MESSAGE,
    }
    for table, names in left_out.items():
        assert {column.name for column in table.columns} == names | set(covered[table])
        assert not names & set(covered[table])


async def test_operation_that_was_altered_while_it_waited_is_not_run(
    signed: Store, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits in numbers is read again at its turn, and counts no more than any other row."""
    monkeypatch.setattr("bot.operations.worker._HELD", 0)
    get = signed.operations.get

    async def altered_then_read(id_: str) -> Operation | None:
        rows.change(tables.operations, id_, params='{"StreamName": "stream666"}')
        return await get(id_)

    monkeypatch.setattr(signed.operations, "get", altered_then_read)
    async with built(signed) as bot:
        reply = await bot.ask("live stream1")
        assert isinstance(reply, Accepted)
        await until(lambda: tampered(rows) == [reply.operation.id])

        assert bot.cloud.sent == []


async def test_thousand_forged_rows_send_nothing(signed: Store, rows: Rows) -> None:
    """Whatever is inserted or altered, in any state, no request leaves; what is genuine goes on."""
    asked = [operation(number) for number in range(ALTERED)]
    await asyncio.gather(*(signed.operations.add(one, FACTS) for one in asked))
    stored = rows.all(tables.operations)
    names = itertools.cycle(row_macs.OF_OPERATION[1:])
    changes = {row.id: altered(row, next(names)) for row in stored}
    rows.change_each(tables.operations, changes)
    genuine = stored[0]._asdict()
    codes = itertools.cycle(("", genuine["mac"], "x", f"{genuine['mac'][:8]}.0.{'0' * 32}"))
    states = itertools.cycle((State.ASKED, State.DUE, State.RUNNING))
    rows.insert(
        tables.operations,
        [
            genuine
            | {"id": f"forged{n}", "key": f"forged{n}", "mac": next(codes), "approval": "none"}
            | {"state": next(states).value, "owner": "", "lease_until": 1.0}
            for n in range(FORGED)
        ],
    )

    async with built(signed) as bot:
        quarantine = signed.session.quarantine
        await until(lambda: quarantine.tampered == FORGED + ALTERED)
        done = await bot.run("live genuine")
        assert [one.params["StreamName"] for one in bot.cloud.sent[:1]] == ["genuine"]
        assert (done.state, len(bot.cloud.sent)) == (State.ACCEPTED, 1)
        await until(lambda: len(tampered(rows)) == FORGED + ALTERED)

    assert len(set(tampered(rows))) == FORGED + ALTERED, "each is on the trail once"


ANOTHER: dict[str, Any] = {
    "actor": BOB,
    "place": Place("C0OTHER", "1.0", "https://hooks.example.com/x"),
    "via": Via.MENTION,
    "text": "ban stream2",
    "api": "ForbidLiveStream",
    "params": {"StreamName": "stream2"},
    "region": "ap-singapore",
    "account": "other",
    "rule": "leads 1",
    "approval": Approval.CONFIRM,
    "detail": "other",
    "expires_at": 1.0,
    "decided_by": BOB.user,
    "decided_at": 2.0,
    "attempts": 1,
    "approvals": Approvals(needed=2),
    "reason": "other",
    "emergency": True,
    "target": "stream2",
    "case": "INC-2",
    "runbook": "https://runbooks.example.com/2",
}


async def test_swapped_columns_are_no_order(signed: Store, rows: Rows) -> None:
    """The columns of two genuine rows, exchanged one by one or all at once, belong to neither."""
    columns = row_macs.OF_OPERATION[2:]
    swaps = [*([name] for name in columns), ["mac"], [*columns, "mac"]]
    for number in range(len(swaps)):
        await signed.operations.add(operation(2 * number), FACTS)
        await signed.operations.add(replace(operation(2 * number + 1), **ANOTHER), FACTS)
    stored, changes, same = {row.id: row._asdict() for row in rows.all(tables.operations)}, {}, []
    for number, swapped in enumerate(swaps):
        pair = f"op{2 * number}", f"op{2 * number + 1}"
        for id_, theirs in zip(pair, reversed(pair), strict=True):
            new = {name: stored[theirs][name] for name in swapped}
            same += [id_] if all(stored[id_][name] == new[name] for name in swapped) else []
            changes[id_] = new | {"lease_until": 1.0}
    rows.change_each(tables.operations, changes)

    claimed = [one.id for one in await signed.leases.claim(limit=len(changes))]

    assert sorted(claimed) == sorted(same), "only what was not changed is taken over"
    assert len(changes) - len(claimed) > len(ANOTHER)


async def test_altered_row_is_not_moved_by_who_holds_it(signed: Store, rows: Rows) -> None:
    """What is changed between two steps of a replica's own work goes no further."""
    for one in (operation(1), operation(2)):
        await signed.operations.add(one, FACTS)
    alter(rows, "op1", "params")

    moves = [Transition(f"op{n}", (State.ASKED, State.DUE, State.RUNNING), FACTS) for n in (1, 2)]
    started = await signed.operations.start("default", "DropLiveStream", 0.0, moves)

    assert [one and one.id for _, one in started] == [None, "op2"]
    await signed.leases.renew()
    assert tampered(rows) == ["op1"]


async def test_tampering_is_reported_once(url: str, signed: Store, rows: Rows) -> None:
    """The trail, the audit channel and the log hear of a row once, whoever finds it again."""
    await signed.operations.add(operation(), FACTS)
    alter(rows, "op1", "actor")
    async with opened(url, owner="replica-2", signer=OURS) as second:
        for store in (signed, second, signed):
            rows.change(tables.operations, "op1", lease_until=1.0)
            assert await store.leases.claim() == []
            await store.leases.renew()

    assert tampered(rows) == ["op1"]
    (told,) = [row for row in rows.all(tables.outbox) if row.key.startswith("tampered:")]
    assert "row op1 of operations is not as it was written" in told.text


async def test_genuine_work_is_done_and_taken_over(database_url: str) -> None:
    """Each form that a row takes is recognised, by the replica that made it and by another."""
    async with opened(database_url, signer=OURS, lease=0.5) as first:
        async with built(first, policy=APPROVALS) as bot:
            asked = await waiting(bot)
            assert (await bot.decide(asked.id, Choice.APPROVE, BOB)).counts
            assert (await bot.ended(asked.id)).state is State.ACCEPTED
            left = await waiting(bot, "live stream2")
        await first.operations.add(replace(operation(), expires_at=None, case="INC-1"), FACTS)
    rows = Rows(database_url)
    async with (
        opened(database_url, owner="replica-2", signer=OURS, lease=0.5) as second,
        built(second, policy=APPROVALS) as bot,
    ):
        assert (await bot.decide(left.id, Choice.APPROVE, BOB)).counts
        assert (await bot.ended(left.id)).state is State.ACCEPTED
        taken_over = await until(lambda: second.operations.get("op1"))
        assert not taken_over.unsigned
        await until(lambda: rows.one(tables.operations, "op1").state == State.WAITING)
        assert len(stops(bot)) == 1
        assert tampered(rows) == []
        assert second.session.quarantine.tampered == 0
    rows.close()


# --- earlier forms, put back -------------------------------------------------------------


async def waiting(bot: House, text: str = "live stream1") -> Operation:
    """Ask for something that needs a second person."""
    reply = await bot.ask(text)
    assert isinstance(reply, Accepted)
    return await bot.engine.ending(reply.operation.id)


@pytest.mark.parametrize("kept", [State.ASKED, State.DUE])
async def test_earlier_form_of_an_operation_is_not_run(
    signed: Store, rows: Rows, kept: State
) -> None:
    """A row that was genuine once, and is put back after its ending, is not an order again."""
    await signed.operations.add(operation(), FACTS)
    if kept is State.DUE:
        await signed.operations.apply(Transition("op1", (State.ASKED, State.DUE), FACTS))
    before = rows.one(tables.operations, "op1")._asdict()
    path = (kept, *((State.DUE,) if kept is State.ASKED else ()), State.RUNNING, State.ACCEPTED)
    assert await signed.operations.apply(Transition("op1", path, FACTS)) is not None

    rows.change(tables.operations, "op1", **before | {"lease_until": 1.0})

    assert await signed.leases.claim() == []
    await signed.leases.renew()
    assert tampered(rows) == ["op1"]


async def test_earlier_approval_is_not_given_again(signed: Store, rows: Rows) -> None:
    """A waiting row and its press, both put back after the ending, send nothing again."""
    async with built(signed, policy=APPROVALS) as bot:
        asked = await waiting(bot)
        before = rows.one(tables.operations, asked.id)._asdict()
        assert (await bot.decide(asked.id, Choice.APPROVE, BOB)).counts
        await bot.ended(asked.id)
        assert len(stops(bot)) == 1
        (pressed,) = rows.all(tables.decisions)

        rows.change(tables.operations, asked.id, **before)
        rows.change(tables.decisions, pressed.id, settled=False, lease_until=1.0)
        await until(lambda: rows.one(tables.decisions, pressed.id).settled)
        await until(lambda: tampered(rows) == [asked.id])

        assert (await bot.now(asked.id)).state is State.WAITING
        assert len(stops(bot)) == 1


# --- decisions ---------------------------------------------------------------------------


async def test_forged_press_counts_for_nothing(signed: Store, rows: Rows) -> None:
    """A press that nobody made, or that another made, approves nothing and is reported."""
    async with built(signed, policy=APPROVALS) as bot:
        asked = await waiting(bot)
        place = Place("C0INC")
        await signed.decisions.add(Decision("press", asked.id, Choice.APPROVE, ALICE, place))
        (own,) = rows.all(tables.decisions)
        theirs = own._asdict() | {"actor": BOB.user, "lease_until": 1.0, "owner": ""}
        rows.change(tables.decisions, own.id, **theirs)
        del theirs["id"]
        forged = [theirs | {"key": f"forged{n}", "mac": mac} for n, mac in enumerate(("", own.mac))]
        rows.insert(tables.decisions, forged)

        await until(lambda: len(tampered(rows)) == len(forged) + 1)

        assert (await bot.now(asked.id)).state is State.WAITING
        assert stops(bot) == []
        assert set(tampered(rows)) == {asked.id}


async def test_added_approval_counts_for_nothing(signed: Store, rows: Rows) -> None:
    """An approval that is written into a waiting request cannot be added to."""
    async with built(signed, policy=APPROVALS) as bot:
        asked = await waiting(bot)
        given = '{"needed": 1, "given": [{"user": "U0BOB", "at": 1.0}]}'
        rows.change(tables.operations, asked.id, consent=given)

        settled = await bot.decide(asked.id, Choice.APPROVE, BOB)

        assert not settled.counts
        assert "can't verify" in settled.words
        assert stops(bot) == []
        await until(lambda: tampered(rows) == [asked.id])


# --- what an ended row may be used for ----------------------------------------------------


async def test_altered_ending_is_not_followed(signed: Store, rows: Rows) -> None:
    """The button of an ending whose row was changed sends nothing, for anybody."""
    async with built(signed) as bot:
        ended = await bot.run("live stream1")
        params = rows.one(tables.operations, ended.id).params.replace("stream1", "stream666")
        rows.change(tables.operations, ended.id, params=params)

        reply = await bot.service.follow(ended.id, FollowUp.KEEP_OFF, press_of(ALICE))

        assert isinstance(reply, NotRecorded)
        assert "can't verify" in reply.sentence
        assert len(stops(bot)) == 1
        await until(lambda: tampered(rows) == [ended.id])


async def test_altered_list_of_what_is_off_sends_nothing_elsewhere(
    signed: Store, rows: Rows
) -> None:
    """A button undoes what was done where it was done, whatever account the list names."""
    async with built(signed, policy=accounts.POLICY) as bot:
        banned = await bot.run("ban s1 for=1h")
        assert (banned.state, banned.account) == (State.ACCEPTED, "main")
        rows.change_all(tables.off, account="europe")

        reply = await bot.service.follow(banned.id, FollowUp.LIFT, press_of(ALICE))

        assert isinstance(reply, Accepted), reply
        assert reply.operation.account == "main"


@pytest.mark.parametrize("change", ["deleted", "altered", "released by nobody"])
async def test_hold_is_lifted_by_its_release_alone(signed: Store, rows: Rows, change: str) -> None:
    """Whatever is written to the list of holds, what a signed operation holds is not started."""
    async with built(signed, policy=accounts.POLICY) as bot:
        held = await bot.run("hold live s1 reason=legal")
        assert held.state is State.ACCEPTED
        if change == "altered":
            rows.change_all(tables.holds, target="stream s2")
        else:
            rows.delete_all(tables.holds)
        if change == "released by nobody":
            forged = {**rows.one(tables.operations, held.id)._mapping, "id": "forged"}  # noqa: SLF001 (public)
            forged |= {"api": "Release", "key": "forged", "ended_at": forged["ended_at"] + 1}
            rows.insert(tables.operations, [forged])

        started = await bot.run("ResumeLiveStream StreamName=s1", key="once")
        assert started.state is State.DENIED
        assert "has held" in started.detail
        assert stops(bot) == []
        await until(lambda: held.id in tampered(rows))

        released = await bot.run("release live s1")
        assert released.state is State.ACCEPTED
        started = await bot.run("ResumeLiveStream StreamName=s1", key="again")
        assert started.state is State.ACCEPTED, started.detail


async def test_altered_ending_is_not_verified(signed: Store, rows: Rows) -> None:
    """Nothing is read of the cloud for a row that was made due for verification."""
    await signed.operations.add(operation(), FACTS)
    path = (State.ASKED, State.DUE, State.RUNNING, State.ACCEPTED)
    await signed.operations.apply(Transition("op1", path, FACTS))
    rows.change(tables.operations, "op1", look_at=1.0)
    assert [one.id for one in await signed.verifications.claim()] == ["op1"]
    rows.change(tables.operations, "op1", look_at=1.0, target="stream666")
    assert await signed.verifications.claim() == []


# --- other releases, other keys ------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "ending"),
    [
        ((State.ASKED,), State.FAILED),
        ((State.ASKED, State.DUE), State.FAILED),
        ((State.ASKED, State.DUE, State.RUNNING), State.UNKNOWN),
    ],
)
async def test_upgrade_ends_what_was_in_progress(
    url: str, path: tuple[State, ...], ending: State
) -> None:
    """What a release without codes has left is not run, is told to have ended, and is no alarm."""
    async with opened(url, owner="old") as old:
        await old.operations.add(operation(), FACTS)
        if len(path) > 1:
            await old.operations.apply(Transition("op1", path, FACTS))
        await old.leases.hand_over()
    rows = Rows(url)
    async with opened(url, signer=OURS, lease=0.5) as store, built(store) as bot:
        ended = await bot.ended("op1")
        assert (ended.state, bot.cloud.sent) == (ending, [])
        assert "can't verify it" in ended.detail
        assert bot.heard(MessageKind.ENDING) == 1
        await store.leases.renew()
        assert tampered(rows) == []
    rows.close()


async def test_upgrade_lets_what_waited_expire(url: str) -> None:
    """What waits for an approval since before cannot be approved; asking again works."""
    async with opened(url, owner="old") as old, built(old, policy=APPROVALS) as bot:
        asked = await waiting(bot)
    rows = Rows(url)
    async with opened(url, signer=OURS, lease=0.5) as store, built(store, policy=APPROVALS) as bot:
        settled = await bot.decide(asked.id, Choice.APPROVE, BOB)
        assert not settled.counts
        assert "Ask again" in settled.words
        again = await waiting(bot, "live stream1 ")
        assert again.id != asked.id
        assert (await bot.decide(again.id, Choice.APPROVE, BOB)).counts
        await bot.ended(again.id)
        rows.change(tables.operations, asked.id, expires_at=1.0)
        assert (await bot.ended(asked.id)).state is State.EXPIRED
        assert len(stops(bot)) == 1
        assert tampered(rows) == []
    rows.close()


async def test_older_release_beside_is_no_alarm(url: str, signed: Store, rows: Rows) -> None:
    """What a replica of a release without codes moves on is never run here, and not reported."""
    await signed.operations.add(operation(), FACTS)
    async with opened(url, owner="old") as old:
        assert await old.operations.apply(Transition("op1", (State.ASKED, State.DUE), FACTS))
        await old.leases.hand_over()

    (found,) = await signed.leases.claim()
    await signed.leases.renew()

    assert found.unsigned
    assert tampered(rows) == []
    running = Transition("op1", (State.DUE, State.RUNNING), FACTS)
    assert await signed.operations.apply(running) is None
