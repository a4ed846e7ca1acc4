"""Walks the life of each operation on the audit log: nothing may be sent that nobody let pass."""

from collections.abc import Iterable, Mapping
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeAlias

from bot.audit.hash_chain import stored_facts
from bot.audit.verifier import ChainError
from bot.model.lifecycle import BEGINNINGS, MEANWHILE, STEPS
from bot.model.operations import State

LifeRecord: TypeAlias = tuple[str, int, str, str]
"""Operation, number, kind and body of a record."""

_WAITS = frozenset(step.record for step in MEANWHILE.values())
KINDS = frozenset(
    {step.record for steps in (BEGINNINGS, STEPS) for step in steps.values()} | _WAITS
)
"""Kinds of the records of an operation's transitions; all others may stand anywhere."""

_ANY = frozenset(State)
_SENDING = frozenset(
    step.record for (before, after), step in STEPS.items() if after is State.RUNNING
)
_ANSWERED = frozenset(
    step.record for (before, after), step in STEPS.items() if before is State.RUNNING
)


def first_gap(records: Iterable[LifeRecord], *, pruned: bool) -> ChainError | None:
    """Return the first record that does not follow on what its operation was before.

    Args:
        records: Those of KINDS, by operation and number.
        pruned: Whether the beginning of a life may have been removed.
    """
    found = (
        gap
        for _, life in groupby(records, key=itemgetter(0))
        if (gap := _gap(life, pruned=pruned)) is not None
    )
    return min(found, key=lambda gap: gap.seq, default=None)


def _gap(life: Iterable[LifeRecord], *, pruned: bool) -> ChainError | None:
    states: frozenset[State] = frozenset()
    before, may_be_sent = "", False
    for operation, seq, kind, body in life:
        if not before and pruned and not _begun(kind):
            states, may_be_sent = _ANY, True
        after = _after(states, kind) if states else _begun(kind)
        facts = stored_facts(body)
        states = _narrowed(after, facts)
        may_be_sent = may_be_sent or kind in _SENDING
        is_answered = bool(facts.get("request_id")) and kind in _ANSWERED
        if not states or (is_answered and not may_be_sent):
            follows = f'follows on its "{before}"' if before else "has nothing before it"
            says = "an answer" if states else f'"{_said(kind, facts) if after else kind}"'
            why = f"record {seq} says {says} of operation {operation}, and {follows}"
            return ChainError(seq, "out of order", why)
        before = kind
    return None


def _said(kind: str, facts: Mapping[str, Any]) -> str:
    return f"{kind}: {facts.get('state')}"


@cache
def _begun(kind: str) -> frozenset[State]:
    return frozenset(state for state, step in BEGINNINGS.items() if step.record == kind)


@cache
def _after(states: frozenset[State], kind: str) -> frozenset[State]:
    """Return the states that may follow with a record of this kind."""
    moved = {
        after for (before, after), step in STEPS.items() if before in states and step.record == kind
    }
    stays = {State.WAITING} if State.WAITING in states and kind in _WAITS else set[State]()
    return frozenset(moved | stays)


def _narrowed(states: frozenset[State], facts: Mapping[str, Any]) -> frozenset[State]:
    """Return the states that may follow and that a record names; all of them if it names none."""
    named = facts.get("state")
    return states if named is None else frozenset(one for one in states if one.value == named)
