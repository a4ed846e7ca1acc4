"""PostgreSQL's connections fall silent and stay open: how long until commands are taken again."""

import asyncio
import time
from pathlib import Path

from bot.cli.demo import DOMAIN, INCIDENTS, sandbox
from tests.support.acks import is_stored
from tests.support.database_relay import relayed


async def silence(folder: Path, database: str, *, count: int) -> list[float]:
    """Return, for so many silences of all connections, the seconds until a stop is taken."""
    found = []
    with relayed(database) as relay:
        async with sandbox(folder, socket=False, limits=False, database=relay.url) as world:
            alice = world.slack.person("U0ALICE")
            for number in range(count):
                world.cloud.resources.put("stream", f"x{number}", DOMAIN, "live")
                # At different moments of what the bot does by itself.
                await asyncio.sleep(1.0 + 0.37 * number % 3.0)
                relay.fall_silent()
                began = time.monotonic()
                while not is_stored(await alice.slash("/stopstream", f"live x{number}", INCIDENTS)):
                    pass
                found.append(time.monotonic() - began)
    return found
