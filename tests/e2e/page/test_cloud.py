"""The demo's page: signatures, faults and encoders of the emulated cloud."""

from bot.cli.demo import DOMAIN, Emulated
from bot.sandbox.page.server import Page
from tests.support.page_window import Eyes


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
