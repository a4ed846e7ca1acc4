"""The outgoing webhook tells each event once and in order, whatever is lost on the way."""

import base64
import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.audit.hash_chain import Fact
from bot.cli.demo import INCIDENTS
from bot.cli.serve import Server
from bot.cli.settings import read_settings
from bot.errors import SinkError
from bot.operations.webhook_events import EVENTS, secret_bytes
from bot.operations.webhook_sink import WebhookSink
from bot.storage.store import Store
from tests.conftest import House, opened
from tests.support.clocks import ManualClock
from tests.support.waiting import until
from tests.support.worlds import emulated

OLD, NEW = b"o" * 32, b"n" * 32
TEN_MINUTES = 600.0


@dataclass
class Receiver:
    """Takes events as a receiver of Standard Webhooks does: checks, and counts each id once.

    Attributes:
        faults: For each of the next requests: a status, or `lost` (taken, without an answer).
    """

    secret: bytes = NEW
    faults: list[int | str] = field(default_factory=list)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    stamps: list[str] = field(default_factory=list)
    requests: int = 0
    url: str = ""

    async def post(self, request: web.Request) -> web.Response:
        self.requests += 1
        fault = self.faults.pop(0) if self.faults else 204
        body = await request.read()
        id_, stamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        signed = hmac.new(self.secret, f"{id_}.{stamp}.".encode() + body, hashlib.sha256)
        due = f"v1,{base64.b64encode(signed.digest()).decode()}"
        assert due in request.headers["webhook-signature"].split(" ")
        if isinstance(fault, int) and fault >= 300:
            return web.Response(status=fault, headers={"Location": "/elsewhere"})
        self.stamps.append(stamp)
        event = json.loads(body)
        assert self.events.setdefault(id_, event) == event
        if fault == "lost":
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=204)

    @property
    def numbers(self) -> list[int]:
        return [one["data"]["seq"] for one in self.events.values()]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    one = Receiver()
    app = web.Application()
    app.router.add_post("/in", one.post)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    one.url = f"http://{host}:{port}/in"
    yield one
    await runner.cleanup()


@contextlib.asynccontextmanager
async def sinking(store: Store, receiver: Receiver) -> AsyncIterator[WebhookSink]:
    sink = WebhookSink(store, receiver.url, [OLD, NEW])
    try:
        yield sink
    finally:
        await sink.close()


async def fill(store: Store, count: int) -> list[int]:
    """Record endings, and between them what makes no event; return the numbers of the endings."""
    for number in range(count):
        await store.audit_log.record(Fact("sending", f"op{number}", {}))
        await store.audit_log.record(Fact("ended", f"op{number}", {"state": "accepted"}))
    with store.audit_log.records() as records:
        return [one.seq for one in records if one.kind in EVENTS]


async def deliver(sink: WebhookSink) -> int:
    """Send until nothing is left; return how many tries failed."""
    failed = 0
    while True:
        try:
            if not await sink.advance():
                return failed
        except SinkError:
            failed += 1


async def test_each_event_comes_once_and_in_order(quick_store: Store, receiver: Receiver) -> None:
    """What is refused or not answered is sent again with the same id, before the next one."""
    async with sinking(quick_store, receiver) as sink:
        assert await sink.advance() == 0
        due = await fill(quick_store, 30)
        receiver.faults = [500, "lost", 503, 307, "lost", 204, 429]
        assert await deliver(sink) == 6
    assert receiver.numbers == due
    assert {one["type"] for one in receiver.events.values()} == {"operation.ended"}
    assert receiver.requests == len(due) + 6


async def test_webhook_tells_nothing_of_before(quick_store: Store, receiver: Receiver) -> None:
    """Whoever sets an address is not told of the years before."""
    await fill(quick_store, 5)
    async with sinking(quick_store, receiver) as sink:
        assert await deliver(sink) == 0
        due = (await fill(quick_store, 2))[-2:]
        await deliver(sink)
    assert receiver.numbers == due


async def test_absence_of_ten_minutes_loses_nothing(database_url: str, receiver: Receiver) -> None:
    """After the receiver is back, and the bot was started anew, everything comes, in order."""
    clock = ManualClock()
    async with opened(database_url, clock=clock) as store:
        async with sinking(store, receiver) as sink:
            await sink.advance()
            due = list[int]()
            for _ in range(10):
                due = await fill(store, 3)
                receiver.faults = [503] * 3
                for _ in range(3):
                    with pytest.raises(SinkError):
                        await sink.advance()
                clock.advance(TEN_MINUTES / 10)
        assert receiver.events == {}
    async with (
        opened(database_url, owner="replica-2", clock=clock) as store,
        sinking(store, receiver) as sink,
    ):
        clock.advance(61.0)
        assert await deliver(sink) == 0
    assert receiver.numbers == due
    assert len(due) == 30


async def test_two_replicas_tell_once(database_url: str, receiver: Receiver) -> None:
    """One tells while the other waits."""
    async with (
        opened(database_url) as one,
        opened(database_url, owner="replica-2") as two,
        sinking(one, receiver) as first,
        sinking(two, receiver) as second,
    ):
        await first.advance()
        await second.advance()
        due = await fill(one, 10)
        assert await first.advance() == 0
        assert await second.advance() == 0
    assert receiver.numbers == due
    assert receiver.requests == len(due)


async def test_events_of_a_stop(house: House, receiver: Receiver) -> None:
    """An ending has its state, RequestId and operation, and holds no secret."""
    async with sinking(house.store, receiver) as sink:
        await sink.advance()
        ended = await house.run("live stream1")
        await deliver(sink)
    (event,) = [one for one in receiver.events.values() if one["type"] == "operation.ended"]
    assert event["data"]["operation"] == ended.id
    facts = event["data"]["facts"]
    assert (facts["state"], facts["request_id"]) == ("accepted", ended.request_id)
    assert event["timestamp"].endswith("Z")


@pytest.mark.parametrize("text", ["", "abc", "whsec_", "whsec_!!!!", "whsec_c2hvcnQ="])
def test_secret_is_refused(text: str) -> None:
    """A secret is whsec_ and at least 24 bytes."""
    with pytest.raises(ValueError, match="whsec_"):
        secret_bytes(text)
    assert secret_bytes("whsec_" + base64.b64encode(NEW).decode()) == NEW


async def test_serve_sends_the_ending_of_a_stop(receiver: Receiver, tmp_path: Path) -> None:
    """The whole program, told of a receiver by its environment, tells it of a stop."""
    async with emulated(tmp_path, socket=False, limits=False) as world:
        environment = {
            **world.environment,
            "STOPSTREAM_WEBHOOK_URL": receiver.url,
            "STOPSTREAM_WEBHOOK_SECRET": "whsec_" + base64.b64encode(NEW).decode(),
        }
        async with Server(read_settings(**environment)) as bot:
            world.slack.delivery.request_url = f"{bot.url}/slack/events"
            await world.slack.person("U0ALICE").slash("/stopstream", "live stream1", INCIDENTS)
            await until(lambda: receiver.events)

    (event,) = receiver.events.values()
    assert (event["type"], event["data"]["facts"]["state"]) == ("operation.ended", "accepted")
