"""Alerts from the HTTP request to the stop, in the emulated workspace, with the whole program."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.cli.demo import HOOK_SECRET, INCIDENTS, Sandbox
from bot.hooks.pagerduty import SIGNATURE
from bot.sandbox.slack.entities import Message
from tests.support.notices import (
    SINCE,
    firing,
    group,
    incident,
    pagerduty_signature,
    signed_generic,
)
from tests.support.worlds import sandbox

BEARER = {"Authorization": f"Bearer {HOOK_SECRET}"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(params=["socket", "http"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with sandbox(tmp_path, socket=request.param == "socket", limits=False) as built:
        yield built


@pytest.fixture
async def one_world(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with sandbox(tmp_path, socket=False, limits=False) as built:
        yield built


async def post(
    world: Sandbox, source: str, body: dict[str, Any] | bytes, headers: Mapping[str, str]
) -> tuple[int, str]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with (
        aiohttp.ClientSession() as http,
        http.post(
            f"{world.bot.url}/hooks/{source}", data=raw, headers={**JSON, **headers}
        ) as answer,
    ):
        return answer.status, (await answer.text()).strip()


def roots(world: Sandbox) -> list[Message]:
    return world.slack.channels[INCIDENTS].roots


async def card(world: Sandbox, text: str) -> Message:
    found: Message = await world.slack.wait_for(
        lambda: next((one for one in roots(world) if text in one.text), None)
    )
    return found


def stops(world: Sandbox) -> list[str]:
    return [one.api for one in world.cloud.ran() if not one.api.startswith("Describe")]


async def test_alert_is_stopped_from_its_card(world: Sandbox) -> None:
    """Alertmanager's notice shows a card; Alice presses Stop, and the answer is in its thread."""
    status, answer = await post(world, "alertmanager", group(firing("stream1")), BEARER)
    assert (status, answer) == (200, "stored")
    root = await card(world, "BitrateLow")
    assert list(root.buttons()) == ["Stop", "Ban 30 min", "Ban 2 h", "Ban 7 days"]
    assert stops(world) == []

    await world.slack.person("U0ALICE").press("Stop", root)
    thread: list[Message] = await world.slack.wait_for(
        lambda: world.slack.channels[INCIDENTS].thread(root.ts)[1:]
    )
    assert stops(world) == ["DropLiveStream"]
    assert thread

    await post(world, "alertmanager", group(firing("stream1", over=True)), BEARER)
    over = await card(world, "Resolved: BitrateLow")
    assert (over.ts, list(over.buttons())) == (root.ts, [])


async def test_ban_from_an_alert_is_confirmed(one_world: Sandbox) -> None:
    """Where the policy asks for a confirmation, the press leads to a card that waits for it."""
    await post(one_world, "alertmanager", group(firing("stream1")), BEARER)
    root = await card(one_world, "BitrateLow")
    await one_world.slack.person("U0ALICE").press("Ban 30 min", root)
    channel = one_world.slack.channels[INCIDENTS]
    waiting: Message = await one_world.slack.wait_for(
        lambda: next((m for m in channel.thread(root.ts) if "Confirm" in m.buttons()), None)
    )
    assert stops(one_world) == []
    await one_world.slack.person("U0ALICE").press("Confirm", waiting)
    await one_world.slack.wait_for(lambda: stops(one_world))
    assert stops(one_world) == ["ForbidLiveStream"]


async def test_further_stream_is_chosen_in_the_list(one_world: Sandbox) -> None:
    """A stream beyond the first five is stopped from the list."""
    many = [firing(f"cam-{number}") for number in range(6)] + [firing("stream2")]
    await post(one_world, "alertmanager", group(*many), BEARER)
    root = await card(one_world, "BitrateLow")
    (select,) = [
        one
        for block in root.blocks
        for one in block.get("elements", ())
        if one["type"] == "static_select"
    ]
    option = next(one for one in select["options"] if one["text"]["text"] == "stream2")
    alice = one_world.slack.person("U0ALICE")
    await alice.click({**select, "selected_option": option, "block_id": "x"}, root, INCIDENTS)
    channel = one_world.slack.channels[INCIDENTS]
    found = await one_world.slack.wait_for(lambda: channel.thread(root.ts))
    assert "stream2" in found[0].text


async def test_pagerduty_and_the_bots_own_form_show_cards(one_world: Sandbox) -> None:
    """Both are signed, and both show what they name."""
    at = one_world.cloud.now
    body = json.dumps(incident(at=at)).encode()
    signature = pagerduty_signature(body, HOOK_SECRET)
    status, _ = await post(one_world, "pagerduty", body, {SIGNATURE: f"v1=00,{signature}"})
    assert status == 200
    root = await card(one_world, "Bitrate of stream cam-1 is low")
    assert "Stop" in root.buttons()

    raw, headers = signed_generic({"id": "p", "title": "Black", "streams": ["s"]}, HOOK_SECRET, at)
    assert await post(one_world, "generic", raw, headers) == (200, "stored")
    assert await post(one_world, "generic", raw, headers) == (200, "repeated")
    assert "Ban 2 h" in (await card(one_world, "Black")).buttons()


@pytest.mark.parametrize("kind", ["forged", "stale", "repeated"])
async def test_thousand_notices_that_do_not_count_say_nothing(
    one_world: Sandbox, kind: str
) -> None:
    """Forged, stale or repeated: no word in a channel, and nothing is sent."""
    first = group(firing("stream1"))
    await post(one_world, "alertmanager", first, BEARER)
    await card(one_world, "BitrateLow")
    before = [one.text for one in roots(one_world)]
    old = json.dumps(incident(at=SINCE - 10 * 365 * 86_400)).encode()
    ways = {
        "forged": ("alertmanager", first, {"Authorization": "Bearer guessed-secret-000"}, 403),
        "stale": ("pagerduty", old, {SIGNATURE: pagerduty_signature(old, HOOK_SECRET)}, 200),
        "repeated": ("alertmanager", first, BEARER, 200),
    }
    source, body, headers, due = ways[kind]
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with aiohttp.ClientSession() as http:
        for _ in range(1000):
            url = f"{one_world.bot.url}/hooks/{source}"
            async with http.post(url, data=raw, headers={**JSON, **headers}) as answer:
                assert answer.status in (due, 429)
    assert one_world.bot.store is not None
    assert [one.text for one in roots(one_world)] == before
    assert stops(one_world) == []
