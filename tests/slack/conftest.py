"""The bot over signed HTTP, and a messenger by itself, over an emulated Slack."""

from collections.abc import AsyncIterator

import pytest

from bot.storage.store import Store
from handlers.slack.messenger import Messenger
from tests.conftest import built
from tests.support.deliveries import Clock, Office
from tests.support.fake_slack import BOT, slack
from tests.support.slack_app import Workspace, opened


@pytest.fixture
async def workspace(quick_store: Store) -> AsyncIterator[Workspace]:
    async with built(quick_store) as house, opened(house) as one:
        yield one


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    async with slack() as (fake, client):
        clock, lost = Clock(), list[str]()
        desk = Messenger(
            client, bot=BOT, audit_channel="C0AUDIT", on_channel_lost=lost.append, clock=clock
        )
        yield Office(fake, desk, clock, lost)
