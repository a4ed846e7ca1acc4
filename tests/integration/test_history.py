"""What people wait for costs the database no more work, however much is on file: work is counted.

A count is of instructions of SQLite's virtual machine, so that no clock is needed.
"""

import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import sqlalchemy as sa

from bot.model.operations import Choice, State
from bot.model.people import Place
from bot.operations.results import Accepted
from bot.storage import tables
from bot.storage.store import Store
from tests.conftest import House, built, opened
from tests.support.fakes import ALICE, BOB, MALLORY

FILED = 2000
"""Rows that are on file of each kind."""

EVERY = 5
"""Instructions between two counts."""

SLACK = 1000
"""Instructions that a statement may take more: trees are deeper."""

Flow: TypeAlias = Callable[[House, str], Awaitable[None]]


class Work:
    """Counts what SQLite's virtual machine does, by statement."""

    def __init__(self, engine: sa.Engine) -> None:
        self.counts: Counter[str] = Counter()
        sa.event.listen(engine, "connect", self._watch)
        # Those that stand are not watched.
        engine.dispose()

    def _watch(self, connection: Any, _record: Any) -> None:
        running = [""]

        def begin(statement: str) -> None:
            # Without the values, which the driver has filled in.
            running[0] = re.sub(r"'[^']*'|\b\d[\d.e+]*", "?", statement)

        def count() -> int:
            self.counts[running[0]] += EVERY
            return 0

        connection.set_trace_callback(begin)
        connection.set_progress_handler(count, EVERY)

    async def of(self, flow: Flow, house: House, name: str) -> Counter[str]:
        """Count what one flow takes."""
        self.counts.clear()
        await flow(house, name)
        return self.counts.copy()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(f"sqlite:///{tmp_path / 'history.db'}") as one:
        yield one


async def stop(house: House, name: str) -> None:
    assert (await house.run(f"live {name}")).state is State.ACCEPTED


async def denial(house: House, name: str) -> None:
    assert (await house.run(f"live {name}", MALLORY)).state is State.DENIED


async def mistake(house: House, name: str) -> None:
    await house.ask(f"lvie {name}")


async def confirmation(house: House, name: str) -> None:
    reply = await house.ask(f"ban {name} 2h", BOB)
    assert isinstance(reply, Accepted)
    await house.engine.ending(reply.operation.id)
    await house.decide(reply.operation.id, Choice.CONFIRM, BOB)
    assert (await house.ended(reply.operation.id)).state is State.ACCEPTED
    await house.courier.drain()


async def off_list(house: House, _name: str) -> None:
    await house.service.queries.off_air(ALICE, Place("C0INC"))


async def home(house: House, _name: str) -> None:
    await house.service.queries.recent(ALICE)
    await house.service.queries.open_requests(BOB)


async def heartbeat(house: House, _name: str) -> None:
    await house.store.leases.renew()
    await house.store.leases.claim()
    await house.store.verifications.claim()
    await house.store.off_air.claim_expiring()
    await house.store.operations.due_waits()
    await house.store.statistics.read()


FLOWS = (stop, denial, mistake, confirmation, off_list, home, heartbeat)


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: str(flow.__name__))
async def test_work_does_not_grow_with_what_is_on_file(store: Store, flow: Flow) -> None:
    """No statement of a flow looks through what has ended."""
    work = Work(store.session.engine)
    async with built(store) as house:
        await confirmation(house, "first")
        await flow(house, "warm")
        before = await work.of(flow, house, "few")
        _file(store.session.engine)
        after = await work.of(flow, house, "many")

    grown = {
        statement.partition("FROM ")[2] or statement: (before[statement], count)
        for statement, count in after.items()
        if count > before[statement] + SLACK
    }
    assert after.total() > 0
    assert grown == {}


def _file(engine: sa.Engine) -> None:
    """Put many ended operations, settled decisions and records on file."""
    with engine.begin() as connection:
        # Nothing waits for a look any more.
        connection.execute(sa.update(tables.operations).values(look_at=None))
        for table, unique in (
            (tables.operations, ("id", "key")),
            (tables.decisions, ("id", "key")),
            (tables.trail, ("seq",)),
        ):
            rows = list(map(dict, connection.execute(sa.select(table)).mappings()))
            numbers = [row[name] for row in rows for name in unique if isinstance(row[name], int)]
            newest = max(numbers, default=0)
            for at, row in enumerate(rows):
                made = [
                    {**row, **_other(dict(row), unique, newest, n)}
                    for n in range(at, FILED, len(rows))
                ]
                connection.execute(sa.insert(table), made)


def _other(
    row: Mapping[str, Any], unique: Sequence[str], newest: int, number: int
) -> dict[str, Any]:
    """Return other values for the columns that no two rows have alike."""
    return {
        name: newest + 1 + number if isinstance(row[name], int) else f"old{number}"
        for name in unique
    }
