"""Who someone is: what Slack says is remembered shortly, what it does not say is a no."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from bot.errors import DirectoryError
from bot.model.people import Actor, Person, Presence
from handlers.slack.directory import Directory
from tests.support.fake_slack import TEAM, FakeSlack, Fault, slack

ALICE = Actor(TEAM, "U0ALICE")
MEMBER: dict[str, Any] = {"team_id": TEAM, "deleted": False}


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
        yield Office(fake, Directory(client, team=TEAM, clock=clock, timeout=60.0), clock)


async def test_user_directory_returns_full_member(office: Office) -> None:
    """A full member has no restriction."""
    office.slack.users["U0ALICE"] = MEMBER

    person = await office.directory.person(ALICE)

    assert person == Person("U0ALICE", TEAM)


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
async def test_user_directory_flags_restricted_users(
    office: Office, said: dict[str, Any], against: str
) -> None:
    """Bots, guests, deactivated and external users are flagged, and unclear data counts too."""
    office.slack.users["U0ALICE"] = MEMBER | said

    assert getattr(await office.directory.person(ALICE), against) is True


async def test_user_directory_flags_slackbot_as_bot(office: Office) -> None:
    """Slackbot is a bot although users.info does not say so."""
    office.slack.users["USLACKBOT"] = MEMBER

    assert (await office.directory.person(Actor(TEAM, "USLACKBOT"))).bot


async def test_user_directory_uses_payload_team_if_profile_has_none(office: Office) -> None:
    """A user whose profile names no team is judged by the team of the payload."""
    office.slack.users["U0ALICE"] = {"deleted": False}

    assert not (await office.directory.person(ALICE)).stranger
    assert (await office.directory.person(Actor("T0OTHER", "U0ALICE"))).stranger
    assert (await office.directory.person(Actor("", "U0ALICE"))).stranger


async def test_delivery_for_a_member_of_another_workspace_is_from_a_stranger(
    office: Office,
) -> None:
    """What a delivery and Slack's own record say must agree, but in an organisation."""
    office.slack.users["U0ALICE"] = MEMBER | {"team_id": TEAM}
    assert not (await office.directory.person(ALICE)).stranger
    assert (await office.directory.person(Actor("T0OTHER", "U0ALICE"))).stranger
    teams = {"enterprise_user": {"id": "U0BOB", "teams": ["T0OTHER", TEAM]}}
    office.slack.users["U0BOB"] = MEMBER | {"team_id": TEAM} | teams
    assert not (await office.directory.person(Actor("T0OTHER", "U0BOB"))).stranger


async def test_user_directory_accepts_any_workspace_of_enterprise_user(office: Office) -> None:
    """An enterprise user counts as a member if any of their workspaces is this one."""
    teams = {"enterprise_user": {"id": "U0ALICE", "teams": ["T0OTHER", TEAM]}}
    office.slack.users["U0ALICE"] = MEMBER | {"team_id": "T0OTHER"} | teams

    person = await office.directory.person(ALICE)

    assert (person.team, person.stranger) == (TEAM, False)


async def test_user_directory_raises_for_unknown_user(office: Office) -> None:
    """An unknown user raises an error and is not returned as a person."""
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
async def test_user_directory_raises_readable_error_and_caches_none(
    office: Office, fault: Fault
) -> None:
    """A failed lookup raises a readable error and is not cached."""
    office.slack.users["U0ALICE"] = MEMBER
    # A reading whose connection breaks is sent once more by the HTTP client itself.
    office.slack.fails("users.info", *[fault] * (2 if fault.hangs_up else 1))

    with pytest.raises(DirectoryError) as caught:
        await office.directory.person(ALICE)

    assert str(caught.value).endswith((".", ")."))
    assert (await office.directory.person(ALICE)).user == "U0ALICE"


async def test_user_directory_caches_person_for_a_minute(office: Office) -> None:
    """A person is cached for one minute and then read again."""
    office.slack.users["U0ALICE"] = MEMBER
    await office.directory.person(ALICE)
    office.slack.users["U0ALICE"] = MEMBER | {"deleted": True}

    office.clock.now = 59
    assert not (await office.directory.person(ALICE)).deactivated
    office.clock.now = 61
    assert (await office.directory.person(ALICE)).deactivated


PEOPLE: dict[str, dict[str, Any]] = {
    "U1": {"name": "alice", "profile": {"display_name": "Ally", "real_name": "Alice Doe"}},
    "U2": {"name": "bob", "real_name": "Bob  Ray", "profile": {"display_name": "ＢＯＢ"}},
    "U3": {"name": "robert", "profile": {"display_name": "Bob"}, "deleted": True},
    "U4": {"name": "alice2", "is_bot": True, "profile": {"display_name": "alice"}},
    "U5": {"name": "zoë", "profile": None},
    "U6": {"profile": "?"},
}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        *(("alice", ["U1"]), ("@ALICE", ["U1"]), ("ally", ["U1"]), ("alice  doe", ["U1"])),
        *(("bob", ["U2", "U3"]), ("Bob Ray", ["U2"]), ("ZOË", ["U5"]), ("zoe\u0308", ["U5"])),
        *(("ali", []), ("", []), ("doe", []), ("@", [])),
    ],
)
async def test_user_is_found_by_any_name_that_slack_shows(
    office: Office, name: str, found: list[str]
) -> None:
    """Handle, display name and real name count, as a whole and in any case; apps are left out."""
    office.slack.users |= PEOPLE
    office.slack.page = 2

    called = await office.directory.called(name)

    assert [one.user for one in called.users] == found
    assert called.complete
    assert [one["cursor"] for one in office.slack.asked("users.list")] == ["", "2", "4"]


async def test_list_of_users_is_read_once_in_ten_minutes(office: Office) -> None:
    """The list is cached, for all names at once."""
    office.slack.users |= PEOPLE
    await asyncio.gather(*(office.directory.called(name) for name in ("alice", "bob", "zoe")))
    office.clock.now = 599
    await office.directory.called("alice")
    assert office.slack.methods() == ["users.list"]

    office.clock.now = 601
    await office.directory.called("alice")
    assert office.slack.methods() == ["users.list"] * 2


async def test_list_of_users_is_read_to_a_bound(office: Office) -> None:
    """Of a huge workspace ten pages are read, and the answer says that there are more."""
    office.slack.users |= {f"U{number}": {"name": f"n{number}"} for number in range(50)}
    office.slack.page = 2

    found = await office.directory.called("n49")

    assert (found.users, found.complete) == ((), False)
    assert len(office.slack.asked("users.list")) == 10


@pytest.mark.parametrize(
    "fault", [Fault(status=429), Fault(error="ratelimited"), Fault(body="[1]")]
)
async def test_list_of_users_that_fails_is_not_cached(office: Office, fault: Fault) -> None:
    """A page that fails is told, and the list is read again the next time."""
    office.slack.users |= PEOPLE
    office.slack.page = 2
    office.slack.fails("users.list", fault)

    with pytest.raises(DirectoryError):
        await office.directory.called("alice")

    assert (await office.directory.called("alice")).users


async def test_user_directory_coalesces_concurrent_lookups(office: Office) -> None:
    """Concurrent lookups of one user make one call to Slack."""
    office.slack.users["U0ALICE"] = MEMBER

    people = await asyncio.gather(*(office.directory.person(ALICE) for _ in range(50)))

    assert len(set(people)) == 1
    assert office.slack.methods() == ["users.info"]


async def test_user_directory_survives_cancelled_caller(office: Office) -> None:
    """A cancelled caller does not cancel the lookup that others wait for."""
    office.slack.users["U0ALICE"] = MEMBER
    impatient = asyncio.create_task(office.directory.person(ALICE))
    patient = asyncio.create_task(office.directory.person(ALICE))
    await asyncio.sleep(0)

    impatient.cancel()

    assert (await patient).user == "U0ALICE"


async def test_user_directory_returns_policy_groups_of_user(office: Office) -> None:
    """Of the groups that the policy names, those with the user are returned."""
    office.slack.groups = {"S0ONCALL": ["U0ALICE"], "S0LEADS": ["U0BOB"]}

    found = await office.directory.groups("U0ALICE", frozenset({"S0ONCALL", "S0LEADS"}))

    assert found == {"S0ONCALL"}
    assert all(a["team_id"] == TEAM for a in office.slack.asked("usergroups.users.list"))


async def test_user_directory_treats_deleted_group_as_empty(
    office: Office,
) -> None:
    """A deleted user group counts as empty and does not affect other groups."""
    office.slack.groups = {"S0ONCALL": ["U0ALICE"]}

    found = await office.directory.groups("U0ALICE", frozenset({"S0ONCALL", "S0GONE"}))

    assert found == {"S0ONCALL"}


async def test_user_directory_raises_if_group_is_unreadable(office: Office) -> None:
    """A user group that cannot be read raises an error instead of granting anything."""
    office.slack.groups = {"S0ONCALL": ["U0ALICE"]}
    office.slack.fails("usergroups.users.list", Fault("plan_upgrade_required"))

    with pytest.raises(DirectoryError, match="plan does not have"):
        await office.directory.groups("U0ALICE", frozenset({"S0ONCALL"}))


async def test_user_directory_makes_no_call_without_groups(office: Office) -> None:
    """Slack is not called when the policy names no user groups."""
    assert await office.directory.groups("U0ALICE", frozenset()) == frozenset()
    assert office.slack.calls == []


async def test_user_directory_forgets_changed_group_at_once(office: Office) -> None:
    """A group is cached until it is forgotten, and then a change counts at once."""
    office.slack.groups = {"S0ONCALL": ["U0ALICE"]}
    among = frozenset({"S0ONCALL"})
    await office.directory.groups("U0ALICE", among)
    office.slack.groups = {"S0ONCALL": []}

    assert await office.directory.groups("U0ALICE", among) == among
    office.directory.forget_group("S0ONCALL")
    assert await office.directory.groups("U0ALICE", among) == frozenset()


async def test_user_directory_discards_answer_from_before_change(office: Office) -> None:
    """A group answer that was requested before a change is not cached."""
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
async def test_user_directory_maps_channel_to_presence(
    office: Office, channel: dict[str, Any] | None, presence: Presence
) -> None:
    """The bot's presence follows what conversations.info says about the channel."""
    if channel is not None:
        office.slack.channels["C0ANY"] = channel

    assert await office.directory.presence("C0ANY") is presence


async def test_user_directory_returns_unknown_presence_on_error(office: Office) -> None:
    """A failed channel lookup gives an unknown presence and is not cached."""
    office.slack.fails("conversations.info", Fault("internal_error"), Fault("ratelimited"))

    assert await office.directory.presence("C0INC") is Presence.UNKNOWN
    assert await office.directory.presence("C0INC") is Presence.UNKNOWN
    assert await office.directory.presence("C0INC") is Presence.IN


async def test_user_directory_caches_presence_but_not_absence(office: Office) -> None:
    """Absence from a channel is not cached; presence is cached until it is forgotten."""
    assert await office.directory.presence("C0NEW") is Presence.OUT
    office.slack.channels["C0NEW"] = {"is_member": True}
    assert await office.directory.presence("C0NEW") is Presence.IN
    del office.slack.channels["C0NEW"]

    assert await office.directory.presence("C0NEW") is Presence.IN
    office.directory.forget_channel("C0NEW")
    assert await office.directory.presence("C0NEW") is Presence.OUT


async def test_change_of_a_group_is_known_two_minutes_later_without_an_event(
    office: Office,
) -> None:
    """Where the event is lost, or went to another replica, old members count for two minutes."""
    office.slack.groups = {"S0ONCALL": ["U0ALICE"]}
    among = frozenset({"S0ONCALL"})
    assert await office.directory.groups("U0ALICE", among) == among
    office.slack.groups = {"S0ONCALL": ["U0BOB"]}

    office.clock.now = 119
    assert await office.directory.groups("U0ALICE", among) == among
    assert office.directory.groups_age(among) == 119
    office.clock.now = 121
    assert await office.directory.groups("U0ALICE", among) == frozenset()
    assert await office.directory.groups("U0BOB", among) == among
    assert office.directory.groups_age(among) == 0


async def test_old_members_do_not_count_where_slack_is_silent(office: Office) -> None:
    """What is too old is not used for want of an answer: nobody is in the group then."""
    office.slack.groups = {"S0ONCALL": ["U0ALICE"]}
    among = frozenset({"S0ONCALL"})
    await office.directory.groups("U0ALICE", among)
    office.clock.now = 121
    office.slack.faults["usergroups.users.list"] = [Fault(error="internal_error")]

    with pytest.raises(DirectoryError):
        await office.directory.groups("U0ALICE", among)
    assert office.directory.groups_age(among) is None


async def test_late_event_is_as_good_as_none(office: Office) -> None:
    """An event that comes after the members were read again only has them read once more."""
    office.slack.groups = {"S0ONCALL": ["U0ALICE"]}
    among = frozenset({"S0ONCALL"})
    await office.directory.groups("U0ALICE", among)
    office.slack.groups = {"S0ONCALL": ["U0BOB"]}
    office.clock.now = 121
    assert await office.directory.groups("U0ALICE", among) == frozenset()

    office.directory.forget_group("S0ONCALL")

    assert office.directory.groups_age(among) is None
    assert await office.directory.groups("U0ALICE", among) == frozenset()


def test_age_of_groups_is_that_of_the_oldest(office: Office) -> None:
    """Of groups that were never read, nothing is said."""
    assert office.directory.groups_age(frozenset({"S0A", "S0B"})) is None
