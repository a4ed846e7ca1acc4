"""The tables `trail` and `seals`: the hash chain of audit records, and its signed checkpoints."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bot.audit import hash_chain
from bot.audit.checkpoints import CheckpointKind, SignedCheckpoint, Signer, is_genuine
from bot.audit.hash_chain import GENESIS, KEY, PRUNED, Fact, Raw, Record, stored_facts
from bot.storage.tables import seals, trail

_BATCH = 2000
"""How many records are in memory at once."""


@dataclass(frozen=True, slots=True)
class End:
    """The end of the audit log.

    Attributes:
        seq: Number of the last record.
        hash: Its hash.
        head: The signed end, if there is one.
        is_signed: Whether the last record is the one that was signed.
    """

    seq: int
    hash: str
    head: SignedCheckpoint | None
    is_signed: bool


def append(
    connection: sa.Connection,
    now: float,
    facts: Sequence[Fact],
    signer: Signer | None,
    after: End,
) -> End:
    """Append records and sign the new end, in the caller's transaction.

    The caller must be the only writer, because the chain has one end.
    """
    if not facts:
        return after
    now = round(now, 6)
    seq, last, key = after.seq, after.hash, after.head.key if after.head else ""
    if signer is not None and key != signer.public:
        connection.execute(_KEEP_HEAD)
        if not _known(connection, signer.public):
            facts = [Fact(KEY, "", {"key": signer.public}), *facts]
    rows: list[dict[str, object]] = []
    for fact in facts:
        seq += 1
        body = hash_chain.canonical(seq, now, fact)
        last = hash_chain.digest(last, body)
        rows.append(
            {
                "seq": seq,
                "at": now,
                "kind": fact.kind,
                "operation": fact.operation,
                "body": body,
                "hash": last,
            }
        )
    connection.execute(_INSERT, rows)
    head = after.head
    if signer is not None:
        head = signer.sign(CheckpointKind.HEAD, seq, last, now)
        connection.execute(_UPDATE_HEAD if key else _ADD_SEAL, _values(head))
    return End(seq, last, head, is_signed=signer is not None)


def tampering(connection: sa.Connection, found: End, seen: End | None) -> str:
    """Describe what is wrong with the end of the log; empty if nothing is.

    Args:
        found: The end now.
        seen: The end after the last write of this process.
    """
    head = found.head
    if head is None:
        return "the signed end of the trail is gone" if seen and seen.head else ""
    if not found.is_signed:
        return f"the last record is not the one that was signed, {head.seq}"
    if seen is None or (head.seq, head.hash) != (seen.seq, seen.hash):
        if not is_genuine(head):
            return f"the signature of the trail's end, record {head.seq}, does not hold"
        if seen is not None and _hash(connection, seen.seq) != seen.hash:
            return f"record {seen.seq} is not what this process wrote"
    return ""


def _hash(connection: sa.Connection, seq: int) -> str | None:
    row = connection.execute(sa.select(trail.c.hash).where(trail.c.seq == seq)).first()
    if row is None:
        buried = connection.execute(sa.select(_TOMBSTONE.c.seq, _TOMBSTONE.c.hash)).first()
        return buried.hash if buried is not None and buried.seq == seq else None
    return str(row.hash)


_INSERT = sa.insert(trail)
_ADD_SEAL = sa.insert(seals)
_UPDATE_HEAD = (
    sa.update(seals)
    .where(seals.c.kind == CheckpointKind.HEAD.value)
    .values({c.name: sa.bindparam(c.name) for c in seals.c if c.name != "kind"})
)
_OTHER = seals.alias()
# When the key changes, the last head of the old key is kept if it has no checkpoint.
_KEEP_HEAD = sa.insert(seals).from_select(
    [c.name for c in seals.c],
    sa.select(
        sa.literal(CheckpointKind.CHECKPOINT.value).label("kind"),
        *(c for c in seals.c if c.name != "kind"),
    ).where(
        seals.c.kind == CheckpointKind.HEAD.value,
        ~sa.exists().where(
            _OTHER.c.kind == CheckpointKind.CHECKPOINT.value,
            sa.or_(_OTHER.c.key == seals.c.key, _OTHER.c.seq == seals.c.seq),
        ),
    ),
)
_LAST = sa.select(trail.c.seq, trail.c.hash).order_by(trail.c.seq.desc()).limit(1).subquery()
_TOMBSTONE = (
    sa.select(seals.c.seq, seals.c.hash)
    .where(seals.c.kind == CheckpointKind.TOMBSTONE.value)
    .order_by(seals.c.seq.desc())
    .limit(1)
    .subquery()
)
_COLUMNS = ("kind", "seq", "hash", "at", "key", "signature")
_NOTHING = [sa.literal(0.0).label("at"), *(sa.literal("").label(n) for n in _COLUMNS[4:])]
_END = sa.union_all(
    sa.select(sa.literal("last").label("kind"), _LAST.c.seq, _LAST.c.hash, *_NOTHING),
    sa.select(sa.literal("buried").label("kind"), _TOMBSTONE.c.seq, _TOMBSTONE.c.hash, *_NOTHING),
    sa.select(*(seals.c[name] for name in _COLUMNS)).where(
        seals.c.kind == CheckpointKind.HEAD.value
    ),
)


def end(connection: sa.Connection) -> End:
    """Return the end of the log.

    Where records are missing before the signed end, the signed end counts: what is appended
    after it leaves the gap visible.
    """
    found = {row.kind: row for row in connection.execute(_END)}
    signed = found.get(CheckpointKind.HEAD.value)
    head = SignedCheckpoint(CheckpointKind.HEAD, *signed[1:]) if signed is not None else None
    last = found.get("last") or found.get("buried")
    if last is not None and (head is None or last.seq > head.seq):
        return End(last.seq, last.hash, head, is_signed=False)
    if head is None:
        return End(0, GENESIS, None, is_signed=False)
    is_signed = last is not None and (last.seq, last.hash) == (head.seq, head.hash)
    return End(head.seq, head.hash, head, is_signed)


def _known(connection: sa.Connection, key: str) -> bool:
    query = sa.select(seals.c.seq).where(seals.c.key == key).limit(1)
    return connection.execute(query).first() is not None


def _values(seal: SignedCheckpoint) -> dict[str, object]:
    return {
        "kind": seal.kind.value,
        "seq": seal.seq,
        "hash": seal.hash,
        "at": seal.at,
        "key": seal.key,
        "signature": seal.signature,
    }


def checkpoints(connection: sa.Connection) -> list[SignedCheckpoint]:
    """Return all signed checkpoints, tombstones and the head."""
    return [
        SignedCheckpoint(
            CheckpointKind(row.kind), row.seq, row.hash, row.at, row.key, row.signature
        )
        for row in connection.execute(sa.select(seals))
    ]


def checkpoint(
    connection: sa.Connection, now: float, signer: Signer, *, every: float, most: int
) -> SignedCheckpoint | None:
    """Sign the end of the log and store that; None if it is too early.

    Args:
        every: Seconds between two checkpoints, if there are new records.
        most: How many new records make one due at once.
    """
    found = end(connection)
    seq, hash_ = found.seq, found.hash
    query = (
        sa.select(seals.c.seq, seals.c.at)
        .where(seals.c.kind == CheckpointKind.CHECKPOINT.value)
        .order_by(seals.c.seq.desc())
        .limit(1)
    )
    before = connection.execute(query).first()
    if not seq or (before and before.seq == seq):
        return None
    if before and now - before.at < every and seq - before.seq < most:
        return None
    seal = signer.sign(CheckpointKind.CHECKPOINT, seq, hash_, now)
    connection.execute(_ADD_SEAL, _values(seal))
    return seal


def latest_at(connection: sa.Connection) -> float | None:
    """Return when the newest record was made, as epoch seconds; None if there is none."""
    return connection.execute(sa.select(trail.c.at).order_by(trail.c.seq.desc()).limit(1)).scalar()


def prune(
    connection: sa.Connection, now: float, signer: Signer, *, before: float, all_at_once: bool
) -> tuple[Fact | None, int]:
    """Store a tombstone for records older than `before`, and return its fact, if there are any.

    The last record always stays. The records themselves are deleted by `forget`, a few at a time.

    Args:
        all_at_once: All of them; else at most a tenth of the log, and one at least, because a
            clock that is wrong may make every record look old.

    Returns:
        The fact, and how many records are older than `before` and stay for now.
    """
    oldest = sa.select(trail.c.seq).where(trail.c.at >= before).order_by(trail.c.seq).limit(1)
    kept = connection.execute(oldest).scalar()
    last = end(connection).seq
    due = (kept if kept is not None else last) - 1
    buried = connection.execute(sa.select(_TOMBSTONE.c.seq)).scalar() or 0
    if due <= buried:
        return None, 0
    upto = due if all_at_once else min(due, buried + max(1, (last - buried) // 10))
    row = connection.execute(sa.select(trail).where(trail.c.seq == upto)).first()
    if row is None:
        return None, due - buried
    keys = connection.execute(sa.select(seals.c.key).distinct()).scalars().all()
    seal = signer.sign(CheckpointKind.TOMBSTONE, upto, row.hash, now)
    connection.execute(_ADD_SEAL, _values(seal))
    facts = {
        "first": buried + 1,
        "upto": upto,
        "hash": row.hash,
        "last_at": row.at,
        "keys": sorted({*keys, signer.public}),
    }
    return Fact(PRUNED, "", facts), due - upto


def forget(connection: sa.Connection, most: int) -> int:
    """Delete some of the records behind a tombstone, and return how many."""
    buried = sa.select(_TOMBSTONE.c.seq).scalar_subquery()
    some = sa.select(trail.c.seq).where(trail.c.seq <= buried).order_by(trail.c.seq).limit(most)
    gone = connection.execute(sa.delete(trail).where(trail.c.seq.in_(some.scalar_subquery())))
    # There is nothing left to compare their checkpoints with.
    connection.execute(
        sa.delete(seals).where(
            seals.c.kind == CheckpointKind.CHECKPOINT.value, seals.c.seq <= buried
        )
    )
    return gone.rowcount


def read(
    connection: sa.Connection,
    *,
    since: float = 0.0,
    until: float = 0.0,
    operation: str = "",
    last: int = 0,
) -> Generator[Record, None, None]:
    """Stream records in order, in constant memory.

    Args:
        since: Epoch seconds.
        until: Epoch seconds; 0 for no end.
        operation: Only those of this one.
        last: Only so many of the newest; 0 for all.
    """
    query = sa.select(trail).order_by(trail.c.seq)
    if since:
        # By number from the first that matches, so that nothing has to be sorted.
        begin = sa.select(sa.func.min(trail.c.seq)).where(trail.c.at >= since)
        query = query.where(trail.c.seq >= begin.scalar_subquery(), trail.c.at + 0.0 >= since)
    if until:
        query = query.where(trail.c.at + 0.0 < until)
    if operation:
        query = query.where(trail.c.operation == operation)
    if last:
        newest = query.order_by(None).order_by(trail.c.seq.desc()).limit(last).subquery()
        query = sa.select(newest).order_by(newest.c.seq)
    with connection.execution_options(yield_per=_BATCH).execute(query) as rows:
        for row in rows:
            yield Record(row.seq, row.at, row.kind, row.operation, row.body, row.hash)


def has(connection: sa.Connection, fact: Fact) -> bool:
    """Return whether there is a record of the same kind and operation with these facts in it."""
    of_kind = trail.c.operation == fact.operation, trail.c.kind == fact.kind
    bodies = connection.execute(sa.select(trail.c.body).where(*of_kind)).scalars()
    return any(fact.facts.items() <= stored_facts(body).items() for body in bodies)


def raw(connection: sa.Connection, after: int) -> Iterator[Sequence[Raw]]:
    """Stream the records after a number as they are stored, in batches, to verify them.

    As bytes: what was tampered with need not be text any more.
    """
    query = _raw(connection).where(trail.c.seq > after).order_by(trail.c.seq)
    if connection.dialect.name == "postgresql":
        with connection.execution_options(yield_per=_BATCH).execute(query) as rows:
            yield from rows.partitions()
        return
    with connection.execute(query) as rows:
        # The rows of the driver: converting them to SQLAlchemy's takes as long as all the rest.
        while batch := rows.cursor.fetchmany(_BATCH):
            yield batch


def raw_one(connection: sa.Connection, seq: int) -> Raw | None:
    """Return one record as it is stored."""
    row = connection.execute(_raw(connection).where(trail.c.seq == seq)).first()
    return tuple(row) if row is not None else None


def _raw(connection: sa.Connection) -> sa.Select[Any]:
    postgres = connection.dialect.name == "postgresql"

    def as_bytes(column: sa.Column[str]) -> sa.ColumnElement[bytes]:
        if postgres:
            return sa.func.convert_to(column, "UTF8", type_=sa.LargeBinary)
        return sa.cast(column, sa.LargeBinary)

    return sa.select(
        trail.c.seq,
        trail.c.at,
        as_bytes(trail.c.kind),
        as_bytes(trail.c.operation),
        as_bytes(trail.c.body),
        as_bytes(trail.c.hash),
    )
