"""Before a press: what it will touch, its case, its runbook, and somebody who may."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bot.catalog import readings as sights
from bot.catalog.registry import ACTIONS, by_api
from bot.cli.demo import DOMAIN
from bot.commands.vocabulary import Vocabulary
from bot.errors import NoAnswerError
from bot.model.actions import Effect, Json, Reading, Site
from bot.model.commands import Command
from bot.model.operations import Answer, Choice, Search, State
from bot.model.ports import always
from bot.operations.results import Accepted, Invalid
from bot.policy.loader import loader
from bot.storage.store import Store
from handlers.messages import annotations, audit_line, cards, endings
from tests.conftest import House, built
from tests.support.fakes import ALICE, FakeCloud
from tests.support.previews import ONLINE, POLICY, ROW, SINCE, UNKNOWN, card, shown
from tests.support.worlds import sandbox


@pytest.fixture
async def house(quick_store: Store) -> AsyncIterator[House]:
    async with built(quick_store, policy=POLICY, cloud=FakeCloud(bodies=dict(ONLINE))) as one:
        yield one


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
    assert text.startswith("✋ *Stop `stream1`")
    (read,) = [c for c in house.cloud.sent if c.action.api == "DescribeLiveStreamOnlineList"]
    assert read.params == operation.params


async def test_readings_list_live_streams_on_domain_card(house: House) -> None:
    """A domain's card counts and names the streams that are live there."""
    operation = await house.run("domain push.example.com")
    text = shown(operation)

    assert "Live there now, on the path live: `2` (other paths are not counted)." in text
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

    async def call(self, command: Command, may_leave: Callable[[], bool] = always) -> Answer:
        if command.action.effect is Effect.READ:
            await asyncio.sleep(self.patience)
            raise NoAnswerError("No answer.")
        return await super().call(command, may_leave)


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

    assert "Live there now, on the path live: `2` (other paths are not counted)." in root.text
    assert "case `INC-42`" in root.text


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
