"""Expiries of bans: when they end, who is told, and what is read afterwards."""

import time
from dataclasses import replace

import pytest

from bot.catalog import effects as offair
from bot.catalog.registry import action_of, by_api
from bot.errors import CloudError, NeverSentError, NoAnswerError
from bot.model.messages import MessageKind
from bot.model.off_air import OffAirChange
from bot.model.operations import Choice, State
from bot.operations.follow_ups import FollowUp
from bot.operations.results import Accepted
from bot.storage.store import Store
from bot.storage.transition import Effects, Transition
from bot.times import format_utc, parse_instant
from handlers.messages import off_air as off_air_messages
from handlers.messages.operation_text import request_text
from tests.conftest import House
from tests.support.clocks import ManualClock
from tests.support.fakes import ALICE, BOB
from tests.support.off_air import ended, listed, press_of
from tests.support.waiting import until


@pytest.mark.usefixtures("_looks_of_its_own")
async def test_expiry_is_announced_once_before_and_after(
    timed_bot: House, clock: ManualClock
) -> None:
    """A ban's expiry is announced with the ban, shortly before it and after it, once each."""
    timed_bot.cloud.bodies["DescribeLiveStreamState"] = {"StreamState": "forbid"}
    banned = await timed_bot.run("live s1 for=30m")
    assert banned.api == "ForbidLiveStream"
    (first,) = timed_bot.desk.said(MessageKind.LIFT)
    assert first.observed == ""
    clock.advance(1500.0)
    await until(lambda: len(timed_bot.desk.said(MessageKind.LIFT)) == 2)
    await until(lambda: timed_bot.desk.said(MessageKind.LOOKED))
    timed_bot.cloud.bodies["DescribeLiveStreamState"] = {"StreamState": "inactive"}
    clock.advance(600.0)
    await until(lambda: timed_bot.desk.said(MessageKind.LIFTED))
    # What is due afterwards is claimed by a later heartbeat than what was due before.
    await timed_bot.run("live s2 for=30m")
    clock.advance(2100.0)
    await until(lambda: len(timed_bot.desk.said(MessageKind.LIFTED)) == 2)

    of_first = [one for one in timed_bot.desk.heard if one.operation.id == banned.id]
    assert [one.observed for one in of_first if one.kind is MessageKind.LIFT] == ["", "soon"]
    (after,) = [one for one in of_first if one.kind is MessageKind.LIFTED]
    assert after.observed == "inactive"
    assert await listed(timed_bot) == []
    assert (await timed_bot.kinds()).count("lifted") == 2


async def test_expiry_keeps_a_stream_that_is_still_forbidden(
    timed_bot: House, clock: ManualClock
) -> None:
    """A stream still forbidden after its expiry stays on the off-air list and is reported."""
    timed_bot.cloud.bodies["DescribeLiveStreamState"] = {"StreamState": "forbid"}
    await timed_bot.run("live s1 for=30m")
    clock.advance(2100.0)
    await until(lambda: timed_bot.desk.said(MessageKind.LIFTED))

    assert await listed(timed_bot) == ["ForbidLiveStream s1"]
    (after,) = timed_bot.desk.said(MessageKind.LIFTED)
    said = off_air_messages.expired_notice(
        after.operation, action_of(after.operation), after.observed
    )
    assert "*Still off: `s1`*" in said.text
    assert "Lift now" in str(said.blocks)


async def test_expiry_is_claimed_once(store: Store) -> None:
    """An expired ban is claimed once and recorded as lifted once."""
    operation = replace(ended("ForbidLiveStream"), state=State.ASKED, id="op9", key="k9")
    await store.operations.add(operation, {})
    ban = OffAirChange("default", "stream", "[]", off=True, weight=2, until=time.time() - 1)
    for path in ((State.ASKED, State.DUE), (State.DUE, State.RUNNING)):
        assert await store.operations.apply(Transition("op9", path, {}))
    assert await store.operations.apply(
        Transition("op9", (State.RUNNING, State.ACCEPTED), {}, effects=Effects(off_air=ban))
    )

    taken = await store.off_air.claim_expiring()
    assert [found.id for found, _ in taken] == ["op9"]
    assert await store.off_air.claim_expiring() == [], "another one has it"
    for _ in range(2):
        await store.off_air.record_expiry(taken[0][0], "inactive", {}, still=False)
    assert await store.off_air.list(10) == []
    with store.audit_log.records() as records:
        assert [record.kind for record in records].count("lifted") == 1


async def test_expiry_moves_with_extend_and_ends_with_lift(
    home: House,
) -> None:
    """Extend moves the expiry by 30 minutes, and a lift removes it from the off-air list."""
    banned = await home.run("live s1 for=30m")
    press = press_of(ALICE)
    extended = await home.service.follow(banned.id, FollowUp.EXTEND, press)
    assert isinstance(extended, Accepted)
    again = await home.ended(extended.operation.id)
    before, after = (parse_instant(one.params["ResumeTime"]) for one in (banned, again))
    assert before is not None
    assert after is not None
    assert 1700 < after - before < 1900
    (one,) = await home.store.off_air.list(10)
    assert (one.operation.id, one.until) == (again.id, after)

    lifted = await home.service.follow(again.id, FollowUp.LIFT, replace(press, key="press2"))
    assert isinstance(lifted, Accepted)
    await home.ended(lifted.operation.id)
    assert await listed(home) == []
    assert await home.store.off_air.claim_expiring() == []


async def test_expiry_of_a_duration_counts_from_the_call(home: House) -> None:
    """A duration counts from when the call is sent, and a point in time is kept as given."""
    waiting = await home.run("live s1 for=30m", BOB)
    assert "for `30m`" in request_text(waiting, action_of(waiting))
    home.clock.ahead = 600
    later = home.clock()
    await home.decide(waiting.id, Choice.CONFIRM, BOB)
    ran = await home.ended(waiting.id)

    ends = parse_instant(ran.params["ResumeTime"])
    assert ends is not None
    assert later + 1795 < ends < later + 1860
    assert home.cloud.sent[-1].params == ran.params
    fixed = format_utc(time.time() + 1800)
    said = await home.run(f"ban s2 for={fixed}")
    assert said.params["ResumeTime"] == fixed, "a moment stays what it is"


async def test_retry_of_a_ban_keeps_its_duration(home: House) -> None:
    """A retried ban lasts its full duration, counted from the retry."""
    home.cloud.faults += [NeverSentError("away")] * 3
    failed = await home.run("live s1 for=30m")
    assert failed.state is State.FAILED
    home.clock.ahead = 3000
    later = home.clock()
    press = press_of(ALICE)
    again = await home.service.follow(failed.id, FollowUp.RETRY, press)
    assert isinstance(again, Accepted), again
    ran = await home.ended(again.operation.id)
    ends = parse_instant(ran.params["ResumeTime"])
    assert ran.state is State.ACCEPTED
    assert ends is not None
    assert later + 1795 < ends < later + 1860


async def test_expiry_of_an_unknown_action_is_cleared(timed_bot: House, clock: ManualClock) -> None:
    """The expiry of an action that this release does not know is cleared once it is due."""
    await timed_bot.run("live s1 for=30m")
    with timed_bot.store.session.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE operations SET api = 'NewAction'")
    clock.advance(2100.0)

    async def cleared() -> bool:
        return (await timed_bot.store.off_air.list(1))[0].until is None

    await until(cleared)


async def test_expiry_reading_is_retried_after_no_answer(
    timed_bot: House, clock: ManualClock
) -> None:
    """A reading after an expiry is retried when the cloud does not answer."""
    await timed_bot.run("live s1 for=30m")
    unanswered: list[CloudError | None] = [NoAnswerError("away"), NoAnswerError("away")]
    timed_bot.cloud.faults += unanswered
    clock.advance(1803.0)

    def heard() -> bool:
        # A claim that is not followed up lapses after three leases.
        clock.advance(0.01)
        return bool(timed_bot.desk.said(MessageKind.LIFTED))

    await until(heard)
    (after,) = timed_bot.desk.said(MessageKind.LIFTED)
    assert after.observed == "inactive"
    assert timed_bot.cloud.faults == []


async def test_verifier_skips_a_reading_after_the_expiry(home: House) -> None:
    """The verifier sends no reading for a ban that has already expired."""
    ran = await home.run("live s1 for=30m")
    late = (offair.expires_at(ran, by_api(ran.api)) or 0.0) + 1
    # The bot was down meanwhile.
    home.clock.ahead = late - time.time()
    await home.verifier.verify(ran)
    await home.courier.drain()
    assert home.desk.said(MessageKind.LOOKED) == []
