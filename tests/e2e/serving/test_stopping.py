"""A stop by signal, while everything that the program waits for hangs."""

import asyncio
import contextlib
import signal

from bot.cli.demo import INCIDENTS
from bot.cli.stop_signals import LAST
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.faults import Deaf
from bot.sandbox.tencent.server import CloudEmulator
from tests.support.acks import is_stored
from tests.support.database_relay import relayed
from tests.support.databases import postgres_database
from tests.support.processes import Process
from tests.support.waiting import BOUND, until

FOREVER = """
import math
from bot.cli import serve, stop_signals
from bot.storage import postgres_connection
postgres_connection.ANSWER_WITHIN = postgres_connection.PING_WITHIN = math.inf
serve._GRACE, stop_signals.LAST = 0.5, 1.0
"""
"""Waits for the database without end, and sooner for nothing else, to save the test's time."""


async def test_signal_is_obeyed_whatever_hangs(
    process: tuple[Process, Workspace, CloudEmulator], postgres: str
) -> None:
    """The process ends in time, with Slack, the cloud and the database silent for ever."""
    program, slack, cloud = process
    with postgres_database(postgres) as url, relayed(url) as relay:
        env = {"STOPSTREAM_DATABASE_URL": relay.url}
        serving = await program.start("serve", env=env, quiet=True, before=FOREVER)
        await until(lambda: slack.delivery.sockets)
        cloud.faults.add(Deaf)
        said = await slack.person("U0BOB").slash("/startstream", "car user1", INCIDENTS)
        assert is_stored(said)
        await until(cloud.ran)
        slack.faults.delay = 3600.0
        relay.fall_silent()

        serving.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(BOUND):
                assert await serving.wait() == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                serving.kill()
    assert LAST < 10.0, "what is promised in docs/operate.md"
