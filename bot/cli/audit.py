"""`stopstream audit`: verify, show, export and prune the audit log."""

import argparse
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import TypeAlias

from bot.cli.audit_bundle import write_bundle
from bot.cli.audit_export import export
from bot.cli.audit_follow import follow
from bot.cli.audit_keys import acknowledge, rotate_key
from bot.cli.audit_show import show, tail
from bot.cli.audit_statement import write_statement
from bot.cli.audit_verify import verify
from bot.cli.output import DONE, FAILED, complain, one_line, say
from bot.cli.settings import Settings
from bot.cli.wiring import open_store
from bot.errors import ConfigError
from bot.storage.store import Store
from bot.times import parse_duration

Command: TypeAlias = Callable[[Settings, argparse.Namespace], Awaitable[int]]

_READS = frozenset({"tail", "show"})
"""Commands that need no key, and so make none."""


_OPEN_THEMSELVES: Mapping[str, Command] = {"verify": verify, "rotate-key": rotate_key}
"""Commands that choose the key themselves."""


_OF_STORE: Mapping[str, Callable[[Store, argparse.Namespace], Awaitable[int]]] = {
    "acknowledge": acknowledge,
    "bundle": write_bundle,
}
"""Commands that need the store alone."""


async def run(settings: Settings, options: argparse.Namespace) -> int:
    """Run one command of `stopstream audit` and return its exit code.

    Raises:
        ConfigError: An option cannot be read, or a setting is missing.
        StoreError: The database does not answer.
    """
    if options.what in _OPEN_THEMSELVES:
        return await _OPEN_THEMSELVES[options.what](settings, options)
    with_signer = options.what not in _READS
    store = open_store(settings, with_signer=with_signer, may_create=False)
    try:
        return await _run(store, settings, options)
    finally:
        await store.close()


async def _run(store: Store, settings: Settings, options: argparse.Namespace) -> int:
    """Run one of the commands that use the store."""
    if options.what in _OF_STORE:
        return await _OF_STORE[options.what](store, options)
    if options.what in _OF_SETTINGS:
        return await _OF_SETTINGS[options.what](store, settings, options)
    match options.what:
        case "tail" | "show":
            return _print(store, options)
        case "export":
            since, until = _parse_since(options.since), _parse_since(options.until)
            return await export(store, as_format=options.format, since=since, until=until)
        case "follow":
            return await follow(store, after=options.after, as_json=options.json)
        case _:
            return await _checkpoint(store)


def _print(store: Store, options: argparse.Namespace) -> int:
    """Run one of the commands that only read."""
    if options.what == "tail":
        return tail(store, since=_parse_since(options.since), count=options.n)
    return show(store, options.id)


def _parse_since(text: str) -> float:
    """Return the time that a duration or a date means, as epoch seconds; 0 for everything.

    Raises:
        ConfigError: It is neither.
    """
    if not text:
        return 0.0
    try:
        return time.time() - parse_duration(text)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        wrong = one_line(text)[:60]
        raise ConfigError([f'"{wrong}" is neither like 24h nor like 2026-11-20']) from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


async def _checkpoint(store: Store) -> int:
    """Sign where the audit log ends now; the bot posts it."""
    made = await store.audit_log.checkpoint()
    say("sealed; the bot posts it" if made else "there is nothing new since the last checkpoint")
    return DONE


async def _prune(store: Store, settings: Settings, options: argparse.Namespace) -> int:
    """Remove old records, and record up to where."""
    text = options.keep or settings.audit_keep
    try:
        keep = parse_duration(text)
    except ValueError as error:
        where = "--keep" if options.keep else "STOPSTREAM_AUDIT_KEEP"
        raise ConfigError([f"{where}: {error}"]) from None
    pruning = await store.audit_log.prune(keep, force=options.force)
    if pruning.clock_is_suspect:
        complain(
            f"nothing was removed: {pruning.why}; check the clock, and add --force if it is right"
        )
        return FAILED
    more = f"; {pruning.left} more are due: run it again, or with --force" if pruning.left else ""
    say(f"{pruning.removed} records removed, behind a tombstone{more}")
    return DONE


_OF_SETTINGS: Mapping[str, Callable[[Store, Settings, argparse.Namespace], Awaitable[int]]] = {
    "statement": write_statement,
    "prune": _prune,
}
"""Commands that need the store and a setting."""
