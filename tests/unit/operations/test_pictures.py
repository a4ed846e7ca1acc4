"""A picture is fetched from an allowed host alone, within bounds of size and time."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver

from bot.errors import PictureError
from bot.operations import pictures
from bot.operations.pictures import LARGEST, Pictures
from bot.sandbox.tencent.flagged import picture

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

LOCAL = Pictures(("127.0.0.1",))


@asynccontextmanager
async def host(answer: Answer) -> AsyncIterator[tuple[str, list[str]]]:
    """Serve pictures on loopback; note which paths are asked for."""
    asked: list[str] = []

    async def serve(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return await answer(request)

    app = web.Application()
    app.router.add_get("/{path}", serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


async def test_picture_is_fetched_as_it_is() -> None:
    """Its bytes are those of its host, and its name has the ending of its type."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=picture(), content_type="text/html")

    async with host(answer) as (url, _):
        found = await LOCAL.fetch(f"{url}/1.png")
    assert (found.name, found.content) == ("picture.png", picture())


async def test_redirect_is_not_followed() -> None:
    """Whoever names the address does not choose another one by a redirect."""

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/secret":
            return web.Response(body=picture())
        raise web.HTTPFound("/secret")

    async with host(answer) as (url, asked):
        with pytest.raises(PictureError, match="its host answered 302"):
            await LOCAL.fetch(f"{url}/1.png")
    assert asked == ["/1.png"]


async def test_large_picture_is_given_up() -> None:
    """No more than the bound is read, whatever its host says of its length."""
    sent = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        part = picture().ljust(1 << 20, b"\0")
        while sent < 10 * LARGEST:
            await response.write(part)
            sent += len(part)
        return response

    async with host(answer) as (url, _):
        with pytest.raises(PictureError, match="larger than 5 MB"):
            await LOCAL.fetch(f"{url}/1.png")
    assert sent < 10 * LARGEST


@pytest.mark.parametrize("begun", [False, True])
async def test_slow_host_is_given_up(monkeypatch: pytest.MonkeyPatch, *, begun: bool) -> None:
    """The bound is for all of it: a host that sends a part and then nothing is given up, too."""
    monkeypatch.setattr(pictures, "_WITHIN", 0.1)
    over = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if begun:
            await response.prepare(request)
            await response.write(picture()[:20])
        await over.wait()
        return response

    async with host(answer) as (url, _):
        # Where the bound does not hold, the test says so in place of a wait without end.
        async with asyncio.timeout(30):
            with pytest.raises(PictureError, match="its host takes longer than"):
                await LOCAL.fetch(f"{url}/1.png")
        over.set()


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "127.0.0.1", "169.254.169.254", "192.168.1.1", "100.64.0.1", "::1", "fd00::1"],
)
async def test_name_of_an_allowed_host_may_mean_no_private_address(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """A bucket's name whose owner has it lead into our network is not called."""
    connected: list[object] = []

    async def resolve(*_: object) -> list[ResolveResult]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [
            ResolveResult(hostname="x", host=address, port=443, family=family, proto=0, flags=0)
        ]

    async def connect(*given: object, **_: object) -> None:
        connected.append(given)
        raise OSError("nothing may be called")

    monkeypatch.setattr(ThreadedResolver, "resolve", resolve)
    monkeypatch.setattr("aiohttp.connector.aiohappyeyeballs.start_connection", connect)
    with pytest.raises(PictureError, match="its host is not reached"):
        await Pictures((".myqcloud.com",)).fetch("https://b-1.cos.ap-x.myqcloud.com/1.jpg")
    assert connected == []


async def test_what_is_no_picture_is_not_passed_on() -> None:
    """A page of an allowed host is no picture, whatever it calls itself."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=b"<html>", content_type="image/png")

    async with host(answer) as (url, _):
        with pytest.raises(PictureError, match="no picture"):
            await LOCAL.fetch(f"{url}/1.png")


async def test_host_that_is_not_allowed_is_not_called() -> None:
    """Loopback itself is called only where it is named."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=picture())

    async with host(answer) as (url, asked):
        with pytest.raises(PictureError, match="not on an allowed host"):
            await Pictures((".myqcloud.com",)).fetch(f"{url}/1.png")
    assert asked == []
