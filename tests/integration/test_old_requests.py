"""What was asked, or last consented to, too long ago is not sent any more."""

from dataclasses import replace

import pytest

from bot.model.messages import MessageKind
from bot.model.operations import Operation, State
from bot.storage.store import Store
from bot.storage.transition import Effects, Transition
from handlers.messages import endings
from tests.conftest import House, built, opened
from tests.support.clocks import ManualClock
from tests.support.stored_operations import operation
from tests.support.waiting import until

HOUR = 3600.0

IN_HAND = {
    "asked": (),
    "allowed": ((State.ASKED, State.DUE),),
    "sending": ((State.ASKED, State.DUE, State.RUNNING),),
}
"""The transitions that an operation has made when its replica stops."""

STOP = {"StreamName": "stream1", "DomainName": "push.example.com", "AppName": "live"}


async def left_behind(store: Store, paths: tuple[tuple[State, ...], ...]) -> Operation:
    """Store an operation in the state after some transitions, for whoever takes it over."""
    asked = replace(operation(), params=STOP)
    assert await store.operations.add(asked, {}) is not None
    for path in paths:
        assert await store.operations.apply(Transition(asked.id, path, {})) is not None
    await store.leases.hand_over()
    return asked


async def taken_over(house: House, id_: str) -> Operation:
    """Return an operation that has ended, once Slack was told."""
    ended = await house.ended(id_)
    assert house.heard(MessageKind.ENDING) == 1
    return ended


@pytest.mark.parametrize(
    ("stage", "age", "ending", "sent"),
    [
        ("asked", 599.0, State.ACCEPTED, 1),
        ("asked", 601.0, State.FAILED, 0),
        ("asked", 72 * HOUR, State.FAILED, 0),
        ("allowed", 599.0, State.ACCEPTED, 1),
        ("allowed", 601.0, State.FAILED, 0),
        ("sending", 599.0, State.ACCEPTED, 1),
        # It was sent before, so it may have run.
        ("sending", 601.0, State.UNKNOWN, 0),
    ],
)
async def test_old_request_is_not_sent_by_the_next_replica(
    database_url: str, stage: str, age: float, ending: State, sent: int
) -> None:
    """A replica that takes over a request sends it only if it was asked 10 minutes ago at most."""
    clock = ManualClock()
    async with opened(database_url, clock=clock) as store:
        asked = await left_behind(store, IN_HAND[stage])
        clock.advance(age)
        async with built(store, clock=clock) as house:
            ended = await taken_over(house, asked.id)

    assert (ended.state, len(house.cloud.sent)) == (ending, sent)
    assert ended.detail.startswith("Too old, not sent") == (not sent)


@pytest.mark.parametrize(
    ("since", "ending"),
    [(599.0, State.ACCEPTED), (601.0, State.FAILED)],
)
async def test_age_counts_from_the_last_consent(
    database_url: str, since: float, ending: State
) -> None:
    """What was asked long ago is sent if somebody consented 10 minutes ago at most."""
    clock = ManualClock()
    async with opened(database_url, clock=clock) as store:
        asked = await left_behind(store, ((State.ASKED, State.WAITING),))
        clock.advance(72 * HOUR)
        decided = Transition(
            asked.id, (State.WAITING, State.DUE), {}, effects=Effects(decided=True)
        )
        assert await store.operations.apply(decided) is not None
        await store.leases.hand_over()
        clock.advance(since)
        async with built(store, clock=clock) as house:
            ended = await taken_over(house, asked.id)

    assert ended.state is ending
    assert len(house.cloud.sent) == (ending is State.ACCEPTED)


@pytest.mark.parametrize(("age", "ending"), [(89.0, State.ACCEPTED), (91.0, State.FAILED)])
async def test_age_is_a_setting(database_url: str, age: float, ending: State) -> None:
    """A setting says how old a request may be."""
    clock = ManualClock()
    async with opened(database_url, clock=clock) as store:
        asked = await left_behind(store, IN_HAND["allowed"])
        clock.advance(age)
        async with built(store, clock=clock, ask_expires=90.0) as house:
            assert (await taken_over(house, asked.id)).state is ending


async def test_asker_reads_that_an_old_request_was_not_sent(database_url: str) -> None:
    """The thread says that it was too old, how old, and what the limit is."""
    clock = ManualClock()
    async with opened(database_url, clock=clock) as store:
        asked = await left_behind(store, IN_HAND["asked"])
        clock.advance(72 * HOUR)
        async with built(store, clock=clock) as house:
            ended = await taken_over(house, asked.id)
            kinds = await house.kinds()

    said = str(endings.ending(ended, None))
    assert "Too old, not sent: it was asked for 3d ago, and a request may leave for 10m" in said
    assert kinds[-1] == "ended"


async def test_request_that_grew_old_in_the_queue_is_not_sent(database_url: str) -> None:
    """The store's clock decides at the moment of sending, not when the policy was asked."""
    clock = ManualClock()
    async with opened(database_url, clock=clock) as store, built(store, clock=clock) as house:
        start = store.operations.start

        async def late(*given: object) -> object:
            clock.advance(601.0)
            return await start(*given)  # type: ignore[arg-type]

        store.operations.start = late  # type: ignore[method-assign, assignment]
        await house.ask("live stream1")
        found = (await store.operations.recent())[0]
        ended = await until(lambda: house.ended(found.id))

    assert (ended.state, house.cloud.sent) == (State.FAILED, [])
