"""The audit log as it is stored at one moment: verified, compared and read."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import sqlalchemy as sa

from bot.audit import copies, verification, witness
from bot.audit.checkpoints import CheckpointKind, SignedCheckpoint
from bot.audit.copies import Compared
from bot.audit.hash_chain import GENESIS, Record
from bot.audit.last_seal import LastSeal
from bot.audit.verifier import ChainError, Report
from bot.audit.witness import ListedMessage, Witnessed
from bot.storage import audit_copies, audit_end, audit_lives, audit_messages, audit_records


class AuditSnapshot:
    """The audit log at one moment, as it is stored."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._removed = audit_end.pruned(connection)
        every = audit_records.checkpoints(connection)
        self.seals = [one for one in every if self._is_listed(one)]
        self._strays = [one for one in every if not self._is_listed(one)]
        self.buried = max(
            (one.seq for one in self.seals if one.kind is CheckpointKind.TOMBSTONE), default=0
        )
        self.last = audit_end.end(connection).seq

    def _is_listed(self, seal: SignedCheckpoint) -> bool:
        """Return whether a seal is no tombstone of which no record says anything."""
        if seal.kind is not CheckpointKind.TOMBSTONE or (seal.seq, seal.hash) in self._removed:
            return True
        # The records of earlier tombstones are gone, and those count no more.
        return seal.seq < max((seq for seq, _ in self._removed), default=0)

    @property
    def span(self) -> float:
        """Seconds between the first record that is kept and the last one."""
        return audit_records.span(self._connection)

    def verify(
        self,
        trusted: Iterable[str],
        progress: Callable[[int], None],
        last_seal: LastSeal | None = None,
    ) -> Report:
        """Verify all records; see `verification.verify`.

        Args:
            last_seal: The last end that was sealed from here, read before this snapshot.
        """
        report = verification.verify(
            lambda: audit_records.raw(self._connection, self.buried),
            lookup=lambda seq: audit_records.raw_one(self._connection, seq),
            checkpoints=self.seals,
            trusted=trusted,
            progress=progress,
            strays=self._strays,
        )
        if report.found is None and last_seal is not None:
            report = replace(report, found=self._differing(last_seal))
        return report

    def _differing(self, last_seal: LastSeal) -> ChainError | None:
        """Return the error where the log does not hold the last end that was sealed from here."""
        seq = last_seal.seq
        found = self._hash(seq)
        if seq < self.buried or found == last_seal.hash:
            return None
        what = "cut off" if found is None else "rewritten"
        why = f"record {seq} is not what was sealed from here: it is an older or another log"
        return ChainError(min(seq, self.last + 1), what, why)

    def first_gap(self) -> ChainError | None:
        """Return the first record that does not follow on what its operation was before."""
        return audit_lives.first_gap(self._connection, pruned=self.buried > 0)

    def compare(self, witnessed: Iterable[SignedCheckpoint]) -> Witnessed:
        """Compare with the checkpoints that the audit channel keeps; see `witness.compare`."""
        return witness.compare(witnessed, self._hash, self.buried)

    def compare_copy(self, lines: Iterable[bytes], *, due_before: float) -> Compared:
        """Compare with a copy; see `copies.compare`."""
        removed = self.buried, self._hash(self.buried) or ""
        stored = audit_copies.stored(self._connection, self.buried)
        return copies.compare(lines, stored, removed, due_before=due_before)

    def listed(self, channel: str, *, since: float, upto: int) -> Iterator[ListedMessage]:
        """Yield the messages that the log lists as posted; see `audit_messages.listed`."""
        return audit_messages.listed(self._connection, channel, since=since, upto=upto)

    def waiting(self, channel: str, *, since: float) -> frozenset[tuple[int, str]]:
        """Return the checkpoints that are still to be posted; see `audit_messages.waiting`."""
        return audit_messages.waiting(self._connection, channel, since=since)

    def hash_before(self, seq: int) -> str:
        """Return the hash that the record with this number follows on."""
        return (self._hash(seq - 1) or GENESIS) if seq > 1 else GENESIS

    def segment(self, first: int, last: int) -> list[Record]:
        """Return the records from one to another, both included."""
        found: list[Record] = []
        with contextlib.closing(audit_records.read(self._connection, after=first - 1)) as records:
            for record in records:
                if record.seq > last:
                    break
                found.append(record)
        return found

    def _hash(self, seq: int) -> str | None:
        record = audit_records.raw_one(self._connection, seq)
        if record is not None:
            return record[5].decode(errors="replace")
        tombstones = (one for one in self.seals if one.kind is CheckpointKind.TOMBSTONE)
        return next((one.hash for one in tombstones if one.seq == seq), None)
