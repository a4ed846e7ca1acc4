"""What is tested in a browser: a browser that all files share, and the page of a bot for it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from bot.cli.demo import Emulated
from bot.sandbox.page.process import BotProcess
from tests.support.browser import browser
from tests.support.worlds import paged


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chrome() -> AsyncIterator[Browser]:
    async with browser() as one:
        if one is None:
            pytest.skip("no Chromium is at hand; install one, or run `playwright install chromium`")
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Emulated, str]]:
    """The address of a page whose bot is in this process, which the page does not know."""
    monkeypatch.setattr(BotProcess, "runs", True)
    async with paged(tmp_path) as (around, page):
        yield around, page.url
