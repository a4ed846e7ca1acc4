"""Compares the trail with what stands in the audit channel, for `stopstream audit verify`."""

import argparse
import time
from dataclasses import dataclass

from bot.audit.checkpoints import fingerprint
from bot.audit.statements import is_forged
from bot.audit.verifier import ChainError, Report
from bot.audit.witness import PostedMessage, unsaid
from bot.cli.output import counted, say
from bot.cli.settings import Settings
from bot.errors import ConfigError, DirectoryError
from bot.storage.audit_snapshot import AuditSnapshot
from bot.storage.store import Store
from bot.times import parse_duration
from handlers.slack.api_calls import CallError, Refused
from handlers.slack.web_client import connect, web_client
from handlers.slack.witness_reader import posted_messages


@dataclass(frozen=True, slots=True)
class ChannelReading:
    """The audit channel, and what must stand in it.

    Attributes:
        upto: Number of the last record when the reading began: what records up to it list as
            posted was there.
        waiting: Number and hash of the checkpoints that were still to be posted then.
        since: Epoch seconds of what the channel still keeps.
        due_within: Seconds within which a running bot posts something.
    """

    channel: str
    messages: list[PostedMessage]
    upto: int
    waiting: frozenset[tuple[int, str]]
    since: float
    due_within: float


async def read_channel(
    settings: Settings, store: Store, options: argparse.Namespace
) -> ChannelReading:
    """Read the audit channel.

    Raises:
        ConfigError: A setting is missing, or Slack refuses to return its messages.
        DirectoryError: Slack does not answer now.
    """
    token, channel = settings.slack_bot_token, settings.audit_channel
    problems = [] if token else ["SLACK_BOT_TOKEN: is missing; --against-channel needs it"]
    if not channel:
        problems.append("STOPSTREAM_AUDIT_CHANNEL: is missing; --against-channel needs it")
    if token is None or problems:
        raise ConfigError(problems)
    since = _kept_since(options.channel_keeps)
    due_within = 2 * parse_duration(settings.audit_checkpoint)
    with store.audit_log.snapshot() as before:
        upto = before.last
        waiting = before.waiting(channel, since=time.time() - due_within)
    async with web_client(token.get_secret_value(), settings.slack_api_url) as client:
        try:
            identity = await connect(client)
            messages = await posted_messages(client, channel, identity.bot)
        except CallError as error:
            if isinstance(error.outcome, Refused) and error.outcome.code != "ratelimited":
                raise ConfigError([f"the audit channel cannot be read: {error}"]) from None
            raise DirectoryError(str(error)) from None
    return ChannelReading(channel, messages, upto, waiting, since, due_within)


def _kept_since(keeps: str) -> float:
    try:
        return time.time() - parse_duration(keeps) if keeps else 0.0
    except ValueError as error:
        raise ConfigError([f"--channel-keeps: {error}"]) from None


def compare_with_channel(
    audited: AuditSnapshot, report: Report, reading: ChannelReading
) -> ChainError | None:
    """Compare the database with what somebody who alters it cannot alter, and the reverse."""
    seals = [one.seal for one in reading.messages if one.seal is not None]
    result = audited.compare(seals)
    if result.found is not None:
        error = result.found
        say(f"the channel says otherwise, at record {error.seq}: {error.what}: {error.why}")
        return error
    listed = audited.listed(reading.channel, since=reading.since, upto=reading.upto)
    # What somebody else has written lists nothing.
    ours = (one for one in listed if not is_forged(one.record, report.tampering))
    lacking = unsaid(reading.messages, ours, reading.waiting)
    if lacking is not None:
        say(f"the channel has lost what record {lacking.seq} lists: {lacking.what}: {lacking.why}")
        return lacking
    if reading.waiting:
        say(f"note: still to be posted: {counted(len(reading.waiting), 'checkpoint')}")
    if not result.compared:
        return _nothing_compared(audited, reading)
    by = ", ".join(fingerprint(key) for key in sorted(result.keys))
    say(f"the audit channel agrees: {counted(result.compared, 'message')}, by {by}")
    if result.older:
        say(f"note: {result.older} more are of records that were removed since")
    return None


def _nothing_compared(audited: AuditSnapshot, reading: ChannelReading) -> ChainError | None:
    nothing = "the audit channel has nothing to hold the records to"
    if audited.span <= reading.due_within:
        say(f"note: {nothing}")
        return None
    say(f"{nothing}, though the bot posts a checkpoint at every interval")
    return ChainError(audited.last, "missing", nothing)
