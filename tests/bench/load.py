"""Signed slash commands, as many as one process can send; bounded in time."""

import asyncio
import contextlib
import hashlib
import hmac
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeAlias
from urllib.parse import urlencode

import aiohttp

Post: TypeAlias = Callable[[str, str], Awaitable[None]]
"""Posts a command with a trigger and waits for its ack."""


def quantile(seconds: Sequence[float], percent: int) -> float:
    """Give a quantile in milliseconds."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] * 1000


class Load:
    """Posts commands to one address on loopback."""

    def __init__(self, url: str, secret: str) -> None:
        assert url.startswith("http://127.0.0.1:")
        self._url = url
        self._secret = secret.encode()

    def _request(self, text: str, trigger: str) -> tuple[bytes, dict[str, str]]:
        form = {
            "command": "/stopstream",
            "text": text,
            "user_id": "U0ALICE",
            "team_id": "T0HOME",
            "channel_id": "C0INC",
            "trigger_id": trigger,
            "api_app_id": "A0STOP",
        }
        raw = urlencode(form).encode()
        stamp = str(int(time.time()))
        digest = hmac.digest(self._secret, b"v0:" + stamp.encode() + b":" + raw, hashlib.sha256)
        return raw, {
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": f"v0={digest.hex()}",
            "Content-Type": "application/x-www-form-urlencoded",
        }

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[Post]:
        """Give a function that posts one command and waits for its ack."""
        async with aiohttp.ClientSession() as session:

            async def post(text: str, trigger: str) -> None:
                raw, headers = self._request(text, trigger)
                async with session.post(self._url, data=raw, headers=headers) as response:
                    await response.read()
                    assert response.status == 200

            yield post

    async def run(self, seconds: float, clients: int) -> dict[str, float]:
        """Post for some seconds with so many clients; give acks a second and p99 in ms."""
        numbers = itertools.count()
        took: list[float] = []
        run = time.time_ns()

        async def client(post: Post, until: float) -> None:
            while (began := time.perf_counter()) < until:
                number = next(numbers)
                # A name of its own: what stops the same again also tells those that did before.
                await post(f"live s{run % 10**6}-{number}", f"{run}.{number}")
                took.append(time.perf_counter() - began)

        async with self.session() as post:
            await asyncio.gather(*(client(post, time.perf_counter() + 0.5) for _ in range(clients)))
            took.clear()
            began = time.perf_counter()
            await asyncio.gather(*(client(post, began + seconds) for _ in range(clients)))
            whole = time.perf_counter() - began
        return {"rate": len(took) / whole, "p99": quantile(took, 99)}
