"""Undo, lift and extend: what a later operation supersedes."""

from dataclasses import replace

import pytest

from bot.errors import StoreError
from bot.model.actions import Effect
from bot.model.commands import Invocation, Via
from bot.model.operations import Choice, State
from bot.model.people import Place
from bot.operations.follow_ups import FollowUp
from bot.operations.results import Accepted, NotRecorded
from handlers.messages import replies
from tests.conftest import House
from tests.support.fakes import ALICE, BOB, MALLORY
from tests.support.off_air import POLICY, WORDS, listed, press_of


async def test_undo_refuses_when_a_later_ban_supersedes_it(home: House) -> None:
    """An undo pressed for an old ban is refused when someone else banned the stream since."""
    first = await home.run("ban s1 reason=first")
    press = press_of(ALICE)
    undone = await home.service.follow(first.id, FollowUp.UNDO, press)
    assert isinstance(undone, Accepted)
    await home.ended(undone.operation.id)
    second = await home.run("ban s1 reason=court", BOB)
    await home.decide(second.id, Choice.CONFIRM, BOB)
    await home.ended(second.id)

    stale = await home.service.follow(first.id, FollowUp.UNDO, replace(press, key="press2"))
    assert not isinstance(stale, Accepted)
    assert "U0BOB asked for ForbidLiveStream since" in str(stale)
    assert await listed(home) == ["ForbidLiveStream s1"]


async def test_second_undo_that_cannot_be_checked_denies_no_first(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the database is away nobody hears that nothing was sent: the first press may run."""
    banned = await home.run("ban s1")
    first = await home.service.follow(banned.id, FollowUp.UNDO, press_of(ALICE))

    async def away(_: object) -> None:
        raise StoreError("the database is away")

    monkeypatch.setattr(home.authorizer, "superseded_by", away)
    second = await home.service.follow(banned.id, FollowUp.UNDO, press_of(ALICE))

    assert isinstance(first, Accepted)
    assert isinstance(second, NotRecorded)
    assert "nothing was sent" not in second.sentence.lower()
    assert "press again" in second.sentence


async def test_undo_of_a_terminal_operation_shows_the_command(home: House) -> None:
    """An undo of an operation from a terminal is not run, but its command is shown."""
    banned = await home.run("ban s1", channel="", via=Via.TERMINAL)
    press = Invocation("press", ALICE, Place(""), "", Via.BUTTON, None)
    told = await home.service.follow(banned.id, FollowUp.UNDO, press, afar=True)
    assert isinstance(told, NotRecorded)
    assert told.instead is not None
    assert told.instead.action.api == "ResumeLiveStream"
    assert "`/startstream live s1 domain=push.example.com`" in replies.receipt(told, WORDS).text


async def test_undo_of_a_released_hold_keeps_the_current_hold(home: House) -> None:
    """An undo of a hold that was released does not release the hold placed after it."""
    home.policy(POLICY.replace(", approval: confirm", ""))
    first = await home.run("hold live s1 reason=mine")
    await home.run("release live s1")
    await home.run("hold live s1 reason='court order'", BOB)
    press = press_of(ALICE)
    stale = await home.service.follow(first.id, FollowUp.UNDO, press)

    assert isinstance(stale, NotRecorded)
    assert "U0BOB holds it since" in stale.sentence
    assert (await home.run("live s1", verb=Effect.START)).state is State.DENIED


async def test_follow_up_awaiting_confirmation_is_superseded(
    home: House,
) -> None:
    """An extend awaiting confirmation does not run when a later ban supersedes it."""
    banned = await home.run("live s1 for=30m")
    press = press_of(BOB)
    waiting = await home.service.follow(banned.id, FollowUp.EXTEND, press)
    assert isinstance(waiting, Accepted)
    await home.engine.ending(waiting.operation.id)
    court = await home.run("ban s1 for=30d reason=court")
    settled = await home.decide(waiting.operation.id, Choice.CONFIRM, BOB)

    assert "U0ALICE asked for ForbidLiveStream since" in settled.words
    assert "no longer lets" not in settled.words
    (one,) = await home.store.off_air.list(10)
    assert one.operation.id == court.id


async def test_access_request_for_a_follow_up_is_superseded(home: House) -> None:
    """An approved access request for a lift does not run when a later ban supersedes it."""
    home.policy(
        POLICY.replace('"*LiveStream"', "ForbidLiveStream").replace(
            '[{actions: ["*"]}]', '[{actions: ["*"], requests: true}]'
        )
    )
    banned = await home.run("live s1 for=30m", MALLORY)
    press = press_of(MALLORY)
    lift = await home.service.follow(banned.id, FollowUp.LIFT, press)
    assert isinstance(lift, Accepted), lift
    denied = await home.ended(lift.operation.id)
    assert denied.approvals.request_from, denied
    asked = await home.service.request(denied.id, replace(press, key="press2"))
    assert isinstance(asked, Accepted), asked
    await home.engine.ending(asked.operation.id)
    court = await home.run("ban s1 for=30d reason=court", ALICE)
    settled = await home.decide(asked.operation.id, Choice.APPROVE, ALICE)
    assert "ForbidLiveStream since" in settled.words
    (one,) = await home.store.off_air.list(10)
    assert one.operation.id == court.id
