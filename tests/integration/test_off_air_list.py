"""The off-air list: what it keeps, removes and shows to whom."""

from dataclasses import replace

import pytest

from bot.catalog.registry import action_of
from bot.errors import ApiError
from bot.model.actions import Effect
from bot.model.off_air import OffAirEntry
from bot.model.operations import State
from bot.model.people import Place, Presence
from bot.operations.follow_ups import FollowUp
from bot.operations.results import Accepted, OffAirList
from bot.sandbox.slack import block_kit as blockkit
from handlers.messages import home_view
from handlers.messages import off_air as off_air_messages
from tests.conftest import House
from tests.support.fakes import ALICE, BOB, MALLORY
from tests.support.off_air import POLICY, ended, listed, press_of


async def test_off_air_list_keeps_a_stop_until_its_start(home: House) -> None:
    """A stopped stream stays on the off-air list until it is started."""
    await home.run("live s1")
    await home.run("car u1")
    await home.run("ban s2")
    assert await listed(home) == [
        "ForbidLiveStream s2",
        "StopPublishStream u1",
        "DropLiveStream s1",
    ]
    assert await listed(home, MALLORY) == await listed(home)

    await home.run("car u1", verb=Effect.START, key="start")
    await home.run("live s2", verb=Effect.START)
    assert await listed(home) == ["DropLiveStream s1"]


async def test_off_air_list_prefers_a_ban_to_a_drop(home: House) -> None:
    """A ban replaces a drop of the same stream, and a later drop does not replace the ban."""
    await home.run("live s1")
    await home.run("ban s1")
    await home.run("live s1", key="again")
    assert await listed(home) == ["ForbidLiveStream s1"]


async def test_off_air_list_refuses_a_user_without_a_role(home: House) -> None:
    """A user without a role sees no off-air list and is told why."""
    await home.run("live s1")
    home.policy(POLICY.replace("U0MALLORY", "U0OTHER"))
    found = await home.service.queries.off_air(MALLORY, Place("C0INC"))
    assert found == OffAirList(may=False)
    assert "no role" in off_air_messages.off_air_list(found).text


async def test_off_air_list_removes_streams_that_are_on_again(home: House) -> None:
    """A reading that shows streams active removes them from the off-air list and reports it."""
    await home.run("live s1")
    await home.run("ban s2")
    home.cloud.bodies["DescribeLiveStreamState"] = {"StreamState": "active"}
    found = await home.service.queries.off_air(ALICE, Place("C0INC"))

    assert found.off == ()
    assert {one.operation.target for one in found.on} == {"s1", "s2"}
    assert "On again" in off_air_messages.off_air_list(found).text
    assert await listed(home) == []
    assert (await home.kinds()).count("on again") == 2


async def test_off_air_list_forgets_drops_but_keeps_bans(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A drop leaves the off-air list once its retention is over, and a ban stays."""
    await home.run("live s1")
    await home.run("ban s2")
    monkeypatch.setattr("bot.storage.off_air.LISTED_FOR", -1.0)
    await home.store.off_air.claim_expiring()
    assert await listed(home) == ["ForbidLiveStream s2"]


async def test_off_air_list_and_holds_survive_naming_the_account(home: House) -> None:
    """Naming the bot's own account keeps its holds in force, and both undos still work."""
    banned = await home.run("ban s1")
    await home.run("hold live s2 reason=legal")
    named = POLICY.replace("defaults:", "accounts: {main: {}}\ndefaults:")
    home.policy(named)
    refused = await home.run("live s2", verb=Effect.START)
    assert "legal" in refused.detail, "before it is adopted, too"
    await home.store.off_air.adopt_account("default", home.rules[0].account_now("default"))
    assert "legal" in (await home.run("live s2", verb=Effect.START, key="again")).detail

    press = press_of(ALICE)
    undone = await home.service.follow(banned.id, FollowUp.UNDO, press)
    assert isinstance(undone, Accepted), undone
    assert (await home.ended(undone.operation.id)).account == "main"
    assert await listed(home) == []
    (held,) = (await home.service.queries.off_air(ALICE, Place("C0INC"))).holds
    released = await home.service.follow(held.id, FollowUp.UNDO, replace(press, key="press2"))
    assert isinstance(released, Accepted), released
    assert (await home.ended(released.operation.id)).state is State.ACCEPTED
    assert await home.store.off_air.list_holds() == []


async def test_off_air_list_limit_counts_only_visible_entries(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries that a user may not see do not use up the limit of the off-air list."""
    monkeypatch.setattr("bot.operations.queries._LISTED", 2)
    home.directory.channels["C0PRIV"] = Presence.IN
    home.policy(POLICY.replace('"*LiveStream"', '"Describe*"'))
    await home.run("ban s0")
    for number in range(1, 5):
        await home.run(f"ban s{number}", channel="C0PRIV")
    assert await listed(home, MALLORY) == ["ForbidLiveStream s0"]


async def test_off_air_list_shows_only_what_the_user_may_see(home: House) -> None:
    """The off-air list shows and reads only what the user's channel and permissions allow."""
    home.directory.channels["C0PRIV"] = Presence.IN
    home.cloud.bodies["DescribeLiveStreamState"] = {"StreamState": "forbid"}
    home.policy(
        POLICY.replace('"*LiveStream"', '"Describe*"').replace("U0MALLORY]}", "U0MALLORY]}")
        + "  auditors: {members: {users: [U0BOB]}, audit: true}\n"
    )
    await home.run("ban s1 reason=raid", channel="C0PRIV")
    await home.run("hold live s1 reason=informant", channel="C0PRIV")
    theirs = await home.service.queries.off_air(MALLORY, Place("C0INC"))
    assert theirs == OffAirList(), "she may bring nothing back, and has not seen it"
    assert len((await home.service.queries.off_air(MALLORY, Place("C0PRIV"))).off) == 1
    assert len((await home.service.queries.off_air(BOB, Place("C0INC"))).holds) == 1
    before = len(home.cloud.sent)
    home.policy(POLICY.replace('"*LiveStream"', "ForbidLiveStream, ResumeLiveStream"))
    (seen,) = (await home.service.queries.off_air(MALLORY, Place("C0INC"))).off
    assert seen.state == "", "she may not read how it is"
    assert len(home.cloud.sent) == before


async def test_off_air_list_drops_resources_that_are_gone(home: House) -> None:
    """A destroyed session replaces its stop, and a stop whose session is gone is removed."""
    await home.run("car u1")
    await home.run("session u1")
    assert await listed(home) == ["DestroySession u1"]
    await home.run("car u2")
    home.cloud.faults.append(ApiError("ResourceNotFound.SessionNotFound", "gone", request_id="r"))
    failed = await home.run("car u2", verb=Effect.START, key="start u2")
    assert failed.state is State.FAILED
    assert "StopPublishStream u2" not in await listed(home)


async def test_off_air_list_shows_an_unknown_action(home: House) -> None:
    """The off-air list still renders an entry whose action this release does not know."""
    await home.run("live s1")
    with home.store.session.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE operations SET api = 'NewAction'")
    found = await home.service.queries.off_air(ALICE, Place("C0INC"))
    assert "NewAction" in off_air_messages.off_air_list(found).text


def test_off_air_list_fits_slack_limits() -> None:
    """Off-air messages and the home tab stay within Slack's limits with very long content."""
    long = ended("ForbidLiveStream", StreamName="&" * 1000, Reason="<" * 2000)
    hold = replace(ended("Hold"), params={"Target": "stream " + "é" * 1000, "Reason": "`" * 2000})
    off, on = OffAirEntry(long, 1.0, "&" * 80), OffAirEntry(long, None, "x")
    absent = OffAirList((off,) * 60, (hold,) * 60, (on,) * 10)
    message = off_air_messages.off_air_list(absent)
    assert blockkit.problems(list(message.blocks)) == []
    assert len(message.text) <= 4000
    home = home_view.home(None, [], off_air=absent)
    assert blockkit.view_problems(home) == []
    for text in (
        off_air_messages.expiry_notice(long, action_of(long), "soon"),
        off_air_messages.expired_notice(long, action_of(long), "&" * 80),
        off_air_messages.expired_notice(long, action_of(long), "forbid"),
    ):
        assert blockkit.problems(list(text.blocks)) == []
        assert len(text.text) <= 4000
