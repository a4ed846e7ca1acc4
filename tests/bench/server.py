"""One of the servers that `acks` compares: `empty`, a bare Bolt handler; or `ours`."""

import asyncio
import sys
import tempfile
from pathlib import Path

from aiohttp import web
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot import telemetry
from bot.cli.demo import sandbox

SECRET = "bench-secret"


async def _empty() -> None:
    async def known(**_: object) -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=None,
            team_id="T0HOME",
            bot_user_id="U0B",
            bot_id="B0B",
            bot_token="xoxb-1",
        )

    app = AsyncApp(
        client=AsyncWebClient(token="xoxb-1"),
        signing_secret=SECRET,
        authorize=known,
        process_before_response=True,
    )

    @app.command("/stopstream")
    async def stopstream(ack: AsyncAck) -> None:
        await ack(text="ok", response_type="ephemeral")

    runner = web.AppRunner(app.web_app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    _say(f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events", SECRET)
    await asyncio.Event().wait()


async def _ours() -> None:
    telemetry.configure("json", level="CRITICAL")
    with tempfile.TemporaryDirectory() as folder:
        async with sandbox(Path(folder), socket=False, limits=False) as world:
            _say(f"{world.bot.url}/slack/events", world.slack.signing_secret)
            await asyncio.Event().wait()


def _say(url: str, secret: str) -> None:
    print(url, secret, flush=True)  # noqa: T201 (read by the bench)


asyncio.run(_ours() if sys.argv[1] == "ours" else _empty())
