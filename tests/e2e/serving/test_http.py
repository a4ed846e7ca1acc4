"""The whole program: health endpoints, and a listener that survives bad requests."""

import contextlib
from pathlib import Path

import aiohttp
import pytest

from bot.cli.demo import Sandbox
from bot.cli.serve import Server
from bot.cli.settings import read_settings
from bot.errors import ConfigError


async def test_health_endpoints_and_metrics_answer(world: Sandbox) -> None:
    """The health, readiness and metrics endpoints answer."""
    async with aiohttp.ClientSession() as session:
        for path, word in (("healthz", "alive"), ("readyz", "ready"), ("metrics", "stopstream_")):
            async with session.get(f"{world.bot.url}/{path}") as response:
                assert response.status == 200
                assert word in await response.text()


async def test_http_listener_survives_malformed_requests(
    http_world: Sandbox,
) -> None:
    """Malformed requests get no server error, unsigned ones get 401, and the bot stays ready."""
    world = http_world
    url = f"{world.bot.url}/slack/events"
    form = "application/x-www-form-urlencoded"
    bodies = [
        (b"", form),
        (b"\xff\xfe", form),
        (b"payload={", form),
        (b"payload=[]", form),
        (b"payload=null", form),
        (b"payload=%7B%22type%22%3A%22view_submission%22%7D", form),
        (b"payload=%7B%22type%22%3A%22view_submission%22%2C%22view%22%3A%7B%7D%7D", form),
        (b"payload=%7B%22type%22%3A%22block_actions%22%7D", form),
        (b"payload=%7B%22type%22%3A%22block_actions%22%2C%22actions%22%3A%5B%5D%7D", form),
        (b"command=/stopstream", form),
        (b"command=/nosuch&trigger_id=1&user_id=U1&team_id=T1&channel_id=C1", form),
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b"7", "application/json"),
        (b'{"type":"event_callback"}', "application/json"),
        (b'{"type":"event_callback","event":{}}', "application/json"),
        (b'{"type":"event_callback","event":{"type":"app_mention"}}', "application/json"),
        (b'{"type":"event_callback","event":{"type":"nosuch"}}', "application/json"),
        (b"[" * 50_000, "application/json"),
    ]
    async with aiohttp.ClientSession() as session:
        for raw, content_type in bodies:
            headers = {**world.slack.delivery.signed(raw), "Content-Type": content_type}
            async with session.post(url, data=raw, headers=headers) as response:
                assert response.status < 500, (raw[:80], response.status)
        for stamp, signature in (("abc", "v0=00"), ("", ""), ("9" * 30, "v0=é"), ("1", "x")):
            unsigned = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature}
            async with session.post(url, data=b"command=/x", headers=unsigned) as response:
                assert response.status == 401
        async with session.get(f"{world.bot.url}/readyz") as response:
            assert response.status == 200
    assert list(world.cloud.received) == []


async def test_serve_reports_listen_address_in_use(http_world: Sandbox, tmp_path: Path) -> None:
    """A listen address that is in use is reported as a configuration error."""
    port = http_world.bot.url.rpartition(":")[2]
    settings = read_settings(
        SLACK_BOT_TOKEN="xoxb-x",
        STOPSTREAM_POLICY=str(http_world.policy),
        STOPSTREAM_DATABASE_URL=f"sqlite:///{tmp_path / 'other.db'}",
        STOPSTREAM_LISTEN=f"127.0.0.1:{port}",
    )
    with pytest.raises(ConfigError, match="STOPSTREAM_LISTEN"):
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(Server(settings))
