"""`stopstream audit follow`: the trail as it grows, by a process of its own."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.audit.hash_chain import Fact
from bot.audit.signing_key import load_signer
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.server import CloudEmulator
from bot.storage.store import Store
from handlers.manifest import bot_scopes
from tests.conftest import opened
from tests.support.processes import Process


@pytest.fixture
async def program(tmp_path: Path) -> AsyncIterator[Process]:
    async with Workspace(scopes=bot_scopes()) as slack, CloudEmulator(keys={}) as cloud:
        yield Process(tmp_path, slack, cloud)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    signer = load_signer(None, tmp_path / "trail.key")
    async with opened(f"sqlite:///{tmp_path / 'stopstream.db'}", signer=signer) as opened_store:
        yield opened_store


async def lines(process: Any, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(120):
        return [json.loads(await process.stdout.readline()) for _ in range(count)]


async def test_follow_writes_what_comes_and_goes_on_where_it_ended(
    program: Process, store: Store
) -> None:
    """Each record comes once and in order, as export writes it; a second run continues."""
    await store.audit_log.record(Fact("started", "", {"schema": "x"}))
    process = await program.start("audit", "follow", "--json", "--after", "0")
    first = await lines(process, 3)
    await store.audit_log.record(Fact("stopped", "", {"replica": "a"}))
    (then,) = await lines(process, 1)
    found = [*first, then]
    assert [one["seq"] for one in found] == list(range(1, len(found) + 1))
    assert [one["kind"] for one in found[-2:]] == ["exported", "stopped"]
    with store.audit_log.records() as records:
        assert [one.hash for one in records] == [one["hash"] for one in found]

    process.send_signal(signal.SIGINT)
    assert await process.wait() == 0
    assert (await process.stderr.read()) == b""

    after = str(found[-1]["seq"])
    process = await program.start("audit", "follow", "--json", "--after", after)
    (next_one,) = await lines(process, 1)
    assert (next_one["seq"], next_one["kind"]) == (found[-1]["seq"] + 1, "exported")
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0


async def test_follow_ends_when_its_reader_does(program: Process, store: Store) -> None:
    """A pipe that is closed ends it, though no record comes."""
    await store.audit_log.record(Fact("started", "", {}))
    process = await program.start("audit", "follow", "--json")
    await lines(process, 1)
    process._transport.get_pipe_transport(1).close()  # noqa: SLF001 (asyncio closes it nowhere)
    async with asyncio.timeout(120):
        assert await process.wait() == 0
