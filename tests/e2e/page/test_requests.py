"""The demo's page: requests, forms and messages, as each window sees them."""

from pathlib import Path
from typing import Any

import pytest

from bot.cli.demo import AUDIT, DOMAIN, INCIDENTS, Emulated, paged
from bot.sandbox.page.server import Page
from tests.support.page_window import Eyes


async def test_page_pushes_a_request_to_every_window(page: Page, alice: Eyes) -> None:
    """A stop appears live in each window, limited to the channels its user is in."""
    async with Eyes(page, "U0BOB") as bob:
        answer = await alice.type("/stopstream live stream1")
        assert answer["ok"]
        for eyes in (alice, bob):
            _, ending = await eyes.until(eyes.answered)
            request = (await eyes.until(eyes.requests))[0]
            assert request["request_id"] in ending[0]["text"]
            # No look at the state here: on a slow machine the encoder may be back already.
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
    await alice.until(lambda: alice.saying("Stop sent: "))
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


async def test_page_lists_people_with_their_roles(alice: Eyes) -> None:
    """The list of people shows each one's roles, or that they are a guest or external."""
    what = {one["name"]: one["what"] for one in alice.world["people"]}
    assert what["alice"] == ["oncall"]
    assert what["bob"] == ["leads"]
    assert what["audrey"] == ["auditors"]
    assert what["gus"] == ["guest"]
    assert what["frank"] == ["of another workspace"]
    assert what["mallory"] == ["no role"]


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("U0GUEST", "Guests may not use this bot."),
        ("U0FRANK", "Only users of this workspace may use this bot."),
        ("U0AUDRY", "Denied"),
    ],
)
async def test_page_shows_only_what_the_selected_user_sees(
    alice: Eyes, user: str, said: str
) -> None:
    """After a change of user, the window hides the ephemeral messages of the previous one."""
    await alice.type("/stopstream live stream1")
    await alice.type("/stopstream help")
    await alice.until(lambda: alice.saying("RequestId"))
    await alice.until(lambda: [m for m in alice.messages() if m["to"]])

    await alice.become(user)
    assert [m for m in alice.messages() if m["to"]] == []
    await alice.type("/stopstream live stream2")
    await alice.until(lambda: alice.saying(said))
    assert len(alice.requests()) == 1


async def test_page_refuses_a_message_to_a_channel_without_user(alice: Eyes) -> None:
    """A message to a channel that the user is not in gets status 400."""
    found = await alice.type("/stopstream live stream1", AUDIT)
    assert found["status"] == 400
    assert "not in it" in found["trouble"]


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


async def typed_until_accepted(alice: Eyes) -> None:
    """Type a command as people do: once more where Slack says that the app did not answer."""

    def unanswered() -> int:
        return len([*alice.saying("dispatch_failed"), *alice.saying("operation_timeout")])

    async def answered(missed: int) -> bool:
        await alice.type("/stopstream live stream1")
        await alice.until(lambda: alice.saying("RequestId") or unanswered() > missed)
        return bool(alice.saying("RequestId"))

    while not await answered(unanswered()):
        pass


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
        await typed_until_accepted(alice)
        assert [line for key, line in alice.world.items() if key.startswith("log/")]
    assert not page.bot.runs
