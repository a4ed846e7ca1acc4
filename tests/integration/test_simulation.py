"""The first thousand of the seeded runs of `make simulation`, which does five thousand.

One costs 0.07 s of processor time, most of it SQLAlchemy's: each run has about 35 commits.
"""

import pytest

from tests.chaos.broken import ack_unsaved
from tests.simulation.database import MemoryDatabase
from tests.simulation.mutations import Mutation, found_at, post_in_any_order
from tests.simulation.run import run

CHUNK, CHUNKS = 25, 40


@pytest.fixture(scope="module")
def database() -> MemoryDatabase:
    return MemoryDatabase()


@pytest.mark.parametrize("first", range(0, CHUNKS * CHUNK, CHUNK))
def test_replicas_keep_every_promise_in_any_order(database: MemoryDatabase, first: int) -> None:
    """Crashes, suspensions, wrong clocks and lost answers make nothing lost, doubled or untrue."""
    found = [run(seed, database) for seed in range(first, first + CHUNK)]

    assert [(one.seed, one.wrong) for one in found if one.wrong] == []


@pytest.mark.parametrize("mutation", [ack_unsaved, post_in_any_order])
def test_simulation_finds_what_is_wrong_on_purpose(
    database: MemoryDatabase, mutation: Mutation
) -> None:
    """`make simulation` has more of them."""
    assert found_at(mutation, range(CHUNK), database) is not None
