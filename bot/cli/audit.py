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
from bot.cli.audit_prune import prune
from bot.cli.audit_show import show, tail
from bot.cli.audit_statement import write_statement
from bot.cli.audit_verify import verify
from bot.cli.output import DONE, one_line, say
from bot.cli.settings import Settings
from bot.cli.wiring import open_store
from bot.errors import ConfigError
from bot.storage.store import Store
from bot.times import parse_duration

Command: TypeAlias = Callable[[Settings, argparse.Namespace], Awaitable[int]]

StoreCommand: TypeAlias = Callable[[Store, Settings, argparse.Namespace], Awaitable[int]]


async def run(settings: Settings, options: argparse.Namespace) -> int:
    """Run one command of `stopstream audit` and return its exit code.

    Raises:
        ConfigError: An option cannot be read, or a setting is missing.
        StoreError: The database does not answer.
    """
    return await _COMMANDS[options.what](settings, options)


def _with_store(work: StoreCommand, *, with_signer: bool = True) -> Command:
    """Return a command that opens the database for its work, and closes it.

    Args:
        with_signer: What only reads needs no key, and so makes none.
    """

    async def command(settings: Settings, options: argparse.Namespace) -> int:
        store = open_store(settings, with_signer=with_signer)
        try:
            return await work(store, settings, options)
        finally:
            await store.close()

    return command


async def _tail(store: Store, _settings: Settings, options: argparse.Namespace) -> int:
    return tail(store, since=_parse_since(options.since), count=options.n)


async def _show(store: Store, _settings: Settings, options: argparse.Namespace) -> int:
    return show(store, options.id)


async def _export(store: Store, _settings: Settings, options: argparse.Namespace) -> int:
    since, until = _parse_since(options.since), _parse_since(options.until)
    return await export(store, as_format=options.format, since=since, until=until)


async def _follow(store: Store, _settings: Settings, options: argparse.Namespace) -> int:
    return await follow(store, after=options.after, as_json=options.json)


async def _acknowledge(store: Store, _settings: Settings, options: argparse.Namespace) -> int:
    return await acknowledge(store, options)


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


async def _checkpoint(store: Store, _settings: Settings, _options: argparse.Namespace) -> int:
    """Sign where the audit log ends now; the bot posts it."""
    made = await store.audit_log.checkpoint()
    say("sealed; the bot posts it" if made else "there is nothing new since the last checkpoint")
    return DONE


_COMMANDS: Mapping[str, Command] = {
    "verify": verify,
    "show": _with_store(_show, with_signer=False),
    "tail": _with_store(_tail, with_signer=False),
    "export": _with_store(_export),
    "bundle": _with_store(write_bundle),
    "statement": _with_store(write_statement),
    "follow": _with_store(_follow),
    "checkpoint": _with_store(_checkpoint),
    "acknowledge": _with_store(_acknowledge),
    "rotate-key": rotate_key,
    "prune": _with_store(prune),
}
"""By name; those without `_with_store` choose the key themselves."""
