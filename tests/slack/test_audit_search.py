"""Reading the trail in Slack: who sees what, page after page, and as a file."""

import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.catalog.registry import ACTIONS
from bot.cli.demo import INCIDENTS, Sandbox
from bot.commands.parsed import Audit
from bot.commands.parser import parse
from bot.commands.vocabulary import Vocabulary
from bot.errors import ParseError
from bot.model.actions import Effect
from bot.model.commands import Via
from bot.model.operations import Operation, Search, State
from bot.model.people import Actor, Place
from bot.operations.results import SearchPage
from bot.sandbox.slack import block_kit as blockkit
from bot.sandbox.slack.entities import Message
from handlers.messages import search_results
from tests.support.worlds import sandbox

VOCABULARY = Vocabulary(ACTIONS, {}, {}, "", {})
OTHER = "C0OTHER"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with sandbox(tmp_path, socket=False, limits=False) as built:
        built.slack.channel(OTHER, "other", "U0BOB", "U0MALLORY")
        yield built


async def ran(world: Sandbox, count: int) -> None:
    """Stop streams, and wait for the endings."""
    channel = world.slack.channels[INCIDENTS]
    for number in range(count):
        await world.slack.person("U0ALICE").slash("/stopstream", f"live stream{number}")
    await world.slack.wait_for(
        lambda: len([m for m in channel.messages if m.thread_ts]) >= count, timeout=60
    )


async def answer(world: Sandbox, user: str, seen: int) -> Message:
    """Wait for the next thing that somebody alone is shown."""
    found: list[Message] = await world.slack.wait_for(
        lambda: found if len(found := world.slack.ephemerals(user)) > seen else None
    )
    return found[-1]


async def audit(world: Sandbox, user: str, text: str, channel: str = INCIDENTS) -> Message:
    seen = len(world.slack.ephemerals(user))
    await world.slack.person(user).slash("/stopstream", f"audit {text}", channel)
    return await answer(world, user, seen + 1)


def lines(message: Message) -> list[str]:
    return [line for line in message.text.splitlines() if line.startswith("•")]


async def test_audit_search_pages_and_exports_csv(world: Sandbox) -> None:
    """A search is paged, and its CSV export is sent directly and recorded in the audit log."""
    # Mistakes are answered with the ack, so no message waits for its turn in the channel.
    for number in range(17):
        await world.slack.person("U0ALICE").slash("/stopstream", f"lvie stream{number}")
    first = await audit(world, "U0BOB", "user=U0ALICE ending=invalid", OTHER)
    assert len(lines(first)) == 15
    assert set(first.buttons()) == {"Older", "As a CSV file"}

    bob = world.slack.person("U0BOB")
    seen = len(world.slack.ephemerals("U0BOB"))
    await bob.press("Older", first, OTHER)
    second = await answer(world, "U0BOB", seen)
    rest = lines(second)
    assert set(second.buttons()) == {"As a CSV file"}
    assert len(rest) == 2
    assert "stream0" in rest[-1]

    await bob.press("As a CSV file", second, OTHER)
    told = await answer(world, "U0BOB", seen + 1)
    assert "direct messages" in told.text
    (file,) = world.slack.files.values()
    assert file.channel == world.slack.direct("U0BOB").id
    rows = list(csv.DictReader(io.StringIO(file.content.decode())))
    states = {row["ending"] for row in rows}
    assert {row["user"] for row in rows} == {"U0ALICE"}
    assert states == {"invalid"}
    assert len(rows) == 17
    store = world.bot.store
    assert store is not None
    with store.audit_log.records() as records:
        (exported,) = [record.facts for record in records if record.kind == "exported"]
    assert (exported["user"], exported["records"]) == ("U0BOB", len(rows))
    assert exported["whole"] is True


async def test_audit_search_is_limited_without_role(
    world: Sandbox,
) -> None:
    """Without the audit permission, users see their own operations and the channel's."""
    await ran(world, 2)
    await world.slack.person("U0MALLORY").slash("/stopstream", "live mine", OTHER)
    await answer(world, "U0MALLORY", 0)

    here = await audit(world, "U0MALLORY", "", INCIDENTS)
    there = await audit(world, "U0MALLORY", "", OTHER)
    whole = await audit(world, "U0BOB", "", OTHER)
    bobs = await audit(world, "U0ALICE", "target=mine", OTHER)

    assert len(lines(here)) == 3
    assert len(lines(there)) == 1
    assert "Denied" in lines(there)[0]
    assert len(lines(whole)) == 3
    assert lines(bobs) == []


OUTSIDERS: list[dict[str, Any]] = [
    {"is_restricted": True},
    {"is_ultra_restricted": True},
    {"deleted": True},
    {"is_stranger": True},
    {"team_id": "T0ELSEWHERE"},
    {"is_bot": True},
]


@pytest.mark.parametrize("given", OUTSIDERS)
async def test_audit_search_is_empty_for_outsiders(world: Sandbox, given: dict[str, Any]) -> None:
    """Guests, bots, deactivated and foreign users see no records and get no file."""
    world.slack.user("U0EVE", "eve", **given)
    world.slack.channels[INCIDENTS].members.add("U0EVE")
    await ran(world, 1)
    told = await audit(world, "U0EVE", "")
    assert lines(told) == []
    assert told.buttons() == {}
    assert "use this bot" in told.text or "Guests" in told.text or "deactivated" in told.text

    theirs = await audit(world, "U0ALICE", "")
    seen = len(world.slack.ephemerals("U0EVE"))
    await world.slack.person("U0EVE").press("As a CSV file", theirs, INCIDENTS)
    refused = await answer(world, "U0EVE", seen)
    assert refused.text == told.text
    assert world.slack.files == {}


async def test_audit_search_rechecks_permission(world: Sandbox) -> None:
    """A file requested after the permission was revoked contains no records."""
    await ran(world, 2)
    first = await audit(world, "U0BOB", "", OTHER)
    world.policy.write_text(world.policy.read_text().replace("audit: true", "audit: false"))
    await world.slack.wait_for(lambda: _unread(world))
    seen = len(world.slack.ephemerals("U0BOB"))

    await world.slack.person("U0BOB").press("As a CSV file", first, OTHER)
    await answer(world, "U0BOB", seen)

    (file,) = world.slack.files.values()
    assert len(file.content.decode().splitlines()) == 1


def _unread(world: Sandbox) -> bool:
    world.slack.changed()
    return not world.bot.policy.value.policy.roles["leads"].audit


# --- what is typed and pressed -------------------------------------------------------------


_DECORATED = (
    *("stream1,", "stream1.", "*stream1*", "_stream1_", "`stream1`", "(stream1)", "[stream1];"),
    *("「stream1」", "~stream1~", "*_stream1_*,", "stream1，", "stream1。", "<stream1>"),
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("audit user=<@U0BOB|bob> since=7d", Audit(604_800.0, "U0BOB")),
        ("audit user=@U0BOB", Audit(user="U0BOB")),
        ("audit <@U0BOB|bob>", Audit(user="U0BOB")),
        ("audit <@U0BOB> since 7 days please", Audit(604_800.0, "U0BOB")),
        ("audit user = <@U0BOB>, 7d", Audit(604_800.0, "U0BOB")),
        ("audit user=me", Audit(user="me")),
        ("audit me", Audit(user="me")),
        ("audit user=alice", Audit(name="alice")),
        ("audit user=@Alice.", Audit(name="Alice")),
        ("audit @alice since 7d", Audit(604_800.0, name="alice")),
        ("audit 7d for @alice please", Audit(604_800.0, name="alice")),
        ('audit user="Alice Doe"', Audit(name="Alice Doe")),
        ("audit from alice", Audit(name="alice")),
        ("audit by alice", Audit(name="alice")),
        ("audit action=dropLIVEstream", Audit(apis=("DropLiveStream",))),
        ("audit --target prod-* ending=Failed", Audit(target="prod-*", state=State.FAILED)),
        ("audit case=INC-42", Audit(case="INC-42")),
        *((f"audit target={one}", Audit(target="stream1")) for one in _DECORATED),
        ("audit target: stream1, since=7d.", Audit(604_800.0, target="stream1")),
        *((f"audit target={one}", Audit(target="prod-*")) for one in ("prod-*,", "(prod-*)")),
        *(
            (f'audit target="{one}"', Audit(target=one))
            for one in ("stream1,", "*a*", "a,b", "a*b")
        ),
        ("audit target=-a_b==", Audit(target="-a_b==")),
        ("audit target=stream1?txSecret=5ECRE7&txTime=1", Audit(target="stream1")),
        ("audit target=rtmp://push.a.b/live/stream1?txSecret=5ECRE7", Audit(target="stream1")),
        ("audit ending=*failed*, case=(INC-42).", Audit(state=State.FAILED, case="INC-42")),
        (
            "audit action=`ban`; account=europe.",
            Audit(apis=("ForbidLiveStream",), account="europe"),
        ),
    ],
)
def test_audit_search_parses_filters(text: str, wanted: Audit) -> None:
    """The filters of a search are parsed."""
    assert parse(text, verb=Effect.STOP, vocabulary=VOCABULARY, now=0.0) == wanted


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("audit user=@", "user=@", "write their name"),
        ("audit action=livee", "livee", 'Did you mean "live"'),
        ("audit ending=acepted", "acepted", 'Did you mean "accepted"'),
        ("audit user=@U0A user=@U0B", "user=@U0B", "one since="),
        ("audit stream1", "stream1", "one since="),
        ("audit target=", "target=", "no value"),
        *((f"audit target={one}", f"target={one}", "no value") for one in (",", "...")),
        *((f"audit target={one}", f"target={one}", "one target") for one in ("a,b", "a|b", "a、b")),
        ("audit target=rtmp://push.a.b/x", "target=rtmp://push.a.b/x", "names no stream"),
        *((f"audit target={one}", f"target={one}", "at the end") for one in ("*a", "a*b", "*a-*b")),
        *((f"audit target={one}", f"target={one}", "without marks") for one in ("(a", "a]", "#a")),
        ("audit case=a|b", "case=a|b", "not the name of a case"),
    ],
)
def test_audit_search_marks_invalid_filter(text: str, place: str, says: str) -> None:
    """An invalid filter is reported at its position in the text."""
    with pytest.raises(ParseError, match=says) as raised:
        parse(text, verb=Effect.STOP, vocabulary=VOCABULARY, now=0.0)

    assert raised.value.text[raised.value.start : raised.value.end] == place


@pytest.mark.parametrize(
    ("text", "offers"),
    [
        (
            "audit alice",
            {"What alice asked": "audit user=alice", "What ran on alice": "audit target=alice"},
        ),
        (
            "audit stream1 7d",
            {
                "What ran on stream1": "audit target=stream1 7d",
                "What stream1 asked": "audit user=stream1 7d",
            },
        ),
        ("audit ban", {"What ran of ForbidLiveStream": "audit action=ban"}),
        ("audit failed", {"What ended failed": "audit ending=failed"}),
    ],
)
def test_bare_word_of_a_search_is_asked_about(text: str, offers: dict[str, str]) -> None:
    """A word without its filter is answered by a button for each filter that it may be for."""
    with pytest.raises(ParseError) as raised:
        parse(text, verb=Effect.STOP, vocabulary=VOCABULARY, now=0.0)

    found = {one.label: one.text for one in raised.value.commands}
    assert list(found.items())[: len(offers)] == list(offers.items())


async def test_audit_search_finds_a_person_by_name(world: Sandbox) -> None:
    """One person is meant by a name in any case, and their operations are found."""
    await world.slack.person("U0BOB").slash("/stopstream", "lvie bobs")
    await world.slack.person("U0ALICE").slash("/stopstream", "lvie alices")

    for text in ("user=ALICE", "@alice", "user=@Alice"):
        found = await audit(world, "U0BOB", text)
        assert "alices" in found.text
        assert "bobs" not in found.text


async def test_audit_search_asks_which_of_several_people_is_meant(world: Sandbox) -> None:
    """Several people of one name are named, with a button each, which shows what they asked."""
    world.slack.user("U0ALICE2", "alice.doe", real_name="ALICE")
    await world.slack.person("U0ALICE").slash("/stopstream", "lvie alices")

    asked = await audit(world, "U0BOB", "user=alice ending=invalid")
    assert (
        "Several people are called `alice`: <@U0ALICE> (`alice`), <@U0ALICE2> (`alice.doe`)"
        in asked.text
    )
    bob, seen = world.slack.person("U0BOB"), len(world.slack.ephemerals("U0BOB"))
    assert list(asked.buttons()) == ["Alice (alice)", "ALICE (alice.doe)"]
    await bob.press("Alice (alice)", asked, INCIDENTS)
    found = await answer(world, "U0BOB", seen)

    assert "alices" in found.text


@pytest.mark.parametrize(
    ("user", "says"), [("U0BOB", "Nobody here is called `zoe`"), ("U0EVE", "uest")]
)
async def test_audit_search_by_unknown_name_or_by_outsider(
    world: Sandbox, user: str, says: str
) -> None:
    """A name that nobody has is told; a guest is not told who has one."""
    world.slack.user("U0EVE", "eve", is_restricted=True)
    world.slack.channels[INCIDENTS].members.add("U0EVE")
    name = "zoe" if user == "U0BOB" else "alice"

    told = await audit(world, user, f"user={name}")

    assert says in told.text
    assert "U0ALICE" not in told.text


async def test_audit_search_by_name_while_slack_refuses_the_list(world: Sandbox) -> None:
    """Where Slack does not list its users, the answer says what to write instead."""
    world.slack.faults.refuse("users.list", "missing_scope")

    told = await audit(world, "U0BOB", "user=alice")

    assert "Mention the person instead" in told.text


searches = st.builds(
    Search,
    since=st.floats(0, 4e9),
    user=st.text(max_size=20),
    apis=st.lists(st.text(max_size=20), max_size=3).map(tuple),
    target=st.text(max_size=40),
    state=st.none() | st.sampled_from(State),
    case=st.text(max_size=20),
)


@given(searches, st.floats(0, 4e9), st.text(min_size=1, max_size=20))
def test_audit_search_button_round_trips(search: Search, at: float, id_: str) -> None:
    """A search packed into a button is unpacked unchanged, with its page cursor."""
    assert search_results.decode_search(search_results.encode_search(search, None)) == search
    found = search_results.decode_search(search_results.encode_search(search, (at, id_)))
    assert found is not None
    assert found.before == (at, id_)


odd = st.none() | st.text() | st.integers() | st.floats() | st.lists(st.text(), max_size=2)


@given(st.text() | st.lists(odd, max_size=8).map(json.dumps))
def test_audit_search_button_rejects_forged_value(value: str) -> None:
    """A forged button value is rejected, or is unpacked without a reader."""
    found = search_results.decode_search(value)

    assert found is None or not found.reader


def operation(number: int, target: str) -> Operation:
    return Operation(
        id=f"op{number}",
        key=f"key{number}",
        state=State.FAILED,
        actor=Actor("T0HOME", "U0ALICE"),
        place=Place("C0INC"),
        via=Via.COMMAND,
        text="",
        asked_at=1_700_000_000.0 + number,
        api="StartPublishStream",
        params={"UserId": target, "PublishStreamArgs": "txSecret=5ECRE7"},
        target=target,
        code="InternalError",
        request_id="r1",
    )


@given(st.lists(st.text(max_size=60), min_size=1, max_size=15), st.booleans())
def test_audit_search_page_is_valid_for_slack(targets: list[str], older: bool) -> None:
    """Any page of results has valid blocks, and no secret is in it or its CSV file."""
    found = SearchPage(Search(), tuple(operation(n, t) for n, t in enumerate(targets)), older)
    message = search_results.page(found)

    assert blockkit.problems(list(message.blocks)) == []
    assert "5ECRE7" not in message.text
    assert "5ECRE7" not in search_results.csv_file(found.operations)
