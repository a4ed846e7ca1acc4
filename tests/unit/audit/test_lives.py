"""The life of each operation, as the audit log tells it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.audit.lives import KINDS, LifeRecord, first_gap
from bot.model.lifecycle import BEGINNINGS, MEANWHILE, STEPS
from bot.model.operations import State


def life(*kinds: str, operation: str = "op1", **facts: str) -> list[LifeRecord]:
    """Return the records of an operation, every second of the trail's."""
    return [
        (operation, 2 * number + 1, kind, json.dumps({"facts": facts}))
        for number, kind in enumerate(kinds)
    ]


@st.composite
def lived(draw: st.DrawFn) -> list[LifeRecord]:
    """Walk the table of the lifecycle, and record each step as the store does."""
    state, seq, records = State.ASKED, 1, [("op1", 1, BEGINNINGS[State.ASKED].record, "{}")]
    for _ in range(draw(st.integers(0, 8))):
        following = [after for before, after in STEPS if before is state]
        choices = [(STEPS[state, after], after) for after in following]
        if state is State.WAITING:
            choices += [(step, state) for step in MEANWHILE.values()]
        if not choices:
            break
        step, state = draw(st.sampled_from(choices))
        seq += draw(st.integers(1, 3))
        body = json.dumps({"facts": {"state": state.value}})
        records.append(("op1", seq, step.record, body))
    return records


@settings(max_examples=60)
@given(lived())
def test_every_life_of_the_lifecycle_is_in_order(records: list[LifeRecord]) -> None:
    """Whatever the store can record, with partial approvals and repeats, is no finding."""
    assert first_gap(records, pruned=False) is None
    for begin in range(len(records)):
        assert first_gap(records[begin:], pruned=True) is None


@pytest.mark.parametrize(
    ("kinds", "at"),
    [
        (["sending", "ended"], 1),
        (["asked", "sending", "ended"], 3),
        (["asked", "waiting", "sending", "ended"], 5),
        (["asked", "allowed", "sending", "ended", "sending"], 9),
        (["asked", "allowed", "sending", "ended", "decided"], 9),
        (["asked", "waiting", "denied", "decided", "sending"], 7),
        (["asked", "allowed", "ended", "ended"], 7),
        (["asked", "asked"], 3),
        (["ended"], 1),
        (["allowed"], 1),
    ],
)
def test_what_nobody_let_pass_is_found(kinds: list[str], at: int) -> None:
    """The first record that follows on nothing is named, whatever comes after it."""
    found = first_gap(
        [
            *life("asked", "allowed", "sending", "ended", operation="op0"),
            *life(*kinds),
            *life("asked", "waiting", "decided", "sending", "ended", operation="op2"),
        ],
        pruned=False,
    )
    assert found is not None
    assert (found.seq, found.what) == (at, "out of order")
    assert "operation op1" in found.why


WAITING, DUE, ACCEPTED = ({"state": one} for one in ("waiting", "due", "accepted"))
FAILED, UNKNOWN = {"state": "failed"}, {"state": "unknown"}
ANSWER = {"request_id": "r1"}

BROKEN: list[list[tuple[str, dict[str, str]]]] = [
    # Nobody asked.
    [("sending", {}), ("ended", ACCEPTED)],
    [("decided", DUE), ("sending", {}), ("ended", ACCEPTED)],
    [("waiting", {}), ("decided", DUE)],
    [("denied", {})],
    [("expired", {})],
    [("not run", {})],
    [("reminded", {})],
    # Nobody let it pass.
    [("asked", {}), ("sending", {})],
    [("asked", {}), ("decided", DUE), ("sending", {})],
    [("asked", {}), ("waiting", {}), ("allowed", {}), ("sending", {})],
    [("asked", {}), ("waiting", {}), ("decided", WAITING), ("sending", {})],
    [("asked", {}), ("waiting", {}), ("reminded", {}), ("sending", {})],
    [("asked", {}), ("waiting", {}), ("changed", {}), ("sending", {})],
    [("asked", {}), ("sending again", {})],
    [("asked", {}), ("allowed", {}), ("sending again", {})],
    # It ended twice, or went on after its ending.
    [("asked", {}), ("allowed", {}), ("sending", {}), ("ended", ACCEPTED), ("ended", FAILED)],
    [("asked", {}), ("allowed", {}), ("sending", {}), ("ended", UNKNOWN), ("sending again", {})],
    [("asked", {}), ("allowed", {}), ("sending", {}), ("ended", FAILED), ("not run", {})],
    [("asked", {}), ("allowed", {}), ("denied", {}), ("sending", {})],
    [("asked", {}), ("denied", {}), ("allowed", {}), ("sending", {})],
    [("asked", {}), ("waiting", {}), ("expired", {}), ("decided", DUE), ("sending", {})],
    [("asked", {}), ("waiting", {}), ("cancelled", {}), ("decided", DUE)],
    [("asked", {}), ("joined", {}), ("waiting", {})],
    [("invalid", {}), ("allowed", {})],
    [("asked", {}), ("asked", {})],
    # The cloud was called, and no record said before that it would be.
    [("asked", {}), ("ended", ACCEPTED)],
    [("asked", {}), ("allowed", {}), ("ended", ACCEPTED)],
    [("asked", {}), ("allowed", {}), ("ended", UNKNOWN)],
    [("asked", {}), ("allowed", {}), ("ended", FAILED | ANSWER)],
    [("asked", {}), ("waiting", {}), ("decided", DUE), ("ended", {"state": "already"})],
    [("asked", {}), ("allowed", {}), ("not run", ANSWER)],
    # What it says is no state that may follow.
    [("asked", {}), ("allowed", {}), ("sending", {}), ("ended", DUE)],
    [("asked", {}), ("waiting", {}), ("decided", ACCEPTED)],
    [("asked", {}), ("waiting", {}), ("denied", ACCEPTED)],
]


@pytest.mark.parametrize("records", BROKEN, ids=lambda one: ", ".join(kind for kind, _ in one))
def test_broken_life_is_found(records: list[tuple[str, dict[str, str]]]) -> None:
    """No life that the store cannot have recorded passes, by kinds or by what they say."""
    told = [
        ("op1", 2 * number + 1, kind, json.dumps({"facts": facts}))
        for number, (kind, facts) in enumerate(records)
    ]
    found = first_gap([*life("asked", "allowed", operation="op0"), *told], pruned=False)
    assert found is not None
    assert "operation op1" in found.why


def test_one_approval_of_two_lets_nothing_pass() -> None:
    """A decision after which the operation still waited is not the one that released it."""
    waits = [("op1", 5, "decided", json.dumps({"facts": {"state": "waiting"}}))]
    begin = life("asked", "waiting")
    assert first_gap([*begin, *waits, ("op1", 7, "sending", "{}")], pruned=False) is not None
    due = ("op1", 7, "decided", json.dumps({"facts": {"state": "due"}}))
    assert first_gap([*begin, *waits, due, ("op1", 9, "sending", "{}")], pruned=False) is None


def test_removed_beginning_is_no_finding() -> None:
    """Where old records were removed, a life may begin anywhere, and goes on in order."""
    assert first_gap(life("sending", "ended"), pruned=True) is None
    assert first_gap(life("sending", "ended", "sending"), pruned=True) is not None


def test_every_kind_of_the_lifecycle_is_read() -> None:
    """No transition's record is left out of the walk."""
    tables = (STEPS, BEGINNINGS, MEANWHILE)
    assert {step.record for table in tables for step in table.values()} == KINDS
