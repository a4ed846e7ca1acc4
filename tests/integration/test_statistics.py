"""The figures of the database that somebody watches, on both databases."""

import pytest

from bot.audit.checkpoints import Signer
from bot.audit.hash_chain import Fact
from bot.storage.statistics import Figures
from tests.conftest import opened
from tests.support.clocks import ManualClock


async def test_figures_are_zero_where_nothing_waits(database_url: str) -> None:
    """An empty database has nothing that waits."""
    async with opened(database_url, signer=None) as store:
        assert await store.statistics.read() == Figures(0, 0.0, 0, 0.0, 0.0)


async def test_checkpoint_age_counts_from_the_first_record_that_none_covers(
    database_url: str,
) -> None:
    """A checkpoint covers what is before it; the first record after it makes the age."""
    clock = ManualClock()
    async with opened(database_url, signer=Signer(b"o" * 32), clock=clock) as store:
        await store.audit_log.record(Fact("started", "", {}))
        clock.advance(100)
        assert (await store.statistics.read()).checkpoint_age == pytest.approx(100)
        assert await store.audit_log.checkpoint()
        clock.advance(50)
        assert (await store.statistics.read()).checkpoint_age == 0
        await store.audit_log.record(Fact("stopped", "", {}))
        clock.advance(7)
        assert (await store.statistics.read()).checkpoint_age == pytest.approx(7)


async def test_outbox_age_counts_from_the_first_time_that_a_message_was_wanted(
    database_url: str,
) -> None:
    """A message that is enqueued again has waited since the first time."""
    clock = ManualClock()
    async with opened(database_url, signer=Signer(b"o" * 32), clock=clock) as store:
        await store.outbox.announce("one", "first", {}, "policy loaded")
        clock.advance(30)
        await store.outbox.announce("one", "second", {}, "policy loaded")
        await store.outbox.announce("two", "third", {}, "policy loaded")
        clock.advance(5)
        figures = await store.statistics.read()
    assert figures.outbox == 2
    assert figures.outbox_age == pytest.approx(35)
