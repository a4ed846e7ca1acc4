"""The demo's page beside a bot in the same process, and a window of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.cli.demo import Emulated
from bot.cli.serve import Server
from bot.cli.settings import read_settings
from bot.sandbox.page.server import Page
from tests.support.page_window import Eyes
from tests.support.worlds import emulated


@pytest.fixture
async def world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Emulated, Page]]:
    """The page, and the bot in this very process, which is there at once."""
    # What a stop is called afterwards would replace what a slow window still waits for.
    monkeypatch.setattr("bot.operations.executor.LOOK_AFTER", 1e6)
    async with emulated(tmp_path, limits=False) as around:
        page = Page(
            slack=around.slack,
            cloud=around.cloud,
            policy_file=around.policy,
            environment=around.environment,
        )
        async with Server(read_settings(**around.environment)) as bot, page:
            page.bot.url = bot.url
            yield around, page


@pytest.fixture
async def page(world: tuple[Emulated, Page]) -> Page:
    return world[1]


@pytest.fixture
async def alice(page: Page) -> AsyncIterator[Eyes]:
    async with Eyes(page, "U0ALICE") as eyes:
        yield eyes
