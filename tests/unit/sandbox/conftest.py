"""An emulated workspace with its official client, and an emulated cloud."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack.workspace import Workspace
from bot.sandbox.tencent.server import CloudEmulator
from handlers.manifest import bot_scopes
from tests.support import tencent_sdk


class Clock:
    def __init__(self) -> None:
        self.now = 1_795_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def slack() -> AsyncIterator[Workspace]:
    workspace = Workspace(scopes=bot_scopes(), clock=Clock(), pace=0.0)
    workspace.user("U0ALICE", "alice")
    workspace.channel("C0INC", "incidents", "U0ALICE")
    workspace.channel("C0OUT", "outside", "U0ALICE", bot=False)
    workspace.channel("C0OLD", "old", "U0ALICE", is_archived=True)
    workspace.channel("G0SECRET", "secret", "U0ALICE", bot=False, is_private=True)
    async with workspace:
        yield workspace


@pytest.fixture
async def client(slack: Workspace) -> AsyncWebClient:
    return AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, retry_handlers=[])


@pytest.fixture
async def cloud() -> AsyncIterator[CloudEmulator]:
    async with CloudEmulator(keys=tencent_sdk.KEYS, clock=tencent_sdk.Clock()) as emulator:
        yield emulator


async def code(call: Any) -> str:
    try:
        await call
    except SlackApiError as error:
        return str(error.response["error"])
    return ""
