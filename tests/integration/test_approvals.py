"""Approvals: who may decide what, once, in time; and nothing runs without."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from bot.model.commands import Command
from bot.model.messages import MessageKind
from bot.model.operations import Answer, Choice, Decision, GivenApproval, State
from bot.model.people import Actor, Person, Place
from bot.model.ports import always
from bot.storage.store import Store
from bot.storage.transition import Transition
from tests.conftest import House, built
from tests.support.approvals import BAN, CAR, CAROL, DAVE, DROP, POLICY, directory, ran, waiting
from tests.support.fakes import ALICE, BOB, MALLORY, TEAM, FakeCloud


@pytest.fixture
async def house(quick_store: Store) -> AsyncIterator[House]:
    async with built(quick_store, policy=POLICY, directory=directory()) as one:
        yield one


async def test_approval_sends_nothing_before_decision(house: House) -> None:
    """Nothing but reads is sent while an operation waits for its approval."""
    operation = await waiting(house)

    assert ran(house) == []
    assert operation.approvals.roles == ("leads",)
    assert operation.approvals.people == ("U0BOB", "U0CAROL")
    assert 900 <= (operation.expires_at or 0) - operation.asked_at < 960
    assert house.heard(MessageKind.CARD) == 1
    assert house.heard(MessageKind.ENDING) == 0


async def test_approval_by_approver_runs_operation_once(house: House) -> None:
    """An approver's decision runs the operation exactly once and is recorded."""
    operation = await waiting(house)
    settled = await house.decide(operation.id, Choice.APPROVE, BOB)
    ended = await house.ended(operation.id)

    assert settled.counts
    assert ended.state is State.ACCEPTED
    assert ended.decided_by == "U0BOB"
    assert ran(house) == ["DropLiveStream"]
    assert await house.kinds() == ["asked", "waiting", "decided", "sending", "ended"]
    assert [d.about_state for d in house.desk.said(MessageKind.AUDIT)] == [
        State.DUE,
        State.ACCEPTED,
    ]


@pytest.mark.parametrize(
    ("actor", "choice", "why"),
    [
        (ALICE, Choice.APPROVE, "somebody else"),
        (ALICE, Choice.CONFIRM, "second person"),
        (ALICE, Choice.DENY, "somebody else"),
        (ALICE, Choice.EMERGENCY, "no rule"),
        (MALLORY, Choice.APPROVE, "Only leads"),
        (MALLORY, Choice.DENY, "Only leads"),
        (MALLORY, Choice.CANCEL, "Only U0ALICE"),
        (BOB, Choice.CANCEL, "Only U0ALICE"),
        (BOB, Choice.CONFIRM, "Only U0ALICE"),
        (DAVE, Choice.APPROVE, "Only leads"),
        (Actor("T0OTHER", "U0STRANGER"), Choice.APPROVE, "Slack did not say"),
    ],
)
async def test_approval_refuses_unauthorized_decision_with_reason(
    house: House, actor: Actor, choice: Choice, why: str
) -> None:
    """A decision by someone without the right changes nothing and is answered with the reason."""
    operation = await waiting(house)
    settled = await house.decide(operation.id, choice, actor, "because")
    await house.courier.drain()

    assert not settled.counts
    assert why in settled.words
    assert await house.now(operation.id) == operation, "nothing is burnt"
    assert [word.actor for word in house.desk.words] == [actor]
    assert (await house.decide(operation.id, Choice.APPROVE, BOB)).counts


async def test_approval_refuses_guests_and_external_users(
    quick_store: Store,
) -> None:
    """Guests and external users cannot approve, even if the policy lists them."""
    known = directory()
    known.people["U0BOB"] = Person("U0BOB", TEAM, guest=True)
    known.people["U0CAROL"] = Person("U0CAROL", "T0OTHER", stranger=True)
    async with built(quick_store, policy=POLICY, directory=known) as house:
        operation = await waiting(house)
        for actor in (BOB, CAROL):
            assert not (await house.decide(operation.id, Choice.APPROVE, actor)).counts
    assert ran(house) == []


async def test_confirmation_accepts_requester_only(house: House) -> None:
    """Only the requester can confirm an operation that needs a confirmation."""
    operation = await waiting(house, BAN)
    other = await house.decide(operation.id, Choice.CONFIRM, BOB)
    approve = await house.decide(operation.id, Choice.APPROVE, BOB)
    mine = await house.decide(operation.id, Choice.CONFIRM, ALICE)

    assert (other.counts, approve.counts, mine.counts) == (False, False, True)
    assert (await house.ended(operation.id)).state is State.ACCEPTED
    assert ran(house) == ["ForbidLiveStream"]


async def test_approval_cancel_and_deny_end_operation(house: House) -> None:
    """Cancelling and denying end the operation, and a denial keeps its redacted reason."""
    cancelled = await waiting(house)
    assert (await house.decide(cancelled.id, Choice.CANCEL, ALICE)).counts
    assert (await house.ended(cancelled.id)).state is State.CANCELLED

    denied = await waiting(house, "live stream2")
    assert (await house.decide(denied.id, Choice.DENY, BOB, "not now txSecret=abc123")).counts
    ended = await house.ended(denied.id)
    assert (ended.state, ended.decided_by) == (State.DENIED, "U0BOB")
    assert ended.reason.startswith("not now")
    assert "abc123" not in ended.reason
    assert ran(house) == []
    assert house.heard(MessageKind.ENDING) == 2


async def test_approval_requires_two_people_if_policy_says_so(house: House) -> None:
    """Where the policy needs two approvals, two different people must approve."""
    operation = await waiting(house, CAR)
    assert (await house.decide(operation.id, Choice.APPROVE, BOB)).counts
    again = await house.decide(operation.id, Choice.APPROVE, BOB)
    between = await house.now(operation.id)

    assert not again.counts
    assert "one more person" in again.words
    assert between.state is State.WAITING
    assert [one.user for one in between.approvals.given] == ["U0BOB"]

    assert (await house.decide(operation.id, Choice.APPROVE, CAROL)).counts
    assert (await house.ended(operation.id)).state is State.ACCEPTED
    assert ran(house) == ["StopPublishStream"]


async def test_approval_lapses_if_approver_loses_rights(house: House) -> None:
    """The first of two approvals stops counting when its approver loses the right."""
    operation = await waiting(house, CAR)
    await house.decide(operation.id, Choice.APPROVE, BOB)
    house.policy(POLICY.replace("[U0BOB, U0CAROL]", "[U0CAROL]"))
    await house.decide(operation.id, Choice.APPROVE, CAROL)

    assert (await house.now(operation.id)).state is State.WAITING
    assert ran(house) == []


async def test_approval_late_decision_names_first_approver(house: House) -> None:
    """A late decision is answered with who decided first and does not run again."""
    operation = await waiting(house)
    await house.decide(operation.id, Choice.APPROVE, BOB)
    late = await house.decide(operation.id, Choice.DENY, CAROL)
    mine = await house.decide(operation.id, Choice.APPROVE, BOB)
    await house.ended(operation.id)

    assert "U0BOB" in late.words
    assert mine.words.startswith("You ")
    assert ran(house) == ["DropLiveStream"]


async def test_approval_denies_if_requester_lost_rights(house: House) -> None:
    """An approval ends as denied when the requester has lost the right meanwhile."""
    operation = await waiting(house)
    house.policy(POLICY.replace("users: [U0ALICE]", "users: []"))
    settled = await house.decide(operation.id, Choice.APPROVE, BOB)

    assert not settled.counts
    assert (await house.ended(operation.id)).state is State.DENIED
    assert ran(house) == []


async def test_approval_follows_stricter_current_policy(house: House) -> None:
    """A policy that became stricter than the card overrides the confirmation."""
    operation = await waiting(house, BAN)
    house.policy(POLICY.replace('"vip-*"', '"stream*"'))
    settled = await house.decide(operation.id, Choice.CONFIRM, ALICE)

    assert "second person" in settled.words
    assert (await house.ended(operation.id)).state is State.DENIED
    assert ran(house) == []


async def test_authorizer_rechecks_approver_before_sending(quick_store: Store) -> None:
    """The approver's right is checked again just before the request is sent."""
    async with built(quick_store, policy=POLICY, directory=directory()) as house:
        operation = await waiting(house)
    given = replace(operation.approvals, given=(GivenApproval("U0BOB", 0.0),))
    path = (State.WAITING, State.DUE)
    due = await quick_store.operations.apply(
        Transition(operation.id, path, {}, {"approvals": given})
    )
    assert due is not None

    fewer = POLICY.replace("[U0BOB, U0CAROL]", "[U0CAROL]")
    async with built(quick_store, policy=fewer, directory=directory()) as house:
        house.engine.take(due)
        ended = await house.ended(operation.id)
    assert ended.state is State.DENIED
    assert ran(house) == []


async def test_break_glass_runs_with_reason_and_is_audited(house: House) -> None:
    """Break glass needs a reason from the requester, skips the approvers and is audited."""
    operation = await waiting(house, CAR)
    silent = await house.decide(operation.id, Choice.EMERGENCY, ALICE, "  ")
    stranger = await house.decide(operation.id, Choice.EMERGENCY, BOB, "now")
    settled = await house.decide(operation.id, Choice.EMERGENCY, ALICE, "it leaks a face")
    ended = await house.ended(operation.id)

    assert (silent.counts, stranger.counts, settled.counts) == (False, False, True)
    assert (ended.state, ended.emergency, ended.reason) == (
        State.ACCEPTED,
        True,
        "it leaks a face",
    )
    with house.store.audit_log.records(operation=operation.id) as records:
        bodies = {record.kind: record.body for record in records}
    assert '"emergency":true' in bodies["decided"]
    assert "it leaks a face" in bodies["decided"]


async def test_break_glass_does_not_bypass_limit(house: House) -> None:
    """Break glass does not bypass a limit of the policy."""
    operation = await waiting(house, "ban vip-1")
    settled = await house.decide(operation.id, Choice.EMERGENCY, ALICE, "please")

    assert not settled.counts
    assert (await house.now(operation.id)).state is State.WAITING


async def test_approval_duplicate_request_joins_waiting_operation(house: House) -> None:
    """A duplicate of a waiting operation is cancelled and points to the first one's card."""
    first = await waiting(house)
    second = await house.run(DROP, ALICE, key="another")

    assert second.state is State.CANCELLED
    assert second.duplicate_of == first.id
    assert house.desk.said(MessageKind.PRIVATE)[0].operation.card_ts == first.card_ts
    assert (await house.run("live stream2", ALICE)).state is State.WAITING
    assert (await house.run(DROP, BOB)).state is State.WAITING, "he may confirm alone"


async def test_approval_runs_stop_whose_target_state_changed(quick_store: Store) -> None:
    """An approved stop whose target changed state says so on the card and still runs."""
    cloud = Looking(["active", "inactive"])
    async with built(quick_store, policy=POLICY, directory=directory(), cloud=cloud) as house:
        operation = await waiting(house)
        assert operation.preview.state == "active"
        shown: list[str] = []
        cloud.before = lambda command: shown.extend(
            d.operation.preview.state_at_press
            for d in house.desk.said(MessageKind.CARD)
            if not command.action.api.startswith("Describe")
        )
        assert (await house.decide(operation.id, Choice.APPROVE, BOB)).counts
        ended = await house.ended(operation.id)

    assert ended.preview.state_at_press == "inactive"
    assert "inactive" in shown, "the card says it before the request leaves"
    assert ran(house) == ["DropLiveStream"]


async def test_approval_of_start_repeats_if_target_state_changed(quick_store: Store) -> None:
    """A start whose target changed state needs a second approval before it runs."""
    cloud = Looking(["forbid", "inactive", "inactive"])
    async with built(quick_store, policy=POLICY, directory=directory(), cloud=cloud) as house:
        operation = await waiting(house, "ResumeLiveStream StreamName=stream1")
        first = await house.decide(operation.id, Choice.APPROVE, BOB)
        assert ran(house) == []
        second = await house.decide(operation.id, Choice.APPROVE, BOB)
        await house.ended(operation.id)

    assert not first.counts
    assert "Press again" in first.words
    assert second.counts
    assert ran(house) == ["ResumeLiveStream"]


class Looking(FakeCloud):
    """Answers reads with one state after the other; the last one stays."""

    def __init__(self, states: list[str]) -> None:
        super().__init__()
        self.states = states

    async def call(self, command: Command, may_leave: Callable[[], bool] = always) -> Answer:
        answer = await super().call(command, may_leave)
        if command.action.api != "DescribeLiveStreamState":
            return answer
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return replace(answer, body={"StreamState": state})


@pytest.mark.parametrize(
    ("channel", "ts"), [("C0ELSE", "1.0"), ("C0INC", "17.5")], ids=["channel", "old card"]
)
async def test_approval_ignores_button_of_other_channel_or_card(
    house: House, channel: str, ts: str
) -> None:
    """A button from another channel or an outdated card changes nothing."""
    operation = await waiting(house)
    settled = await house.decide(operation.id, Choice.APPROVE, BOB, channel=channel, message_ts=ts)
    unknown = await house.decide("nosuchoperation", Choice.APPROVE, BOB)

    assert not settled.counts
    assert "no such request" in unknown.words
    assert await house.now(operation.id) == operation


async def test_approval_deduplicates_redelivered_decision(house: House) -> None:
    """A decision that Slack delivers several times counts once."""
    operation = await waiting(house)
    press = Decision("trigger-1", operation.id, Choice.APPROVE, BOB, Place("C0INC"))
    assert [await house.service.decide(press) for _ in range(5)] == [None] * 5
    await house.ended(operation.id)

    assert ran(house) == ["DropLiveStream"]
    assert house.desk.words == []
