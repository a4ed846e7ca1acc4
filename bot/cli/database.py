"""`stopstream db`: the schema of the database, its upgrade, and a copy of it."""

import argparse
import asyncio
from pathlib import Path

from bot.cli.output import DONE, FAILED, say
from bot.cli.settings import Settings
from bot.errors import ConfigError
from bot.release import version
from bot.storage import backup, database
from bot.storage.database import HEAD, OLDEST, Schema


async def run(settings: Settings, options: argparse.Namespace) -> int:
    """Run one command of `stopstream db` and return its exit code.

    Raises:
        ConfigError: The address or the file of the copy cannot be used.
        StoreError: The database does not answer, or the copy could not be made.
    """
    match options.what:
        case "status":
            return _status(settings)
        case "upgrade":
            return _upgrade(settings)
        case _:
            return await asyncio.to_thread(_backup, settings, Path(options.file))


def _status(settings: Settings) -> int:
    """Print the schemas of the database and of this release; change nothing."""
    found = _found(settings)
    say(
        f"release   {version()}, schema {HEAD}; works beside releases from {OLDEST} on",
        f"database  schema {found}"
        + (f", for releases from {found.oldest} on" * bool(found.oldest)),
        f"next      {_next_step(found)}",
    )
    return DONE if found.is_usable or found.current is None else FAILED


def _found(settings: Settings) -> Schema:
    engine = database.connect(settings.database_url)
    try:
        return database.schema(engine)
    finally:
        engine.dispose()


def _next_step(found: Schema) -> str:
    if found.is_usable and found.is_newer:
        return "nothing to do; a newer release has upgraded it, and lets this one use it"
    return found.next_step or "nothing to do"


def _upgrade(settings: Settings) -> int:
    engine = database.connect(settings.database_url)
    try:
        before = database.schema(engine)
        if before.is_newer:
            # Says what to do.
            database.prepare(engine)
        database.migrate(engine)
        after = database.schema(engine)
    finally:
        engine.dispose()
    say(f"schema {after}, nothing to do" if before == after else f"schema {before} → {after}")
    return DONE


def _backup(settings: Settings, file: Path) -> int:
    if file.exists():
        raise ConfigError([f"{file}: is there already; name a new file"])
    if not file.parent.is_dir():
        raise ConfigError([f"{file}: the folder does not exist"])
    found = _found(settings)
    if found.current is None:
        raise ConfigError(["STOPSTREAM_DATABASE_URL: has no tables, so there is nothing to copy"])
    size = backup.write(settings.database_url, file)
    key = "STOPSTREAM_AUDIT_KEY" if settings.audit_key else str(settings.key_file)
    say(
        f"{file}: {size:,} bytes, schema {found}",
        f"The key that seals the trail is not in it; keep {key} elsewhere.",
    )
    return DONE
