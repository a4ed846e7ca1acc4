"""What is said of a stop follows from what was read before it and after it."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bot.catalog.registry import action_of
from bot.model.commands import Invocation, Via
from bot.model.messages import MessageKind
from bot.model.operations import LiveBefore, Operation, State
from bot.model.people import Actor, Place
from bot.operations.follow_ups import FollowUp
from bot.operations.results import Accepted, NotRecorded
from bot.storage.store import Store
from handlers.messages import cards, endings
from tests.conftest import House, built
from tests.support.fakes import ALICE, MALLORY, FakeCloud

STATE, LIST = "DescribeLiveStreamState", "DescribeLiveStreamOnlineList"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What answers is waited for, however busy the machine is."""
    monkeypatch.setattr("bot.operations.prior_state.ANSWER_WITHIN", 60.0)
    monkeypatch.setattr("bot.operations.prior_state.LIVE_NOW_WITHIN", 60.0)
    monkeypatch.setattr("bot.operations.near_targets.WITHIN", 60.0)


def online(*names: str, domain: str = "push.example.com") -> dict[str, Any]:
    rows: list[Any] = [{"StreamName": n, "DomainName": domain, "AppName": "live"} for n in names]
    return {"TotalNum": len(rows), "OnlineInfo": rows}


def verified(house: House) -> str:
    """Return what was said of the verification; empty where nothing was."""
    said = house.desk.said(MessageKind.LOOKED)
    if not said:
        return ""
    one = said[-1]
    return endings.verification(one.operation, action_of(one.operation), one.observed).text


async def stop(house: House, text: str) -> Operation:
    """Stop something, and have it verified at once."""
    operation = await house.run(text)
    await house.verifier.verify(operation)
    await house.courier.drain()
    return operation


@pytest.mark.parametrize(
    ("text", "before", "after", "ending", "later"),
    [
        ("live s1", "active", "inactive", "*Accepted*", "🔵 *Off: `s1`*, checked "),
        ("ban s1", "active", "forbid", "*Accepted*", "🔵 *Off: `s1`*, checked "),
        ("live s1", "active", "active", "*Accepted*", "*Live again: `s1`*, seen"),
        ("ban s1", "active", "active", "*Accepted*", "*Live again: `s1`*, seen"),
        # The ban is gone, and nothing is live.
        ("ban s1", "active", "inactive", "*Accepted*", "*No longer banned: `s1`*: not live"),
        ("live s1", "inactive", "inactive", "⚠️ Nothing was live as `s1`.", ""),
        ("live s1", "forbid", "forbid", "⚠️ Nothing was live as `s1`.", ""),
        ("ban s1", "inactive", "forbid", "⚠️ Nothing was live as `s1`.", ""),
        # Its encoder was reconnecting when it was read.
        ("live s1", "inactive", "active", "⚠️ Nothing was live as `s1`.", "*Live: `s1`*"),
        ("live s1", "", "inactive", "Couldn't check whether `s1` was", "`s1` was live before"),
        ("ban s1", "", "forbid", "Couldn't check whether `s1` was", "`s1` was live before"),
    ],
)
async def test_off_is_said_only_of_what_was_live_before(
    quick_store: Store,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    before: str,
    after: str,
    ending: str,
    later: str,
) -> None:
    """A stop is called Off only if it was read live before it and not live after it."""
    cloud = FakeCloud(before_stop=before or "", bodies={STATE: {"StreamState": after}})
    cloud.bodies[LIST] = online("other")
    if not before:
        cloud.before_stop = None
        monkeypatch.setattr("bot.operations.prior_state.ANSWER_WITHIN", 0.05)
        monkeypatch.setattr("bot.operations.near_targets.WITHIN", 0.05)
    async with built(quick_store, cloud=cloud) as house:
        operation = await stop(house, text)
        said, shown = endings.ending(operation, action_of(operation)), verified(house)

    assert ending in said.text
    card = cards.card(operation, action_of(operation)).text
    assert ending.startswith(("*Acc", "Couldn")) or ending.strip("⚠️ .") in card
    assert operation.request_id in said.text
    assert later in shown if later else not shown
    assert "*Off" not in said.text
    is_stopped = after == ("forbid" if text.startswith("ban") else "inactive")
    assert ("*Off" in shown) == (before == "active" and is_stopped)


async def test_stop_does_not_wait_for_the_read_beside_it(
    quick_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop leaves although no answer has come to the read beside it."""
    monkeypatch.setattr("bot.operations.prior_state.ANSWER_WITHIN", 0.05)
    order: list[str] = []
    cloud = FakeCloud(before_stop=None, before=lambda c: order.append(c.action.api))
    async with built(quick_store, cloud=cloud) as house:
        reply = await house.ask("live s1")
        assert isinstance(reply, Accepted)
        async with asyncio.timeout(30):
            await cloud.called.wait()
        assert order == ["DropLiveStream"]
        ended = await house.engine.ending(reply.operation.id)

    assert ended.live_before is LiveBefore.UNREADABLE


async def test_ban_counts_on_the_state_that_was_read_a_moment_before(quick_store: Store) -> None:
    """A state that was read to look for similar names is not read again beside the ban.

    The second read would wait for its slot, and could leave after the ban.
    """
    cloud = FakeCloud(before_stop="active")
    async with built(quick_store, cloud=cloud) as house:
        ended = await house.run("ban s1")

    assert ended.live_before is LiveBefore.LIVE
    assert [command.action.api for command in cloud.read_near] == [STATE]
    assert not cloud.read_before


@pytest.mark.parametrize(
    ("before", "said"), [("active", "live"), ("inactive", "not live"), ("forbid", "not live")]
)
async def test_audit_record_has_what_was_live_before(
    quick_store: Store, before: str, said: str
) -> None:
    """The record of the ending has what was read before the stop."""
    async with built(quick_store, cloud=FakeCloud(before_stop=before)) as house:
        await house.run("live s1")
        with quick_store.audit_log.records() as records:
            (ended,) = [record for record in records if record.kind == "ended"]

    assert f'"before":"{said}"' in ended.body


async def test_stop_of_nothing_names_what_is_live_and_stops_it_anew(quick_store: Store) -> None:
    """Live names are offered, those of the same place first; a press asks as the presser."""
    cloud = FakeCloud(before_stop="inactive", bodies={LIST: online("zebra", "stream1")})
    async with built(quick_store, cloud=cloud) as house:
        nothing = await house.run("live strem1")
        message = endings.ending(nothing, action_of(nothing))
        labels = [
            element["text"]["text"]
            for block in message.blocks
            if block.get("block_id", "").startswith("follow:live")
            for element in block["elements"]
        ]
        assert labels == ["Stop stream1", "Stop zebra"]
        assert "Live now: `stream1`, `zebra`." in message.text
        cloud.before_stop = "active"
        press = Invocation("press", ALICE, Place("C0INC"), "", Via.BUTTON, None)

        async def pressed(actor: Actor, index: int) -> Operation | None:
            asked = replace(press, actor=actor, key=f"{actor.user}{index}")
            reply = await house.service.follow(nothing.id, FollowUp.STOP_LIVE, asked, index=index)
            if isinstance(reply, NotRecorded):
                return None
            assert isinstance(reply, Accepted)
            return await house.engine.ending(reply.operation.id)

        stranger, ours = await pressed(MALLORY, 1), await pressed(ALICE, 1)
        assert stranger is not None
        assert ours is not None
        assert (stranger.state, ours.state) == (State.DENIED, State.ACCEPTED)
        assert ours.params["StreamName"] == "zebra"
        assert await pressed(ALICE, 2) is None, "there is no third name"


async def test_stop_of_nothing_is_not_listed_as_off(quick_store: Store) -> None:
    """A drop of what was not live is not on the off-air list; a ban is, because it blocks."""
    async with built(quick_store, cloud=FakeCloud(before_stop="inactive")) as house:
        await house.run("live s1")
        await house.run("ban s2")
        listed = await house.store.off_air.list(10)

    assert [entry.operation.api for entry in listed] == ["ForbidLiveStream"]
