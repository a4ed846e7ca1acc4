"""The end of the audit log, and whether it may be sealed: only where our key sealed it before."""

from dataclasses import dataclass

import sqlalchemy as sa

from bot.audit.checkpoints import CheckpointKind, SignedCheckpoint, fingerprint, is_genuine
from bot.audit.hash_chain import FORMAT, GENESIS, KEY, PRUNED, TAMPERED, Fact, stored_facts
from bot.audit.keyring import KeyChange, key_change
from bot.audit.last_seal import LastSeal, LastSealFile
from bot.errors import StoreError, StrangeKeyError
from bot.model.actions import Json
from bot.storage.prepared import Prepared
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


def abandoned_flaw(
    connection: sa.Connection, found: End, successor: str, last_seal: LastSealFile | None
) -> Flaw | None:
    """Return what is wrong with an end whose key is abandoned; None if it is known from elsewhere.

    A key that is abandoned may be a stranger's, so it vouches for nothing itself.

    Args:
        successor: The key that goes on, whose own seals count, from when it sealed before.
        last_seal: The last end that was sealed from here.
    """
    last = last_seal.read() if last_seal else None
    is_lost = last is not None and not holds(connection, last.seq, last.hash)
    vouched = _vouched(connection, successor, None if is_lost else last)
    if last is not None and is_lost:
        why = f"record {last.seq} is not what was sealed from here"
    elif found.head is None:
        why = "the signed end of the trail is gone"
    elif vouched < found.seq:
        key = fingerprint(found.head.key)
        why = f"only the key {key} vouches for the end, and it was abandoned"
    elif not found.is_signed or not is_genuine(found.head):
        why = f"the signature of the trail's end, record {found.head.seq}, does not hold"
    else:
        return None
    return Flaw(why, vouched, found.seq)


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
        self._read: tuple[int, End] | None = None
        """The `data_version` of the writer's connection to SQLite, and the end that it has read."""
        self.seen: End | None = None

    def end(self, connection: sa.Connection) -> End:
        """Return the end of the log, in a transaction that is the only one that writes.

        Of SQLite only what others have written since is read: most transactions find nothing.
        Nothing but what `committed` is told of may append on this connection.
        """
        if connection.dialect.name != "sqlite":
            return end(connection)
        version = int(_DATA_VERSION.scalar(connection))
        if self._read is None or self._read[0] != version:
            self._read = version, end(connection)
        return self._read[1]

    def disconnected(self) -> None:
        """Note that the writer's connection is gone: another one counts anew."""
        self._read = None

    def committed(self, end: End) -> None:
        """Note the end that a transaction of this process has committed."""
        self.seen = end
        if self._read is not None:
            self._read = self._read[0], end
        if self._last_seal is not None and end.is_signed:
            self._last_seal.write(end.seq, end.hash)

    def flaw(self, connection: sa.Connection, found: End) -> Flaw | None:
        """Return what is wrong with an end; None if our key sealed it.

        Raises:
            StrangeKeyError: The log has another key than this process, so it must not write.
        """
        if not self._key or (self.seen is not None and found == self.seen):
            return None
        self._check_replaced(connection, found.head)
        known = self._known()
        if found.head is None and found.seq == 0 and known is None:
            return None
        why = self._why(connection, found)
        is_lost = known is not None and not holds(connection, known.seq, known.hash)
        if not why and known is not None and is_lost:
            which = "this process wrote" if self.seen else "was sealed from here"
            why = f"record {known.seq} is not what {which}"
        if not why:
            return None
        vouched = _vouched(connection, self._key, None if is_lost else known)
        return Flaw(why, vouched, found.seq)

    def _known(self) -> LastSeal | None:
        """Return the last end that is known to have been sealed by us."""
        if self.seen is not None:
            return LastSeal(self.seen.seq, self.seen.hash) if self.seen.seq else None
        return self._last_seal.read() if self._last_seal else None

    def _check_replaced(self, connection: sa.Connection, head: SignedCheckpoint | None) -> None:
        """Raise StrangeKeyError where another key has followed ours: we may not seal any more.

        What our key has signed counts wherever it stands. That our key was abandoned, anybody may
        have written: it counts where the end has that other key, and stops us as a refusal would.
        """
        changes = key_changes(connection, self.seen.seq if self.seen is not None else 0)
        if any(one.is_signed and one.former == self._key for one in changes):
            raise StrangeKeyError(used_key(self._key))
        if head is None or head.key == self._key:
            return
        followed = {self._key}
        for change in changes:
            if change.former in followed:
                followed.add(change.key)
        if head.key in followed:
            raise StrangeKeyError(strange_key(head.key, self._key))

    def _why(self, connection: sa.Connection, found: End) -> str:
        head, ours = found.head, self._key
        if head is None:
            if self.seen is None and (other := trail_key(connection)) not in ("", ours):
                raise StrangeKeyError(strange_key(other, ours))
            return "the signed end of the trail is gone"
        if head.key != ours:
            other = head.key
            if self.seen is None:
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


def used_key(key: str) -> str:
    """Return the sentence for a key that the log has had before."""
    return (
        f"the trail has had the key {fingerprint(key)} before, and no key is used twice: all "
        "replicas need the same key, the one that followed it (if rotate-key broke off, run it "
        "again); to go on with another one, make a new key"
    )


_LAST = sa.select(trail.c.seq, trail.c.hash).order_by(trail.c.seq.desc()).limit(1).subquery()
TOMBSTONE = (
    sa.select(seals.c.seq, seals.c.hash)
    .where(seals.c.kind == CheckpointKind.TOMBSTONE.value)
    .order_by(seals.c.seq.desc())
    .limit(1)
    .subquery()
)
_BEFORE = trail.alias()
_KEY_RECORDS = Prepared(
    sa.select(trail.c.seq, trail.c.body, _BEFORE.c.hash)
    .join_from(trail, _BEFORE, _BEFORE.c.seq == trail.c.seq - 1, isouter=True)
    .where(trail.c.operation == "", trail.c.kind == KEY, trail.c.seq > sa.bindparam("is_after"))
    .order_by(trail.c.seq)
)
_HASH = Prepared(sa.select(trail.c.hash).where(trail.c.seq == sa.bindparam("is_seq")))
# Changes where another connection has committed something, whoever has it.
_DATA_VERSION = Prepared(sa.text("PRAGMA data_version"))
_NEWEST_OF_KEYS = Prepared(
    sa.select(trail.c.body)
    # By the index on operations: few records belong to none.
    .where(trail.c.operation == "", trail.c.kind.in_([sa.literal(KEY), sa.literal(PRUNED)]))
    .order_by(trail.c.seq.desc())
    .limit(1)
)
_COLUMNS = ("kind", "seq", "hash", "at", "key", "signature")
_NOTHING = [sa.literal(0.0).label("at"), *(sa.literal("").label(n) for n in _COLUMNS[4:])]
_END = Prepared(
    sa.union_all(
        sa.select(sa.literal("last").label("kind"), _LAST.c.seq, _LAST.c.hash, *_NOTHING),
        sa.select(sa.literal("buried").label("kind"), TOMBSTONE.c.seq, TOMBSTONE.c.hash, *_NOTHING),
        sa.select(*(seals.c[name] for name in _COLUMNS)).where(
            seals.c.kind == CheckpointKind.HEAD.value
        ),
    )
)


def end(connection: sa.Connection) -> End:
    """Return the end of the log.

    Where records are missing before the signed end, the signed end counts: what is appended
    after it leaves the gap visible.
    """
    rows = _END.all(connection)
    found = {row.kind: row for row in rows}
    heads = [row for row in rows if row.kind == CheckpointKind.HEAD.value]
    # Of several, none counts: there is one place for it, and we have filled one.
    head = SignedCheckpoint(CheckpointKind.HEAD, *tuple(heads[0])[1:]) if len(heads) == 1 else None
    last = found.get("last") or found.get("buried")
    if last is not None and (head is None or last.seq > head.seq):
        return End(last.seq, last.hash, head, is_signed=False)
    if head is None:
        return End(0, GENESIS, None, is_signed=False)
    is_signed = last is not None and (last.seq, last.hash) == (head.seq, head.hash)
    return End(head.seq, head.hash, head, is_signed)


def trail_key(connection: sa.Connection) -> str:
    """Return the public key that the log is sealed with; empty if it has no seals."""
    is_head = seals.c.kind == CheckpointKind.HEAD.value
    # Of several ends the one that is of the last record: a stranger's can be of another only.
    is_of_last = sa.and_(is_head, seals.c.seq == _LAST.c.seq, seals.c.hash == _LAST.c.hash)
    query = (
        sa.select(seals.c.key)
        .join_from(seals, _LAST, sa.true(), isouter=True)
        .order_by(sa.case((is_of_last, 0), (is_head, 1), else_=2), seals.c.seq.desc())
        .limit(1)
    )
    return connection.execute(query).scalar() or ""


@dataclass(frozen=True, slots=True)
class TrailKey:
    """The key of the log.

    Attributes:
        public: What the log is sealed with; empty if it has no seals.
        replaced: The keys that have signed that another follows.
    """

    public: str = ""
    replaced: frozenset[str] = frozenset()

    def objection(self, ours: str) -> str:
        """Return why a process with some key may not write to the log; empty if it may."""
        if ours in self.replaced:
            return used_key(ours)
        return strange_key(self.public, ours) if self.public not in ("", ours) else ""


def read_trail_key(engine: sa.Engine) -> TrailKey:
    """Return the key of the log.

    Raises:
        StoreError: The database cannot be read.
    """
    try:
        with engine.connect().execution_options(reads=True) as connection:
            changes = key_changes(connection)
            replaced = frozenset(one.former for one in changes if one.is_signed)
            return TrailKey(trail_key(connection), replaced)
    except sa.exc.SQLAlchemyError as error:
        raise StoreError(str(error).splitlines()[0]) from error


def key_changes(connection: sa.Connection, after: int = 0) -> list[KeyChange]:
    """Return the changes of key in the records after a number: signed, or abandoning a key."""
    found = (
        key_change(row.seq, row.hash or GENESIS, stored_facts(row.body))
        for row in _KEY_RECORDS.all(connection, {"is_after": after})
    )
    return [change for change in found if change is not None]


def is_replaced(connection: sa.Connection, key: str) -> bool:
    """Return whether a key has signed that another follows: from there on it says nothing."""
    return any(one.is_signed and one.former == key for one in key_changes(connection))


def is_current(connection: sa.Connection) -> bool:
    """Return whether the log says that a new key counts only if the old one signed it."""
    return stored_facts(_NEWEST_OF_KEYS.scalar(connection) or "").get("format") == FORMAT


def holds(connection: sa.Connection, seq: int, hash_: str) -> bool:
    """Return whether a record has a hash, or was removed behind a tombstone."""
    row = _HASH.first(connection, {"is_seq": seq})
    if row is not None:
        return bool(row.hash == hash_)
    upto, last = max(pruned(connection), default=(0, ""))
    return upto > seq or (upto, last) == (seq, hash_)


def pruned(connection: sa.Connection) -> frozenset[tuple[int, str]]:
    """Return number and hash of the last records that were removed, as the log says.

    A row of `seals` may be anybody's.
    """
    query = sa.select(trail.c.body).where(trail.c.operation == "", trail.c.kind == PRUNED)
    found = map(stored_facts, connection.execute(query).scalars())
    return frozenset(
        (one["upto"], str(one.get("hash"))) for one in found if isinstance(one.get("upto"), int)
    )


def _vouched(connection: sa.Connection, key: str, last: LastSeal | None) -> int:
    """Return the last record that a genuine seal of a key is of, or that is known from elsewhere.

    Args:
        last: The last end that was sealed from here, if the log has it.
    """
    known = last.seq if last is not None else 0
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
            return max(known, seal.seq)
    return known
