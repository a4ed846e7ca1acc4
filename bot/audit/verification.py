"""Verifies the audit log, whatever seals strangers have put beside it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from bot.audit.checkpoints import CheckpointKind, SignedCheckpoint, fingerprint, is_genuine
from bot.audit.hash_chain import Raw
from bot.audit.verifier import ChainError, Lookup, Report, Verifier


def verify(
    read: Callable[[], Iterable[Sequence[Raw]]],
    *,
    lookup: Lookup,
    checkpoints: Iterable[SignedCheckpoint] = (),
    trusted: Iterable[str] = (),
    progress: Callable[[int], None] = lambda _seq: None,
    strays: Sequence[SignedCheckpoint] = (),
) -> Report:
    """Verify all records from the first, and return the first error.

    Where nothing but seals of strangers is wrong, and the end is vouched for without them, that
    is the error, and the report names them: who can write one row can neither vouch for anything
    nor keep anybody from knowing what holds.

    Args:
        read: Read all records in the order of their numbers.
        checkpoints: All that are stored; of tombstones the newest counts.
        trusted: Public keys that are known to be good. Another is trusted once a checkpoint
            with a trusted key covers the record that names it; without any, the first key
            that the log names is.
        progress: Called with the number of records seen, after each batch.
        strays: Seals that are known to be strangers', and are none of the checkpoints.
    """
    every, given = list(checkpoints), list(trusted)

    def attempt(
        kept: Sequence[SignedCheckpoint], stored: Sequence[SignedCheckpoint]
    ) -> tuple[Verifier, Report]:
        verifier = Verifier(lookup, kept, given, stored=stored)
        return verifier, verifier.run(read(), progress)

    verifier, report = attempt(every, every)
    if report.found is not None:
        # By those whose keys are known without any of the others, which others are strangers'.
        known = given or verifier.keyring.first
        tombstone = CheckpointKind.TOMBSTONE
        genuine = [one for one in every if is_genuine(one)]
        ours = [one for one in genuine if one.key in known or one.kind is tombstone]
        verifier, trial = attempt(ours, every)
        honest = [one for one in genuine if verifier.keyring.vouches(one)]
        if trial.found is not None or len(honest) == len(every):
            return report
        more = [one for one in every if one not in honest]
        _, trial = attempt(honest, honest)
        if trial.found is not None or not any(one.kind is CheckpointKind.HEAD for one in honest):
            return report
        report, strays = trial, [*strays, *more]
    if strays:
        return replace(report, strays=tuple(strays), found=_of_strangers(strays))
    return report


def _of_strangers(strays: Sequence[SignedCheckpoint]) -> ChainError:
    first = min(strays, key=lambda one: one.seq)
    more = f" and {len(strays) - 1} more" if len(strays) > 1 else ""
    why = (
        f"somebody has put a {first.kind.value} of record {first.seq} into the database, with the "
        f"key {fingerprint(first.key)}, for which nobody here vouches{more}; all records are "
        "valid without it (stopstream audit acknowledge --seals)"
    )
    return ChainError(first.seq, "stray seal", why)
