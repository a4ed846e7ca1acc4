"""The end of the audit log, and whether it may be sealed: only where our key sealed it before."""

from dataclasses import dataclass

import sqlalchemy as sa

from bot.audit.checkpoints import CheckpointKind, SignedCheckpoint, fingerprint, is_genuine
from bot.audit.hash_chain import FORMAT, GENESIS, KEY, PRUNED, TAMPERED, Fact, stored_facts
from bot.audit.keyring import key_change
from bot.audit.last_seal import LastSealFile
from bot.errors import StoreError, StrangeKeyError
from bot.model.actions import Json
from bot.storage.tables import seals, trail


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


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with the end of the audit log.

    Attributes:
        vouched: The last record that our key vouches for.
        upto: The last record that is there.
    """

    why: str
    vouched: int
    upto: int


def tampered(replica: str, flaw: Flaw) -> Fact:
    """Return the record of a flaw in the end of the log."""
    facts: dict[str, Json] = {
        "why": flaw.why,
        "replica": replica,
        "vouched": flaw.vouched,
        "upto": flaw.upto,
    }
    return Fact(TAMPERED, "", facts)


class EndGuard:
    """Tells whether the end of the log is one that our key sealed, and the newest of these.

    Args:
        key: Our public key; empty makes no seals and looks at none.
        last_seal: What is known outside the database of the time before this process.

    Attributes:
        seen: The end after the last write of this process; None before the first.
    """

    def __init__(self, key: str, last_seal: LastSealFile | None = None) -> None:
        self._key = key
        self._last_seal = last_seal
        self.seen: End | None = None

    def committed(self, end: End) -> None:
        """Note the end that a transaction of this process has committed."""
        self.seen = end
        if self._last_seal is not None and end.is_signed:
            self._last_seal.write(end.seq, end.hash)

    def flaw(self, connection: sa.Connection, found: End) -> Flaw | None:
        """Return what is wrong with an end; None if our key sealed it.

        Raises:
            StrangeKeyError: The log has another key than this process, so it must not write.
        """
        if not self._key or (self.seen is not None and found == self.seen):
            return None
        known = self._known()
        if found.head is None and found.seq == 0 and known is None:
            return None
        why = self._why(connection, found)
        holds = known is not None and _holds(connection, *known)
        if not why and known is not None and not holds:
            which = "this process wrote" if self.seen else "was sealed from here"
            why = f"record {known[0]} is not what {which}"
        if not why:
            return None
        vouched = max(_vouched(connection, self._key), known[0] if known and holds else 0)
        return Flaw(why, vouched, found.seq)

    def _known(self) -> tuple[int, str] | None:
        """Return the last end that is known to have been sealed by us."""
        if self.seen is not None:
            return (self.seen.seq, self.seen.hash) if self.seen.seq else None
        last = self._last_seal.read() if self._last_seal else None
        return (last.seq, last.hash) if last else None

    def _why(self, connection: sa.Connection, found: End) -> str:
        head, ours = found.head, self._key
        if head is None:
            if self.seen is None and (other := trail_key(connection)) not in ("", ours):
                raise StrangeKeyError(strange_key(other, ours))
            return "the signed end of the trail is gone"
        if head.key != ours:
            other = head.key
            if self.seen is None or follows(connection, ours, other):
                raise StrangeKeyError(strange_key(other, ours))
            return f"the end was sealed with another key, {fingerprint(other)}"
        if not is_genuine(head):
            return f"the signature of the trail's end, record {head.seq}, does not hold"
        if not found.is_signed:
            return f"the last record is not the one that was signed, {head.seq}"
        return ""


def strange_key(trail_has: str, ours: str) -> str:
    """Return the sentence for a process whose key is not that of the log."""
    return (
        f"the trail is sealed with the key {fingerprint(trail_has)}, and this is "
        f"{fingerprint(ours)}: all replicas need the same key. Use that one; to change it, run "
        "stopstream audit rotate-key with it; if it is lost, stopstream audit rotate-key "
        "--abandon-key; if nobody has changed it, somebody else has written to the database"
    )


_LAST = sa.select(trail.c.seq, trail.c.hash).order_by(trail.c.seq.desc()).limit(1).subquery()
TOMBSTONE = (
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
    sa.select(sa.literal("buried").label("kind"), TOMBSTONE.c.seq, TOMBSTONE.c.hash, *_NOTHING),
    sa.select(*(seals.c[name] for name in _COLUMNS)).where(
        seals.c.kind == CheckpointKind.HEAD.value
    ),
)


def end(connection: sa.Connection) -> End:
    """Return the end of the log.

    Where records are missing before the signed end, the signed end counts: what is appended
    after it leaves the gap visible.
    """
    rows = connection.execute(_END).all()
    found = {row.kind: row for row in rows}
    heads = [row for row in rows if row.kind == CheckpointKind.HEAD.value]
    # Of several, none counts: there is one place for it, and we have filled one.
    head = SignedCheckpoint(CheckpointKind.HEAD, *heads[0][1:]) if len(heads) == 1 else None
    last = found.get("last") or found.get("buried")
    if last is not None and (head is None or last.seq > head.seq):
        return End(last.seq, last.hash, head, is_signed=False)
    if head is None:
        return End(0, GENESIS, None, is_signed=False)
    is_signed = last is not None and (last.seq, last.hash) == (head.seq, head.hash)
    return End(head.seq, head.hash, head, is_signed)


def trail_key(connection: sa.Connection) -> str:
    """Return the public key that the log is sealed with; empty if it has no seals."""
    by_head_first = (seals.c.kind != CheckpointKind.HEAD.value, seals.c.seq.desc())
    query = sa.select(seals.c.key).order_by(*by_head_first).limit(1)
    return connection.execute(query).scalar() or ""


def read_trail_key(engine: sa.Engine) -> str:
    """Return the public key that the log is sealed with; empty if it has no seals.

    Raises:
        StoreError: The database cannot be read.
    """
    try:
        with engine.connect().execution_options(reads=True) as connection:
            return trail_key(connection)
    except sa.exc.SQLAlchemyError as error:
        raise StoreError(str(error).splitlines()[0]) from error


def follows(connection: sa.Connection, key: str, other: str) -> bool:
    """Return whether a key has signed, in the newest `key` record, that another follows."""
    newest = _newest(connection, KEY)
    if newest is None:
        return False
    seq, body = newest
    before = sa.select(trail.c.hash).where(trail.c.seq == seq - 1)
    previous = connection.execute(before).scalar() or GENESIS
    change = key_change(seq, previous, stored_facts(body))
    return change is not None and (change.former, change.key) == (key, other) and change.is_signed


def is_current(connection: sa.Connection) -> bool:
    """Return whether the log says that a new key counts only if the old one signed it."""
    newest = _newest(connection, KEY, PRUNED)
    return newest is not None and stored_facts(newest[1]).get("format") == FORMAT


def _newest(connection: sa.Connection, *kinds: str) -> tuple[int, str] | None:
    """Return number and body of the newest record of some kinds that belong to no operation."""
    query = (
        sa.select(trail.c.seq, trail.c.body)
        # By the index on operations: few records belong to none.
        .where(trail.c.operation == "", trail.c.kind.in_(kinds))
        .order_by(trail.c.seq.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    return (row.seq, row.body) if row is not None else None


def _holds(connection: sa.Connection, seq: int, hash_: str) -> bool:
    """Return whether a record has a hash, or was removed behind a tombstone."""
    row = connection.execute(sa.select(trail.c.hash).where(trail.c.seq == seq)).first()
    if row is not None:
        return bool(row.hash == hash_)
    buried = connection.execute(sa.select(TOMBSTONE.c.seq, TOMBSTONE.c.hash)).first()
    if buried is None or buried.seq < seq:
        return False
    return bool(buried.seq > seq or buried.hash == hash_)


def _vouched(connection: sa.Connection, key: str) -> int:
    """Return the last record that a genuine seal of a key is of; 0 if there is none."""
    query = (
        sa.select(*(seals.c[name] for name in _COLUMNS), trail.c.hash.label("stored"))
        .join_from(seals, trail, trail.c.seq == seals.c.seq, isouter=True)
        .where(seals.c.key == key)
        .order_by(seals.c.seq.desc())
    )
    for row in connection.execute(query):
        seal = SignedCheckpoint(CheckpointKind(row.kind), *tuple(row)[1:6])
        # The record of a tombstone is gone.
        is_buried = row.stored is None and seal.kind is CheckpointKind.TOMBSTONE
        if (is_buried or row.stored == seal.hash) and is_genuine(seal):
            return seal.seq
    return 0
