"""The demo between emulators, in one process, on a database whose schema is there."""

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from bot.cli import demo
from bot.cli.demo import AUDIT, Emulated, Sandbox
from bot.cli.serve import Server
from bot.cli.settings import read_settings
from bot.sandbox.page.server import Page
from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.server import CloudEmulator
from tests.support.databases import lay_schema


@contextlib.asynccontextmanager
async def sandbox(folder: Path, **given: Any) -> AsyncIterator[Sandbox]:
    """Run the emulators and the bot between them."""
    lay_schema(folder / "stopstream.db")
    async with demo.sandbox(folder, **given) as world:
        yield world


@contextlib.asynccontextmanager
async def emulated(folder: Path, **given: Any) -> AsyncIterator[Emulated]:
    """Run the emulators alone."""
    lay_schema(folder / "stopstream.db")
    async with demo.emulated(folder, **given) as world:
        yield world


@contextlib.asynccontextmanager
async def paged(folder: Path) -> AsyncIterator[tuple[Emulated, Page]]:
    """Run the emulators, their page and the bot; a process of its own costs two seconds more."""
    async with emulated(folder, limits=False) as around:
        page = Page(
            slack=around.slack,
            cloud=around.cloud,
            policy_file=around.policy,
            environment=around.environment,
        )
        async with Server(read_settings(**around.environment)) as bot, page:
            page.bot.url = bot.url
            yield around, page


def environment(
    folder: Path, slack: Workspace, cloud: CloudEmulator, key: tuple[str, str]
) -> dict[str, str]:
    """Return the environment of a process that finds the emulators, and its files in a folder.

    Args:
        key: SecretId and SecretKey.
    """
    return {
        "PATH": os.environ["PATH"],
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_APP_TOKEN": slack.app_token,
        "SLACK_API_URL": slack.api_url,
        "TENCENTCLOUD_SECRET_ID": key[0],
        "TENCENTCLOUD_SECRET_KEY": key[1],
        "STOPSTREAM_TENCENT_URL": cloud.url,
        "STOPSTREAM_POLICY": str(folder / "policy.yml"),
        "STOPSTREAM_DATABASE_URL": f"sqlite:///{folder / 'stopstream.db'}",
        "STOPSTREAM_AUDIT_CHANNEL": AUDIT,
        "STOPSTREAM_AUDIT_KEY_FILE": str(folder / "trail.key"),
        "STOPSTREAM_LISTEN": "127.0.0.1:0",
    }
