"""A thread that does all writing: queued work shares a transaction, and so a full sync.

A transaction holds the only write lock of the database for its whole length (`BEGIN IMMEDIATE`
on SQLite, an advisory lock on PostgreSQL), because transactions append to the audit log, which
has one end.
"""

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
import structlog

from bot.audit.checkpoints import Signer
from bot.audit.hash_chain import Fact
from bot.errors import StoreError, UnstorableError
from bot.storage import audit_records
from bot.storage.audit_records import End

log = structlog.get_logger("stopstream.writer")

Item = TypeVar("Item")
Result = TypeVar("Result")

_LOCK = sa.text("SELECT pg_advisory_xact_lock(7307)")
CLOCK = "extract(epoch FROM clock_timestamp())::float8"
"""PostgreSQL's own clock, epoch seconds."""

_CLOCK = sa.text(f"SELECT {CLOCK}")


@dataclass(slots=True)
class Transaction:
    """What a piece of work may use.

    Attributes:
        now: The store's clock, epoch seconds: the database's own on PostgreSQL.
        monotonic: This process's `time.monotonic` at that moment.
        facts: Appended to the audit log, in this order, before the commit.
        enqueued: Whether a message was put into the outbox.
    """

    connection: sa.Connection
    now: float
    monotonic: float
    facts: list[Fact] = field(default_factory=list)
    enqueued: bool = False


_FEW = 16
"""How many pieces of work that are not urgent share a transaction."""

_RECENT = 5.0
"""Seconds for which a refusal is remembered: a full disk may still take what is small."""

_UNSTORABLE = (sa.exc.DataError, UnicodeError, OverflowError, RecursionError)
"""Of these, what is written is the cause: repeating it is in vain."""

Work = Callable[[Transaction, Sequence[Item]], Sequence[Result]]
"""Processes several items in one transaction and returns a result for each."""


@dataclass(slots=True, eq=False)
class _Job(Generic[Item, Result]):
    work: Work[Item, Result]
    item: Item
    done: "asyncio.Future[Result]"
    result: Any = None
    error: Exception | None = None


class Writer:
    """Runs work in transactions, in the order in which it was queued.

    Work may be run twice (a failed transaction is repeated one piece at a time), so it must
    change nothing but the database.

    Args:
        outbox_changed: Set after a transaction that put a message into the outbox.
        most: How many pieces of urgent work one transaction may hold.
        signer: Signs the end of the audit log; None leaves it unsigned.
        clock: Epoch seconds; None takes the database's clock, or this machine's on SQLite.

    Attributes:
        on_tampering: Called, before records are appended, with what is wrong with the end of
            the audit log.
    """

    def __init__(
        self,
        engine: sa.Engine,
        outbox_changed: asyncio.Event,
        *,
        most: int = 256,
        signer: Signer | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._signer = signer
        self.on_tampering: Callable[[Transaction, str], None] = lambda _transaction, _why: None
        self._seen: End | None = None
        self._outbox_changed = outbox_changed
        self._most = most
        self._urgent: deque[_Job[Any, Any]] = deque()
        self._jobs: deque[_Job[Any, Any]] = deque()
        # One permit for each queued job, and one for the end.
        self._permits = threading.Semaphore(0)
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._connection: sa.Connection | None = None
        self._refused: tuple[float, str] | None = None
        self._thread.start()

    @property
    def trouble(self) -> str:
        """Why the database refused the last writes; empty if it did not."""
        if self._refused is None or time.monotonic() - self._refused[0] > _RECENT:
            return ""
        return self._refused[1]

    async def do(self, work: Work[Item, Result], item: Item, *, urgent: bool = False) -> Result:
        """Process one item; its changes are on disk when this returns.

        If this is cancelled while it is queued, nothing is done.

        Args:
            urgent: Somebody waits for an ack: it precedes everything that is not urgent.

        Raises:
            UnstorableError: Nothing was done, and nothing would be by another try.
            StoreError: Nothing was done; the message is the database's.
        """
        job: _Job[Item, Result] = _Job(work, item, self._loop.create_future())
        (self._urgent if urgent else self._jobs).append(job)
        self._permits.release()
        return await job.done

    async def close(self) -> None:
        """Finish the queued work, then stop."""
        self._permits.release()
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while True:
            jobs, last = self._next()
            live = [job for job in jobs if not job.done.cancelled()]
            if live:
                self._settle(live)
            if last:
                self._drop_connection()
                return

    def _next(self) -> tuple[list[_Job[Any, Any]], bool]:
        """Wait for work; return what is urgent, or else a few others, so that acks wait little."""
        self._permits.acquire()
        queue, most = (self._urgent, self._most) if self._urgent else (self._jobs, _FEW)
        jobs = [queue.popleft() for _ in range(min(most, len(queue)))]
        for _ in jobs[1:]:
            self._permits.acquire()
        return jobs, not jobs

    def _settle(self, jobs: list[_Job[Any, Any]]) -> None:
        try:
            self._commit(jobs)
        except Exception as error:  # noqa: BLE001 (raised in the caller; the thread lives on)
            self._drop_connection()
            if len(jobs) > 1:
                # One bad piece must not take the others with it.
                for job in jobs:
                    self._settle([job])
                return
            if isinstance(error, _UNSTORABLE):
                # The message may repeat what cannot be written.
                why = f"the database cannot hold it: {type(error).__name__}"
                jobs[0].error = UnstorableError(why)
            elif not isinstance(error, sa.exc.SQLAlchemyError | OSError):
                jobs[0].error = error
            else:
                jobs[0].error = StoreError(_plainly(error))
                self._refused = time.monotonic(), _plainly(error)
        self._loop.call_soon_threadsafe(_answer, jobs)

    def _commit(self, jobs: list[_Job[Any, Any]]) -> None:
        if self._connection is None:
            self._connection = self._engine.connect()
        with self._connection.begin():
            now, monotonic = time.time(), time.monotonic()
            if self._engine.dialect.name == "postgresql":
                self._connection.execute(_LOCK)
                now = float(self._connection.execute(_CLOCK).scalar_one())
                monotonic = time.monotonic()
            if self._clock is not None:
                now = self._clock()
            transaction = Transaction(self._connection, now, monotonic)
            for work, alike in _alike(jobs):
                results = work(transaction, [job.item for job in alike])
                for job, result in zip(alike, results, strict=True):
                    job.result = result
            seen = self._record(transaction) if transaction.facts else self._seen
        # Only now it is committed.
        self._seen = seen
        if transaction.facts:
            self._refused = None
        if transaction.enqueued:
            self._loop.call_soon_threadsafe(self._outbox_changed.set)

    def _record(self, transaction: Transaction) -> End:
        found = audit_records.end(transaction.connection)
        if self._signer is not None:
            why = audit_records.tampering(transaction.connection, found, self._seen)
            if why:
                self.on_tampering(transaction, why)
        facts = transaction.facts
        return audit_records.append(
            transaction.connection, transaction.now, facts, self._signer, found
        )

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except Exception as error:  # noqa: BLE001 (the driver's own; the thread lives on)
                log.warning("a connection did not close", why=_plainly(error))
                with contextlib.suppress(Exception):
                    connection.invalidate()


def _alike(
    jobs: Sequence[_Job[Any, Any]],
) -> list[tuple[Work[Any, Any], list[_Job[Any, Any]]]]:
    """Group neighbours with the same work, keeping their order."""
    groups: list[tuple[Work[Any, Any], list[_Job[Any, Any]]]] = []
    for job in jobs:
        if groups and groups[-1][0] == job.work:
            groups[-1][1].append(job)
        else:
            groups.append((job.work, [job]))
    return groups


def _answer(jobs: Sequence[_Job[Any, Any]]) -> None:
    for job in jobs:
        if job.done.done():
            continue
        if job.error is not None:
            job.done.set_exception(job.error)
        else:
            job.done.set_result(job.result)


def _plainly(error: Exception) -> str:
    """Return the database's own message in one line, without the statement and its values."""
    origin = getattr(error, "orig", None) or error
    lines = str(origin).strip().splitlines()
    return lines[0] if lines else type(origin).__name__
