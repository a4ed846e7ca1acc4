"""Where the audit log ends: on SQLite it is read again only where somebody else has written."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.audit.checkpoints import Signer
from bot.audit.hash_chain import Fact
from bot.errors import StoreError
from bot.storage import audit_end
from bot.storage.store import Store
from bot.storage.writer import Transaction
from tests.conftest import opened

OURS = Signer(b"o" * 32)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of the last record, at each time that the end was read."""
    found: list[int] = []
    read = audit_end.end

    def counted(connection: sa.Connection) -> audit_end.End:
        found.append(read(connection).seq)
        return read(connection)

    monkeypatch.setattr(audit_end, "end", counted)
    # A connection that was idle for long is replaced, and a new one reads; the machine may be slow.
    monkeypatch.setattr("bot.storage.writer._IDLE", 1e9)
    return found


async def write(store: Store) -> None:
    await store.audit_log.record(Fact("ended", "op1", {}))


def last(store: Store) -> int:
    with store.session.engine.connect().execution_options(reads=True) as connection:
        found = connection.execute(sa.text("SELECT max(seq) FROM trail")).scalar()
    return int(found or 0)


async def test_own_records_are_not_read_again(tmp_path: Path, reads: list[int]) -> None:
    """Ten records in a row: the end is read before the first one."""
    async with opened(f"sqlite:///{tmp_path}/one.db", signer=OURS) as store:
        await write(store)
        reads.clear()
        for _ in range(10):
            await write(store)
        assert reads == []
        with store.audit_log.snapshot() as audited:
            assert audited.verify([OURS.public], lambda _seq: None).found is None


async def test_records_of_others_are_read(tmp_path: Path, reads: list[int]) -> None:
    """Two replicas by turns: each sees what the other one has written, and the chain is whole."""
    url = f"sqlite:///{tmp_path}/two.db"
    async with (
        opened(url, signer=OURS) as one,
        opened(url, owner="replica-2", signer=OURS) as other,
    ):
        await write(one)
        await write(other)
        reads.clear()
        for turn in (one, other, other, one):
            before = last(one)
            await write(turn)
            assert last(one) == before + 1
        # The second of two in a row by the same replica reads nothing.
        assert len(reads) == 3
        with one.audit_log.snapshot() as audited:
            assert audited.verify([OURS.public], lambda _seq: None).found is None


async def test_work_that_was_rolled_back_leaves_no_end(tmp_path: Path) -> None:
    """What a transaction would have appended is not taken for the end of the next one."""
    async with opened(f"sqlite:///{tmp_path}/three.db", signer=OURS) as store:
        await write(store)

        def broken(tx: Transaction, items: Sequence[None]) -> list[None]:
            tx.facts.append(Fact("ended", "op1", {}))
            store.session.writer.end_of(tx)
            tx.connection.execute(sa.text("INSERT INTO nothing VALUES (1)"))
            return list(items)

        work: Any = broken
        for _ in range(3):
            before = last(store)
            with pytest.raises(StoreError):
                await store.session.writer.do(work, None)
            await write(store)
            assert last(store) == before + 1
