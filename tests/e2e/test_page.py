"""The demo's page, through its JSON API and its WebSocket: what a window sees and can do."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest

from bot.cli.demo import AUDIT, DOMAIN, INCIDENTS, Emulated, emulated, paged
from bot.cli.serve import Server
from bot.cli.settings import read_settings
from bot.sandbox.page.server import Page
from tests.support.paths import ROOT
from tests.support.waiting import BOUND

STATIC = ROOT / "bot/sandbox/page/static"


class Eyes:
    """A window of one person: what it was sent so far, and its hands."""

    def __init__(self, page: Page, user: str) -> None:
        self.user = user
        self.world: dict[str, Any] = {}
        self.news: list[dict[str, Any]] = []
        self._page = page
        self._parts = contextlib.AsyncExitStack()
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._session = await self._parts.enter_async_context(aiohttp.ClientSession())
        url = f"{self._page.url}/live?as={self.user}"
        self._socket = await self._parts.enter_async_context(self._session.ws_connect(url))
        reading = asyncio.create_task(self._read())
        self._parts.callback(reading.cancel)
        await self.until(lambda: self.world)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._parts.aclose()

    async def _read(self) -> None:
        async for message in self._socket:
            news = message.json()
            self.news.append(news)
            if news["first"]:
                self.world.clear()
            self.world.update(news["set"])
            for key in news["gone"]:
                del self.world[key]
            self._changed.set()

    async def until(self, so: Callable[[], Any], timeout: float = 120.0) -> Any:  # noqa: ASYNC109
        async with asyncio.timeout(timeout):
            while not (found := so()):
                self._changed.clear()
                await self._changed.wait()
            return found

    def answered(self) -> tuple[Any, ...]:
        """Give the first accepted card and what stands in its thread."""
        for card in self.saying("Accepted:"):
            thread = [m for m in self.messages() if m["thread_ts"] == card["ts"]]
            if thread:
                return card, thread
        return ()

    async def do(self, call: str, **body: Any) -> dict[str, Any]:
        body = {"as": self.user, **body}
        async with self._session.post(f"{self._page.url}/api/{call}", json=body) as response:
            found: dict[str, Any] = await response.json()
            return found | {"status": response.status}

    async def type(self, text: str, channel: str = INCIDENTS, **more: Any) -> dict[str, Any]:
        return await self.do("type", channel=channel, text=text, **more)

    async def become(self, user: str) -> None:
        self.user = user
        await self._socket.send_str(user)
        await self.until(lambda: self.news[-1]["as"] == user)

    def messages(self, channel: str = INCIDENTS) -> list[dict[str, Any]]:
        keys = sorted(key for key in self.world if key.startswith(f"message/{channel}/"))
        return [self.world[key] for key in keys]

    def saying(self, text: str, channel: str = INCIDENTS) -> list[dict[str, Any]]:
        return [one for one in self.messages(channel) if text in f"{one['text']}{one['blocks']}"]

    def requests(self) -> list[dict[str, Any]]:
        found = [value for key, value in self.world.items() if key.startswith("request/")]
        return sorted(found, key=lambda one: one["at"])

    def state(self, *key: str) -> str:
        return str(self.world["thing/" + "/".join(key)]["state"])


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[tuple[Emulated, Page]]:
    """The page, and the bot in this very process, which is there at once."""
    async with emulated(tmp_path, limits=False) as around:
        page = Page(
            slack=around.slack,
            cloud=around.cloud,
            policy_file=around.policy,
            environment=around.environment,
        )
        async with Server(read_settings(**around.environment)), page:
            yield around, page


@pytest.fixture
async def page(world: tuple[Emulated, Page]) -> Page:
    return world[1]


@pytest.fixture
async def alice(page: Page) -> AsyncIterator[Eyes]:
    async with Eyes(page, "U0ALICE") as eyes:
        yield eyes


# --- the main stories ------------------------------------------------------------------


async def test_page_pushes_a_request_to_every_window(page: Page, alice: Eyes) -> None:
    """A stop appears live in each window, limited to the channels its user is in."""
    async with Eyes(page, "U0BOB") as bob:
        answer = await alice.type("/stopstream live stream1")
        assert answer["ok"]
        for eyes in (alice, bob):
            _, ending = await eyes.until(eyes.answered)
            request = (await eyes.until(eyes.requests))[0]
            assert request["request_id"] in ending[0]["text"]
            assert eyes.state("stream", "stream1", DOMAIN, "live") == "inactive"
        await bob.until(lambda: bob.saying("DropLiveStream", AUDIT))
        assert alice.messages(AUDIT) == [], "she is not in that channel"
        # The encoder comes back by itself.
        await alice.until(lambda: alice.state("stream", "stream1", DOMAIN, "live") == "active")


async def test_page_shows_a_denial_to_the_requester_only(
    world: tuple[Emulated, Page], alice: Eyes
) -> None:
    """A denial is shown to the requester only, and no request reaches the cloud."""
    around, page = world
    async with Eyes(page, "U0MALLORY") as mallory:
        await mallory.type("/stopstream live stream1")
        denied = (await mallory.until(lambda: mallory.saying("Denied")))[0]
    assert denied["to"] == "U0MALLORY"
    assert alice.messages() == []
    assert list(around.cloud.received) == []


async def test_page_form_follows_the_action_and_validates_input(alice: Eyes) -> None:
    """The form shows the chosen action's fields, reports a missing value and submits."""
    await alice.type("/stopstream")
    view = await alice.until(lambda: alice.world["modal"])
    assert view["title"]["text"] == "Stop something"

    choice = {"type": "static_select", "selected_option": {"value": "StopStreamIngest"}}
    values = {"action": {"choose-action:StopStreamIngest": choice}}
    what = next(b for b in view["blocks"] if b.get("block_id") == "action")["element"]["action_id"]
    await alice.do("act", view="modal", action_id=what, value="StopStreamIngest")
    await alice.until(
        lambda: any("TaskId" in str(b.get("block_id")) for b in alice.world["modal"]["blocks"])
    )

    def fill(task: str) -> dict[str, Any]:
        def text(value: str) -> dict[str, Any]:
            return {"value": {"type": "plain_text_input", "value": value}}

        region = {"type": "static_select", "selected_option": {"value": "ap-singapore"}}
        return values | {
            "param:TaskId": text(task),
            "param:SdkAppId": text("1400000000"),
            "param:Region": {"value": region},
        }

    wrong = await alice.do("submit", values=fill(""))
    assert list(wrong["errors"]) == ["param:TaskId"]
    assert alice.world["modal"] is not None

    right = await alice.do("submit", values=fill("task-1"))
    assert right["ok"]
    assert right["errors"] == {}
    await alice.until(lambda: alice.world["modal"] is None)
    await alice.until(lambda: alice.saying("Accepted: StopStreamIngest"))
    await alice.until(lambda: alice.state("ingest", "task-1", "1400000000") == "finished")


async def test_page_buttons_open_forms_from_messages_and_home_tab(alice: Eyes) -> None:
    """Buttons of a message and of the home tab open a form; an unknown button is refused."""
    await alice.type("@stopstream stop")
    offer = (await alice.until(lambda: alice.saying("open-form")))[0]
    button = next(b for b in offer["blocks"] if b["type"] == "actions")["elements"][0]
    pressed = {"channel": INCIDENTS, "ts": offer["ts"], "action_id": button["action_id"]}
    assert (await alice.do("press", **pressed, value=button["value"]))["ok"]
    await alice.until(lambda: alice.world["modal"])
    await alice.do("close")
    await alice.until(lambda: alice.world["modal"] is None)

    gone = await alice.do("press", **pressed, value="something else")
    assert not gone["ok"]
    assert "not there any more" in gone["trouble"]

    assert (await alice.do("home"))["ok"]
    home = await alice.until(lambda: alice.world["home"])
    button = next(b for b in home["blocks"] if b["type"] == "actions")["elements"][1]
    await alice.do("act", view="home", action_id=button["action_id"], value=button["value"])
    view = await alice.until(lambda: alice.world["modal"])
    assert view["title"]["text"] == "Start something"


async def test_page_answers_a_mention_in_its_thread(alice: Eyes) -> None:
    """A mention in a thread is answered there, and typed names become Slack references."""
    await alice.type("hello #audit and @bob")
    root = (await alice.until(lambda: alice.saying("hello")))[0]
    assert root["text"] == f"hello <#{AUDIT}> and <@U0BOB>"

    await alice.type("@stopstream stop live stream1", thread_ts=root["ts"])
    await alice.until(
        lambda: [m for m in alice.saying("RequestId") if m["thread_ts"] == root["ts"]]
    )


# --- who sits there ----------------------------------------------------------------------


async def test_page_lists_people_with_their_roles(alice: Eyes) -> None:
    """The list of people shows each one's roles, or that they are a guest or external."""
    what = {one["name"]: one["what"] for one in alice.world["people"]}
    assert what["alice"] == ["oncall"]
    assert what["bob"] == ["leads"]
    assert what["audrey"] == ["auditors"]
    assert what["gus"] == ["guest"]
    assert what["frank"] == ["of another workspace"]
    assert what["mallory"] == ["no role"]


@pytest.mark.parametrize("user", ["U0GUEST", "U0FRANK", "U0AUDRY"])
async def test_page_shows_only_what_the_selected_user_sees(alice: Eyes, user: str) -> None:
    """After a change of user, the window hides the ephemeral messages of the previous one."""
    await alice.type("/stopstream live stream1")
    await alice.until(lambda: alice.saying("Accepted:"))
    receipts = [m for m in alice.messages() if m["to"]]
    assert receipts

    await alice.become(user)
    assert [m for m in alice.messages() if m["to"]] == []
    await alice.type("/stopstream live stream2")
    await alice.until(lambda: alice.saying("Denied"))
    assert len(alice.requests()) == 1


async def test_page_refuses_a_message_to_a_channel_without_user(alice: Eyes) -> None:
    """A message to a channel that the user is not in gets status 400."""
    found = await alice.type("/stopstream live stream1", AUDIT)
    assert found["status"] == 400
    assert "not in it" in found["trouble"]


# --- the cloud and the weather -------------------------------------------------------------


async def test_page_shows_each_step_of_the_tc3_signature(alice: Eyes) -> None:
    """A cloud request shows every step of its TC3 signature check, and all steps pass."""
    await alice.type("/stopstream live stream1")
    request = (await alice.until(alice.requests))[0]

    assert [step["holds"] for step in request["steps"]] == [True] * len(request["steps"])
    shown = {step["name"]: step["shows"] for step in request["steps"]}
    assert shown["Canonical request"].startswith("POST\n/\n")
    assert shown["String to sign"].startswith("TC3-HMAC-SHA256\n")
    assert '"live"' in shown["SecretService"]
    _, _, computed, _, sent = shown["Signature"].split("\n")
    assert computed == sent
    assert len(computed) == 64


async def test_page_shows_a_clock_skew_at_the_timestamp_step(alice: Eyes) -> None:
    """With a skewed clock the signature check fails at the timestamp step."""
    await alice.do("weather/clock", seconds=600)
    await alice.until(lambda: alice.world["weather"]["cloud_skew"] == 600)
    await alice.type("/stopstream live stream1")
    request = (await alice.until(alice.requests))[0]

    verdicts = {step["name"]: step["holds"] for step in request["steps"]}
    assert verdicts["Authorization header"] is True
    assert verdicts["Timestamp"] is False
    assert verdicts["Signature"] is None
    assert request["code"] == "AuthFailure.SignatureExpire"


async def test_faults_are_injected_shown_and_cleared(
    world: tuple[Emulated, Page], alice: Eyes
) -> None:
    """Faults of the cloud and of Slack take effect, are shown and can be cleared."""
    around, _ = world
    code = "ResourceNotFound.StopService"
    assert code in alice.world["setup"]["codes"]
    await alice.do("weather/cloud", fault="code", code=code, times=1)
    await alice.until(lambda: alice.world["weather"]["cloud_next"] == 1)
    await alice.type("/stopstream live stream2")
    await alice.until(lambda: [m for m in alice.saying(code) if m["thread_ts"]])
    await alice.until(lambda: alice.world["weather"]["cloud_next"] == 0)

    await alice.do("weather/cloud", fault="deaf")
    await alice.do("weather/slack", down=True, delay=2.5, limited=3)
    weather = await alice.until(
        lambda: found if (found := alice.world["weather"])["slack_down"] else None
    )
    assert "never answers" in weather["cloud_fault"]
    assert weather["slack_delay"] == 2.5
    assert weather["slack_limited"] > 3

    await alice.do("weather/clear")
    await alice.until(lambda: not any(alice.world["weather"].values()))
    assert not around.slack.faults.down
    assert (await alice.do("weather/cloud", fault="nosuch"))["status"] == 400


async def test_page_gauge_counts_requests_of_the_last_second(alice: Eyes) -> None:
    """The gauge shows an API's requests of the last second against its rate limit."""
    await alice.type("/stopstream live stream1")
    await alice.until(lambda: alice.world["gauges"][0]["count"] == 1)
    assert alice.world["gauges"][0] == {"api": "DropLiveStream", "count": 1, "limit": 100}
    await alice.until(lambda: alice.world["gauges"][0]["count"] == 0)


async def test_page_controls_whether_an_encoder_reconnects(page: Page, alice: Eyes) -> None:
    """An encoder can be started, and can be set to reconnect or not."""
    stream = ("stream", "stream2", DOMAIN, "live")
    thing = {"kind": "stream", "key": ["stream2", DOMAIN, "live"]}
    await alice.type("/stopstream live stream2")
    await alice.until(lambda: alice.state(*stream) == "inactive")
    await alice.do("thing", **thing, do="start")
    await alice.until(lambda: alice.state(*stream) == "active")

    await alice.do("thing", **thing, do="come-back")
    async with Eyes(page, "U0BOB") as bob:
        await bob.type("/stopstream ban stream2 for=1h")
    await alice.until(lambda: alice.state(*stream) == "forbid")
    await alice.type("/startstream live stream2")
    await alice.until(lambda: alice.state(*stream) == "active")
    await alice.do("thing", **thing, do="stay-away")
    await alice.until(
        lambda: alice.world[f"thing/stream/stream2/{DOMAIN}/live"]["returns_after"] is None
    )


# --- the policy ----------------------------------------------------------------------------


async def test_policy_editor_refuses_to_save_an_invalid_policy(
    world: tuple[Emulated, Page], alice: Eyes
) -> None:
    """An invalid policy is saved only if forced, and its problems name their lines."""
    around, _ = world
    good = around.policy.read_text()
    assert alice.world["policy"] == good
    broken = good.replace("DropLiveStream,", "DropLifeStream,")
    line = 1 + broken[: broken.index("DropLifeStream")].count("\n")

    found = await alice.do("policy/save", text=broken)
    assert not found["saved"]
    assert [one["line"] for one in found["problems"]] == [line]
    assert "DropLiveStream" in found["problems"][0]["text"], "the right word is suggested"
    assert around.policy.read_text() == good
    assert (await alice.do("policy/check", text="roles: ["))["problems"][0]["line"] > 0

    await alice.do("policy/save", text=broken, broken_too=True)
    assert around.policy.read_text() == broken
    await alice.until(lambda: alice.world["policy"] == broken)


async def test_policy_editor_saves_a_policy_the_bot_applies(
    world: tuple[Emulated, Page], alice: Eyes
) -> None:
    """A policy saved in the editor is applied by the bot to the next request."""
    around, _ = world
    text = around.policy.read_text().replace("users: [U0ALICE]", "users: []")
    assert (await alice.do("policy/save", text=text))["saved"]
    await alice.until(
        lambda: {one["name"]: one["what"] for one in alice.world["people"]}["alice"] == ["no role"]
    )
    async with asyncio.timeout(BOUND):
        number = 0
        # The bot reads the file again in its own time.
        while not alice.saying("Denied"):
            number += 1
            await alice.type(f"/stopstream live gone{number}")
            await asyncio.sleep(0.2)


async def test_policy_editor_explains_the_rule_that_decides(
    alice: Eyes,
) -> None:
    """Explain names the rule that allows a command, or why it is denied or invalid."""
    asked = {"text": alice.world["policy"], "channel": INCIDENTS}

    async def explain(user: str, words: str, **more: Any) -> dict[str, Any]:
        return await alice.do("policy/explain", **(asked | more), user=user, words=words)

    found = await explain("U0ALICE", "/stopstream live stream1")
    assert found["allowed"]
    assert "roles.oncall.allow[0]" in found["verdict"]
    assert "DropLiveStream" in found["command"]
    found = await explain("U0ALICE", "dismiss 1234 sdkappid=1400000000 region=ap-singapore")
    assert not found["allowed"]
    assert "DismissRoom" in found["verdict"]
    assert "Guests" in (await explain("U0GUEST", "live stream1"))["verdict"]
    assert "workspace" in (await explain("U0FRANK", "stop live stream1"))["verdict"]
    assert "^^^^" in (await explain("U0ALICE", "lvie stream1"))["mistake"]
    assert "not an action" in (await explain("U0ALICE", "help"))["mistake"]
    assert (await explain("U0ALICE", "live x", text="roles: {x: 1}"))["problems"]


# --- the house -------------------------------------------------------------------------------


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


async def test_page_sends_only_changed_messages(world: tuple[Emulated, Page], alice: Eyes) -> None:
    """With a thousand messages on the page, a new one is sent alone over the WebSocket."""
    around, _ = world
    for number in range(1000):
        around.slack.say(INCIDENTS, "U0BOB", f"message {number}")
    await alice.until(lambda: len(alice.messages()) == 1000)
    alice.news.clear()

    around.slack.say(INCIDENTS, "U0BOB", "one more")
    await alice.until(lambda: alice.saying("one more"))
    sent = [key for news in alice.news for key in news["set"] if key.startswith("message/")]
    assert len(sent) == 1

    around.slack.channels[INCIDENTS].messages.pop(0)
    around.slack.changed()
    await alice.until(lambda: len(alice.messages()) == 1000)


async def test_page_shows_a_killed_bot_and_restarts_it(tmp_path: Path) -> None:
    """A killed bot is shown as down, and after a restart it accepts commands again."""
    async with paged(tmp_path, limits=False) as (_, page), Eyes(page, "U0ALICE") as alice:

        def bot(state: str) -> bool:
            return bool(alice.world["bot"]["state"] == state)

        await alice.until(lambda: bot("up"))
        first = alice.world["bot"]["pid"]
        await alice.do("bot", do="kill")
        await alice.until(lambda: bot("down"))
        await alice.type("/stopstream live stream1")
        await alice.until(lambda: alice.saying("dispatch_failed"))

        await alice.do("bot", do="restart")
        await alice.until(lambda: bot("up"))
        assert alice.world["bot"]["pid"] != first
        assert alice.world["bot"]["starts"] == 2
        await alice.type("/stopstream live stream1")
        await alice.until(lambda: alice.saying("Accepted:"))
        assert [line for key, line in alice.world.items() if key.startswith("log/")]
    assert not page.bot.runs
