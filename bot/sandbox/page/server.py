"""Serves the page on loopback: its files, a small JSON API, and a WebSocket that brings news.

It answers to its own address alone: another site's page in the same browser gets nothing.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Self

from aiohttp import WSMsgType, web

from bot.policy.schema import json_schema
from bot.sandbox.page.faults import FaultControls
from bot.sandbox.page.policy_editor import PolicyEditor
from bot.sandbox.page.process import BotProcess
from bot.sandbox.page.snapshot import Snapshot, Window
from bot.sandbox.page.user_actions import GoneError, UserActions
from bot.sandbox.slack.events import Ack
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.server import CloudEmulator

_STATIC = Path(__file__).parent / "static"
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
_TICK, _BREATH = 0.25, 0.02
"""Seconds between looks at what time alone changes, and between two sendings to a window."""

_DOWN = 2.0
"""Seconds between a kill and the new start."""

_TROUBLE = "We had some trouble connecting. Try again? ({})"

Work = Callable[["_Asked"], Awaitable[dict[str, Any]]]


class _Refused(Exception):  # noqa: N818 (an answer)
    """What was asked for makes no sense."""


class _Asked:
    """The JSON body of a call, read with suspicion."""

    def __init__(self, body: Any) -> None:
        if not isinstance(body, dict):
            raise _Refused("the body must be a JSON object")
        self._body: dict[str, Any] = body

    def text(self, name: str, default: str | None = None) -> str:
        """Give a text; without a default it must be there."""
        found = self._body.get(name, default)
        if not isinstance(found, str):
            raise _Refused(f"{name}: must be a text")
        return found

    def number(self, name: str) -> float:
        """Give a number, 0 if it is left out."""
        found = self._body.get(name, 0)
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise _Refused(f"{name}: must be a number")
        return float(found)

    def yes(self, name: str) -> bool:
        """Say whether something is wanted."""
        return self._body.get(name) is True

    def values(self) -> dict[str, dict[str, Any]]:
        """Give what a view's fields hold."""
        found = self._body.get("values") or {}
        if not isinstance(found, dict) or not all(isinstance(v, dict) for v in found.values()):
            raise _Refused("values: must be objects by block and by element")
        return found

    def key(self) -> list[str]:
        """Give the key of a thing."""
        found = self._body.get("key")
        if not isinstance(found, list) or not found or not all(isinstance(k, str) for k in found):
            raise _Refused("key: must be a list of texts")
        return found


class Page:
    """The page and its server.

    Args:
        policy_file: The file that the bot reads.
        environment: The settings of the bot, which runs in a process of its own.

    Attributes:
        url: Where it listens, once it does.
    """

    def __init__(
        self,
        *,
        slack: Workspace,
        cloud: CloudEmulator,
        policy_file: Path,
        environment: Mapping[str, str],
    ) -> None:
        self.url = ""
        self.bot = BotProcess(environment, self._wake)
        self.snapshot = Snapshot(
            slack, cloud, self.bot, PolicyEditor(policy_file, slack), FaultControls(slack, cloud)
        )
        self._slack = slack
        self._cloud = cloud
        self._news: set[asyncio.Event] = set()
        self._sockets: set[web.WebSocketResponse] = set()
        self._parts = contextlib.AsyncExitStack()
        self._files = {file.name: file for file in _STATIC.iterdir() if file.suffix in _TYPES}
        self._calls: Mapping[str, Work] = {
            "type": self._type,
            "press": self._press,
            "act": self._act,
            "submit": self._submit,
            "close": self._close,
            "home": self._home,
            "shortcut": self._shortcut,
            "thing": self._thing,
            "weather/slack": self._over_slack,
            "weather/cloud": self._over_cloud,
            "weather/clock": self._over_clock,
            "weather/clear": self._clear,
            "bot": self._child,
            "policy/save": self._save,
            "policy/check": self._check,
            "policy/explain": self._explain,
        }

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._parts.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._parts.aclose()

    async def _open(self) -> None:
        self._parts.push_async_callback(self.bot.stop)
        app = web.Application(middlewares=[self._guard], client_max_size=4 * 1024 * 1024)
        app.router.add_get("/", self._index)
        app.router.add_get("/static/{name}", self._static)
        app.router.add_get("/live", self._live)
        app.router.add_get("/file/{id}", self._download)
        app.router.add_get("/api/world", self._world)
        app.router.add_get("/api/schema", self._schema)
        app.router.add_post("/api/{call:.+}", self._call)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        self._parts.push_async_callback(runner.cleanup)
        self._parts.push_async_callback(self._hang_up)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._slack.listeners.append(self._wake)
        self._cloud.listeners.append(self._wake)
        ticking = asyncio.create_task(self._tick(), name="page")
        self._parts.callback(ticking.cancel)

    async def _hang_up(self) -> None:
        for socket in list(self._sockets):
            await socket.close()

    def _wake(self) -> None:
        for news in self._news:
            news.set()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            with contextlib.suppress(OSError):
                self.snapshot.policy.refresh()
            self._wake()

    # --- who may ask -------------------------------------------------------------------

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Refuse what does not come from this very page."""
        host = self.url.removeprefix("http://")
        hosts = (host, host.replace("127.0.0.1", "localhost"))
        origin = request.headers.get("Origin")
        if request.host not in hosts or origin not in (None, *(f"http://{one}" for one in hosts)):
            return web.Response(status=403, text="only this machine's own page may ask\n")
        if request.method == "POST" and request.content_type != "application/json":
            return web.Response(status=415, text="only JSON is understood\n")
        return await handler(request)

    def _headers(self) -> dict[str, str]:
        sockets = self.url.replace("http", "ws", 1)
        rules = (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            f"connect-src 'self' {sockets} {sockets.replace('127.0.0.1', 'localhost')}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
        return {
            "Content-Security-Policy": "; ".join(rules),
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }

    # --- reading -----------------------------------------------------------------------

    async def _index(self, _request: web.Request) -> web.Response:
        return self._file("index.html")

    async def _static(self, request: web.Request) -> web.Response:
        return self._file(request.match_info["name"])

    def _file(self, name: str) -> web.Response:
        file = self._files.get(name)
        if file is None:
            raise web.HTTPNotFound
        return web.Response(
            body=file.read_bytes(),
            headers=self._headers(),
            content_type=_TYPES[file.suffix],
            charset="utf-8",
        )

    async def _world(self, request: web.Request) -> web.Response:
        """Give everything that one person sees, at once."""
        user = self._known(request.query.get("as", ""))
        parts = self.snapshot.parts(user)
        return self._answer({key: write() for key, (_, write) in parts.items()})

    async def _schema(self, _request: web.Request) -> web.Response:
        return self._answer(json_schema())

    async def _download(self, request: web.Request) -> web.Response:
        """Give a file to somebody who is where it was shared."""
        user = self._known(request.query.get("as", ""))
        file = self._slack.files.get(request.match_info["id"])
        channel = self._slack.channels.get(file.channel) if file else None
        if file is None or channel is None or user not in channel.members:
            raise web.HTTPNotFound
        name = "".join(c for c in file.name if c.isalnum() or c in "-_.") or "file"
        return web.Response(
            body=file.content,
            content_type="application/octet-stream",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    async def _live(self, request: web.Request) -> web.StreamResponse:
        """Send one window everything, then what changes."""
        window = Window(self._known(request.query.get("as", "")))
        socket = web.WebSocketResponse(heartbeat=30.0, compress=False)
        await socket.prepare(request)
        news = asyncio.Event()
        news.set()
        self._news.add(news)
        self._sockets.add(socket)
        feeding = asyncio.create_task(self._feed(socket, window, news))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT and message.data in self._slack.users:
                    window.become(message.data)
                    news.set()
        finally:
            feeding.cancel()
            self._news.discard(news)
            self._sockets.discard(socket)
        return socket

    async def _feed(
        self, socket: web.WebSocketResponse, window: Window, news: asyncio.Event
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                await news.wait()
                news.clear()
                if (found := window.news(self.snapshot)) is not None:
                    await socket.send_json(found)
                await asyncio.sleep(_BREATH)

    def _known(self, user: str) -> str:
        if user not in self._slack.users:
            raise web.HTTPNotFound(text="there is no such person\n")
        return user

    def _answer(self, body: Any, status: int = 200) -> web.Response:
        return web.json_response(body, status=status, headers=self._headers())

    # --- doing -------------------------------------------------------------------------

    async def _call(self, request: web.Request) -> web.Response:
        work = self._calls.get(request.match_info["call"])
        if work is None:
            raise web.HTTPNotFound
        try:
            found = await work(_Asked(json.loads(await request.text())))
        except (_Refused, ValueError, RecursionError) as error:
            return self._answer({"ok": False, "trouble": str(error)}, 400)
        except GoneError:
            gone = "That is not there any more; it was decided or changed meanwhile."
            return self._answer({"ok": False, "trouble": gone})
        self._wake()
        return self._answer({"ok": not found.get("trouble"), **found})

    def _visitor(self, asked: _Asked) -> UserActions:
        user = asked.text("as")
        if user not in self._slack.users:
            raise _Refused("as: there is no such person")
        return UserActions(self._slack, user)

    def _place(self, asked: _Asked) -> str:
        """Give the channel, if this person is in it."""
        channel = asked.text("channel")
        found = self._slack.channels.get(channel)
        if found is None or asked.text("as") not in found.members:
            raise _Refused("channel: this person is not in it")
        return channel

    async def _type(self, asked: _Asked) -> dict[str, Any]:
        visitor, channel = self._visitor(asked), self._place(asked)
        text = asked.text("text").strip()
        if not text:
            raise _Refused("text: is empty")
        return {"said": await visitor.type(text, channel, asked.text("thread_ts", ""))}

    async def _press(self, asked: _Asked) -> dict[str, Any]:
        visitor, channel = self._visitor(asked), self._place(asked)
        message = self._slack.channels[channel].find(asked.text("ts"))
        if message is None or message.to not in ("", asked.text("as")):
            raise GoneError
        action_id, value = asked.text("action_id"), asked.text("value", "")
        return _told(await visitor.press_under(message, channel, action_id, value))

    async def _act(self, asked: _Asked) -> dict[str, Any]:
        visitor, user = self._visitor(asked), asked.text("as")
        views = self._slack.homes if asked.text("view") == "home" else self._slack.modals
        if user not in views:
            raise GoneError
        action_id, value = asked.text("action_id"), asked.text("value", "")
        return _told(await visitor.act(views[user], action_id, value, asked.values()))

    async def _submit(self, asked: _Asked) -> dict[str, Any]:
        visitor = self._visitor(asked)
        if asked.text("as") not in self._slack.modals:
            raise GoneError
        ack = await visitor.submit_form(asked.values())
        return _told(ack) | {"errors": ack.body.get("errors") or {}}

    async def _close(self, asked: _Asked) -> dict[str, Any]:
        await self._visitor(asked).close_form()
        return {}

    async def _home(self, asked: _Asked) -> dict[str, Any]:
        try:
            await self._visitor(asked).open_home()
        except TimeoutError:
            return {"trouble": "The app did not draw its home tab."}
        return {}

    async def _shortcut(self, asked: _Asked) -> dict[str, Any]:
        visitor, ts = self._visitor(asked), asked.text("ts", "")
        channel = self._place(asked) if ts else ""
        return _told(await visitor.shortcut(asked.text("callback_id"), channel, ts))

    # --- the cloud and the weather -------------------------------------------------------

    async def _thing(self, asked: _Asked) -> dict[str, Any]:
        """Start an encoder anew, or say whether it comes back by itself."""
        things, kind, key = self._cloud.resources, asked.text("kind"), asked.key()
        thing = things.get(kind, *key)
        if thing is None:
            raise _Refused("key: there is no such thing")
        match asked.text("do"):
            case "start":
                now = self._cloud.now
                things.put(kind, *key, returns_after=thing.returns_after, since=now)
            case "come-back":
                thing.returns_after = 2.0
            case "stay-away":
                thing.returns_after = thing.returns_at = None
            case _:
                raise _Refused("do: is start, come-back or stay-away")
        return {}

    async def _over_slack(self, asked: _Asked) -> dict[str, Any]:
        self.snapshot.faults.set_slack(
            down=asked.yes("down"),
            delay=asked.number("delay"),
            limited=int(asked.number("limited")),
        )
        return {}

    async def _over_cloud(self, asked: _Asked) -> dict[str, Any]:
        fault, code = asked.text("fault", ""), asked.text("code", "")
        try:
            self.snapshot.faults.set_cloud(fault, code, times=int(asked.number("times")))
        except KeyError:
            raise _Refused("fault: there is no such one") from None
        return {}

    async def _over_clock(self, asked: _Asked) -> dict[str, Any]:
        self.snapshot.faults.set_clock_skew(asked.number("seconds"))
        return {}

    async def _clear(self, _asked: _Asked) -> dict[str, Any]:
        self.snapshot.faults.clear()
        return {}

    async def _child(self, asked: _Asked) -> dict[str, Any]:
        match asked.text("do"):
            case "kill":
                await self.bot.kill()
            case "start":
                await self.bot.start()
            case "restart":
                await self.bot.kill()
                again = asyncio.create_task(self._start_again(), name="start the bot again")
                self._parts.callback(again.cancel)
            case _:
                raise _Refused("do: is kill, start or restart")
        return {}

    async def _start_again(self) -> None:
        """Leave time to see that it is down."""
        await asyncio.sleep(_DOWN)
        await self.bot.start()

    # --- the policy ----------------------------------------------------------------------

    async def _save(self, asked: _Asked) -> dict[str, Any]:
        broken_too = asked.yes("broken_too")
        problems = self.snapshot.policy.save(asked.text("text"), broken_too=broken_too)
        return {"problems": problems, "saved": broken_too or not problems}

    async def _check(self, asked: _Asked) -> dict[str, Any]:
        return {"problems": self.snapshot.policy.problems(asked.text("text"))}

    async def _explain(self, asked: _Asked) -> dict[str, Any]:
        user = asked.text("user")
        if user not in self._slack.users:
            raise _Refused("user: there is no such person")
        text, channel, words = asked.text("text"), asked.text("channel"), asked.text("words")
        return self.snapshot.policy.explain(text, user, channel, words)


def _told(ack: Ack) -> dict[str, Any]:
    return {"trouble": _TROUBLE.format(ack.error)} if ack.error else {}
