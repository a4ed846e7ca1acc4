"""The demo's page: what it serves, and what it refuses."""

import re
from typing import Any

import aiohttp

from bot.sandbox.page.server import Page
from tests.support.paths import ROOT

STATIC = ROOT / "bot/sandbox/page/static"


async def test_page_serves_only_its_own_files_with_a_strict_csp(page: Page) -> None:
    """The page has a strict CSP and no external URL, and other paths get status 404."""
    async with aiohttp.ClientSession() as session:
        async with session.get(page.url) as response:
            rules = response.headers["Content-Security-Policy"]
            text = await response.text()
        assert "default-src 'none'" in rules
        assert "unsafe" not in rules
        assert re.findall(r"https?://", text) == []
        for name in re.findall(r'"/static/([^"]+)"', text):
            async with session.get(f"{page.url}/static/{name}") as response:
                assert response.status == 200, name
                assert response.content_type in ("text/javascript", "text/css")
        for wrong in ("static/../server.py", "static/%2e%2e%2fserver.py", "static/nosuch.js"):
            async with session.get(f"{page.url}/{wrong}") as response:
                assert response.status == 404


def test_page_scripts_use_no_html_injection_or_outside_url() -> None:
    """No static file uses innerHTML, eval, CSS imports or other requests to the outside."""
    for file in STATIC.iterdir():
        code = re.sub(r"//[^\n]*|/\*.*?\*/", "", file.read_text(), flags=re.DOTALL)
        risky = "innerHTML|outerHTML|insertAdjacentHTML|document.write|eval\\(|new Function|srcdoc"
        assert re.findall(risky, code) == [], file.name
        assert re.findall(r"url\(|@import|XMLHttpRequest|sendBeacon", code) == [], file.name


async def test_page_rejects_foreign_origins_and_hosts(page: Page) -> None:
    """A foreign Origin or Host gets status 403, and a body that is not JSON gets 415."""
    foreign = {"Origin": "https://evil.example"}
    rebound = {"Host": "evil.example"}
    async with aiohttp.ClientSession() as session:
        for headers in (foreign, rebound):
            for url in (f"{page.url}/", f"{page.url}/live?as=U0ALICE"):
                async with session.get(url, headers=headers) as response:
                    assert response.status == 403
            body = {"as": "U0ALICE"}
            url = f"{page.url}/api/weather/clear"
            async with session.post(url, json=body, headers=headers) as response:
                assert response.status == 403
        async with session.post(f"{page.url}/api/weather/clear", data="{}") as response:
            assert response.status == 415


async def test_page_api_answers_malformed_calls_without_errors(page: Page) -> None:
    """A malformed API call never gets a server error, and malformed JSON gets status 400."""
    calls = (
        *(
            [
                "type",
                "press",
                "act",
                "submit",
                "close",
                "home",
                "shortcut",
                "thing",
                "bot",
                "nosuch",
            ]
        ),
        *(["weather/slack", "weather/cloud", "weather/clock", "policy/save", "policy/explain"]),
    )
    bodies: list[Any] = [
        None,
        7,
        [],
        "x",
        {"as": 7},
        {"as": "U0NOBODY"},
        {"as": "U0ALICE", "key": 7},
    ]
    bodies += [{"as": "U0ALICE", "channel": "C0NONE", "text": 7, "values": [], "do": "x"}]
    async with aiohttp.ClientSession() as session:
        for call in calls:
            for body in bodies:
                async with session.post(f"{page.url}/api/{call}", json=body) as response:
                    assert response.status in (200, 400, 404, 415), (call, body, response.status)
        for raw in (b"{", b"\xff", b"[" * 5000):
            headers = {"Content-Type": "application/json"}
            url = f"{page.url}/api/type"
            async with session.post(url, data=raw, headers=headers) as response:
                assert response.status == 400
        async with session.get(f"{page.url}/live?as=U0NOBODY") as response:
            assert response.status == 404
