"""`stopstream audit prune`: remove old records, as the bot's own retention does."""

import argparse
from collections.abc import Sequence

from bot.cli.other_clocks import ask_clocks
from bot.cli.output import DONE, FAILED, complain, counted, say
from bot.cli.settings import Settings
from bot.cli.wiring import open_copies
from bot.clock_skew import ClockSkew
from bot.errors import ConfigError, SinkError
from bot.operations.audit_sink import Copy
from bot.storage.audit_log import Pruning
from bot.storage.store import Store
from bot.times import parse_duration


async def prune(store: Store, settings: Settings, options: argparse.Namespace) -> int:
    """Remove records that are old and that every copy has, and record up to where.

    Raises:
        ConfigError: How long records are kept is not said, or cannot be read.
        StoreError: The database does not answer.
    """
    text, keep = _keep(settings, options)
    copies = open_copies(settings, store)
    try:
        copied = await _copied(copies)
    except SinkError as error:
        complain(f"nothing was removed: {error}")
        return FAILED
    pruning = await store.audit_log.prune(
        keep, force=options.force, skew=await _skew(settings, options), copied=copied
    )
    if why := _hindrance(pruning, copies):
        complain(f"nothing was removed: {why}")
        return FAILED
    if not pruning.removed:
        say(f"nothing to remove: no record that may go is older than {text}")
        return DONE
    more = f"; {pruning.left} more are due: run it again, or with --force" if pruning.left else ""
    say(f"{counted(pruning.removed, 'record')} removed, behind a tombstone{more}")
    return DONE


def _keep(settings: Settings, options: argparse.Namespace) -> tuple[str, float]:
    """Return how long records are kept, as it was written and in seconds.

    Raises:
        ConfigError: It is not said, or cannot be read.
    """
    text = options.keep or settings.audit_keep
    if not text:
        raise ConfigError(
            ["--keep: is missing, and so is STOPSTREAM_AUDIT_KEEP; write for example --keep 400d"]
        )
    try:
        return text, parse_duration(text)
    except ValueError as error:
        where = "--keep" if options.keep else "STOPSTREAM_AUDIT_KEEP"
        raise ConfigError([f"{where}: {error}"]) from None


async def _skew(settings: Settings, options: argparse.Namespace) -> ClockSkew | None:
    """Return what other clocks say; None where it does not matter."""
    if options.force:
        return None
    skew = await ask_clocks(settings)
    if not skew.each():
        complain("neither Slack nor Tencent Cloud said what time it is, so that was not compared")
    return skew


async def _copied(copies: Sequence[Copy]) -> int | None:
    """Return the number of the last record that every copy has; None where there is no copy.

    Raises:
        SinkError: One cannot be read, or is of another trail.
        StoreError: The database does not answer.
    """
    taken = [await one.taken() for one in copies]
    return min((seq for seq in taken if seq is not None), default=None)


def _hindrance(pruning: Pruning, copies: Sequence[Copy]) -> str:
    """Return why nothing was removed although it is old; empty where nothing was in the way."""
    if pruning.clock_is_suspect:
        return f"{pruning.why}; check the clock, and add --force if it is right"
    if pruning.flaw:
        return f"the trail is not as it was written: {pruning.flaw}; run stopstream audit verify"
    if pruning.uncopied:
        names = " and ".join(one.name for one in copies)
        return (
            f"{pruning.uncopied} of the records that are due are not at {names} yet; the running "
            "bot copies them, and its /readyz says what is in the way"
        )
    return ""
