"""Changes of the key that seals the audit log."""

from collections.abc import Mapping

from bot.audit.checkpoints import CheckpointKind, Signer, is_genuine
from bot.audit.hash_chain import FORMAT, KEY, Fact
from bot.audit.last_seal import LastSealFile
from bot.errors import StrangeKeyError
from bot.model.actions import Json
from bot.storage import audit_end, audit_records
from bot.storage.audit_end import EndGuard, Flaw, tampered
from bot.storage.session import Session, write
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
            StrangeKeyError: The log has another key than `former`, or none.
        """
        key = audit_end.trail_key(tx.connection)
        if not key or (former is not None and former.public != key):
            raise StrangeKeyError(audit_end.strange_key(key, former.public if former else ""))
        end = audit_end.end(tx.connection)
        flaw = EndGuard(key, self._last_seal).flaw(tx.connection, end)
        if former is None and end.head is not None and end.is_signed and is_genuine(end.head):
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
        return flaw
