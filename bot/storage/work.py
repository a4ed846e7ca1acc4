"""Work that is queued for the writer: its transaction, and the jobs that share it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from bot.audit.hash_chain import Fact
from bot.storage.audit_end import End, Flaw

Item = TypeVar("Item")
Result = TypeVar("Result")

_ALIKE = 4
"""How many pieces of the same work are processed between two looks at what is urgent."""


@dataclass(slots=True)
class Transaction:
    """What a piece of work may use.

    Attributes:
        now: The store's clock, epoch seconds: the database's own on PostgreSQL.
        monotonic: This process's `time.monotonic` at that moment.
        facts: Appended to the audit log, in this order, before the commit.
        enqueued: Whether a message was put into the outbox.
        end: The end of the audit log, once it has been looked at; see `Writer.end_of`.
        flaw: What is wrong with it; None if our key sealed it.
    """

    connection: sa.Connection
    now: float
    monotonic: float
    facts: list[Fact] = field(default_factory=list)
    enqueued: bool = False
    end: End | None = None
    flaw: Flaw | None = None


Work = Callable[[Transaction, Sequence[Item]], Sequence[Result]]
"""Processes several items in one transaction and returns a result for each."""


@dataclass(slots=True, eq=False)
class Job(Generic[Item, Result]):
    """A piece of work, and who waits for it.

    Attributes:
        urgent: Somebody waits for an ack.
    """

    work: Work[Item, Result]
    item: Item
    done: "asyncio.Future[Result]"
    urgent: bool
    result: Any = None
    error: Exception | None = None


def alike_of(
    jobs: Sequence[Job[Any, Any]],
) -> list[tuple[Work[Any, Any], list[Job[Any, Any]]]]:
    """Group neighbours with the same work, a few at a time, keeping their order."""
    groups: list[tuple[Work[Any, Any], list[Job[Any, Any]]]] = []
    for job in jobs:
        if groups and groups[-1][0] == job.work and len(groups[-1][1]) < _ALIKE:
            groups[-1][1].append(job)
        else:
            groups.append((job.work, [job]))
    return groups


def answer(jobs: Sequence[Job[Any, Any]]) -> None:
    """Give each job its result, in the thread of the loop."""
    for job in jobs:
        if job.done.done():
            continue
        if job.error is not None:
            job.done.set_exception(job.error)
        else:
            job.done.set_result(job.result)
