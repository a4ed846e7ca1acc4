"""Notices of monitoring systems and callbacks that are forged, old, huge, deep, half or slow."""

import asyncio
import contextlib
import json
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import aiohttp

from bot.cli.demo import HOOK_SECRET
from bot.hooks import generic
from bot.sandbox.tencent import callbacks
from tests.support.live_callbacks import said, signed
from tests.support.notices import firing, group, incident, pagerduty_signature, signed_generic
from tests.trials.attack.target import Attack, Target

_TIMES = 10
_SLOW = 100
_GONE_WITHIN = 30.0


async def notices(target: Target) -> Attack:
    """Send what must have no card and no request, and keep a hundred bodies half sent."""
    found = Attack("notices and callbacks")
    before, shown = target.changes(), len(target.messages())
    async with aiohttp.ClientSession() as http:
        for source, raw, headers in _tries() * _TIMES:
            kind = {"Content-Type": "application/json"}
            with contextlib.suppress(aiohttp.ClientError):
                async with http.post(
                    f"{target.url}/hooks/{source}", data=raw, headers={**kind, **headers}
                ) as answer:
                    found.note(f"{source} {raw[:60]!r}: {answer.status}", through=answer.ok)
    await _slow(target, found)
    await target.quiet()
    more = [one.text for one in target.messages()[shown:]]
    found.note(f"messages: {more}", through=bool(more))
    shown = len(target.messages())
    await _repeated(target, found)
    await target.settled(found, before)
    return found


def _tries() -> list[tuple[str, bytes, Mapping[str, str]]]:
    now = time.time()
    real = json.dumps(group(firing("stream1"))).encode()
    old = json.dumps(incident(at=now - 86_400 * 400)).encode()
    bearer = {"Authorization": f"Bearer {HOOK_SECRET}"}
    body, headers = signed_generic({"id": "x", "title": "x"}, HOOK_SECRET, now - 3600)
    live = signed(said(at=now - 86_400, stream_id="stream1"), callbacks.DEMO_KEY, expires=now - 60)
    forged = signed(said(at=now, stream_id="stream1"), "guessed-key", expires=now + 600)
    deep = b'{"alerts": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    wide = b'{"alerts": [' + b"{}," * 60_000 + b"{}]}"
    return [
        *(("alertmanager", real, given) for given in ({}, {"Authorization": HOOK_SECRET})),
        ("alertmanager", real, {"Authorization": "Bearer guessed-secret"}),
        ("alertmanager", real, {"Authorization": f"Bearer {HOOK_SECRET}x"}),
        ("alertmanager", real, {"Authorization": "Bearer "}),
        *(("alertmanager", raw, bearer) for raw in (deep, wide, b"{" * 10, b"\xff\xfe", b"", b"7")),
        ("alertmanager", real + b" " * 300_000, bearer),
        ("alertmanager", b"x" * 3_000_000, bearer),
        ("alertmanager", b'{"x": ' + b"9" * 200_000 + b"}", bearer),
        ("pagerduty", old, {"X-PagerDuty-Signature": pagerduty_signature(old, "guessed")}),
        ("pagerduty", old, {"X-PagerDuty-Signature": "v1=" + "0" * 64}),
        ("pagerduty", old, {}),
        ("generic", body, headers),
        ("generic", body + b" ", headers),
        ("generic", body, headers | {generic.SIGNATURE: "v1=" + "0" * 64}),
        ("generic", body, {**headers, generic.TIMESTAMP: str(int(now))}),
        *(("live", raw, {}) for raw in (live, forged, b"{}", deep, b"[]")),
        ("nosuch", real, bearer),
    ]


async def _slow(target: Target, found: Attack) -> None:
    """Send a hundred bodies that never end: their connections are closed."""
    host, port = str(urlsplit(target.url).hostname), int(urlsplit(target.url).port or 0)

    async def one() -> bool:
        reader, writer = await asyncio.open_connection(host, port)
        head = b"POST /hooks/alertmanager HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n"
        try:
            async with asyncio.timeout(_GONE_WITHIN):
                writer.write(head)
                while not reader.at_eof():
                    writer.write(b"{")
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(reader.read(100), 0.5)
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        finally:
            writer.transport.abort()
        return True

    for gone in await asyncio.gather(*(one() for _ in range(_SLOW))):
        found.note(f"a slow body is still taken after {_GONE_WITHIN} s", through=not gone)


async def _repeated(target: Target, found: Attack) -> None:
    """Send a genuine notice fifty times at once: it has one card."""
    raw = json.dumps(group(firing("repeated1", at=time.time()), key="{}:repeated")).encode()
    bearer = {"Authorization": f"Bearer {HOOK_SECRET}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession() as http:

        async def send() -> None:
            async with http.post(
                f"{target.url}/hooks/alertmanager", data=raw, headers=bearer
            ) as answer:
                found.note(f"a genuine notice: {answer.status}", through=not answer.ok)

        await asyncio.gather(*(send() for _ in range(50)))
    await target.quiet()
    cards = [one for one in target.messages() if "repeated1" in one.text and not one.thread_ts]
    found.note(f"{len(cards)} cards of one notice", through=len(cards) != 1)
