"""Slack and Tencent Cloud answer with redirects: nothing is sent where they lead."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
from aiohttp import web

from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.faults import Fault
from tests.support.waiting import until
from tests.trials.attack.target import Attack, Target, target

_STATUSES = (301, 302, 303, 307, 308)
_KEPT = frozenset({"Authorization", "Content-Type", "User-Agent"})
_OF_SLACK = frozenset({"Content-Type", "x-oauth-scopes", "Retry-After", "Date"})


class _Front:
    """Stands before Slack: passes calls on, or answers all of them with a redirect."""

    def __init__(self) -> None:
        self.url = ""
        self.slack = ""
        self.status = 0
        """The redirect's; 0 while calls are passed on."""
        self.elsewhere = ""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one call."""
        if self.status:
            return _to(self.status, f"{self.elsewhere}{request.path}")
        headers = {name: value for name, value in request.headers.items() if name in _KEPT}
        async with (
            aiohttp.ClientSession() as http,
            http.request(
                request.method,
                f"{self.slack}{request.path_qs}",
                headers=headers,
                data=await request.read(),
            ) as answer,
        ):
            kept = {name: value for name, value in answer.headers.items() if name in _OF_SLACK}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)


def _to(status: int, address: str) -> web.Response:
    return web.Response(status=status, headers={"Location": address})


@contextlib.asynccontextmanager
async def _listening(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[str]:
    """Serve every path on loopback; yields the address."""
    app = web.Application(client_max_size=4 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def redirects(folder: Path, *, socket: bool) -> Attack:
    """Redirect every call of Slack's, each socket, each reply and each call of the cloud's."""
    found, seen, front = Attack("redirects"), list[str](), _Front()

    async def note(request: web.Request) -> web.StreamResponse:
        seen.append(f"{request.method} {request.path_qs} {dict(request.headers)}")
        return web.json_response({"ok": True, "url": f"{front.url}/link", "Response": {}})

    async with _listening(front.serve) as front.url, _listening(note) as front.elsewhere:
        moved = {"SLACK_API_URL": f"{front.url}/api/"}
        async with target(folder, socket=socket, before=_before(front), **moved) as bot:
            before = bot.changes()
            await _redirected(bot, front, found)
            await bot.quiet()
            found.note(f"{len(seen)} requests went elsewhere: {seen[:3]}", through=bool(seen))
            await bot.settled(found, before)
    return found


def _before(front: _Front) -> Callable[[Workspace], None]:
    """Return what puts a front before a workspace."""

    def put(slack: Workspace) -> None:
        front.slack, slack.url = slack.url, front.url

    return put


async def _redirected(bot: Target, front: _Front, found: Attack) -> None:
    slack, cloud = bot.world.slack, bot.world.cloud

    for status in _STATUSES:

        async def elsewhere(_request: web.Request, status: int = status) -> web.StreamResponse:
            return _to(status, f"{front.elsewhere}/")

        front.status = status
        cloud.faults.persist(Fault(before=elsewhere))
        for text, user in (
            *((f"live led{status}", "U0ALICE"), ("help", "U0BOB"), ("whoami", "U0MALLORY")),
            *(("off", "U0ALICE"), ("audit", "U0BOB"), ("", "U0CAROL")),
        ):
            await bot.type(text, user)
            await slack.delivery.deliver("event", bot.mention(text, user))
            found.tried += 2
        if not slack.delivery.request_url:
            slack.delivery.base = front.url
            await slack.delivery.cut()
        await asyncio.sleep(2.0)
        front.status, slack.delivery.base = 0, front.slack
        cloud.faults.clear()
        await until(lambda: slack.delivery.request_url or slack.delivery.sockets)
        await bot.quiet()
