"""Who someone is: what Slack says is remembered shortly, what it does not say is a no."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from bot.errors import DirectoryError
from bot.model.people import Actor, Person, Presence
from handlers.slack.directory import Directory
from tests.fake_slack import TEAM, FakeSlack, Fault, slack

ALICE = Actor(TEAM, "U0ALICE")
MEMBER: dict[str, Any] = {"team_id": TEAM, "tz": "Europe/Berlin", "deleted": False}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Office:
    slack: FakeSlack
    directory: Directory
    clock: Clock


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    async with slack() as (fake, client):
        clock = Clock()
        yield Office(fake, Directory(client, team=TEAM, clock=clock, patience=1.0), clock)


async def test_a_member_is_none_of_the_things_that_count_against_one(office: Office) -> None:
    office.slack.users["U0ALICE"] = MEMBER

    person = await office.directory.person(ALICE)

    assert person == Person("U0ALICE", TEAM, timezone="Europe/Berlin")


@pytest.mark.parametrize(
    ("said", "against"),
    [
        ({"is_bot": True}, "bot"),
        ({"is_restricted": True}, "guest"),
        ({"is_ultra_restricted": True}, "guest"),
        ({"deleted": True}, "deactivated"),
        ({"is_stranger": True}, "stranger"),
        ({"team_id": "T0OTHER"}, "stranger"),
        ({"deleted": "maybe"}, "deactivated"),
        ({"is_bot": None}, "bot"),
    ],
)
async def test_what_slack_says_against_someone_counts(
    office: Office, said: dict[str, Any], against: str
) -> None:
    office.slack.users["U0ALICE"] = MEMBER | said

    assert getattr(await office.directory.person(ALICE), against) is True


async def test_slackbot_is_a_bot_although_slack_does_not_say_so(office: Office) -> None:
    office.slack.users["USLACKBOT"] = MEMBER

    assert (await office.directory.person(Actor(TEAM, "USLACKBOT"))).bot


async def test_a_user_without_a_team_is_of_the_team_of_the_payload(office: Office) -> None:
    office.slack.users["U0ALICE"] = {"deleted": False}

    assert not (await office.directory.person(ALICE)).stranger
    assert (await office.directory.person(Actor("T0OTHER", "U0ALICE"))).stranger
    assert (await office.directory.person(Actor("", "U0ALICE"))).stranger


async def test_in_an_organisation_any_of_ones_workspaces_counts(office: Office) -> None:
    teams = {"enterprise_user": {"id": "U0ALICE", "teams": ["T0OTHER", TEAM]}}
    office.slack.users["U0ALICE"] = MEMBER | {"team_id": "T0OTHER"} | teams

    person = await office.directory.person(ALICE)

    assert (person.team, person.stranger) == (TEAM, False)


async def test_an_unknown_user_is_an_error_and_not_a_person(office: Office) -> None:
    with pytest.raises(DirectoryError, match="knows no such user"):
        await office.directory.person(ALICE)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("internal_error"),
        Fault("missing_scope"),
        Fault("ratelimited", status=429, headers={"Retry-After": "30"}),
        Fault(status=500, body="broken", content_type="text/html"),
        Fault(body="plain", content_type="text/plain"),
        Fault(body="{", content_type="application/json"),
        Fault(body="[1]"),
        Fault(body='{"ok": true, "user": "U0ALICE"}'),
        Fault(hangs_up=True),
    ],
)
async def test_whatever_goes_wrong_is_a_plain_sentence_and_is_not_remembered(
    office: Office, fault: Fault
) -> None:
    office.slack.users["U0ALICE"] = MEMBER
    # A reading whose connection breaks is sent once more by the HTTP client itself.
    office.slack.fails("users.info", *[fault] * (2 if fault.hangs_up else 1))

    with pytest.raises(DirectoryError) as caught:
        await office.directory.person(ALICE)

    assert str(caught.value).endswith((".", ")."))
    assert (await office.directory.person(ALICE)).user == "U0ALICE"


async def test_a_person_is_remembered_for_a_minute(office: Office) -> None:
    office.slack.users["U0ALICE"] = MEMBER
    await office.directory.person(ALICE)
    office.slack.users["U0ALICE"] = MEMBER | {"deleted": True}

    office.clock.now = 59
    assert not (await office.directory.person(ALICE)).deactivated
    office.clock.now = 61
    assert (await office.directory.person(ALICE)).deactivated


async def test_many_who_ask_at_once_are_one_question(office: Office) -> None:
    office.slack.users["U0ALICE"] = MEMBER

    people = await asyncio.gather(*(office.directory.person(ALICE) for _ in range(50)))

    assert len(set(people)) == 1
    assert office.slack.methods() == ["users.info"]


async def test_one_who_gives_up_takes_the_answer_from_nobody(office: Office) -> None:
    office.slack.users["U0ALICE"] = MEMBER
    impatient = asyncio.create_task(office.directory.person(ALICE))
    patient = asyncio.create_task(office.directory.person(ALICE))
    await asyncio.sleep(0)

    impatient.cancel()

    assert (await patient).user == "U0ALICE"


async def test_groups_are_those_of_the_policy_that_the_user_is_in(office: Office) -> None:
    office.slack.groups = {"S0ONCALL": ["U0ALICE"], "S0LEADS": ["U0BOB"]}

    found = await office.directory.groups("U0ALICE", frozenset({"S0ONCALL", "S0LEADS"}))

    assert found == {"S0ONCALL"}
    assert all(a["team_id"] == TEAM for a in office.slack.asked("usergroups.users.list"))


async def test_a_group_that_is_gone_has_no_members_and_shuts_out_nobody_else(
    office: Office,
) -> None:
    office.slack.groups = {"S0ONCALL": ["U0ALICE"]}

    found = await office.directory.groups("U0ALICE", frozenset({"S0ONCALL", "S0GONE"}))

    assert found == {"S0ONCALL"}


async def test_a_group_that_cannot_be_read_means_no(office: Office) -> None:
    office.slack.groups = {"S0ONCALL": ["U0ALICE"]}
    office.slack.fails("usergroups.users.list", Fault("plan_upgrade_required"))

    with pytest.raises(DirectoryError, match="plan does not have"):
        await office.directory.groups("U0ALICE", frozenset({"S0ONCALL"}))


async def test_without_groups_in_the_policy_slack_is_not_asked(office: Office) -> None:
    assert await office.directory.groups("U0ALICE", frozenset()) == frozenset()
    assert office.slack.calls == []


async def test_a_change_of_a_group_counts_at_once(office: Office) -> None:
    office.slack.groups = {"S0ONCALL": ["U0ALICE"]}
    among = frozenset({"S0ONCALL"})
    await office.directory.groups("U0ALICE", among)
    office.slack.groups = {"S0ONCALL": []}

    assert await office.directory.groups("U0ALICE", among) == among
    office.directory.forget_group("S0ONCALL")
    assert await office.directory.groups("U0ALICE", among) == frozenset()


async def test_an_answer_from_before_the_change_is_not_remembered(office: Office) -> None:
    office.slack.groups = {"S0ONCALL": ["U0ALICE"]}
    among = frozenset({"S0ONCALL"})
    asking = asyncio.create_task(office.directory.groups("U0ALICE", among))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    office.directory.forget_group("S0ONCALL")
    await asking
    office.slack.groups = {"S0ONCALL": []}

    assert await office.directory.groups("U0ALICE", among) == frozenset()


@pytest.mark.parametrize(
    ("channel", "presence"),
    [
        ({"is_member": True}, Presence.IN),
        ({"is_im": True}, Presence.IN),
        ({"is_member": False}, Presence.OUT),
        ({"is_private": True}, Presence.UNKNOWN),
        (None, Presence.OUT),
    ],
)
async def test_the_bot_is_where_slack_says_it_is(
    office: Office, channel: dict[str, Any] | None, presence: Presence
) -> None:
    if channel is not None:
        office.slack.channels["C0ANY"] = channel

    assert await office.directory.presence("C0ANY") is presence


async def test_when_slack_does_not_say_the_presence_is_unknown(office: Office) -> None:
    office.slack.fails("conversations.info", Fault("internal_error"), Fault("ratelimited"))

    assert await office.directory.presence("C0INC") is Presence.UNKNOWN
    assert await office.directory.presence("C0INC") is Presence.UNKNOWN
    assert await office.directory.presence("C0INC") is Presence.IN


async def test_an_invitation_counts_at_once_and_a_presence_is_remembered(office: Office) -> None:
    assert await office.directory.presence("C0NEW") is Presence.OUT
    office.slack.channels["C0NEW"] = {"is_member": True}
    assert await office.directory.presence("C0NEW") is Presence.IN
    del office.slack.channels["C0NEW"]

    assert await office.directory.presence("C0NEW") is Presence.IN
    office.directory.forget_channel("C0NEW")
    assert await office.directory.presence("C0NEW") is Presence.OUT
