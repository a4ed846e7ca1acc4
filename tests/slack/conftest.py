"""The bot over signed HTTP, for the tests of every listener."""

from collections.abc import AsyncIterator

import pytest

from bot.storage.store import Store
from tests.conftest import built
from tests.support.slack_app import Workspace, opened


@pytest.fixture
async def workspace(quick_store: Store) -> AsyncIterator[Workspace]:
    async with built(quick_store) as house, opened(house) as one:
        yield one
