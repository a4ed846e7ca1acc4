"""Bots that are wrong on purpose: the campaign of that fault must find each of them."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import psycopg
import sqlalchemy as sa

from bot.errors import StoreError
from bot.model.actions import Json
from bot.model.commands import Command
from bot.model.operations import Answer, Operation, State
from bot.model.ports import always
from bot.operations.lease_guard import LeaseGuard
from bot.storage.commit_marks import CommitMarks
from bot.storage.leases import Leases
from bot.storage.operations import Operations
from bot.storage.postgres_connection import Connection
from bot.storage.session import Session
from bot.storage.transition import Transition
from bot.tencent.client import TencentCloud
from handlers.slack import messenger
from tests.chaos.tally import Tally

Patch: TypeAlias = Callable[[object, str, object], None]
"""Sets an attribute that is there."""


def act_first(patch: Patch) -> None:
    """Act before the intent is on disk, in both places."""
    ask, start, call = Operations.add, Operations.start, TencentCloud.call
    later: set[asyncio.Task[Any]] = set()
    meant: dict[str, tuple[Operations, tuple[str, str, float, list[Transition]]]] = {}

    async def ask_later(
        repository: Operations, operation: Operation, facts: Mapping[str, Json]
    ) -> Operation | None:
        async def note() -> None:
            await asyncio.sleep(0.1)
            await ask(repository, operation, facts)

        task = asyncio.create_task(note())
        later.add(task)
        task.add_done_callback(later.discard)
        return operation

    async def start_later(
        repository: Operations, account: str, api: str, interval: float, moves: Sequence[Transition]
    ) -> list[tuple[float, Operation | None]]:
        found: list[tuple[float, Operation | None]] = []
        for move in moves:
            await asyncio.sleep(0.15)
            one = await repository.get(move.id)
            if one is not None:
                one = replace(one, state=State.RUNNING, attempts=one.attempts + 1)
                target = json.dumps(dict(one.params), sort_keys=True)
                meant[target] = (repository, (account, api, interval, [move]))
            found.append((time.monotonic(), one))
        return found

    async def call_first(
        cloud: TencentCloud, command: Command, may_leave: Callable[[], bool] = always
    ) -> Answer:
        mine = meant.pop(json.dumps(dict(command.params), sort_keys=True), None)
        try:
            return await call(cloud, command, may_leave)
        finally:
            if mine is not None:
                await start(mine[0], *mine[1])

    patch(Operations, "add", ask_later)
    patch(Operations, "start", start_later)
    patch(TencentCloud, "call", call_first)


def send_without_lease(patch: Patch) -> None:
    """Never ask whether the lease still stands, where a connection takes a while to open."""
    call = TencentCloud.call

    async def call_slowly(
        cloud: TencentCloud, command: Command, may_leave: Callable[[], bool] = always
    ) -> Answer:
        await asyncio.sleep(0.3)
        return await call(cloud, command, may_leave)

    patch(LeaseGuard, "is_fresh", lambda _guard: True)
    patch(TencentCloud, "call", call_slowly)


def keep_what_is_unknown(patch: Patch) -> None:
    """Take a commit without an answer as failed, and renew the leases on what nothing works on."""

    class Everything(frozenset[Any]):
        def __contains__(self, _id: object) -> bool:
            return True

    tables = ("operations", "outbox", "decisions")
    patch(CommitMarks, "leave", lambda _marks, _connection, _now: "")
    patch(Leases, "_in_hand", lambda _leases: dict.fromkeys(tables, Everything()))


def claim_until_failure(patch: Patch) -> None:
    """Take nothing over any more once the database has failed."""
    claim, failed = Leases.claim, False

    async def claim_or_give_up(leases: Leases) -> list[Operation]:
        nonlocal failed
        try:
            return [] if failed else await claim(leases)
        except StoreError:
            failed = True
            raise

    patch(Leases, "claim", claim_or_give_up)


def wait_for_ever(patch: Patch) -> None:
    """Wait for a server that says nothing any more."""
    patch(Connection, "wait", psycopg.Connection.wait)


def trust_own_clock(patch: Patch) -> None:
    """Take the store's time from the machine, although the database has a clock."""
    begin = Session.__init__

    def begin_by_own_clock(session: Session, engine: sa.Engine, **given: Any) -> None:
        begin(session, engine, **{**given, "clock": time.time})

    patch(Session, "__init__", begin_by_own_clock)


def post_without_looking(patch: Patch) -> None:
    """Post again what may have been posted, without looking for it."""

    async def find_nothing(*_: object, **__: object) -> None:
        return None

    patch(messenger, "find_message", find_nothing)


def give_up_refused(patch: Patch) -> None:
    """Give up what Slack refuses, whatever its code says."""
    patch(messenger, "is_final", lambda _code: True)


def ack_unsaved(patch: Patch) -> None:
    """Take what was asked, although the database could not save it."""
    ask = Operations.add

    async def ask_anyway(
        repository: Operations, operation: Operation, facts: Mapping[str, Json]
    ) -> Operation | None:
        try:
            return await ask(repository, operation, facts)
        except StoreError:
            return operation

    patch(Operations, "add", ask_anyway)


@dataclass(frozen=True, slots=True)
class Broken:
    """A bot that fails, and where its campaign finds that.

    Attributes:
        breaks: Makes it so, in the process that is to fail.
        shows: The lists of the tally of which one must have something in it.
        says: What that must say, one of these: where a machine is busy, a bot that is whole may
            not be done in time.
        databases: The kinds with which it shows.
        count: How many faults it takes.
        calm: Seconds that it gets for what it can still do.
    """

    breaks: Callable[[Patch], None]
    shows: tuple[str, ...]
    says: tuple[str, ...] = ("",)
    databases: tuple[str, ...] = ("sqlite", "postgresql")
    count: int = 10
    calm: float = 20.0

    def is_shown(self, tally: Tally) -> bool:
        """Return whether a campaign has found what is wrong."""
        found = [str(one) for column in self.shows for one in getattr(tally, column)]
        return any(saying in one for one in found for saying in self.says)


_POSTGRESQL = ("postgresql",)

_NOT_ON_FILE, _TWICE, _LATE = "not on file", "tried", "after it had ended"
_STILL = "still "

BROKEN: Mapping[str, Broken] = {
    "kill": Broken(act_first, ("lost", "doubled"), (_NOT_ON_FILE, _TWICE)),
    "pause": Broken(
        send_without_lease, ("late", "doubled"), (_LATE, _TWICE), _POSTGRESQL, count=20
    ),
    "lost-commit": Broken(keep_what_is_unknown, ("lost",), (_STILL,), calm=120.0),
    "silent": Broken(wait_for_ever, ("lost",), (_STILL,), _POSTGRESQL, count=4, calm=120.0),
    "database-restart": Broken(
        claim_until_failure, ("lost",), (_STILL,), _POSTGRESQL, count=20, calm=60.0
    ),
    "clock": Broken(trust_own_clock, ("late",), (_LATE,), _POSTGRESQL),
    "slack-answer-lost": Broken(post_without_looking, ("posted_twice",)),
    "slack-error": Broken(give_up_refused, ("unposted",), (": no ",), count=20),
    "disk": Broken(ack_unsaved, ("lost",), (_NOT_ON_FILE,), ("sqlite",)),
}
"""By the fault whose campaign must find it."""


def break_bot(name: str) -> None:
    """Make this process the bot that the campaign of a fault must find."""
    BROKEN[name].breaks(_set)


def _set(owner: object, name: str, value: object) -> None:
    # Otherwise a new name in the bot would leave it whole.
    if not hasattr(owner, name):
        raise AttributeError(f"{owner} has no {name}")
    setattr(owner, name, value)
