"""Alerts at a rate: what answers and cards take, and what worthless notices bring about."""

import asyncio
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bot.cli.demo import DOMAIN, HOOK_SECRET, INCIDENTS
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.callbacks import DEMO_KEY
from bot.sandbox.tencent.callbacks import PATH as CALLBACKS
from tests.support.notices import firing, group, incident, pagerduty_signature
from tests.trials.limits import Fleet, fleet

SECRETS = {
    "STOPSTREAM_ALERTMANAGER_SECRET": HOOK_SECRET,
    "STOPSTREAM_PAGERDUTY_SECRET": HOOK_SECRET,
    "STOPSTREAM_ALERT_CHANNEL": INCIDENTS,
    "STOPSTREAM_LIVE_CALLBACK_KEY": DEMO_KEY,
}
_GENUINE = {"Authorization": f"Bearer {HOOK_SECRET}", "Content-Type": "application/json"}
_OLD = 1_500_000_000.0
_GROUPS = 20
_FAR = 60
_CHANNELS = tuple(f"C0CAM{number}" for number in range(20))
"""Where streams are stopped whose words have nothing to do with the alerts."""
_NEW_EVERY, _PRESS_EVERY = 4.0, 10.0
"""Seconds between two new groups, and between two presses: together they are no more than Slack
takes in a channel, one message a second."""
_AFTER = 15.0
"""Seconds after the last stop in which its words would come."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What was measured at a rate.

    Attributes:
        answers: Seconds until each notice was answered, so on disk; in order.
        cards: Seconds from a notice of a new group to its card.
        clicks: Seconds from a press of Stop on a card to its request at the cloud.
        ends: Seconds from the end of a stopped stream to Off in its thread.
        statuses: How often each status was answered.
    """

    replicas: int
    rate: float
    answers: tuple[float, ...]
    cards: tuple[float, ...]
    clicks: tuple[float, ...]
    ends: tuple[float, ...]
    statuses: Mapping[int, int]

    def line(self) -> str:
        return (
            f"{self.replicas} replicas, {self.rate:.0f} notices a second: "
            f"answered {_parts(self.answers)}; new alert to card {_parts(self.cards)}; "
            f"click to request {_parts(self.clicks)}; end to Off in the thread "
            f"{_parts(self.ends)}; statuses {dict(self.statuses)}"
        )


def _parts(found: tuple[float, ...]) -> str:
    return f"p50 {_part(found, 0.5)}, p99 {_part(found, 0.99)} (of {len(found)})"


def _part(found: tuple[float, ...], part: float) -> str:
    return f"{sorted(found)[int((len(found) - 1) * part)] * 1000:.0f} ms" if found else "none"


async def pace(folder: Path, url: str, *, replicas: int, rate: float, seconds: float) -> Pace:
    """Send notices at a rate: of 20 groups that change with each, and of a new one now and then.

    Their cards are there before. Meanwhile somebody presses Stop on one card after another, and
    others stop streams from their own channels.
    """
    async with fleet(folder, url, replicas, environment=SECRETS) as found:
        _prepare(found)
        answers, statuses, begun = list[float](), dict[int, int](), dict[str, float]()
        async with aiohttp.ClientSession() as http:

            async def send(number: int, name: str) -> None:
                if name not in begun:
                    begun[name] = time.monotonic()
                body, since = _notice(number, name), time.monotonic()
                status = await _post(http, found.urls[number % replicas], body, _GENUINE)
                answers.append(time.monotonic() - since)
                statuses[status] = statuses.get(status, 0) + 1

            for number in range(_GROUPS):
                await send(number, f"group-{number}")
            await _watch(found.slack, begun, 60.0)
            answers.clear()
            statuses.clear()
            words = asyncio.gather(_press_all(found, seconds), _type_all(found, seconds))
            cards = asyncio.create_task(_watch(found.slack, begun, seconds + 60))
            began, sending = time.monotonic(), list[asyncio.Task[None]]()
            for number in range(int(rate * seconds)):
                await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
                new = number % int(_NEW_EVERY * rate) == 0
                name = f"new-{number}" if new else f"group-{number % _GROUPS}"
                sending.append(asyncio.create_task(send(_GROUPS + number, name)))
            await asyncio.gather(*sending)
            clicks, ends = await words
            shown = await cards
        took = tuple(shown[name] - begun[name] for name in begun if name in shown)
        real = len(answers) / max(seconds, 1)
        return Pace(replicas, real, tuple(answers), took, clicks, ends, statuses)


def _prepare(found: Fleet) -> None:
    """Have streams pushed, and callbacks and presses sent to the replicas."""
    found.slack.delivery.request_url = f"{found.urls[0]}/slack/events"
    found.cloud.callbacks.url = f"{found.urls[-1]}{CALLBACKS}"
    names = (f"cam-{number}" for number in range(_GROUPS))
    for name in (*names, *(f"far-{number}" for number in range(_FAR))):
        found.cloud.resources.put("stream", name, DOMAIN, "live", since=time.time())
    for channel in _CHANNELS:
        found.slack.channel(channel, channel.lower(), "U0BOB")


async def _press_all(found: Fleet, seconds: float) -> tuple[float, ...]:
    """Press Stop on cards of the groups; return the seconds from each press to its request."""
    began, pressed = time.monotonic(), dict[str, float]()
    channel, bob = found.slack.channels[INCIDENTS], found.slack.person("U0BOB")
    for number in range(int(seconds / _PRESS_EVERY)):
        await asyncio.sleep(max(0.0, began + number * _PRESS_EVERY - time.monotonic()))
        name = f"cam-{number}"
        root = next(one for one in channel.roots if f"*Alert: group-{number}*" in one.text)
        pressed[name] = time.time()
        await bob.press("Stop", root, INCIDENTS)
    await asyncio.sleep(2.0)
    sent = _sent(found)
    return tuple(sent[name] - at for name, at in pressed.items() if name in sent)


async def _type_all(found: Fleet, seconds: float) -> tuple[float, ...]:
    """Stop streams from other channels; return the seconds from each one's end to its word."""
    began, bob = time.monotonic(), found.slack.person("U0BOB")
    for number in range(min(_FAR, int(seconds))):
        await asyncio.sleep(max(0.0, began + number - time.monotonic()))
        await bob.slash("/stopstream", f"live far-{number}", _CHANNELS[number % len(_CHANNELS)])
    await asyncio.sleep(_AFTER)
    told = {
        name: float(one.ts)
        for channel in _CHANNELS
        for one in found.slack.channels[channel].messages
        for name in re.findall(r"\*Off: `(far-[0-9]+)`", one.text)
        if one.thread_ts
    }
    sent = _sent(found)
    return tuple(at - sent[name] for name, at in told.items())


def _sent(found: Fleet) -> dict[str, float]:
    return {str(one.params.get("StreamName")): one.at for one in found.cloud.ran("DropLiveStream")}


def _notice(number: int, name: str) -> bytes:
    """Return the body of a notice of a group, which says something new with each number."""
    body = group(firing(f"cam-{number % _GROUPS}", at=_OLD + number), key=name)
    body["commonLabels"]["alertname"] = name
    return json.dumps(body).encode()


async def _post(
    http: aiohttp.ClientSession, url: str, body: bytes, headers: Mapping[str, str], to: str = ""
) -> int:
    async with http.post(
        f"{url}/hooks/{to or 'alertmanager'}", data=body, headers=headers
    ) as answer:
        await answer.read()
        return answer.status


async def _watch(slack: Workspace, begun: Mapping[str, float], seconds: float) -> dict[str, float]:
    """Note when the card of each new group appears; end when all are there, or the time is over."""
    found = dict[str, float]()
    channel = slack.channels[INCIDENTS]
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for one in channel.roots:
            title = one.text.partition("*Alert: ")[2].partition("*")[0]
            if title in begun:
                found.setdefault(title, time.monotonic())
        if begun and found.keys() >= begun.keys() and time.monotonic() > until - 60:
            break
        await asyncio.sleep(0.005)
    return {name: at for name, at in found.items() if name.startswith("new-")}


@dataclass(frozen=True, slots=True)
class Worthless:
    """What notices that do not count have brought about.

    Attributes:
        messages: New or changed messages in the channel.
        requests: Requests to the cloud.
    """

    kind: str
    count: int
    statuses: Mapping[int, int]
    messages: int
    requests: int

    def line(self) -> str:
        return (
            f"{self.count} {self.kind} notices: statuses {dict(self.statuses)}, "
            f"{self.messages} messages, {self.requests} requests to the cloud"
        )


async def worthless(folder: Path, url: str, *, replicas: int, count: int) -> list[Worthless]:
    """Send forged, stale and repeated notices, of the replicas by turns."""
    async with fleet(folder, url, replicas, environment=SECRETS) as found:
        real = json.dumps(group(firing("stream1"))).encode()
        old = json.dumps(incident(at=_OLD)).encode()
        signed = {"X-PagerDuty-Signature": pagerduty_signature(old, HOOK_SECRET)}
        kinds: dict[str, tuple[str, bytes, dict[str, str]]] = {
            "forged": ("alertmanager", real, {"Authorization": "Bearer guessed-secret-0000"}),
            "stale": ("pagerduty", old, signed),
            "repeated": ("alertmanager", real, _GENUINE),
        }
        async with aiohttp.ClientSession() as http:
            assert await _post(http, found.urls[0], real, _GENUINE) == 200
            await found.slack.wait_for(lambda: found.slack.channels[INCIDENTS].roots)
            await asyncio.sleep(2.0)
            return [await _all_of(http, found, name, kinds[name], count) for name in kinds]


async def _all_of(
    http: aiohttp.ClientSession,
    found: Fleet,
    name: str,
    of: tuple[str, bytes, dict[str, str]],
    count: int,
) -> Worthless:
    def seen() -> list[Any]:
        return [(one.ts, one.edits) for one in found.slack.channels[INCIDENTS].messages]

    before, ran, statuses = seen(), len(found.cloud.ran()), dict[int, int]()
    to, body, headers = of
    for number in range(count):
        given = {"Content-Type": "application/json", **headers}
        status = await _post(http, found.urls[number % len(found.urls)], body, given, to)
        statuses[status] = statuses.get(status, 0) + 1
    # What they had brought about would be seen by now.
    await asyncio.sleep(3.0)
    after = seen()
    changed = len(set(after) ^ set(before))
    return Worthless(name, count, statuses, changed, len(found.cloud.ran()) - ran)
