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
from handlers.messages import replies, search_results, views
from handlers.slack.background import BackgroundQueue
from handlers.slack.directory import Directory
from handlers.slack.transports import BODY_MOST, PATH, Socket, connect, receiver
from tests.conftest import House, built
from tests.support.fake_slack import BOT_USER, TEAM, FakeSlack, Fault, slack

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
        for operation in await self.house.service.queries.recent(None):
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
        web_app.router.add_post(PATH, receiver(app, signing_secret=SECRET))
        async with TestClient(TestServer(web_app)) as http:
            yield Workspace(fake, house, errands, directory, http)
        await errands.stop()


# --- slash commands --------------------------------------------------------------------


async def test_slash_command_is_stored_before_ack(workspace: Workspace) -> None:
    """A slash command is stored before it is acknowledged, then sent to Tencent Cloud."""
    text = await workspace.command("live stream1")

    assert text.startswith("Asked: DropLiveStream stream `stream1`")
    (operation,) = await workspace.house.service.queries.recent(None)
    assert (operation.key, operation.via) == ("trigger.live stream1", Via.COMMAND)
    assert operation.place.channel == "C0INC"
    await workspace.settle()
    assert [command.action.api for command in workspace.house.cloud.sent] == ["DropLiveStream"]


async def test_slash_command_selects_start_or_stop(workspace: Workspace) -> None:
    """The same text resumes a stream under /startstream and drops it under /stopstream."""
    assert "ResumeLiveStream" in await workspace.command("live one", "/startstream")
    assert "DropLiveStream" in await workspace.command("live two")


async def test_slash_command_runs_once_when_redelivered(workspace: Workspace) -> None:
    """A slash command that Slack delivers twice is run once."""
    first = await workspace.command("live stream1")
    again = await workspace.command("live stream1")
    await workspace.settle()

    assert first.startswith("Asked: ")
    assert "it runs once" in again
    assert len(workspace.house.cloud.sent) == 1


async def test_ack_makes_no_slack_api_call(workspace: Workspace) -> None:
    """A slash command is acknowledged without any call to the Slack API."""
    for text in ("live stream1", "help", "lvie"):
        await workspace.command(text)

    assert workspace.slack.calls == []


async def test_slash_command_reports_parse_error_in_ack(workspace: Workspace) -> None:
    """A parse error is marked in the acknowledgement and nothing is sent."""
    text = await workspace.command("lvie stream1")

    assert 'Did you mean "live"?' in text
    assert "lvie stream1\n^^^^" in text
    assert workspace.house.cloud.sent == []


async def test_slash_command_accepts_the_word_payload(
    workspace: Workspace,
) -> None:
    """A slash command whose text contains the word payload is parsed as usual."""
    assert "`payload-1`" in await workspace.command("live payload-1")


@pytest.mark.parametrize("absent", ["trigger_id", "user_id", "team_id", "channel_id"])
async def test_slash_command_rejects_missing_fields(workspace: Workspace, absent: str) -> None:
    """A slash command without trigger, user, team or channel is rejected and not stored."""
    assert await workspace.command("live stream1", **{absent: ""}) == replies.MALFORMED
    assert await workspace.house.service.queries.recent(None) == []


@pytest.mark.parametrize("value", [None, 1, [], {}])
def test_slash_command_rejects_wrong_field_types(value: object) -> None:
    """A slash command payload with a field of the wrong type yields no invocation."""
    sound = {"trigger_id": "t", "user_id": "U0", "team_id": "T0", "channel_id": "C0"}

    assert commands.invocation(sound, Effect.STOP) is not None
    for name in sound:
        assert commands.invocation(sound | {name: value}, Effect.STOP) is None


async def test_slash_command_unknown_points_to_help(workspace: Workspace) -> None:
    """An unknown slash command is answered with a pointer to /stopstream help."""
    assert "/stopstream help" in await workspace.command("live stream1", "/nosuch")


async def test_help_is_returned_in_ack(workspace: Workspace) -> None:
    """Help is returned in the acknowledgement itself."""
    assert "`/stopstream live" in await workspace.command("help")
    assert "DropLiveStream" in await workspace.command("help live")


async def test_whoami_replies_after_ack(workspace: Workspace) -> None:
    """Whoami is answered through the response URL after the acknowledgement."""
    assert "One moment" in await workspace.command("whoami")
    await workspace.settle()

    (reply,) = workspace.slack.replies
    assert "in the roles `oncall`" in reply["text"]


async def test_audit_search_replies_after_ack(workspace: Workspace) -> None:
    """An audit search is answered through the response URL after the acknowledgement."""
    await workspace.command("live stream1")
    await workspace.command("audit since=1h")
    await workspace.errands.stop()

    (reply,) = workspace.slack.replies
    assert "DropLiveStream" in reply["text"]


async def test_whoami_reports_failed_user_lookup(workspace: Workspace) -> None:
    """Whoami reports when the user could not be looked up in Slack."""
    workspace.house.directory.people.clear()
    await workspace.command("whoami")
    await workspace.settle()

    (reply,) = workspace.slack.replies
    assert "could not be looked up" in reply["text"]


async def test_form_opens_for_bare_slash_command(workspace: Workspace) -> None:
    """A slash command without text opens the form for its verb and channel."""
    assert await workspace.command("", trigger_id="trigger.1") == "The form opens now."
    await workspace.errands.stop()

    (opened_,) = workspace.slack.asked("views.open")
    assert opened_["trigger_id"] == "trigger.1"
    view = json.loads(opened_["view"]) if isinstance(opened_["view"], str) else opened_["view"]
    assert blockkit.view_problems(view) == []
    place = views.FormPlace(Effect.STOP, "C0INC")
    assert views.decode_place(view["private_metadata"]) == place


async def test_form_reports_expired_trigger(workspace: Workspace) -> None:
    """A form that an expired trigger cannot open is reported through the response URL."""
    workspace.slack.fails("views.open", Fault("expired_trigger_id"))
    await workspace.command("")
    await workspace.errands.stop()

    (reply,) = workspace.slack.replies
    assert "could not be opened" in reply["text"]


async def test_background_queue_full_is_reported_in_ack(quick_store: Store) -> None:
    """A full background queue is reported in the acknowledgement; stop commands still pass."""
    async with built(quick_store) as house, opened(house, workers=1, most=1) as workspace:
        gate = asyncio.Event()
        workspace.errands.take("blocks the worker", gate.wait)
        await asyncio.sleep(0)
        workspace.errands.take("fills the queue", gate.wait)

        assert "Too much is asked" in await workspace.command("whoami")
        assert (await workspace.command("live stream1")).startswith("Asked: ")
        gate.set()


async def test_database_failure_is_reported_in_ack(workspace: Workspace, tmp_path: Path) -> None:
    """A broken database is reported in the acknowledgement and nothing is sent."""
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


async def test_mention_is_answered_in_its_thread(workspace: Workspace) -> None:
    """A mention in a thread is carried out, and its card belongs to that thread."""
    await workspace.event(mention("stop live stream1", thread_ts="1600000000.000100"))
    await workspace.settle()

    (card,) = workspace.house.desk.said(MessageKind.CARD)[:1]
    assert card.operation.place.thread_ts == "1600000000.000100"
    assert card.operation.via is Via.MENTION
    assert [command.action.api for command in workspace.house.cloud.sent] == ["DropLiveStream"]


async def test_mention_outside_thread_starts_one(workspace: Workspace) -> None:
    """A mention outside a thread starts a thread under its own message."""
    await workspace.event(mention("stop live stream1"))

    (operation,) = await workspace.house.service.queries.recent(None)
    assert operation.place.thread_ts == "1700000000.000100"


async def test_mention_runs_once_when_redelivered(workspace: Workspace) -> None:
    """A mention that Slack delivers three times is run once."""
    for _ in range(3):
        await workspace.event(mention("stop live stream1"))
    await workspace.settle()

    assert len(workspace.house.cloud.sent) == 1


@pytest.mark.parametrize("thread", ["", "1700000000.000100"])
async def test_mention_error_is_ephemeral(workspace: Workspace, thread: str) -> None:
    """A parse error in a mention is shown only to its sender, in the thread if there is one."""
    workspace.slack.threads.add(thread)
    await workspace.event(mention("stop lvie stream1"))
    await workspace.errands.stop()

    (whisper,) = workspace.slack.asked("chat.postEphemeral")
    assert (whisper["user"], whisper.get("thread_ts", "")) == ("U0ALICE", thread)
    assert 'Did you mean "live"?' in whisper["text"]


@pytest.mark.parametrize(
    ("text", "said"), [("", "@stopstream stop live"), ("stop", "fill in the form")]
)
async def test_mention_without_command_offers_help_or_form(
    workspace: Workspace, text: str, said: str
) -> None:
    """An empty mention is answered with an example, a bare verb with an offer of the form."""
    await workspace.event(mention(text))
    await workspace.errands.stop()

    (whisper,) = workspace.slack.asked("chat.postEphemeral")
    assert said in whisper["text"]


async def test_mention_whoami_replies_ephemerally(workspace: Workspace) -> None:
    """Whoami in a mention is answered with an ephemeral message."""
    await workspace.event(mention("whoami"))
    await workspace.errands.stop()

    (whisper,) = workspace.slack.asked("chat.postEphemeral")
    assert "in the roles `oncall`" in whisper["text"]


@pytest.mark.parametrize("more", [{"bot_id": "B0OTHER"}, {"subtype": "bot_message"}])
async def test_mention_from_another_bot_is_ignored(
    workspace: Workspace, more: dict[str, Any]
) -> None:
    """A mention written by another bot is ignored."""
    await workspace.event(mention("stop live stream1", **more))
    await workspace.errands.stop()

    assert await workspace.house.service.queries.recent(None) == []
    assert workspace.slack.calls == []


async def test_mention_from_the_bot_itself_is_ignored(workspace: Workspace) -> None:
    """A mention written by the bot itself is not stored."""
    await workspace.event(mention("stop live stream1", user=BOT_USER))

    assert await workspace.house.service.queries.recent(None) == []


async def test_mention_edited_is_not_run(workspace: Workspace) -> None:
    """An edited mention is not run, and its sender is told so."""
    await workspace.event(mention("stop live stream1", edited={"user": "U0ALICE", "ts": "1"}))
    await workspace.errands.stop()

    assert await workspace.house.service.queries.recent(None) == []
    (whisper,) = workspace.slack.asked("chat.postEphemeral")
    assert "not read again" in whisper["text"]


@pytest.mark.parametrize("absent", ["user", "channel", "ts"])
async def test_mention_rejects_missing_fields(workspace: Workspace, absent: str) -> None:
    """A mention without user, channel or timestamp is not stored."""
    await workspace.event(mention("stop live stream1", **{absent: None}))

    assert await workspace.house.service.queries.recent(None) == []


def test_mention_strips_only_own_user_id() -> None:
    """Only the mention of the bot itself is removed from the text."""
    text = f"<@{BOT_USER}|stopstream>  stop live <@U0BOB>"
    body = {"event_id": "Ev1", "team_id": TEAM, "event": mention("") | {"text": text}}

    found = mentions.invocation(body, BOT_USER)

    assert found is not None
    assert found.text == "stop live <@U0BOB>"
    assert found.actor == Actor(TEAM, "U0ALICE")


# --- the form --------------------------------------------------------------------------


def submission(api: str = "DropLiveStream", place: str = "C0INC", **fields: str) -> dict[str, Any]:
    choice = {views.CHOOSE_ACTION: {"selected_option": {"value": api}}}
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
            "private_metadata": views.encode_place(views.FormPlace(Effect.STOP, place)),
            "state": {"values": values},
        },
    }


async def test_form_submission_stores_values_verbatim(workspace: Workspace) -> None:
    """A form submission stores its values verbatim and fills empty fields with defaults."""
    name = 'a <b> & "c" d=e'

    assert await workspace.interact(submission(StreamName=name, DomainName="")) == ""

    (operation,) = await workspace.house.service.queries.recent(None)
    assert operation.params["StreamName"] == name
    assert operation.params["DomainName"] == "push.example.com"
    assert (operation.via, operation.key) == (Via.FORM, "trigger.form")


async def test_form_error_is_shown_at_its_field(workspace: Workspace) -> None:
    """A validation error in a form is shown at the field that caused it."""
    answer = await workspace.interact(submission(StreamName="s1", DomainName="no domain"))

    assert answer["response_action"] == "errors"
    assert list(answer["errors"]) == ["param:DomainName"]


async def test_form_error_marks_blank_required_field(
    workspace: Workspace,
) -> None:
    """A required field that was left blank is the field that is marked."""
    answer = await workspace.interact(submission(StreamName="  "))

    assert list(answer["errors"]) == ["param:StreamName"]


async def test_form_error_is_placed_beside_markup(
    workspace: Workspace,
) -> None:
    """A validation error is shown at its field when another value contains markup."""
    form = submission("StopLiveRecord", StreamName="a & <b>", TaskId="many")

    assert list((await workspace.interact(form))["errors"]) == ["param:TaskId"]


async def test_form_error_marks_only_required_blank_field(workspace: Workspace) -> None:
    """Of two blank fields, only the required one is marked."""
    form = submission("ForbidLiveStream", Reason="", StreamName="")

    assert list((await workspace.interact(form))["errors"]) == ["param:StreamName"]


@pytest.mark.parametrize("reason", ["a\u200b b", "token=5ECRE7 again", "txSecret=5ECRE7"])
async def test_form_error_is_placed_beside_secret(workspace: Workspace, reason: str) -> None:
    """A validation error beside a secret is shown at its field, without the secret."""
    stream = "rtmp://push.example.com/live/s1?txSecret=5ECRE7"
    form = submission("ForbidLiveStream", StreamName=stream, Reason=reason, ResumeTime="soon")
    answer = await workspace.interact(form)

    assert list(answer["errors"]) == ["param:ResumeTime"]
    assert "5ECRE7" not in str(answer)


async def test_form_error_for_total_length_marks_longest_field(workspace: Workspace) -> None:
    """A submission that is too long in total is marked at its longest field."""
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
async def test_form_stream_url_overrides_prefilled_values(
    workspace: Workspace, address: str, domain: str, app: str
) -> None:
    """The push domain and application name in a stream URL override prefilled values."""
    place = views.FormPlace(Effect.STOP, "C0INC")
    view = views.form(place, workspace.house.service.vocabulary, "DropLiveStream")
    form = submission(StreamName=address)
    form["view"]["state"]["values"] = entries(view, {}) | {
        "param:StreamName": form["view"]["state"]["values"]["param:StreamName"]
    }

    assert await workspace.interact(form) == ""
    (operation,) = await workspace.house.service.queries.recent(None)
    wanted = {"StreamName": "s1", "DomainName": domain, "AppName": app}
    assert operation.params == wanted


async def test_form_stream_url_conflicts_with_typed_value(workspace: Workspace) -> None:
    """A typed domain that differs from the stream URL is reported at the domain field."""
    form = submission(StreamName="rtmp://p.example.com/live/s1", DomainName="push.example.com")

    answer = await workspace.interact(form)
    assert list(answer["errors"]) == ["param:DomainName"]
    assert "which one?" in str(answer)


async def test_form_is_accepted_after_correction(workspace: Workspace) -> None:
    """A corrected form is accepted and stored beside the rejected submission."""
    await workspace.interact(submission(StreamName=""))
    mended = submission(StreamName="s1") | {"trigger_id": "trigger.form2"}

    assert await workspace.interact(mended) == ""
    states = {operation.state for operation in await workspace.house.service.queries.recent(None)}
    assert len(states) == 2


async def test_form_from_home_tab_uses_chosen_channel(workspace: Workspace) -> None:
    """A form that was opened without a channel uses the channel chosen in it."""
    form = submission(place="", StreamName="s1")
    channel = {views.VALUE: {"selected_conversation": "C0INC"}}
    form["view"]["state"]["values"][views.CHANNEL_BLOCK] = channel

    await workspace.interact(form)

    (operation,) = await workspace.house.service.queries.recent(None)
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
async def test_form_rejects_malformed_submission(
    workspace: Workspace, broken: dict[str, Any]
) -> None:
    """A malformed form submission is answered with an error and stores nothing."""
    answer = await workspace.interact(submission(StreamName="s1") | broken)

    assert answer["response_action"] == "errors"
    assert await workspace.house.service.queries.recent(None) == []


async def test_form_updates_fields_for_chosen_action(workspace: Workspace) -> None:
    """Choosing an action updates the open form with the fields of that action."""
    chosen = submission()
    await workspace.interact(
        {
            **chosen,
            "type": "block_actions",
            "view": chosen["view"] | {"hash": "h1"},
            "actions": [
                {
                    "action_id": views.CHOOSE_ACTION,
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


async def test_form_button_opens_form_of_its_verb(workspace: Workspace) -> None:
    """A form button opens the form of its verb, for its channel and thread."""
    await workspace.interact(
        {
            "type": "block_actions",
            "trigger_id": "trigger.button",
            "user": {"id": "U0ALICE", "team_id": TEAM},
            "container": {"type": "message", "channel_id": "C0INC", "thread_ts": "1.5"},
            "response_url": workspace.slack.reply_url,
            "actions": [
                {"action_id": f"{replies.OPEN_FORM}:start", "value": "start", "type": "button"}
            ],
        }
    )
    await workspace.errands.stop()

    (opened_,) = workspace.slack.asked("views.open")
    view = json.loads(opened_["view"]) if isinstance(opened_["view"], str) else opened_["view"]
    assert views.decode_place(view["private_metadata"]) == views.FormPlace(
        Effect.START, "C0INC", "1.5"
    )


@pytest.mark.parametrize("known", [True, False])
async def test_form_opens_only_for_members(workspace: Workspace, known: bool) -> None:
    """The form is not opened for guests or unknown users, and they are told why."""
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


async def test_button_reply_goes_to_its_thread(
    workspace: Workspace,
) -> None:
    """A button pressed in a thread is answered in that thread, not by the response URL."""
    workspace.slack.threads.add("1.5")
    await workspace.interact(
        {
            "type": "block_actions",
            "trigger_id": "trigger.odd",
            "user": {"id": "U0ALICE", "team_id": TEAM},
            "container": {"type": "message", "channel_id": "C0INC", "thread_ts": "1.5"},
            "response_url": workspace.slack.reply_url,
            "actions": [{"action_id": search_results.OLDER, "value": "odd", "type": "button"}],
        }
    )
    await workspace.errands.stop()

    (whisper,) = workspace.slack.asked("chat.postEphemeral")
    assert whisper["thread_ts"] == "1.5"
    assert workspace.slack.replies == []


# --- the home tab, memberships ------------------------------------------------------------


async def test_home_tab_is_published_when_opened(workspace: Workspace) -> None:
    """Opening the home tab publishes a view for the user who opened it."""
    await workspace.command("live stream1")
    await workspace.event({"type": "app_home_opened", "user": "U0ALICE", "tab": "home"})
    await workspace.errands.stop()

    (published,) = workspace.slack.asked("views.publish")
    assert published["user_id"] == "U0ALICE"
    assert "DropLiveStream" in str(published["view"])


async def test_home_tab_reports_unreadable_roles(
    workspace: Workspace,
) -> None:
    """The home tab reports when the roles of its user could not be read."""
    workspace.house.directory.people.clear()
    await workspace.event({"type": "app_home_opened", "user": "U0ALICE", "tab": "home"})
    await workspace.errands.stop()

    (published,) = workspace.slack.asked("views.publish")
    assert "could not be read" in str(published["view"])


async def test_home_tab_ignores_messages_tab(workspace: Workspace) -> None:
    """Opening the messages tab makes no call to the Slack API."""
    await workspace.event({"type": "app_home_opened", "user": "U0ALICE", "tab": "messages"})
    await workspace.errands.stop()

    assert workspace.slack.calls == []


async def test_directory_refreshes_changed_user_group(workspace: Workspace) -> None:
    """A user group change event takes effect in the directory at once."""
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
async def test_receiver_rejects_invalid_signature(
    workspace: Workspace, headers: dict[str, str], status: int
) -> None:
    """A request with an invalid signature or timestamp is rejected and stores nothing."""
    given = {"command": "/stopstream", "text": "live stream1", "trigger_id": "t"}

    assert (await workspace.send(urlencode(given), **headers))[0] == status
    assert await workspace.house.service.queries.recent(None) == []


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
async def test_receiver_rejects_malformed_body(
    workspace: Workspace, body: str, content_type: str
) -> None:
    """A malformed body is rejected with status 400 and a one-line answer."""
    status, answer = await workspace.send(body, content_type)

    assert status == 400
    assert answer.count("\n") == 1


async def test_receiver_rejects_undecodable_body(workspace: Workspace) -> None:
    """A body that is not valid UTF-8 is rejected with status 401."""
    assert (await workspace.send(b"\xff\xfe"))[0] == 401


async def test_receiver_rejects_oversized_body(workspace: Workspace) -> None:
    """A body over the size limit is rejected with status 413."""
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
async def test_receiver_survives_unexpected_payloads(
    workspace: Workspace, body: dict[str, Any]
) -> None:
    """An unexpected payload is answered with status 200 or 400 and stores nothing."""
    status, _ = await workspace.send(json.dumps(body), "application/json")

    assert status in (200, 400)
    assert await workspace.house.service.queries.recent(None) == []


async def test_receiver_answers_url_verification(workspace: Workspace) -> None:
    """The URL verification challenge of Slack is answered."""
    body = {"type": "url_verification", "challenge": "abc"}

    status, answer = await workspace.send(json.dumps(body), "application/json")

    assert (status, answer) == (200, {"challenge": "abc"})


async def test_receiver_accepts_only_post(workspace: Workspace) -> None:
    """A GET request is rejected with status 405."""
    async with workspace.http.get(PATH) as answer:
        assert answer.status == 405


def test_receiver_requires_signing_secret() -> None:
    """A receiver cannot be built without a signing secret."""
    with pytest.raises(ValueError, match="signing_secret"):
        receiver(None, signing_secret="")  # type: ignore[arg-type] # it is not asked


async def test_slash_command_reports_internal_error(workspace: Workspace) -> None:
    """An internal error is answered with a fault number and claims no outcome."""
    workspace.house.rules.clear()

    text = await workspace.command("live stream1")

    assert "fault " in text
    assert "If no card appears, nothing was sent" in text


# --- errands -----------------------------------------------------------------------------


async def test_background_queue_survives_failed_job() -> None:
    """A failed background job is reported with a fault number and stops no worker."""
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


async def test_background_queue_abandons_slow_job() -> None:
    """A background job that exceeds its timeout is abandoned and reported."""
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


async def test_connect_returns_bot_identity() -> None:
    """Connecting returns the team, user, bot ID and scopes of the bot token."""
    async with slack() as (_, client):
        identity = await connect(client)

    assert (identity.team, identity.user, identity.bot) == (TEAM, BOT_USER, "B0BOT")
    assert identity.scopes == {"chat:write", "commands"}


@pytest.mark.parametrize("code", ["invalid_auth", "account_inactive", "token_revoked"])
async def test_connect_names_rejected_bot_token(code: str) -> None:
    """A bot token that Slack rejects raises a configuration error that names it."""
    async with slack() as (fake, client):
        fake.fails("auth.test", Fault(code))

        with pytest.raises(ConfigError, match=f"SLACK_BOT_TOKEN: .*{code}"):
            await connect(client)


async def test_connect_separates_slack_failure_from_config_error() -> None:
    """A failure on the side of Slack is not reported as a configuration error."""
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


async def test_socket_mode_receives_on_every_connection(house: House) -> None:
    """Commands are received over every Socket Mode connection."""
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


async def test_socket_mode_reconnects_after_close(house: House) -> None:
    """A Socket Mode connection that closes is opened again and receives commands."""
    async with on_socket(house) as (socket, line, _):
        await socket.start(connections=1)
        await line.until(lambda: line.open)
        first = line.open[0]

        await first.close()
        await line.until(lambda: line.open and line.open[0] is not first)
        await line.open[0].send_json(envelope("live stream1"))
        await line.until(lambda: line.acks)

        assert socket.healthy


async def test_socket_mode_recovers_from_outage(house: House) -> None:
    """A lost connection is retried until Slack is reachable again, and is then healthy."""
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
async def test_socket_mode_survives_malformed_envelope(house: House, odd: str) -> None:
    """A malformed envelope does not break the connection for later commands."""
    async with on_socket(house, ping=5.0) as (socket, line, _):
        await socket.start(connections=1)
        await line.until(lambda: line.open)

        await line.open[0].send_str(odd)
        await line.open[0].send_json(envelope("live stream1"))
        await line.until(lambda: line.acks)

        assert "`stream1`" in line.acks[0]["payload"]["text"]


async def test_socket_mode_names_rejected_app_token(house: House) -> None:
    """An app token that Slack rejects raises a configuration error that names it."""
    async with on_socket(house) as (socket, _, fake):
        fake.fails("apps.connections.open", Fault("invalid_auth"))

        with pytest.raises(ConfigError, match=r"SLACK_APP_TOKEN: .*invalid_auth"):
            await socket.start()
