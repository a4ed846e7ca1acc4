"""The commands of `stopstream audit`, and records for them to work on."""

from bot.audit.hash_chain import Fact
from bot.cli import audit
from bot.cli.main import build_parser
from bot.cli.settings import Settings
from bot.cli.wiring import open_store
from bot.storage.store import Store


async def run(settings: Settings, *words: str) -> int:
    """Run a command and return its exit code."""
    return await audit.run(settings, build_parser().parse_args(["audit", *words]))


async def fill(store: Store, count: int = 3) -> None:
    """Append some records, each in a transaction of its own."""
    for number in range(count):
        await store.audit_log.record(Fact("exported", "", {"n": number, "user": "U0ALICE"}))


async def filled(settings: Settings) -> None:
    """Open the store as the program does, append some records and close it."""
    store = open_store(settings, may_create=True)
    await fill(store)
    await store.close()
