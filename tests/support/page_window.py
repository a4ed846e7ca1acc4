"""A window of the demo's page, as a test opens it: what it was sent and what it can do."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Self

import aiohttp

from bot.cli.demo import INCIDENTS
from bot.sandbox.page.server import Page


class Eyes:
    """A window of one person: what it was sent so far, and its hands."""

    def __init__(self, page: Page, user: str) -> None:
        self.user = user
        self.world: dict[str, Any] = {}
        self.news: list[dict[str, Any]] = []
        self._page = page
        self._parts = contextlib.AsyncExitStack()
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._session = await self._parts.enter_async_context(aiohttp.ClientSession())
        url = f"{self._page.url}/live?as={self.user}"
        self._socket = await self._parts.enter_async_context(self._session.ws_connect(url))
        reading = asyncio.create_task(self._read())
        self._parts.callback(reading.cancel)
        await self.until(lambda: self.world)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._parts.aclose()

    async def _read(self) -> None:
        async for message in self._socket:
            news = message.json()
            self.news.append(news)
            if news["first"]:
                self.world.clear()
            self.world.update(news["set"])
            for key in news["gone"]:
                del self.world[key]
            self._changed.set()

    async def until(self, so: Callable[[], Any], timeout: float = 120.0) -> Any:  # noqa: ASYNC109
        try:
            async with asyncio.timeout(timeout):
                while not (found := so()):
                    self._changed.clear()
                    await self._changed.wait()
                return found
        except TimeoutError:
            raise AssertionError(f"it never came; the window shows:\n{self._shown()}") from None

    def _shown(self) -> str:
        told = ("bot", "message/", "log/", "request/")
        return "\n".join(f"{key}: {one}" for key, one in self.world.items() if key.startswith(told))

    def answered(self) -> tuple[Any, ...]:
        """Give the first accepted card and what stands in its thread."""
        for card in self.saying("RequestId"):
            thread = [m for m in self.messages() if m["thread_ts"] == card["ts"]]
            if thread:
                return card, thread
        return ()

    async def do(self, call: str, **body: Any) -> dict[str, Any]:
        body = {"as": self.user, **body}
        async with self._session.post(f"{self._page.url}/api/{call}", json=body) as response:
            found: dict[str, Any] = await response.json()
            return found | {"status": response.status}

    async def type(self, text: str, channel: str = INCIDENTS, **more: Any) -> dict[str, Any]:
        return await self.do("type", channel=channel, text=text, **more)

    async def become(self, user: str) -> None:
        self.user = user
        await self._socket.send_str(user)
        await self.until(lambda: self.news[-1]["as"] == user)

    def messages(self, channel: str = INCIDENTS) -> list[dict[str, Any]]:
        keys = sorted(key for key in self.world if key.startswith(f"message/{channel}/"))
        return [self.world[key] for key in keys]

    def saying(self, text: str, channel: str = INCIDENTS) -> list[dict[str, Any]]:
        return [one for one in self.messages(channel) if text in f"{one['text']}{one['blocks']}"]

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests that change something, in order; reads go beside them."""
        found = [value for key, value in self.world.items() if key.startswith("request/")]
        found = [one for one in found if not one["api"].startswith("Describe")]
        return sorted(found, key=lambda one: one["at"])

    def state(self, *key: str) -> str:
        return str(self.world["thing/" + "/".join(key)]["state"])
