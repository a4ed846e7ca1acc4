"""The real Alertmanager in front of the bot: what fires and what is over reaches the card."""

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.cli.demo import HOOK_SECRET, INCIDENTS, Sandbox
from bot.sandbox.slack.entities import Message
from tests.support.ports import free_port
from tests.support.waiting import until
from tests.support.worlds import sandbox

PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="Alertmanager is not installed (Debian: prometheus-alertmanager)"
)

CONFIG = """\
route:
  receiver: stopstream
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1s
receivers:
  - name: stopstream
    webhook_configs:
      - url: {url}/hooks/alertmanager
        send_resolved: true
        http_config: {http}
"""
WAYS = (
    {"authorization": {"type": "Bearer", "credentials": HOOK_SECRET}},
    {"basic_auth": {"username": "stopstream", "password": HOOK_SECRET}},
)


@contextlib.asynccontextmanager
async def alertmanager(folder: Path, url: str, http: dict[str, Any]) -> AsyncIterator[str]:
    """Run Alertmanager with the bot as its receiver; yield its address."""
    assert PROGRAM is not None
    config = folder / "alertmanager.yml"
    config.write_text(CONFIG.format(url=url, http=json.dumps(http)))
    own = f"http://127.0.0.1:{(port := free_port())}"
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        f"--config.file={config}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await until(lambda: _is_ready(own))
        yield own
    finally:
        process.terminate()
        await process.wait()


async def _is_ready(url: str) -> bool:
    with contextlib.suppress(aiohttp.ClientError):
        async with aiohttp.ClientSession() as http, http.get(f"{url}/-/ready") as answer:
            return answer.status == 200
    return False


async def tell(url: str, *streams: str, over: bool = False) -> None:
    """Have alerts fire, or be over, as Prometheus tells them."""
    ends = {"endsAt": "2020-01-01T00:00:10Z"} if over else {"endsAt": "2100-01-01T00:00:00Z"}
    alerts = [
        {
            "labels": {"alertname": "BitrateLow", "severity": "critical", "stream": one},
            "annotations": {"summary": f"The bitrate of {one} is low"},
            "startsAt": "2020-01-01T00:00:00Z",
            **ends,
        }
        for one in streams
    ]
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{url}/api/v2/alerts", json=alerts) as answer,
    ):
        assert answer.status == 200


async def card(world: Sandbox, text: str) -> Message:
    roots = world.slack.channels[INCIDENTS]
    found: Message = await world.slack.wait_for(
        lambda: next((one for one in roots.roots if text in one.text), None)
    )
    return found


@pytest.mark.parametrize("http", WAYS, ids=["bearer", "basic"])
async def test_alertmanager_fires_grows_and_resolves(tmp_path: Path, http: dict[str, Any]) -> None:
    """One card shows the group from its first alert to its end, and a press on it stops."""
    async with (
        sandbox(tmp_path, limits=False) as world,
        alertmanager(tmp_path, world.bot.url, http) as url,
    ):
        await tell(url, "stream1")
        root = await card(world, "The bitrate of stream1 is low")
        await tell(url, "stream1", "stream2")
        grown = await card(world, "2 firing")
        assert grown.ts == root.ts
        assert {"Stop stream1", "Stop stream2"} <= set(grown.buttons())

        await world.slack.person("U0ALICE").press("Stop stream2", grown)
        channel = world.slack.channels[INCIDENTS]
        (answer, *_) = await world.slack.wait_for(lambda: channel.thread(root.ts))
        assert "stream2" in answer.text

        await tell(url, "stream1", "stream2", over=True)
        over = await card(world, "Resolved: BitrateLow")
        assert (over.ts, list(over.buttons())) == (root.ts, [])
        assert [one for one in channel.roots if "BitrateLow" in one.text] == [over]
