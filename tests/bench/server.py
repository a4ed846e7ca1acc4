"""The processes that `acks` compares: a bare Bolt handler, and the bot between two emulators.

The emulators have a process of their own, so that what they take is not taken from the bot.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from unittest.mock import patch

from aiohttp import web
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot.cli import serve
from bot.cli.demo import emulated
from bot.sandbox.tencent.server import CloudEmulator

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
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    _say({"url": url, "secret": SECRET})
    await asyncio.Event().wait()


async def _emulators(folder: Path) -> None:
    """Run the emulated Slack and cloud; no API's own limit binds, because the bot is measured.

    In production they are other machines, so here they give way to the bot.
    """
    os.nice(10)
    with patch.object(CloudEmulator, "_check_rate"):
        async with emulated(folder, socket=False, limits=False) as world:
            _say(dict(world.environment))
            await asyncio.Event().wait()


def _bot() -> None:
    """Run the bot as `serve` does, but for the limits of the cloud's APIs."""
    with patch("bot.operations.rate_limiter.PACE", 50.0):
        sys.exit(serve.run())


def _say(found: dict[str, str]) -> None:
    print(json.dumps(found), flush=True)  # noqa: T201 (read by the bench)


match sys.argv[1:]:
    case ["empty"]:
        asyncio.run(_empty())
    case ["emulators", folder]:
        asyncio.run(_emulators(Path(folder)))
    case ["bot"]:
        _bot()
