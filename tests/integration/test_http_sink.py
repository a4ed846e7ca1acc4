"""An HTTP sink has each record once and in order, whatever is lost on the way."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from bot.errors import StoreError
from bot.operations.http_sink import HttpSink
from bot.storage import sinks
from bot.storage.store import Store
from tests.conftest import opened
from tests.integration.test_audit_sink import fill
from tests.support.clocks import ManualClock


@dataclass
class Collector:
    """Keeps what it is sent, once for each key, as its `Idempotency-Key` lets it.

    Attributes:
        faults: For each of the next requests: a status, `lost` (taken, without an answer).
    """

    faults: list[int | str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    taken: dict[str, bytes] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    url: str = ""

    async def post(self, request: web.Request) -> web.Response:
        fault = self.faults.pop(0) if self.faults else 200
        if isinstance(fault, int) and fault >= 300:
            return web.Response(status=fault, headers={"Location": "/elsewhere"})
        key = request.headers["Idempotency-Key"]
        self.keys.append(key)
        self.tokens.add(request.headers.get("Authorization", ""))
        body = await request.read()
        assert self.taken.setdefault(key, body) == body
        return await self._answer(request, fault)

    async def put(self, request: web.Request) -> web.Response:
        fault = self.faults.pop(0) if self.faults else 200
        if isinstance(fault, int) and fault >= 300:
            return web.Response(status=fault)
        assert request.headers["If-None-Match"] == "*"
        name = request.match_info["name"]
        if name in self.objects:
            return web.Response(status=412)
        self.objects[name] = await request.read()
        return await self._answer(request, fault)

    async def _answer(self, request: web.Request, fault: int | str) -> web.Response:
        if fault == "lost":
            assert request.transport is not None
            request.transport.abort()
        return web.Response()

    @property
    def lines(self) -> list[bytes]:
        found = self.taken or self.objects
        return b"".join(found.values()).splitlines(keepends=True)


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    one = Collector()
    app = web.Application()
    app.router.add_post("/in", one.post)
    app.router.add_put("/trail/{name}", one.put)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    one.url = f"http://{host}:{port}"
    yield one
    await runner.cleanup()


async def sent(sink: HttpSink) -> list[str]:
    """Send until nothing is left; return what went wrong meanwhile."""
    wrong = []
    for _ in range(100):
        try:
            if not await sink.advance():
                break
        except Exception as error:  # noqa: BLE001 (told below)
            wrong.append(str(error))
    await sink.close()
    return wrong


def agrees(store: Store, lines: list[bytes]) -> int:
    with store.audit_log.snapshot() as audited:
        result = audited.compare_copy(lines, due_before=9e12)
    assert result.found is None
    return result.count


async def test_collector_has_each_record_once_in_order(
    store: Store, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refusals and lost answers repeat the very same request, with its key."""
    monkeypatch.setattr("bot.operations.http_sink._BATCH", 4)
    collector.faults += [503, "lost", 200, 307, 401, "lost", "lost", 429]
    await fill(store, 10)
    sink = HttpSink(store, f"{collector.url}/in", "t0ken")

    wrong = await sent(sink)

    assert agrees(store, collector.lines) == 10
    assert [one for one in wrong if "answered" in one] == [
        f"it answered {status}" for status in (503, 307, 401, 429)
    ]
    assert len([one for one in wrong if "not reached" in one]) == 3
    assert len(collector.keys) == 3 + 3
    assert collector.tokens == {"Bearer t0ken"}
    assert await HttpSink(store, f"{collector.url}/in").advance() == 0


async def test_objects_are_put_where_nothing_is(quick_store: Store, collector: Collector) -> None:
    """Each record becomes an object under its number; one that is there is left as it is."""
    collector.faults += [200, "lost", 200, 200, 503, 409]
    await fill(quick_store, 5)

    wrong = await sent(HttpSink(quick_store, f"{collector.url}/trail/{{seq}}.json"))

    # 409 is a conflict of two requests, after which there may be nothing.
    assert [one for one in wrong if "answered" in one] == ["it answered 503", "it answered 409"]
    assert list(collector.objects) == [f"{seq:012}.json" for seq in range(1, 6)]
    assert agrees(quick_store, collector.lines) == 5


async def test_replica_that_dies_before_the_mark_doubles_nothing(
    database_url: str, collector: Collector
) -> None:
    """Whoever takes over sends the same batch under the same key, then what came since."""
    clock = ManualClock()
    url = f"{collector.url}/in"
    async with opened(database_url, owner="a", clock=clock) as first:
        await fill(first, 3)

        async def die(*_given: object) -> None:
            raise StoreError("killed")

        first.sinks.mark_taken = die  # type: ignore[method-assign, assignment]
        sink = HttpSink(first, url)
        with contextlib.suppress(StoreError):
            await sink.advance()
        await sink.close()
    async with opened(database_url, owner="b", clock=clock) as second:
        await fill(second, 2)
        assert await HttpSink(second, url).advance() == 5, "the other may still be sending"
        clock.advance(sinks.LEASE + 1.0)
        assert await sent(HttpSink(second, url)) == []

        assert agrees(second, collector.lines) == 5
    assert len(collector.keys) == 3
    assert len(collector.taken) == 2


async def test_name_of_a_sink_has_no_secret(quick_store: Store) -> None:
    """What the log and readiness say of an address is the host: any more of it may be a secret."""
    sink = HttpSink(quick_store, "https://me:pass@logs.example.com/in/t0ken?key=s3cret")
    assert sink.name == "https://logs.example.com"
