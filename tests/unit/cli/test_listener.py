"""One port's routes: what names one exactly, and what does not."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from bot.cli.listener import Listener


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async def source(request: web.Request) -> web.Response:
        return web.Response(text=request.match_info["source"])

    async def events(_request: web.Request) -> web.Response:
        return web.Response(text="events")

    routes = (
        web.get("/healthz", events),
        web.post("/slack/events", events),
        web.post("/hooks/{source}", source),
    )
    listener = Listener(routes)
    await listener.start("127.0.0.1", 0)
    yield listener.url
    await listener.stop()


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("POST", "/slack/events", 200, "events"),
        ("POST", "/slack/events?x=1", 200, "events"),
        ("GET", "/slack/events", 405, None),
        ("POST", "/slack/events/", 404, None),
        ("POST", "/slack%2Fevents", 404, None),
        ("POST", "/slack/../slack%2fevents", 404, None),
        ("GET", "/healthz", 200, "events"),
        ("HEAD", "/healthz", 200, ""),
        ("POST", "/healthz", 405, None),
        ("POST", "/hooks/one", 200, "one"),
        # A route's own name for its places is no path of it.
        ("POST", "/hooks/{source}", 404, None),
        ("POST", "/hooks/%7Bsource%7D", 404, None),
        ("POST", "/hooks/", 404, None),
    ],
)
async def test_paths_are_answered_as_they_are_spelt(
    url: str, method: str, path: str, status: int, text: str | None
) -> None:
    """Whether the router finds a handler or its exact path does makes no difference."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, URL(url + path, encoded=True)) as answer,
    ):
        assert answer.status == status
        assert text is None or await answer.text() == text


async def test_expectation_that_nobody_meets_is_refused(url: str) -> None:
    """As aiohttp's router does it."""
    headers = {"Expect": "miracles"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/slack/events", headers=headers) as answer,
    ):
        assert answer.status == 417
