"""Asks Slack and Tencent Cloud for the time, by requests that change nothing."""

import asyncio

from bot.catalog.registry import by_api
from bot.cli.settings import Settings
from bot.cli.wiring import open_cloud, open_policy
from bot.clock_skew import ClockSkew
from bot.errors import ConfigError, StopstreamError
from bot.model.commands import Command
from handlers.slack.web_client import connect, web_client

_PATIENCE = 5.0
"""Seconds that each of them may take."""


def harmless_read(account: str) -> Command:
    """Return the read of a stream that need not exist."""
    values = {"AppName": "live", "DomainName": "check.example.com", "StreamName": "stopstream"}
    return Command(by_api("DescribeLiveStreamState"), values, account=account)


async def ask_clocks(settings: Settings) -> ClockSkew:
    """Return how far this machine's clock is from those of the services that answer, if any do."""
    skew = ClockSkew()
    await asyncio.gather(_ask_slack(settings, skew), _ask_cloud(settings, skew))
    return skew


async def _ask_slack(settings: Settings, skew: ClockSkew) -> None:
    token = settings.slack_bot_token
    if token is None:
        return
    async with web_client(token.get_secret_value(), settings.slack_api_url, skew) as client:
        try:
            async with asyncio.timeout(_PATIENCE):
                await connect(client)
        except (StopstreamError, TimeoutError):
            # A refusal tells the time, too.
            return


async def _ask_cloud(settings: Settings, skew: ClockSkew) -> None:
    try:
        loaded = open_policy(settings).value
        cloud = open_cloud(settings, lambda: loaded, skew)
    except ConfigError:
        # Without a key nothing can be asked.
        return
    try:
        async with asyncio.timeout(_PATIENCE):
            await cloud.call(harmless_read(loaded.policy.account_names[0]))
    except (StopstreamError, TimeoutError):
        return
    finally:
        await cloud.close()
