"""Which waiting request another one joins, and what its going ahead ends."""

from dataclasses import replace
from typing import Any

import pytest

from bot.catalog.registry import by_api
from bot.model.actions import Approval
from bot.model.commands import Command, Via
from bot.model.operations import Approvals, GivenApproval, Operation, Origin, State
from bot.model.people import Actor, Place
from bot.operations.joining import Joiner, superseded_by_ending
from tests.unit.messages.samples import OPERATION

NOW, EXPIRES = 1_000.0, 600.0
ASKER, OTHER, GIVER = (Actor("T0HOME", f"U0{name}") for name in ("ASKER", "OTHER", "GIVER"))
WANTED = replace(
    OPERATION,
    id="wanted",
    state=State.WAITING,
    actor=ASKER,
    approval=Approval.SECOND_PERSON,
    approvals=Approvals(needed=2, roles=("leads",)),
)
OWN = replace(WANTED, id="own", expires_at=NOW + EXPIRES)
THEIRS = replace(OWN, id="theirs", actor=OTHER)


def approvals(**given: Any) -> Approvals:
    return replace(WANTED.approvals, **given)


def joins(waiting: Operation, wanted: Operation = WANTED, *, may_approve: bool = True) -> bool:
    return Joiner(wanted, EXPIRES, lambda _waiting: may_approve).may_join(waiting, NOW)


def test_request_joins_where_it_costs_its_asker_nothing() -> None:
    """Their own request that waits, and one that they may approve, is joined."""
    assert joins(OWN, may_approve=False)
    assert joins(THEIRS)
    assert not joins(THEIRS, may_approve=False)


@pytest.mark.parametrize("waiting", [OWN, THEIRS], ids=["own", "of another"])
@pytest.mark.parametrize(
    "other",
    [
        {"place": Place("C0OTHER")},
        {"via": Via.TERMINAL},
        {"origin": Origin(request_of="denied")},
        {"origin": Origin(undoes="stopped")},
        {"expires_at": NOW + EXPIRES * 0.4},
        {"expires_at": None},
        {"approval": Approval.CONFIRM},
    ],
    ids=lambda other: next(iter(other)),
)
def test_request_joins_no_card_that_is_another(waiting: Operation, other: dict[str, Any]) -> None:
    """Nobody joins a card elsewhere, of another kind, for another reason or soon to expire."""
    assert not joins(replace(waiting, **other))


@pytest.mark.parametrize(
    "wanted",
    [
        {"needed": 1},
        {"roles": ("leads", "deciders")},
        {"break_glass_rule": "roles.glass.allow[0]"},
    ],
    ids=["fewer approvals", "more deciders", "a glass to break"],
)
def test_request_keeps_what_its_own_card_would_offer(wanted: dict[str, Any]) -> None:
    """Somebody whose rights have grown gets another card, not their older one."""
    assert not joins(OWN, replace(WANTED, approvals=approvals(**wanted)), may_approve=False)


@pytest.mark.parametrize(
    "wanted",
    [
        replace(WANTED, via=Via.TERMINAL),
        replace(WANTED, approvals=approvals(break_glass_rule="roles.glass.allow[0]")),
        replace(WANTED, approvals=approvals(needed=1)),
        replace(WANTED, approvals=approvals(roles=("leads", "deciders"))),
    ],
    ids=["terminal", "breaks the glass", "needs fewer", "has more deciders"],
)
def test_approver_is_not_led_to_a_card_on_which_they_can_do_less(wanted: Operation) -> None:
    """Who could do more by a request of their own, or cannot press, has one."""
    assert not joins(replace(THEIRS, via=wanted.via), wanted)


def test_approver_of_a_card_is_not_led_to_it_again() -> None:
    """Who has approved a card already can do nothing there."""
    given = (GivenApproval(ASKER.user, NOW),)
    assert not joins(replace(THEIRS, approvals=approvals(needed=3, given=given)))


def test_approver_whose_approval_is_the_last_is_led_to_the_card() -> None:
    """Where one approval is left, it does not matter who else may give one."""
    given = (GivenApproval(GIVER.user, NOW),)
    wanted = replace(WANTED, approvals=approvals(needed=1, roles=("leads", "deciders")))
    assert joins(replace(THEIRS, approvals=approvals(given=given)), wanted)


@pytest.mark.parametrize("state", State)
def test_only_what_went_ahead_ends_what_waits_for_the_same(state: State) -> None:
    """What was done, or needed no doing, ends it; a failure or a doubt leaves it waiting."""
    stop = Command(by_api("DropLiveStream"), OPERATION.params)
    found = superseded_by_ending(OPERATION, stop, replace(OPERATION, state=state))
    assert (found is not None) is (state in (State.ACCEPTED, State.ALREADY))


def test_reading_ends_nothing() -> None:
    """What changed nothing has done nothing for those who wait."""
    read = Command(by_api("DescribeLiveStreamState"), OPERATION.params)
    assert superseded_by_ending(OPERATION, read, OPERATION) is None


def test_what_is_superseded_says_by_whom_and_when() -> None:
    """Its asker learns who did it, and the trail that it was decided."""
    stop = Command(by_api("DropLiveStream"), OPERATION.params)
    found = superseded_by_ending(replace(OPERATION, actor=ASKER), stop, OPERATION)
    assert found is not None
    ended = found.end(THEIRS)
    assert (ended.id, ended.path) == (THEIRS.id, (State.WAITING, State.CANCELLED))
    assert ended.changes == {
        "detail": f"{ASKER.user} asked for the same, and that went ahead, so this was not sent.",
        "decided_by": ASKER.user,
        "duplicate_of": OPERATION.id,
    }
    assert ended.effects.decided
    assert ended.facts["detail"] == ended.changes["detail"]
