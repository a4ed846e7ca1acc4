"""The demo's first minute, walked in a real browser as its guide says, and the form's picker."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, ViewportSize, expect

from bot.cli.demo import DOMAIN, Emulated

# The bound only ends a hang: the machine may be busy.
expect.set_options(timeout=120_000)

# One browser for all of them, so one loop.
pytestmark = pytest.mark.asyncio(loop_scope="session")

DESKTOP: ViewportSize = {"width": 1400, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest_asyncio.fixture(loop_scope="session", params=[DESKTOP, PHONE], ids=["desktop", "phone"])
async def page(
    chrome: Browser, shown: tuple[Emulated, str], request: pytest.FixtureRequest
) -> AsyncIterator[Page]:
    opened = await chrome.new_page(viewport=request.param, has_touch=request.param is PHONE)
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.set_default_timeout(60_000)
    await opened.goto(shown[1])
    await expect(opened.locator("#bot")).to_contain_text("up", timeout=120_000)
    yield opened
    await opened.close()
    assert not wrong


async def press(pointed: Locator) -> None:
    """Press what the guide points at, which is whole in view without scrolling."""
    await expect(pointed).to_be_in_viewport(ratio=1)
    await pointed.click()


async def test_first_minute_leads_from_live_to_the_audit_trail(page: Page) -> None:
    """Pressing only what the guide points at stops the stream, bans it, and shows the trail."""
    guide, picture = page.locator("#guide-text"), page.locator("#guide-picture")
    pointed = page.locator(".point")
    await expect(guide).to_contain_text("1 of 4: stream1 is live.")
    await expect(picture).to_be_in_viewport(ratio=1)
    await press(pointed)
    await expect(page.locator("#write")).to_have_value("/stopstream live stream1")
    await expect(pointed).to_have_attribute("aria-label", "Send")
    await press(pointed)

    await expect(guide).to_contain_text("2 of 4:")
    await expect(pointed).to_have_text("Ban 30 min")
    await press(pointed)

    await expect(guide).to_contain_text("3 of 4:")
    await expect(pointed).to_have_text("Confirm")
    await press(pointed)

    await expect(guide).to_contain_text("4 of 4: The picture stays dark")
    await expect(picture).to_be_in_viewport(ratio=1)
    await press(pointed)
    await expect(guide).to_contain_text("This is the trail")
    await expect(page.locator("#messages")).to_contain_text("Accepted: ForbidLiveStream")
    await expect(page.locator("#who")).to_have_value("U0BOB")


async def test_first_minute_can_be_left(page: Page) -> None:
    """A closed guide stays closed in this window, and what it covered can be used."""
    await press(page.locator("#close-guide"))
    await expect(page.locator("#guide")).to_be_hidden()
    await page.reload()
    await expect(page.locator("#bot")).to_contain_text("up")
    await expect(page.locator("#guide")).to_be_hidden()
    await expect(page.locator("#write")).to_be_in_viewport(ratio=1)


async def test_live_stream_is_picked_in_the_form(page: Page, shown: tuple[Emulated, str]) -> None:
    """The form offers what is live as it is opened, narrows it, and stops what is picked."""
    shown[0].cloud.resources.put("stream", "sunday-show", DOMAIN, "live")
    box = page.locator("#write")
    await box.fill("/stopstream")
    await box.press("Escape")
    await box.press("Enter")
    field = page.get_by_label(re.compile("^Live now"))
    await field.click()
    options = page.locator(".picker [role=option]")
    await expect(options).to_have_count(3)
    await field.press_sequentially("sun")
    await expect(options).to_have_count(1)
    await expect(options).to_be_in_viewport(ratio=1)
    await field.press("Enter")
    await expect(field).to_have_value("sunday-show")
    await press(page.get_by_role("button", name="Stop stream"))

    await expect(page.locator("#messages")).to_contain_text("sunday-show")
    await expect(page.locator("#messages")).to_contain_text("RequestId")
    (stopped,) = shown[0].cloud.ran("DropLiveStream")
    assert stopped.params["StreamName"] == "sunday-show"
