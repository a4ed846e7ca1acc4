"""The tables `trail` and `seals`: the hash chain of audit records, and its signed checkpoints."""

import contextlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from bot.audit import hash_chain
from bot.audit.checkpoints import CheckpointKind, SignedCheckpoint, Signer, is_genuine
from bot.audit.hash_chain import (
    ACKNOWLEDGED,
    CHECKPOINT,
    FORMAT,
    PRUNED,
    TAMPERED,
    Fact,
    Raw,
    Record,
    stored_facts,
)
from bot.audit.keyring import Keyring
from bot.audit.statements import Statements
from bot.storage.audit_end import End, pruned
from bot.storage.prepared import Prepared
from bot.storage.tables import seals, trail

_BATCH = 2000
"""How many records are in memory at once."""


def append(
    connection: sa.Connection,
    now: float,
    facts: Sequence[Fact],
    signer: Signer | None,
    after: End,
    *,
    is_sound: bool = True,
) -> End:
    """Append records and sign the new end, in the caller's transaction.

    The caller must be the only writer, because the chain has one end.

    Args:
        is_sound: Whether the signed end before is the only one.
    """
    if not facts:
        return after
    now = round(now, 6)
    seq, last = after.seq, after.hash
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
    _INSERT.run_each(connection, rows)
    head = after.head
    if signer is not None:
        head = signer.sign(CheckpointKind.HEAD, seq, last, now)
        if not is_sound:
            connection.execute(_REMOVE_HEADS)
        put_head(connection, head, is_first=after.head is None or not is_sound)
    return End(seq, last, head, is_signed=signer is not None)


_INSERT = Prepared(sa.insert(trail))
_ADD_SEAL = Prepared(sa.insert(seals))
_UPDATE_HEAD = Prepared(
    sa.update(seals)
    .where(seals.c.kind == CheckpointKind.HEAD.value)
    .values({c.name: sa.bindparam(c.name) for c in seals.c if c.name != "kind"})
)
_REMOVE_HEADS = sa.delete(seals).where(seals.c.kind == CheckpointKind.HEAD.value)


def put_head(connection: sa.Connection, head: SignedCheckpoint, *, is_first: bool) -> None:
    """Store the signed end."""
    (_ADD_SEAL if is_first else _UPDATE_HEAD).run(connection, _values(head))


def keep_head(connection: sa.Connection, head: SignedCheckpoint) -> None:
    """Keep a signed end as a checkpoint, unless there is one of the same record."""
    seal = replace(head, kind=CheckpointKind.CHECKPOINT)
    query = sa.select(seals.c.seq).where(seals.c.kind == seal.kind.value, seals.c.seq == seal.seq)
    if connection.execute(query).first() is None:
        put_checkpoint(connection, seal)


def put_checkpoint(connection: sa.Connection, seal: SignedCheckpoint) -> None:
    """Store a checkpoint or a tombstone, in place of any that somebody has put there."""
    here = seals.c.kind == seal.kind.value, seals.c.seq == seal.seq
    connection.execute(sa.delete(seals).where(*here))
    _ADD_SEAL.run(connection, _values(seal))


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
    """Return all signed checkpoints, tombstones and the head; what has no such form is none."""
    found = connection.execute(sa.select(seals).where(seals.c.kind.in_(list(CheckpointKind))))
    return [
        SignedCheckpoint(
            CheckpointKind(row.kind), row.seq, row.hash, row.at, row.key, row.signature
        )
        for row in found
    ]


def remove_seals(connection: sa.Connection, strays: Sequence[SignedCheckpoint]) -> int:
    """Remove seals, and return how many were there."""
    gone = 0
    for one in strays:
        is_it = [seals.c[name] == value for name, value in _values(one).items()]
        gone += connection.execute(sa.delete(seals).where(*is_it)).rowcount
    return gone


def previous_checkpoint(
    connection: sa.Connection, now: float, end: End, *, every: float, most: int
) -> int | None:
    """Return the number of the record of the newest checkpoint, or 0; None if none is due.

    Args:
        every: Seconds between two checkpoints, if there are new records.
        most: How many new records make one due at once.
    """
    # By its record: a row of `seals` may be anybody's.
    query = (
        sa.select(trail.c.at, trail.c.body)
        .where(trail.c.operation == "", trail.c.kind == CHECKPOINT)
        .order_by(trail.c.seq.desc())
        .limit(1)
    )
    found = connection.execute(query).first()
    before = stored_facts(found.body).get("seq") if found is not None else None
    if not end.seq or found is None or not isinstance(before, int):
        return 0 if end.seq else None
    if before == end.seq or (before == end.seq - 1 and _is_checkpoint(connection, end)):
        return None
    is_early = now - found.at < every and end.seq - before < most
    return None if is_early else before


def _is_checkpoint(connection: sa.Connection, end: End) -> bool:
    """Return whether the last record says of a checkpoint, which needs none of its own."""
    query = sa.select(trail.c.kind).where(trail.c.seq == end.seq)
    return connection.execute(query).scalar() == CHECKPOINT


def latest_at(connection: sa.Connection) -> float | None:
    """Return when the newest record was made, as epoch seconds; None if there is none."""
    return connection.execute(sa.select(trail.c.at).order_by(trail.c.seq.desc()).limit(1)).scalar()


def span(connection: sa.Connection) -> float:
    """Return the seconds between the first record that is kept and the last one."""
    first = connection.execute(sa.select(trail.c.at).order_by(trail.c.seq).limit(1)).scalar()
    return (latest_at(connection) or 0.0) - (first or 0.0)


@dataclass(frozen=True, slots=True)
class Old:
    """What may be removed for its age.

    Attributes:
        buried: Number of the last record that was removed before; 0 for none.
        due: Number of the last one that may go now; none may where it is not above `buried`.
    """

    buried: int
    due: int


def old(connection: sa.Connection, *, before: float, last: int) -> Old:
    """Return what may be removed because it is older than `before`; the last record never is.

    Args:
        last: Number of the last record.
    """
    oldest = sa.select(trail.c.seq).where(trail.c.at >= before).order_by(trail.c.seq).limit(1)
    kept = connection.execute(oldest).scalar()
    due = (kept if kept is not None else last) - 1
    for one in said_of_itself(connection, upto=due).unacknowledged():
        # Nobody may wait until the evidence is too old.
        due = min(due, one.seq - 1, one.vouched if one.upto > one.vouched else due)
    buried, _ = max(pruned(connection), default=(0, ""))
    return Old(buried, due)


def prune(
    connection: sa.Connection,
    now: float,
    signer: Signer,
    *,
    old: Old,
    last: int,
    all_at_once: bool,
) -> tuple[Fact | None, int]:
    """Store a tombstone for old records, and return its fact, if there are any.

    The records themselves are deleted by `forget`, a few at a time.

    Args:
        last: Number of the last record.
        all_at_once: All of them; else at most a tenth of the log, and one at least, because a
            clock that is wrong may make every record look old.

    Returns:
        The fact, and how many records are old and stay for now.
    """
    buried, due = old.buried, old.due
    if due <= buried:
        return None, 0
    upto = due if all_at_once else min(due, buried + max(1, (last - buried) // 10))
    row = connection.execute(sa.select(trail).where(trail.c.seq == upto)).first()
    if row is None:
        return None, due - buried
    newest_first = sa.func.max(seals.c.seq).desc()
    keys = connection.execute(sa.select(seals.c.key).group_by(seals.c.key).order_by(newest_first))
    seal = signer.sign(CheckpointKind.TOMBSTONE, upto, row.hash, now)
    put_checkpoint(connection, seal)
    facts = {
        "first": buried + 1,
        "upto": upto,
        "hash": row.hash,
        "last_at": row.at,
        # The first one is trusted where no key is known, and a former key must not be.
        "keys": list(dict.fromkeys([signer.public, *keys.scalars()])),
        "format": FORMAT,
    }
    return Fact(PRUNED, "", facts), due - upto


def forget(connection: sa.Connection, most: int, key: str) -> int:
    """Delete some of the records behind a tombstone, and return how many.

    Args:
        key: Our public key: nobody else's tombstone removes anything.
    """
    ours = (
        one.seq
        for one in checkpoints(connection)
        if one.kind is CheckpointKind.TOMBSTONE and one.key == key and is_genuine(one)
    )
    buried = max(ours, default=0)
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
    after: int = 0,
    last: int = 0,
) -> Generator[Record, None, None]:
    """Stream records in order, in constant memory.

    Args:
        since: Epoch seconds.
        until: Epoch seconds; 0 for no end.
        operation: Only those of this one.
        after: Only those with a higher number.
        last: Only so many of the newest; 0 for all.
    """
    query = sa.select(trail).where(trail.c.seq > after).order_by(trail.c.seq)
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


def said_of_itself(connection: sa.Connection, *, upto: int | None = None) -> Statements:
    """Return what the log says of tampering.

    Args:
        upto: Only of tampering that is recorded up to this number, whatever was acknowledged.
    """
    is_tampering = trail.c.kind == TAMPERED
    if upto is not None:
        # Of what concerns operations, only a part is read: there may be a million records.
        is_tampering &= (trail.c.seq <= upto) | (trail.c.operation == "")
    is_known = (trail.c.kind == ACKNOWLEDGED) & (trail.c.operation == "")
    query = sa.select(trail.c.seq, trail.c.body).where(is_tampering | is_known)
    said = Statements(Keyring(()))
    for row in connection.execute(query.order_by(trail.c.seq)):
        with contextlib.suppress(ValueError, LookupError, TypeError, RecursionError):
            said.add(row.seq, b"", row.body.encode())
    return said


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
