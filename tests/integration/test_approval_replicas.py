"""Approvals on two replicas: one call, one waiting operation."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any

from bot.model.operations import Choice, Decision, State
from bot.model.people import Actor, Person, Place
from bot.operations.results import Accepted
from tests.conftest import House, built, opened
from tests.support.approvals import DROP, POLICY, directory, ran, waiting
from tests.support.fakes import ALICE, BOB, TEAM, FakeCloud, FakeNotifier


async def test_approval_stored_decision_survives_replica(database_url: str) -> None:
    """A stored decision is carried out by another replica when its own is gone."""
    async with opened(database_url, "replica-1", lease=0.4) as store:
        async with built(store, policy=POLICY, directory=directory()) as house:
            operation = await waiting(house)
        press = Decision("trigger-1", operation.id, Choice.APPROVE, BOB, Place("C0INC"))
        assert await store.decisions.add(press) is not None

        async with (
            opened(database_url, "replica-2", lease=0.4) as other,
            built(other, policy=POLICY, directory=directory()) as house,
        ):
            ended = await house.ended(operation.id)
    assert ended.state is State.ACCEPTED
    assert ran(house) == ["DropLiveStream"]


@contextlib.asynccontextmanager
async def replicas(url: str, **shared: Any) -> AsyncIterator[tuple[House, House]]:
    async with (
        opened(url, "replica-1") as one,
        opened(url, "replica-2") as two,
        built(one, **shared) as first,
        built(two, **shared) as second,
    ):
        yield first, second


async def test_approval_of_many_clicks_on_two_replicas_sends_one_call(database_url: str) -> None:
    """A hundred approvals on two replicas send one call, and the others learn who decided."""
    crowd = [Actor(TEAM, f"U0LEAD{number}") for number in range(10)]
    text = POLICY.replace("[U0BOB, U0CAROL]", str([one.user for one in crowd]).replace("'", ""))
    known = directory()
    known.people |= {one.user: Person(one.user, TEAM) for one in crowd}
    cloud, desk = FakeCloud(), FakeNotifier()
    shared = {"policy": text, "directory": known, "cloud": cloud, "desk": desk}
    async with replicas(database_url, **shared) as (first, second):
        operation = await waiting(first)
        settled = await asyncio.gather(
            *(
                (first, second)[number % 2].decide(operation.id, Choice.APPROVE, actor)
                for number, actor in enumerate(crowd * 10)
            )
        )
        ended = await first.ended(operation.id)

    assert ended.state is State.ACCEPTED
    assert ran(first) == ["DropLiveStream"]
    assert [one.counts for one in settled].count(True) == 1
    told = [one.words for one in settled if not one.counts]
    assert len(told) == 99
    assert all(re.search(rf"{ended.decided_by}|You already decided", words) for words in told)


async def test_approval_of_concurrent_requests_waits_once(database_url: str) -> None:
    """Identical requests made at once on two replicas leave one waiting operation."""
    shared = {"policy": POLICY, "directory": directory()}
    async with replicas(database_url, **shared) as (first, second):
        replies = await asyncio.gather(
            *((first, second)[n % 2].ask(DROP, ALICE, key=f"key-{n}") for n in range(10))
        )
        ids = [reply.operation.id for reply in replies if isinstance(reply, Accepted)]
        for id_ in ids:
            await first.engine.ending(id_)
        states = [(await first.now(id_)).state for id_ in ids]

    assert sorted(states) == [State.CANCELLED] * 9 + [State.WAITING]
