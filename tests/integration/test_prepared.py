"""Statements that are compiled once: they do what SQLAlchemy's own execution does."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.audit.checkpoints import Signer
from bot.model.actions import Json
from bot.model.messages import Sent
from bot.model.off_air import OffAirChange
from bot.model.operations import State
from bot.storage import tables
from bot.storage.prepared import Prepared, in_any, listed
from bot.storage.store import Store
from bot.storage.transition import Effects, Transition
from tests.conftest import built, opened
from tests.support.stored_operations import operation

LIMITS = tables.limits
ADD = Prepared(sa.insert(LIMITS))
BELOW = Prepared(
    sa.select(LIMITS.c.api, LIMITS.c.free_at)
    .where(LIMITS.c.account == sa.bindparam("account"), LIMITS.c.free_at < 10.0)
    .order_by(LIMITS.c.api)
)


def row(api: str, free_at: float) -> dict[str, Any]:
    """Return the columns of a limit."""
    return {"account": "main", "api": api, "free_at": free_at}


async def test_prepared_statement_reads_and_writes_rows(database_url: str) -> None:
    """Rows have names, fixed values stay, and how many rows were changed is told."""
    async with opened(database_url) as store:
        with store.session.engine.begin() as connection:
            assert ADD.run(connection, row("a", 1.0)) == 1
            ADD.run_each(connection, [row("b", 2.0), row("c", 30.0)])
            found = BELOW.all(connection, {"account": "main"})
            assert [(one.api, one.free_at) for one in found] == [("a", 1.0), ("b", 2.0)]
            assert BELOW.scalar(connection, {"account": "main"}) == "a"
            assert BELOW.first(connection, {"account": "nobody's"}) is None
            with pytest.raises(KeyError if "sqlite" in database_url else sa.exc.SQLAlchemyError):
                BELOW.all(connection)


async def test_prepared_statement_raises_the_errors_of_sqlalchemy(database_url: str) -> None:
    """What the driver refuses is an error of SQLAlchemy, without the values."""
    async with opened(database_url) as store:
        with store.session.engine.connect() as connection, connection.begin():
            ADD.run(connection, row("secret-name", 1.0))
            with pytest.raises(sa.exc.IntegrityError) as raised:
                ADD.run(connection, row("secret-name", 1.0))
            assert "secret-name" not in str(raised.value).splitlines()[-2:]
            connection.rollback()


@pytest.mark.parametrize("count", [1, 2, 3, 5])
async def test_lists_of_values_have_few_lengths(database_url: str, count: int) -> None:
    """A list is filled up with its last value, which finds nothing twice."""
    names = [f"api{number}" for number in range(count)]
    length, given = listed(names)
    assert length == {1: 1, 2: 2, 3: 4, 5: 8}[count]
    async with opened(database_url) as store:
        with store.session.engine.begin() as connection:
            ADD.run_each(connection, [row(f"api{number}", 0.0) for number in range(9)])
            found = Prepared(sa.select(LIMITS.c.api).where(in_any(LIMITS.c.api, length)))
            assert sorted(one.api for one in found.all(connection, given)) == names


async def test_truth_is_decoded_as_sqlalchemy_does(database_url: str) -> None:
    """SQLite keeps truth as a number, and the code of a row is over what it decodes to."""
    found = Prepared(sa.select(tables.operations.c.id, tables.operations.c.emergency))
    async with opened(database_url) as store, built(store) as house:
        await house.run("live one")
        with store.session.reading() as connection:
            assert found.all(connection)[0].emergency is False


async def stop(store: Store, number: int) -> None:
    """Take a stop from the asking to its ending, and deliver its messages."""
    facts: dict[str, Json] = {"state": "asked"}
    asked = operation(number)
    await store.operations.add(asked, facts)
    sending = Transition(asked.id, (State.ASKED, State.DUE, State.RUNNING), facts)
    await store.operations.start("default", asked.api, 0.05, [sending])
    change = OffAirChange("default", "stream", f'["s{number}"]', off=True, weight=1)
    effects = Effects(off_air=change, verify_in=0.0)
    ended = Transition(asked.id, (State.RUNNING, State.ACCEPTED), facts, effects=effects)
    await store.operations.apply(ended)
    for message in await store.outbox.claim():
        await store.outbox.mark_in_flight(message)
        await store.outbox.mark_delivered(message, Sent("C0INC", f"17000000{number}.000100"))
    for found in await store.verifications.claim():
        await store.verifications.record(found, "inactive", facts)


async def test_stop_executes_no_statement_that_sqlalchemy_works_out(tmp_path: Path) -> None:
    """From the asking to the last message the driver is given what was compiled before."""
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    async with opened(f"sqlite:///{tmp_path / 'x.db'}", signer=Signer(b"s" * 32)) as store:
        await stop(store, 1)
        sa.event.listen(store.session.engine, "before_cursor_execute", note)
        await stop(store, 2)

    assert seen == []
