"""A browser that the tests of all files share."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.support.browser import browser


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chrome() -> AsyncIterator[Browser]:
    async with browser() as one:
        if one is None:
            pytest.skip("no Chromium is at hand; install one, or run `playwright install chromium`")
        yield one
