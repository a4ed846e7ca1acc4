"""Stores operations one after the other, and writes what it heard of each to standard output.

Run by itself under strace: `python -m tests.support.disk_writer COUNT URL [URL]`. What it stores in
the second database is not synced.
"""

import asyncio
import os
import sys

import sqlalchemy as sa

from bot.audit.checkpoints import Signer
from bot.errors import CommitUnknownError, StoreError
from bot.storage import database
from bot.storage.store import Store
from tests.support.stored_operations import FACTS, operation

SIGNER = Signer(b"o" * 32)
DONE, TOO_EARLY, REFUSED, NOT_KNOWN = "done", "too early", "refused", "not known"


async def write(count: int, url: str, *, unsynced: bool = False) -> None:
    engine = database.connect(url)
    if unsynced:
        sa.event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=OFF"))
    database.migrate(engine)
    store = Store(engine, owner="disk", signer=SIGNER)
    for number in range(count):
        try:
            await store.operations.add(operation(number), FACTS)
        except CommitUnknownError:
            _say(NOT_KNOWN, number)
        except StoreError:
            _say(REFUSED, number)
        else:
            _say(TOO_EARLY if unsynced else DONE, number)
    await store.close()


def _say(what: str, number: int) -> None:
    os.write(1, f"{what} op{number}\n".encode())


async def main(count: str, url: str, url_unsynced: str = "") -> None:
    await write(int(count), url)
    if url_unsynced:
        await write(int(count), url_unsynced, unsynced=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
