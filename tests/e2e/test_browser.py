"""The demo's page in a real browser, by clicking and typing as a person does."""

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from bot.cli import demo
from bot.cli.demo import DOMAIN, INCIDENTS, Emulated
from bot.sandbox.slack.entities import Message
from tests.support.databases import lay_schema
from tests.support.waiting import until
from tests.tools.gallery import count_words

# The bound only ends a hang: the machine may be busy.
expect.set_options(timeout=120_000)

# One browser for all of them, so one loop.
pytestmark = pytest.mark.asyncio(loop_scope="session")


@contextlib.asynccontextmanager
async def window(chrome: Browser, url: str) -> AsyncIterator[Page]:
    """Open the page, and see afterwards that nothing went wrong in it."""
    opened = await chrome.new_page(viewport={"width": 1400, "height": 900})
    wrong: list[str] = []
    outside: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on(
        "request",
        lambda request: (
            outside.append(request.url)
            if not re.match(r"(http|ws)://127\.0\.0\.1:|data:", request.url)
            else None
        ),
    )
    opened.set_default_timeout(60_000)
    await opened.goto(url)
    await expect(opened.locator("#bot")).to_contain_text("up", timeout=120_000)
    yield opened
    await opened.close()
    assert not wrong
    assert not outside, "no address outside is asked"


@pytest_asyncio.fixture(loop_scope="session")
async def page(chrome: Browser, shown: tuple[Emulated, str]) -> AsyncIterator[Page]:
    async with window(chrome, shown[1]) as opened:
        yield opened


async def say(page: Page, text: str) -> None:
    box = page.locator("#write")
    await box.fill(text)
    await box.press("Escape")
    await box.press("Enter")


async def test_page_completes_a_command_and_shows_its_signature(page: Page) -> None:
    """A command is completed and runs, and the page shows its TC3 signature."""
    box = page.locator("#write")
    await box.press_sequentially("/stopst")
    await expect(page.locator("#composer [role=option]").first).to_contain_text("/stopstream")
    await box.press("Tab")
    await expect(box).to_have_value(re.compile(r"^/stopstream"))
    await box.fill("/stopstream live stream1")
    await box.press("Escape")
    await box.press("Enter")

    await expect(page.locator("#messages")).to_contain_text("RequestId")
    await page.get_by_role("button", name=re.compile("repl")).first.click()
    await expect(page.locator("#replies")).to_contain_text("RequestId")
    request = page.locator("#cloud details").last
    await request.locator("summary").click()
    await expect(request).to_contain_text("TC3-HMAC-SHA256")
    await expect(request).to_contain_text("/live/tc3_request")


async def test_page_runs_a_confirmation_and_an_approval(page: Page) -> None:
    """A confirmed and a second-person approved operation are accepted on the page."""
    await say(page, "/stopstream ban stream2 for=1h")
    confirm = page.get_by_role("button", name=re.compile("^Confirm"))
    await expect(confirm).to_be_in_viewport(ratio=1)
    await confirm.click()
    await expect(page.locator("#messages")).to_contain_text("until")

    await say(page, f"/stopstream domain {DOMAIN}")
    await expect(page.get_by_role("button", name=re.compile("^Approve"))).to_be_visible()
    await page.locator("#who").select_option("U0BOB")
    await page.get_by_role("button", name=re.compile("^Approve")).click()
    await expect(page.locator("#messages")).to_contain_text(re.compile("switch off|Off:"))
    await expect(page.get_by_role("button", name=re.compile("^Approve"))).to_have_count(0)


async def test_page_shows_a_return_and_bans_it(page: Page, shown: tuple[Emulated, str]) -> None:
    """The encoder reconnects, a callback says so, the thread says it, and a ban ends it."""
    around, _ = shown
    await say(page, "/stopstream live stream1")
    await page.get_by_role("button", name=re.compile("repl")).first.click()
    thread = page.locator("#replies")
    await expect(thread).to_contain_text("Live again: stream1")
    await expect(thread).to_contain_text("after the stop")
    assert 200 in {one.status for one in around.cloud.callbacks.sent}
    await thread.get_by_role("button", name=re.compile("^Ban 30 min")).first.click()
    confirm = page.get_by_role("button", name=re.compile("^Confirm")).first
    await expect(confirm).to_be_visible()
    await confirm.click()
    await until(lambda: around.cloud.resources.banned_until("stream1"))


async def test_page_hides_a_denial_and_what_a_request_touches_from_others(page: Page) -> None:
    """A denial is its requester's alone, and what the request touches is its approver's alone."""
    await page.set_viewport_size({"width": 390, "height": 780})
    messages, who = page.locator("#messages"), page.locator("#who")
    await who.select_option("U0MALLORY")
    await say(page, "/stopstream live stream1")
    await expect(messages).to_contain_text("Denied:")
    await who.select_option("U0BOB")
    await expect(messages).not_to_contain_text("Denied:")

    await who.select_option("U0MALLORY")
    for user, label in (("U0MALLORY", "Request approval"), ("U0BOB", "Show what it touches")):
        await who.select_option(user)
        button = page.get_by_role("button", name=re.compile(f"^{label}"))
        await expect(button).to_be_in_viewport(ratio=1)
        await button.click()
    await expect(messages).to_contain_text("Only you see this")
    await expect(messages).to_contain_text("Live since")
    await expect(page.get_by_role("button", name=re.compile("^Approve"))).to_be_in_viewport(ratio=1)
    await who.select_option("U0MALLORY")
    await expect(messages).not_to_contain_text("Only you see this")
    await expect(messages).not_to_contain_text("Live since")


async def test_page_form_marks_an_invalid_field(page: Page) -> None:
    """Submitting an empty form marks an invalid field, and Escape closes the form."""
    await say(page, "/stopstream")
    form = page.get_by_role("dialog")
    await expect(form).to_be_visible()
    await form.locator("button[type=submit]").click()
    await expect(form.locator("[aria-invalid]").first).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(form).to_have_count(0)


async def test_page_shows_a_killed_bot_as_down_and_starts_it(
    chrome: Browser, tmp_path: Path
) -> None:
    """The page shows a killed bot as down, and as up once it is started again."""
    lay_schema(tmp_path / "stopstream.db")
    async with (
        demo.paged(tmp_path, limits=False) as (_, served),
        window(chrome, served.url) as page,
    ):
        await page.get_by_role("tab", name="Break things").click()
        await page.get_by_role("button", name="Kill with -9", exact=True).click()
        await expect(page.locator("#bot")).to_contain_text("down")
        await page.get_by_role("button", name="Start", exact=True).click()
        await expect(page.locator("#bot")).to_contain_text("up", timeout=120_000)


async def test_policy_editor_suggests_saves_and_explains(
    page: Page, shown: tuple[Emulated, str]
) -> None:
    """The editor suggests a correct name, saves the policy and shows its effect."""
    await page.get_by_role("tab", name="Policy").click()
    editor = page.locator("#policy textarea")
    good = await editor.input_value()
    await editor.fill(good.replace("ResumeLiveStream,", "ResumeLifeStream,"))
    await expect(page.locator("#policy")).to_contain_text("ResumeLiveStream")
    await editor.fill(good.replace("users: [U0ALICE]", "users: []"))
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.locator("#policy .answer")).to_contain_text("can't stop a live stream")
    assert "users: []" in shown[0].policy.read_text()


async def test_page_draws_only_the_end_of_a_long_channel(
    page: Page, shown: tuple[Emulated, str]
) -> None:
    """Of a thousand messages the page draws the last 150, and more only when asked."""
    channel = shown[0].slack.channels[INCIDENTS]
    for number in range(1000):
        channel.messages.append(
            Message(f"{1700000000 + number}.000000", "U0BOB", f"message {number}", [])
        )
    shown[0].slack.changed()
    await page.goto(shown[1])
    drawn = page.locator("#messages .message")
    await expect(page.locator("#messages")).to_contain_text("message 999", timeout=60_000)
    await expect(drawn).to_have_count(150)
    await say(page, "/stopstream help")
    await expect(page.locator("#messages")).to_contain_text("Only visible to you", timeout=60_000)
    # What came since is drawn below the 150, unless the page was connected anew in between.
    assert await drawn.count() in range(150, 153)
    await expect(page.locator("#messages")).not_to_contain_text("message 800")
    await page.get_by_role("button", name="earlier messages").click()
    await expect(drawn).to_have_count(300)


async def test_page_supports_keyboard_dark_mode_and_narrow_screens(page: Page) -> None:
    """The page works by keyboard, in dark mode, on a narrow screen and for screen readers."""
    await page.keyboard.press("Tab")
    for _ in range(30):
        if await page.evaluate("document.activeElement.id") == "write":
            break
        await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.id") == "write"
    await page.keyboard.type("/stopstream help")
    await page.keyboard.press("Escape")
    await page.keyboard.press("Enter")
    await expect(page.locator("#messages")).to_contain_text("/stopstream live")

    await page.emulate_media(color_scheme="dark")
    dark = await page.evaluate("getComputedStyle(document.querySelector('#chat')).backgroundColor")
    assert sum(map(int, re.findall(r"\d+", dark)[:3])) < 200
    await page.set_viewport_size({"width": 380, "height": 700})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 380
    unnamed = await page.evaluate(
        "[...document.querySelectorAll('button, input, select, textarea')]"
        ".filter(one => one.checkVisibility() && !one.textContent.trim()"
        " && !one.getAttribute('aria-label') && !one.labels?.length"
        " && !one.getAttribute('aria-labelledby')).map(one => one.outerHTML)"
    )
    assert unnamed == [], "a screen reader has a name for everything"


async def test_page_keeps_what_must_be_pressed_in_view(page: Page) -> None:
    """On a phone the newest card's buttons are in view and large, and home opens at its top."""
    await page.set_viewport_size({"width": 390, "height": 780})
    for text in ("/stopstream help all", "/stopstream whoami", "/stopstream live nosuch"):
        await say(page, text)
    await expect(page.locator("#messages")).to_contain_text("nosuch")
    await say(page, "/stopstream ban stream2 for=1h")
    confirm = page.get_by_role("button", name=re.compile("^Confirm"))
    await expect(confirm).to_be_in_viewport(ratio=1)
    box = await confirm.bounding_box()
    assert box is not None
    assert box["height"] >= 44

    await page.get_by_role("button", name="Channels").click()
    await page.locator("#side button", has_text="stopstream").first.click()
    await expect(page.get_by_role("button", name="Stop something")).to_be_in_viewport(ratio=1)


async def test_home_is_one_screen_of_a_phone_after_a_dozen_requests(
    page: Page, shown: tuple[Emulated, str]
) -> None:
    """However much is off, open, waiting and done, nobody has to scroll on the home tab."""
    slack, cloud = shown[0].slack, shown[0].cloud
    channel = slack.channels[INCIDENTS]
    await page.locator("#close-guide").click()
    await page.set_viewport_size({"width": 375, "height": 812})
    names = [f"camera-north-{number}" for number in range(4)]
    for name in names:
        cloud.resources.put("stream", name, DOMAIN, "live", returns_after=None)
        for text in (f"live {name}", f"ban {name} for=2h", f"hold live {name} reason=court"):
            await slack.person("U0ALICE").slash("/stopstream", text, INCIDENTS)
    for number in range(3):
        cloud.resources.put("domain", f"{number}.example.com", params={"DomainType": 0})
        text = f"domain {number}.example.com"
        await slack.person("U0ALICE").slash("/stopstream", text, INCIDENTS)
    await until(lambda: sum("Approve" in one.buttons() for one in channel.roots) == 3)
    await until(lambda: len(cloud.ran("DropLiveStream")) == len(names))

    for who, title in (("U0ALICE", "Your open requests: . of 7"), ("U0BOB", "approve: . of 3")):
        await page.locator("#who").select_option(who)
        await page.get_by_role("button", name="Channels").click()
        await page.locator("#side button", has_text="stopstream").first.click()
        home = page.locator("#home")
        await expect(home).to_contain_text(re.compile(title))
        await expect(home).to_contain_text(re.compile("Currently off: . of"))
        await expect(home.locator(".block").first).to_be_in_viewport(ratio=1)
        await expect(home.locator(".block").last).to_be_in_viewport(ratio=1)
        assert count_words((await home.inner_text()).splitlines()) <= 120


async def test_page_squeezes_no_column_for_a_thread(page: Page) -> None:
    """With a thread open, channel, thread and cloud are each wide enough to be read."""
    await say(page, "/stopstream live stream1")
    await page.get_by_role("button", name=re.compile("repl")).first.click()
    for column in ("#chat", "#thread", "#world"):
        box = await page.locator(column).bounding_box()
        assert box is not None
        assert box["width"] >= 340, column


async def test_audit_log_export_can_be_downloaded(page: Page) -> None:
    """The audit log can be exported as CSV and downloaded in the browser."""
    await page.locator("#who").select_option("U0BOB")
    await say(page, "/stopstream live stream1")
    await expect(page.locator("#messages")).to_contain_text("RequestId")
    await say(page, "/stopstream audit since=1h")
    await page.get_by_role("button", name=re.compile("CSV")).first.click()
    await page.locator("#side button", has_text="messages").click()
    await page.get_by_role("button", name=re.compile("1 reply")).click()
    async with page.expect_download() as coming:
        await page.get_by_role("link", name=re.compile("^Download")).click()
    taken = await (await coming.value).path()
    assert "DropLiveStream" in taken.read_text()
