"""The root card of a stop shows what became of it after its ending."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias

import pytest

from bot.catalog.registry import action_of
from bot.model.actions import Effect
from bot.model.messages import MessageKind
from bot.model.operations import Choice, Operation, State
from bot.model.people import Place
from bot.operations.follow_ups import FollowUp
from bot.operations.results import Accepted
from handlers.messages import cards
from tests.conftest import House
from tests.support.clocks import ManualClock
from tests.support.fakes import ALICE, BOB
from tests.support.off_air import POLICY, press_of
from tests.support.waiting import until

STATE = "DescribeLiveStreamState"
ON, OFF, BANNED = "active", "inactive", "forbid"
WHEN = r"<!date\^\d+\^[^>]+>"


def card_text(house: House, operation: Operation) -> str:
    """Return the root card as it was rendered last."""
    found = [one for one in house.desk.said(MessageKind.CARD) if one.operation.id == operation.id]
    return cards.card(found[-1].operation, action_of(operation)).text


def sees(house: House, state: str) -> None:
    house.cloud.bodies[STATE] = {"StreamState": state}


async def verify(house: House, stopped: Operation) -> None:
    await house.verifier.verify(stopped)


async def list_off(house: House, _stopped: Operation) -> None:
    await house.service.queries.off_air(ALICE, Place("C0INC"), read_states=True)


async def resume(house: House, _stopped: Operation) -> None:
    await house.run("live s1", verb=Effect.START)


async def confirmed(house: House, asked: Operation) -> Operation:
    """Return an operation at its ending, confirmed where it has to be."""
    if asked.state is State.WAITING:
        await house.decide(asked.id, Choice.CONFIRM, ALICE)
    return await house.ended(asked.id)


async def enable(house: House, _stopped: Operation) -> None:
    await confirmed(
        house, await house.run("domain push.example.com", verb=Effect.START, key="enable")
    )


async def release(house: House, _stopped: Operation) -> None:
    await house.run("release live s1")


async def ban(house: House, _stopped: Operation) -> None:
    await house.run("ban s1 for=2h")


async def ban_shorter(house: House, _stopped: Operation) -> None:
    await house.run("ban s1 for=10m")


def following(*steps: FollowUp) -> Callable[[House, Operation], Awaitable[None]]:
    async def follow(house: House, stopped: Operation) -> None:
        latest = stopped.id
        for step in steps:
            press = replace(press_of(ALICE), key=f"press-{step}-{latest}")
            followed = await house.service.follow(latest, step, press)
            assert isinstance(followed, Accepted), followed
            await house.engine.ending(followed.operation.id)
            latest = (await confirmed(house, await house.now(followed.operation.id))).id

    return follow


Step: TypeAlias = Callable[[House, Operation], Awaitable[None]]

EXTENDED = rf"🔵 \*Extended: `s1` until {WHEN}\* · by <@U0ALICE> {WHEN}"
LIFTED = rf"↩️ \*Lifted: `s1`\* · by <@U0ALICE> {WHEN}"
SOON = r"(?:\d+ s|less than 1 s) later"
OFF_NOW = rf"🔵 \*Off: `s1`\*(?:, banned until <[^>]+>)? · checked {SOON}"
UNDONE = rf"↩️ \*Undone: `push\.example\.com`\* · by <@U0ALICE> {WHEN}"
ENDED = r"(?:⏹|🔒) \*(?:\w+ sent|Sent|Held): "
STOPPED_AGAIN = rf"⏹ \*(?:Stop|Ban) sent: .*Stopped again by <@U0ALICE> {WHEN}, until {WHEN}\."


@pytest.mark.parametrize(
    ("text", "seen", "later", "said"),
    [
        ("live s1", OFF, verify, OFF_NOW),
        ("ban s1", BANNED, verify, OFF_NOW),
        ("live s1", ON, verify, rf"🔴 \*Live again: `s1`\* · seen {SOON}"),
        ("ban s1", ON, verify, rf"🔴 \*Live again: `s1`\* · seen {SOON}"),
        ("ban s1", OFF, verify, rf"⚠️ \*No longer banned: `s1`\* · not live {SOON}"),
        ("live s1", ON, list_off, rf"🔴 \*Live again: `s1`\* · seen {SOON}"),
        ("live s1 for=30m", BANNED, following(FollowUp.EXTEND), EXTENDED),
        ("live s1 for=30m", BANNED, ban, EXTENDED),
        ("live s1 for=30m", BANNED, following(FollowUp.LIFT), LIFTED),
        ("live s1 for=30m", BANNED, resume, LIFTED),
        # An extension has no root card of its own.
        ("live s1 for=30m", BANNED, following(FollowUp.EXTEND, FollowUp.LIFT), LIFTED),
        (
            "live s1 for=30m",
            BANNED,
            following(FollowUp.EXTEND, FollowUp.EXTEND, FollowUp.LIFT),
            LIFTED,
        ),
        ("live s1 for=30m", BANNED, ban_shorter, STOPPED_AGAIN),
        ("live s1", OFF, ban, STOPPED_AGAIN),
        ("domain push.example.com", OFF, enable, UNDONE),
        (
            "domain push.example.com",
            OFF,
            following(FollowUp.UNDO),
            UNDONE,
        ),
        ("hold live s1 reason=x", OFF, release, rf"🔓 \*Released: .* · by <@U0ALICE> {WHEN}"),
    ],
)
async def test_root_card_shows_what_happened_later(
    home: House,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    seen: str,
    later: Step,
    said: str,
) -> None:
    """Whatever changes what a stop has done, or is read of it, changes its root card."""
    # "Off" is said only where the read beside the stop has answered.
    monkeypatch.setattr("bot.operations.prior_state.ANSWER_WITHIN", 60.0)
    stopped = await confirmed(home, await home.run(text))
    assert stopped.state is State.ACCEPTED
    assert re.match(ENDED, card_text(home, stopped))
    sees(home, seen)
    await later(home, stopped)
    await home.courier.drain()

    assert re.match(said, card_text(home, stopped), re.DOTALL), card_text(home, stopped)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (OFF, rf"⚪ \*Ended: ban `s1`\* · {WHEN}, not live then"),
        (ON, rf"⚪ \*Ended: ban `s1`\* · {WHEN}, live then"),
        (BANNED, rf"⚠️ \*Still off: `s1`\* · due to end {WHEN}, still banned"),
    ],
)
@pytest.mark.parametrize("extended", [False, True])
async def test_root_card_shows_that_a_ban_ended(
    timed_bot: House, clock: ManualClock, seen: str, said: str, *, extended: bool
) -> None:
    """A ban that ends by itself says so on its card, and on the one that was extended by it."""
    sees(timed_bot, BANNED)
    stopped = await timed_bot.run("live s1 for=30m")
    if extended:
        await following(FollowUp.EXTEND)(timed_bot, stopped)
    sees(timed_bot, seen)
    clock.advance(3700.0)
    await until(lambda: timed_bot.desk.said(MessageKind.LIFTED))

    await until(lambda: re.match(said, card_text(timed_bot, stopped), re.DOTALL))


async def test_root_card_shows_what_a_status_check_read(
    timed_bot: House, clock: ManualClock
) -> None:
    """Somebody's read of a stream that is live again changes the card of its stop."""
    sees(timed_bot, ON)
    stopped = await timed_bot.run("live s1")
    clock.advance(300.0)
    await timed_bot.run("status live s1")

    assert re.match(
        rf"🔴 \*Live again: `s1`\* · seen {WHEN}", card_text(timed_bot, stopped), re.DOTALL
    )


async def test_root_card_of_another_stream_stays(home: House) -> None:
    """What happens to one stream changes no card of another, nor of one that ended before."""
    other = await home.run("live s2 for=30m")
    first = await home.run("ban s1")
    await home.run("live s1", verb=Effect.START, key="resume-1")
    home.policy(POLICY.replace(", approval: confirm", ""))
    await confirmed(home, await home.run("ban s1", BOB))
    await home.run("live s1", verb=Effect.START, key="resume-2")

    assert card_text(home, other).startswith("⏹ *Ban sent: `s2`")
    assert (await home.now(other.id)).later is None
    assert card_text(home, first).startswith("↩️ *Lifted: `s1`*")


@pytest.mark.parametrize("seen", [ON, OFF])
async def test_same_news_twice_is_one_card(home: House, seen: str) -> None:
    """News is a step of its own in the operation's sequence; heard again, it draws no card."""
    stopped = await confirmed(home, await home.run("live s1"))
    await home.courier.drain()
    stopped = await home.now(stopped.id)
    sees(home, seen)
    await verify(home, stopped)
    await home.courier.drain()
    told = await home.now(stopped.id)
    drawn = len(home.desk.said(MessageKind.CARD))
    assert told.later is not None
    # One step is the check, the other its news.
    assert told.seq == stopped.seq + 2

    await list_off(home, stopped)
    await verify(home, told)
    await home.courier.drain()
    assert (await home.now(stopped.id)).later == told.later
    assert len(home.desk.said(MessageKind.CARD)) == drawn
