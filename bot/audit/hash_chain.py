"""The chain of records: its canonical form, its hash, and where it does not hold; pure.

docs/trail.md tells an auditor how to check a trail without this program.
"""

import json
from binascii import hexlify
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeAlias

from bot.audit.checkpoints import CheckpointKind, SignedCheckpoint, fingerprint, is_genuine
from bot.model.actions import Json

GENESIS = "0" * 64
"""What stands for the hash before the first record."""

KEY, PRUNED = "key", "pruned"
"""Kinds of the records that name who seals, and what was removed."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something to be put on the trail.

    Attributes:
        kind: `asked`, `denied`, `sending`, `ended`, …
        operation: Id of the operation, or empty.
        facts: Who, where, what, how; without secrets and stream keys.
    """

    kind: str
    operation: str
    facts: dict[str, Json]


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the trail.

    Attributes:
        seq: 1 for the first; no gaps.
        at: The store's clock, epoch seconds.
        body: Canonical JSON of everything but the hash.
        hash: sha256 of the previous hash and the body, hex.
    """

    seq: int
    at: float
    kind: str
    operation: str
    body: str
    hash: str

    @property
    def facts(self) -> dict[str, Any]:
        """Who, where, what, how."""
        found: dict[str, Any] = json.loads(self.body)["facts"]
        return found


Raw: TypeAlias = tuple[int, float, bytes, bytes, bytes, bytes]
"""A record as it lies in the database: number, time, kind, operation, body, hash."""

Lookup: TypeAlias = Callable[[int], Raw | None]
"""Finds a record by its number."""


@dataclass(frozen=True, slots=True)
class ChainError:
    """The first place where the trail does not hold.

    Attributes:
        seq: The number of the record.
        what: `altered`, `missing`, `inserted`, `swapped`, `cut off`, `rewritten` or `forged`.
        why: A sentence.
    """

    seq: int
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Report:
    """What came of verifying.

    Attributes:
        first: Number of the first record that is kept.
        last: Number of the last one that holds.
        found: The first place where it does not; None if all hold.
        sealed: Number of the last record that a trusted seal vouches for.
        keys: Whose seals were trusted.
        notes: What a reader should know although it holds.
    """

    first: int
    last: int
    found: ChainError | None
    sealed: int = 0
    keys: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many records hold."""
        return self.last - self.first + 1


def canonical(seq: int, at: float, fact: Fact) -> str:
    """Write a record in the one form that is hashed.

    JSON with sorted keys, no blanks, ASCII only, `at` rounded to microseconds.
    """
    return json.dumps(
        {
            "at": round(at, 6),
            "facts": fact.facts,
            "kind": fact.kind,
            "operation": fact.operation,
            "seq": seq,
        },
        sort_keys=True,
        separators=(",", ":"),
    )


def digest(previous: str, body: str) -> str:
    """Chain a record to the one before: sha256 over `previous`, a line feed and `body`."""
    return sha256(f"{previous}\n{body}".encode()).hexdigest()


def verify(
    batches: Iterable[Sequence[Raw]],
    *,
    lookup: Lookup,
    seals: Iterable[SignedCheckpoint] = (),
    trusted: Iterable[str] = (),
    progress: Callable[[int], None] = lambda _seq: None,
) -> Report:
    """Check a whole trail from its beginning, and name the first record that does not hold.

    Args:
        batches: All records in the order of their numbers.
        seals: All that there are; of tombstones the newest counts.
        trusted: Public keys that are known to be good. Others are trusted once a seal of a good
            key vouches for the record that names them; without any, the first that the trail
            names is.
        progress: Called with the number of records seen, after each batch.
    """
    check = Verifier(lookup, seals, trusted)
    for batch in batches:
        found = check.take(batch)
        if found is not None:
            return check.report(found)
        progress(check.count)
    return check.report(check.end())


class Verifier:
    """One pass over a trail."""

    def __init__(
        self, lookup: Lookup, seals: Iterable[SignedCheckpoint], trusted: Iterable[str]
    ) -> None:
        every = list(seals)
        tombs = [seal for seal in every if seal.kind is CheckpointKind.TOMBSTONE]
        self.tomb = max(tombs, key=lambda seal: seal.seq, default=None)
        self.head = next((seal for seal in every if seal.kind is CheckpointKind.HEAD), None)
        self.lookup = lookup
        self.count = self.tomb.seq if self.tomb else 0
        self.first = self.count + 1
        self.previous = (self.tomb.hash if self.tomb else GENESIS).encode()
        self.before = b""
        self.trust = Keyring(trusted)
        later = [s for s in every if s.kind is not CheckpointKind.TOMBSTONE and s.seq >= self.first]
        # The last one of a number stands first, for `pop` takes from the end.
        self.seals = sorted(later, key=lambda seal: -seal.seq)
        self.sealed_once = bool(every)
        self.good = self.count
        self.tomb_told = False

    def take(self, batch: Sequence[Raw]) -> ChainError | None:
        """Go on through some records; the loop is what a million of them wait for."""
        previous, before, count = self.previous, self.before, self.count
        stop = self.seals[-1].seq if self.seals else 0
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
            if kind in _NOTED:
                self._note(seq, kind, body)
            if seq == stop:
                self.count = seq
                if (found := self._sealed(hash_.decode())) is not None:
                    return found
                stop = self.seals[-1].seq if self.seals else 0
        self.previous, self.before, self.count = previous, before, count
        return None

    def end(self) -> ChainError | None:
        """Say what is wrong with how it ends, and with whoever sealed it."""
        return self._cut_off() or self._added() or self._unvouched()

    def _cut_off(self) -> ChainError | None:
        last = self.count
        if self.seals:
            seal = self.seals[0]
            if not is_genuine(seal):
                return ChainError(last + 1, "forged", _unsigned(seal))
            lost = f"record {last + 1} is" if seal.seq == last + 1 else f"{seal.seq - last} are"
            why = f"{lost} cut off at the end: once there were {seal.seq}"
            return ChainError(last + 1, "cut off", why)
        if self.head is None and (self.sealed_once or self.trust.sealing):
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

    def _unvouched(self) -> ChainError | None:
        tomb = self.tomb
        if tomb is not None and not (is_genuine(tomb) and self.tomb_told):
            self.count = tomb.seq
            why = f"the tombstone of the records up to {tomb.seq} is not genuine"
            return ChainError(tomb.seq, "forged", why)
        if tomb is not None:
            self.trust.vouch(tomb)
        stranger = self.trust.stranger()
        if stranger is None:
            return None
        self.count = max(self.first, stranger.seq) - 1
        return ChainError(
            stranger.seq,
            "forged",
            f"a {stranger.kind.value} of record {stranger.seq} is signed with the key "
            f"{stranger.key}, for which nobody here vouches",
        )

    def report(self, found: ChainError | None) -> Report:
        """Sum up."""
        notes = []
        if self.tomb is not None:
            notes.append(f"the records up to {self.tomb.seq} were removed; a tombstone says so")
        if not self.trust.given and self.trust.good:
            notes.append(
                "no key was given, so the one that the trail itself names is taken: "
                + ", ".join(sorted(self.trust.good))
            )
        if found is None and not self.good and self.count:
            notes.append("no seal vouches for it: whoever can write the database can make it anew")
        keys = tuple(sorted(self.trust.good))
        return Report(self.first, self.count, found, self.good, keys, tuple(notes))

    # --- parts ---------------------------------------------------------------------

    def _note(self, seq: int, kind: bytes, body: bytes) -> None:
        facts = json.loads(body)["facts"]
        for key in (facts.get("key"), *facts.get("keys", ())):
            if isinstance(key, str):
                self.trust.named(seq, key)
        tomb = self.tomb
        if kind == PRUNED.encode() and tomb is not None:
            self.tomb_told |= (facts.get("upto"), facts.get("hash")) == (tomb.seq, tomb.hash)

    def _sealed(self, hash_: str) -> ChainError | None:
        """Hold the record that was just seen to its seals."""
        while self.seals and self.seals[-1].seq == self.count:
            seal = self.seals.pop()
            if not is_genuine(seal):
                self.count -= 1
                return ChainError(seal.seq, "forged", _unsigned(seal))
            if seal.hash != hash_:
                after = self.lookup(seal.seq + 1)
                if after is not None and after[5] == seal.hash.encode():
                    self.count -= 1
                    return ChainError(seal.seq, "inserted", f"record {seal.seq} was put in")
                first = self.good + 1
                self.count = self.good
                which = f"record {seal.seq} was"
                if first != seal.seq:
                    which = f"records {first} to {seal.seq}, or some of them, were"
                why = f"{which} rewritten: its {seal.kind.value} was signed over another hash"
                return ChainError(first, "rewritten", why)
            self.trust.vouch(seal)
            self.good = seal.seq
        return None

    def _misplaced(self, seq: int) -> ChainError:
        due = self.count + 1
        if seq > due:
            return ChainError(due, "missing", f"record {due} is missing; {seq} comes next")
        return ChainError(seq, "inserted", f"record {seq} stands there a second time")

    def _diagnose(self, row: Raw) -> ChainError:
        """Find out what was done to a record that does not fit."""
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
            sealed = any(one.seq == said and one.hash.encode() == hash_ for one in self.seals)
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
        """Say whether a record and the one in whose place it belongs fit where the other is."""
        due = self.lookup(said)
        if due is None or _chained(self.previous, due[4]) != due[5]:
            return False
        before = due if said == row[0] + 1 else self.lookup(said - 1)
        return before is not None and _chained(before[5], row[4]) == row[5]


class Keyring:
    """Which keys are good: those given, and those that a good one has vouched for."""

    def __init__(self, given: Iterable[str]) -> None:
        self.given = frozenset(given)
        self.good = set(self.given)
        self.sealing = False
        """Whether some record names a key."""
        self._named: list[tuple[int, str]] = []
        self._waiting: list[SignedCheckpoint] = []

    def named(self, seq: int, key: str) -> None:
        """A record names a key."""
        self.sealing = True
        if not self.good:
            self.good.add(key)
        self._named.append((seq, key))

    def vouch(self, seal: SignedCheckpoint) -> None:
        """A seal holds; what it means depends on its key."""
        self._waiting.append(seal)
        while good := [one for one in self._waiting if one.key in self.good]:
            self._waiting = [one for one in self._waiting if one.key not in self.good]
            upto = max(one.seq for one in good)
            self.good.update(key for seq, key in self._named if seq <= upto)
            self._named = [(seq, key) for seq, key in self._named if seq > upto]

    def stranger(self) -> SignedCheckpoint | None:
        """Give the first seal of a key that nobody vouches for."""
        return min(self._waiting, key=lambda one: one.seq, default=None)


_NOTED = frozenset({KEY.encode(), PRUNED.encode()})
_QUOTED: dict[bytes, bytes] = {}
_ID = 16
"""Letters of an operation's id: whatever is shorter is a kind, which comes again."""


def _quoted(text: bytes) -> bytes:
    """Write a text as JSON does; kinds come again and again, ids once each."""
    if len(text) >= _ID and text.isalnum() and text.isascii():
        return b'"%b"' % text
    found = json.dumps(text.decode(errors="replace")).encode()
    if len(_QUOTED) < 1000 and len(text) < _ID:  # noqa: PLR2004 (bounds it)
        _QUOTED[text] = found
    return found


def _unsigned(seal: SignedCheckpoint) -> str:
    return f"the signature of the {seal.kind.value} of record {seal.seq} does not hold"


def _chained(previous: bytes, body: bytes) -> bytes:
    return hexlify(sha256(b"%b\n%b" % (previous, body)).digest())


def _number(body: bytes) -> int | None:
    try:
        found = json.loads(body)["seq"]
    except (ValueError, TypeError, KeyError):
        return None
    return found if isinstance(found, int) else None


# --- the witness -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Witnessed:
    """What came of holding the store to the channel.

    Attributes:
        compared: How many checkpoints were found in the store as they stand in the channel.
        older: How many are of records that were removed since.
        keys: By public key, how many are signed with it.
        found: The first one that is not so in the store.
    """

    compared: int
    older: int
    keys: Mapping[str, int]
    found: ChainError | None


def compare(
    seals: Iterable[SignedCheckpoint], lookup: Callable[[int], str | None], removed: int
) -> Witnessed:
    """Hold the store to the checkpoints that its audit channel keeps.

    Args:
        seals: As the channel has them.
        lookup: Gives the hash of a record of the store.
        removed: Number of the last record that was removed for its age.
    """
    compared = older = 0
    keys: dict[str, int] = {}
    last = removed
    for seal in sorted(seals, key=lambda one: one.seq):
        if seal.seq < removed:
            older += 1
            continue
        where = f"the checkpoint of record {seal.seq} in the audit channel"
        if not is_genuine(seal):
            found = ChainError(seal.seq, "forged", f"the signature of {where} does not hold")
            return Witnessed(compared, older, keys, found)
        stands = lookup(seal.seq)
        if stands is None:
            found = ChainError(seal.seq, "cut off", f"there is no record {seal.seq}, but {where}")
            return Witnessed(compared, older, keys, found)
        if stands != seal.hash:
            why = f"{where} has another hash: a record from {last + 1} on was rewritten"
            return Witnessed(compared, older, keys, ChainError(last + 1, "rewritten", why))
        compared, last = compared + 1, seal.seq
        keys[seal.key] = keys.get(seal.key, 0) + 1
    return Witnessed(compared, older, keys, None)


__all__ = [
    "GENESIS",
    "KEY",
    "PRUNED",
    "ChainError",
    "Fact",
    "Lookup",
    "Raw",
    "Record",
    "Report",
    "Witnessed",
    "canonical",
    "compare",
    "digest",
    "fingerprint",
    "verify",
]
