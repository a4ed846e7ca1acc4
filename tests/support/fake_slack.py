"""A small Slack on loopback that keeps state and misbehaves on demand."""

import contextlib
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from slack_sdk.web.async_client import AsyncWebClient

from bot.clock_skew import ClockSkew
from handlers.slack.web_client import web_client

TEAM, BOT_USER, BOT = "T0HOME", "U0BOT", "B0BOT"


@dataclass(frozen=True)
class Fault:
    """What happens instead of an answer.

    Attributes:
        error: Slack's code, under HTTP 200.
        body: Sent as it is, instead.
        done: Whether Slack does what was asked all the same.
        hangs_up: The connection ends without an answer.
    """

    error: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: str | None = None
    content_type: str = "application/json"
    done: bool = False
    hangs_up: bool = False


class FakeSlack:
    """Methods do what Slack documents, as far as the bot relies on it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        self.messages: list[dict[str, Any]] = []
        self.posted = 0
        self.replies: list[dict[str, Any]] = []
        self.users: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, list[str]] = {}
        self.channels: dict[str, dict[str, Any]] = {"C0INC": {"is_member": True}}
        self.threads: set[str] = set()
        """Where somebody has replied."""
        self.page = 100
        self.links = ""
        app = web.Application()
        app.router.add_post("/api/{method}", self._take)
        app.router.add_get("/api/{method}", self._take)
        app.router.add_post("/response", self._reply)
        self.server = TestServer(app)

    @property
    def reply_url(self) -> str:
        return str(self.server.make_url("/response"))

    def methods(self) -> list[str]:
        return [method for method, _ in self.calls]

    def asked(self, method: str) -> list[dict[str, Any]]:
        return [arguments for name, arguments in self.calls if name == method]

    def fails(self, method: str, *faults: Fault) -> None:
        """Let the next calls of a method fail, one fault for each."""
        self.faults[method] += faults

    # --- the server ------------------------------------------------------------------

    async def _take(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        arguments = await _arguments(request)
        self.calls.append((method, arguments))
        fault = self.faults[method].pop(0) if self.faults[method] else None
        if fault is None:
            return web.json_response(self._do(method, arguments), headers=_scopes())
        return self._misbehave(request, fault, method, arguments)

    async def _reply(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.calls.append(("response_url", body))
        fault = self.faults["response_url"].pop(0) if self.faults["response_url"] else None
        if fault is not None:
            return self._misbehave(request, fault, "response_url", body)
        self.replies.append(body)
        return web.Response(text="ok")

    def _misbehave(
        self, request: web.Request, fault: Fault, method: str, arguments: dict[str, Any]
    ) -> web.StreamResponse:
        if fault.done:
            self._do(method, arguments)
        if fault.hangs_up:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        text = fault.body
        if text is None:
            text = json.dumps({"ok": False, "error": fault.error})
        return web.Response(
            status=fault.status,
            text=text,
            headers=dict(fault.headers),
            content_type=fault.content_type,
        )

    # --- the methods -----------------------------------------------------------------

    def _do(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        known = {
            "apps.connections.open": lambda _: {"url": self.links},
            "auth.test": self._auth_test,
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "chat.delete": self._delete,
            "chat.getPermalink": self._permalink,
            "conversations.history": self._history,
            "conversations.replies": self._thread,
            "conversations.info": self._info,
            "users.info": self._user,
            "users.list": self._list,
            "usergroups.users.list": self._group,
        }
        done: dict[str, Any] = {"ok": True}
        return done | (known[method](arguments) if method in known else {})

    def _auth_test(self, _arguments: dict[str, Any]) -> dict[str, Any]:
        url = "https://example.slack.com/"
        return {"team_id": TEAM, "user_id": BOT_USER, "bot_id": BOT, "url": url}

    def _post(self, arguments: dict[str, Any]) -> dict[str, Any]:
        ts = f"17000000{self.posted:02d}.000100"
        self.posted += 1
        self.messages.append(arguments | {"ts": ts, "bot_id": BOT})
        return {"channel": arguments["channel"], "ts": ts}

    def _update(self, arguments: dict[str, Any]) -> dict[str, Any]:
        for message in self.messages:
            if message["ts"] == arguments["ts"]:
                message.update(arguments)
                return {"channel": arguments["channel"], "ts": arguments["ts"]}
        return {"ok": False, "error": "message_not_found"}

    def _delete(self, arguments: dict[str, Any]) -> dict[str, Any]:
        for message in self.messages:
            if message["ts"] == arguments["ts"] and message["channel"] == arguments["channel"]:
                self.messages.remove(message)
                return {"channel": arguments["channel"], "ts": arguments["ts"]}
        return {"ok": False, "error": "message_not_found"}

    def _permalink(self, arguments: dict[str, Any]) -> dict[str, Any]:
        place = f"{arguments['channel']}/p{arguments['message_ts'].replace('.', '')}"
        return {"permalink": f"https://example.slack.com/archives/{place}"}

    def _history(self, arguments: dict[str, Any]) -> dict[str, Any]:
        replies = Counter(m.get("thread_ts") for m in self.messages)
        found = [
            m | {"reply_count": replies[m["ts"]]} for m in self.messages if not m.get("thread_ts")
        ]
        return self._paged(found[::-1], arguments)

    def _thread(self, arguments: dict[str, Any]) -> dict[str, Any]:
        ts, channel = arguments["ts"], arguments["channel"]
        found = [m for m in self.messages if m.get("thread_ts") == ts]
        root = {"ts": ts, "channel": channel}
        reply = root | {"ts": f"{ts}9", "thread_ts": ts}
        found[:0] = [root, *([reply] if ts in self.threads else [])]
        return self._paged(found, arguments)

    def _paged(self, found: list[dict[str, Any]], arguments: dict[str, Any]) -> dict[str, Any]:
        start = int(arguments.get("cursor") or 0)
        here = [m for m in found if m["channel"] == arguments["channel"]]
        after = start + self.page
        cursor = str(after) if after < len(here) else ""
        return {
            "messages": here[start:after],
            "response_metadata": {"next_cursor": cursor},
        }

    def _info(self, arguments: dict[str, Any]) -> dict[str, Any]:
        found = self.channels.get(arguments["channel"])
        return {"channel": found} if found else {"ok": False, "error": "channel_not_found"}

    def _user(self, arguments: dict[str, Any]) -> dict[str, Any]:
        found = self.users.get(arguments["user"])
        return {"user": found} if found else {"ok": False, "error": "user_not_found"}

    def _list(self, arguments: dict[str, Any]) -> dict[str, Any]:
        start = int(arguments.get("cursor") or 0)
        end = start + self.page
        found = [{"id": id_, **user} for id_, user in self.users.items()]
        following = str(end) if end < len(found) else ""
        return {"members": found[start:end], "response_metadata": {"next_cursor": following}}

    def _group(self, arguments: dict[str, Any]) -> dict[str, Any]:
        found = self.groups.get(arguments["usergroup"])
        if found is None:
            return {"ok": False, "error": "no_such_subteam"}
        return {"users": found}


@contextlib.asynccontextmanager
async def slack(
    skew: ClockSkew | None = None,
) -> AsyncIterator[tuple[FakeSlack, AsyncWebClient]]:
    """Run the fake, and a client that talks to it."""
    fake = FakeSlack()
    await fake.server.start_server()
    try:
        address = str(fake.server.make_url("/api/"))
        async with web_client("xoxb-made-up", address, skew) as client:
            yield fake, client
    finally:
        await fake.server.close()


async def _arguments(request: web.Request) -> dict[str, Any]:
    if request.content_type == "application/json" and request.can_read_body:
        found: dict[str, Any] = await request.json()
        return found
    return {**request.query, **dict(await request.post())}


def _scopes() -> dict[str, str]:
    return {"x-oauth-scopes": "chat:write,commands"}
