"""The form: how it opens, its fields, its errors and its submission."""

import json
from typing import Any

import pytest

from bot.model.actions import Effect
from bot.model.commands import Via
from bot.sandbox.slack import block_kit
from bot.sandbox.slack.form_state import entries
from handlers.messages import views, ways_in
from tests.support.fake_slack import TEAM, Fault
from tests.support.slack_app import Workspace, submission


async def test_form_opens_for_bare_slash_command(workspace: Workspace) -> None:
    """A slash command without text opens the form for its verb and channel."""
    assert await workspace.command("", trigger_id="trigger.1") == ""
    await workspace.background.stop(grace=60.0)

    (opened_,) = workspace.slack.asked("views.open")
    assert opened_["trigger_id"] == "trigger.1"
    view = json.loads(opened_["view"]) if isinstance(opened_["view"], str) else opened_["view"]
    assert block_kit.view_problems(view) == []
    place = views.FormPlace(Effect.STOP, "C0INC")
    assert views.decode_place(view["private_metadata"]) == place


async def test_form_reports_expired_trigger(workspace: Workspace) -> None:
    """A form that an expired trigger cannot open is reported through the response URL."""
    workspace.slack.fails("views.open", Fault("expired_trigger_id"))
    await workspace.command("")
    await workspace.background.stop(grace=60.0)

    (reply,) = workspace.slack.replies
    assert "could not be opened" in reply["text"]


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


@pytest.mark.parametrize("block", ["param:StreamName", "param:DomainName", "live", "action"])
async def test_form_field_too_long_is_not_searched(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, block: str
) -> None:
    """What is longer than any command, in whatever field, is refused there and not read."""
    looked: list[int] = []

    def looking(text: str) -> str:
        looked.append(len(text))
        return text

    for name in ("unescape", "find_url", "picked_stream", "quoted", "_escaped"):
        monkeypatch.setattr(f"handlers.listeners.forms.{name}", looking)
    form = submission(StreamName="stream1")
    entry = {"type": "plain_text_input", "value": "&<>" * 33_333}
    form["view"]["state"]["values"][block] = {views.VALUE: entry}

    answer = await workspace.interact(form)

    assert answer["errors"] == {block: "A form takes 4,000 characters in all. Shorten this."}
    assert looked == []
    assert await workspace.house.service.queries.recent(None) == []


async def test_form_of_too_many_fields_is_not_searched(workspace: Workspace) -> None:
    """A form of more fields than Slack allows is refused, however little each holds."""
    answer = await workspace.interact(submission(**{f"A{number}": "" for number in range(2_000)}))

    assert list(answer["errors"]) == [views.ACTION_BLOCK]
    assert "4,000" in answer["errors"][views.ACTION_BLOCK]


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
    await workspace.background.stop(grace=60.0)

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
                {"action_id": f"{ways_in.OPEN_FORM}:start", "value": "start", "type": "button"}
            ],
        }
    )
    await workspace.background.stop(grace=60.0)

    (opened_,) = workspace.slack.asked("views.open")
    view = json.loads(opened_["view"]) if isinstance(opened_["view"], str) else opened_["view"]
    assert views.decode_place(view["private_metadata"]) == views.FormPlace(
        Effect.START, "C0INC", "1.5"
    )
