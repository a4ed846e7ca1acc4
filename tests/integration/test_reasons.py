"""A required reason on every way to a ban: nothing goes without one, and the trail has it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa

from bot.errors import NeverSentError
from bot.model.commands import Invocation, Via
from bot.model.operations import Choice, Operation, State
from bot.model.people import Actor, Place
from bot.operations.alert_offers import AlertChoice
from bot.operations.alert_service import AlertPress
from bot.operations.follow_ups import FollowUp, follow_ups
from bot.operations.results import Accepted, Invalid, PressReply, ReasonMissing
from bot.storage import tables
from bot.storage.store import Store
from tests.conftest import House, built
from tests.support.fakes import ALICE, BOB, MALLORY
from tests.support.notices import firing, notice
from tests.support.reasons import REASONS

REQUIRED_TOO = REASONS.replace('["Forbid*"]', '["Forbid*", "Resume*", "StartLivePadStream"]')


@pytest.fixture
async def house(quick_store: Store) -> AsyncIterator[House]:
    async with built(quick_store, policy=REASONS) as one:
        yield one


def sent(house: House) -> list[Any]:
    return [one for one in house.cloud.sent if not one.action.api.startswith("Describe")]


def bans(house: House) -> list[Any]:
    return [one for one in sent(house) if one.action.api == "ForbidLiveStream"]


async def follow(
    house: House, before: Operation, step: FollowUp, actor: Actor = ALICE, **more: Any
) -> PressReply:
    asked = Invocation(more.pop("key", "press"), actor, Place("C0INC"), "", Via.BUTTON, None)
    return await house.service.follow(before.id, step, asked, **more)


async def ended(house: House, reply: PressReply) -> Operation:
    assert isinstance(reply, Accepted), reply
    return await house.ended(reply.operation.id)


@pytest.mark.parametrize("via", [Via.COMMAND, Via.MENTION, Via.FORM, Via.TERMINAL])
@pytest.mark.parametrize(
    "text",
    [
        "ban stream1",
        "ForbidLiveStream StreamName=stream1",
        "live stream1 for=30m",
        "ban rtmp://push.example.com/live/stream1",
    ],
)
async def test_typed_ban_without_reason_is_denied(house: House, via: Via, text: str) -> None:
    """Whichever way it is typed, a ban without a reason is denied and nothing is sent."""
    denied = await house.run(text, via=via)

    assert (denied.state, denied.rule) == (State.DENIED, "reasons")
    assert "add reason=CODE, one of copyright, court-order" in denied.detail
    assert not sent(house)
    assert FollowUp.GIVE_REASON in follow_ups(denied)


async def test_code_that_the_policy_lacks_is_a_mistake(house: House) -> None:
    """Free text is no reason where the policy has reasons."""
    reply = await house.ask("ban stream1 reason='because I say so'")

    assert isinstance(reply, Invalid)
    assert "copyright, court-order" in reply.error.sentence


async def test_reason_is_sent_and_recorded(house: House) -> None:
    """The request has the policy's text; the trail has it with its code, from the asking on."""
    banned = await house.run("ban stream1 reason=copyright")

    assert banned.state is State.ACCEPTED
    assert banned.origin.reason_code == "copyright"
    assert [one.params["Reason"] for one in bans(house)] == ["Copyright infringement"]
    with house.store.audit_log.records(operation=banned.id) as records:
        facts = [one.facts for one in records if one.kind in ("asked", "ended")]
    assert facts
    for found in facts:
        assert found["reason_code"] == "copyright"
        assert found["reason_text"] == "A rights holder has asked for it"


async def test_reason_of_a_drop_is_on_the_trail_alone(house: House) -> None:
    """Where the API takes no reason, none is sent."""
    dropped = await house.run("live stream1 reason=court-order")

    assert dropped.origin.reason_text == "A court has ordered it"
    assert set(sent(house)[0].params) == {"StreamName", "DomainName", "AppName"}


async def test_operator_is_told_where_the_api_takes_one(house: House) -> None:
    """With a reason, an action with an operator names who asks; what undoes it does not."""
    house.policy(REQUIRED_TOO)
    hidden = await house.run("StartLivePadStream stream1 domain=push.example.com reason=copyright")
    reply = await follow(house, hidden, FollowUp.UNDO)
    shown = await ended(house, reply)

    assert sent(house)[0].params["Operator"] == "U0ALICE"
    assert "Operator" not in shown.params


@pytest.mark.parametrize("index", [0, 1, 2, 3])
async def test_ban_button_asks_for_the_reason(house: House, index: int) -> None:
    """A button that bans records nothing before a reason is chosen, and goes with it."""
    dropped = await house.run("live stream1")
    bare = await follow(house, dropped, FollowUp.KEEP_OFF, index=index)
    wrong = await follow(house, dropped, FollowUp.KEEP_OFF, index=index, reason="because")

    assert isinstance(bare, ReasonMissing)
    assert isinstance(wrong, ReasonMissing)
    assert not bans(house)
    reply = await follow(house, dropped, FollowUp.KEEP_OFF, index=index, reason="copyright")
    banned = await ended(house, reply)
    assert (banned.state, banned.origin.reason_code) == (State.ACCEPTED, "copyright")
    assert bans(house)[0].params["Reason"] == "Copyright infringement"


async def test_button_goes_on_for_the_same_reason(house: House) -> None:
    """A ban after a drop that had a reason has it too; an undo needs one of its own."""
    house.policy(REQUIRED_TOO)
    dropped = await house.run("live stream1 reason=copyright")
    banned = await ended(house, await follow(house, dropped, FollowUp.KEEP_OFF, index=1))
    undo = await follow(house, banned, FollowUp.UNDO)

    assert banned.origin.reason_code == "copyright"
    assert isinstance(undo, ReasonMissing)
    reply = await follow(house, banned, FollowUp.UNDO, reason="court-order")
    assert (await ended(house, reply)).origin.reason_code == "court-order"


async def test_denied_command_goes_with_a_reason(house: House) -> None:
    """The button under the denial asks for the same again, with the reason that is chosen."""
    denied = await house.run("ban stream1 for=30m case=INC-7")
    bare = await follow(house, denied, FollowUp.GIVE_REASON)
    reply = await follow(house, denied, FollowUp.GIVE_REASON, reason="court-order")
    banned = await ended(house, reply)

    assert isinstance(bare, ReasonMissing)
    assert (banned.state, banned.origin.reason_code) == (State.ACCEPTED, "court-order")
    assert (banned.case, banned.origin.spans) == ("INC-7", {"ResumeTime": 1800.0})


@pytest.mark.parametrize("step", [FollowUp.RETRY, FollowUp.EXTEND])
async def test_free_words_of_before_are_no_reason(house: House, step: FollowUp) -> None:
    """What was asked before the policy had reasons goes on only with one of them."""
    house.policy(REASONS[: REASONS.index("reasons:")] + REASONS[REASONS.index("roles:") :])
    if step is FollowUp.RETRY:
        house.cloud.faults += [NeverSentError("no route")] * 3
    first = await house.run("ban stream1 for=30m reason='free words'")
    house.policy(REASONS)
    before = len(bans(house))

    assert isinstance(await follow(house, first, step), ReasonMissing)
    assert len(bans(house)) == before
    again = await ended(house, await follow(house, first, step, reason="copyright"))
    assert again.state is State.ACCEPTED
    assert bans(house)[-1].params["Reason"] == "Copyright infringement"


async def test_reason_that_the_policy_dropped_stops_what_waits(house: House) -> None:
    """A reason that the policy no longer has at the last moment counts for nothing."""
    waiting = await house.run("ban stream1 reason=court-order", BOB)
    assert waiting.state is State.WAITING
    house.policy(REASONS.replace("court-order:", "other:"))
    settled = await house.decide(waiting.id, Choice.CONFIRM, BOB)

    assert "needs a reason" in (settled.words or (await house.now(waiting.id)).detail)
    assert not sent(house)


async def test_request_for_others_needs_the_reason(house: House) -> None:
    """Who asks others to allow a ban gives the reason first; what is allowed goes with it."""
    denied = await house.run("ban stream1", MALLORY)
    asked = Invocation("press", MALLORY, Place("C0INC"), "", Via.BUTTON, None)
    bare = await house.service.request(denied.id, asked)
    reply = await house.service.request(denied.id, asked, "copyright")

    assert isinstance(bare, ReasonMissing)
    assert isinstance(reply, Accepted), reply
    waiting = await house.engine.ending(reply.operation.id)
    assert (waiting.state, waiting.origin.reason_code) == (State.WAITING, "copyright")
    await house.decide(waiting.id, Choice.APPROVE, BOB)
    assert (await house.ended(waiting.id)).state is State.ACCEPTED
    assert bans(house)[0].params["Reason"] == "Copyright infringement"


async def test_alert_button_asks_for_the_reason(house: House) -> None:
    """A ban from an alert's card records nothing before a reason is chosen."""
    await house.alerts.take(notice(firing("cam-1")))
    await house.courier.drain()
    found = await house.store.session.fetch(sa.select(tables.alerts.c.id))
    alert = await house.store.alerts.get(found[0].id)
    assert alert is not None
    asked = Invocation("trigger", ALICE, Place("C0INC"), "", Via.BUTTON, None)
    pressed = AlertPress(alert.id, AlertChoice.BAN_SHORT, 0, alert.card_ts)
    bare = await house.alerts.press(pressed, asked)
    banned = await ended(house, await house.alerts.press(pressed, asked, "copyright"))

    assert isinstance(bare, ReasonMissing)
    assert (banned.state, banned.origin.reason_code) == (State.ACCEPTED, "copyright")


async def test_what_needs_no_reason_goes_as_before(house: House) -> None:
    """A stop, a read and a hold need none, and their buttons ask for none."""
    dropped = await house.run("live stream1")
    # Even where everything needs one: reads and holds never do.
    house.policy(REASONS.replace('["Forbid*"]', '["*"]'))
    held = await house.run("hold live stream1 reason='court order'")
    check = await follow(house, dropped, FollowUp.CHECK)

    assert [one.state for one in (dropped, held)] == [State.ACCEPTED] * 2
    assert held.params["Reason"] == "court order"
    assert isinstance(check, Accepted)
    assert dropped.origin.reason_code == ""
