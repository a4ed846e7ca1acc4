"""How fast operations run: on each database, empty and with a million operations on file."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg
import sqlalchemy as sa

from bot.audit.signing_key import load_signer
from bot.cli.demo import DOMAIN, Sandbox, sandbox
from bot.cli.settings import Settings
from bot.sandbox.tencent.server import CloudEmulator
from bot.storage import database, tables
from bot.storage.prepared import Prepared
from bot.storage.row_macs import RowMacs, columns_of
from tests.bench.load import Load, quantile
from tests.chaos.__main__ import database as fresh_database

FILED = 1_000_000

_AT_ONCE = 5_000
_YEAR = 31_536_000.0
_INSERT = Prepared(sa.insert(tables.operations))


async def operations() -> list[str]:
    """Measure both databases, empty and full."""
    lines = []
    for kind in ("sqlite", "postgresql"):
        waits: dict[int, float] = {}
        rates: dict[int, float] = {}
        for filed in (0, FILED):
            with fresh_database(kind) as (url, folder, _):
                waits[filed], slowest, rates[filed] = await _measured(folder, url, filed)
            lines.append(
                f"{kind}, {filed:,} operations on file: ask to request at the cloud p50 "
                f"{waits[filed]:.1f} ms, p99 {slowest:.1f} ms; {rates[filed]:.0f} operations a "
                "second from ask to ending"
            )
        lines.append(
            f"{kind}, a million on file: {waits[FILED] / waits[0] - 1:+.0%} ask to request, "
            f"{rates[FILED] / rates[0] - 1:+.0%} operations a second"
        )
    return lines


async def _measured(folder: Path, url: str, filed: int) -> tuple[float, float, float]:
    # No API's own limit binds: the bot is measured, not Tencent Cloud.
    with (
        patch("bot.operations.rate_limiter.PACE", 50.0),
        patch.object(CloudEmulator, "_check_rate"),
    ):
        async with sandbox(folder, socket=False, limits=False, database=url) as world:
            load = Load(f"{world.bot.url}/slack/events", world.slack.signing_secret)
            await _ask(world, load, url, "first", 1, at_once=1)
            if filed:
                await asyncio.to_thread(_file, world.bot.settings, url, filed)
            waits = await _ask(world, load, url, "x", 300, at_once=1)
            began = time.monotonic()
            await _ask(world, load, url, "y", 2000, at_once=16)
            return quantile(waits, 50), quantile(waits, 99), 2000 / (time.monotonic() - began)


async def _ask(
    world: Sandbox, load: Load, url: str, name: str, count: int, *, at_once: int
) -> list[float]:
    """Ask for so many stops, wait until all have ended; give how long each took to leave."""
    asked: dict[str, float] = {}
    for number in range(count):
        world.cloud.resources.put("stream", f"{name}{number}", DOMAIN, "live")
    engine = database.connect(url)
    query = sa.select(sa.func.count()).select_from(tables.operations).where(tables.UNFINISHED)
    async with load.session() as post:

        async def some(first: int) -> None:
            for number in range(first, count, at_once):
                stream = f"{name}{number}"
                asked[stream] = time.time()
                await post(f"live {stream}", f"t-{stream}")
                if at_once == 1:
                    async with asyncio.timeout(10):
                        while not _seen(world, stream):  # noqa: ASYNC110 (it is measured)
                            await asyncio.sleep(0.0005)
                    await asyncio.sleep(0.02)

        await asyncio.gather(*(some(first) for first in range(at_once)))
    while True:
        with engine.connect().execution_options(reads=True) as connection:
            if not connection.execute(query).scalar_one():
                break
        await asyncio.sleep(0.02)
    engine.dispose()
    return [
        one.at - asked[stream]
        for one in world.cloud.received
        if one.api == "DropLiveStream" and (stream := str(one.params.get("StreamName"))) in asked
    ]


def _seen(world: Sandbox, stream: str) -> bool:
    # Looks after earlier stops come between.
    newest = islice(reversed(world.cloud.received), 20)
    return any(one.params.get("StreamName") == stream for one in newest)


def _file(settings: Settings, url: str, count: int) -> None:
    """File the one ended operation so often, as of the last year, each with its own code."""
    engine = database.connect(url)
    postgresql = engine.dialect.name == "postgresql"
    macs = RowMacs(load_signer(settings.audit_key, settings.key_file))
    with engine.connect().execution_options(reads=True) as connection:
        ended = columns_of(connection.execute(sa.select(tables.operations)).one())
    for first in range(0, count, _AT_ONCE):
        some = range(first, min(first + _AT_ONCE, count))
        copies = [_copy(ended, macs, number, number / count) for number in some]
        # A few at a time: the bot writes meanwhile, and waits for 1.5 s at most.
        with engine.begin() as connection:
            if postgresql:
                _copy_in(connection, copies)
            else:
                _INSERT.run_each(connection, copies)
    _tidy(engine)
    engine.dispose()


def _tidy(engine: sa.Engine) -> None:
    """Do what a database does for itself after so many rows at once: that is not measured."""
    if engine.dialect.name == "postgresql":
        # Not on the bot's connections: those end where the server is silent for so long.
        url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as plain:
            plain.execute("VACUUM ANALYZE operations")
            plain.execute("CHECKPOINT")
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT", reads=True) as connection:
        connection.exec_driver_sql("ANALYZE")


def _copy(
    ended: Mapping[str, Any], macs: RowMacs, number: int, part_of_year: float
) -> dict[str, Any]:
    """Return the columns of another operation like one that has ended."""
    name = f"filed{number}"
    asked_at = ended["asked_at"] - _YEAR * (1 - part_of_year)
    columns = {**ended, "id": name, "key": name, "asked_at": asked_at}
    return {**columns, "mac": macs.operation(columns)}


def _copy_in(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    driver: Any = connection.connection.driver_connection
    names = ", ".join(f'"{name}"' for name in rows[0])
    with driver.cursor() as cursor, cursor.copy(f"COPY operations ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(list(row.values()))
