"""Changes of the key that seals the audit log."""

from collections.abc import Mapping

import sqlalchemy as sa

from bot.audit.checkpoints import CheckpointKind, Signer
from bot.audit.hash_chain import FORMAT, KEY, Fact
from bot.audit.last_seal import LastSealFile
from bot.errors import StrangeKeyError
from bot.model.actions import Json
from bot.storage import alert_rows, audit_end, audit_records
from bot.storage.audit_end import EndGuard, Flaw, abandoned_flaw, tampered
from bot.storage.message_integrity import recode
from bot.storage.row_macs import RowMacs
from bot.storage.session import Session, write
from bot.storage.tables import seals
from bot.storage.writer import Transaction


class KeyChanges:
    """Replaces the key of the audit log, in a record that the former key signs.

    Args:
        session: Without a signer: the records are sealed here.
        last_seal: What is known outside the database of the end of the log.
    """

    def __init__(self, session: Session, last_seal: LastSealFile | None = None) -> None:
        self.session = session
        self._last_seal = last_seal

    @write
    def change(
        self,
        tx: Transaction,
        successor: Signer,
        *,
        former: Signer | None,
        facts: Mapping[str, Json],
    ) -> Flaw | None:
        """Have another key seal the log from now on, and return what was wrong with its end.

        Args:
            former: The key until now; None abandons it, and says so in the record.
            facts: Who does that, and why.

        Raises:
            StrangeKeyError: The log has another key than `former`, or none, or has had the
                successor before.
        """
        key = audit_end.trail_key(tx.connection)
        if not key or (former is not None and former.public != key):
            raise StrangeKeyError(audit_end.strange_key(key, former.public if former else ""))
        if _is_used(tx.connection, successor.public, is_signed=former is not None):
            raise StrangeKeyError(audit_end.used_key(successor.public))
        end = audit_end.end(tx.connection)
        if former is not None:
            flaw = EndGuard(key, self._last_seal).flaw(tx.connection, end)
        else:
            flaw = abandoned_flaw(tx.connection, end, successor.public, self._last_seal)
            if flaw is None and end.head is not None:
                audit_records.keep_head(tx.connection, end.head)
        signer = former or successor
        if flaw is not None:
            fact = tampered(self.session.owner, flaw)
            end = audit_records.append(tx.connection, tx.now, [fact], signer, end, is_sound=False)
        said: dict[str, Json] = {**facts, "key": successor.public, "format": FORMAT}
        if former is None:
            said["abandoned"] = key
        else:
            said["previous"] = key
            said["signature"] = former.sign_successor(successor.public, end.seq + 1, end.hash)
        end = audit_records.append(tx.connection, tx.now, [Fact(KEY, "", said)], signer, end)
        if former is not None:
            at = tx.now
            audit_records.keep_head(
                tx.connection, former.sign(CheckpointKind.HEAD, end.seq, end.hash, at)
            )
            head = successor.sign(CheckpointKind.HEAD, end.seq, end.hash, at)
            audit_records.put_head(tx.connection, head, is_first=False)
            recode(tx, former, successor)
            alert_rows.recode(tx, RowMacs(former), RowMacs(successor))
        return flaw


def _is_used(connection: sa.Connection, key: str, *, is_signed: bool) -> bool:
    """Return whether the log has had a key before, so that it cannot be a successor.

    Args:
        is_signed: The change is signed by the key of now. Else that one may be a stranger's, and
            the key one that nobody has replaced: then only what it signed itself counts.
    """
    if not is_signed:
        return audit_end.is_replaced(connection, key)
    sealed = sa.select(seals.c.seq).where(seals.c.key == key).limit(1)
    changes = audit_end.key_changes(connection)
    return connection.execute(sealed).first() is not None or any(
        key in (one.former, one.key) for one in changes
    )
