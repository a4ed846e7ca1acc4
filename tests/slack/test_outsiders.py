"""Whoever Slack does not say is a full member gets one sentence, and nothing of the policy."""

import re
import threading
from collections.abc import Callable
from typing import Any

import pytest

from bot.catalog.registry import action_of
from bot.model.actions import Effect
from bot.model.messages import MessageKind
from bot.model.operations import Choice, State
from bot.model.people import Actor, Person
from bot.operations.queries import Queries
from bot.operations.service import Service
from bot.storage.store import Store
from handlers.messages import endings, search_results, views, ways_in
from handlers.messages.annotations import REQUEST
from handlers.messages.buttons import DECIDE, FOLLOW
from handlers.messages.replies import MALFORMED
from handlers.messages.stream_picker import PICK_STREAM
from tests.conftest import House, built
from tests.support.fakes import ALICE, BOB, TEAM, FakeDirectory
from tests.support.slack_app import Workspace, mention, opened, submission

EVE = "U0EVE"
POLICY = """
defaults:
  live: {DomainName: hush-domain.example.com, AppName: hush-app}
  ingest: {SdkAppId: 1499999999, Region: ap-singapore}
targets:
  hush-stage: live hush-stream
roles:
  hush-oncall:
    members: {users: [U0ALICE, U0EVE]}
    allow: [{actions: ["*"], approval: second-person, approvers: [hush-leads]}]
  hush-leads:
    members: {users: [U0BOB, U0EVE]}
    allow: [{actions: ["*"], requests: true}]
"""
SECRETS = re.compile("hush|1499999999|second person|[Rr]ule|[Rr]ole")
TEXTS = (
    *("live stream1", "ingest task1", "status live stream1", "ban stream1 for=1h"),
    *("help", "help live", "help targets", "help accounts", "whoami", "audit since=24h", "off", ""),
    *("live hush-stag", "lvie stream1", "ingest", "live stream1 --dry-run", "hush-stage"),
)
OWN_WORDS = re.compile(r"^🚫 Denied: `([^`]*)`\. ")
"""What they typed themselves, before the one sentence."""
NEUTRAL = {
    *(
        "Looking up what you can do…",
        "Searching the audit trail…",
    ),
    *("Looking up what is off…",),
    "Dry run: nothing is sent. Checking the policy…",
    "",
}
PEOPLE = {
    "guest": Person(EVE, TEAM, guest=True),
    "bot": Person(EVE, TEAM, bot=True),
    "deactivated": Person(EVE, TEAM, deactivated=True),
    "stranger": Person(EVE, "T0OTHER", stranger=True),
}


def interaction(type_: str, **given: Any) -> dict[str, Any]:
    user = {"id": EVE, "team_id": TEAM}
    return {"type": type_, "user": user, "team": {"id": TEAM}, "trigger_id": "t"} | given


def press(name: str, value: str, trigger: str, **given: Any) -> dict[str, Any]:
    action = {"action_id": name, "value": value, "type": "button", "block_id": "b"}
    place = {"channel": {"id": "C0INC"}} | given
    return interaction("block_actions", actions=[action], **place) | {"trigger_id": trigger}


async def _every_way_in(workspace: Workspace, waiting: str, denied: str, ended: str) -> list[str]:
    """Try everything, and return what the acks said."""
    said: list[str] = []
    for number, text in enumerate(TEXTS):
        for channel in ("C0INC", "D0EVE"):
            given = {"user_id": EVE, "channel_id": channel, "trigger_id": f"{number}-{channel}"}
            said += [await workspace.command(text, **given) for _ in ("sent", "sent again")]
        await workspace.event(mention(text, user=EVE), f"Ev-{number}")
    await workspace.event({"type": "app_home_opened", "user": EVE, "tab": "home"}, "Ev-home")
    form = {"callback_id": views.FORM, "id": "V1", "hash": "h", "type": "modal"}
    form["private_metadata"] = views.encode_place(views.FormPlace(Effect.STOP, "C0INC"))
    chosen = {"selected_option": {"value": "StopStreamIngest"}, "type": "static_select"}
    drawn = form | {"blocks": [{"element": {"action_id": f"{views.CHOOSE_ACTION}:DropLiveStream"}}]}
    message = {"text": "streams: hush-stream, stream2", "ts": "1.0"}
    payloads = [
        interaction("shortcut", callback_id="open_form"),
        interaction(
            "message_action",
            callback_id="stop_in_message",
            message=message,
            channel={"id": "C0INC"},
        ),
        press(f"{ways_in.OPEN_FORM}:stop", "stop", "t1"),
        press(f"{ways_in.SUGGESTED}:1", "live stream1", "t2"),
        press(f"{ways_in.SUGGESTED}:2", "lvie stream1", "t3"),
        press(f"{DECIDE}:{Choice.APPROVE.value}", waiting, "t4"),
        press(f"{DECIDE}:{Choice.CONFIRM.value}", waiting, "t5"),
        press(f"{DECIDE}:{Choice.EMERGENCY.value}", waiting, "t6"),
        press(f"{DECIDE}:{Choice.DENY.value}", ended, "t7"),
        press(f"{FOLLOW}:retry", ended, "t8"),
        press(f"{FOLLOW}:undo", ended, "t9"),
        press(REQUEST, denied, "t10"),
        press(search_results.OLDER, "x", "t11"),
        press(search_results.FILE, "x", "t12"),
        interaction("block_actions", view=form)
        | {"actions": [chosen | {"action_id": views.CHOOSE_ACTION, "block_id": "b"}]},
        interaction("block_suggestion", value="", view=drawn, action_id=f"{PICK_STREAM}:default"),
        submission(StreamName="stream1") | {"user": {"id": EVE, "team_id": TEAM}},
        submission(StreamName="") | {"user": {"id": EVE, "team_id": TEAM}, "trigger_id": "t14"},
        submission(StreamName="a" * 5_000) | {"user": {"id": EVE, "team_id": TEAM}},
    ]
    for payload in payloads:
        answer = await workspace.interact(payload)
        if isinstance(answer, dict):
            said += [*answer.get("errors", {}).values(), *map(str, answer.get("options", []))]
        else:
            said.append(answer)
    return said


def _sent(workspace: Workspace) -> list[str]:
    """Return what was sent to them after the acks."""
    slack, desk = workspace.slack, workspace.house.desk
    texts = [one["text"] for one in slack.replies]
    texts += [m["text"] for m in slack.messages if m["channel"] == EVE]
    texts += [one["text"] for one in slack.asked("chat.postEphemeral") if one["user"] == EVE]
    texts += [word.text for word in desk.words if word.actor.user == EVE]
    texts += [
        endings.private_reply(one.operation, action_of(one.operation)).text
        for one in desk.said(MessageKind.PRIVATE)
        if one.operation.actor.user == EVE
    ]
    for home in slack.asked("views.publish"):
        texts += re.findall(r'"text": ?"([^"]+)"', str(home["view"]))
    return texts


async def _prepared(house: House) -> tuple[str, str, str]:
    """Return a waiting, a denied and an ended operation of others."""
    waiting = await house.run("live stream1", ALICE)
    denied = await house.run("live stream9", Actor(TEAM, "U0MALLORY"))
    ended = await house.run("live stream2", BOB)
    return waiting.id, denied.id, ended.id


@pytest.mark.parametrize(
    ("kind", "warm"),
    [
        *(("guest", True), ("bot", True), ("deactivated", True)),
        *(("guest", False), ("stranger", False), ("unknown", False)),
    ],
)
async def test_outsider_gets_one_sentence_by_every_way_in(
    quick_store: Store, kind: str, warm: bool
) -> None:
    """No way in shows an outsider anything of the policy, or anything else but why not."""
    directory = FakeDirectory(warm=warm)
    directory.channels["D0EVE"] = directory.channels["C0INC"]
    if kind != "unknown":
        directory.people[EVE] = PEOPLE[kind]
    async with (
        built(quick_store, policy=POLICY, directory=directory) as house,
        opened(house) as workspace,
    ):
        others = await _prepared(house)
        said = await _every_way_in(workspace, *others)
        await workspace.settle()
        said += _sent(workspace)
        theirs = await house.store.operations.recent(user=EVE, limit=200)

    repeated = {found[1] for text in said if (found := OWN_WORDS.match(text))}
    assert all(any(words in text for text in TEXTS) for words in repeated), repeated
    told = {OWN_WORDS.sub("", text) for text in said if text} - NEUTRAL
    assert [text for text in told if SECRETS.search(text)] == []
    assert len(told) == 1, told
    assert "\n" not in str(told)
    assert workspace.slack.asked("views.open") == []
    assert workspace.slack.asked("views.update") == []
    assert {one.state for one in theirs} <= {State.DENIED, State.INVALID}


async def test_outsider_known_is_turned_away_before_anything_is_parsed(
    quick_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of a known outsider's text is read or stored; that they came is recorded once."""
    directory = FakeDirectory()
    directory.people[EVE] = PEOPLE["guest"]
    async with (
        built(quick_store, policy=POLICY, directory=directory) as house,
        opened(house) as workspace,
    ):
        others = await _prepared(house)
        reached: list[str] = []

        def noting(name: str) -> Callable[..., None]:
            return lambda *_, **__: reached.append(name)

        for name in ("ask", "decide", "objection", "follow", "press", "request"):
            monkeypatch.setattr(Service, name, noting(name))
        monkeypatch.setattr(Queries, "live_streams", noting("live_streams"))
        monkeypatch.setattr("handlers.listeners.shortcuts.find_candidates", noting("find"))
        await _every_way_in(workspace, *others)
        broken = await workspace.command("live stream1", user_id=EVE, trigger_id="")
        await workspace.settle()
        mine = await house.store.operations.recent(user=EVE)
        kinds = await house.kinds()

    assert reached == []
    assert mine == []
    assert broken != MALFORMED
    assert kinds.count("turned away") == 1
    assert kinds.count("asked") == 3


@pytest.mark.parametrize("kind", ["guest", "stranger", "unknown"])
async def test_outsider_not_known_yet_has_no_message_read(
    quick_store: Store, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The text of a message is read only once Slack has said that a member asks for it."""
    read: list[int] = []

    def find(_message: object) -> tuple[()]:
        read.append(threading.get_ident())
        return ()

    monkeypatch.setattr("handlers.listeners.shortcuts.find_candidates", find)
    directory = FakeDirectory(warm=False)
    if kind != "unknown":
        directory.people[EVE] = PEOPLE[kind]
    async with (
        built(quick_store, policy=POLICY, directory=directory) as house,
        opened(house) as workspace,
    ):
        message = {"text": "streams: stream1, stream2", "ts": "1.0"}
        about = {"callback_id": "stop_in_message", "message": message, "channel": {"id": "C0INC"}}
        asked = interaction("message_action", **about)
        await workspace.interact(asked)
        await workspace.interact(asked | {"user": {"id": "U0ALICE", "team_id": TEAM}})
        await workspace.settle()

    # The member's. It may take long, so others are answered meanwhile.
    assert len(read) == 1
    assert read[0] != threading.get_ident()
