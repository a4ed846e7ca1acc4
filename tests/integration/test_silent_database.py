"""A PostgreSQL that is silent although its connections stand: they are given up and replaced."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from bot.errors import StoreError
from bot.model.operations import Operation
from bot.storage import database
from bot.storage.store import Store
from tests.conftest import opened
from tests.support.database_relay import Relay, relayed
from tests.support.stored_operations import FACTS, operation
from tests.support.waiting import BOUND, until

FOR_EVER = 1e6


def patience(monkeypatch: pytest.MonkeyPatch, *, answer: float, ping: float) -> None:
    monkeypatch.setattr("bot.storage.postgres_connection.ANSWER_WITHIN", answer)
    monkeypatch.setattr("bot.storage.postgres_connection.PING_WITHIN", ping)


@pytest.fixture
def relay(postgres_url: str) -> Iterator[Relay]:
    with relayed(postgres_url) as found:
        yield found


@pytest.fixture
async def store(relay: Relay) -> AsyncIterator[Store]:
    async with opened(relay.url) as found:
        await found.operations.add(operation(1), FACTS)
        # Each takes a connection of its own, and leaves it in the pool.
        await asyncio.gather(*(found.operations.get("op1") for _ in range(4)))
        yield found


async def add(store: Store, number: int) -> Operation | None:
    async with asyncio.timeout(BOUND):
        return await store.operations.add(operation(number), FACTS)


async def works_again(store: Store, number: int) -> None:
    """What is refused meanwhile is not done."""

    async def works() -> bool:
        try:
            assert await store.operations.add(operation(number), FACTS)
            assert await store.operations.get(f"op{number}")
        except StoreError:
            return False
        return True

    await until(works)


async def test_unused_connections_that_fell_silent_are_replaced(
    store: Store, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is used again each is asked for a sign of life, for a short time only."""
    patience(monkeypatch, answer=FOR_EVER, ping=1.0)
    monkeypatch.setattr("bot.storage.writer._IDLE", -1.0)
    relay.fall_silent()
    assert await add(store, 2)
    found = await asyncio.wait_for(store.operations.get("op2"), BOUND)
    assert found is not None


async def test_statement_may_take_longer_than_a_sign_of_life(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The short time is for connections that are not in use."""
    patience(monkeypatch, answer=BOUND, ping=0.1)
    engine = database.connect(postgres_url)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT 1 FROM pg_sleep(0.4)")).scalar() == 1
    engine.dispose()


async def test_transaction_whose_connection_falls_silent_is_not_done(
    store: Store, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its commit never arrives that is said, and the next one works."""
    patience(monkeypatch, answer=3.0, ping=1.0)
    silences = [relay.fall_silent]

    def before_commit(_connection: sa.Connection) -> None:
        if silences:
            silences.pop()()

    sa.event.listen(store.session.engine, "commit", before_commit)
    with pytest.raises(StoreError, match="has not answered"):
        await add(store, 2)
    assert silences == []
    assert await store.operations.get("op2") is None
    await works_again(store, 2)


async def test_commit_whose_answer_is_swallowed_is_looked_up(
    store: Store, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took place, so that is what its caller hears."""
    patience(monkeypatch, answer=3.0, ping=1.0)
    relay.fall_silent_at_next_commit()
    done = await add(store, 2)
    assert done is not None
    assert done.id == "op2"
    await works_again(store, 3)


async def test_silent_transaction_gives_the_write_lock_back(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL ends it, so that a replica that is stopped does not stop the others."""
    monkeypatch.setattr("bot.storage.commit_marks.SILENT_FOR", 1.5)
    holds, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def stopped(_tx: Any, items: Sequence[None]) -> list[None]:
        loop.call_soon_threadsafe(holds.set)
        go_on.wait(BOUND)
        return list(items)

    async with opened(postgres_url) as one, opened(postgres_url, owner="replica-2") as other:
        stop = asyncio.create_task(one.session.writer.do(stopped, None))
        await asyncio.wait_for(holds.wait(), BOUND)
        await works_again(other, 1)
        assert not stop.done()
        go_on.set()
        with pytest.raises(StoreError):
            await stop
        await works_again(one, 2)
