"""The session that all repositories share: the engine, the writer, the readers and the clock."""

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MethodType
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bot.audit.checkpoints import Signer
from bot.audit.last_seal import LastSealFile
from bot.errors import StoreError, UnreadableRowError
from bot.model.operations import Operation
from bot.storage.message_integrity import MessageIntegrity
from bot.storage.prepared import Given, Prepared
from bot.storage.quarantine import Quarantine
from bot.storage.row_integrity import RowIntegrity
from bot.storage.row_macs import RowMacs
from bot.storage.tables import limits
from bot.storage.writer import CLOCK, CLOCK_NOW, Transaction, Writer

LEASE = 10.0
"""The usual lease, in seconds; see Session."""

T = TypeVar("T")
P = ParamSpec("P")


class Session:
    """Access to the database for the repositories of one process.

    Args:
        engine: Of `database.connect`, migrated.
        owner: Name of this replica on its leases.
        audit_channel: Id of the channel that audit messages go to; empty for none.
        lease: Seconds that a replica may be silent before another takes its work over.
        signer: Signs the end of the audit log; None leaves it unsigned, for readers.
        last_seal: What is known outside the database of the end of the audit log.
        clock: Epoch seconds; None takes the database's clock, or this machine's on SQLite.

    Attributes:
        insert: Makes an INSERT in the dialect of the database.
        workspace: Address of the Slack workspace, once it is known.
        outbox_changed: Set when this process has committed a message to the outbox.
        on_query: Called in a reader's thread with the seconds that a query has taken.
    """

    def __init__(
        self,
        engine: sa.Engine,
        *,
        owner: str,
        audit_channel: str = "",
        lease: float = LEASE,
        signer: Signer | None = None,
        last_seal: LastSealFile | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.engine = engine
        self._clock = clock
        self.owner = owner
        self.lease = lease
        self.audit_channel = audit_channel
        self.signer = signer
        self.workspace = ""
        self.insert: Callable[[sa.Table], Any] = (
            postgresql if engine.dialect.name == "postgresql" else sqlite
        ).insert
        macs = RowMacs(signer)
        self.quarantine = Quarantine(macs)
        self.integrity = RowIntegrity(macs, self.quarantine)
        self.message_integrity = MessageIntegrity(macs, self.quarantine)
        self.outbox_changed = asyncio.Event()
        self.writer = Writer(
            engine, self.outbox_changed, signer=signer, last_seal=last_seal, clock=clock
        )
        self.on_query: Callable[[float], None] = lambda _seconds: None
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="reader")

    async def close(self) -> None:
        """Finish the queued writes and disconnect."""
        await self.writer.close()
        # A reader may wait for a database that does not answer.
        await asyncio.to_thread(self._readers.shutdown)
        self.engine.dispose()

    async def ready(self) -> None:
        """Raise StoreError unless the database can be written now."""
        await self.writer.do(_touch, None)
        if self.writer.trouble:
            raise StoreError(self.writer.trouble)

    async def read(self, query: Callable[[sa.Connection], T]) -> T:
        """Run a query in a reader thread.

        Raises:
            StoreError: The database cannot be read.
        """

        def run() -> T:
            began = time.monotonic()
            with self.reading() as connection:
                found = query(connection)
            self.on_query(time.monotonic() - began)
            return found

        return await asyncio.get_running_loop().run_in_executor(self._readers, run)

    @contextlib.contextmanager
    def reading(self, **postgres: Any) -> Iterator[sa.Connection]:
        """Open a connection that only reads, in the calling thread.

        Args:
            postgres: Execution options for PostgreSQL alone.

        Raises:
            StoreError: The database cannot be read.
        """
        options = postgres if self.engine.dialect.name == "postgresql" else {}
        try:
            with self.engine.connect().execution_options(reads=True, **options) as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(str(error).splitlines()[0]) from error

    async def fetch(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        """Return all rows of a query."""
        return await self.read(lambda connection: connection.execute(query).all())

    async def fetch_operation(self, query: Prepared, given: Given) -> Operation | None:
        """Return the operation in the first row of a query.

        Args:
            given: The query's values.

        Raises:
            UnreadableRowError: The row is there, and this release cannot decode it.
        """
        row = await self.read(lambda connection: query.first(connection, given))
        if row is None:
            return None
        try:
            return self.quarantine.operation(row)
        except UnreadableRowError as error:
            self.quarantine.add(error)
            raise

    def now(self) -> sa.ColumnElement[float]:
        """Return the store's clock as an expression, for a statement that is made each time."""
        if self._clock is None and self.engine.dialect.name == "postgresql":
            return sa.literal_column(CLOCK, sa.Double)
        return sa.literal((self._clock or time.time)(), sa.Double)

    def read_clock(self, connection: sa.Connection) -> float:
        """Return the store's clock, epoch seconds; on PostgreSQL the server is asked."""
        if self._clock is None and self.engine.dialect.name == "postgresql":
            return float(CLOCK_NOW.scalar(connection))
        return (self._clock or time.time)()

    def lease_rows(
        self, tx: Transaction, table: sa.Table, ids: sa.Select[Any], most: int
    ) -> Sequence[sa.Row[Any]]:
        """Lease the selected rows of a table to this replica and return them.

        Args:
            ids: Selects them by the parameters `is_now` and `most`; made once, because for each
                such query the statement is kept.
        """
        given = {
            "is_now": tx.now,
            "most": most,
            "new_owner": self.owner,
            "new_until": tx.now + self.lease,
        }
        return _leased(table, ids).all(tx.connection, given)

    def release_quarantined(self, tx: Transaction, table: sa.Table) -> None:
        """Give up the leases on rows that cannot be decoded here: another release may do better.

        They lapse only after a lease's length, because two replicas that cannot decode a row
        must not pass it to and fro; nobody renews them, because they have no owner.
        """
        if found := self.quarantine.of(table.name):
            ours = sa.update(table).where(table.c.id.in_(found), table.c.owner == self.owner)
            tx.connection.execute(ours.values(owner="", lease_until=tx.now + self.lease))


def _touch(tx: Transaction, asked: Sequence[None]) -> list[None]:
    # A write that changes nothing still needs the disk and the write lock.
    tx.connection.execute(sa.update(limits).where(limits.c.api == "").values(free_at=0.0))
    return [None for _ in asked]


NOW = sa.bindparam("is_now", type_=sa.Double)
"""The store's clock, in a statement that is made once."""

MOST = sa.bindparam("most", type_=sa.Integer)
"""How many rows such a statement finds at most."""


@functools.lru_cache(64)
def _leased(table: sa.Table, ids: sa.Select[Any]) -> Prepared:
    return Prepared(
        sa.update(table)
        .where(table.c.id.in_(ids.scalar_subquery()))
        .values(owner=sa.bindparam("new_owner"), lease_until=sa.bindparam("new_until"))
        .returning(*table.c)
    )


class Repository(Protocol):
    """What `write` needs of the class whose method it decorates."""

    session: Session


R = TypeVar("R", bound=Repository)


def write(
    method: Callable[Concatenate[R, Transaction, P], T],
) -> Callable[Concatenate[R, P], Coroutine[Any, Any, T]]:
    """Make a method that takes a transaction one that awaits its commit instead.

    The writer runs many such calls in one transaction, and a call again if that fails, so the
    method may change nothing but the database. When the decorated method returns, its changes
    are on disk. It raises StoreError if the database refused them.
    """

    def batch(
        self: R, tx: Transaction, calls: Sequence[tuple[tuple[Any, ...], dict[str, Any]]]
    ) -> list[T]:
        return [method(self, tx, *args, **kwargs) for args, kwargs in calls]

    batch.__name__ = method.__name__

    @functools.wraps(method)
    async def commit(self: R, /, *args: P.args, **kwargs: P.kwargs) -> T:
        # A bound method, because the writer brings together the calls of equal ones.
        work: Callable[..., list[T]] = MethodType(batch, self)
        return await self.session.writer.do(work, (args, kwargs))

    return commit
