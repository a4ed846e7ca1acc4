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
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import sqlalchemy as sa
import structlog

from bot.audit.checkpoints import Signer
from bot.audit.hash_chain import FORMAT, KEY, Fact
from bot.audit.last_seal import LastSealFile
from bot.errors import CommitUnknownError, StoreError, UnstorableError
from bot.storage import audit_records
from bot.storage.audit_end import End, EndGuard, Flaw, is_current
from bot.storage.commit_marks import CommitMarks, lock_writes
from bot.storage.prepared import Prepared
from bot.storage.work import Item, Job, Result, Transaction, Work, alike_of, answer

__all__ = ["CLOCK", "CLOCK_NOW", "Transaction", "Work", "Writer"]

log = structlog.get_logger("stopstream.writer")

CLOCK = "extract(epoch FROM clock_timestamp())::float8"
"""PostgreSQL's own clock, epoch seconds."""

CLOCK_NOW = Prepared(sa.text(f"SELECT {CLOCK}"))
"""Asks for it."""


_FEW = 16
"""How many pieces of work that are not urgent share a transaction."""

_RECENT = 5.0
"""Seconds for which a refusal is remembered: a full disk may still take what is small."""

_LOOK_AGAIN = 0.5
"""Seconds between two looks whether an unanswered commit took place."""

_IDLE = 1.0
"""Seconds without work after which the pool asks the connection whether it still is one."""

_UNSTORABLE = (sa.exc.DataError, UnicodeError, OverflowError, RecursionError)
"""Of these, what is written is the cause: repeating it is in vain."""


@dataclass(frozen=True, slots=True)
class _Unanswered:
    """A commit that the database did not answer: it may have taken place.

    Attributes:
        mark: What the transaction left in the table `commits`.
        after: The end of the audit log, if it took place and there were facts.
        error: What came in place of the answer.
    """

    mark: str
    jobs: list[Job[Any, Any]]
    transaction: Transaction
    after: End | None
    error: Exception


class Writer:
    """Runs work in transactions, in the order in which it was queued.

    Work may be run twice (a failed transaction is repeated one piece at a time), so it must
    change nothing but the database. A commit without an answer is not a failure: its work has
    no result until the database is reached again and tells whether it took place, and nothing
    else is written before that.

    Args:
        outbox_changed: Set after a transaction that put a message into the outbox.
        most: How many pieces of urgent work one transaction may hold.
        signer: Signs the end of the audit log; None leaves it unsigned.
        last_seal: What is known outside the database of the end of the audit log.
        clock: Epoch seconds; None takes the database's clock, or this machine's on SQLite.

    Attributes:
        on_tampering: Called, before records are appended, with what is wrong with the end of
            the audit log.
        on_commit: Called in the writer's thread with the seconds that a transaction has taken.
    """

    def __init__(
        self,
        engine: sa.Engine,
        outbox_changed: asyncio.Event,
        *,
        most: int = 256,
        signer: Signer | None = None,
        last_seal: LastSealFile | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._signer = signer
        self.on_tampering: Callable[[Transaction, Flaw], None] = lambda _transaction, _flaw: None
        self.on_commit: Callable[[float], None] = lambda _seconds: None
        self._guard = EndGuard(signer.public if signer else "", last_seal)
        self._outbox_changed = outbox_changed
        self._most = most
        self._urgent: deque[Job[Any, Any]] = deque()
        self._jobs: deque[Job[Any, Any]] = deque()
        # One permit for each queued job, and one for the end.
        self._permits: SimpleQueue[None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._connection: sa.Connection | None = None
        self._used = 0.0
        self._refused: tuple[float, str] | None = None
        self._marks = CommitMarks(engine)
        self._unanswered: _Unanswered | None = None
        self._start()

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

        While it is not known whether it was done, this waits.

        Raises:
            UnstorableError: Nothing was done, and nothing would be by another try.
            CommitUnknownError: The writer has stopped before it was known.
            StoreError: Nothing was done; the message is the database's.
        """
        job: Job[Item, Result] = Job(work, item, self._loop.create_future(), urgent)
        (self._urgent if urgent else self._jobs).append(job)
        self._permits.put(None)
        return await job.done

    async def close(self) -> None:
        """Finish the queued work, then stop."""
        self._permits.put(None)
        await asyncio.to_thread(self._thread.join)

    def _start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        while self._process_next():
            pass
        self._give_up()
        self._drop_connection()

    def _process_next(self) -> bool:
        """Wait for work and process it; return whether there may be more."""
        jobs, last = self._next()
        live = [job for job in jobs if not job.done.cancelled()]
        if not self._is_clear():
            self._refuse(live)
        elif live:
            self._settle(live)
        return not last

    def _next(self) -> tuple[list[Job[Any, Any]], bool]:
        """Wait for work; return what is urgent, or else a few others, so that acks wait little.

        While a commit is unanswered, return without work after a moment, to look again.
        """
        try:
            self._permits.get(timeout=_LOOK_AGAIN if self._unanswered else None)
        except Empty:
            return [], False
        queue, most = (self._urgent, self._most) if self._urgent else (self._jobs, _FEW)
        jobs = [queue.popleft() for _ in range(min(most, len(queue)))]
        for _ in jobs[1:]:
            self._permits.get()
        return jobs, not jobs

    def _settle(self, jobs: list[Job[Any, Any]]) -> None:
        try:
            done = self._commit(jobs)
        except Exception as error:  # noqa: BLE001 (raised in the caller; the thread lives on)
            self._drop_connection()
            if self._unanswered is None:
                self._fail(jobs, error)
                return
            log.warning("a commit was not answered", why=_plainly(error))
            self._put_back(jobs[len(self._unanswered.jobs) :])
            self._is_clear()
        else:
            self._put_back(jobs[len(done) :])

    def _put_back(self, jobs: list[Job[Any, Any]]) -> None:
        """Queue work again, before all that is not urgent."""
        self._jobs.extendleft(reversed(jobs))
        for _ in jobs:
            self._permits.put(None)

    def _fail(self, jobs: list[Job[Any, Any]], error: Exception) -> None:
        """Answer work of which nothing was done, or repeat it one piece at a time."""
        if len(jobs) > 1:
            # One bad piece must not take the others with it.
            for job in jobs:
                if job.done.cancelled():
                    continue
                if self._is_clear():
                    self._settle([job])
                else:
                    self._refuse([job])
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
        self._loop.call_soon_threadsafe(answer, jobs)

    def _is_clear(self) -> bool:
        """Find out about an unanswered commit, if there is one; return whether there is none."""
        pending = self._unanswered
        if pending is None:
            return True
        try:
            done = self._marks.is_committed(pending.mark)
        except (sa.exc.SQLAlchemyError, OSError) as error:
            self._refused = time.monotonic(), _plainly(error)
            return False
        log.info("an unanswered commit is known", committed=done)
        self._unanswered = None
        if done:
            self._committed(pending.transaction, pending.after)
            self._loop.call_soon_threadsafe(answer, pending.jobs)
        else:
            self._fail(pending.jobs, pending.error)
        return self._unanswered is None

    def _refuse(self, jobs: list[Job[Any, Any]]) -> None:
        """Answer work that is not begun, because it is not known what is committed."""
        for job in jobs:
            job.error = StoreError(self._refused[1] if self._refused else "the database is away")
        self._loop.call_soon_threadsafe(answer, jobs)

    def _give_up(self) -> None:
        """Answer, at the end, what will not be known any more."""
        if self._unanswered is not None:
            for job in self._unanswered.jobs:
                job.error = CommitUnknownError(_plainly(self._unanswered.error))
            self._loop.call_soon_threadsafe(answer, self._unanswered.jobs)

    def _commit(self, jobs: list[Job[Any, Any]]) -> list[Job[Any, Any]]:
        """Commit work, answer it, and return it: all of it, unless something is urgent.

        After an error the connection must be dropped, which rolls back.
        """
        if time.monotonic() - self._used > _IDLE:
            self._drop_connection()
        if self._connection is None:
            self._connection = self._engine.connect()
        began = time.monotonic()
        begun = self._connection.begin()
        now, monotonic = time.time(), time.monotonic()
        if self._engine.dialect.name == "postgresql":
            lock_writes(self._connection)
            now = float(CLOCK_NOW.scalar(self._connection))
            monotonic = time.monotonic()
        if self._clock is not None:
            now = self._clock()
        self._marks.begin(self._connection)
        transaction = Transaction(self._connection, now, monotonic)
        done = self._process(transaction, jobs)
        after = self._record(transaction) if transaction.facts else None
        mark = self._marks.leave(self._connection, now)
        try:
            begun.commit()
        except Exception as error:
            if mark:
                self._unanswered = _Unanswered(mark, done, transaction, after, error)
            raise
        # Nothing here holds up the event loop, which has somebody's ack to write.
        self._loop.call_soon_threadsafe(answer, done)
        self._committed(transaction, after)
        self.on_commit(self._used - began)
        return done

    def _process(self, transaction: Transaction, jobs: list[Job[Any, Any]]) -> list[Job[Any, Any]]:
        """Run work, and return what was run: the rest waits for what is urgent by now."""
        done = 0
        for work, alike in alike_of(jobs):
            if done and self._urgent and not jobs[0].urgent:
                break
            results = work(transaction, [job.item for job in alike])
            for job, result in zip(alike, results, strict=True):
                job.result = result
            done += len(alike)
        return jobs[:done]

    def _committed(self, transaction: Transaction, after: End | None) -> None:
        """Note what follows from a commit."""
        self._used = time.monotonic()
        if after is not None:
            self._guard.committed(after)
            self._refused = None
        if transaction.enqueued:
            self._loop.call_soon_threadsafe(self._outbox_changed.set)

    def _record(self, transaction: Transaction) -> End:
        found = self.end_of(transaction)
        facts, signer = transaction.facts, self._signer
        if signer is not None and self._must_name_key(transaction):
            facts = [Fact(KEY, "", {"key": signer.public, "format": FORMAT}), *facts]
        return audit_records.append(
            transaction.connection,
            transaction.now,
            facts,
            signer,
            found,
            is_sound=transaction.flaw is None,
        )

    def end_of(self, transaction: Transaction) -> End:
        """Return the end of the audit log; a flaw in it is recorded before anything else.

        Raises:
            StrangeKeyError: The log has another key than this process, so it must not write.
        """
        if transaction.end is None:
            transaction.end = self._guard.end(transaction.connection)
            transaction.flaw = self._guard.flaw(transaction.connection, transaction.end)
            if transaction.flaw is not None:
                self.on_tampering(transaction, transaction.flaw)
        return transaction.end

    def _must_name_key(self, transaction: Transaction) -> bool:
        is_first = self._guard.seen is None and not is_current(transaction.connection)
        return is_first or transaction.flaw is not None

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        self._guard.disconnected()
        if connection is not None:
            try:
                connection.close()
            except Exception as error:  # noqa: BLE001 (the driver's own; the thread lives on)
                log.warning("a connection did not close", why=_plainly(error))
                with contextlib.suppress(Exception):
                    connection.invalidate()


def _plainly(error: Exception) -> str:
    """Return the database's own message in one line, without the statement and its values."""
    origin = getattr(error, "orig", None) or error
    lines = str(origin).strip().splitlines()
    return lines[0] if lines else type(origin).__name__
