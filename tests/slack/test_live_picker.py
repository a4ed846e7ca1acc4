"""The form's field for a live stream: what it offers, to whom, and what becomes of a pick."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.commands.alerts import Candidate
from bot.model.actions import Effect
from bot.model.people import Person
from bot.sandbox.slack import block_kit
from bot.sandbox.slack.form_state import entries
from bot.storage.store import Store
from handlers.listeners import live_picker
from handlers.messages import views
from handlers.messages.stream_picker import LIVE_BLOCK, PICK_STREAM
from tests.conftest import built
from tests.support.fake_slack import TEAM
from tests.support.slack_app import Workspace, opened, submission

POLICY = """
defaults:
  live: {DomainName: push.example.com}
accounts:
  main: {channels: [C0INC]}
  europe: {secret_id: EU_ID, secret_key: EU_KEY}
roles:
  oncall:
    members: {users: [U0ALICE, U0GUEST]}
    allow:
      - actions: [DropLiveStream]
        accounts: [main]
        where: {StreamName: "stage*"}
      - actions: [ForbidLiveStream]
        channels: [C0OTHER]
        accounts: [main]
  leads:
    members: {users: [U0BOB]}
    allow: [{actions: ["*"], accounts: ["*"], requests: true}]
"""
LIVE = (
    ("stage1", "push.example.com", "live"),
    ("stage2", "push2.example.com", "live"),
    ("stage3", "push.example.com", "vip"),
    ("secret-rehearsal", "push.example.com", "live"),
)


def online(*streams: tuple[str, str, str]) -> dict[str, Any]:
    keys = ("StreamName", "DomainName", "AppName")
    rows = [dict(zip(keys, one, strict=True)) for one in streams]
    return {"TotalNum": len(rows), "TotalPage": 1, "OnlineInfo": rows}


@pytest.fixture
async def workspace(
    quick_store: Store, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Workspace]:
    monkeypatch.setattr("bot.operations.live_streams.WITHIN", 30.0)
    monkeypatch.setattr(live_picker, "ANSWER_WITHIN", 60.0)
    monkeypatch.setenv("EU_ID", "AKIDEU")
    monkeypatch.setenv("EU_KEY", "eu-key")
    async with built(quick_store, policy=POLICY) as house, opened(house) as one:
        house.cloud.bodies["DescribeLiveStreamOnlineList"] = online(*LIVE)
        yield one


def form_of(
    workspace: Workspace, api: str = "DropLiveStream", channel: str = "C0INC", account: str = ""
) -> dict[str, Any]:
    place = views.FormPlace(Effect.STOP, channel, account=account)
    return views.form(place, workspace.house.service.vocabulary, api)


def asked(
    workspace: Workspace, typed: str = "", user: str = "U0ALICE", **view: Any
) -> dict[str, Any]:
    """Return what Slack sends when somebody opens the field, or types in it."""
    return {
        "type": "block_suggestion",
        "user": {"id": user, "team_id": TEAM},
        "team": {"id": TEAM},
        "action_id": f"{PICK_STREAM}:main",
        "block_id": LIVE_BLOCK,
        "value": typed,
        "container": {"type": "view", "view_id": "V1"},
        "view": form_of(workspace) | {"id": "V1"} | view,
    }


async def offered(workspace: Workspace, *given: Any, **more: Any) -> list[str]:
    answer = await workspace.interact(asked(workspace, *given, **more))
    assert block_kit.option_problems(answer) == []
    return [option["text"]["text"] for option in answer["options"]]


async def test_picker_offers_what_is_live_and_may_be_stopped(workspace: Workspace) -> None:
    """What is live is offered with its place unless that is the usual one, and nothing else."""
    assert await offered(workspace) == [
        "stage1",
        "stage2 · push2.example.com",
        "stage3 · push.example.com/vip",
    ]
    assert await offered(workspace, user="U0BOB") == [
        "secret-rehearsal",
        "stage1",
        "stage2 · push2.example.com",
        "stage3 · push.example.com/vip",
    ]


async def test_picker_follows_what_is_typed(workspace: Workspace) -> None:
    """Typing narrows the offer to names that contain it, or else to similar ones."""
    assert await offered(workspace, "GE2") == ["stage2 · push2.example.com"]
    assert await offered(workspace, "vip") == ["stage3 · push.example.com/vip"]
    assert (await offered(workspace, "stgae1"))[0] == "stage1"
    assert await offered(workspace, "nothing-like-it") == []


@pytest.mark.parametrize("user", ["U0MALLORY", "U0GUEST", "U0NOBODY"])
async def test_picker_offers_nothing_to_who_may_stop_nothing(
    workspace: Workspace, user: str
) -> None:
    """Somebody without a role, a guest with one, and somebody unknown are offered nothing."""
    guest = Person("U0GUEST", TEAM, guest=True)
    for warm in (True, False):
        workspace.house.directory.people["U0GUEST"] = guest
        workspace.house.directory.warm = warm
        assert await offered(workspace, user=user) == []


async def test_picker_follows_the_action_and_the_channel(workspace: Workspace) -> None:
    """What may be banned in another channel alone is offered there, and in a form without one."""
    ban = form_of(workspace, "ForbidLiveStream")
    assert await offered(workspace, **ban) == []
    anywhere = form_of(workspace, "ForbidLiveStream", channel="", account="main")
    assert "stage1" in await offered(workspace, **anywhere)
    unban = form_of(workspace, "ResumeLiveStream")
    assert await offered(workspace, user="U0BOB", **unban) == []


@pytest.mark.parametrize(
    "view", [{"private_metadata": "{"}, {"blocks": "x"}, {"blocks": [1]}, {"blocks": None}]
)
async def test_picker_survives_a_malformed_form(workspace: Workspace, view: dict[str, Any]) -> None:
    """A form that the bot did not draw offers nothing."""
    assert await offered(workspace, **view) == []


async def test_picker_reads_once_for_all_who_ask(workspace: Workspace) -> None:
    """Typing reads what is live once in some seconds, not once for each letter."""
    for typed in ("", "s", "st", "sta"):
        await offered(workspace, typed)

    reads = [c for c in workspace.house.cloud.sent if c.action.api.endswith("OnlineList")]
    assert len(reads) == 1


async def test_picker_answers_while_tencent_cloud_does_not(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where what is live can't be read in time, the answer is empty, and it comes."""
    monkeypatch.setattr("bot.operations.live_streams.WITHIN", 0.01)
    workspace.house.cloud.gate = asyncio.Event()

    assert await offered(workspace) == []
    workspace.house.cloud.gate.set()


def picked(workspace: Workspace, stream: tuple[str, ...], **fields: str) -> dict[str, Any]:
    """Return a submission with a pick, and what was typed over what the form filled in."""
    form = submission(**fields)
    values = entries(form_of(workspace), {}) | form["view"]["state"]["values"]
    option = {"text": {"type": "plain_text", "text": stream[0]}, "value": json.dumps(stream)}
    element = {"type": "external_select", "selected_option": option}
    form["view"]["state"]["values"] = values | {LIVE_BLOCK: {f"{PICK_STREAM}:main": element}}
    return form


async def test_pick_brings_its_domain_and_path(workspace: Workspace) -> None:
    """A pick is stopped where it is live, not on the domain that the form filled in."""
    assert await workspace.interact(picked(workspace, LIVE[1])) == ""
    (operation,) = await workspace.house.service.queries.recent(None)
    assert tuple(operation.params.values()) == LIVE[1]


async def test_pick_brings_them_where_slack_leaves_empty_fields_out(workspace: Workspace) -> None:
    """A pick names its domain and path even if the submission has no such fields."""
    form = picked(workspace, LIVE[2])
    values = form["view"]["state"]["values"]
    form["view"]["state"]["values"] = {
        name: value for name, value in values.items() if not name.startswith("param:")
    }

    assert await workspace.interact(form) == ""
    (operation,) = await workspace.house.service.queries.recent(None)
    assert tuple(operation.params.values()) == LIVE[2]


@pytest.mark.parametrize(
    ("typed", "block", "said"),
    [
        ({"StreamName": "other"}, "param:StreamName", "not both"),
        ({"StreamName": "rtmp://x.example.com/live/s1"}, "param:StreamName", "not both"),
        ({"DomainName": "third.example.com"}, "param:DomainName", "live on push2.example.com"),
    ],
)
async def test_pick_beside_another_name_is_refused(
    workspace: Workspace, typed: dict[str, str], block: str, said: str
) -> None:
    """A pick and something else that was typed are refused at the field; nothing is stopped."""
    answer = await workspace.interact(picked(workspace, LIVE[1], **typed))

    assert list(answer["errors"]) == [block]
    assert said in answer["errors"][block]
    assert await workspace.house.service.queries.recent(None) == []


async def test_pick_takes_precedence_over_what_the_alert_named(workspace: Workspace) -> None:
    """A pick replaces the name that the form took from a message, if nobody typed there."""
    named = Candidate("DropLiveStream", {"stream": "rtmp://p.example.com/live/s1"})
    place = views.FormPlace(Effect.STOP, "C0INC", candidates=(named,))
    view = views.form(place, workspace.house.service.vocabulary)
    form = picked(workspace, LIVE[0])
    pick = form["view"]["state"]["values"][LIVE_BLOCK]
    form["view"]["state"]["values"] = entries(view, {}) | {LIVE_BLOCK: pick}

    assert await workspace.interact(form) == ""
    (operation,) = await workspace.house.service.queries.recent(None)
    assert tuple(operation.params.values()) == LIVE[0]


@pytest.mark.parametrize("value", ["", "x", "[]", '["a","b"]', '["a","","c"]', "{}", "[1,2,3]"])
async def test_pick_that_nobody_was_offered_counts_as_none(
    workspace: Workspace, value: str
) -> None:
    """A forged pick is none: the stream is missing."""
    form = picked(workspace, LIVE[0])
    (element,) = form["view"]["state"]["values"][LIVE_BLOCK].values()
    element["selected_option"]["value"] = value

    answer = await workspace.interact(form)
    assert list(answer["errors"]) == ["param:StreamName"]
