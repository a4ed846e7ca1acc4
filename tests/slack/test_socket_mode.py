"""Socket Mode, between the bot and Slack's end of the connections."""

import asyncio
from typing import Any

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.errors import ConfigError
from tests.conftest import House
from tests.support.fake_slack import TEAM, Fault
from tests.support.slack_app import on_socket


def envelope(text: str) -> dict[str, Any]:
    payload = {
        "command": "/stopstream",
        "text": text,
        "trigger_id": f"trigger.{text}",
        "user_id": "U0ALICE",
        "team_id": TEAM,
        "channel_id": "C0INC",
    }
    return {
        "type": "slash_commands",
        "envelope_id": f"envelope {text}",
        "payload": payload,
        "accepts_response_payload": True,
    }


async def test_socket_mode_receives_on_every_connection(house: House) -> None:
    """Commands are received over every Socket Mode connection."""
    async with on_socket(house) as (socket, line, _):
        before = socket.healthy
        await socket.start(connections=2)
        await line.until(lambda: len(line.open) == 2)
        assert not before
        await line.until(lambda: socket.healthy)

        for number, one in enumerate(line.open):
            await one.send_json(envelope(f"live stream{number}"))
        await line.until(lambda: len(line.acks) == 2)

        acked = sorted(ack["envelope_id"] for ack in line.acks)
        assert acked == ["envelope live stream0", "envelope live stream1"]


async def test_socket_mode_reconnects_after_close(house: House) -> None:
    """A Socket Mode connection that closes is opened again and receives commands."""
    async with on_socket(house) as (socket, line, _):
        await socket.start(connections=1)
        await line.until(lambda: line.open)
        first = line.open[0]

        await first.close()
        await line.until(lambda: line.open and line.open[0] is not first)
        await line.open[0].send_json(envelope("live stream1"))
        await line.until(lambda: line.acks and socket.healthy)


async def test_socket_mode_recovers_from_outage(house: House) -> None:
    """A lost connection is retried until Slack is reachable again, and is then healthy."""
    async with on_socket(house) as (socket, line, fake):
        await socket.start(connections=1)
        await line.until(lambda: line.open)
        there, fake.links = fake.links, "ws://127.0.0.1:9/link"

        await line.open[0].close()
        await line.until(lambda: not socket.healthy)
        await line.until(lambda: fake.methods().count("apps.connections.open") > 3)
        fake.links = there

        await line.until(lambda: socket.healthy)


async def test_socket_address_in_the_clear_is_not_opened(house: House) -> None:
    """A socket whose address is not encrypted and not on this machine is not opened."""
    async with on_socket(house) as (socket, line, fake):
        there, fake.links = fake.links, fake.links.replace("127.0.0.1", "0.0.0.0")  # noqa: S104
        await socket.start(connections=1)
        await line.until(lambda: fake.methods().count("apps.connections.open") > 1)
        assert not line.open
        fake.links = there

        await line.until(lambda: socket.healthy)


async def test_redirected_socket_is_not_opened(house: House) -> None:
    """A socket whose address leads elsewhere is not opened there, and asked for again."""
    came: list[str] = []

    async def lead(request: web.Request) -> web.StreamResponse:
        came.append(request.path)
        return web.Response(status=307, headers={"Location": f"http{there.removeprefix('ws')}"})

    app = web.Application()
    app.router.add_get("/led", lead)
    async with on_socket(house) as (socket, line, fake), TestServer(app) as server:
        there, fake.links = fake.links, str(server.make_url("/led")).replace("http", "ws", 1)
        await socket.start(connections=1)
        await line.until(lambda: fake.methods().count("apps.connections.open") > 2)
        assert came
        assert not line.open
        fake.links = there

        await line.until(lambda: socket.healthy)


@pytest.mark.parametrize("odd", ["x", "{", "[]", '{"type": "slash_commands"}', "{}"])
async def test_socket_mode_survives_malformed_envelope(house: House, odd: str) -> None:
    """A malformed envelope does not break the connection for later commands."""
    async with on_socket(house, ping=5.0) as (socket, line, _):
        await socket.start(connections=1)
        await line.until(lambda: line.open)

        await line.open[0].send_str(odd)
        await line.open[0].send_json(envelope("live stream1"))
        await line.until(lambda: line.acks)

        assert line.acks[0]["envelope_id"] == "envelope live stream1"


async def test_socket_mode_names_rejected_app_token(house: House) -> None:
    """An app token that Slack rejects raises a configuration error that names it."""
    async with on_socket(house) as (socket, _, fake):
        fake.fails("apps.connections.open", Fault("invalid_auth"))

        with pytest.raises(ConfigError, match=r"SLACK_APP_TOKEN: .*invalid_auth"):
            await socket.start()


@pytest.mark.parametrize("reason", ["too_many_websockets", "link_disabled", "of_next_year"])
async def test_socket_mode_backs_off_where_sockets_are_refused(house: House, reason: str) -> None:
    """Sockets that Slack disconnects at once are tried ever more slowly, and logged once each."""
    async with on_socket(house) as (socket, line, fake):
        line.refuses = reason
        with structlog.testing.capture_logs() as lines:
            await socket.start(connections=1)
            await asyncio.sleep(4.0)

        assert fake.methods().count("apps.connections.open") <= 6
        assert not socket.healthy
        assert [entry["why"] for entry in lines if reason in entry.get("why", "")] == [
            f"Slack disconnected it ({reason})"
        ]

        line.refuses = ""
        await line.until(lambda: socket.healthy)


@pytest.mark.parametrize("code", ["too_many_websockets", "internal_error", "forbidden_team", ""])
async def test_socket_mode_backs_off_where_no_address_is_given(house: House, code: str) -> None:
    """An error of apps.connections.open is tried ever more slowly, and logged once."""
    async with on_socket(house) as (socket, line, fake):
        fake.fails("apps.connections.open", *[Fault(code)] * 4)
        with structlog.testing.capture_logs() as lines:
            await socket.start(connections=1, wait=2.0)
            assert fake.methods().count("apps.connections.open") <= 5
            assert not socket.healthy
            await line.until(lambda: socket.healthy)

        refusals = [entry for entry in lines if "apps.connections.open" in entry.get("why", "")]
        assert len(refusals) == 1
