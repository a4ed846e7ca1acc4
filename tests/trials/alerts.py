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
_AFTER = 40.0
"""Seconds after the last press in which its words would come."""


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

    Meanwhile somebody presses Stop on one card after another.
    """
    async with fleet(folder, url, replicas, environment=SECRETS) as found:
        found.slack.delivery.request_url = f"{found.urls[0]}/slack/events"
        found.cloud.callbacks.url = f"{found.urls[-1]}{CALLBACKS}"
        for number in range(_GROUPS):
            found.cloud.resources.put("stream", f"cam-{number}", DOMAIN, "live", since=time.time())
        answers, statuses, begun = list[float](), dict[int, int](), dict[str, float]()
        async with aiohttp.ClientSession() as http:

            async def send(number: int) -> None:
                name, body = _notice(number, rate)
                if name not in begun:
                    begun[name] = time.monotonic()
                since = time.monotonic()
                status = await _post(http, found.urls[number % replicas], body, _GENUINE)
                answers.append(time.monotonic() - since)
                statuses[status] = statuses.get(status, 0) + 1

            presses = asyncio.create_task(_press_all(found, seconds))
            cards = asyncio.create_task(_watch(found.slack, begun, seconds + 60))
            began, sending = time.monotonic(), list[asyncio.Task[None]]()
            for number in range(int(rate * seconds)):
                await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
                sending.append(asyncio.create_task(send(number)))
            await asyncio.gather(*sending)
            shown = await cards
            clicks, ends = await presses
        took = tuple(shown[name] - begun[name] for name in begun if name in shown)
        real = len(answers) / max(seconds, 1)
        return Pace(replicas, real, tuple(answers), took, clicks, ends, statuses)


async def _press_all(found: Fleet, seconds: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Press Stop for each stream, and return what clicks and ends took; see Pace."""
    began, pressed = time.monotonic(), dict[str, float]()
    channel, bob = found.slack.channels[INCIDENTS], found.slack.person("U0BOB")
    while time.monotonic() < began + seconds and len(pressed) < _GROUPS:
        for root in channel.roots:
            name = next((one for one in _named(root.text) if one not in pressed), "")
            if name and "Stop" in root.buttons():
                pressed[name] = time.time()
                await bob.press("Stop", root, INCIDENTS)
                break
        await asyncio.sleep(1.0)
    # What comes of the last one comes after all that waits in the channel.
    await asyncio.sleep(_AFTER)
    stops = {str(one.params.get("StreamName")): one.at for one in found.cloud.ran("DropLiveStream")}
    clicks = tuple(stops[name] - at for name, at in pressed.items() if name in stops)
    told = {
        name: float(one.ts)
        for one in channel.messages
        for name in stops
        if f"*Off: `{name}`*" in one.text and one.thread_ts
    }
    return clicks, tuple(told[name] - stops[name] for name in told)


def _named(text: str) -> list[str]:
    return re.findall(r"cam-[0-9]+", text) if "group-" in text else []


def _notice(number: int, rate: float) -> tuple[str, bytes]:
    """Return the title of a notice's group and its body: every two seconds a new group."""
    new = number % int(2 * rate) == 0
    name = f"new-{number}" if new else f"group-{number % _GROUPS}"
    alert = firing(f"cam-{number % _GROUPS}", at=_OLD + number)
    body = group(alert, key=name)
    body["commonLabels"]["alertname"] = name
    return name, json.dumps(body).encode()


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
