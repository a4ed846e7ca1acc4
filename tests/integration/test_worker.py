"""An operation from asking to its ending, with the real store and the real policy."""

import asyncio
import itertools
import time
from typing import Any

import pytest

from bot.catalog.registry import by_api
from bot.errors import (
    ApiError,
    CloudError,
    NeverSentError,
    NoAnswerError,
    UnreadableAnswerError,
)
from bot.model.actions import Effect
from bot.model.commands import Command, Via
from bot.model.messages import MessageKind
from bot.model.operations import Operation, State
from bot.model.people import Person, Place, Presence
from bot.operations.results import Accepted, Invalid
from bot.storage.store import Store
from handlers.messages import endings
from tests.conftest import House, built
from tests.support.fakes import BOB, MALLORY, TEAM, FakeCloud, FakeDirectory
from tests.support.waiting import until

STOP = "live stream1"


async def test_operation_sends_one_call_and_posts_one_result(house: House) -> None:
    """A permitted command sends one call and posts one card, one result and one audit line."""
    operation = await house.run(STOP)

    assert operation.state is State.ACCEPTED
    assert operation.request_id == "request-1"
    assert [command.params for command in house.cloud.sent] == [
        {"StreamName": "stream1", "DomainName": "push.example.com", "AppName": "live"}
    ]
    assert house.heard(MessageKind.ENDING) == 1
    assert house.heard(MessageKind.AUDIT) == 1
    assert (
        len({delivery.operation.card_ts for delivery in house.desk.said(MessageKind.ENDING)}) == 1
    )
    assert house.heard(MessageKind.PRIVATE) == 0


async def test_worker_survives_unexpected_error_in_recheck(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unexpected error in the permission recheck blocks neither its operation nor others."""
    house.store.session.lease = 0.5
    monkeypatch.setattr("bot.operations.scheduler.FRESH", -1.0)
    recheck, faults = house.authorizer.recheck, [ValueError("a fault of ours")]

    async def once(*given: Any) -> Any:
        if faults:
            raise faults.pop()
        return await recheck(*given)

    monkeypatch.setattr(house.authorizer, "recheck", once)
    assert (await house.run("live s1")).state is State.ACCEPTED
    assert (await house.run("live s2")).state is State.ACCEPTED
    assert faults == []


async def test_operations_that_wait_in_numbers_are_read_again_at_their_turn(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond what is kept in memory only ids wait; each operation runs once all the same."""
    monkeypatch.setattr("bot.operations.worker._HELD", 2)
    monkeypatch.setattr(house.engine, "_is_burst", lambda: True)
    kept: list[bool] = []
    begin = house.engine._begin  # noqa: SLF001 (what it holds of each)

    async def noted(waiting: Any) -> None:
        kept.append(waiting.operation is not None)
        await begin(waiting)

    monkeypatch.setattr(house.engine, "_begin", noted)
    replies = await asyncio.gather(*(house.ask(f"live s{number}") for number in range(6)))
    ids = [reply.operation.id for reply in replies if isinstance(reply, Accepted)]
    endings = [await house.engine.ending(id_) for id_ in ids]

    assert [one.state for one in endings] == [State.ACCEPTED] * 6
    assert sorted(str(one.params["StreamName"]) for one in house.cloud.sent) == [
        f"s{number}" for number in range(6)
    ]
    assert kept == [True, True, False, False, False, False]


async def test_bulk_waits_before_it_becomes_requests_that_cannot_leave(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nothing leaves, a bulk stays where it takes little memory; a single ask passes it."""
    monkeypatch.setattr("bot.operations.worker._HELD", 5)
    monkeypatch.setattr("bot.operations.worker._PACE", 0.0)
    monkeypatch.setattr(house.engine, "_is_burst", lambda: True)
    scheduler, open_ = house.engine._scheduler, asyncio.Event()  # noqa: SLF001 (what it holds)
    looks = itertools.count()
    drain = house.engine._drain_inbox  # noqa: SLF001 (how often it looks)

    async def looked() -> None:
        next(looks)
        await drain()

    monkeypatch.setattr(house.engine, "_drain_inbox", looked)
    dispatch = scheduler._dispatch_or_release  # noqa: SLF001 (as above)

    async def held(requests: Any) -> float:
        await open_.wait()
        return await dispatch(requests)

    monkeypatch.setattr(scheduler, "_dispatch_or_release", held)
    replies = [await house.ask(f"live s{number}") for number in range(40)]
    ids = [reply.operation.id for reply in replies if isinstance(reply, Accepted)]
    # The first nine, before one person's asks are a bulk.
    await until(lambda: len(scheduler.ids) >= 9)
    await until(lambda: next(looks) > 500 or len(scheduler.ids) == 40)
    alone = await house.ask("live alone", BOB)
    assert isinstance(alone, Accepted)
    await house.engine.ending(alone.operation.id)

    assert (await house.now(alone.operation.id)).state is State.WAITING
    assert len(scheduler.ids) < 20
    open_.set()
    assert {(await house.engine.ending(id_)).state for id_ in ids} == {State.ACCEPTED}


async def test_policy_denies_user_without_role(house: House) -> None:
    """A user without a role is denied privately, and nothing is sent."""
    operation = await house.run(STOP, MALLORY)

    assert operation.state is State.DENIED
    assert house.cloud.sent == []
    assert house.heard(MessageKind.PRIVATE) == 1
    assert house.heard(MessageKind.AUDIT) == 1
    assert house.heard(MessageKind.CARD) == house.heard(MessageKind.ENDING) == 0


@pytest.mark.parametrize(
    "person",
    [
        Person("U0ALICE", TEAM, bot=True),
        Person("U0ALICE", TEAM, guest=True),
        Person("U0ALICE", TEAM, deactivated=True),
        Person("U0ALICE", TEAM, stranger=True),
        Person("U0ALICE", "T0OTHER"),
        Person("U0ALICE", ""),
    ],
)
async def test_policy_denies_user_who_is_not_full_member(
    quick_store: Store, person: Person
) -> None:
    """Bots, guests, deactivated and external users are denied despite a grant."""
    directory = FakeDirectory(people={"U0ALICE": person})
    async with built(quick_store, directory=directory) as house:
        operation = await house.run(STOP)

    assert operation.state is State.DENIED
    assert house.cloud.sent == []


async def test_policy_denies_user_unknown_to_directory(quick_store: Store) -> None:
    """A user whom Slack does not identify is denied, and nothing is sent."""
    async with built(quick_store, directory=FakeDirectory(people={})) as house:
        operation = await house.run(STOP)

    assert operation.state is State.DENIED
    assert house.cloud.sent == []


async def test_policy_denies_in_channel_without_bot(house: House) -> None:
    """A command in a channel without the bot is denied, and nothing is sent."""
    operation = await house.run(STOP, channel="C0ELSEWHERE")

    assert operation.state is State.DENIED
    assert house.cloud.sent == []


async def test_policy_accepts_posted_card_as_proof_of_presence(
    quick_store: Store,
) -> None:
    """A posted card proves the bot's membership when Slack does not tell it."""
    directory = FakeDirectory(channels={"C0INC": Presence.UNKNOWN})
    async with built(quick_store, directory=directory) as house:
        operation = await house.run(STOP)

    assert operation.state is State.ACCEPTED


async def test_audit_log_records_intent_before_request_is_sent(quick_store: Store) -> None:
    """The audit log holds the intent before the request is sent."""
    seen: list[list[str]] = []

    def look(_: Command) -> None:
        with quick_store.audit_log.records() as records:
            seen.append([record.kind for record in records if record.kind != "delivered"])

    async with built(quick_store, cloud=FakeCloud(before=look)) as house:
        await house.run(STOP)
        assert seen == [["asked", "allowed", "sending"]]
        assert await house.kinds() == ["asked", "allowed", "sending", "ended"]


async def test_idempotency_key_runs_operation_once(house: House) -> None:
    """A repeated idempotency key returns the first operation and sends nothing more."""
    first = await house.run(STOP, key="twice")
    again = await house.ask(STOP, key="twice")

    assert isinstance(again, Accepted)
    assert again.again
    assert again.operation.id == first.id
    assert len(house.cloud.sent) == 1


async def test_audit_log_records_invalid_command(house: House) -> None:
    """A command that does not parse is recorded as invalid, and nothing is sent."""
    reply = await house.ask("lvie stream1")

    assert isinstance(reply, Invalid)
    assert house.cloud.sent == []
    assert await house.kinds() == ["invalid"]


def _fault(name: str) -> CloudError:
    return {
        "never": NeverSentError("connection refused"),
        "silence": NoAnswerError("no answer within 10 s"),
        "html": UnreadableAnswerError("not JSON", status=502, excerpt="<html>"),
        "throttled": ApiError("RequestLimitExceeded", "slow down", request_id="r"),
        "inside": ApiError("InternalError", "oops", request_id="r"),
        "bad": ApiError("InvalidParameter", "no such stream", request_id="r"),
        "over": ApiError("ResourceNotFound.SessionNotFound", "none", request_id="r"),
    }[name]


REPEATED, ONCE = STOP, "car user1"
START = "start car user1"


@pytest.mark.parametrize(
    ("text", "faults", "state", "calls"),
    [
        # Never left, or refused before it ran: safe for every action.
        (START, ["never"], State.ACCEPTED, 2),
        (START, ["never"] * 3, State.FAILED, 3),
        (START, ["throttled"], State.ACCEPTED, 2),
        (START, ["throttled"] * 9, State.FAILED, 6),
        # May have run: only a stop, which twice is once, is sent again.
        (STOP, ["silence"], State.ACCEPTED, 2),
        (STOP, ["silence"] * 3, State.UNKNOWN, 3),
        (STOP, ["html"] * 3, State.UNKNOWN, 3),
        (STOP, ["inside"] * 3, State.UNKNOWN, 3),
        (START, ["silence"], State.UNKNOWN, 1),
        (START, ["html"], State.UNKNOWN, 1),
        (START, ["inside"], State.UNKNOWN, 1),
        # Whatever becomes of the last try, an earlier one may have run.
        (STOP, ["silence", "bad"], State.UNKNOWN, 2),
        (STOP, ["inside", "bad"], State.UNKNOWN, 2),
        (STOP, ["html", "throttled", "bad"], State.UNKNOWN, 3),
        (STOP, ["silence", "never", "never"], State.UNKNOWN, 3),
        (STOP, ["silence", "never"], State.ACCEPTED, 3),
        (ONCE, ["silence", "over"], State.ALREADY, 2),
        (STOP, ["never", "bad"], State.FAILED, 2),
        (STOP, ["throttled", "bad"], State.FAILED, 2),
        ("status live stream1", ["silence", "bad"], State.FAILED, 2),
        # Refused for good.
        (STOP, ["bad"], State.FAILED, 1),
        ("status live stream1", ["inside"] * 3, State.FAILED, 3),
        # Over before.
        ("car user1", ["over"], State.ALREADY, 1),
        (START, ["over"], State.FAILED, 1),
    ],
)
async def test_executor_maps_each_fault_to_final_state(
    quick_store: Store, text: str, faults: list[str], state: State, calls: int
) -> None:
    """Each cloud fault is retried only where safe and ends in the state that is known."""
    cloud = FakeCloud(faults=[_fault(name) for name in faults])
    async with built(quick_store, cloud=cloud) as house:
        operation = await house.run(text, verb=None if text.startswith("st") else Effect.STOP)

    assert operation.state is state
    assert len(cloud.sent) == calls
    assert operation.attempts == calls
    assert house.heard(MessageKind.ENDING) == 1


async def test_executor_reports_clock_skew_of_expired_signature(quick_store: Store) -> None:
    """A signature refused as expired is explained with the measured clock skew."""
    fault = ApiError("AuthFailure.SignatureExpire", "expired", request_id="r", skew=612.4)
    async with built(quick_store, cloud=FakeCloud(faults=[fault])) as house:
        operation = await house.run(STOP)

    assert operation.state is State.FAILED
    assert "612 s ahead of" in operation.detail


async def test_audit_log_never_contains_stream_keys(house: House) -> None:
    """Stream keys reach the cloud but neither the audit log nor the stored text."""
    url = "rtmp://push.example.com/live/stream1?txSecret=5ECRE7&txTime=5F"
    operation = await house.run(f"live {url}")
    pushed = await house.run("start car-url u1 rtmp://a.example.com/live2/5ECRE7", verb=None)
    await house.run("start car user1 args='txSecret=5ECRE7'", verb=None)

    assert pushed.state is State.ACCEPTED
    assert "5ECRE7" not in operation.text + pushed.text
    with house.store.audit_log.records() as records:
        assert not [record for record in records if "5ECRE7" in record.body]
    assert house.cloud.sent[-1].params["PublishStreamArgs"] == "txSecret=5ECRE7"


async def test_operation_keeps_and_shows_result_of_start(house: House) -> None:
    """What a start creates is stored with the operation and shown in its result message."""
    made = await house.run(
        "start record-task s domain=a.tv until=2h region=ap-guangzhou", verb=None
    )
    ended = await house.run("record-task t1 region=ap-guangzhou")

    assert made.state is ended.state is State.ACCEPTED
    assert made.result == {"StreamState": "active"}, "all that the answer names"
    assert "`StreamState` is" in endings.ending(made, by_api(made.api)).text
    assert not ended.result


async def test_worker_denies_operation_of_unknown_api(
    quick_store: Store,
) -> None:
    """A stored operation whose API this release does not know is denied and not sent."""
    async with built(quick_store) as house:
        stranger = Operation(
            id="op1",
            key="k1",
            state=State.ASKED,
            actor=BOB,
            place=Place("C0INC"),
            via=Via.COMMAND,
            text="",
            asked_at=0.0,
            api="StopTheMusic",
        )
        booked = await quick_store.operations.add(stranger, {})
        assert booked is not None
        house.engine.take(booked)
        await house.courier.drain()
        ended = await house.engine.ending("op1")

    assert ended.state is State.DENIED
    assert "StopTheMusic" in ended.detail
    assert house.cloud.sent == []


async def test_operation_from_terminal_posts_audit_line_only(house: House) -> None:
    """A command from the terminal posts an audit line but no card or private message."""
    operation = await house.run(STOP, channel="", via=Via.TERMINAL)

    assert operation.state is State.ACCEPTED
    assert house.heard(MessageKind.CARD) == house.heard(MessageKind.PRIVATE) == 0
    assert house.heard(MessageKind.AUDIT) == 1


async def test_authorizer_rechecks_requester_before_retry(
    quick_store: Store,
) -> None:
    """A requester who lost the right meanwhile is denied before the next attempt."""
    faults: list[CloudError | None] = [NeverSentError("connection refused")]
    now = [time.time()]
    async with built(quick_store, cloud=FakeCloud(faults=faults), clock=lambda: now[0]) as house:

        def fired(_: Command) -> None:
            house.directory.people.clear()
            now[0] += 60.0

        house.cloud.before = fired
        operation = await house.run(STOP)

    assert operation.state is State.DENIED
    assert len(house.cloud.sent) == 1
    assert house.heard(MessageKind.ENDING) == 1
