"""Before a press: what it will touch, its case, its runbook, and somebody who may."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.catalog import readings as sights
from bot.catalog.registry import ACTIONS, action_of, by_api
from bot.cli.demo import DOMAIN, INCIDENTS, Sandbox, sandbox
from bot.commands.vocabulary import Vocabulary
from bot.errors import NoAnswerError
from bot.model.actions import Effect, Json, Reading, Site
from bot.model.commands import Command, Invocation, Via
from bot.model.messages import MessageKind
from bot.model.operations import Answer, Choice, Operation, Search, State
from bot.model.people import Place
from bot.operations.results import Accepted, Invalid
from bot.policy.loader import loader
from bot.storage.store import Store
from handlers.messages import annotations, audit_line, cards, endings, replies
from tests.conftest import House, built
from tests.support.fakes import ALICE, BOB, MALLORY, FakeCloud

POLICY = """
defaults:
  live: {DomainName: push.example.com}
cases: {C0INC: INC-7}
runbooks:
  - {actions: ["Drop*"], where: {StreamName: "main*"}, link: "https://wiki.example.com/main?a=1&b=2"}
limits:
  - {actions: [ForbidLiveStream], where: {StreamName: "vip-*"}, approval: second-person}
roles:
  oncall:
    members: {users: [U0ALICE]}
    allow:
      - {actions: ["Drop*"], approval: confirm, runbook: "https://wiki.example.com/drop"}
      - {actions: ["*LiveDomain"], approval: confirm}
      - {actions: ["Describe*"]}
  leads:
    members: {users: [U0BOB]}
    allow:
      - {actions: [DropLiveStream, ForbidLiveStream], approval: confirm, requests: true}
      - {actions: [StopPublishStream], where: {UserId: "u-*"}, channels: [C0ELSE], requests: true}
"""
ROW: dict[str, Json] = {
    "StreamName": "stream1",
    "DomainName": "push.example.com",
    "AppName": "live",
    "PublishTimeList": [{"PublishTime": "2026-11-20T10:00:00Z"}],
}
ONLINE: dict[str, dict[str, Json]] = {
    "DescribeLiveStreamOnlineList": {
        "TotalNum": 2,
        "OnlineInfo": [ROW, ROW | {"StreamName": "<b>"}],
    }
}
SINCE = 1_795_168_800.0
TASK: dict[str, Json] = {
    "TaskId": "task-1",
    "StreamName": "stream1",
    "StartTime": int(SINCE),
    "EndTime": int(SINCE) + 3600,
    "Stopped": 0,
}
RECORDED = "Being recorded now, by the tasks {}."
UNRECORDED = "No task of CreateRecordTask is recording it now"
UNKNOWN = "Could not be read: whether it is being recorded, and by which tasks."


@pytest.fixture
async def house(quick_store: Store) -> AsyncIterator[House]:
    async with built(quick_store, policy=POLICY, cloud=FakeCloud(bodies=dict(ONLINE))) as one:
        yield one


def shown(operation: Operation) -> str:
    return cards.card(operation, action_of(operation)).text


# --- what it will touch --------------------------------------------------------------


async def test_readings_show_live_since_and_push_url_on_card(house: House) -> None:
    """The card shows since when the stream is live and where it is pushed."""
    operation = await house.run("live stream1")
    text = shown(operation)

    assert operation.preview.readings[0] == (
        Reading("Live since {}, pushed to {}.", (SINCE, "push.example.com/live/stream1"))
    )
    assert f"Live since <!date^{SINCE:.0f}^" in text
    assert "pushed to `push.example.com/live/stream1`." in text
    assert "State when it was asked: `active`." in text
    (read,) = [c for c in house.cloud.sent if c.action.api == "DescribeLiveStreamOnlineList"]
    assert read.params == operation.params


async def test_readings_list_live_streams_on_domain_card(house: House) -> None:
    """A domain's card counts and names the streams that are live there."""
    operation = await house.run("domain push.example.com")
    text = shown(operation)

    assert "live there now, on its path live: `2`; other paths are not counted." in text
    assert "Among them: `stream1, &lt;b&gt;`." in text
    assert "Live since" not in text


async def test_audit_log_records_readings_of_card(house: House) -> None:
    """The audit log records the readings and the state that the card showed."""
    operation = await house.run("live stream1")
    with house.store.audit_log.records(operation=operation.id) as records:
        (body,) = [record.body for record in records if record.kind == "waiting"]

    assert "Live since 2026-11-20T10:00:00Z, pushed to push.example.com/live/stream1." in body
    assert "state: active" in body


class Silent(FakeCloud):
    """Answers no read."""

    def __init__(self, patience: float) -> None:
        super().__init__()
        self.patience = patience

    async def call(self, command: Command) -> Answer:
        if command.action.effect is Effect.READ:
            await asyncio.sleep(self.patience)
            raise NoAnswerError("No answer.")
        return await super().call(command)


@pytest.mark.parametrize("patience", [0.0, 3600.0])
async def test_readings_report_failed_read_without_delaying_card(
    quick_store: Store, patience: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read that fails or hangs is reported on the card and does not block its approval."""
    monkeypatch.setattr("bot.operations.state_reader.LOOK", 0.5)
    async with (
        asyncio.timeout(60),
        built(quick_store, policy=POLICY, cloud=Silent(patience)) as house,
    ):
        reply = await house.ask("live stream1")
        assert isinstance(reply, Accepted)
        operation = await house.engine.ending(reply.operation.id)
        text = shown(operation)
        assert "Its state could not be read." in text
        assert "Could not be read: since when it is live, and where it is pushed." in text
        assert UNKNOWN in text
        assert (await house.decide(operation.id, Choice.CONFIRM, ALICE)).counts
        assert (await house.ended(operation.id)).state is State.ACCEPTED


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"TotalNum": 0, "OnlineInfo": []},
        {"OnlineInfo": None},
        {"OnlineInfo": "x"},
        {"OnlineInfo": [{"PublishTimeList": {}}]},
        {"OnlineInfo": [ROW | {"PublishTimeList": [{"PublishTime": "soon"}]}]},
        {"OnlineInfo": [ROW | {"PublishTimeList": [{"PublishTime": None}]}]},
    ],
)
def test_readings_describe_nothing_for_missing_fields(body: dict[str, Json]) -> None:
    """A response without the expected fields yields no reading."""
    read = by_api("DescribeLiveStreamOnlineList")

    assert not list(sights.describe(read, {"StreamName": "stream1"}, body, SINCE))


def test_readings_exist_for_every_impact_read_of_catalog() -> None:
    """Every impact read in the catalog can be called and has readings for its action."""
    for action in ACTIONS:
        command = Command(action, {p.api: "x" for p in action.params})
        for api in action.impact_reads:
            read = by_api(api)
            given = sights.narrowing_params(command, read)
            assert read.effect is Effect.READ
            assert list(sights.describe(read, given, None, SINCE)), action.api
            asked = sights.complete_params(read, given, SINCE)
            assert {p.api for p in read.params if p.required} <= asked.keys()
            for tells in read.readings:
                assert tells.words.count("{}") == len(tells.fields)
                assert set(tells.given) | set(tells.not_given) <= {p.api for p in read.params}


async def test_readings_appear_on_sandbox_card(tmp_path: Path) -> None:
    """In the sandbox the card shows a domain's live streams and the case."""
    async with sandbox(tmp_path, socket=False, limits=False) as world:
        root = await card(world, f"domain {DOMAIN} case=INC-42")

    assert (
        "Streams that are live there now, on its path live: `2`; other paths are not counted."
        in root.text
    )
    assert "case `INC-42`" in root.text


# --- whether it is being recorded ------------------------------------------------------


async def recorded(
    store: Store, body: dict[str, Json], text: str = "stop live stream1", policy: str = POLICY
) -> tuple[str, list[Command]]:
    """Ask at the time SINCE; give the card, and how the recordings were read."""
    cloud = FakeCloud(bodies=ONLINE | {"DescribeRecordTask": body})
    async with built(store, policy=policy, cloud=cloud, clock=lambda: SINCE) as house:
        operation = await house.run(text, verb=None)
        assert operation.state is State.WAITING
    return shown(operation), [c for c in cloud.sent if c.action.api == "DescribeRecordTask"]


async def test_readings_name_recording_tasks_on_card(quick_store: Store) -> None:
    """The card names the tasks that record the stream, read in a window around now."""
    other = TASK | {"TaskId": "<task-2>", "EndTime": int(SINCE) + 1}
    text, (read,) = await recorded(quick_store, {"TaskList": [TASK, other], "ScrollToken": ""})

    assert "Being recorded now, by the tasks `task-1, &lt;task-2&gt;`." in text
    assert read.region == "ap-guangzhou"
    assert read.params == {
        "StreamName": "stream1",
        "DomainName": "push.example.com",
        "AppName": "live",
        "StartTime": int(SINCE) - 25 * 3600,
        "EndTime": int(SINCE) + 25 * 3600,
    }


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"TaskList": []}, UNRECORDED),
        ({"TaskList": None, "ScrollToken": None}, UNRECORDED),
        ({"TaskList": [TASK | {"Stopped": 1_795_168_700}]}, UNRECORDED),
        ({"TaskList": [TASK | {"EndTime": int(SINCE)}]}, UNRECORDED),
        ({"TaskList": [TASK | {"StartTime": int(SINCE) + 1}]}, UNRECORDED),
        ({}, UNKNOWN),
        ({"TaskList": "x"}, UNKNOWN),
        ({"TaskList": ["x"]}, UNKNOWN),
        ({"TaskList": [TASK | {"Stopped": None}]}, UNKNOWN),
        ({"TaskList": [TASK | {"TaskId": ""}]}, UNKNOWN),
        ({"TaskList": [TASK | {"EndTime": "soon"}]}, UNKNOWN),
        ({"TaskList": [], "ScrollToken": "more"}, UNKNOWN),
    ],
)
def test_readings_tell_no_recording_from_unknown(body: dict[str, Json], says: str) -> None:
    """The reading tells a stream that no task records from one whose tasks are unknown."""
    read = by_api("DescribeRecordTask")
    (told,) = sights.describe(read, {"StreamName": "stream1"}, body, SINCE)

    assert told.words.startswith(says)
    assert not told.values


def test_readings_omit_stopped_recording_tasks() -> None:
    """A stopped recording task is not named beside a running one."""
    read = by_api("DescribeRecordTask")
    rows: list[Json] = [TASK | {"TaskId": "old", "Stopped": 1}, TASK]
    body: dict[str, Json] = {"TaskList": rows, "ScrollToken": "more"}

    assert list(sights.describe(read, {"StreamName": "stream1"}, body, SINCE)) == [
        Reading(RECORDED, ("task-1",))
    ]


@pytest.mark.parametrize(
    "text",
    [
        "stop live s",
        "stop ban s",
        "start live s",
        "start pad s",
        "stop pad s",
        "start delay s seconds=9",
        "stop delay s",
    ],
)
async def test_readings_show_recording_for_every_stream_action(
    quick_store: Store, text: str
) -> None:
    """The card of every action on a stream says whether the stream is being recorded."""
    policy = POLICY.replace('actions: ["Drop*"], approval', 'actions: ["*Stream"], approval')
    shows, (read,) = await recorded(quick_store, {"TaskList": [TASK]}, text, policy)

    assert "Being recorded now, by the tasks `task-1`." in shows
    assert (read.params["StreamName"], read.params["DomainName"]) == ("s", "push.example.com")


@pytest.mark.parametrize(
    ("site", "default", "configured", "near", "region"),
    [
        ("mainland", "", "", "", "ap-guangzhou"),
        ("mainland", "", "ap-singapore", "", "ap-guangzhou"),
        ("intl", "", "", "", None),
        ("intl", "", "ap-beijing", "", None),
        ("intl", "", "ap-singapore", "", "ap-singapore"),
        ("intl", "ap-tokyo", "ap-singapore", "", "ap-tokyo"),
        ("intl", "ap-tokyo", "", "ap-seoul", "ap-seoul"),
    ],
)
def test_vocabulary_selects_region_for_implicit_read(
    site: Site, default: str, configured: str, near: str, region: str | None
) -> None:
    """A read that the bot makes by itself uses a region that its site offers, or none."""
    defaults: dict[str, dict[str, str | int | bool]] = {"record-task": {"Region": default}}
    vocabulary = Vocabulary(ACTIONS, defaults if default else {}, {}, configured, {"live": site})

    assert vocabulary.region_to_read(by_api("DescribeRecordTask"), "", near) == region
    assert vocabulary.region_to_read(by_api("DescribeLiveStreamState"), "", near) == ""


async def test_readings_skip_read_without_region(
    quick_store: Store,
) -> None:
    """Without a region the recording is not read, and the operation can still be confirmed."""
    load = loader(source="policy.yml", sites={"live": "intl"}, region="", now=SINCE)
    async with built(quick_store) as house:
        house.rules[0] = load(POLICY)
        operation = await house.run("live stream1")
        assert UNKNOWN in shown(operation)
        assert not [c for c in house.cloud.sent if c.action.api == "DescribeRecordTask"]
        assert (await house.decide(operation.id, Choice.CONFIRM, ALICE)).counts
        assert (await house.ended(operation.id)).state is State.ACCEPTED


async def test_readings_show_recording_on_sandbox_card(tmp_path: Path) -> None:
    """In the sandbox the card names the task that records the stream."""
    async with sandbox(tmp_path, socket=False, limits=False) as world:
        root = await card(world, "ban stream2 for=1h", "Confirm")

    assert "Being recorded now, by the tasks `recording-1`." in root.text


async def card(world: Sandbox, text: str, label: str = "Approve") -> Any:
    channel = world.slack.channels[INCIDENTS]
    await world.slack.person("U0ALICE").slash("/stopstream", text, INCIDENTS)
    return await world.slack.wait_for(
        lambda: next((m for m in channel.roots if label in m.buttons()), None)
    )


# --- case and runbook ------------------------------------------------------------------


async def test_case_appears_in_messages_and_audit_log(house: House) -> None:
    """The case is on the card, the thread reply, the audit line and the audit records."""
    operation = await house.run("live stream1 case=INC-42")
    await house.decide(operation.id, Choice.CONFIRM, ALICE)
    ended = await house.ended(operation.id)
    action = by_api("DropLiveStream")

    assert ended.case == "INC-42"
    for message in (
        cards.card(operation, action),
        cards.card(ended, action),
        endings.ending(ended, action),
        audit_line.audit_line(ended, action),
    ):
        assert "ase `INC-42`" in message.text
    with house.store.audit_log.records(operation=operation.id) as records:
        bodies = [record.body for record in records if record.kind != "delivered"]
    assert all('"case":"INC-42"' in body for body in bodies)


async def test_case_of_channel_yields_to_typed_case(house: House) -> None:
    """A channel's own case is used unless the command names another."""
    assert (await house.run("live a")).case == "INC-7"
    assert (await house.run("live b --case TICKET/9")).case == "TICKET/9"
    house.directory.channels["C0ELSE"] = house.directory.channels["C0INC"]
    assert (await house.run("live c", channel="C0ELSE")).case == ""


async def test_search_finds_operation_by_case(store: Store) -> None:
    """A search by case and user finds the operation with that case alone."""
    async with built(store, policy=POLICY) as house:
        wanted = await house.run("live a case=INC-42")
        await house.run("live b")
    found = await store.operations.search(Search(case="INC-42", user="U0ALICE"), 10)

    assert [one.id for one in found] == [wanted.id]


@pytest.mark.parametrize("case", ["<!here>", "'a b'", "-x", "x" * 65, "a\u202eb"])
async def test_case_refuses_invalid_text(house: House, case: str) -> None:
    """An invalid case is refused as a mistake in the command."""
    reply = await house.ask(f"live stream1 case={case}")

    assert isinstance(reply, Invalid)
    assert "case" in reply.error.sentence


async def test_runbook_of_target_wins_over_rule(house: House) -> None:
    """A runbook for the target wins over the runbook of the rule."""
    main, other = await house.run("live main-1"), await house.run("live other")

    assert "<https://wiki.example.com/main?a=1&amp;b=2|runbook>" in shown(main)
    assert "<https://wiki.example.com/drop|runbook>" in shown(other)
    assert "runbook" not in shown(await house.run("domain push.example.com"))


@pytest.mark.parametrize(
    "address",
    [
        "http://a.example",
        "https://a.example/x|y",
        "https://a@b.example",
        "javascript:x",
        "https://",
    ],
)
async def test_runbook_link_requires_plain_https_url(house: House, address: str) -> None:
    """A stored runbook that is not a plain HTTPS URL is not rendered as a link."""
    operation = await house.run("live stream1")
    forged = replace(operation, runbook=address)

    assert annotations.runbook_link(forged) == ""


# --- asking somebody who may ---------------------------------------------------------------


async def refused(house: House, text: str = "live stream1", **more: Any) -> Operation:
    operation = await house.run(text, MALLORY, **more)
    assert operation.state is State.DENIED
    return operation


async def press(house: House, operation: Operation, actor: Any = MALLORY) -> Any:
    asked = Invocation("press", actor, Place("C0INC"), "", Via.BUTTON, None)
    return await house.service.request(operation.id, asked)


async def requested(house: House) -> Operation:
    reply = await press(house, await refused(house))
    assert isinstance(reply, Accepted), reply
    waits = await house.engine.ending(reply.operation.id)
    await house.courier.drain()
    assert waits.state is State.WAITING
    return await house.now(waits.id)


async def test_denial_names_roles_and_offers_access_request(house: House) -> None:
    """A denial names the roles that may act and offers a button to ask them."""
    operation = await refused(house)
    message = endings.private_reply(operation, by_api("DropLiveStream"))

    assert "Ask someone in oncall or leads." in message.text
    assert "You can ask someone in `leads` to let it through" in message.text
    (button,) = message.blocks[1]["elements"]
    assert (button["action_id"], button["value"]) == ("request", operation.id)


@pytest.mark.parametrize("text", ["domain push.example.com", "ban vip-1", "car u-1", "car x"])
async def test_denial_offers_no_request_unless_policy_allows(house: House, text: str) -> None:
    """A denial offers no access request where the policy does not allow one."""
    operation = await refused(house, text)
    message = endings.private_reply(operation, action_of(operation))
    reply = await press(house, operation)

    assert len(message.blocks) == 1
    assert not isinstance(reply, Accepted)


async def test_denial_in_direct_message_offers_no_request(house: House) -> None:
    """A denial in a direct message offers nobody to ask."""
    house.directory.channels["D0MALLORY"] = house.directory.channels["C0INC"]
    operation = await refused(house, channel="D0MALLORY")

    assert operation.approvals.request_from == ()


async def test_access_request_waits_for_permitted_approver(house: House) -> None:
    """An access request says why the requester may not, and runs only on a lead's approval."""
    operation = await requested(house)
    text = shown(operation)

    assert "<@U0MALLORY> may not do this themselves, they have no role." in text
    assert "someone in `leads`" in text
    assert operation.approvals.people == ("U0BOB",)
    assert not house.heard(MessageKind.ENDING)
    for actor, choice in (
        (MALLORY, Choice.APPROVE),
        (ALICE, Choice.APPROVE),
        (MALLORY, Choice.CONFIRM),
    ):
        assert not (await house.decide(operation.id, choice, actor)).counts
    assert not (await house.decide(operation.id, Choice.EMERGENCY, MALLORY, "now")).counts
    assert [c for c in house.cloud.sent if c.action.effect is not Effect.READ] == []

    assert (await house.decide(operation.id, Choice.APPROVE, BOB)).counts
    ended = await house.ended(operation.id)
    assert ended.state is State.ACCEPTED
    with house.store.audit_log.records(operation=operation.id) as records:
        bodies = {record.kind: record.body for record in records}
    assert f'"request_of":"{operation.origin.request_of}"' in bodies["asked"]
    assert '"lacks":"they have no role"' in bodies["ended"]
    assert (
        "may not do this themselves" in audit_line.audit_line(ended, by_api("DropLiveStream")).text
    )


async def test_access_request_skips_reads_requester_lacks(house: House) -> None:
    """An access request makes no read that the requester may not make."""
    operation = await requested(house)
    text = shown(operation)

    assert house.cloud.sent == []
    assert operation.preview.state == ""
    assert "push.example.com/live" not in text
    assert "Not shown, as whoever asks may not read it: `DescribeLiveStreamState, " in text
    assert (await house.decide(operation.id, Choice.APPROVE, BOB)).counts


async def test_access_request_shows_permitted_readings(house: House) -> None:
    """An access request shows the state and readings that the requester may read."""
    refusal = await house.run("ban stream1", ALICE)
    reply = await press(house, refusal, ALICE)
    waits = await house.engine.ending(reply.operation.id)

    assert refusal.state is State.DENIED
    assert waits.preview.state == "active"
    assert "Live since" in shown(waits)
    assert "Not shown" not in shown(waits)


async def test_access_request_is_created_once_by_requester_only(house: House) -> None:
    """Only the denied user can request access, and repeated clicks make one request."""
    operation = await refused(house)
    other = await press(house, operation, ALICE)
    replies = await asyncio.gather(*(press(house, operation) for _ in range(5)))

    assert not isinstance(other, Accepted)
    assert [reply.again for reply in replies].count(False) == 1
    assert len({reply.operation.id for reply in replies}) == 1
    assert not isinstance(await press(house, replies[0].operation), Accepted)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (State.ASKED, "It is under way; see <https://a.slack.com/archives/C/p1|its card>."),
        (State.WAITING, "It waits on <https://a.slack.com/archives/C/p1|its card>."),
        (State.ACCEPTED, "see <https://a.slack.com/archives/C/p1|its card>."),
    ],
)
async def test_access_request_repeat_links_to_first_card(
    house: House, state: State, said: str
) -> None:
    """A repeated access request is answered with the state and the card of the first."""
    operation = replace(await refused(house), state=state)
    action = by_api(operation.api)
    there = replies.asked_before(operation, action, "https://a.slack.com/archives/C/p1").text
    nowhere = replies.asked_before(operation, action).text

    assert there.startswith("You asked this already: ")
    assert said in there
    assert "slack.com" not in nowhere
    assert "twice" not in there + nowhere


async def test_access_request_is_denied_if_policy_drops_requests(house: House) -> None:
    """An access request is denied if the policy no longer allows it at the click."""
    operation = await refused(house)
    house.policy(POLICY.replace("requests: true", "requests: false"))
    reply = await press(house, operation)
    ended = await house.ended(reply.operation.id)

    assert ended.state is State.DENIED
    assert "lets nobody ask" in ended.detail
    assert len(endings.private_reply(ended, by_api("DropLiveStream")).blocks) == 1


async def test_access_request_approval_rechecks_policy(house: House) -> None:
    """Approving does not run a request that the policy no longer allows."""
    operation = await requested(house)
    house.policy(POLICY.replace("approval: confirm, requests: true", "approval: confirm"))
    settled = await house.decide(operation.id, Choice.APPROVE, BOB)

    assert not settled.counts
    assert (await house.now(operation.id)).state is not State.ACCEPTED
    assert [c for c in house.cloud.sent if c.action.effect is not Effect.READ] == []


async def test_access_request_does_not_bypass_new_limit(house: House) -> None:
    """An access request does not bypass a policy limit that was added while it waited."""
    operation = await requested(house)
    limit = "limits:\n  - {actions: [DropLiveStream], approval: second-person}"
    house.policy(POLICY.replace("limits:", limit))
    assert not (await house.decide(operation.id, Choice.APPROVE, BOB)).counts
    assert [c for c in house.cloud.sent if c.action.effect is not Effect.READ] == []


async def test_access_request_runs_after_approval_in_sandbox(tmp_path: Path) -> None:
    """In the sandbox a denied user requests access and a lead's approval runs the stop."""
    async with sandbox(tmp_path, socket=False, limits=False) as world:
        slack, channel = world.slack, world.slack.channels[INCIDENTS]
        mallory = slack.person("U0MALLORY")
        await mallory.slash("/stopstream", "live stream1", INCIDENTS)
        denial = await slack.wait_for(
            lambda: next((m for m in slack.ephemerals("U0MALLORY") if m.buttons()), None)
        )
        button = denial.buttons()["Ask somebody who may"]
        await mallory.click(button, denial, INCIDENTS)
        root = await slack.wait_for(
            lambda: next((m for m in channel.roots if "Approve" in m.buttons()), None)
        )
        await slack.wait_for(lambda: not denial.buttons())
        assert denial.text.startswith("Asked: ")
        await mallory.click(button, denial, INCIDENTS)
        await slack.wait_for(lambda: "You asked this already" in denial.text)
        assert f"It waits on <https://sandbox.slack.com/archives/{INCIDENTS}/p" in denial.text
        assert "<@U0MALLORY> may not do this themselves" in root.text
        await slack.person("U0BOB").press("Approve", root, INCIDENTS)
        thread = await slack.wait_for(lambda: channel.thread(root.ts))

    assert "Accepted" in thread[0].text
