"""The demo's page, called by another site in the same browser or by another name of the machine."""

import itertools
import json
from pathlib import Path

import aiohttp

from bot.cli.demo import INCIDENTS, paged
from tests.trials.attack.target import Attack, changes

_CALLS = (
    *("type", "press", "act", "suggest", "submit", "close", "home", "shortcut", "thing", "bot"),
    *("policy/save", "policy/check", "policy/explain"),
    *("weather/slack", "weather/cloud", "weather/clock", "weather/clear"),
)
_READS = ("", "live?as=U0ALICE", "api/world?as=U0ALICE", "api/schema", "static/page.js")
_KINDS = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "")
"""What a page of another site may send without asking first."""


async def page(folder: Path) -> Attack:
    """Call it as a page of another site, and as one whose name resolves to this machine."""
    found = Attack("the demo's page from elsewhere")
    body = {"as": "U0ALICE", "channel": INCIDENTS, "text": "/stopstream live stream1"}
    async with paged(folder) as (world, shown), aiohttp.ClientSession() as http:
        own = shown.url.removeprefix("http://")
        strange = [
            *(
                {"Origin": one}
                for one in ("https://evil.example", "null", "http://127.0.0.1:1", "")
            ),
            *({"Origin": one} for one in (f"https://{own}", f"http://{own}.evil.example")),
            *({"Host": one} for one in ("evil.example", f"{own}.evil.example", "127.0.0.1", "")),
            *({"Host": one} for one in ("evil.example:80", f"evil.example@{own}", "127.1")),
        ]
        for headers, call in itertools.product(strange, _CALLS):
            for kind in ("application/json", *_KINDS):
                async with http.post(
                    f"{shown.url}/api/{call}",
                    headers={**headers, "Content-Type": kind},
                    data=json.dumps(body),
                ) as answer:
                    found.note(f"{headers} {call} {kind}", through=answer.status < 400)
        for call, kind in itertools.product(_CALLS, _KINDS):
            async with http.post(
                f"{shown.url}/api/{call}", headers={"Content-Type": kind}, data=json.dumps(body)
            ) as answer:
                found.note(f"{call} {kind}", through=answer.status < 400)
        for headers, path in itertools.product(strange, _READS):
            async with http.get(f"{shown.url}/{path}", headers=headers) as answer:
                found.note(f"{headers} {path}", through=answer.status < 400)
        left = changes(world.cloud)
        found.note(f"{left} requests", through=left > 0)
        async with http.post(f"{shown.url}/api/type", json=body) as answer:
            found.note(f"an honest call: {answer.status}", through=not answer.ok)
    return found
