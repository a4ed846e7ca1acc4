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
from bot.commands.parser import Vocabulary
from bot.errors import NoAnswerError
from bot.model.actions import Effect, Json, Reading, Site
from bot.model.commands import Command, Invocation, Via
from bot.model.messages import MessageKind
from bot.model.operations import Answer, Choice, Operation, Search, State
from bot.model.people import Place
from bot.operations.service import Accepted, Invalid
from bot.policy.loader import loader
from bot.storage.store import Store
from handlers.messages import annotations as beside
from handlers.messages import cards
from handlers.messages import replies as receipts
from tests.conftest import House, built
from tests.fakes import ALICE, BOB, MALLORY, FakeCloud

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


async def test_a_card_shows_since_when_it_is_live_and_where_it_is_pushed(house: House) -> None:
    operation = await house.run("live stream1")
    text = shown(operation)

    assert operation.consent.readings[0] == (
        Reading("Live since {}, pushed to {}.", (SINCE, "push.example.com/live/stream1"))
    )
    assert f"Live since <!date^{SINCE:.0f}^" in text
    assert "pushed to `push.example.com/live/stream1`." in text
    assert "State when it was asked: `active`." in text
    (read,) = [c for c in house.cloud.sent if c.action.api == "DescribeLiveStreamOnlineList"]
    assert read.params == operation.params


async def test_a_domains_card_counts_and_names_what_is_live_there(house: House) -> None:
    operation = await house.run("domain push.example.com")
    text = shown(operation)

    assert "live there now, on its path live: `2`; other paths are not counted." in text
    assert "Among them: `stream1, &lt;b&gt;`." in text
    assert "Live since" not in text


async def test_what_was_shown_is_on_the_trail(house: House) -> None:
    operation = await house.run("live stream1")
    with house.store.records(operation=operation.id) as records:
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


@pytest.mark.parametrize("patience", [0.0, 60.0])
async def test_a_read_that_fails_is_said_so_and_holds_nothing_up_for_long(
    quick_store: Store, patience: float
) -> None:
    async with (
        asyncio.timeout(10),
        built(quick_store, policy=POLICY, cloud=Silent(patience)) as house,
    ):
        reply = await asyncio.wait_for(house.ask("live stream1"), 1.0)
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
def test_an_answer_without_what_is_told_tells_nothing(body: dict[str, Json]) -> None:
    read = by_api("DescribeLiveStreamOnlineList")

    assert not list(sights.describe(read, {"StreamName": "stream1"}, body, SINCE))


def test_every_read_that_is_named_tells_something_about_what_names_it() -> None:
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


async def test_the_demo_shows_it_in_slack(tmp_path: Path) -> None:
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


async def test_a_card_says_by_which_tasks_a_stream_is_being_recorded(quick_store: Store) -> None:
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
def test_no_recording_is_told_from_none_that_is_known(body: dict[str, Json], says: str) -> None:
    read = by_api("DescribeRecordTask")
    (told,) = sights.describe(read, {"StreamName": "stream1"}, body, SINCE)

    assert told.words.startswith(says)
    assert not told.values


def test_what_was_stopped_is_not_named_beside_what_runs() -> None:
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
async def test_every_action_on_a_stream_says_whether_it_is_recorded(
    quick_store: Store, text: str
) -> None:
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
def test_a_read_that_nobody_typed_finds_its_region(
    site: Site, default: str, configured: str, near: str, region: str | None
) -> None:
    defaults: dict[str, dict[str, str | int | bool]] = {"record-task": {"Region": default}}
    vocabulary = Vocabulary(ACTIONS, defaults if default else {}, {}, configured, {"live": site})

    assert vocabulary.region_to_read(by_api("DescribeRecordTask"), "", near) == region
    assert vocabulary.region_to_read(by_api("DescribeLiveStreamState"), "", near) == ""


async def test_without_a_region_nothing_is_read_and_the_press_still_works(
    quick_store: Store,
) -> None:
    load = loader(source="policy.yml", sites={"live": "intl"}, region="", now=SINCE)
    async with built(quick_store) as house:
        house.rules[0] = load(POLICY)
        operation = await house.run("live stream1")
        assert UNKNOWN in shown(operation)
        assert not [c for c in house.cloud.sent if c.action.api == "DescribeRecordTask"]
        assert (await house.decide(operation.id, Choice.CONFIRM, ALICE)).counts
        assert (await house.ended(operation.id)).state is State.ACCEPTED


async def test_the_demo_says_that_a_stream_is_being_recorded(tmp_path: Path) -> None:
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


async def test_a_case_stands_on_card_thread_audit_line_and_trail(house: House) -> None:
    operation = await house.run("live stream1 case=INC-42")
    await house.decide(operation.id, Choice.CONFIRM, ALICE)
    ended = await house.ended(operation.id)
    action = by_api("DropLiveStream")

    assert ended.case == "INC-42"
    for message in (
        cards.card(operation, action),
        cards.card(ended, action),
        cards.ending(ended, action),
        cards.audit_line(ended, action),
    ):
        assert "ase `INC-42`" in message.text
    with house.store.records(operation=operation.id) as records:
        bodies = [record.body for record in records if record.kind != "delivered"]
    assert all('"case":"INC-42"' in body for body in bodies)


async def test_a_channel_has_a_case_of_its_own_which_a_named_one_beats(house: House) -> None:
    assert (await house.run("live a")).case == "INC-7"
    assert (await house.run("live b --case TICKET/9")).case == "TICKET/9"
    house.directory.channels["C0ELSE"] = house.directory.channels["C0INC"]
    assert (await house.run("live c", channel="C0ELSE")).case == ""


async def test_a_case_is_searched_for_along_its_index(store: Store) -> None:
    async with built(store, policy=POLICY) as house:
        wanted = await house.run("live a case=INC-42")
        await house.run("live b")
    found = await store.search(Search(case="INC-42", user="U0ALICE"), 10)

    assert [one.id for one in found] == [wanted.id]


@pytest.mark.parametrize("case", ["<!here>", "'a b'", "-x", "x" * 65, "a\u202eb"])
async def test_what_is_no_case_is_a_mistake_with_its_place(house: House, case: str) -> None:
    reply = await house.ask(f"live stream1 case={case}")

    assert isinstance(reply, Invalid)
    assert "case" in reply.error.sentence


async def test_a_targets_own_runbook_stands_before_the_rules(house: House) -> None:
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
async def test_only_https_becomes_a_link(house: House, address: str) -> None:
    operation = await house.run("live stream1")
    forged = replace(operation, runbook=address)

    assert beside.runbook(forged) == ""


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


async def test_a_refusal_names_who_could_and_offers_to_ask_them(house: House) -> None:
    operation = await refused(house)
    message = cards.private(operation, by_api("DropLiveStream"))

    assert "Ask someone in oncall or leads." in message.text
    assert "You can ask someone in `leads` to let it through" in message.text
    (button,) = message.blocks[1]["elements"]
    assert (button["action_id"], button["value"]) == ("request", operation.id)


@pytest.mark.parametrize("text", ["domain push.example.com", "ban vip-1", "car u-1", "car x"])
async def test_where_the_policy_does_not_say_so_nobody_can_be_asked(
    house: House, text: str
) -> None:
    operation = await refused(house, text)
    message = cards.private(operation, action_of(operation))
    reply = await press(house, operation)

    assert len(message.blocks) == 1
    assert not isinstance(reply, Accepted)


async def test_where_nobody_else_reads_nobody_can_be_asked(house: House) -> None:
    house.directory.channels["D0MALLORY"] = house.directory.channels["C0INC"]
    operation = await refused(house, channel="D0MALLORY")

    assert operation.consent.request_from == ()


async def test_a_request_waits_for_somebody_who_may_and_says_who_may_not(house: House) -> None:
    operation = await requested(house)
    text = shown(operation)

    assert "<@U0MALLORY> may not do this themselves, they have no role." in text
    assert "someone in `leads`" in text
    assert operation.consent.people == ("U0BOB",)
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
    with house.store.records(operation=operation.id) as records:
        bodies = {record.kind: record.body for record in records}
    assert f'"request_of":"{operation.consent.request_of}"' in bodies["asked"]
    assert '"lacks":"they have no role"' in bodies["ended"]
    assert "may not do this themselves" in cards.audit_line(ended, by_api("DropLiveStream")).text


async def test_a_request_reads_nothing_that_its_asker_may_not(house: House) -> None:
    operation = await requested(house)
    text = shown(operation)

    assert house.cloud.sent == []
    assert operation.consent.state == ""
    assert "push.example.com/live" not in text
    assert "Not shown, as whoever asks may not read it: `DescribeLiveStreamState, " in text
    assert (await house.decide(operation.id, Choice.APPROVE, BOB)).counts


async def test_a_request_shows_what_its_asker_may_read(house: House) -> None:
    refusal = await house.run("ban stream1", ALICE)
    reply = await press(house, refusal, ALICE)
    waits = await house.engine.ending(reply.operation.id)

    assert refusal.state is State.DENIED
    assert waits.consent.state == "active"
    assert "Live since" in shown(waits)
    assert "Not shown" not in shown(waits)


async def test_a_refusal_is_asked_for_once_and_by_its_own_asker_alone(house: House) -> None:
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
async def test_a_second_press_says_where_the_first_one_stands(
    house: House, state: State, said: str
) -> None:
    operation = replace(await refused(house), state=state)
    action = by_api(operation.api)
    there = receipts.asked_before(operation, action, "https://a.slack.com/archives/C/p1").text
    nowhere = receipts.asked_before(operation, action).text

    assert there.startswith("You asked this already: ")
    assert said in there
    assert "slack.com" not in nowhere
    assert "twice" not in there + nowhere


async def test_rights_to_be_asked_that_are_gone_at_the_click_end_it(house: House) -> None:
    operation = await refused(house)
    house.policy(POLICY.replace("requests: true", "requests: false"))
    reply = await press(house, operation)
    ended = await house.ended(reply.operation.id)

    assert ended.state is State.DENIED
    assert "lets nobody ask" in ended.detail
    assert len(cards.private(ended, by_api("DropLiveStream")).blocks) == 1


async def test_rights_to_be_asked_that_are_gone_at_the_approval_end_it(house: House) -> None:
    operation = await requested(house)
    house.policy(POLICY.replace("approval: confirm, requests: true", "approval: confirm"))
    settled = await house.decide(operation.id, Choice.APPROVE, BOB)

    assert not settled.counts
    assert (await house.now(operation.id)).state is not State.ACCEPTED
    assert [c for c in house.cloud.sent if c.action.effect is not Effect.READ] == []


async def test_a_limit_that_comes_meanwhile_is_not_passed_by_a_request(house: House) -> None:
    operation = await requested(house)
    limit = "limits:\n  - {actions: [DropLiveStream], approval: second-person}"
    house.policy(POLICY.replace("limits:", limit))
    assert not (await house.decide(operation.id, Choice.APPROVE, BOB)).counts
    assert [c for c in house.cloud.sent if c.action.effect is not Effect.READ] == []


async def test_in_slack_a_stranger_asks_and_a_lead_lets_it_through(tmp_path: Path) -> None:
    async with sandbox(tmp_path, socket=False, limits=False) as world:
        slack, channel = world.slack, world.slack.channels[INCIDENTS]
        mallory = slack.person("U0MALLORY")
        await mallory.slash("/stopstream", "live stream1", INCIDENTS)
        denial = await slack.wait_for(
            lambda: next((m for m in slack.seen("U0MALLORY") if m.buttons()), None)
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
