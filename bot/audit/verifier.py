"""Verifies the audit log: every hash, every signature, and what was done where one fails."""

import json
from binascii import hexlify
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeAlias

from bot.audit.checkpoints import CheckpointKind, SignedCheckpoint, fingerprint, is_genuine
from bot.audit.hash_chain import GENESIS, Raw
from bot.audit.keyring import Keyring
from bot.audit.statements import NOTED, Statements, Tampering, is_forged

Lookup: TypeAlias = Callable[[int], Raw | None]
"""Returns a record by its number."""


@dataclass(frozen=True, slots=True)
class ChainError:
    """The first record that fails verification.

    Attributes:
        seq: The number of the record.
        what: `altered`, `missing`, `inserted`, `swapped`, `cut off`, `rewritten`, `forged`,
            `tampered` or `out of order`.
        why: A sentence for people.
    """

    seq: int
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a verification.

    Attributes:
        first: Number of the first record that is kept.
        last: Number of the last valid record.
        found: The first error; None if all records are valid.
        sealed: Number of the last record that a checkpoint with a trusted key covers.
        keys: The trusted keys.
        notes: What people should know even if it is valid.
        tampering: What the records say of tampering with the log.
        unacknowledged: Numbers of the records that say that somebody else has written to the log.
        strays: Seals of strangers beside records that are all vouched for without them.
    """

    first: int
    last: int
    found: ChainError | None
    sealed: int = 0
    keys: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    tampering: tuple[Tampering, ...] = ()
    unacknowledged: tuple[int, ...] = ()
    strays: tuple[SignedCheckpoint, ...] = ()

    @property
    def count(self) -> int:
        """Return how many records are valid."""
        return self.last - self.first + 1


class Verifier:
    """One verification of an audit log."""

    def __init__(
        self,
        lookup: Lookup,
        checkpoints: Iterable[SignedCheckpoint],
        trusted: Iterable[str],
        *,
        stored: Iterable[SignedCheckpoint],
    ) -> None:
        every = list(checkpoints)
        tombstones = [
            checkpoint for checkpoint in every if checkpoint.kind is CheckpointKind.TOMBSTONE
        ]
        self.tombstone = max(tombstones, key=lambda checkpoint: checkpoint.seq, default=None)
        heads = [one for one in every if one.kind is CheckpointKind.HEAD]
        # An earlier one that was put back beside it takes nothing off the end.
        self.head = max(heads, key=lambda checkpoint: checkpoint.seq, default=None)
        self.lookup = lookup
        self.count = self.tombstone.seq if self.tombstone else 0
        self.first = self.count + 1
        self.previous = (self.tombstone.hash if self.tombstone else GENESIS).encode()
        self.before = b""
        self.keyring = Keyring(trusted)
        self.said = Statements(self.keyring)
        self._stored = {(s.seq, s.hash) for s in stored if s.kind is CheckpointKind.CHECKPOINT}
        later = [s for s in every if s.kind is not CheckpointKind.TOMBSTONE and s.seq >= self.first]
        # The last one of a number stands first, for `pop` takes from the end.
        self.checkpoints = sorted(later, key=lambda checkpoint: -checkpoint.seq)
        self.has_checkpoints = bool(every)
        self.signed_upto = self.count

    def run(self, batches: Iterable[Sequence[Raw]], progress: Callable[[int], None]) -> Report:
        """Verify all records."""
        for batch in batches:
            found = self.check(batch)
            if found is not None:
                return self.report(found)
            progress(self.count)
        return self.report(self.end())

    def check(self, batch: Sequence[Raw]) -> ChainError | None:
        """Check the next records and return the first error."""
        # The loop runs once for each of a million records: it is kept free of calls.
        previous, before, count = self.previous, self.before, self.count
        stop = self.checkpoints[-1].seq if self.checkpoints else 0
        at_seen: float | None = None
        begin, of, of_quoted = b"", b"", b'""'
        for row in batch:
            seq, at, kind, operation, body, hash_ = row
            if seq != count + 1:
                self.previous, self.before, self.count = previous, before, count
                return self._misplaced(seq)
            if at != at_seen:
                at_seen, begin = at, b'{"at":%b,"facts":' % repr(at).encode()
            if operation != of:
                of, of_quoted = operation, _quoted(operation)
            kind_quoted = _QUOTED.get(kind) or _quoted(kind)
            end = b',"kind":%b,"operation":%b,"seq":%d}' % (kind_quoted, of_quoted, seq)
            if (
                hexlify(sha256(b"%b\n%b" % (previous, body)).digest()) != hash_
                or not body.startswith(begin)
                or not body.endswith(end)
            ):
                self.previous, self.before, self.count = previous, before, count
                return self._diagnose(row)
            before, previous, count = previous, hash_, seq
            if kind in NOTED:
                self.said.add(seq, before, body)
            if seq == stop:
                self.count = seq
                if (found := self._check_signed(hash_.decode())) is not None:
                    return found
                stop = self.checkpoints[-1].seq if self.checkpoints else 0
        self.previous, self.before, self.count = previous, before, count
        return None

    def end(self) -> ChainError | None:
        """Return the error of the end of the log, or of a key that is not trusted."""
        return (
            self._cut_off()
            or self._added()
            or self._untrusted()
            or self._without_checkpoint()
            or self._tampered()
        )

    def _cut_off(self) -> ChainError | None:
        last = self.count
        if self.checkpoints:
            checkpoint = self.checkpoints[0]
            if not is_genuine(checkpoint):
                return ChainError(last + 1, "forged", _unsigned(checkpoint))
            lost = (
                f"record {last + 1} is"
                if checkpoint.seq == last + 1
                else f"{checkpoint.seq - last} are"
            )
            why = f"{lost} cut off at the end: once there were {checkpoint.seq}"
            return ChainError(last + 1, "cut off", why)
        if self.head is None and (self.has_checkpoints or self.keyring.has_keys):
            why = "the signed end was removed, so records may be cut off there"
            return ChainError(last + 1, "cut off", why)
        return None

    def _added(self) -> ChainError | None:
        head = self.head
        if head is None or self.count <= head.seq:
            return None
        self.count = head.seq
        why = f"record {head.seq + 1} was added behind the signed end, without the key"
        return ChainError(head.seq + 1, "inserted", why)

    def _untrusted(self) -> ChainError | None:
        tombstone = self.tombstone
        if tombstone is not None and not self._is_recorded(tombstone):
            self.count = tombstone.seq
            why = f"the tombstone of the records up to {tombstone.seq} is not genuine"
            return ChainError(tombstone.seq, "forged", why)
        if tombstone is not None:
            self.keyring.accept(tombstone)
        tampering = self.said.tampering()
        self.keyring.resolve(lambda seq: is_forged(seq, tampering))
        untrusted = self.keyring.untrusted()
        if untrusted is None:
            return None
        self.count = max(self.first, untrusted.seq) - 1
        return ChainError(
            untrusted.seq,
            "forged",
            f"a {untrusted.kind.value} of record {untrusted.seq} is signed with the key "
            f"{untrusted.key}, for which nobody here vouches",
        )

    def _is_recorded(self, tombstone: SignedCheckpoint) -> bool:
        return is_genuine(tombstone) and (tombstone.seq, tombstone.hash) in self.said.pruned

    def _without_checkpoint(self) -> ChainError | None:
        """Return the first checkpoint that the records list and the database lacks."""
        for listed in self.said.checkpoints():
            if listed.seq >= self.first and (listed.seq, listed.hash) not in self._stored:
                self.count = listed.seq - 1
                why = f"the checkpoint of record {listed.seq} was removed from the database"
                return ChainError(listed.seq, "missing", why)
        return None

    def _tampered(self) -> ChainError | None:
        for one in self.said.unacknowledged():
            if one.upto > one.vouched:
                self.count = max(self.first - 1, one.vouched)
            else:
                self.count = one.seq - 1
            why = f"{one.why}; nobody has acknowledged it (stopstream audit acknowledge)"
            return ChainError(one.seq, "tampered", why)
        return None

    def report(self, found: ChainError | None) -> Report:
        """Return the result."""
        notes = []
        if self.tombstone is not None:
            notes.append(
                f"the records up to {self.tombstone.seq} were removed; a tombstone says so"
            )
        if not self.keyring.given and self.keyring.trusted:
            notes.append(
                "no key was given, so the one that the trail itself names is taken: "
                + ", ".join(sorted(self.keyring.trusted))
            )
        if found is None and not self.signed_upto and self.count:
            notes.append("no seal vouches for it: whoever can write the database can make it anew")
        notes += [
            f"record {change.seq} replaces the key {fingerprint(change.former)} by "
            f"{fingerprint(change.key)}; the former was abandoned and has not signed that"
            for change in self.keyring.abandoned
        ]
        tampering = tuple(self.said.tampering())
        for one in tampering:
            of = f"records {one.vouched + 1} to {one.upto}" if one.upto > one.vouched else "its end"
            notes.append(f"record {one.seq} says that nobody vouches for {of}: {one.why}")
        return Report(
            self.first,
            self.count,
            found,
            self.signed_upto,
            tuple(sorted(self.keyring.trusted)),
            tuple(notes),
            tampering,
            tuple(one.seq for one in self.said.unacknowledged()),
        )

    def _check_signed(self, hash_: str) -> ChainError | None:
        """Compare the record that was just read with its checkpoints."""
        while self.checkpoints and self.checkpoints[-1].seq == self.count:
            checkpoint = self.checkpoints.pop()
            if not is_genuine(checkpoint):
                self.count -= 1
                return ChainError(checkpoint.seq, "forged", _unsigned(checkpoint))
            if checkpoint.hash != hash_:
                after = self.lookup(checkpoint.seq + 1)
                if after is not None and after[5] == checkpoint.hash.encode():
                    self.count -= 1
                    return ChainError(
                        checkpoint.seq, "inserted", f"record {checkpoint.seq} was put in"
                    )
                first = self.signed_upto + 1
                self.count = self.signed_upto
                which = f"record {checkpoint.seq} was"
                if first != checkpoint.seq:
                    which = f"records {first} to {checkpoint.seq}, or some of them, were"
                why = f"{which} rewritten: its {checkpoint.kind.value} was signed over another hash"
                return ChainError(first, "rewritten", why)
            self.keyring.accept(checkpoint)
            self.signed_upto = checkpoint.seq
        return None

    def _misplaced(self, seq: int) -> ChainError:
        due = self.count + 1
        if seq > due:
            return ChainError(due, "missing", f"record {due} is missing; {seq} comes next")
        return ChainError(seq, "inserted", f"record {seq} stands there a second time")

    def _diagnose(self, row: Raw) -> ChainError:
        """Return what was done to a record whose hash does not match."""
        seq, body, hash_ = row[0], row[4], row[5]
        if self.before and _chained(self.before, body) == hash_:
            # This one follows on the one before the last.
            self.count -= 1
            return ChainError(seq - 1, "inserted", f"record {seq - 1} was put in")
        after, said = self.lookup(seq + 1), _number(body)
        if said is not None and said > seq:
            if self._swapped(row, said):
                why = f"record {seq} has changed places with record {said}"
                return ChainError(seq, "swapped", why)
            follows = (
                after is not None
                and _number(after[4]) == said + 1
                and _chained(hash_, after[4]) == after[5]
            )
            sealed = any(one.seq == said and one.hash.encode() == hash_ for one in self.checkpoints)
            if follows or sealed:
                why = f"record {seq} is missing; {said} stands in its place"
                return ChainError(seq, "missing", why)
        if after is not None and _chained(self.previous, after[4]) == after[5]:
            return ChainError(seq, "inserted", f"record {seq} was put in")
        if _chained(self.previous, body) == hash_:
            why = f"record {seq} was altered: its columns say something else than its body"
        else:
            why = f"record {seq} was altered: it does not match its hash"
        return ChainError(seq, "altered", why)

    def _swapped(self, row: Raw, said: int) -> bool:
        """Return whether a record and the one in whose place it is match in each other's place."""
        due = self.lookup(said)
        if due is None or _chained(self.previous, due[4]) != due[5]:
            return False
        before = due if said == row[0] + 1 else self.lookup(said - 1)
        return before is not None and _chained(before[5], row[4]) == row[5]


_QUOTED: dict[bytes, bytes] = {}
_ID = 16
"""Letters of an operation's id; a shorter text is a kind, of which there are few."""


def _quoted(text: bytes) -> bytes:
    """Return a text as JSON; kinds are cached, for they repeat, and ids are not."""
    if len(text) >= _ID and text.isalnum() and text.isascii():
        return b'"%b"' % text
    found = json.dumps(text.decode(errors="replace")).encode()
    if len(_QUOTED) < 1000 and len(text) < _ID:  # noqa: PLR2004 (bounds it)
        _QUOTED[text] = found
    return found


def _unsigned(checkpoint: SignedCheckpoint) -> str:
    return f"the signature of the {checkpoint.kind.value} of record {checkpoint.seq} does not hold"


def _chained(previous: bytes, body: bytes) -> bytes:
    return hexlify(sha256(b"%b\n%b" % (previous, body)).digest())


def _number(body: bytes) -> int | None:
    try:
        found = json.loads(body)["seq"]
    except (ValueError, TypeError, KeyError):
        return None
    return found if isinstance(found, int) else None
