"""Takes the README's pictures of the page: `make pictures`; writes into docs/."""

import asyncio
import io
import re
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.async_api import Page, expect

from bot import telemetry
from bot.cli.demo import DOMAIN, paged
from tests.support.browser import browser
from tests.support.paths import ROOT

DOCS = ROOT / "docs"
PATIENCE = 180_000
"""Milliseconds; the bound only ends a hang: the machine may be busy."""
SIZE = {"width": 1440, "height": 860}


expect.set_options(timeout=PATIENCE)


async def shoot(page: Page, file: Path | None = None) -> bytes:
    """Take a picture of the page in a good state: the bot is up, and nothing is in the way."""
    await expect(page.locator("#bot")).to_contain_text("up")
    await expect(page.locator("#lost, .toast, dialog[open], #messages .error")).to_have_count(0)
    await expect(page.locator("[aria-busy=true]")).to_have_count(0)
    return await page.screenshot(path=file)


class Film:
    """Frames of one story."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._frames: list[Image.Image] = []
        self._lengths: list[int] = []

    async def frame(self, seconds: float) -> None:
        """Take one, to be shown so long."""
        taken = Image.open(io.BytesIO(await shoot(self._page)))
        small = taken.convert("RGB").resize((960, 573), Image.Resampling.LANCZOS)
        self._frames.append(small.quantize(64, dither=Image.Dither.NONE))
        self._lengths.append(int(seconds * 1000))

    def write(self, file: Path) -> None:
        """Write them as a GIF that runs for ever."""
        first, *rest = self._frames
        first.save(file, save_all=True, append_images=rest, duration=self._lengths, loop=0)


async def say(page: Page, text: str, film: Film | None = None) -> None:
    """Type into the composer."""
    box = page.locator("#write")
    await box.fill(text)
    await box.press("Escape")
    if film:
        await film.frame(1.2)
    await box.press("Enter")


async def take() -> None:
    """Tell one story, and keep what it looks like."""
    with tempfile.TemporaryDirectory() as folder:
        async with browser() as chrome, paged(Path(folder)) as (_, server):
            if chrome is None:
                sys.exit("no Chromium is at hand")
            page = await chrome.new_page(viewport=SIZE)  # type: ignore[arg-type] # its own dict
            page.set_default_timeout(PATIENCE)
            await page.goto(server.url)
            film = Film(page)
            await page.locator("#bot", has_text="up").wait_for()
            await film.frame(1.5)
            await say(page, "/stopstream live stream1", film)
            await page.locator("#messages", has_text="RequestId").wait_for()
            await film.frame(2)
            await page.get_by_role("button", name=re.compile("repl")).first.click()
            await page.locator("#replies", has_text="Live again").wait_for()
            await film.frame(3.5)
            await page.locator("#replies > :last-child").scroll_into_view_if_needed()
            await shoot(page, DOCS / "thread.png")
            await page.locator("#close-thread").click()
            await say(page, f"/stopstream domain {DOMAIN}", film)
            approve = page.get_by_role("button", name=re.compile("^Approve"))
            await approve.wait_for()
            await film.frame(2.5)
            await page.locator("#who").select_option("U0BOB")
            await approve.wait_for()
            await film.frame(1.5)
            await approve.click()
            await page.locator("#messages", has_text="Sent: switch off").wait_for()
            await page.locator("#cloud details").first.locator("summary").click()
            await film.frame(3.5)
            await shoot(page, DOCS / "page.png")
            film.write(DOCS / "story.gif")


def main() -> None:
    """Take them, each small enough for a repository."""
    telemetry.configure("console", level="CRITICAL")
    asyncio.run(take())
    for name in ("thread.png", "page.png"):
        picture = Image.open(DOCS / name).convert("RGB").quantize(128)
        picture.save(DOCS / name, optimize=True)


if __name__ == "__main__":
    main()
