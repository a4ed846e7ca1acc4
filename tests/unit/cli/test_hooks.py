"""The routes of notices: what is refused before it is read, and what forgeries cost others."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from bot.cli.hooks import PATH, Bucket, Hooks
from bot.hooks.bounded_json import MOST
from bot.hooks.exchange import Forbidden, HookAnswer, HookRequest
from bot.hooks.secrets import check_token
from bot.metrics import Metrics
from tests.support.clocks import ManualClock

SECRET = "a-secret-of-the-tests"
GENUINE = {"Authorization": f"Bearer {SECRET}"}
FORGED = {"Authorization": "Bearer guessed"}


@dataclass
class Source:
    """Keeps what it took."""

    name: str = "alertmanager"
    taken: list[bytes] = field(default_factory=list)
    answer: HookAnswer = field(default_factory=lambda: HookAnswer(200, "stored"))

    def check(self, request: HookRequest) -> Forbidden | None:
        return check_token(request, (SECRET,))

    async def take(self, request: HookRequest) -> HookAnswer:
        self.taken.append(request.body)
        return self.answer


@dataclass
class Side:
    """The routes, with one source that is open."""

    source: Source
    clock: ManualClock
    metrics: Metrics
    http: TestClient[web.Request, web.Application]

    async def post(
        self, headers: dict[str, str] | None = None, body: bytes = b"{}"
    ) -> ClientResponse:
        given = {"Content-Type": "application/json", **(headers or {})}
        return await self.http.post("/hooks/alertmanager", data=body, headers=given)


@pytest.fixture
async def side() -> AsyncIterator[Side]:
    source, clock, metrics = Source(), ManualClock(), Metrics()
    hooks = Hooks((source,), metrics, rate=2.0, burst=3.0, clock=clock)
    app = web.Application(client_max_size=2 * 1024 * 1024)
    app.router.add_post(PATH, hooks.handle)
    async with TestClient(TestServer(app)) as http:
        yield Side(source, clock, metrics, http)


async def test_notice_reaches_its_source(side: Side) -> None:
    """What has the secret is taken, and answered as the source says."""
    answer = await side.post(GENUINE, b'{"a": 1}')
    assert (answer.status, await answer.text()) == (200, "stored\n")
    assert side.source.taken == [b'{"a": 1}']
    side.source.answer = HookAnswer(200, "stored", '{"code":0}')
    answer = await side.post(GENUINE)
    assert await answer.json() == {"code": 0}


async def test_route_without_a_source_is_not_there(side: Side) -> None:
    """A source without a secret is answered as a route that does not exist."""
    answer = await side.http.post("/hooks/pagerduty", data=b"{}", headers=GENUINE)
    assert answer.status == 404


async def test_forgery_is_refused_unread(side: Side) -> None:
    """Without a secret 401, with a wrong one 403; nothing of it reaches the source."""
    absent, wrong = await side.post(), await side.post(FORGED)
    assert (absent.status, wrong.status) == (401, 403)
    assert absent.headers["WWW-Authenticate"].startswith("Bearer")
    assert side.source.taken == []


async def test_bounds_come_before_reading(side: Side) -> None:
    """What is too large, or is no JSON, is refused even with the secret."""
    large = await side.post(GENUINE, b"x" * (MOST + 1))
    form = await side.post(GENUINE | {"Content-Type": "text/plain"}, b"a=1")
    assert (large.status, form.status) == (413, 415)
    assert side.source.taken == []


async def test_forgeries_take_no_place_of_the_genuine(side: Side) -> None:
    """A flood of forgeries leaves the genuine notices their whole rate."""
    for _ in range(20):
        assert (await side.post(FORGED)).status == 403
    assert [(await side.post(GENUINE)).status for _ in range(4)] == [200, 200, 200, 429]


async def test_rate_of_a_source_is_bounded(side: Side) -> None:
    """Beyond its burst a source is told when to come again, and then is taken."""
    for _ in range(3):
        assert (await side.post(GENUINE)).status == 200
    refused = await side.post(GENUINE)
    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
    side.clock.advance(0.5)
    assert (await side.post(GENUINE)).status == 200


def test_bucket_never_holds_more_than_its_burst() -> None:
    """After a long pause no more may come at once than after a short one."""
    clock = ManualClock()
    bucket = Bucket(2.0, 3.0, clock)
    clock.advance(1000.0)
    assert [bool(bucket.wait()) for _ in range(4)] == [False, False, False, True]
