"""`stopstream audit verify`: whether every record of the audit log is as it was written."""

import argparse
from collections.abc import Iterable

from bot.audit.checkpoints import SignedCheckpoint, fingerprint, is_key
from bot.audit.last_seal import LastSeal
from bot.audit.signing_key import load_public_key
from bot.audit.verifier import ChainError
from bot.cli.output import DONE, FAILED, Progress, one_line, say
from bot.cli.settings import Settings
from bot.cli.wiring import last_seal_file, open_store
from bot.errors import ConfigError, DirectoryError
from bot.storage.audit_log import AuditSnapshot
from handlers.slack.api_calls import CallError
from handlers.slack.checkpoint_reader import witnessed
from handlers.slack.web_client import connect, web_client


async def verify(settings: Settings, options: argparse.Namespace) -> int:
    """Verify the chain, and compare it with the checkpoints in the audit channel if asked."""
    trusted = _trusted_keys(settings, options.trust)
    # Before the snapshot: the file is written after each commit, so it is never newer than that.
    last_seal = last_seal_file(settings).read()
    checkpoints = await _posted_checkpoints(settings) if options.against_channel else None
    # Without a signer: to verify an audit log must not create a key for it.
    store = open_store(settings, with_signer=False)
    try:
        with store.audit_log.snapshot() as audited:
            error = _verify_chain(audited, trusted, last_seal) or _verify_lives(audited)
            if checkpoints is not None:
                error = _compare(audited, checkpoints) or error
            return FAILED if error else DONE
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
) -> ChainError | None:
    progress = Progress("verifying", audited.buried, audited.last)
    report = audited.verify(trusted, progress, last_seal)
    progress.done()
    error = report.found
    if error is None:
        say(f"every record holds: {report.count} of {report.count}")
        if report.sealed:
            by = ", ".join(fingerprint(key) for key in report.keys)
            say(f"sealed up to record {report.sealed}, by {by}")
    else:
        say(
            f"broken at record {error.seq}: {error.what}: {error.why}; "
            f"the {report.count} before it hold"
        )
    say(*(f"note: {note}" for note in report.notes))
    return error


def _verify_lives(audited: AuditSnapshot) -> ChainError | None:
    """Look for what was sent, or decided, of an operation that nobody asked for or let pass."""
    error = audited.first_gap()
    if error is not None:
        say(f"broken at record {error.seq}: {error.what}: {error.why}")
    return error


async def _posted_checkpoints(settings: Settings) -> list[SignedCheckpoint]:
    """Return the checkpoints that the bot has posted in the audit channel."""
    token = settings.slack_bot_token
    problems = [] if token else ["SLACK_BOT_TOKEN: is missing; --against-channel needs it"]
    if not settings.audit_channel:
        problems.append("STOPSTREAM_AUDIT_CHANNEL: is missing; --against-channel needs it")
    if token is None or problems:
        raise ConfigError(problems)
    async with web_client(token.get_secret_value(), settings.slack_api_url) as client:
        try:
            identity = await connect(client)
            return await witnessed(client, settings.audit_channel, identity.bot)
        except (DirectoryError, CallError) as error:
            raise ConfigError([f"the audit channel cannot be read: {error}"]) from None


def _compare(audited: AuditSnapshot, checkpoints: Iterable[SignedCheckpoint]) -> ChainError | None:
    """Compare the database with the checkpoints that somebody who alters it cannot alter."""
    result = audited.compare(checkpoints)
    if result.found is not None:
        error = result.found
        say(f"the channel says otherwise, at record {error.seq}: {error.what}: {error.why}")
        return error
    if not result.compared:
        say("note: the audit channel has no checkpoint to hold the records to")
        return None
    by = ", ".join(fingerprint(key) for key in sorted(result.keys))
    say(f"the audit channel agrees: {result.compared} checkpoints, by {by}")
    if result.older:
        say(f"note: {result.older} more are of records that were removed since")
    return None
