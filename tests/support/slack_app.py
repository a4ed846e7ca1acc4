"""The bot as Slack reaches it, over signed HTTP or Socket Mode; all but Slack is the real bot."""

import asyncio
import contextlib
import hashlib
import hmac
import io
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.metrics import Metrics
from bot.model.actions import Effect
from bot.model.operations import State
from bot.supervision import Supervisor
from handlers.app import build_app
from handlers.messages import views
from handlers.slack.background import BackgroundQueue
from handlers.slack.directory import Directory
from handlers.slack.http_receiver import MAX_BODY, PATH, receiver
from handlers.slack.socket_mode import SocketMode
from handlers.slack.web_client import connect
from tests.conftest import House
from tests.support.fake_slack import BOT_USER, TEAM, FakeSlack, slack

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


@dataclass
class Workspace:
    """The bot as Slack reaches it over HTTP."""

    slack: FakeSlack
    house: House
    background: BackgroundQueue
    directory: Directory
    http: TestClient[web.Request, web.Application]

    async def send(
        self,
        body: bytes | str,
        content_type: str = "application/x-www-form-urlencoded",
        **headers: str,
    ) -> tuple[int, Any]:
        """Sign and send a request; return status and answer."""
        raw = body.encode() if isinstance(body, str) else body
        at = headers.pop("at", str(int(time.time())))
        signed = hmac.new(SECRET.encode(), f"v0:{at}:".encode() + raw, hashlib.sha256)
        all_headers = {
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": at,
            "X-Slack-Signature": f"v0={signed.hexdigest()}",
        } | headers
        async with self.http.post(PATH, data=io.BytesIO(raw), headers=all_headers) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text.startswith("{") else text

    async def command(self, text: str, command: str = "/stopstream", **more: str) -> Any:
        """Type a slash command; return the text of the ack, empty for none."""
        given = {
            "command": command,
            "text": text,
            "trigger_id": f"trigger.{text}",
            "user_id": "U0ALICE",
            "team_id": TEAM,
            "channel_id": "C0INC",
            "response_url": self.slack.reply_url,
        } | more
        status, answer = await self.send(urlencode(given))
        assert status == 200
        if not answer:
            return ""
        assert answer["response_type"] == "ephemeral"
        return answer["text"]

    async def interact(self, payload: dict[str, Any]) -> Any:
        """Press, choose or submit something; return the answer."""
        status, answer = await self.send(urlencode({"payload": json.dumps(payload)}))
        assert status == 200
        return answer

    async def event(self, event: dict[str, Any], event_id: str = "Ev1", **headers: str) -> None:
        """Send an event."""
        body = {"type": "event_callback", "event_id": event_id, "team_id": TEAM, "event": event}
        status, _ = await self.send(json.dumps(body), "application/json", **headers)
        assert status == 200

    async def settle(self) -> None:
        """Wait until all background jobs, operations and deliveries have ended."""
        await self.background.stop(grace=60.0)
        for operation in await self.house.service.queries.recent(None):
            if operation.state is not State.INVALID:
                await self.house.engine.ending(operation.id)
        await self.house.courier.drain()


@contextlib.asynccontextmanager
async def opened(house: House, *, late: str = "", **limits: Any) -> AsyncIterator[Workspace]:
    """Open the bot over signed HTTP; messages to the channel `late` are held up."""
    async with slack() as (fake, client):
        background = BackgroundQueue(supervisor=Supervisor(Metrics()), **limits)
        background.start()
        directory = Directory(client, team=TEAM)
        app = build_app(
            client=client,
            identity=await connect(client),
            service=house.service,
            alert_service=house.alerts,
            moderation=house.moderation,
            background=background,
            directory=directory,
            is_late=lambda channel: channel == late,
        )
        fake.calls.clear()
        web_app = web.Application(client_max_size=2 * MAX_BODY)
        web_app.router.add_post(PATH, receiver(app, signing_secret=SECRET, metrics=Metrics()))
        async with TestClient(TestServer(web_app)) as http:
            yield Workspace(fake, house, background, directory, http)
        await background.stop()


def mention(text: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "app_mention",
        "user": "U0ALICE",
        "text": f"<@{BOT_USER}> {text}",
        "channel": "C0INC",
        "ts": "1700000000.000100",
        "team": TEAM,
    } | more


def submission(api: str = "DropLiveStream", place: str = "C0INC", **fields: str) -> dict[str, Any]:
    choice = {views.CHOOSE_ACTION: {"selected_option": {"value": api}}}
    values: dict[str, Any] = {views.ACTION_BLOCK: choice}
    for name, value in fields.items():
        values[f"param:{name}"] = {views.VALUE: {"type": "plain_text_input", "value": value}}
    return {
        "type": "view_submission",
        "trigger_id": "trigger.form",
        "user": {"id": "U0ALICE", "team_id": TEAM},
        "team": {"id": TEAM},
        "view": {
            "id": "V1",
            "type": "modal",
            "callback_id": views.FORM,
            "private_metadata": views.encode_place(views.FormPlace(Effect.STOP, place)),
            "state": {"values": values},
        },
    }


class Line:
    """Slack's end of Socket Mode."""

    def __init__(self) -> None:
        self.acks: list[dict[str, Any]] = []
        self.refuses = ""
        """The reason with which each socket is disconnected at once; empty to accept it."""
        self.opened = 0
        self.open: list[web.WebSocketResponse] = []

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.open.append(socket)
        self.opened += 1
        if self.refuses:
            await socket.send_json({"type": "disconnect", "reason": self.refuses})
        else:
            await socket.send_json({"type": "hello", "num_connections": len(self.open)})
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                self.acks.append(message.json())
        self.open.remove(socket)
        return socket

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not condition():  # noqa: ASYNC110 (what is waited for is on the other end)
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def on_socket(
    house: House, ping: float = 1.0
) -> AsyncIterator[tuple[SocketMode, Line, FakeSlack]]:
    line = Line()
    web_app = web.Application()
    web_app.router.add_get("/link", line.serve)
    async with TestServer(web_app) as server, slack() as (fake, client):
        url = str(server.make_url("/link")).replace("http", "ws")
        fake.links = url
        background = BackgroundQueue(supervisor=Supervisor(Metrics()))
        background.start()
        app = build_app(
            client=client,
            identity=await connect(client),
            service=house.service,
            alert_service=house.alerts,
            moderation=house.moderation,
            background=background,
            directory=Directory(client, team=TEAM),
        )
        socket = SocketMode(
            app,
            "xapp-made-up",
            supervisor=Supervisor(Metrics()),
            metrics=Metrics(),
            ping=ping,
            watch=1.0,
        )
        try:
            yield socket, line, fake
        finally:
            await socket.close()
            await background.stop()
