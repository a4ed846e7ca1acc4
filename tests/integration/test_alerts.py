"""Alerts: each notice counts once, the card follows, a press asks, and nothing acts by itself."""

import asyncio
import json
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from bot.audit.checkpoints import Signer
from bot.cli.alert_sources import AlertSource
from bot.hooks import generic
from bot.hooks.exchange import HookRequest
from bot.model.alerts import OPEN_FOR, Alert, Notice
from bot.model.commands import Invocation, Via
from bot.model.messages import MessageKind
from bot.model.operations import Operation, State
from bot.model.people import Actor, Place
from bot.off_loop import AT_ONCE
from bot.operations.alert_offers import AlertChoice
from bot.operations.alert_service import AlertPress
from bot.operations.results import Accepted, NotRecorded, PressReply
from bot.storage import tables
from bot.storage.alerts import KEPT_FOR, Taken
from bot.storage.store import Store
from tests.conftest import House, built, opened
from tests.support.clocks import ManualClock
from tests.support.fakes import ALICE, BOB, MALLORY
from tests.support.notices import SINCE, firing, notice
from tests.support.stored_operations import FACTS, operation
from tests.support.stored_rows import Rows
from tests.support.waiting import until

SIGNER = Signer(b"a" * 32)


async def alert_of(store: Store, number: int = 0) -> Alert:
    """Return one of the alerts, the oldest first."""
    query = sa.select(tables.alerts.c.id).order_by(tables.alerts.c.opened_at, tables.alerts.c.id)
    found = await store.alerts.get((await store.session.fetch(query))[number].id)
    assert found is not None
    return found


async def count(store: Store) -> int:
    return len(await store.session.fetch(sa.select(tables.alerts.c.id)))


async def press(
    house: House,
    alert: Alert,
    choice: AlertChoice = AlertChoice.STOP,
    position: int = 0,
    actor: Actor = ALICE,
    channel: str = "C0INC",
    ts: str = "",
) -> PressReply:
    asked = Invocation("trigger", actor, Place(channel), "", Via.BUTTON, None)
    pressed = AlertPress(alert.id, choice, position, ts or alert.card_ts)
    return await house.alerts.press(pressed, asked)


async def opened_alert(house: House, *alerts: dict[str, Any]) -> Alert:
    """Have a notice taken and its card posted."""
    assert await house.alerts.take(notice(*alerts or (firing("cam-1"),))) is Taken.STORED
    await house.courier.drain()
    return await alert_of(house.store)


async def run(house: House, reply: PressReply) -> Operation:
    assert isinstance(reply, Accepted), reply
    return await house.ended(reply.operation.id)


# --- notices ---------------------------------------------------------------------------


async def test_notice_is_shown_and_nothing_is_sent(house: House) -> None:
    """An alert is a card in the channel; no request leaves because of it."""
    alert = await opened_alert(house)

    assert [one.title for one in house.desk.alerts] == ["BitrateLow"]
    assert [dict(one.params) for one in alert.streams] == [{"StreamName": "cam-1"}]
    assert alert.card_ts
    assert house.cloud.sent == []
    assert await house.kinds() == ["alert"]


async def test_repeats_change_nothing(house: House) -> None:
    """The same notice a thousand times is one card that is posted once."""
    for _ in range(1000):
        await house.alerts.take(notice(firing("cam-1")))
    await house.courier.drain()
    assert len(house.desk.alerts) == 1
    assert await count(house.store) == 1
    assert await house.alerts.take(notice(firing("cam-1"))) is Taken.REPEATED


def told(status: str, now: float, at: float | None = None) -> Notice:
    """Return what a sender of the bot's own form says now, with or without a time of its own."""
    body = {"id": "probe-1", "title": "Black", "status": status, "streams": ["cam-1"]}
    return generic.parse(body | ({"at": at} if at else {}), now)


async def test_clock_that_is_ahead_hides_no_end_and_no_beginning(house: House) -> None:
    """What says no time is later than what a sender told with a time yet to come."""
    take, now = house.alerts.take, time.time()
    ahead = now + 3600.0

    assert await take(told("firing", now, ahead)) is Taken.STORED
    assert await take(told("resolved", now + 1.0)) is Taken.STORED
    assert (await alert_of(house.store)).firing == ()
    assert await take(told("firing", now, ahead)) is Taken.REPEATED
    assert await take(told("resolved", now + 2.0)) is Taken.REPEATED

    assert await take(told("firing", now + 3.0)) is Taken.STORED
    assert await count(house.store) == 2
    assert await take(told("resolved", now + 4.0)) is Taken.STORED
    assert (await alert_of(house.store, 1)).firing == ()


async def test_late_notice_without_a_time_changes_nothing(house: House) -> None:
    """Where no clock is ahead, what was signed before comes too late."""
    take, now = house.alerts.take, time.time()

    assert await take(told("firing", now - 20.0)) is Taken.STORED
    assert await take(told("resolved", now - 10.0)) is Taken.STORED
    assert await take(told("firing", now - 15.0)) is Taken.REPEATED


@pytest.mark.parametrize(("size", "beside"), [(100, False), (AT_ONCE, True)])
async def test_large_notice_is_read_beside_the_loop(house: House, size: int, beside: bool) -> None:
    """What takes long to read keeps no ack waiting."""
    threads: list[int] = []

    def parse(said: Mapping[str, Any], at: float) -> Notice:
        threads.append(threading.get_ident())
        return generic.parse(said, at)

    body = json.dumps({"id": "a", "title": "a", "text": "x" * size}).encode()
    source = AlertSource(generic.NAME, ("secret",), house.alerts, generic.check, parse)
    await source.take(HookRequest({}, body, SINCE))

    assert [one != threading.get_ident() for one in threads] == [beside]


async def test_end_edits_the_card(house: House) -> None:
    """The same card says that it is over, and the trail has when."""
    await opened_alert(house)
    await house.alerts.take(notice(firing("cam-1", over=True)))
    await house.courier.drain()
    first, last = house.desk.alerts
    assert (last.id, last.card_ts) == (first.id, "1.5")
    assert last.resolved_at is not None
    assert await house.kinds() == ["alert", "alert over"]


async def test_group_grows_on_the_same_card(house: House) -> None:
    """What joins the group, and what leaves it, shows on its card; positions stay."""
    await opened_alert(house)
    await house.alerts.take(notice(firing("cam-1"), firing("cam-2")))
    await house.alerts.take(notice(firing("cam-1", over=True), firing("cam-2")))
    alert = await alert_of(house.store)
    assert [one.params["StreamName"] for one in alert.streams] == ["cam-1", "cam-2"]
    assert alert.live_streams == (1,)
    assert alert.resolved_at is None
    assert await count(house.store) == 1


async def test_late_notice_does_not_bring_an_alert_back(house: House) -> None:
    """A firing notice that comes after the end of the same alert is known to be old."""
    await opened_alert(house)
    await house.alerts.take(notice(firing("cam-1", over=True)))
    assert await house.alerts.take(notice(firing("cam-1"))) is Taken.REPEATED
    assert await count(house.store) == 1


async def test_alert_that_fires_again_gets_a_new_card(house: House) -> None:
    """An edit notifies nobody, so what begins anew is a new message."""
    await opened_alert(house)
    await house.alerts.take(notice(firing("cam-1", over=True)))
    assert await house.alerts.take(notice(firing("cam-1", at=SINCE + 600))) is Taken.STORED
    assert await count(house.store) == 2


async def test_end_of_what_was_never_told_is_not_shown(house: House) -> None:
    """A resolved notice alone opens no card."""
    assert await house.alerts.take(notice(firing("cam-1", over=True))) is Taken.IGNORED
    assert await count(house.store) == 0


async def test_any_order_of_notices_leads_to_the_same(house: House) -> None:
    """Repeated, late and mixed up, the notices of a group say what they say in order."""
    story = [
        notice(firing("cam-1")),
        notice(firing("cam-1"), firing("cam-2")),
        notice(firing("cam-1", over=True), firing("cam-2")),
        notice(firing("cam-2", at=SINCE + 5)),
        notice(firing("cam-3", at=SINCE + 9), firing("cam-2", at=SINCE + 5)),
    ]
    chance = random.Random(17)  # noqa: S311 (an order)
    for number in range(20):
        key = f"group-{number}"
        for one in chance.sample(story * 2, 2 * len(story)):
            await house.alerts.take(replace(one, group=key))
        alert = await alert_of(house.store, number)
        state = sorted((one.title, one.firing) for one in alert.items)
        assert [firing_ for _, firing_ in state] == [False, True, True]
    assert await count(house.store) == 20


async def test_old_alert_gives_way_to_a_new_card(tmp_path: Any) -> None:
    """What was not heard of for long has a new card when it is, and its old one does nothing."""
    clock = ManualClock()
    async with opened(f"sqlite:///{tmp_path / 'a.db'}", clock=clock) as store:
        first = notice(firing("cam-1"))
        assert await store.alerts.take("a1", first, "C0INC") is Taken.STORED
        clock.advance(OPEN_FOR - 1)
        assert await store.alerts.take("a2", first, "C0INC") is Taken.REPEATED
        clock.advance(OPEN_FOR + 1)
        assert await store.alerts.take("a3", first, "C0INC") is Taken.STORED
        clock.advance(KEPT_FOR + 1)
        other = replace(first, group="another")
        assert await store.alerts.take("a4", other, "C0INC") is Taken.STORED
        assert await store.alerts.get("a1") is None
        assert await store.alerts.get("a3") is None


async def test_two_replicas_open_one_card(database_url: str) -> None:
    """A notice that is sent to both replicas at once is stored once."""
    async with opened(database_url) as one, opened(database_url, owner="replica-2") as two:
        sent = [
            store.alerts.take(f"id-{number}", notice(firing("cam-1")), "C0INC")
            for number, store in enumerate([one, two] * 10)
        ]
        taken = await asyncio.gather(*sent)
        assert sorted(taken) == [Taken.REPEATED] * 19 + [Taken.STORED]
        assert await count(one) == 1


async def test_restart_knows_what_was_told(database_url: str) -> None:
    """What was stored before a restart is no news after it."""
    async with opened(database_url, signer=SIGNER) as store:
        await store.alerts.take("a1", notice(firing("cam-1")), "C0INC")
    async with opened(database_url, signer=SIGNER) as store:
        assert await store.alerts.take("a2", notice(firing("cam-1")), "C0INC") is Taken.REPEATED


async def test_other_messages_pass_a_flood_of_alerts(quick_store: Store) -> None:
    """A card that somebody waits for is claimed beside the first alert, not behind them all."""
    for number in range(50):
        one = replace(notice(firing("cam-1")), group=str(number))
        await quick_store.alerts.take(f"a{number:02}", one, "C0INC")
    await quick_store.outbox.announce("k", "text", {}, "policy broken")
    claimed = await quick_store.outbox.claim()
    assert sorted(one.kind for one in claimed) == [MessageKind.ALERT, MessageKind.AUDIT]
    assert await quick_store.operations.add(operation(1), FACTS) is not None
    await quick_store.outbox.enqueue_card(operation(1).id)
    again = await quick_store.outbox.claim()
    assert [one.kind for one in again] == [MessageKind.CARD]


# --- presses ---------------------------------------------------------------------------


async def test_press_stops_the_stream_in_the_alerts_thread(house: House) -> None:
    """The stream of the row is stopped for who pressed, and the answer is below the alert."""
    alert = await opened_alert(house)
    ended = await run(house, await press(house, alert))
    assert ended.state is State.ACCEPTED
    (sent,) = house.cloud.sent
    assert (sent.action.api, sent.target) == ("DropLiveStream", "cam-1")
    assert (ended.place.thread_ts, ended.actor) == (alert.card_ts, ALICE)
    assert ended.origin.alert == alert.id


async def test_press_bans_for_the_time_on_the_button(house: House) -> None:
    """Each ban lasts as its label says."""
    alert = await opened_alert(house)
    reply = await press(house, alert, AlertChoice.BAN_LONGER)
    assert isinstance(reply, Accepted)
    assert reply.operation.api == "ForbidLiveStream"
    assert reply.operation.origin.spans == {"ResumeTime": 7200.0}


async def test_press_has_the_rights_of_who_pressed(house: House) -> None:
    """Whoever may not stop a stream may not do it from an alert, either; others confirm."""
    alert = await opened_alert(house)
    denied = await run(house, await press(house, alert, actor=MALLORY))
    assert denied.state is State.DENIED
    waiting = await press(house, alert, actor=BOB)
    assert isinstance(waiting, Accepted)
    await house.engine.ending(denied.id)

    async def waits() -> bool:
        return (await house.now(waiting.operation.id)).state is State.WAITING

    await until(waits)
    assert "DropLiveStream" not in {one.action.api for one in house.cloud.sent}


async def test_press_twice_runs_once(house: House) -> None:
    """Until the first has ended, a second press is the same."""
    house.cloud.gate = asyncio.Event()
    alert = await opened_alert(house)
    first = await press(house, alert)
    second = await press(house, alert)
    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert (second.again, second.operation.id) == (True, first.operation.id)
    house.cloud.gate.set()
    await house.ended(first.operation.id)
    assert len(house.cloud.sent) == 1


async def test_press_after_the_end_does_nothing(house: House) -> None:
    """Buttons of an alert that is over, of a stream whose alert is over or of another channel."""
    alert = await opened_alert(house, firing("cam-1"), firing("cam-2"))
    await house.alerts.take(notice(firing("cam-1", over=True)))
    for reply in (
        await press(house, alert, position=0),
        await press(house, alert, position=2),
        await press(house, alert, position=1, channel="C0OTHER"),
        await press(house, alert, position=1, ts="9.9"),
    ):
        assert isinstance(reply, NotRecorded)
    house.clock.ahead = OPEN_FOR + 10
    assert isinstance(await press(house, alert, position=1), NotRecorded)
    house.clock.ahead = 0.0
    assert isinstance(await press(house, alert, position=1), Accepted)


async def test_offers_are_what_the_policy_lets_somebody_do(house: House) -> None:
    """A choice that no role has here is not offered."""
    alert = await opened_alert(house)
    assert [one.choices for one in house.alerts.offers(alert)] == [tuple(AlertChoice)]
    house.policy(
        """
        defaults: {live: {DomainName: push.example.com}}
        limits: [{actions: [ForbidLiveStream], deny: true}]
        roles:
          oncall:
            members: {users: [U0ALICE]}
            allow: [{actions: ["*"], where: {StreamName: "cam-*"}}]
        """
    )
    assert [one.choices for one in house.alerts.offers(alert)] == [(AlertChoice.STOP,)]
    house.policy(
        "roles: {oncall: {members: {users: [U0ALICE]}, allow: [{actions: [DropLiveStream]}]}}"
    )
    # Without a domain there is no command for the stream.
    assert [one.choices for one in house.alerts.offers(alert)] == [()]
    assert isinstance(await press(house, alert), NotRecorded)


# --- rows that somebody else wrote ------------------------------------------------------


async def test_altered_alert_is_neither_shown_nor_obeyed(tmp_path: Any) -> None:
    """Whoever can write the database cannot have a button mean another stream."""
    url = f"sqlite:///{tmp_path / 'signed.db'}"
    rows = Rows(url)
    async with opened(url, signer=SIGNER) as store, built(store) as house:
        alert = await opened_alert(house)
        other = '[{"api": "DropLiveStream", "params": {"StreamName": "other"}}]'
        rows.change(tables.alerts, alert.id, streams=other)
        reply = await press(house, alert)
        assert isinstance(reply, NotRecorded)
        assert await house.alerts.take(notice(firing("cam-1"), firing("cam-2"))) is Taken.STORED
        await house.courier.drain()
        assert house.cloud.sent == []
        assert "other" not in str(house.desk.alerts)
    rows.close()


async def test_card_of_an_alert_is_edited_only_where_it_was_posted(tmp_path: Any) -> None:
    """A row that names another message of the bot's has nothing overwritten."""
    url = f"sqlite:///{tmp_path / 'signed.db'}"
    rows = Rows(url)
    async with opened(url, signer=SIGNER) as store, built(store) as house:
        alert = await opened_alert(house)
        rows.change(tables.alerts, alert.id, card_ts="9.9", card_channel="C0AUDIT")
        await house.alerts.take(notice(firing("cam-1"), firing("cam-2")))
        await house.courier.drain()
        assert len(house.desk.alerts) == 1
        assert "tampered" in await house.kinds() or house.store.session.quarantine.tampered == 1
    rows.close()
