"""The sockets of the emulated workspace end as Slack's do."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from bot.sandbox.slack.workspace import Workspace
from tests.support.waiting import BOUND


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as one:
        yield one


async def connect(
    slack: Workspace, session: aiohttp.ClientSession
) -> aiohttp.ClientWebSocketResponse:
    socket = await session.ws_connect(slack.delivery.socket_url())
    assert (await socket.receive_json())["type"] == "hello"
    return socket


@pytest.mark.parametrize("reason", ["warning", "refresh_requested", "link_disabled"])
async def test_socket_is_closed_after_its_disconnect(
    slack: Workspace, session: aiohttp.ClientSession, reason: str
) -> None:
    """A socket that was told to disconnect gets no payload any more, and is closed."""
    old = await connect(slack, session)

    await slack.delivery.refresh(reason)

    told = await old.receive_json()
    assert (told["type"], told["reason"]) == ("disconnect", reason)
    assert slack.delivery.sockets == 0
    ack = await slack.delivery.deliver("command", {"text": "x"})
    assert ack.error == "dispatch_failed"
    ended = await asyncio.wait_for(old.receive(), BOUND)
    assert ended.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)


async def test_socket_of_a_renewed_connection_gets_the_payloads(
    slack: Workspace, session: aiohttp.ClientSession
) -> None:
    """What comes after a disconnect goes to the new socket alone."""
    old = await connect(slack, session)
    await slack.delivery.refresh()
    new = await connect(slack, session)

    delivery = asyncio.create_task(slack.delivery.deliver("command", {"text": "x"}))
    envelope = await new.receive_json()
    await new.send_json({"envelope_id": envelope["envelope_id"], "payload": {"text": "y"}})

    assert (await delivery).body == {"text": "y"}
    assert (await old.receive_json())["type"] == "disconnect"


async def test_socket_beyond_the_tenth_is_told_so(
    slack: Workspace, session: aiohttp.ClientSession
) -> None:
    """The eleventh socket is told that there are too many, and closed."""
    ten = [await connect(slack, session) for _ in range(10)]

    eleventh = await session.ws_connect(slack.delivery.socket_url())

    assert (await eleventh.receive_json())["reason"] == "too_many_websockets"
    assert (await eleventh.receive()).type is aiohttp.WSMsgType.CLOSE
    assert not any(socket.closed for socket in ten)
    assert slack.delivery.sockets == 10


async def test_socket_needs_a_fresh_ticket(
    slack: Workspace, session: aiohttp.ClientSession
) -> None:
    """An address of a socket works once."""
    url = slack.delivery.socket_url()
    await session.ws_connect(url)

    with pytest.raises(aiohttp.WSServerHandshakeError):
        await session.ws_connect(url)
