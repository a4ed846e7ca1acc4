"""Every way in, from the signed request to the ack; Bolt, service and engine are the real ones."""

import asyncio
import contextlib
import hashlib
import hmac
import io
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.errors import ConfigError, DirectoryError
from bot.model.actions import Effect
from bot.model.commands import Via
from bot.model.messages import MessageKind
from bot.model.operations import State
from bot.model.people import Actor
from bot.sandbox.slack import block_kit as blockkit
from bot.sandbox.slack.form_state import entries
from bot.storage.store import Store
from bot.supervision import Supervisor
from bot.telemetry import Metrics
from handlers.app import build_app
from handlers.listeners import commands, mentions
from handlers.messages import replies as receipts
from handlers.messages import search_results as pages
from handlers.messages import views
from handlers.slack.background import BackgroundQueue
from handlers.slack.directory import Directory
from handlers.slack.transports import BODY_MOST, PATH, Socket, connect, mount, receiver
from tests.conftest import House, built
from tests.fake_slack import BOT_USER, TEAM, FakeSlack, Fault, slack

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


@dataclass
class Workspace:
    """The bot as Slack reaches it over HTTP."""

    slack: FakeSlack
    house: House
    errands: BackgroundQueue
    directory: Directory
    http: TestClient[web.Request, web.Application]

    async def send(
        self,
        body: bytes | str,
        content_type: str = "application/x-www-form-urlencoded",
        **headers: str,
    ) -> tuple[int, Any]:
        """Sign a request, send it, and give status and answer."""
        raw = body.encode() if isinstance(body, str) else body
        at = headers.pop("at", str(int(time.time())))
        signed = hmac.new(SECRET.encode(), f"v0:{at}:".encode() + raw, hashlib.sha256)
        all_headers = {
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": at,
            "X-Slack-Signature": f"v0={signed.hexdigest()}",
        } | headers
        async with self.http.post(PATH, data=io.BytesIO(raw), headers=all_headers) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text.startswith("{") else text

    async def command(self, text: str, command: str = "/stopstream", **more: str) -> Any:
        """Type a slash command; give the text of the ack."""
        given = {
            "command": command,
            "text": text,
            "trigger_id": f"trigger.{text}",
            "user_id": "U0ALICE",
            "team_id": TEAM,
            "channel_id": "C0INC",
            "response_url": self.slack.reply_url,
        } | more
        status, answer = await self.send(urlencode(given))
        assert status == 200
        assert answer["response_type"] == "ephemeral"
        return answer["text"]

    async def interact(self, payload: dict[str, Any]) -> Any:
        """Press, choose or submit something; give the answer."""
        status, answer = await self.send(urlencode({"payload": json.dumps(payload)}))
        assert status == 200
        return answer

    async def event(self, event: dict[str, Any], event_id: str = "Ev1") -> None:
        """Tell the bot of an event."""
        body = {"type": "event_callback", "event_id": event_id, "team_id": TEAM, "event": event}
        status, _ = await self.send(json.dumps(body), "application/json")
        assert status == 200

    async def settle(self) -> None:
        """Wait until all errands are run, and everything asked has ended and been told."""
        await self.errands.stop()
        for operation in await self.house.service.recent(None):
            if operation.state is not State.INVALID:
                await self.house.engine.ending(operation.id)
        await self.house.courier.drain()


@pytest.fixture
async def workspace(quick_store: Store) -> AsyncIterator[Workspace]:
    async with built(quick_store) as house, opened(house) as one:
        yield one


@contextlib.asynccontextmanager
async def opened(house: House, **limits: Any) -> AsyncIterator[Workspace]:
    async with slack() as (fake, client):
        errands = BackgroundQueue(supervisor=Supervisor(Metrics()), **limits)
        errands.start()
        directory = Directory(client, team=TEAM)
        app = build_app(
            client=client,
            identity=await connect(client),
            service=house.service,
            errands=errands,
            directory=directory,
            signing_secret=SECRET,
        )
        fake.calls.clear()
        web_app = web.Application(client_max_size=2 * BODY_MOST)
        mount(app, web_app, signing_secret=SECRET)
        async with TestClient(TestServer(web_app)) as http:
            yield Workspace(fake, house, errands, directory, http)
        await errands.stop()


# --- slash commands --------------------------------------------------------------------


async def test_a_command_is_on_the_books_before_it_is_acked(workspace: Workspace) -> None:
    text = await workspace.command("live stream1")

    assert text.startswith("Asked: DropLiveStream stream `stream1`")
    (operation,) = await workspace.house.service.recent(None)
    assert (operation.key, operation.via) == ("trigger.live stream1", Via.COMMAND)
    assert operation.place.channel == "C0INC"
    await workspace.settle()
    assert [command.action.api for command in workspace.house.cloud.sent] == ["DropLiveStream"]


async def test_each_command_has_its_verb(workspace: Workspace) -> None:
    assert "ResumeLiveStream" in await workspace.command("live one", "/startstream")
    assert "DropLiveStream" in await workspace.command("live two")


async def test_a_command_that_slack_delivers_twice_runs_once(workspace: Workspace) -> None:
    first = await workspace.command("live stream1")
    again = await workspace.command("live stream1")
    await workspace.settle()

    assert first.startswith("Asked: ")
    assert "it runs once" in again
    assert len(workspace.house.cloud.sent) == 1


async def test_an_ack_never_waits_for_slack(workspace: Workspace) -> None:
    for text in ("live stream1", "help", "lvie"):
        await workspace.command(text)

    assert workspace.slack.calls == []


async def test_a_mistake_is_marked_in_the_ack_and_nothing_is_done(workspace: Workspace) -> None:
    text = await workspace.command("lvie stream1")

    assert 'Did you mean "live"?' in text
    assert "lvie stream1\n^^^^" in text
    assert workspace.house.cloud.sent == []


async def test_text_that_holds_the_word_payload_is_a_command_like_any(
    workspace: Workspace,
) -> None:
    assert "`payload-1`" in await workspace.command("live payload-1")


@pytest.mark.parametrize("absent", ["trigger_id", "user_id", "team_id", "channel_id"])
async def test_a_command_that_lacks_what_a_run_needs_does_nothing(
    workspace: Workspace, absent: str
) -> None:
    assert await workspace.command("live stream1", **{absent: ""}) == receipts.MALFORMED
    assert await workspace.house.service.recent(None) == []


@pytest.mark.parametrize("value", [None, 1, [], {}])
def test_a_payload_of_other_types_is_no_command(value: object) -> None:
    sound = {"trigger_id": "t", "user_id": "U0", "team_id": "T0", "channel_id": "C0"}

    assert commands.invocation(sound, Effect.STOP) is not None
    for name in sound:
        assert commands.invocation(sound | {name: value}, Effect.STOP) is None


async def test_a_command_nobody_knows_gets_a_sentence(workspace: Workspace) -> None:
    assert "/stopstream help" in await workspace.command("live stream1", "/nosuch")


async def test_help_comes_with_the_ack(workspace: Workspace) -> None:
    assert "`/stopstream live" in await workspace.command("help")
    assert "DropLiveStream" in await workspace.command("help live")


async def test_whoami_comes_after_the_ack(workspace: Workspace) -> None:
    assert "One moment" in await workspace.command("whoami")
    await workspace.settle()

    (reply,) = workspace.slack.replies
    assert "in the roles `oncall`" in reply["text"]


async def test_the_trail_is_read_after_the_ack(workspace: Workspace) -> None:
    await workspace.command("live stream1")
    await workspace.command("audit since=1h")
    await workspace.errands.stop()

    (reply,) = workspace.slack.replies
    assert "DropLiveStream" in reply["text"]


async def test_when_slack_does_not_say_who_someone_is_they_hear_it(workspace: Workspace) -> None:
    workspace.house.directory.people.clear()
    await workspace.command("whoami")
    await workspace.settle()

    (reply,) = workspace.slack.replies
    assert "could not be looked up" in reply["text"]


async def test_an_alone_standing_command_opens_the_form(workspace: Workspace) -> None:
    assert await workspace.command("", trigger_id="trigger.1") == "The form opens now."
    await workspace.errands.stop()

    (opened_,) = workspace.slack.asked("views.open")
    assert opened_["trigger_id"] == "trigger.1"
    view = json.loads(opened_["view"]) if isinstance(opened_["view"], str) else opened_["view"]
    assert blockkit.view_problems(view) == []
    place = views.FormPlace(Effect.STOP, "C0INC")
    assert views.unpacked(view["private_metadata"]) == place


async def test_a_form_that_comes_too_late_is_said(workspace: Workspace) -> None:
    workspace.slack.fails("views.open", Fault("expired_trigger_id"))
    await workspace.command("")
    await workspace.errands.stop()

    (reply,) = workspace.slack.replies
    assert "could not be opened" in reply["text"]


async def test_when_too_much_waits_the_ack_says_so(quick_store: Store) -> None:
    async with built(quick_store) as house, opened(house, workers=1, most=1) as workspace:
        gate = asyncio.Event()
        workspace.errands.take("blocks the worker", gate.wait)
        await asyncio.sleep(0)
        workspace.errands.take("fills the queue", gate.wait)

        assert "Too much is asked" in await workspace.command("whoami")
        assert (await workspace.command("live stream1")).startswith("Asked: ")
        gate.set()


async def test_a_database_that_is_broken_is_said_with_the_ack(
    workspace: Workspace, tmp_path: Path
) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "quick.db")) as connection:
        connection.execute("DROP TABLE operations")

    text = await workspace.command("live stream1")

    assert text.startswith("Nothing was sent")
    assert workspace.house.cloud.sent == []


# --- mentions --------------------------------------------------------------------------


def mention(text: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "app_mention",
        "user": "U0ALICE",
        "text": f"<@{BOT_USER}> {text}",
        "channel": "C0INC",
        "ts": "1700000000.000100",
        "team": TEAM,
    } | more


async def test_a_mention_is_answered_in_its_thread(workspace: Workspace) -> None:
    await workspace.event(mention("stop live stream1", thread_ts="1600000000.000100"))
    await workspace.settle()

    (card,) = workspace.house.desk.said(MessageKind.CARD)[:1]
    assert card.operation.place.thread_ts == "1600000000.000100"
    assert card.operation.via is Via.MENTION
    assert [command.action.api for command in workspace.house.cloud.sent] == ["DropLiveStream"]


async def test_a_mention_outside_a_thread_begins_one(workspace: Workspace) -> None:
    await workspace.event(mention("stop live stream1"))

    (operation,) = await workspace.house.service.recent(None)
    assert operation.place.thread_ts == "1700000000.000100"


async def test_a_mention_that_slack_delivers_twice_runs_once(workspace: Workspace) -> None:
    for _ in range(3):
        await workspace.event(mention("stop live stream1"))
    await workspace.settle()

    assert len(workspace.house.cloud.sent) == 1


@pytest.mark.parametrize("thread", ["", "1700000000.000100"])
async def test_a_mistaken_mention_is_told_the_asker_alone_where_it_is_seen(
    workspace: Workspace, thread: str
) -> None:
    workspace.slack.threads.add(thread)
    await workspace.event(mention("stop lvie stream1"))
    await workspace.errands.stop()

    (whisper,) = workspace.slack.asked("chat.postEphemeral")
    assert (whisper["user"], whisper.get("thread_ts", "")) == ("U0ALICE", thread)
    assert 'Did you mean "live"?' in whisper["text"]


@pytest.mark.parametrize(
    ("text", "said"), [("", "@stopstream stop live"), ("stop", "fill in the form")]
)
async def test_a_mention_that_says_nothing_gets_help_or_a_button(
    workspace: Workspace, text: str, said: str
) -> None:
    await workspace.event(mention(text))
    await workspace.errands.stop()

    (whisper,) = workspace.slack.asked("chat.postEphemeral")
    assert said in whisper["text"]


async def test_whoami_works_in_a_thread(workspace: Workspace) -> None:
    await workspace.event(mention("whoami"))
    await workspace.errands.stop()

    (whisper,) = workspace.slack.asked("chat.postEphemeral")
    assert "in the roles `oncall`" in whisper["text"]


@pytest.mark.parametrize("more", [{"bot_id": "B0OTHER"}, {"subtype": "bot_message"}])
async def test_what_bots_write_is_not_read(workspace: Workspace, more: dict[str, Any]) -> None:
    await workspace.event(mention("stop live stream1", **more))
    await workspace.errands.stop()

    assert await workspace.house.service.recent(None) == []
    assert workspace.slack.calls == []


async def test_the_bots_own_mention_of_itself_is_not_read(workspace: Workspace) -> None:
    await workspace.event(mention("stop live stream1", user=BOT_USER))

    assert await workspace.house.service.recent(None) == []


async def test_an_edited_mention_does_not_run_again(workspace: Workspace) -> None:
    await workspace.event(mention("stop live stream1", edited={"user": "U0ALICE", "ts": "1"}))
    await workspace.errands.stop()

    assert await workspace.house.service.recent(None) == []
    (whisper,) = workspace.slack.asked("chat.postEphemeral")
    assert "not read again" in whisper["text"]


@pytest.mark.parametrize("absent", ["user", "channel", "ts"])
async def test_a_mention_that_lacks_what_a_run_needs_does_nothing(
    workspace: Workspace, absent: str
) -> None:
    await workspace.event(mention("stop live stream1", **{absent: None}))

    assert await workspace.house.service.recent(None) == []


def test_only_the_bots_own_mention_is_taken_out_of_the_text() -> None:
    text = f"<@{BOT_USER}|stopstream>  stop live <@U0BOB>"
    body = {"event_id": "Ev1", "team_id": TEAM, "event": mention("") | {"text": text}}

    found = mentions.invocation(body, BOT_USER)

    assert found is not None
    assert found.text == "stop live <@U0BOB>"
    assert found.actor == Actor(TEAM, "U0ALICE")


# --- the form --------------------------------------------------------------------------


def submission(api: str = "DropLiveStream", place: str = "C0INC", **fields: str) -> dict[str, Any]:
    choice = {views.CHOOSE: {"selected_option": {"value": api}}}
    values: dict[str, Any] = {views.ACTION_BLOCK: choice}
    for name, value in fields.items():
        values[f"param:{name}"] = {views.VALUE: {"type": "plain_text_input", "value": value}}
    return {
        "type": "view_submission",
        "trigger_id": "trigger.form",
        "user": {"id": "U0ALICE", "team_id": TEAM},
        "team": {"id": TEAM},
        "view": {
            "id": "V1",
            "type": "modal",
            "callback_id": views.FORM,
            "private_metadata": views.packed(views.FormPlace(Effect.STOP, place)),
            "state": {"values": values},
        },
    }


async def test_a_form_asks_what_it_says(workspace: Workspace) -> None:
    name = 'a <b> & "c" d=e'

    assert await workspace.interact(submission(StreamName=name, DomainName="")) == ""

    (operation,) = await workspace.house.service.recent(None)
    assert operation.params["StreamName"] == name
    assert operation.params["DomainName"] == "push.example.com"
    assert (operation.via, operation.key) == (Via.FORM, "trigger.form")


async def test_a_mistake_in_a_form_is_shown_at_its_field(workspace: Workspace) -> None:
    answer = await workspace.interact(submission(StreamName="s1", DomainName="no domain"))

    assert answer["response_action"] == "errors"
    assert list(answer["errors"]) == ["param:DomainName"]


async def test_a_field_that_was_left_empty_is_the_one_that_is_marked(
    workspace: Workspace,
) -> None:
    answer = await workspace.interact(submission(StreamName="  "))

    assert list(answer["errors"]) == ["param:StreamName"]


async def test_a_mistake_beside_odd_signs_is_still_shown_at_its_field(
    workspace: Workspace,
) -> None:
    form = submission("StopLiveRecord", StreamName="a & <b>", TaskId="many")

    assert list((await workspace.interact(form))["errors"]) == ["param:TaskId"]


async def test_of_two_empty_fields_the_missing_one_is_marked(workspace: Workspace) -> None:
    form = submission("ForbidLiveStream", Reason="", StreamName="")

    assert list((await workspace.interact(form))["errors"]) == ["param:StreamName"]


@pytest.mark.parametrize("reason", ["a\u200b b", "token=5ECRE7 again", "txSecret=5ECRE7"])
async def test_a_mistake_after_a_key_is_still_shown_at_its_field(
    workspace: Workspace, reason: str
) -> None:
    stream = "rtmp://push.example.com/live/s1?txSecret=5ECRE7"
    form = submission("ForbidLiveStream", StreamName=stream, Reason=reason, ResumeTime="soon")
    answer = await workspace.interact(form)

    assert list(answer["errors"]) == ["param:ResumeTime"]
    assert "5ECRE7" not in str(answer)


async def test_what_is_too_long_in_all_is_shown_at_the_longest_field(workspace: Workspace) -> None:
    long = {"StreamName": "s" * 1000, "AppName": "a" * 1000, "Reason": "r" * 2040}
    answer = await workspace.interact(submission("ForbidLiveStream", **long))

    assert list(answer["errors"]) == ["param:Reason"]


@pytest.mark.parametrize(
    ("address", "domain", "app"),
    [
        ("rtmp://p.example.com/vip/s1?txSecret=5ECRE7", "p.example.com", "vip"),
        ("p.example.com/vip/s1", "p.example.com", "vip"),
        ("http://play.example.com/vip/s1.flv", "push.example.com", "vip"),
    ],
)
async def test_an_address_wins_over_what_the_form_filled_in(
    workspace: Workspace, address: str, domain: str, app: str
) -> None:
    place = views.FormPlace(Effect.STOP, "C0INC")
    view = views.form(place, workspace.house.service.vocabulary, "DropLiveStream")
    form = submission(StreamName=address)
    form["view"]["state"]["values"] = entries(view, {}) | {
        "param:StreamName": form["view"]["state"]["values"]["param:StreamName"]
    }

    assert await workspace.interact(form) == ""
    (operation,) = await workspace.house.service.recent(None)
    wanted = {"StreamName": "s1", "DomainName": domain, "AppName": app}
    assert operation.params == wanted


async def test_an_address_does_not_win_over_what_somebody_typed(workspace: Workspace) -> None:
    form = submission(StreamName="rtmp://p.example.com/live/s1", DomainName="push.example.com")

    answer = await workspace.interact(form)
    assert list(answer["errors"]) == ["param:DomainName"]
    assert "which one?" in str(answer)


async def test_a_form_can_be_sent_again_after_its_mistake(workspace: Workspace) -> None:
    await workspace.interact(submission(StreamName=""))
    mended = submission(StreamName="s1") | {"trigger_id": "trigger.form2"}

    assert await workspace.interact(mended) == ""
    states = {operation.state for operation in await workspace.house.service.recent(None)}
    assert len(states) == 2


async def test_a_form_from_the_home_tab_says_its_channel(workspace: Workspace) -> None:
    form = submission(place="", StreamName="s1")
    channel = {views.VALUE: {"selected_conversation": "C0INC"}}
    form["view"]["state"]["values"][views.CHANNEL_BLOCK] = channel

    await workspace.interact(form)

    (operation,) = await workspace.house.service.recent(None)
    assert operation.place.channel == "C0INC"


_VIEW = {"type": "modal", "callback_id": views.FORM}


@pytest.mark.parametrize(
    "broken",
    [
        {"trigger_id": None},
        {"user": {}},
        {"user": "U0ALICE"},
        {"view": {**_VIEW, "private_metadata": "{"}},
        {"view": {**_VIEW, "private_metadata": '["stop","",""]', "state": []}},
    ],
)
async def test_a_malformed_form_gets_a_sentence_and_does_nothing(
    workspace: Workspace, broken: dict[str, Any]
) -> None:
    answer = await workspace.interact(submission(StreamName="s1") | broken)

    assert answer["response_action"] == "errors"
    assert await workspace.house.service.recent(None) == []


async def test_the_fields_follow_the_chosen_action(workspace: Workspace) -> None:
    chosen = submission()
    await workspace.interact(
        {
            **chosen,
            "type": "block_actions",
            "view": chosen["view"] | {"hash": "h1"},
            "actions": [
                {
                    "action_id": views.CHOOSE,
                    "block_id": views.ACTION_BLOCK,
                    "type": "static_select",
                    "selected_option": {"value": "StopStreamIngest"},
                }
            ],
        }
    )
    await workspace.errands.stop()

    (update,) = workspace.slack.asked("views.update")
    assert (update["view_id"], update["hash"]) == ("V1", "h1")
    view = json.loads(update["view"]) if isinstance(update["view"], str) else update["view"]
    assert views.REGION_BLOCK in {block.get("block_id") for block in view["blocks"]}


async def test_a_button_opens_the_form_of_its_verb(workspace: Workspace) -> None:
    await workspace.interact(
        {
            "type": "block_actions",
            "trigger_id": "trigger.button",
            "user": {"id": "U0ALICE", "team_id": TEAM},
            "container": {"type": "message", "channel_id": "C0INC", "thread_ts": "1.5"},
            "response_url": workspace.slack.reply_url,
            "actions": [
                {"action_id": f"{receipts.OPEN_FORM}:start", "value": "start", "type": "button"}
            ],
        }
    )
    await workspace.errands.stop()

    (opened_,) = workspace.slack.asked("views.open")
    view = json.loads(opened_["view"]) if isinstance(opened_["view"], str) else opened_["view"]
    assert views.unpacked(view["private_metadata"]) == views.FormPlace(Effect.START, "C0INC", "1.5")


@pytest.mark.parametrize("known", [True, False])
async def test_the_form_opens_for_nobody_else_than_members(
    workspace: Workspace, known: bool
) -> None:
    people = workspace.house.directory.people
    if known:
        people["U0ALICE"] = replace(people["U0ALICE"], guest=True)
    else:
        people.clear()
    assert await workspace.command("") == "The form opens now."
    await workspace.interact(
        {
            "type": "shortcut",
            "callback_id": "open_form",
            "trigger_id": "trigger.shortcut",
            "user": {"id": "U0ALICE", "team_id": TEAM},
        }
    )
    await workspace.errands.stop()

    said = "Guests have no role" if known else "Slack did not say who you are."
    assert workspace.slack.asked("views.open") == []
    assert said in workspace.slack.replies[0]["text"]
    (direct,) = workspace.slack.asked("chat.postMessage")
    assert direct["channel"] == "U0ALICE"
    assert said in direct["text"]


async def test_a_press_in_a_thread_is_answered_there_not_in_the_channel(
    workspace: Workspace,
) -> None:
    workspace.slack.threads.add("1.5")
    await workspace.interact(
        {
            "type": "block_actions",
            "trigger_id": "trigger.odd",
            "user": {"id": "U0ALICE", "team_id": TEAM},
            "container": {"type": "message", "channel_id": "C0INC", "thread_ts": "1.5"},
            "response_url": workspace.slack.reply_url,
            "actions": [{"action_id": pages.OLDER, "value": "odd", "type": "button"}],
        }
    )
    await workspace.errands.stop()

    (whisper,) = workspace.slack.asked("chat.postEphemeral")
    assert whisper["thread_ts"] == "1.5"
    assert workspace.slack.replies == []


# --- the home tab, memberships ------------------------------------------------------------


async def test_the_home_tab_is_drawn_when_it_is_opened(workspace: Workspace) -> None:
    await workspace.command("live stream1")
    await workspace.event({"type": "app_home_opened", "user": "U0ALICE", "tab": "home"})
    await workspace.errands.stop()

    (published,) = workspace.slack.asked("views.publish")
    assert published["user_id"] == "U0ALICE"
    assert "DropLiveStream" in str(published["view"])


async def test_without_roles_the_home_tab_says_that_they_could_not_be_read(
    workspace: Workspace,
) -> None:
    workspace.house.directory.people.clear()
    await workspace.event({"type": "app_home_opened", "user": "U0ALICE", "tab": "home"})
    await workspace.errands.stop()

    (published,) = workspace.slack.asked("views.publish")
    assert "could not be read" in str(published["view"])


async def test_the_messages_tab_is_not_drawn(workspace: Workspace) -> None:
    await workspace.event({"type": "app_home_opened", "user": "U0ALICE", "tab": "messages"})
    await workspace.errands.stop()

    assert workspace.slack.calls == []


async def test_a_change_of_a_user_group_counts_at_once(workspace: Workspace) -> None:
    workspace.slack.groups = {"S0ONCALL": ["U0ALICE"]}
    among = frozenset({"S0ONCALL"})
    assert await workspace.directory.groups("U0ALICE", among) == among
    workspace.slack.groups = {"S0ONCALL": []}

    await workspace.event({"type": "subteam_members_changed", "subteam_id": "S0ONCALL"})

    assert await workspace.directory.groups("U0ALICE", among) == frozenset()


# --- what is malformed -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"at": "abc"}, 401),
        ({"at": "1e9"}, 401),
        ({"at": "9" * 5000}, 401),
        ({"at": ""}, 401),
        ({"at": str(int(time.time()) - 400)}, 401),
        ({"X-Slack-Signature": "v0=wrong"}, 401),
        ({"X-Slack-Signature": "v0=ü"}, 401),
        ({"X-Slack-Signature": ""}, 401),
    ],
)
async def test_what_is_not_signed_is_refused(
    workspace: Workspace, headers: dict[str, str], status: int
) -> None:
    given = {"command": "/stopstream", "text": "live stream1", "trigger_id": "t"}

    assert (await workspace.send(urlencode(given), **headers))[0] == status
    assert await workspace.house.service.recent(None) == []


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("{", "application/json"),
        ("[1]", "application/json"),
        ("null", "application/json"),
        ("[" * 100_000, "application/json"),
        ('{"event": "x"}', "application/json"),
        ('{"authorizations": [1], "event": {}}', "application/json"),
        ('{"type": "event_callback", "event": {}}', "application/json"),
        ('{"type": "view_submission", "view": null}', "application/json"),
        ('{"command": {"a": 1}}', "application/json"),
        ("payload={", "application/x-www-form-urlencoded"),
        ("payload=[]", "application/x-www-form-urlencoded"),
        (
            urlencode({"payload": '{"type": "block_actions", "actions": "x"}'}),
            "application/x-www-form-urlencoded",
        ),
    ],
)
async def test_a_malformed_body_is_one_line_and_not_a_fault(
    workspace: Workspace, body: str, content_type: str
) -> None:
    status, answer = await workspace.send(body, content_type)

    assert status == 400
    assert answer.count("\n") == 1


async def test_a_body_that_is_no_text_is_refused(workspace: Workspace) -> None:
    assert (await workspace.send(b"\xff\xfe"))[0] == 401


async def test_a_body_that_is_too_large_is_refused(workspace: Workspace) -> None:
    assert (await workspace.send("x" * (BODY_MOST + 1)))[0] == 413


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": "event_callback", "event": {}},
        {"type": "event_callback", "event": {"type": "app_mention"}},
        {"type": "event_callback", "event": {"type": "unheard_of"}, "event_id": "Ev1"},
        {"type": "event_callback", "event": {"type": 1}},
        {"type": "block_actions", "actions": []},
        {"type": "block_actions", "actions": [{}]},
        {"type": "block_actions", "actions": [{"action_id": 1}], "user": None},
        {"type": "view_submission", "view": {"callback_id": "unheard-of"}},
        {"type": "view_submission", "view": None},
        {"type": ["odd"]},
        {"team": {"id": 1}, "user": [], "type": "shortcut", "callback_id": "x"},
        {"command": {"a": 1}},
        {"command": "/stopstream", "trigger_id": ["x"], "user_id": 5},
    ],
)
async def test_odd_payloads_end_as_an_answer_and_never_as_a_server_fault(
    workspace: Workspace, body: dict[str, Any]
) -> None:
    status, _ = await workspace.send(json.dumps(body), "application/json")

    assert status in (200, 400)
    assert await workspace.house.service.recent(None) == []


async def test_slacks_challenge_is_answered(workspace: Workspace) -> None:
    body = {"type": "url_verification", "challenge": "abc"}

    status, answer = await workspace.send(json.dumps(body), "application/json")

    assert (status, answer) == (200, {"challenge": "abc"})


async def test_only_posts_are_taken(workspace: Workspace) -> None:
    async with workspace.http.get(PATH) as answer:
        assert answer.status == 405


def test_without_a_secret_nothing_can_be_received() -> None:
    with pytest.raises(ValueError, match="signing_secret"):
        receiver(None, signing_secret="")  # type: ignore[arg-type] # it is not asked


async def test_a_fault_of_ours_has_a_number_and_claims_nothing(workspace: Workspace) -> None:
    workspace.house.rules.clear()

    text = await workspace.command("live stream1")

    assert "fault " in text
    assert "If no card appears, nothing was sent" in text


# --- errands -----------------------------------------------------------------------------


async def test_a_failing_errand_stops_no_worker_and_has_a_number() -> None:
    errands = BackgroundQueue(supervisor=Supervisor(Metrics()), workers=1)
    done: list[str] = []

    async def broken() -> None:
        raise ZeroDivisionError

    async def sorry(fault: str) -> None:
        done.append(fault)
        raise ZeroDivisionError

    async def fine() -> None:
        done.append("fine")

    errands.start()
    assert errands.take("broken", broken, sorry)
    assert errands.take("fine", fine)
    await errands.stop()

    assert len(done[0]) == 8
    assert done[1:] == ["fine"]


async def test_an_errand_that_takes_too_long_is_given_up() -> None:
    errands = BackgroundQueue(supervisor=Supervisor(Metrics()), workers=1, patience=0.01)
    done: list[str] = []

    async def endless() -> None:
        await asyncio.Event().wait()

    async def sorry(fault: str) -> None:
        done.append(fault)

    errands.start()
    errands.take("endless", endless, sorry)
    await errands.stop()

    assert len(done) == 1


# --- the bot itself, Socket Mode -------------------------------------------------------------


async def test_the_bot_finds_out_who_it_is() -> None:
    async with slack() as (_, client):
        identity = await connect(client)

    assert (identity.team, identity.user, identity.bot) == (TEAM, BOT_USER, "B0BOT")
    assert identity.scopes == {"chat:write", "commands"}


@pytest.mark.parametrize("code", ["invalid_auth", "account_inactive", "token_revoked"])
async def test_a_token_that_slack_does_not_take_is_named(code: str) -> None:
    async with slack() as (fake, client):
        fake.fails("auth.test", Fault(code))

        with pytest.raises(ConfigError, match=f"SLACK_BOT_TOKEN: .*{code}"):
            await connect(client)


async def test_a_silent_slack_is_no_fault_of_the_configuration() -> None:
    async with slack() as (fake, client):
        fake.fails("auth.test", Fault("internal_error"))

        with pytest.raises(DirectoryError):
            await connect(client)


class Line:
    """Slack's end of Socket Mode."""

    def __init__(self) -> None:
        self.acks: list[dict[str, Any]] = []
        self.open: list[web.WebSocketResponse] = []

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.open.append(socket)
        await socket.send_json({"type": "hello", "num_connections": len(self.open)})
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                self.acks.append(message.json())
        self.open.remove(socket)
        return socket

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 (what is waited for is on the other end)
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def on_socket(
    house: House, ping: float = 0.1
) -> AsyncIterator[tuple[Socket, Line, FakeSlack]]:
    line = Line()
    web_app = web.Application()
    web_app.router.add_get("/link", line.serve)
    async with TestServer(web_app) as server, slack() as (fake, client):
        url = str(server.make_url("/link")).replace("http", "ws")
        fake.links = url
        errands = BackgroundQueue(supervisor=Supervisor(Metrics()))
        errands.start()
        app = build_app(
            client=client,
            identity=await connect(client),
            service=house.service,
            errands=errands,
            directory=Directory(client, team=TEAM),
        )
        socket = Socket(app, "xapp-made-up", supervisor=Supervisor(Metrics()), ping=ping, watch=0.1)
        try:
            yield socket, line, fake
        finally:
            await socket.close()
            await errands.stop()


def envelope(text: str) -> dict[str, Any]:
    payload = {
        "command": "/stopstream",
        "text": text,
        "trigger_id": f"trigger.{text}",
        "user_id": "U0ALICE",
        "team_id": TEAM,
        "channel_id": "C0INC",
    }
    return {
        "type": "slash_commands",
        "envelope_id": f"envelope {text}",
        "payload": payload,
        "accepts_response_payload": True,
    }


async def test_commands_come_over_every_socket(house: House) -> None:
    async with on_socket(house) as (socket, line, _):
        before = socket.healthy
        await socket.start(connections=2)
        await line.until(lambda: len(line.open) == 2)
        assert (before, socket.healthy) == (False, True)

        for number, one in enumerate(line.open):
            await one.send_json(envelope(f"live stream{number}"))
        await line.until(lambda: len(line.acks) == 2)

        said = sorted(ack["payload"]["text"] for ack in line.acks)
        assert "`stream0`" in said[0]
        assert "`stream1`" in said[1]


async def test_a_socket_that_breaks_is_opened_again(house: House) -> None:
    async with on_socket(house) as (socket, line, _):
        await socket.start(connections=1)
        await line.until(lambda: line.open)
        first = line.open[0]

        await first.close()
        await line.until(lambda: line.open and line.open[0] is not first)
        await line.open[0].send_json(envelope("live stream1"))
        await line.until(lambda: line.acks)

        assert socket.healthy


async def test_a_socket_that_stays_dead_is_replaced(house: House) -> None:
    async with on_socket(house) as (socket, line, fake):
        await socket.start(connections=1)
        await line.until(lambda: line.open)
        there, fake.links = fake.links, "ws://127.0.0.1:9/link"

        await line.open[0].close()
        await line.until(lambda: not socket.healthy)
        await line.until(lambda: fake.methods().count("apps.connections.open") > 4)
        fake.links = there

        await line.until(lambda: socket.healthy)


@pytest.mark.parametrize("odd", ["x", "{", "[]", '{"type": "slash_commands"}', "{}"])
async def test_odd_envelopes_break_no_socket(house: House, odd: str) -> None:
    async with on_socket(house, ping=5.0) as (socket, line, _):
        await socket.start(connections=1)
        await line.until(lambda: line.open)

        await line.open[0].send_str(odd)
        await line.open[0].send_json(envelope("live stream1"))
        await line.until(lambda: line.acks)

        assert "`stream1`" in line.acks[0]["payload"]["text"]


async def test_an_app_token_that_slack_does_not_take_is_named(house: House) -> None:
    async with on_socket(house) as (socket, _, fake):
        fake.fails("apps.connections.open", Fault("invalid_auth"))

        with pytest.raises(ConfigError, match=r"SLACK_APP_TOKEN: .*invalid_auth"):
            await socket.start()
