"""What must survive: operations, what is owed to Slack, the limits, and the trail beside them."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache, partial
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bot.audit import hash_chain as chain
from bot.audit.checkpoints import (
    CheckpointKind,
    SignedCheckpoint,
    Signer,
    fingerprint,
    format_checkpoint,
    parse_checkpoint,
)
from bot.audit.hash_chain import Fact, Record, Report, Witnessed
from bot.errors import StoreError, UnreadableRowError
from bot.model.actions import Json
from bot.model.commands import Via
from bot.model.lifecycle import BEGINNINGS, ENDINGS, IN_HAND, step
from bot.model.messages import EphemeralNotice, MessageKind, Sent
from bot.model.off_air import Hold, OffAirChange, OffAirEntry, StartScope
from bot.model.operations import Decision, Operation, Search, State
from bot.redact import redact
from bot.storage import (
    audit_records as trail,
)
from bot.storage import (
    off_air as switchboard,
)
from bot.storage import (
    operation_search as search,
)
from bot.storage import (
    rows,
)
from bot.storage.quarantine import Quarantine
from bot.storage.tables import (
    UNFINISHED,
    UNSEEN,
    UNSETTLED,
    WAITING,
    decisions,
    limits,
    operations,
    outbox,
)
from bot.storage.writer import CLOCK, Transaction, Writer

LEASE = 10.0
"""The usual lease; see Store."""

NEVER = 1e9
"""Seconds after which nothing more is due."""

_SLACK = "slack:"
"""Stands for an account among the limits; no policy can name one so."""

_HELD = ((operations, UNFINISHED), (outbox, sa.true()), (decisions, UNSETTLED))
"""What replicas hold leases on, and where to look for it among a million that are done."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Move:
    """A wish to take an operation from one state to others, all in one transaction.

    Attributes:
        path: States to pass, the one it must be in now first.
        changes: Columns to set besides the state; also `approvals`, `preview` and `origin`,
            which share a column: the ones not named stay as they are.
        facts: For the trail, the same for every record on the path.
        owner: Only while this replica holds it; empty for whoever comes.
        due_in: Seconds until a DUE operation may be tried, or a WAITING one reminds; None
            leaves that as it is.
        enqueue: Messages owed besides those of the steps.
        seq: Only while the row has not changed since.
        expires_in: Seconds from now until it expires; None leaves that as it is.
        lapsed: Only after it has expired, or only before; None for whenever.
        meanwhile: What happens to it while it goes on waiting.
        decided: Whether this decides it, now.
        verify_in: Seconds until somebody looks at the cloud whether it has held; None: nobody.
        off_air: What this changes about what is off.
        hold: A hold that this begins.
        release: What this lets be started again.
        start_scope: Only while nobody holds what this would start.
    """

    id: str
    path: tuple[State, ...]
    facts: Mapping[str, Json]
    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    owner: str = ""
    due_in: float | None = 0.0
    enqueue: tuple[MessageKind, ...] = ()
    seq: int | None = None
    expires_in: float | None = None
    lapsed: bool | None = None
    meanwhile: str = ""
    decided: bool = False
    verify_in: float | None = None
    off_air: OffAirChange | None = None
    hold: Hold | None = None
    release: StartScope | None = None
    start_scope: StartScope | None = None


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """A row of the outbox, claimed by this replica.

    Attributes:
        operation: As it is now; None for a notice or a word, which have `text` instead.
        destination: A channel id, or `@` and a user id.
        about_state: The state it was owed for.
        text: Of a notice or a word, what it says; of others, the state that was seen.
        notice: Whom to tell, of a word.
        wait: Seconds until its destination may be spoken to.
    """

    id: int
    key: str
    kind: MessageKind
    operation: Operation | None
    text: str
    destination: str
    attempts: int
    uncertain: bool
    about_state: State | None = None
    notice: EphemeralNotice | None = None
    wait: float = 0.0


class Audited:
    """The trail at one moment, as it lies in the database."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.seals = trail.checkpoints(connection)
        self.buried = max(
            (s.seq for s in self.seals if s.kind is CheckpointKind.TOMBSTONE), default=0
        )
        self.last = trail.end(connection).seq

    def verify(self, trusted: Iterable[str], progress: Callable[[int], None]) -> Report:
        """Check all of it; see `chain.verify`."""
        batches = trail.raw(self._connection, self.buried)
        return chain.verify(
            batches,
            lookup=lambda seq: trail.raw_one(self._connection, seq),
            seals=self.seals,
            trusted=trusted,
            progress=progress,
        )

    def against(self, witnessed: Iterable[SignedCheckpoint]) -> Witnessed:
        """Hold it to the checkpoints that its audit channel keeps; see `chain.against`."""
        return chain.compare(witnessed, self._hash, self.buried)

    def _hash(self, seq: int) -> str | None:
        buried = (s.hash for s in self.seals if s.seq == seq and s.kind is CheckpointKind.TOMBSTONE)
        found = trail.raw_one(self._connection, seq)
        return found[5].decode(errors="replace") if found else next(buried, None)


class Store:
    """The database. Every method that writes is on disk when it returns.

    Args:
        engine: Of `database.connect`, migrated.
        owner: This replica's name on its leases.
        audit_channel: Where audit lines go; empty for nowhere.
        lease: Seconds that a replica may be silent before its work is taken over.
        signer: Seals the trail; None leaves it unsealed, for reading alone.

    All methods raise StoreError when the database cannot be reached, read or written.
    """

    def __init__(
        self,
        engine: sa.Engine,
        *,
        owner: str,
        audit_channel: str = "",
        lease: float = LEASE,
        signer: Signer | None = None,
    ) -> None:
        self.owner = owner
        self.lease = lease
        self.audit_channel = audit_channel
        self._engine = engine
        self._insert = (postgresql if engine.dialect.name == "postgresql" else sqlite).insert
        inserted = self._insert(outbox)
        self._owe_statement = inserted.on_conflict_do_update(
            index_elements=[outbox.c.key], set_={"wanted": inserted.excluded.wanted}
        )
        self.owing = asyncio.Event()
        """Set when this replica has put something into the outbox."""
        self._let_go: list[tuple[sa.Column[Any], str | int]] = []
        self._quarantine = Quarantine()
        self.workspace = ""
        """Address of the Slack workspace, once it is known: where permalinks begin."""
        self._signer = signer
        self._writer = Writer(engine, self.owing, signer=signer, alarm=self._alarm)
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="reader")

    async def close(self) -> None:
        """Finish what waits and let the database go."""
        await self._writer.close()
        self._readers.shutdown(wait=True)
        self._engine.dispose()

    # --- operations ----------------------------------------------------------------

    async def ask(self, operation: Operation, facts: Mapping[str, Json]) -> Operation | None:
        """Put a new operation on the books; None if its key is there already."""
        return await self._writer.do(self._ask, (operation, facts), urgent=True)

    def _ask(
        self, tx: Transaction, asked: Sequence[tuple[Operation, Mapping[str, Json]]]
    ) -> list[Operation | None]:
        keys = [operation.key for operation, _ in asked]
        known = set(
            tx.connection.execute(
                sa.select(operations.c.key).where(operations.c.key.in_(keys))
            ).scalars()
        )
        new: list[dict[str, Any]] = []
        results: list[Operation | None] = []
        for operation, facts in asked:
            if operation.key in known:
                results.append(None)
                continue
            known.add(operation.key)
            held = operation.state in IN_HAND
            new.append(
                rows.columns(operation)
                | {
                    "asked_at": tx.now,
                    "owner": self.owner if held else "",
                    "lease_until": tx.now + self.lease if held else 0.0,
                    "due_at": 0.0,
                    "ended_at": tx.now if operation.state in ENDINGS else None,
                }
            )
            tx.facts.append(Fact(BEGINNINGS[operation.state].record, operation.id, dict(facts)))
            results.append(operation)
        if new:
            tx.connection.execute(sa.insert(operations), new)
        return results

    async def move(self, move: Move) -> Operation | None:
        """Take an operation along a path; None if it is not where the path begins.

        The row, the records of every step and what they owe to Slack are one transaction.
        """
        return await self._writer.do(self._move, move)

    async def start_requests(
        self, account: str, api: str, interval: float, moves: Sequence[Move]
    ) -> list[tuple[float, Operation | None]]:
        """Give each operation its turn under the API's limit and put its intent on disk.

        Args:
            interval: Seconds between two requests, over all replicas.

        Returns:
            For each move when its request may leave, by `time.monotonic`, and the operation,
            or None if it was elsewhere.
        """
        return await self._writer.do(self._start, (account, api, interval, moves))

    def _start(
        self, tx: Transaction, asked: Sequence[tuple[str, str, float, Sequence[Move]]]
    ) -> list[list[tuple[float, Operation | None]]]:
        results: list[list[tuple[float, Operation | None]]] = []
        for account, api, interval, moves in asked:
            moved = self._move(tx, moves)
            count = len(moves) - moved.count(None)
            turns = iter(self._turns(tx, account, api, interval, count=count))
            results.append([(next(turns) if one else 0.0, one) for one in moved])
        return results

    def _turns(
        self,
        tx: Transaction,
        account: str,
        api: str,
        interval: float,
        *,
        count: int = 1,
        burst: int = 1,
    ) -> list[float]:
        where = (limits.c.account == account, limits.c.api == api)
        free_at = tx.connection.execute(sa.select(limits.c.free_at).where(*where)).scalar()
        first = max(free_at or 0.0, tx.now - interval * (burst - 1))
        after = first + interval * count
        tx.connection.execute(
            self._insert(limits)
            .values(account=account, api=api, free_at=after)
            .on_conflict_do_update(
                index_elements=[limits.c.account, limits.c.api], set_={"free_at": after}
            )
        )
        begin = tx.monotonic + first - tx.now
        return [begin + interval * turn for turn in range(count)]

    def _move(self, tx: Transaction, moves: Sequence[Move]) -> list[Operation | None]:
        return [None if _is_held(tx, move) else self._move_one(tx, move) for move in moves]

    def _move_one(self, tx: Transaction, move: Move) -> Operation | None:
        steps = [step(*two, move.meanwhile) for two in zip(move.path, move.path[1:], strict=False)]
        final = move.path[-1]
        held = final in IN_HAND
        values: dict[str, Any] = _column_values(tx, move) | {
            "state": final.value,
            "owner": self.owner if held else "",
            "lease_until": tx.now + self.lease if held else 0.0,
        }
        if move.due_in is not None:
            values["due_at"] = tx.now + move.due_in
        if final in ENDINGS:
            values["ended_at"] = tx.now
        if final is State.RUNNING:
            values["sent_at"] = tx.now
        if move.expires_in is not None:
            values["expires_at"] = tx.now + move.expires_in
        if move.decided:
            values["decided_at"] = tx.now
        if move.verify_in is not None:
            values["look_at"] = tx.now + move.verify_in
        update = _transition(
            tuple(sorted(values)),
            owned=bool(move.owner),
            unchanged=move.seq is not None,
            lapsed=move.lapsed,
        )
        given = {f"new_{name}": value for name, value in values.items()}
        given |= {"is_id": move.id, "is_state": move.path[0].value, "is_owner": move.owner}
        given |= {"is_seq": move.seq, "is_now": tx.now}
        row = tx.connection.execute(update, given).first()
        if row is None:
            return None
        operation = rows.operation(row)
        for one, after in zip(steps, move.path[1:], strict=True):
            state: dict[str, Json] = {"state": after.value} if "state" in move.facts else {}
            tx.facts.append(Fact(one.record, operation.id, {**move.facts, **state}))
        owes = [owed for one in steps for owed in one.owes]
        for owed in dict.fromkeys([*owes, *move.enqueue]):
            self._owe(tx, operation, owed)
        self._turn_off_or_on(tx, move, operation)
        return operation

    def _turn_off_or_on(self, tx: Transaction, move: Move, operation: Operation) -> None:
        switch = move.off_air
        if switch is not None:
            switchboard.apply(tx.connection, self._insert, tx.now, operation.id, switch)
            if switch.announced and switch.off:
                self._owe(tx, operation, MessageKind.LIFT)
        if move.hold is not None:
            held = replace(move.hold, operation=operation.id, since=tx.now)
            switchboard.hold(tx.connection, self._insert, held)
        if move.release is not None:
            switchboard.release(tx.connection, move.release)

    # --- what is off, and what is held ---------------------------------------------

    async def claim_expiring(self, limit: int = 16) -> list[tuple[Operation, float]]:
        """Say of what ends soon that it does, and take what has ended, to be looked at.

        What nothing brings back is off the list after a day.

        Returns:
            What turned it off, and when it has ended, epoch seconds.
        """
        return await self._writer.do(self._lifting, limit)

    def _lifting(
        self, tx: Transaction, asked: Sequence[int]
    ) -> list[list[tuple[Operation, float]]]:
        switchboard.clear(tx.connection, tx.now)
        return [list(self._lift_some(tx, limit)) for limit in asked]

    def _lift_some(self, tx: Transaction, limit: int) -> Iterator[tuple[Operation, float]]:
        for id_, until, ended in switchboard.claim_expiring(
            tx.connection, tx.now, 3 * self.lease, limit
        ):
            query = sa.select(operations).where(operations.c.id == id_)
            operation = next(self._operations(tx.connection.execute(query)), None)
            if operation is None:
                continue
            if ended:
                yield operation, until
            else:
                self._owe(tx, operation, MessageKind.LIFT, "soon")

    async def record_expiry(
        self, operation: Operation, seen: str, facts: Mapping[str, Json], *, still: bool
    ) -> None:
        """Note, once, that something has ended by itself, and owe it to the thread.

        Args:
            seen: Its state then; empty where it could not be read.
            still: It is off all the same.
        """
        await self._writer.do(self._lifted, (operation, seen, dict(facts), still))

    def _lifted(
        self, tx: Transaction, asked: Sequence[tuple[Operation, str, dict[str, Json], bool]]
    ) -> list[None]:
        for operation, seen, facts, still in asked:
            if switchboard.mark_expired(tx.connection, operation.id, still=still):
                tx.facts.append(Fact("lifted", operation.id, facts))
                self._owe(tx, operation, MessageKind.LIFTED, seen)
        return [None for _ in asked]

    async def record_on_again(self, id_: str, facts: Mapping[str, Json]) -> None:
        """Note that what an operation turned off was seen to be on again."""
        await self._writer.do(self._on_again, (id_, dict(facts)))

    def _on_again(
        self, tx: Transaction, asked: Sequence[tuple[str, dict[str, Json]]]
    ) -> list[None]:
        for id_, facts in asked:
            if switchboard.forget(tx.connection, id_):
                tx.facts.append(Fact("on again", id_, facts))
        return [None for _ in asked]

    async def list_off_air(self, limit: int) -> list[OffAirEntry]:
        """Give what is off and not yet on, the newest first."""
        query = switchboard.listed(limit)
        found = await self._read(lambda c: c.execute(query).all())
        return [
            OffAirEntry(replace(operation, account=row.filed), row.until)
            for row in found
            for operation in self._operations([row])
        ]

    async def latest_stop(self, account: str, thing: str, key: str) -> Operation | None:
        """Give the operation by which a thing is off now; see `model.Switch`."""
        return await self._one(switchboard.latest(account, thing, key))

    async def list_holds(self) -> list[Operation]:
        """Give the operations by which targets are held, the newest first."""
        query = switchboard.holding()
        found = await self._read(lambda c: c.execute(query).all())
        return [
            replace(operation, account=row.filed)
            for row in found
            for operation in self._operations([row])
        ]

    async def filed_account(self, id_: str) -> str:
        """Give the account under which an operation's thing is off or its target held, or empty."""
        query = switchboard.filed(id_)
        return str(await self._read(lambda c: c.execute(query).scalar()) or "")

    async def find_hold(self, start: StartScope) -> Hold | None:
        """Find who holds what would be started."""
        found: Hold | None = await self._read(lambda c: switchboard.held(c, start))
        return found

    async def adopt_account(self, account: str, by: str) -> None:
        """Give what is off and held under one account's name to another's."""
        await self._writer.do(_adopt, (account, by))

    # --- looking after a stop ------------------------------------------------------

    async def claim_verifications(self, limit: int = 16) -> list[Operation]:
        """Take ended operations whose effect must be looked at now."""
        return await self._writer.do(self._looking, limit)

    def _looking(self, tx: Transaction, asked: Sequence[int]) -> list[list[Operation]]:
        found = []
        for limit in asked:
            due = (
                sa.select(operations.c.id)
                .where(UNSEEN, operations.c.look_at <= tx.now, self._not_quarantined(operations))
                .order_by(operations.c.look_at)
                .limit(limit)
            )
            # Whoever dies while looking leaves it to the next one.
            taken = tx.connection.execute(
                sa.update(operations)
                .where(operations.c.id.in_(due.scalar_subquery()))
                .values(look_at=tx.now + 3 * self.lease)
                .returning(*operations.c)
            )
            found.append(list(self._operations(taken)))
        return found

    async def skip_verification(self, operation: Operation) -> None:
        """Look no more: what was to be looked at has been changed since, on purpose."""
        await self._writer.do(_look_no_more, operation.id)

    async def record_verification(
        self,
        operation: Operation,
        seen: str,
        facts: Mapping[str, Json],
        alike: Sequence[str] = (),
    ) -> None:
        """Note what was seen, once, and owe it to the thread."""
        await self._writer.do(self._looked, (operation.id, seen, dict(facts), "\n".join(alike)))

    def _looked(
        self, tx: Transaction, asked: Sequence[tuple[str, str, dict[str, Json], str]]
    ) -> list[None]:
        for id_, seen, facts, alike in asked:
            row = tx.connection.execute(
                sa.update(operations)
                .where(operations.c.id == id_, operations.c.look_at.is_not(None))
                .values(look_at=None, looked=seen, seq=operations.c.seq + 1)
                .returning(*operations.c)
            ).first()
            if row is not None:
                tx.facts.append(Fact("looked", id_, facts))
                self._owe(tx, rows.operation(row), MessageKind.LOOKED, alike)
        return [None for _ in asked]

    # --- waiting and decisions -----------------------------------------------------

    async def wait_for_approval(self, move: Move, like: Operation) -> Operation | None:
        """Let an operation wait for consent, unless another one waits for the very same.

        Args:
            like: The operation that is moved: same action, target and account is the same.

        Returns:
            The operation that waits, which may be another one; None if it was elsewhere.
        """
        return await self._writer.do(self._wait, (move, like))

    def _wait(
        self, tx: Transaction, asked: Sequence[tuple[Move, Operation]]
    ) -> list[Operation | None]:
        return [self._twin(tx, like) or self._move_one(tx, move) for move, like in asked]

    def _twin(self, tx: Transaction, like: Operation) -> Operation | None:
        waiting = tx.connection.execute(
            sa.select(operations).where(
                WAITING,
                operations.c.api == like.api,
                operations.c.account == like.account,
                operations.c.region == like.region,
                operations.c.expires_at > tx.now,
                operations.c.id != like.id,
            )
        )
        others = self._operations(waiting)
        return next((other for other in others if other.params == like.params), None)

    async def find_due_waits(self, limit: int = 50) -> list[Operation]:
        """Give waiting operations that must be reminded of or have expired."""
        query = (
            sa.select(operations)
            .where(
                WAITING,
                self._not_quarantined(operations),
                sa.or_(operations.c.due_at <= self._now(), operations.c.expires_at <= self._now()),
            )
            .order_by(operations.c.due_at)
            .limit(limit)
        )
        return list(self._operations(await self._read(lambda c: c.execute(query).all())))

    def _now(self) -> sa.ColumnElement[float]:
        """Say what time it is, inside a query."""
        if self._engine.dialect.name == "postgresql":
            return sa.literal_column(CLOCK, sa.Double)
        return sa.literal(time.time(), sa.Double)

    async def decide(self, decision: Decision) -> Decision | None:
        """Put a press on the books; None if the same is there already."""
        return await self._writer.do(self._decide, decision, urgent=True)

    def _decide(self, tx: Transaction, asked: Sequence[Decision]) -> list[Decision | None]:
        found: list[Decision | None] = []
        for decision in asked:
            insert = (
                self._insert(decisions)
                .values(
                    key=decision.key,
                    operation=decision.operation,
                    choice=decision.choice.value,
                    team=decision.actor.team,
                    actor=decision.actor.user,
                    place=json.dumps(asdict(decision.place)),
                    reason=decision.reason,
                    message_ts=decision.message_ts,
                    at=tx.now,
                    settled=False,
                    owner=self.owner,
                    lease_until=tx.now + self.lease,
                )
                .on_conflict_do_nothing(index_elements=[decisions.c.key])
                .returning(decisions.c.id)
            )
            id_ = tx.connection.execute(insert).scalar()
            found.append(replace(decision, id=id_, at=tx.now) if id_ is not None else None)
        return found

    async def claim_decisions(self, limit: int = 50) -> list[Decision]:
        """Take over presses whose holder has been silent too long."""
        return await self._writer.do(self._claim_decisions, limit)

    def _claim_decisions(self, tx: Transaction, asked: Sequence[int]) -> list[list[Decision]]:
        found = []
        for limit in asked:
            orphans = (
                sa.select(decisions.c.id)
                .where(
                    UNSETTLED, decisions.c.lease_until < tx.now, self._not_quarantined(decisions)
                )
                .order_by(decisions.c.lease_until)
                .limit(limit)
            )
            taken = tx.connection.execute(
                sa.update(decisions)
                .where(decisions.c.id.in_(orphans.scalar_subquery()))
                .values(owner=self.owner, lease_until=tx.now + self.lease)
                .returning(*decisions.c)
            ).all()
            found.append([one for row in taken if (one := self._or_quarantine(rows.decision, row))])
            self._release(tx, decisions)
        return found

    async def settle(self, decision: Decision, words: str) -> None:
        """Note that a press has had its effect, and owe a sentence to whoever pressed, if any."""
        await self._writer.do(self._settle, (decision, words))

    def _settle(self, tx: Transaction, asked: Sequence[tuple[Decision, str]]) -> list[None]:
        for decision, words in asked:
            tx.connection.execute(
                sa.update(decisions)
                .where(decisions.c.id == decision.id)
                .values(settled=True, owner="", lease_until=0.0)
            )
            user = decision.actor.user
            if words:
                tx.facts.append(_refused(decision, words))
            if words and (decision.place.channel or decision.place.reply_url):
                word = EphemeralNotice(decision.actor, decision.place, words, decision.at)
                self._put(
                    tx, f"word:{decision.id}", MessageKind.WORD, f"@{user}", text=words, word=word
                )
        return [None for _ in asked]

    async def is_card_queued(self, id_: str) -> bool:
        """Say whether the newest card of an operation has not reached Slack yet."""
        query = sa.select(outbox.c.id).where(outbox.c.key == f"{id_}:{MessageKind.CARD.value}")
        return await self._read(lambda c: c.execute(query).first()) is not None

    async def reserve(self, account: str, api: str, interval: float) -> float:
        """Take one turn under an API's limit; tell when it comes, by `time.monotonic`."""
        return await self._writer.do(self._turn, (account, api, interval))

    def _turn(self, tx: Transaction, asked: Sequence[tuple[str, str, float]]) -> list[float]:
        return [self._turns(tx, account, api, interval)[0] for account, api, interval in asked]

    async def enqueue_card(self, id_: str) -> None:
        """Owe the channel the card of an operation as it is now."""
        await self._writer.do(self._owe_card, id_)

    def _owe_card(self, tx: Transaction, ids: Sequence[str]) -> list[None]:
        found = tx.connection.execute(sa.select(operations).where(operations.c.id.in_(ids)))
        for operation in self._operations(found):
            self._owe(tx, operation, MessageKind.CARD)
        return [None for _ in ids]

    async def get(self, id_: str) -> Operation | None:
        """Find an operation by its id.

        Raises:
            UnreadableRowError: It is there, and this release cannot make sense of it.
        """
        return await self._one(sa.select(operations).where(operations.c.id == id_))

    async def by_key(self, key: str) -> Operation | None:
        """Find an operation by the key that makes it unique."""
        return await self._one(sa.select(operations).where(operations.c.key == key))

    async def _one(self, query: sa.Select[Any]) -> Operation | None:
        found = await self._read(lambda c: c.execute(query).first())
        if found is None:
            return None
        try:
            return rows.operation(found)
        except UnreadableRowError as error:
            self._quarantine.add(error)
            raise

    async def recent(self, *, user: str = "", limit: int = 10) -> list[Operation]:
        """Give the newest operations, newest first."""
        query = sa.select(operations).order_by(operations.c.asked_at.desc()).limit(limit)
        if user:
            query = query.where(operations.c.actor == user)
        return list(self._operations(await self._read(lambda c: c.execute(query).all())))

    async def search(self, wanted: Search, limit: int) -> list[Operation]:
        """Give the newest operations that are as wanted, newest first."""
        return list(self._operations(await self._read(lambda c: search.find(c, wanted, limit))))

    async def unfinished(self) -> list[Operation]:
        """Give everything that has no ending yet, oldest first."""
        query = sa.select(operations).where(UNFINISHED).order_by(operations.c.asked_at)
        return list(self._operations(await self._read(lambda c: c.execute(query).all())))

    # --- leases --------------------------------------------------------------------

    async def claim(self, limit: int = 100) -> list[Operation]:
        """Take over operations in hand whose holder has been silent too long."""
        return await self._writer.do(self._claim, limit)

    def _claim(self, tx: Transaction, asked: Sequence[int]) -> list[list[Operation]]:
        return [self._claim_some(tx, limit) for limit in asked]

    def _claim_some(self, tx: Transaction, limit: int) -> list[Operation]:
        orphans = (
            sa.select(operations.c.id)
            .where(
                UNFINISHED,
                operations.c.state.in_([state.value for state in IN_HAND]),
                operations.c.lease_until < tx.now,
                operations.c.due_at <= tx.now,
                self._not_quarantined(operations),
            )
            .order_by(operations.c.lease_until)
            .limit(limit)
        )
        taken = tx.connection.execute(
            sa.update(operations)
            .where(operations.c.id.in_(orphans.scalar_subquery()))
            .values(owner=self.owner, lease_until=tx.now + self.lease)
            .returning(*operations.c)
        ).all()
        found = list(self._operations(taken))
        self._release(tx, operations)
        return found

    def release(self, what: str | OutboxMessage | Decision) -> None:
        """Renew a lease no more, for work that broke off here: someone takes it up again.

        Args:
            what: An operation's id, a message or a decision.
        """
        match what:
            case OutboxMessage():
                self._let_go.append((outbox.c.id, what.id))
            case Decision():
                self._let_go.append((decisions.c.key, what.key))
            case _:
                self._let_go.append((operations.c.id, what))

    async def renew_leases(self) -> None:
        """Renew this replica's leases; call at least three times a lease."""
        let_go = tuple(self._let_go)
        await self._writer.do(self._keep, let_go)
        del self._let_go[: len(let_go)]
        if unreported := self._quarantine.unreported():
            await self._writer.do(self._report, unreported)
            self._quarantine.reported(unreported)

    def _keep(
        self, tx: Transaction, asked: Sequence[tuple[tuple[sa.Column[Any], str | int], ...]]
    ) -> list[None]:
        for column, value in (one for let_go in asked for one in let_go):
            # A round of time for whatever it broke off in; 0 would say that nobody holds it.
            tx.connection.execute(
                sa.update(column.table)
                .where(column == value, column.table.c.owner == self.owner)
                .values(owner="", lease_until=tx.now + self.lease / 5)
            )
        for table, open_ones in _HELD:
            tx.connection.execute(
                sa.update(table)
                .where(open_ones, table.c.owner == self.owner, table.c.lease_until > 0)
                .values(lease_until=tx.now + self.lease)
            )
        return [None for _ in asked]

    # --- rows that cannot be read --------------------------------------------------

    def _operations(self, found: Iterable[sa.Row[Any]]) -> Iterator[Operation]:
        """Read rows of `operations`, and quarantine those that cannot be read."""
        for row in found:
            if (operation := self._or_quarantine(rows.operation, row)) is not None:
                yield operation

    def _or_quarantine(self, read_row: Callable[[sa.Row[Any]], T], row: sa.Row[Any]) -> T | None:
        try:
            return read_row(row)
        except UnreadableRowError as error:
            self._quarantine.add(error)
            return None

    def _not_quarantined(self, table: sa.Table) -> sa.ColumnElement[bool]:
        """Leave out what this process has found unreadable before."""
        return table.c.id.not_in(found) if (found := self._quarantine.of(table.name)) else sa.true()

    def _release(self, tx: Transaction, table: sa.Table) -> None:
        """Give up the leases on what cannot be read here: another release may do better.

        A lease's length from now, because two replicas that cannot read it must not hand it to
        and fro, and nobody renews it, because it has no owner.
        """
        if found := self._quarantine.of(table.name):
            ours = sa.update(table).where(table.c.id.in_(found), table.c.owner == self.owner)
            tx.connection.execute(ours.values(owner="", lease_until=tx.now + self.lease))

    def _report(self, tx: Transaction, asked: Sequence[Sequence[UnreadableRowError]]) -> list[None]:
        """Report what cannot be read on the trail and in the audit channel, once for each row."""
        for error in (one for errors in asked for one in errors):
            fact = Fact("unreadable", error.operation, {"table": error.table, "row": error.row})
            if not trail.has(tx.connection, fact):
                tx.facts.append(replace(fact, facts={**fact.facts, "why": error.why}))
                if self.audit_channel:
                    key = f"unreadable:{error.table}:{error.row}"
                    text = f"Something stored is quarantined and is not run: {error}."
                    self._put(tx, key, MessageKind.AUDIT, self.audit_channel, text=text)
        return [None for _ in asked]

    async def hand_over(self) -> None:
        """Let go of everything in hand, so that another replica or the next start takes it."""
        await self._writer.do(self._hand_over, None)

    def _hand_over(self, tx: Transaction, asked: Sequence[None]) -> list[None]:
        for table, open_ones in _HELD:
            mine = sa.update(table).where(open_ones, table.c.owner == self.owner)
            if table is outbox:
                # What is on its way may reach Slack after the next one has looked for it.
                mine = mine.where(sa.not_(outbox.c.uncertain))
            tx.connection.execute(mine.values(owner="", lease_until=0.0))
        return [None for _ in asked]

    # --- the outbox ----------------------------------------------------------------

    def _owe(
        self, tx: Transaction, operation: Operation, owed: MessageKind, seen: str = ""
    ) -> None:
        destination = self._destination(operation, owed)
        if not destination:
            return
        # A card is one message whose newest form counts; everything else is said once a state.
        key = f"{operation.id}:{owed.value}"
        if owed is MessageKind.REMINDER:
            key += f":{operation.approvals.reminded}"
        elif owed is MessageKind.LIFT:
            # Once when it is known, and once more before.
            key += f":{seen}"
        elif owed is not MessageKind.CARD:
            key += f":{operation.state.value}"
        wanted = operation.seq
        self._put(tx, key, owed, destination, operation=operation, text=seen, wanted=wanted)

    def _put(
        self,
        tx: Transaction,
        key: str,
        owed: MessageKind,
        destination: str,
        *,
        operation: Operation | None = None,
        text: str = "",
        wanted: int = 0,
        word: EphemeralNotice | None = None,
    ) -> None:
        tx.owes = True
        tx.connection.execute(
            self._owe_statement,
            {
                "key": key,
                "operation": operation.id if operation else "",
                "owed": owed.value,
                "text": text,
                "about": operation.state.value if operation else "",
                "place": rows.notice(word) if word else "",
                "destination": destination,
                "wanted": wanted,
                "attempts": 0,
                "uncertain": False,
                "next_at": 0.0,
                "owner": "",
                "lease_until": 0.0,
            },
        )

    def _destination(self, operation: Operation, owed: MessageKind) -> str:
        match owed:
            case MessageKind.AUDIT:
                return self.audit_channel
            case MessageKind.PRIVATE:
                return "" if operation.via is Via.TERMINAL else f"@{operation.actor.user}"
            case MessageKind.WORD:
                return ""
            case _:
                return operation.place.channel

    async def announce(self, key: str, text: str, facts: Mapping[str, Json], kind: str) -> None:
        """Put something that belongs to no operation on the trail and owe it to the audit channel.

        Args:
            key: Says it once: the same key again is the same announcement.
            kind: Of the trail record, e.g. `policy broken`.
        """
        await self._writer.do(self._announce, (key, text, dict(facts), kind))

    def _announce(
        self, tx: Transaction, asked: Sequence[tuple[str, str, dict[str, Json], str]]
    ) -> list[None]:
        for key, text, facts, kind in asked:
            tx.facts.append(Fact(kind, "", facts))
            if self.audit_channel:
                self._put(tx, key, MessageKind.AUDIT, self.audit_channel, text=text)
        return [None for _ in asked]

    async def claim_messages(
        self, spacing: float = 0.0, burst: int = 1, *, limit: int = 50
    ) -> list[OutboxMessage]:
        """Take the first undelivered message of each destination that may be tried now.

        Args:
            spacing: Seconds between two messages to one destination, over all replicas.
            burst: How many may go at once where it was quiet.
        """
        return await self._writer.do(self._claim_owing, (spacing, burst, limit))

    def _claim_owing(
        self, tx: Transaction, asked: Sequence[tuple[float, int, int]]
    ) -> list[list[OutboxMessage]]:
        return [self._claim_first(tx, *one) for one in asked]

    def _claim_first(
        self, tx: Transaction, spacing: float, burst: int, limit: int
    ) -> list[OutboxMessage]:
        quarantined = self._quarantine.of(outbox.name)
        ready = (
            sa.select(outbox.c.id)
            .where(
                outbox.c.id.in_(_firsts(quarantined) if quarantined else _FIRSTS),
                outbox.c.next_at <= tx.now,
                outbox.c.lease_until <= tx.now,
            )
            .order_by(outbox.c.id)
            .limit(limit)
        )
        taken = tx.connection.execute(
            sa.update(outbox)
            .where(outbox.c.id.in_(ready.scalar_subquery()))
            .values(owner=self.owner, lease_until=tx.now + self.lease)
            .returning(*outbox.c)
        ).all()
        if not taken:
            return []
        named = {row.operation for row in taken if row.operation}
        query = sa.select(operations).where(operations.c.id.in_(named))
        found = {one.id: one for one in self._operations(tx.connection.execute(query))}
        owing = [
            one
            for row in sorted(taken, key=lambda row: row.id)
            if (one := self._or_quarantine(partial(_owing, found), row)) is not None
        ]
        self._release(tx, outbox)
        return [
            replace(one, wait=max(0.0, self._spoken_to(tx, one.destination, spacing, burst)))
            for one in owing
        ]

    def _spoken_to(self, tx: Transaction, destination: str, spacing: float, burst: int) -> float:
        """Take a turn of a destination; give the seconds until it comes."""
        return self._turns(tx, _SLACK, destination, spacing, burst=burst)[0] - tx.monotonic

    async def mark_in_flight(self, owing: OutboxMessage) -> bool:
        """Note that it is about to leave: if we die now, it may have reached Slack.

        Returns:
            False if another replica has it by now, which must be left to it.
        """
        return await self._writer.do(self._trying, owing.id)

    def _trying(self, tx: Transaction, ids: Sequence[int]) -> list[bool]:
        ours = tx.connection.execute(
            sa.update(outbox)
            .where(outbox.c.id.in_(ids), outbox.c.owner == self.owner)
            .values(attempts=outbox.c.attempts + 1, uncertain=True)
            .returning(outbox.c.id)
        )
        mine = set(ours.scalars())
        return [id_ in mine for id_ in ids]

    async def mark_delivered(self, owing: OutboxMessage, sent: Sent) -> None:
        """Take it out of the outbox, unless its card has grown old on the way."""
        await self._writer.do(self._delivered, (owing, sent))

    def _delivered(self, tx: Transaction, done: Sequence[tuple[OutboxMessage, Sent]]) -> list[None]:
        for owing, sent in done:
            operation = owing.operation
            seq = operation.seq if operation else 0
            gone = tx.connection.execute(
                sa.delete(outbox).where(outbox.c.id == owing.id, outbox.c.wanted <= seq)
            )
            if not gone.rowcount:
                self._again(tx, owing.id, 0.0, uncertain=False)
            if self._tells(owing, sent):
                tx.facts.append(self._delivery(owing, sent))
            if operation and owing.kind is MessageKind.CARD and sent.ts != operation.card_ts:
                tx.connection.execute(
                    sa.update(operations)
                    .where(operations.c.id == operation.id)
                    .values(card_channel=sent.channel, card_ts=sent.ts)
                )
        return [None for _ in done]

    def _tells(self, owing: OutboxMessage, sent: Sent) -> bool:
        """Say whether a delivery is worth a record: the same card anew is not.

        Nor is a checkpoint: its record would be what the next one is about.
        """
        if owing.kind is MessageKind.CARD and owing.operation is not None:
            return sent.ts != owing.operation.card_ts
        return parse_checkpoint(owing.key) is None

    def _delivery(self, owing: OutboxMessage, sent: Sent) -> Fact:
        facts: dict[str, Json] = {
            "owed": owing.kind.value,
            "about": owing.about_state.value if owing.about_state else "",
            "channel": sent.channel,
            "ts": sent.ts,
            "permalink": permalink(self.workspace, sent),
            "to": owing.destination.removeprefix("@") if owing.destination[:1] == "@" else "",
            "tries": owing.attempts + 1,
            "notice": owing.key if owing.operation is None and owing.notice is None else "",
        }
        found = owing.operation.id if owing.operation else ""
        return Fact("delivered", found, {n: v for n, v in facts.items() if v})

    async def mark_postponed(
        self, owing: OutboxMessage, seconds: float, *, uncertain: bool
    ) -> None:
        """Try it again later."""
        await self._writer.do(self._postponed, (owing.id, seconds, uncertain))

    def _postponed(self, tx: Transaction, asked: Sequence[tuple[int, float, bool]]) -> list[None]:
        for id_, seconds, uncertain in asked:
            self._again(tx, id_, tx.now + seconds, uncertain=uncertain)
        return [None for _ in asked]

    def _again(self, tx: Transaction, id_: int, next_at: float, *, uncertain: bool) -> None:
        tx.connection.execute(
            sa.update(outbox)
            .where(outbox.c.id == id_, outbox.c.owner == self.owner)
            .values(next_at=next_at, uncertain=uncertain, owner="", lease_until=0.0)
        )

    async def mark_undeliverable(self, owing: OutboxMessage, why: str, *, tell: str = "") -> None:
        """Give a message up, on the trail; what else was owed to the operation's channel goes too.

        Args:
            tell: A line for the audit channel, unless this was one itself.
        """
        await self._writer.do(self._undeliverable, (owing, why, tell))

    def _undeliverable(
        self, tx: Transaction, asked: Sequence[tuple[OutboxMessage, str, str]]
    ) -> list[None]:
        for owing, why, tell in asked:
            tx.connection.execute(sa.delete(outbox).where(outbox.c.id == owing.id))
            facts: dict[str, Json] = {"owed": owing.kind.value, "why": why}
            operation = owing.operation
            tx.facts.append(Fact("undeliverable", operation.id if operation else "", facts))
            if operation and _needs_telling(owing.kind, operation):
                # Where the channel cannot hear, the asker hears it alone.
                self._owe(tx, operation, MessageKind.PRIVATE)
            if tell and self.audit_channel and owing.kind is not MessageKind.AUDIT:
                key = f"{owing.key}:undeliverable"
                self._put(tx, key, MessageKind.AUDIT, self.audit_channel, text=tell)
        return [None for _ in asked]

    async def outbox_depth(self) -> int:
        """Count what Slack must still hear, without what this process cannot read."""
        query = sa.select(sa.func.count()).select_from(outbox).where(self._not_quarantined(outbox))
        return int(await self._read(lambda c: c.execute(query).scalar_one()))

    # --- the trail -----------------------------------------------------------------

    async def record(self, fact: Fact) -> None:
        """Put one fact on the trail."""
        await self._writer.do(_record, fact)

    async def checkpoint(self, *, every: float = 0.0, most: int = 1) -> bool:
        """Seal the trail's end, keep that, and owe it to the audit channel; False if it is early.

        Args:
            every: Seconds between two checkpoints, if there are new records.
            most: So many new records make one due at once.
        """
        return await self._writer.do(self._checkpoint, (every, most))

    def _checkpoint(self, tx: Transaction, asked: Sequence[tuple[float, int]]) -> list[bool]:
        return [self._checkpoint_one(tx, every, most) for every, most in asked]

    def _checkpoint_one(self, tx: Transaction, every: float, most: int) -> bool:
        if self._signer is None:
            return False
        seal = trail.checkpoint(tx.connection, tx.now, self._signer, every=every, most=most)
        if seal is not None and self.audit_channel:
            text = (
                f"Checkpoint of the trail: {seal.seq} records, the last one's hash is {seal.hash}, "
                f"sealed with the key {fingerprint(seal.key)}."
            )
            # The message's metadata carries its key, and so the channel keeps the whole seal.
            self._put(tx, format_checkpoint(seal), MessageKind.AUDIT, self.audit_channel, text=text)
        return seal is not None

    def _alarm(self, tx: Transaction, why: str) -> None:
        """Tell that somebody has laid hands on the trail."""
        tx.facts.insert(0, Fact("tampered", "", {"why": why, "replica": self.owner}))
        if self.audit_channel:
            text = f"Somebody has changed the trail behind my back: {why}. Run audit verify."
            key = f"tampered:{self.owner}:{tx.now}"
            self._put(tx, key, MessageKind.AUDIT, self.audit_channel, text=text)

    async def prune(self, keep: float) -> int:
        """Remove records older than so many seconds, behind a tombstone; give how many.

        They go a few at a time, so that whoever asks for something meanwhile does not wait.
        """
        await self._writer.do(self._bury, keep)
        total = 0
        while gone := await self._writer.do(_forget, _FORGET):
            total += gone
        return total

    def _bury(self, tx: Transaction, asked: Sequence[float]) -> list[None]:
        if self._signer is not None:
            found = trail.prune(tx.connection, tx.now, self._signer, before=tx.now - max(asked))
            if found is not None:
                tx.facts.append(found)
        return [None for _ in asked]

    @contextlib.contextmanager
    def read_audit_log(self) -> Iterator[Audited]:
        """Open the trail as it lies there, to be verified. Blocks: for terminals."""
        with self._reading(isolation_level="REPEATABLE READ") as connection:
            yield Audited(connection)

    @contextlib.contextmanager
    def _reading(self, **postgres: Any) -> Iterator[sa.Connection]:
        options = postgres if self._engine.dialect.name == "postgresql" else {}
        try:
            with self._engine.connect().execution_options(reads=True, **options) as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(str(error).splitlines()[0]) from error

    @contextlib.contextmanager
    def records(self, **wanted: Any) -> Iterator[Iterator[Record]]:
        """Stream the trail's records; the same arguments as `trail.read`. Blocks: for terminals."""
        with (
            self._reading() as connection,
            contextlib.closing(trail.read(connection, **wanted)) as found,
        ):
            yield found

    # --- reading -------------------------------------------------------------------

    async def ready(self) -> None:
        """Raise StoreError unless the database can be written right now."""
        await self._writer.do(_touch, None)
        if self._writer.trouble:
            raise StoreError(self._writer.trouble)

    async def _read(self, query: Any) -> Any:
        def run() -> Any:
            with self._engine.connect().execution_options(reads=True) as connection:
                return query(connection)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, run)
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(str(error).splitlines()[0]) from error


def permalink(workspace: str, sent: Sent) -> str:
    """Give the address of a message, as Slack makes it; empty where it is not known."""
    if not (workspace and sent.channel and sent.ts):
        return ""
    return f"{workspace.rstrip('/')}/archives/{sent.channel}/p{sent.ts.replace('.', '')}"


def _firsts(quarantined: Collection[int | str] = ()) -> sa.ScalarSelect[int]:
    """Select the first row of each destination by leaping from one to the next.

    Grouping would read a backlog of thousands for every message.

    Args:
        quarantined: Rows that hold nobody up.
    """
    nearest = sa.select(sa.func.min(outbox.c.destination).label("name")).cte("d", recursive=True)
    further = (
        sa.select(sa.func.min(outbox.c.destination))
        .where(outbox.c.destination > nearest.c.name)
        .scalar_subquery()
    )
    every = nearest.union_all(sa.select(further).where(nearest.c.name.is_not(None)))
    first = sa.select(sa.func.min(outbox.c.id)).where(outbox.c.destination == every.c.name)
    if quarantined:
        first = first.where(outbox.c.id.not_in(quarantined))
    return sa.select(first.scalar_subquery()).select_from(every).scalar_subquery()


_FIRSTS = _firsts()


def _column_values(tx: Transaction, move: Move) -> dict[str, Any]:
    """Return what a transition sets of a row, by column."""
    parts = {name: value for name, value in move.changes.items() if name in rows.CONSENT_KEYS}
    values = {
        name: rows.encoded(value) for name, value in move.changes.items() if name not in parts
    }
    if parts:
        # Locked, so that the other parts are still these when the row is updated.
        query = sa.select(operations.c.consent).where(operations.c.id == move.id).with_for_update()
        stored = tx.connection.execute(query).scalar()
        values["consent"] = rows.merged_consent(move.id, stored or "{}", parts)
    return values


@lru_cache(256)
def _transition(
    names: tuple[str, ...], *, owned: bool, unchanged: bool, lapsed: bool | None
) -> sa.Update:
    """Make the conditional UPDATE of a transition once: looking it over costs SQLAlchemy most."""
    update = (
        sa.update(operations)
        .where(
            operations.c.id == sa.bindparam("is_id"),
            operations.c.state == sa.bindparam("is_state"),
        )
        .values({name: sa.bindparam(f"new_{name}") for name in names})
        .values(seq=operations.c.seq + 1)
        .returning(*operations.c)
    )
    if owned:
        update = update.where(operations.c.owner == sa.bindparam("is_owner"))
    if unchanged:
        update = update.where(operations.c.seq == sa.bindparam("is_seq"))
    if lapsed is not None:
        now = sa.bindparam("is_now", type_=sa.Double)
        expired = operations.c.expires_at <= now
        update = update.where(expired if lapsed else sa.not_(expired))
    return update


def _refused(decision: Decision, words: str) -> Fact:
    """Tell of a press that had no effect, or not the one that was meant."""
    facts: dict[str, Json] = {
        "decision": decision.choice.value,
        "by": decision.actor.user,
        "by_team": decision.actor.team,
        "channel": decision.place.channel,
        "press": decision.id,
        "detail": redact(words),
    }
    return Fact("refused", decision.operation, {n: v for n, v in facts.items() if v})


def _look_no_more(tx: Transaction, ids: Sequence[str]) -> list[None]:
    looking = sa.update(operations).where(operations.c.id.in_(ids), UNSEEN)
    tx.connection.execute(looking.values(look_at=None))
    return [None for _ in ids]


def _needs_telling(lost: MessageKind, operation: Operation) -> bool:
    """Say whether the asker must hear alone what the channel did not; once for each ending."""
    no_card = lost is MessageKind.CARD and not operation.card_ts
    # Whatever is under way has an ending that is told.
    return lost is MessageKind.ENDING or (no_card and operation.state is State.WAITING)


def _adopt(tx: Transaction, asked: Sequence[tuple[str, str]]) -> list[None]:
    for account, by in asked:
        if moved := switchboard.adopt(tx.connection, account, by):
            tx.facts.append(Fact("adopted", "", {"account": account, "by": by, "rows": moved}))
    return [None for _ in asked]


def _is_held(tx: Transaction, move: Move) -> bool:
    """Say whether somebody's hold, or the end of one, stands in the way of a move."""
    if (
        move.start_scope is not None
        and switchboard.held(tx.connection, move.start_scope) is not None
    ):
        return True
    if move.hold is not None:
        there = switchboard.held(tx.connection, StartScope(move.hold.account, (move.hold.target,)))
        return there is not None and there.operation != move.id
    if move.release is not None:
        return switchboard.held(tx.connection, move.release) is None
    return False


def _record(tx: Transaction, facts: Sequence[Fact]) -> list[None]:
    tx.facts.extend(facts)
    return [None for _ in facts]


def _forget(tx: Transaction, asked: Sequence[int]) -> list[int]:
    return [trail.forget(tx.connection, most) for most in asked]


_FORGET = 1000
"""Old records that go in one transaction."""


def _touch(tx: Transaction, asked: Sequence[None]) -> list[None]:
    # A write that changes nothing still needs the disk and the write lock.
    tx.connection.execute(sa.update(limits).where(limits.c.api == "").values(free_at=0.0))
    return [None for _ in asked]


def _owing(found: Mapping[str, Operation], row: sa.Row[Any]) -> OutboxMessage:
    """Read a row of the outbox; `found` has the operations that could be read, by id."""
    owed, about, word = rows.message(row)
    if row.operation and row.operation not in found:
        why = f"its operation {row.operation} cannot be read"
        raise UnreadableRowError(outbox.name, row.id, row.operation, why)
    return OutboxMessage(
        row.id,
        row.key,
        owed,
        found.get(row.operation),
        row.text,
        row.destination,
        row.attempts,
        row.uncertain,
        about,
        word,
    )
