"""The first 1,200 of the seeded runs of `make simulation`, which does five thousand.

One costs 0.07 s of processor time: each run has about 39 commits.
"""

import contextlib
import random

import pytest

from bot.operations.outbox_relay import OutboxRelay
from tests.chaos.broken import ack_unsaved
from tests.simulation.database import MemoryDatabase
from tests.simulation.machine import METRICS, Machine, SteppedSupervisor, open_store
from tests.simulation.mutations import (
    Mutation,
    found_at,
    leave_what_stands_twice,
    post_in_any_order,
)
from tests.simulation.run import run
from tests.simulation.virtual_time import VirtualLoop, clocks_of
from tests.support.fakes import FakeNotifier

CHUNK, CHUNKS = 25, 48


@pytest.fixture(scope="module")
def database() -> MemoryDatabase:
    return MemoryDatabase()


@pytest.mark.parametrize("first", range(0, CHUNKS * CHUNK, CHUNK))
def test_replicas_keep_every_promise_in_any_order(database: MemoryDatabase, first: int) -> None:
    """Crashes, suspensions, wrong clocks and lost answers make nothing lost, doubled or untrue."""
    found = [run(seed, database) for seed in range(first, first + CHUNK)]

    assert [(one.seed, one.wrong) for one in found if one.wrong] == []


@pytest.mark.parametrize("mutation", [ack_unsaved, post_in_any_order, leave_what_stands_twice])
def test_simulation_finds_what_is_wrong_on_purpose(
    database: MemoryDatabase, mutation: Mutation
) -> None:
    """`make simulation` has more of them."""
    assert found_at(mutation, range(CHUNK), database) is not None


def test_claims_do_not_wait_longer_where_the_writer_is_busy(database: MemoryDatabase) -> None:
    """The pause after a claim of messages is for its own work, not for its wait in the queue."""
    database.empty()
    loop, supervisor = VirtualLoop(), SteppedSupervisor(METRICS)
    machine = Machine("one", loop, random.Random(1))  # noqa: S311 (to be repeated)
    machine.takes = lambda: 2.0  # type: ignore[method-assign] # to the writer, and back again

    async def claim() -> None:
        store = open_store(machine, database)
        OutboxRelay(
            store=store,
            notifier=FakeNotifier(),
            metrics=METRICS,
            supervisor=supervisor,
            clock=loop.time,
        ).start()
        loop.call_later(5.0, store.session.outbox_changed.set)
        await supervisor.passes["courier"]()

    with contextlib.closing(loop), clocks_of(loop):
        loop.run_until_complete(claim())

    assert loop.passed == 5.0
