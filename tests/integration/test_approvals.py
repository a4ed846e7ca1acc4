"""Approvals: who may decide what, once, in time; and nothing runs without."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.model.commands import Command
from bot.model.messages import MessageKind
from bot.model.operations import Answer, Choice, Decision, GivenApproval, Operation, State
from bot.model.people import Actor, Person, Place
from bot.operations.results import Accepted
from bot.storage.store import Store
from bot.storage.transition import Transition
from tests.conftest import House, built, opened
from tests.support.clocks import ManualClock
from tests.support.fakes import ALICE, BOB, MALLORY, TEAM, FakeCloud, FakeDirectory, FakeNotifier
from tests.support.waiting import until

CAROL, DAVE = Actor(TEAM, "U0CAROL"), Actor(TEAM, "U0DAVE")
PEOPLE = (ALICE, BOB, CAROL, DAVE, MALLORY)

POLICY = """
defaults:
  live: {DomainName: push.example.com}
limits:
  - {actions: [ForbidLiveStream], where: {StreamName: "vip-*"}, approval: second-person}
roles:
  oncall:
    members: {users: [U0ALICE]}
    allow:
      - actions: [DropLiveStream, ResumeLiveStream, "Describe*"]
        approval: second-person
        approvers: [leads]
        expires: 15m
        then: [chiefs]
        remind: 2m
      - actions: [ForbidLiveStream]
        approval: confirm
        break_glass: true
      - actions: [StopPublishStream]
        approval: second-person
        break_glass: true
        approvers: [leads]
        approvals_needed: 2
  leads:
    members: {users: [U0BOB, U0CAROL]}
    allow:
      - {actions: ["Drop*"], approval: confirm}
  chiefs:
    members: {users: [U0DAVE]}
"""
DROP, BAN, CAR = "live stream1", "ban stream1", "car user1"


def directory() -> FakeDirectory:
    return FakeDirectory(people={one.user: Person(one.user, TEAM) for one in PEOPLE})


@pytest.fixture
async def house(quick_store: Store) -> AsyncIterator[House]:
    async with built(quick_store, policy=POLICY, directory=directory()) as one:
        yield one


async def waiting(house: House, text: str = DROP, actor: Actor = ALICE) -> Operation:
    operation = await house.run(text, actor)
    assert operation.state is State.WAITING
    return operation


def ran(house: House) -> list[str]:
    """Give what was sent besides reads."""
    apis = [command.action.api for command in house.cloud.sent]
    return [api for api in apis if not api.startswith("Describe")]


async def test_approval_sends_nothing_before_decision(house: House) -> None:
    """Nothing but reads is sent while an operation waits for its approval."""
    operation = await waiting(house)

    assert ran(house) == []
    assert operation.approvals.roles == ("leads",)
    assert operation.approvals.people == ("U0BOB", "U0CAROL")
    assert (operation.expires_at or 0) - operation.asked_at == pytest.approx(900, abs=5)
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
        (MALLORY, Choice.APPROVE, "Only someone in leads"),
        (MALLORY, Choice.DENY, "Only someone in leads"),
        (MALLORY, Choice.CANCEL, "Only U0ALICE"),
        (BOB, Choice.CANCEL, "Only U0ALICE"),
        (BOB, Choice.CONFIRM, "Only U0ALICE"),
        (DAVE, Choice.APPROVE, "Only someone in leads"),
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


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def timed_store(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Store]:
    """A store that takes its time from the test's clock."""
    async with opened(f"sqlite:///{tmp_path / 'timed.db'}", clock=clock) as one:
        yield one


async def test_approval_expires_without_decision(timed_store: Store, clock: ManualClock) -> None:
    """An operation that nobody decides in time expires and is reported once."""
    async with built(timed_store, policy=POLICY, directory=directory(), clock=clock) as house:
        operation = await waiting(house)
        clock.advance(901.0)
        ended = await house.ended(operation.id)
        late = await house.decide(operation.id, Choice.APPROVE, BOB)

    assert ended.state is State.EXPIRED
    assert "expired" in late.words
    assert house.heard(MessageKind.ENDING) == 1
    assert ran(house) == []


async def test_approval_past_expiry_is_refused_before_expiry_job(
    timed_store: Store, clock: ManualClock
) -> None:
    """An approval after the expiry is refused even if the expiry job has not run."""
    async with built(timed_store, policy=POLICY, directory=directory(), clock=clock) as house:
        operation = await waiting(house)
        await house.approvals.stop()
        clock.advance(901.0)
        settled = await house.decide(operation.id, Choice.APPROVE, BOB)

    assert not settled.counts
    assert (await timed_store.operations.get(operation.id) or operation).state is State.EXPIRED


async def test_approval_reminds_once_and_escalates_to_next_role(
    timed_store: Store, clock: ManualClock
) -> None:
    """An undecided operation sends one reminder and escalates to the next role."""
    desk = FakeNotifier()

    def reminders(of: Operation) -> int:
        return [one.operation.id for one in desk.said(MessageKind.REMINDER)].count(of.id)

    shared = {"policy": POLICY, "directory": directory(), "clock": clock, "desk": desk}
    async with built(timed_store, **shared) as house:
        operation = await waiting(house)
        early = await house.decide(operation.id, Choice.APPROVE, DAVE)
        clock.advance(121.0)
        await until(lambda: reminders(operation))
        later = await waiting(house, "live stream2")
        clock.advance(121.0)
        await until(lambda: reminders(later))
        widened = await house.now(operation.id)
        settled = await house.decide(operation.id, Choice.APPROVE, DAVE)
        await house.ended(operation.id)

    assert not early.counts
    assert widened.approvals.roles == ("leads", "chiefs")
    assert "U0DAVE" in widened.approvals.people
    assert reminders(operation) == 1
    assert settled.counts


async def test_approval_duplicate_request_joins_waiting_operation(house: House) -> None:
    """A duplicate of a waiting operation is cancelled and points to the first one's card."""
    first = await waiting(house)
    second = await house.run(DROP, ALICE, key="another")

    assert second.state is State.CANCELLED
    assert second.duplicate_of == first.id
    assert house.desk.said(MessageKind.PRIVATE)[0].operation.card_ts == first.card_ts
    assert (await house.run("live stream2", ALICE)).state is State.WAITING
    assert (await house.run(DROP, BOB)).duplicate_of == first.id


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

    async def call(self, command: Command) -> Answer:
        answer = await super().call(command)
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


async def test_approval_stored_decision_survives_replica(database_url: str) -> None:
    """A stored decision is carried out by another replica when its own is gone."""
    async with opened(database_url, "replica-1", lease=0.4) as store:
        async with built(store, policy=POLICY, directory=directory()) as house:
            operation = await waiting(house)
        press = Decision("trigger-1", operation.id, Choice.APPROVE, BOB, Place("C0INC"))
        assert await store.decisions.add(press) is not None

        async with (
            opened(database_url, "replica-2", lease=0.4) as other,
            built(other, policy=POLICY, directory=directory()) as house,
        ):
            ended = await house.ended(operation.id)
    assert ended.state is State.ACCEPTED
    assert ran(house) == ["DropLiveStream"]


@contextlib.asynccontextmanager
async def replicas(url: str, **shared: Any) -> AsyncIterator[tuple[House, House]]:
    async with (
        opened(url, "replica-1") as one,
        opened(url, "replica-2") as two,
        built(one, **shared) as first,
        built(two, **shared) as second,
    ):
        yield first, second


async def test_approval_of_many_clicks_on_two_replicas_sends_one_call(database_url: str) -> None:
    """A hundred approvals on two replicas send one call, and the others learn who decided."""
    crowd = [Actor(TEAM, f"U0LEAD{number}") for number in range(10)]
    text = POLICY.replace("[U0BOB, U0CAROL]", str([one.user for one in crowd]).replace("'", ""))
    known = directory()
    known.people |= {one.user: Person(one.user, TEAM) for one in crowd}
    cloud, desk = FakeCloud(), FakeNotifier()
    shared = {"policy": text, "directory": known, "cloud": cloud, "desk": desk}
    async with replicas(database_url, **shared) as (first, second):
        operation = await waiting(first)
        settled = await asyncio.gather(
            *(
                (first, second)[number % 2].decide(operation.id, Choice.APPROVE, actor)
                for number, actor in enumerate(crowd * 10)
            )
        )
        ended = await first.ended(operation.id)

    assert ended.state is State.ACCEPTED
    assert ran(first) == ["DropLiveStream"]
    assert [one.counts for one in settled].count(True) == 1
    told = [one.words for one in settled if not one.counts]
    assert len(told) == 99
    assert all(re.search(rf"{ended.decided_by}|You let", words) for words in told)


async def test_approval_of_concurrent_requests_waits_once(database_url: str) -> None:
    """Identical requests made at once on two replicas leave one waiting operation."""
    shared = {"policy": POLICY, "directory": directory()}
    async with replicas(database_url, **shared) as (first, second):
        replies = await asyncio.gather(
            *((first, second)[n % 2].ask(DROP, ALICE, key=f"key-{n}") for n in range(10))
        )
        ids = [reply.operation.id for reply in replies if isinstance(reply, Accepted)]
        for id_ in ids:
            await first.engine.ending(id_)
        states = [(await first.now(id_)).state for id_ in ids]

    assert sorted(states) == [State.CANCELLED] * 9 + [State.WAITING]
