"""The whole program: what it counts, and the port on which it shows that."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.cli.demo import INCIDENTS, Sandbox
from bot.cli.serve import Server
from bot.cli.settings import read_settings
from bot.errors import ConfigError
from tests.support.processes import Process
from tests.support.prometheus import PROMTOOL, fetch, needs_promtool, value
from tests.support.waiting import until
from tests.support.worlds import emulated


@contextlib.asynccontextmanager
async def apart(folder: Path) -> AsyncIterator[Sandbox]:
    """The bot in HTTP mode, with a port of its own for metrics."""
    async with emulated(folder, socket=False, limits=False) as world:
        settings = read_settings(**world.environment, STOPSTREAM_METRICS_LISTEN="127.0.0.1:0")
        async with Server(settings) as bot:
            world.slack.delivery.request_url = f"{bot.url}/slack/events"
            yield Sandbox(world.slack, world.cloud, bot, world.policy)


async def test_metrics_have_a_port_of_their_own(tmp_path: Path) -> None:
    """Where metrics have a port, Slack's port shows none; health and readiness are on both."""
    async with apart(tmp_path) as world:
        bot = world.bot
        assert bot.metrics_url != bot.url
        assert (await fetch(f"{bot.url}/metrics"))[0] == 404
        status, text = await fetch(f"{bot.metrics_url}/metrics")
        assert (status, value(text, "stopstream_slack_up")) == (200, 1.0)
        for port in (bot.url, bot.metrics_url):
            assert (await fetch(f"{port}/healthz"))[0] == 200
            assert (await fetch(f"{port}/readyz"))[0] == 200
        assert (await fetch(f"{bot.metrics_url}/slack/events"))[0] == 404


async def test_serve_reports_metrics_address_in_use(http_world: Sandbox, tmp_path: Path) -> None:
    """A busy port for metrics is one line that names the setting."""
    port = http_world.bot.url.rpartition(":")[2]
    settings = read_settings(
        SLACK_BOT_TOKEN="xoxb-x",
        STOPSTREAM_POLICY=str(http_world.policy),
        STOPSTREAM_DATABASE_URL=f"sqlite:///{tmp_path / 'other.db'}",
        STOPSTREAM_LISTEN="127.0.0.1:0",
        STOPSTREAM_METRICS_LISTEN=f"127.0.0.1:{port}",
    )
    with pytest.raises(ConfigError, match=r"127.0.0.1:\d+: Address already in use$"):
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(Server(settings))


async def test_process_exits_with_2_where_metrics_address_is_wrong(
    process: tuple[Process, object, object],
) -> None:
    """A port for metrics that is no address is wrong configuration, in one line."""
    code, out, err = await process[0].run("serve", env={"STOPSTREAM_METRICS_LISTEN": "9464"})
    assert (code, out) == (2, "")
    assert "STOPSTREAM_METRICS_LISTEN: is not host:port" in err
    assert len(err.splitlines()) == 1


async def test_stop_is_counted_from_its_ack_to_its_message(world: Sandbox) -> None:
    """One stop is seen in each metric that it passes, with the labels of the catalog."""
    alice = world.slack.person("U0ALICE")
    await alice.slash("/stopstream", "live stream2", INCIDENTS)

    async def posted() -> str | None:
        text = (await fetch(f"{world.bot.metrics_url}/metrics"))[1]
        return text if value(text, "stopstream_ask_to_posted_seconds_count") else None

    text = await until(posted)

    api = "DropLiveStream"
    assert value(text, "stopstream_asked_total", via="command", api=api) == 1
    assert value(text, "stopstream_ended_total", ending="accepted", api=api, code="") == 1
    assert value(text, "stopstream_ack_seconds_count", kind="command") == 1
    assert value(text, "stopstream_ask_to_sent_seconds_count") == 1
    assert value(text, "stopstream_limiter_wait_seconds_count", api=api) == 1
    assert (value(text, "stopstream_database_seconds_count", kind="write") or 0) > 3
    assert value(text, "stopstream_database_up") == 1
    assert value(text, "process_open_fds") is not None
    assert value(text, "stopstream_policy_current") == 1


@needs_promtool
async def test_metrics_follow_the_naming_rules(world: Sandbox) -> None:
    """Prometheus' own linter finds nothing."""
    await world.slack.person("U0ALICE").slash("/stopstream", "live stream2", INCIDENTS)
    text = (await fetch(f"{world.bot.metrics_url}/metrics"))[1]
    lint = await asyncio.create_subprocess_exec(
        PROMTOOL,
        "check",
        "metrics",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await lint.communicate(text.encode())
    assert (lint.returncode, said.decode()) == (0, "")
