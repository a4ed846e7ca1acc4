"""What waits for an approval keeps nobody from the same who may do more than it asks."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot.errors import ApiError
from bot.model.commands import Via
from bot.model.messages import MessageKind
from bot.model.operations import Choice, Operation, State
from bot.model.people import Actor, Person, Presence
from bot.storage.store import Store
from handlers.messages.cards import card
from handlers.messages.endings import ending
from tests.conftest import House, built, opened
from tests.support.approvals import ran
from tests.support.fakes import ALICE, BOB, MALLORY, TEAM, FakeCloud, FakeDirectory

GLASS, PEER, LEAD = Actor(TEAM, "U0GLASS"), Actor(TEAM, "U0PEER"), Actor(TEAM, "U0LEAD")

POLICY = """
defaults:
  live: {DomainName: push.example.com}
roles:
  narrow:
    members: {users: [U0MALLORY, U0PEER]}
    allow: [{actions: ["*"], approval: second-person, approvers: [leads, deciders]}]
  swift:
    members: {users: [U0ALICE]}
    allow: [{actions: ["*"]}]
  alone:
    members: {users: [U0BOB]}
    allow: [{actions: ["*"], approval: confirm}]
  glass:
    members: {users: [U0GLASS]}
    allow: [{actions: ["*"], approval: second-person, break_glass: true, approvers: [leads]}]
  leads:
    members: {users: [U0LEAD]}
    allow: [{actions: ["*"], approval: second-person, approvers: [leads, deciders]}]
  deciders:
    members: {users: [U0DECIDER]}
"""
TWO_ACCOUNTS = POLICY.replace(
    "roles:", "accounts: {main: {}, other: {secret_id: O_ID, secret_key: O_KEY}}\nroles:"
).replace('["*"]', '["*"], accounts: ["*"]')
DECIDER = Actor(TEAM, "U0DECIDER")
STOP, START = "live stream1", "ResumeLiveStream StreamName=stream1"


def directory() -> FakeDirectory:
    people = (ALICE, BOB, MALLORY, GLASS, PEER, LEAD, DECIDER)
    return FakeDirectory(
        people={one.user: Person(one.user, TEAM) for one in people},
        channels={"C0INC": Presence.IN, "C0NARROW": Presence.IN},
    )


@pytest.fixture
async def house(quick_store: Store) -> AsyncIterator[House]:
    async with built(quick_store, policy=POLICY, directory=directory()) as one:
        yield one


async def _go(house: House, operation: Operation, choice: Choice | None, by: Actor) -> Operation:
    """Do what its asker, or their approver, can do about an operation of their own."""
    if choice is None:
        return operation
    assert operation.state is State.WAITING
    assert not operation.duplicate_of
    settled = await house.decide(operation.id, choice, by, "it cannot wait")
    assert settled.counts, settled.words
    return await house.ended(operation.id)


@pytest.mark.parametrize(
    ("text", "via"), [(STOP, Via.COMMAND), (START, Via.TERMINAL)], ids=["stop", "start, terminal"]
)
@pytest.mark.parametrize(
    ("actor", "choice", "by"),
    [
        (ALICE, None, ALICE),
        (BOB, Choice.CONFIRM, BOB),
        (GLASS, Choice.EMERGENCY, GLASS),
        (PEER, Choice.APPROVE, DECIDER),
    ],
    ids=["at once", "confirm", "break the glass", "second person"],
)
async def test_waiting_request_keeps_nobody_from_the_same(
    house: House, text: str, via: Via, actor: Actor, choice: Choice | None, by: Actor
) -> None:
    """Who may do more, or cannot decide there, goes ahead; what waits ends as superseded."""
    squatter = await house.run(text, MALLORY)
    assert squatter.state is State.WAITING

    own = await _go(house, await house.run(text, actor, via=via), choice, by)
    assert own.state is State.ACCEPTED
    assert len(ran(house)) == 1

    after = await house.ended(squatter.id)
    assert after.superseded
    assert after.duplicate_of == own.id
    told = [delivery.kind for delivery in house.desk.heard if delivery.operation.id == squatter.id]
    assert MessageKind.ENDING in told
    assert "Superseded" in str(card(after, None))
    thread = ending(after, None).text
    assert "<@U0MALLORY>" in thread
    assert f"<@{actor.user}> asked for the same, and that went ahead" in thread


async def test_waiting_request_superseded_refuses_late_approval(house: House) -> None:
    """An approval that comes after that changes nothing and is told why."""
    squatter = await house.run(STOP, MALLORY)
    await house.run(STOP, ALICE)
    settled = await house.decide(squatter.id, Choice.APPROVE, DECIDER)

    assert not settled.counts
    assert "U0ALICE asked for the same, and that went ahead" in settled.words
    assert len(ran(house)) == 1


async def test_waiting_request_outlives_what_failed(house: House) -> None:
    """What did not go ahead supersedes nothing: the request that waits may be needed yet."""
    squatter = await house.run(STOP, MALLORY)
    house.cloud.faults = [ApiError("UnauthorizedOperation", "no", request_id="r-1")]
    assert (await house.run(STOP, ALICE)).state is State.FAILED
    assert (await house.now(squatter.id)).state is State.WAITING


async def test_waiting_request_is_joined_by_who_may_approve_it(house: House) -> None:
    """An approver whose own request would wait as well is led to the card that waits."""
    first = await house.run(STOP, MALLORY)
    joined = await house.run(STOP, LEAD)

    assert joined.duplicate_of == first.id
    assert not joined.superseded
    assert (await house.decide(first.id, Choice.APPROVE, LEAD)).counts
    assert (await house.ended(first.id)).state is State.ACCEPTED


async def test_waiting_request_is_joined_by_its_own_asker(house: House) -> None:
    """A second request of one person for the same adds no second card."""
    first = await house.run(STOP, MALLORY)
    again = await house.run(STOP, MALLORY, key="again")
    other = await house.run(STOP, MALLORY, key="again there", channel="C0NARROW")

    assert again.duplicate_of == first.id
    assert other.state is State.WAITING, "the card stands in another channel"


@pytest.mark.parametrize(
    "where", [{"channel": "C0NARROW"}, {"via": Via.TERMINAL}], ids=["narrow", "terminal"]
)
async def test_waiting_request_elsewhere_is_not_joined(
    house: House, where: dict[str, object]
) -> None:
    """Nobody is led to a card that they may not see, or cannot press."""
    await house.run(STOP, MALLORY, **where)
    assert (await house.run(STOP, LEAD)).state is State.WAITING


async def test_waiting_request_of_other_account_or_target_is_another(quick_store: Store) -> None:
    """What waits for another account or stream is neither joined nor superseded."""
    async with built(quick_store, policy=TWO_ACCOUNTS, directory=directory()) as house:
        others = [
            await house.run("live stream1 account=other", MALLORY),
            await house.run("live stream2 account=main", MALLORY),
        ]
        done = await house.run("live stream1 account=main", ALICE)
        assert done.state is State.ACCEPTED
        assert [(await house.now(one.id)).state for one in others] == [State.WAITING] * 2


async def test_waiting_request_with_a_span_is_the_same_later(house: House) -> None:
    """A ban for an hour is the same ban when it is asked a little later."""
    text = "ForbidLiveStream StreamName=stream1 ResumeTime=1h"
    first = await house.run(text, MALLORY)
    longer = await house.run(text.replace("1h", "2h"), MALLORY)
    await asyncio.sleep(0)
    house.clock.ahead = 61.0
    assert (await house.run(text, ALICE)).state is State.ACCEPTED
    assert (await house.ended(first.id)).superseded
    assert (await house.now(longer.id)).state is State.WAITING


async def test_waiting_requests_over_two_replicas_end_together(database_url: str) -> None:
    """Of the same request, asked by many over two replicas, one goes and no other stays."""
    async with opened(database_url, "r1") as one, opened(database_url, "r2") as two:
        cloud = FakeCloud()
        given = {"policy": POLICY, "cloud": cloud}
        async with (
            built(one, directory=directory(), **given) as first,
            built(two, directory=directory(), **given) as second,
        ):
            askers = [MALLORY, PEER, GLASS, BOB, MALLORY, PEER]
            asked = await asyncio.gather(
                *(
                    (first, second)[n % 2].run(STOP, actor, key=f"ask {n}")
                    for n, actor in enumerate(askers)
                )
            )
            waiting = [one for one in asked if one.state is State.WAITING]
            assert {one.actor for one in waiting} == {MALLORY, PEER, GLASS, BOB}
            assert len(waiting) == 4, "two were asked twice"
            assert (await second.run(STOP, ALICE)).state is State.ACCEPTED
            for operation in waiting:
                assert (await first.ended(operation.id)).superseded
            assert len(ran(first)) == 1
