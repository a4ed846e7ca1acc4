"""A Chromium that is at hand, for the tests and the pictures of the page."""

import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from playwright.async_api import Browser, Playwright, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium(playwright: Playwright) -> str:
    """Say where one is: the system's own or Playwright's; empty if there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), "")
    own = playwright.chromium.executable_path
    return found or (own if Path(own).exists() else "")


@contextlib.asynccontextmanager
async def browser() -> AsyncIterator[Browser | None]:
    """Open one; None if none is at hand."""
    async with async_playwright() as playwright:
        path = chromium(playwright)
        if not path:
            yield None
            return
        # Chromium's own sandbox does not work for root.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        one = await playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield one
        finally:
            await one.close()
