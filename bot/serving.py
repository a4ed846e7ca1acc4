"""`stopstream serve`: builds every object once, plugs them together, and runs until told to stop."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping

import structlog
from aiohttp import web

from bot import database, telemetry
from bot.catalog import PRODUCTS
from bot.cloud import TencentCloud
from bot.courier import Courier
from bot.credentials import chain
from bot.engine import Engine
from bot.errors import ConfigError, StoreError
from bot.model import Site
from bot.rules import Rules, loader
from bot.service import Service
from bot.settings import Settings, WatchedFile, read_settings
from bot.store import Store
from bot.telemetry import Metrics
from bot.trail import Fact
from handlers.app import build_app
from handlers.desk import Desk
from handlers.directory import Directory
from handlers.errands import Errands
from handlers.transports import Socket, connect, mount, web_client

log = structlog.get_logger("stopstream")


async def serve() -> int:
    """Run the bot with the settings of the environment; give the exit code."""
    settings = read_settings()
    telemetry.configure(settings.log_format)
    check_slack(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with Bot(settings) as bot:
        print(f"stopstream listens on {bot.url}", file=sys.stderr, flush=True)  # noqa: T201
        await bot.run(stop)
    return 0


def check_slack(settings: Settings) -> None:
    """Demand what `serve` needs of Slack.

    Raises:
        ConfigError: A token or the signing secret is missing.
    """
    problems = []
    if settings.slack_bot_token is None:
        problems.append("SLACK_BOT_TOKEN: is missing")
    if settings.slack_app_token is None and settings.slack_signing_secret is None:
        problems.append(
            "SLACK_SIGNING_SECRET: is missing; set it for HTTP, or SLACK_APP_TOKEN for Socket Mode"
        )
    if problems:
        raise ConfigError(problems)


def sites(settings: Settings) -> Mapping[str, Site]:
    """Give the site of every product."""
    return {product.name: settings.site(product.name, product.site) for product in PRODUCTS}


def policy_file(settings: Settings) -> WatchedFile[Rules]:
    """Open the policy file.

    Raises:
        ConfigError: It is absent or cannot be used.
    """
    load = loader(
        source=str(settings.policy),
        sites=sites(settings),
        region=settings.region,
        now=time.time(),
    )
    return WatchedFile(settings.policy, load)


def open_store(settings: Settings) -> Store:
    """Open the database and bring its schema up to date.

    Raises:
        ConfigError: The address cannot be used.
        StoreError: The database does not answer.
    """
    engine = database.connect(settings.database_url)
    database.migrate(engine)
    owner = f"{socket.gethostname()}:{os.getpid()}:{time.time_ns():x}"
    return Store(engine, owner=owner, audit_channel=settings.audit_channel)


def open_cloud(settings: Settings) -> TencentCloud:
    """Open the one client to Tencent Cloud.

    Raises:
        ConfigError: The credentials are given in part or with blanks.
    """
    return TencentCloud(
        credentials=chain(credential_values(settings)),
        sites=sites(settings),
        base_url=settings.tencent_url or None,
    )


def credential_values(settings: Settings) -> Mapping[str, str]:
    """Give the official environment names with what the settings hold."""
    key, token = settings.secret_key, settings.token
    return {
        "TENCENTCLOUD_SECRET_ID": settings.secret_id,
        "TENCENTCLOUD_SECRET_KEY": key.get_secret_value() if key else "",
        "TENCENTCLOUD_TOKEN": token.get_secret_value() if token else "",
    }
