"""The callbacks of the emulated cloud: signed notices of streams and pictures, sent until taken.

Source: https://www.tencentcloud.com/document/product/267/38080
"""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp

from bot.hooks.live import signature
from bot.sandbox.tencent import flagged
from bot.sandbox.tencent.flagged import Flag

PATH = "/hooks/live"

DEMO_KEY = "demo-callback-key"

VALID_FOR = 600.0
"""Seconds from a notice to its `t`."""

TRIES = 13
"""How often a notice is sent that is not answered with 200: once, and 12 times more."""

_LOOK = 0.05
"""Seconds between two looks at what is pushed."""

_ANSWER_WITHIN = 20.0

_BEGAN, _ENDED = 1, 0

StreamKey = tuple[str, ...]
"""Name, domain and path of a stream."""


@dataclass(slots=True)
class Delivery:
    """What becomes of the notices; a test or the page changes it.

    Attributes:
        again_after: Seconds between two tries of one notice.
        late: Seconds by which each is late.
        copies: How often each is sent although it was taken.
        lost: Whether none is sent.
        key: What signs them.
        snapshot_after: Seconds from a task of snapshots to its picture.
    """

    again_after: float = 60.0
    late: float = 0.0
    copies: int = 1
    lost: bool = False
    key: str = DEMO_KEY
    snapshot_after: float = 1.0


@dataclass(frozen=True, slots=True)
class SentNotice:
    """One try to send a notice.

    Attributes:
        status: What was answered; 0 for no answer.
    """

    event_type: int
    stream: str
    status: int


class Callbacks:
    """Tells one address of each push that begins or ends.

    Args:
        live: Returns the streams that are pushed now.
        clock: Epoch seconds.

    Attributes:
        url: The address; nothing is sent while it is empty.
    """

    def __init__(self, live: Callable[[], set[StreamKey]], clock: Callable[[], float]) -> None:
        self.url = ""
        self.delivery = Delivery()
        self.sent: deque[SentNotice] = deque(maxlen=10_000)
        self._live = live
        self._clock = clock
        self._pushes: dict[StreamKey, str] = {}
        """The `sequence` of each push."""
        self._count = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    def start(self) -> None:
        """Begin to look; what is pushed already is not told."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(_ANSWER_WITHIN))
        self._pushes = {key: self._sequence() for key in self._live()}
        self._spawn(self._watch())

    async def close(self) -> None:
        """Send nothing more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def notice(self, event_type: int, key: StreamKey, sequence: str) -> dict[str, object]:
        """Return what a notice says, without its signature."""
        stream, domain, app = key
        return {
            "appid": 1250000000,
            "app": domain,
            "appname": app,
            "stream_id": stream,
            "channel_id": stream,
            "event_type": event_type,
            "event_time": int(self._clock()),
            "sequence": sequence,
            "node": "127.0.0.1",
            "user_ip": "127.0.0.1",
            "stream_param": "txSecret=5e5bf7e0aa7e0ffd1a6b26f0f1d1ac15&txTime=5FBA6A8D",
            "errcode": 0 if event_type == _BEGAN else 1,
            "errmsg": "The push is successful"
            if event_type == _BEGAN
            else "recv rtmp deleteStream",
        }

    def flag(self, key: StreamKey, flag: Flag, url: str) -> None:
        """Tell that content moderation has flagged the picture of a stream.

        Args:
            url: Of the emulated cloud, which has the picture.
        """
        if self.url and not self.delivery.lost:
            said = flagged.notice(key, flag, url=url, at=self._clock())
            for _ in range(self.delivery.copies):
                self._spawn(self._send(flagged.EVENT, said))

    def snapshot(self, key: StreamKey, url: str) -> None:
        """Tell that a picture of a stream is stored, a moment after its task was made.

        Args:
            url: Of the emulated cloud, which has the picture.
        """
        if self.url and not self.delivery.lost:
            said = flagged.snapshot_notice(key, url=url, at=self._clock())
            for _ in range(self.delivery.copies):
                self._spawn(self._send(flagged.SNAPSHOT, said, after=self.delivery.snapshot_after))

    async def _watch(self) -> None:
        while True:
            live = self._live()
            for key in live - self._pushes.keys():
                self._pushes[key] = self._sequence()
                self._tell(_BEGAN, key, self._pushes[key])
            for key in self._pushes.keys() - live:
                self._tell(_ENDED, key, self._pushes.pop(key))
            await asyncio.sleep(_LOOK)

    def _sequence(self) -> str:
        self._count += 1
        return str(int(self._clock()) * 1_000_000 + self._count)

    def _tell(self, event_type: int, key: StreamKey, sequence: str) -> None:
        if self.url and not self.delivery.lost:
            said = self.notice(event_type, key, sequence)
            for _ in range(self.delivery.copies):
                self._spawn(self._send(event_type, said))

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="callbacks")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(
        self, event_type: int, said: Mapping[str, object], *, after: float = 0.0
    ) -> None:
        """Send a notice until it is taken; each try is signed anew."""
        await asyncio.sleep(self.delivery.late + after)
        for _ in range(TRIES):
            expires = int(self._clock() + VALID_FOR)
            stamp = {"t": expires, "sign": signature(self.delivery.key, expires)}
            status = await self._post(json.dumps({**said, **stamp}).encode())
            self.sent.append(SentNotice(event_type, _stream_of(said), status))
            if status == HTTPStatus.OK:
                return
            await asyncio.sleep(self.delivery.again_after)

    async def _post(self, body: bytes) -> int:
        """Return the status of the answer; 0 where none came."""
        assert self._session is not None  # noqa: S101 (it is started)
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            headers = {"Content-Type": "application/json"}
            async with self._session.post(self.url, data=body, headers=headers) as response:
                return response.status
        return 0


def _stream_of(said: Mapping[str, object]) -> str:
    return str(said.get("stream_id") or said.get("streamId") or "")
