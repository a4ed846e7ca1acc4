"""Makes a commit mean that it is on disk, on each connection, and refuses one where it does not."""

from typing import Any

from bot.errors import StoreError

_FULL = 2
"""`synchronous=FULL` of SQLite: the WAL is synced before a commit returns; EXTRA is above it."""


def configure_sqlite(connection: Any) -> None:
    """Have a connection of the driver sync each commit, and read back that it will.

    Raises:
        StoreError: It will not.
    """
    connection.execute("PRAGMA journal_mode=WAL")
    # Intent before action: on disk before the request leaves.
    connection.execute("PRAGMA synchronous=FULL")
    (level,) = connection.execute("PRAGMA synchronous").fetchone()
    if level < _FULL:
        raise StoreError(f"SQLite does not sync its commits to disk: synchronous is {level}")


def configure_postgres(connection: Any) -> None:
    """Have a connection of the driver wait for the WAL at each commit, and read back that it will.

    What the server's administrator has set beyond that (`remote_apply`) stays.

    Raises:
        StoreError: It will not.
    """
    (level,) = connection.execute("SHOW synchronous_commit").fetchone()
    if level == "off":
        connection.execute("SET synchronous_commit = on")
        (level,) = connection.execute("SHOW synchronous_commit").fetchone()
    # A setting that is rolled back does not stay.
    connection.commit()
    if level == "off":
        raise StoreError(
            f"PostgreSQL does not sync its commits to disk: synchronous_commit is {level}"
        )
