"""The demo's page beside a bot in the same process, and a window of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.cli.demo import Emulated
from bot.sandbox.page.server import Page
from tests.support.page_window import Eyes
from tests.support.worlds import paged


@pytest.fixture
async def world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Emulated, Page]]:
    """The page, and the bot in this very process, which is there at once."""
    # What a stop is called afterwards would replace what a slow window still waits for.
    monkeypatch.setattr("bot.operations.executor.LOOK_AFTER", 1e6)
    async with paged(tmp_path) as opened:
        yield opened


@pytest.fixture
async def page(world: tuple[Emulated, Page]) -> Page:
    return world[1]


@pytest.fixture
async def alice(page: Page) -> AsyncIterator[Eyes]:
    async with Eyes(page, "U0ALICE") as eyes:
        yield eyes
