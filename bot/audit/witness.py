"""Compares the store with the checkpoints in its audit channel, which the database cannot alter."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bot.audit.checkpoints import SignedCheckpoint, is_genuine
from bot.audit.verifier import ChainError


@dataclass(frozen=True, slots=True)
class Witnessed:
    """The result of comparing the store with the checkpoints of the audit channel.

    Attributes:
        compared: How many checkpoints match the store.
        older: How many belong to records that have been removed since.
        keys: Number of matching checkpoints by public key.
        found: The first one that does not match.
    """

    compared: int
    older: int
    keys: Mapping[str, int]
    found: ChainError | None


def compare(
    checkpoints: Iterable[SignedCheckpoint], lookup: Callable[[int], str | None], removed: int
) -> Witnessed:
    """Compare the store with the checkpoints that were posted to the audit channel.

    Args:
        checkpoints: As read from the channel.
        lookup: Returns the hash of a stored record.
        removed: Number of the last record that was removed for its age.
    """
    compared = older = 0
    keys: dict[str, int] = {}
    last = removed
    for checkpoint in sorted(checkpoints, key=lambda one: one.seq):
        if checkpoint.seq < removed:
            older += 1
            continue
        where = f"the checkpoint of record {checkpoint.seq} in the audit channel"
        if not is_genuine(checkpoint):
            found = ChainError(checkpoint.seq, "forged", f"the signature of {where} does not hold")
            return Witnessed(compared, older, keys, found)
        stored = lookup(checkpoint.seq)
        if stored is None:
            found = ChainError(
                checkpoint.seq, "cut off", f"there is no record {checkpoint.seq}, but {where}"
            )
            return Witnessed(compared, older, keys, found)
        if stored != checkpoint.hash:
            why = f"{where} has another hash: a record from {last + 1} on was rewritten"
            return Witnessed(compared, older, keys, ChainError(last + 1, "rewritten", why))
        compared, last = compared + 1, checkpoint.seq
        keys[checkpoint.key] = keys.get(checkpoint.key, 0) + 1
    return Witnessed(compared, older, keys, None)
