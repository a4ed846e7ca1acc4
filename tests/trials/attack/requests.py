"""Slack's requests forged: bad signatures, and the same delivery again and again."""

import asyncio
import contextlib
import hashlib
import hmac
import time
from urllib.parse import urlencode

import aiohttp

from bot.cli.demo import INCIDENTS
from tests.trials.attack.target import Attack, Target

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_STAMP, _SIGN = "X-Slack-Request-Timestamp", "X-Slack-Signature"


async def signatures(target: Target) -> Attack:
    """Send what Alice might have typed, with everything but Slack's signature.

    In Socket Mode not even a good one is taken.
    """
    found, slack = Attack("bad signatures"), target.world.slack
    before = target.changes()
    raw = urlencode(target.command("live stream1", "U0ALICE")).encode()
    good, now = slack.delivery.signed(raw), int(time.time())
    tries: list[tuple[bytes, dict[str, str]]] = [
        *((raw, headers) for headers in ({}, {_STAMP: good[_STAMP]}, {_SIGN: good[_SIGN]})),
        *((raw, _signed(raw, str(now + by), slack.signing_secret)) for by in (-3600, -301, 3600)),
        *((raw, _signed(raw, str(now), secret)) for secret in ("another-secret", "")),
        (raw.replace(b"stream1", b"stream2"), good),
        *((raw + more, good) for more in (b"&text=live+stream2", b"&", b"\n")),
        *((raw, good | {_SIGN: value}) for value in _other_signatures(good[_SIGN])),
        *((raw, good | {_STAMP: value}) for value in ("", "x", "-1", "1e9", "9" * 40, f"{now}0")),
    ]
    if not slack.delivery.request_url:
        tries.append((raw, good))
    async with aiohttp.ClientSession() as http:
        for body, headers in tries * 10:
            with contextlib.suppress(aiohttp.ClientError, ValueError):
                async with http.post(
                    f"{target.url}/slack/events", data=body, headers=headers | _FORM
                ) as answer:
                    found.note(f"{headers}: {answer.status}", through=answer.status < 400)
    await target.settled(found, before)
    return found


def _signed(raw: bytes, at: str, secret: str) -> dict[str, str]:
    digest = hmac.new(secret.encode(), b"v0:" + at.encode() + b":" + raw, hashlib.sha256)
    return {_STAMP: at, _SIGN: f"v0={digest.hexdigest()}"}


def _other_signatures(good: str) -> list[str]:
    return [
        *("", "v0=", "v0", good[:-1], good + "0", good[3:], good.replace("v0=", "v1=")),
        *("v0=" + "0" * 64, "v0=\u00e9" * 3, good[:3] + good[4:] + good[3], "V0" + good[2:]),
        *(good.upper(), f"{good},{good}", good[:3] + "0" + good[3:]),
    ]


async def replays(target: Target) -> Attack:
    """Deliver stops and mentions twenty times at once, and again afterwards: each runs once."""
    found, slack = Attack("replayed deliveries"), target.world.slack
    for number in range(9):
        before, kind, payload = target.changes(), *_ask(target, number)
        await asyncio.gather(*(slack.delivery.deliver(kind, payload) for _ in range(20)))
        await target.quiet()
        shown = _shown(target)
        for _ in range(20):
            await slack.delivery.deliver(kind, payload)
        await target.quiet(1.0)
        found.tried += 40
        ran, more = target.changes() - before, _shown(target) - shown
        if (ran, more) != (1, 0):
            found.through.append(f"{kind}: {ran} requests, {more} more messages for all to see")
    return found


def _shown(target: Target) -> int:
    return sum(not one.to for one in target.world.slack.channels[INCIDENTS].messages)


def _ask(target: Target, number: int) -> tuple[str, dict[str, object]]:
    name = f"replayed{number}"
    match number % 3:
        case 0:
            return "command", dict(target.command(f"live {name}", "U0ALICE"))
        case 1:
            return "event", target.mention(f"stop live {name}", "U0ALICE")
        case _:
            return "interaction", target.form({"StreamName": name}, "U0ALICE")
