"""Socket Mode, between the bot and Slack's end of the connections."""

from typing import Any

import pytest

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

        said = sorted(ack["payload"]["text"] for ack in line.acks)
        assert "`stream0`" in said[0]
        assert "`stream1`" in said[1]


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


@pytest.mark.parametrize("odd", ["x", "{", "[]", '{"type": "slash_commands"}', "{}"])
async def test_socket_mode_survives_malformed_envelope(house: House, odd: str) -> None:
    """A malformed envelope does not break the connection for later commands."""
    async with on_socket(house, ping=5.0) as (socket, line, _):
        await socket.start(connections=1)
        await line.until(lambda: line.open)

        await line.open[0].send_str(odd)
        await line.open[0].send_json(envelope("live stream1"))
        await line.until(lambda: line.acks)

        assert "`stream1`" in line.acks[0]["payload"]["text"]


async def test_socket_mode_names_rejected_app_token(house: House) -> None:
    """An app token that Slack rejects raises a configuration error that names it."""
    async with on_socket(house) as (socket, _, fake):
        fake.fails("apps.connections.open", Fault("invalid_auth"))

        with pytest.raises(ConfigError, match=r"SLACK_APP_TOKEN: .*invalid_auth"):
            await socket.start()
