"""Walks every story in a real browser, on a desktop and a phone: `python -m tests.tools.walk`.

It prints what each costs its readers: what they did (a command that is sent is one), the words that
came up in the channel, and the seconds until the last of them. What must be pressed is whole in
view. A story that did not go as it must is told with a picture of the window.
"""

import asyncio
import hashlib
import hmac
import json
import re
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeAlias

import aiohttp
from playwright.async_api import Browser, Error, Locator, Page, expect

from bot import telemetry
from bot.cli.demo import DOMAIN, HOOK_SECRET, Emulated, paged
from bot.cli.output import say, table
from bot.sandbox.page.server import Page as Server
from bot.sandbox.tencent.faults import Fault
from tests.support.browser import browser
from tests.tools.gallery import count_words

SIZES: Mapping[str, Any] = {
    "desktop": {"viewport": {"width": 1440, "height": 900}},
    "phone": {"viewport": {"width": 375, "height": 780}, "has_touch": True},
}
PATIENCE = 120_000
"""Milliseconds; the bound only ends a hang: the machine may be busy."""


class Walk:
    """One story on one window, and what it costs."""

    def __init__(self, page: Page, world: Emulated, server: Server, *, name: str) -> None:
        self.page = page
        self.world = world
        self.name = name
        self.taps = 0
        self._server = server
        self._after = "0"

    async def __aenter__(self) -> Self:
        """Begin with a stream of its own that is live, as alice, in the channel."""
        now = self.world.cloud.now
        self.world.cloud.resources.put(
            "stream", self.name, DOMAIN, "live", since=now - 3600, returns_after=None
        )
        shown = self.page.locator("#messages .message")
        last = await shown.last.get_attribute("data-ts") if await shown.count() else None
        self._after = last or "0"
        self._began = time.monotonic()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.world.cloud.faults.clear()
        await self.be("U0ALICE")

    async def send(self, text: str) -> None:
        """Type into the composer and send it."""
        box = self.page.locator("#write")
        await box.fill(text)
        await box.press("Escape")
        await box.press("Enter")
        self.taps += 1

    async def press(self, label: str, within: Locator | None = None) -> None:
        """Press the newest button whose label begins so; nothing is scrolled for it."""
        place = within or self.page
        button = place.get_by_role("button", name=re.compile(f"^{re.escape(label)}")).last
        await expect(button).to_be_in_viewport(ratio=1)
        await button.click()
        self.taps += 1

    async def see(self, text: str) -> None:
        """Wait for a text in what has come since the story began."""
        await self.page.wait_for_function(
            "([after, text]) => [...document.querySelectorAll('#messages .message')].some("
            "(one) => one.dataset.ts > after && new RegExp(text).test(one.textContent))",
            arg=[self._after, text],
        )

    async def be(self, user: str) -> None:
        """Go on as somebody else, at their own window: that costs the first person nothing."""
        await self.page.locator("#who").select_option(user)
        await expect(self.page.locator("#who")).to_have_value(user)

    async def alert(self) -> None:
        """Have a monitoring system say that something is wrong with the stream."""
        alert = {"id": self.name, "title": "Black picture", "streams": [self.name]}
        body = json.dumps({**alert, "status": "firing"}).encode()
        at = str(int(time.time()))
        signed = hmac.new(HOOK_SECRET.encode(), f"v1:{at}:".encode() + body, hashlib.sha256)
        headers = {
            "Content-Type": "application/json",
            "X-Stopstream-Timestamp": at,
            "X-Stopstream-Signature": f"v1={signed.hexdigest()}",
        }
        address = f"{self._server.bot.url}/hooks/generic"
        async with (
            aiohttp.ClientSession() as session,
            session.post(address, data=body, headers=headers) as answer,
        ):
            answer.raise_for_status()

    async def home(self) -> int:
        """Open the home tab, and return its words."""
        if not await self.page.locator("#side").is_visible():
            await self.press("Channels")
        await self.page.locator("#side button", has_text="stopstream").first.click()
        self.taps += 1
        await expect(self.page.locator("#home")).to_contain_text(
            re.compile("what you can do", re.IGNORECASE)
        )
        words = count_words((await self.page.locator("#home").inner_text()).splitlines())
        if not await self.page.locator("#side").is_visible():
            await self.press("Channels")
        await self.page.locator("#side button", has_text="incidents").first.click()
        await expect(self.page.locator("#messages")).to_be_visible()
        return words

    async def cost(self) -> tuple[int, int, float]:
        """Return what was done, the words that came, and the seconds."""
        took = time.monotonic() - self._began
        found = await self.page.locator("#messages .message .block").evaluate_all(
            "(all, after) => all.filter((one) => one.closest('.message').dataset.ts > after)"
            ".map((one) => one.innerText)",
            self._after,
        )
        lines = [line for text in found for line in text.splitlines()]
        return self.taps, count_words(lines), took


Story: TypeAlias = Callable[[Walk], Awaitable[int | None]]
"""Plays one; returns its words where they are not in the channel."""


async def plain_stop(walk: Walk) -> None:
    await walk.send(f"/stopstream live {walk.name}")
    await walk.see(f"Off: {walk.name}")


async def confirmed_ban(walk: Walk) -> None:
    await walk.send(f"/stopstream ban {walk.name} for=30m")
    await walk.press("Confirm")
    await walk.see(f"Ban sent: {walk.name}|Off: {walk.name}")


async def picked_stop(walk: Walk) -> None:
    await walk.send("/stopstream")
    field = walk.page.get_by_label(re.compile("^Live now"))
    await field.click()
    await field.press_sequentially(walk.name)
    option = walk.page.locator(".picker [role=option]", has_text=walk.name)
    await expect(option).to_be_in_viewport(ratio=1)
    await field.press("Enter")
    walk.taps += 2
    await walk.press("Stop stream")
    await walk.see(f"Stop sent: {walk.name}|Off: {walk.name}")


async def second_person(walk: Walk) -> None:
    domain = f"{walk.name}.example.com"
    walk.world.cloud.resources.put("domain", domain, params={"DomainType": 0})
    await walk.send(f"/stopstream domain {domain}")
    await walk.be("U0BOB")
    await walk.press("Approve")
    await walk.see(f"switch off {domain}|Off: {domain}")


async def denied_by_person(walk: Walk) -> None:
    domain = f"{walk.name}.example.com"
    walk.world.cloud.resources.put("domain", domain, params={"DomainType": 0})
    await walk.send(f"/stopstream domain {domain}")
    await walk.be("U0BOB")
    await walk.press("Deny")
    form = walk.page.get_by_role("dialog")
    await form.locator("textarea, input").first.fill("wrong domain")
    await walk.press("Deny", form)
    await walk.see(f"Denied: switch off {domain}")


async def undone_ban(walk: Walk) -> None:
    await confirmed_ban(walk)
    await walk.press("Undo")
    await walk.see(f"Unban sent: {walk.name}|Live: {walk.name}")


async def live_again(walk: Walk) -> None:
    walk.world.cloud.resources.put("stream", walk.name, DOMAIN, "live", returns_after=1.0)
    await walk.send(f"/stopstream live {walk.name}")
    await walk.see(f"Live again: {walk.name}")
    await walk.press("Ban 30 min")
    await walk.press("Confirm")
    await walk.see(f"Ban sent: {walk.name}|Off: {walk.name}, banned")


async def kept_off(walk: Walk) -> None:
    await plain_stop(walk)
    await walk.press("Ban 2 h")
    await walk.press("Confirm")
    await walk.see(f"Ban sent: {walk.name}|Off: {walk.name}, banned")


async def unknown(walk: Walk) -> None:
    walk.world.cloud.faults.add(Fault(code="InternalError"), api="DropLiveStream", times=3)
    await walk.send(f"/stopstream live {walk.name}")
    await walk.see(f"Not sure whether it ran: stop {walk.name}")
    await walk.press("Check status")
    await walk.see(f"Live: {walk.name}|Not live: {walk.name}")


async def requested(walk: Walk) -> None:
    await walk.be("U0MALLORY")
    await walk.send(f"/stopstream live {walk.name}")
    await walk.press("Request approval")
    await walk.see(f"Approval needed: stop {walk.name}")
    await walk.be("U0BOB")
    await walk.press("Show what it touches")
    await walk.see("Only you see this")
    await walk.press("Approve")
    await walk.see(f"Stop sent: {walk.name}|Off: {walk.name}")


async def held(walk: Walk) -> None:
    await walk.send(f"/stopstream hold live {walk.name} reason='court order'")
    await walk.see(f"Held: {walk.name}")


async def alerted(walk: Walk) -> None:
    await walk.alert()
    await walk.see(f"Stream: {walk.name}")
    await walk.press("Stop")
    # What was begun on an alert's card is told in its thread.
    link = walk.page.locator("#messages .message", has_text=walk.name).last.locator(".thread-link")
    await link.click()
    walk.taps += 1
    sent = walk.page.locator("#replies", has_text=re.compile(f"(Stop sent|Off): {walk.name}"))
    await expect(sent).to_be_visible()
    await walk.page.locator("#close-thread").click()


async def helped(walk: Walk) -> None:
    await walk.send("/stopstream help")
    await walk.see("What you can do here")


async def who(walk: Walk) -> None:
    await walk.send("/stopstream whoami")
    await walk.see("You are")


async def at_home(walk: Walk) -> int:
    return await walk.home()


async def status(walk: Walk) -> None:
    await walk.send(f"/stopstream status live {walk.name}")
    await walk.see(f"Live: {walk.name}")


async def several(walk: Walk) -> None:
    other = f"{walk.name}-b"
    walk.world.cloud.resources.put("stream", other, DOMAIN, "live")
    await walk.send(f"/stopstream live {walk.name} {other}")
    await walk.see("One command is for one stream")
    await walk.press(f"Stop {walk.name}")
    await walk.see(f"Stop sent: {walk.name}|Off: {walk.name}")


STORIES: Mapping[str, Story] = {
    "plain stop": plain_stop,
    "ban with confirmation": confirmed_ban,
    "stop by the form, picked": picked_stop,
    "second person approves": second_person,
    "second person denies": denied_by_person,
    "ban undone": undone_ban,
    "stop, then kept off": kept_off,
    "live again, then banned": live_again,
    "unknown, then checked": unknown,
    "refused, requested, looked at, approved": requested,
    "hold": held,
    "alert, then stop": alerted,
    "help": helped,
    "whoami": who,
    "home": at_home,
    "status": status,
    "two streams in one command": several,
}


async def walk_all(chosen: str) -> list[list[str]]:
    """Play the stories whose name holds a text, each on both sizes; return a row for each."""
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as folder:
        async with browser() as chrome, paged(Path(folder), limits=False) as (world, server):
            if chrome is None:
                sys.exit("no Chromium is at hand")
            for size in SIZES:
                page = await _opened(chrome, server.url, size)
                for number, (title, story) in enumerate(STORIES.items()):
                    if chosen in title:
                        name = f"{size}-{number}"
                        rows.append([size, title, *await _play(page, world, server, name, story)])
                await page.close()
    return rows


async def _opened(chrome: Browser, url: str, size: str) -> Page:
    page = await chrome.new_page(**SIZES[size])
    page.set_default_timeout(PATIENCE)
    await page.goto(url)
    await expect(page.locator("#bot")).to_contain_text("up")
    await page.locator("#close-guide").click()
    return page


async def _play(
    page: Page, world: Emulated, server: Server, name: str, story: Story
) -> tuple[str, str, str]:
    async with Walk(page, world, server, name=name) as walk:
        try:
            elsewhere = await story(walk)
        except (AssertionError, Error) as error:
            picture = Path(tempfile.gettempdir()) / f"walk-{name}.png"
            await page.screenshot(path=picture)
            return "-", "-", f"{str(error).splitlines()[0]} ({picture})"
        taps, words, seconds = await walk.cost()
    return str(taps), str(words if elsewhere is None else elsewhere), f"{seconds:.1f}"


def main() -> None:
    """Walk, and print the table; an argument chooses the stories by a part of their name."""
    expect.set_options(timeout=PATIENCE)
    telemetry.configure("console", level="CRITICAL")
    rows = asyncio.run(walk_all(" ".join(sys.argv[1:])))
    say(*table(("window", "story", "done", "words", "seconds"), rows))


if __name__ == "__main__":
    main()
