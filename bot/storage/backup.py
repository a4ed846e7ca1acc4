"""Copies a database while it is in use: a whole one, as of one moment."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

import sqlalchemy as sa

from bot.errors import StoreError

_PRIVATE = 0o600


def write(url: str, file: Path) -> int:
    """Write a copy of a database into a new file that its owner alone can read; return its size.

    Of SQLite the copy is a database; of PostgreSQL an archive of `pg_dump`, for `pg_restore`.

    Raises:
        StoreError: It could not be made, and the file is not there.
    """
    address = sa.make_url(url)
    unfinished = file.with_name(f".{file.name}.unfinished")
    try:
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE))
    except OSError as error:
        raise StoreError(f"{unfinished}: {error.strerror}") from error
    try:
        if address.get_backend_name() == "sqlite":
            _copy_sqlite(Path(address.database or ""), unfinished)
        else:
            _dump_postgres(address, unfinished)
        _sync(unfinished)
        # Whoever has made the name meanwhile keeps it.
        os.link(unfinished, file)
        _sync(file.parent)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"no copy was made: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return file.stat().st_size


def _copy_sqlite(source: Path, target: Path) -> None:
    """Copy page by page; what is committed meanwhile is in it, or begins it anew."""
    with (
        contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as here,
        contextlib.closing(sqlite3.connect(target)) as there,
    ):
        here.backup(there, pages=1024, sleep=0.01)
        # A file that is moved alone must not have a WAL.
        there.execute("PRAGMA journal_mode = DELETE")
        (found,) = there.execute("PRAGMA integrity_check").fetchone()
    if found != "ok":
        raise StoreError(f"no copy was made: the database is damaged: {found}")


def _dump_postgres(address: sa.URL, target: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise StoreError("no copy was made: it needs pg_dump, which comes with PostgreSQL's client")
    environment = dict(os.environ)
    if address.password is not None:
        # The command line is for everybody to see.
        environment["PGPASSWORD"] = str(address.password)
    plain = sa.URL.create(
        "postgresql",
        address.username,
        host=address.host,
        port=address.port,
        database=address.database,
        query=address.query,
    )
    done = subprocess.run(  # noqa: S603 (the program that PATH names, without a shell)
        [
            program,
            "--format=custom",
            "--no-owner",
            "--no-password",
            f"--file={target}",
            f"--dbname={plain.render_as_string()}",
        ],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["pg_dump failed"]
        raise StoreError(f"no copy was made: {lines[0]}")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
