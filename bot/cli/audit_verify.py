"""`stopstream audit verify`: whether every record of the audit log is as it was written."""

import argparse
from collections.abc import Iterable

from bot.audit.checkpoints import fingerprint, is_key
from bot.audit.last_seal import LastSeal
from bot.audit.signing_key import load_public_key
from bot.audit.verifier import ChainError, Report
from bot.cli.audit_copy import compare_with_copy, open_copy
from bot.cli.audit_witness import compare_with_channel, read_channel
from bot.cli.output import DONE, FAILED, Progress, complain, counted, one_line, say
from bot.cli.settings import Settings
from bot.cli.wiring import last_seal_file, open_store
from bot.errors import ConfigError, DirectoryError
from bot.storage.audit_snapshot import AuditSnapshot


async def verify(settings: Settings, options: argparse.Namespace) -> int:
    """Verify the chain, and compare it with the audit channel if asked."""
    trusted = _trusted_keys(settings, options.trust)
    # Before the snapshot: the file is written after each commit, so it is never newer than that.
    last_seal = last_seal_file(settings).read()
    # Without a signer: to verify an audit log must not create a key for it.
    store = open_store(settings, with_signer=False)
    try:
        channel = await read_channel(settings, store, options) if options.against_channel else None
        with open_copy(options.against) as copy, store.audit_log.snapshot() as audited:
            report = _verify_chain(audited, trusted, last_seal)
            errors = [report.found or _verify_lives(audited)]
            if channel is not None:
                errors.append(compare_with_channel(audited, report, channel))
            if copy is not None:
                errors.append(compare_with_copy(audited, copy))
            return FAILED if any(errors) else DONE
    except DirectoryError as error:
        complain(f"nothing was verified: the audit channel cannot be read now: {error}")
        return FAILED
    finally:
        await store.close()


def _trusted_keys(settings: Settings, more: Iterable[str]) -> list[str]:
    wrong = [key for key in more if not is_key(key)]
    if wrong:
        raise ConfigError([f'--trust: "{one_line(wrong[0])[:60]}" is no public key'])
    own = load_public_key(settings.audit_key, settings.key_file)
    return [key for key in (own, *settings.audit_trust, *more) if key]


def _verify_chain(
    audited: AuditSnapshot, trusted: Iterable[str], last_seal: LastSeal | None
) -> Report:
    progress = Progress("verifying", audited.buried, audited.last)
    report = audited.verify(trusted, progress, last_seal)
    progress.done()
    error = report.found
    if error is None:
        say(f"all {counted(report.count, 'record')} verified" if report.count else "no records yet")
        if report.sealed:
            by = ", ".join(fingerprint(key) for key in report.keys)
            say(f"sealed up to record {report.sealed}, by {by}")
    else:
        say(
            f"broken at record {error.seq}: {error.what}: {error.why}; "
            f"the {report.count} before it are intact"
        )
    say(*(f"note: {note}" for note in report.notes))
    return report


def _verify_lives(audited: AuditSnapshot) -> ChainError | None:
    """Look for what was sent, or decided, of an operation that nobody asked for or let pass."""
    error = audited.first_gap()
    if error is not None:
        say(f"broken at record {error.seq}: {error.what}: {error.why}")
    return error
