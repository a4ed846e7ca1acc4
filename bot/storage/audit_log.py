"""The audit log: single records, signed checkpoints and retention."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from bot.audit.checkpoints import (
    CheckpointKind,
    SignedCheckpoint,
    fingerprint,
    format_checkpoint,
    is_genuine,
)
from bot.audit.hash_chain import ACKNOWLEDGED, CHECKPOINT, Fact, Record
from bot.clock_skew import ClockSkew
from bot.errors import TamperedRowError, UnreadableRowError
from bot.model.actions import Json
from bot.storage import audit_copies, audit_end, audit_records
from bot.storage.audit_copies import Following
from bot.storage.audit_end import Flaw, tampered
from bot.storage.audit_snapshot import AuditSnapshot
from bot.storage.outbox import Outbox
from bot.storage.session import Session, write
from bot.storage.writer import Transaction

_PRUNED_AT_ONCE = 1000
"""Old records that are removed in one transaction."""

_LONGEST_SILENCE = 86_400.0
"""Seconds since the newest record after which the clock is suspect, for retention."""


@dataclass(frozen=True, slots=True)
class Pruning:
    """What became of the records that are too old.

    Attributes:
        removed: How many are gone.
        left: How many are too old and stay until the next time.
        why: What makes the clock suspect, so that nothing was removed; empty if nothing does.
        flaw: What is wrong with the end of the log, so that nothing was removed; empty likewise.
        uncopied: How many of the old ones a copy lacks; where it lacks any, nothing was removed.
    """

    removed: int = 0
    left: int = 0
    why: str = ""
    flaw: str = ""
    uncopied: int = 0

    @property
    def clock_is_suspect(self) -> bool:
        """Whether nothing was removed, because the clock may be wrong."""
        return bool(self.why)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What became of an acknowledgement, and which `tampered` records are still open."""

    is_recorded: bool
    still_open: tuple[int, ...]


def _suspicion(tx: Transaction, skew: ClockSkew | None) -> str:
    """Return why the store's clock may be wrong; empty if nothing says so."""
    excess = skew.excess(tx.now) if skew else None
    if excess is not None:
        return excess.sentence("the clock")
    latest = audit_records.latest_at(tx.connection)
    if latest is not None and tx.now > latest + _LONGEST_SILENCE:
        return "by the clock, the newest record is more than a day old"
    return ""


def _one_before(before: int, *, was_pruned: bool) -> str:
    """Describe the checkpoint before a new one, by the number of its record; 0 for none."""
    if before:
        return f"the one before is of record {before}."
    # What it is of is not on the trail any more; the channel may still show it.
    return "those before it are of records removed since." if was_pruned else "it is the first one."


class AuditLog:
    """Appends to the audit log and reads it."""

    def __init__(self, session: Session, outbox: Outbox) -> None:
        self.session = session
        self._outbox = outbox

    @write
    def record(self, tx: Transaction, fact: Fact) -> None:
        """Append one record."""
        tx.facts.append(fact)

    @write
    def checkpoint(self, tx: Transaction, *, every: float = 0.0, most: int = 1) -> bool:
        """Sign the end of the log and enqueue that for the audit channel; False if it is early.

        Args:
            every: Seconds between two checkpoints, if there are new records.
            most: How many new records make one due at once.
        """
        if self.session.signer is None:
            return False
        end = self.session.writer.end_of(tx)
        before = audit_records.previous_checkpoint(
            tx.connection, tx.now, end, every=every, most=most
        )
        if before is None or tx.flaw is not None:
            return False
        signed = self.session.signer.sign(CheckpointKind.CHECKPOINT, end.seq, end.hash, tx.now)
        audit_records.put_checkpoint(tx.connection, signed)
        channel = self.session.audit_channel
        facts: dict[str, Json] = {
            "seq": end.seq,
            "hash": end.hash,
            "previous": before,
            "channel": channel,
        }
        tx.facts.append(Fact(CHECKPOINT, "", {n: v for n, v in facts.items() if v}))
        text = (
            f"Checkpoint of the trail: {signed.seq} records, the last one's hash is {signed.hash}, "
            f"sealed with the key {fingerprint(signed.key)}; "
            + _one_before(before, was_pruned=not before and bool(audit_end.pruned(tx.connection)))
        )
        # The message's metadata has its key, and so the channel keeps the whole checkpoint.
        self._outbox.enqueue_audit(tx, format_checkpoint(signed), text)
        return True

    def report_tampering(self, tx: Transaction, flaw: Flaw) -> None:
        """Record and announce that the end of the log is not what was written."""
        owner, why = self.session.owner, flaw.why
        tx.facts.insert(0, tampered(owner, flaw))
        text = (
            f"Somebody has changed the trail behind my back: {why}. Run audit verify; once you "
            "know what happened, audit acknowledge."
        )
        self._outbox.enqueue_audit(tx, f"tampered:{owner}:{tx.now}", text)

    @write
    def acknowledge(
        self, tx: Transaction, records: Sequence[int], facts: Mapping[str, Json]
    ) -> Acknowledgement:
        """Record that somebody has looked into tampering, unless one of the records is unknown.

        Args:
            records: Numbers of `tampered` records that are open.
            facts: Who acknowledges it, and why.
        """
        self.session.writer.end_of(tx)
        open_ = [one.seq for one in audit_records.said_of_itself(tx.connection).unacknowledged()]
        numbers = sorted(set(records))
        if not set(numbers) <= set(open_):
            return Acknowledgement(is_recorded=False, still_open=tuple(open_))
        tx.facts.append(Fact(ACKNOWLEDGED, "", {"records": [*numbers], **facts}))
        text = ", ".join(str(one) for one in numbers)
        self._outbox.enqueue_audit(
            tx,
            f"acknowledged:{self.session.owner}:{tx.now}",
            f"What the trail says of tampering, record {text}, was looked into by "
            f"{facts.get('user')}: {facts.get('reason')}",
        )
        left = tuple(one for one in open_ if one not in numbers)
        return Acknowledgement(is_recorded=True, still_open=left)

    async def acknowledge_seals(self, facts: Mapping[str, Json]) -> int:
        """Remove the seals of strangers, which stay in a record, and return how many there were.

        Args:
            facts: Who does that, and why.
        """
        signer = self.session.signer

        def find(connection: sa.Connection) -> Sequence[SignedCheckpoint]:
            known = [signer.public] if signer else []
            return AuditSnapshot(connection).verify(known, lambda _seq: None).strays

        gone: int = await self._remove_seals(await self.session.read(find), facts)
        return gone

    @write
    def _remove_seals(
        self, tx: Transaction, strays: Sequence[SignedCheckpoint], facts: Mapping[str, Json]
    ) -> int:
        gone = audit_records.remove_seals(tx.connection, strays)
        if gone:
            removed: list[Json] = [format_checkpoint(one) for one in strays]
            tx.facts.append(Fact(ACKNOWLEDGED, "", {"seals": removed, **facts}))
            text = (
                f"Somebody had put {gone} seals of their own beside the trail; "
                f"{facts.get('user')} has looked into it and removed them: {facts.get('reason')}"
            )
            key = f"acknowledged:{self.session.owner}:{tx.now}"
            self._outbox.enqueue_audit(tx, key, text)
        return gone

    @write
    def report_unreadable(self, tx: Transaction, errors: Sequence[UnreadableRowError]) -> None:
        """Record and announce rows that cannot be decoded, each once."""
        for error in (one for one in errors if not isinstance(one, TamperedRowError)):
            fact = Fact("unreadable", error.operation, {"table": error.table, "row": error.row})
            if audit_records.has(tx.connection, fact):
                continue
            tx.facts.append(replace(fact, facts={**fact.facts, "why": error.why}))
            key = f"unreadable:{error.table}:{error.row}"
            text = f"Something stored is quarantined and is not run: {error}."
            self._outbox.enqueue_audit(tx, key, text)
        self._report_tampered(tx, [one for one in errors if isinstance(one, TamperedRowError)])

    def _report_tampered(self, tx: Transaction, errors: Sequence[TamperedRowError]) -> None:
        """Record rows that somebody else has written, each once; announce them in one message."""
        new = []
        for error in errors:
            fact = Fact("tampered", error.operation, {"table": error.table, "row": error.row})
            if not audit_records.has(tx.connection, fact):
                tx.facts.append(replace(fact, facts={**fact.facts, "why": error.why}))
                new.append(error)
        if new:
            more = f" and {len(new) - 1} more" if len(new) > 1 else ""
            found = f"{new[0]}{more}"
            text = f"Somebody else has written to my database; nothing of it is run: {found}."
            self._outbox.enqueue_audit(tx, f"tampered:{new[0].table}:{new[0].row}", text)

    async def key(self) -> str:
        """Return the public key that the log is sealed with; empty if it has no seals."""
        return await self.session.read(audit_end.trail_key)

    async def seal(self) -> str:
        """Return the signed end, for a message; empty unless this process has the key of it."""
        found = await self.session.read(audit_end.end)
        head, signer = found.head, self.session.signer
        # What nobody has signed with this key is not what a message may vouch for.
        if signer is None or head is None or not found.is_signed or head.key != signer.public:
            return ""
        return format_checkpoint(head) if is_genuine(head) else ""

    async def following(self, seq: int, hash_: str, limit: int) -> Following:
        """Return what follows on the last record of a copy; see `audit_copies.following`."""
        return await self.session.read(
            lambda connection: audit_copies.following(connection, seq, hash_, limit)
        )

    async def prune(
        self,
        keep: float,
        *,
        force: bool = False,
        skew: ClockSkew | None = None,
        copied: int | None = None,
    ) -> Pruning:
        """Remove records older than `keep` seconds, behind a tombstone.

        They are removed a few at a time, so that other writes wait little. At most a tenth of the
        log goes at once, and none while the clock may be wrong: the newest record is older than a
        day by it, or a service that the bot talks to has another time. None either while a copy
        lacks one that is due.

        Args:
            force: Remove all of them, whatever the clock says.
            skew: Knows what time it is elsewhere; None: nobody does.
            copied: Number of the last record that every copy has; None: there is no copy.
        """
        pruning = await self._add_tombstone(keep, skew, copied, force=force)
        if pruning.why or pruning.flaw or pruning.uncopied:
            return pruning
        total = 0
        while gone := await self._forget():
            total += gone
        return replace(pruning, removed=total)

    @write
    def _add_tombstone(
        self,
        tx: Transaction,
        keep: float,
        skew: ClockSkew | None,
        copied: int | None,
        *,
        force: bool,
    ) -> Pruning:
        """Return how many old records stay for now, or why all of them do."""
        if self.session.signer is None:
            return Pruning()
        end = self.session.writer.end_of(tx)
        if tx.flaw is not None:
            return Pruning(flaw=tx.flaw.why)
        if not force and (suspicion := _suspicion(tx, skew)):
            return Pruning(why=suspicion)
        old = audit_records.old(tx.connection, before=tx.now - keep, last=end.seq)
        if copied is not None and old.due > max(copied, old.buried):
            return Pruning(uncopied=old.due - max(copied, old.buried))
        fact, left = audit_records.prune(
            tx.connection, tx.now, self.session.signer, old=old, last=end.seq, all_at_once=force
        )
        if fact is not None:
            tx.facts.append(fact)
        return Pruning(left=left)

    @write
    def _forget(self, tx: Transaction) -> int:
        key = self.session.signer.public if self.session.signer else ""
        return audit_records.forget(tx.connection, _PRUNED_AT_ONCE, key)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[AuditSnapshot]:
        """Open the log as it is stored, to verify it. Blocks: for terminals."""
        with self.session.reading(isolation_level="REPEATABLE READ") as connection:
            yield AuditSnapshot(connection)

    @contextlib.contextmanager
    def records(self, **criteria: Any) -> Iterator[Iterator[Record]]:
        """Stream records, by the arguments of `audit_records.read`. Blocks: for terminals."""
        with (
            self.session.reading() as connection,
            contextlib.closing(audit_records.read(connection, **criteria)) as records,
        ):
            yield records
