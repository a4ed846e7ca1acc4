"""Who decided on an operation, and when; pure."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from bot.model.operations import Operation, State
from handlers.messages.mrkdwn import format_clock, user

Decision: TypeAlias = Callable[[Operation], str]


def decision_text(operation: Operation) -> str:
    """Describe who decided, and when; empty if nobody did."""
    if not (operation.approvals.given or operation.decided_by):
        return ""
    return _TEXTS.get(operation.state, _decided)(operation)


def _decided(operation: Operation) -> str:
    if operation.emergency:
        return _decided_by("called an emergency", user(operation.decided_by), operation)
    if operation.approvals.given:
        return _decided_by("approved", _approvers(operation), operation)
    if operation.decided_by == operation.actor.user:
        when = f" {format_clock(operation.decided_at)}" if operation.decided_at else ""
        return f"confirmed{when}"
    return _decided_by("confirmed", user(operation.decided_by), operation)


def _waiting_decision(operation: Operation) -> str:
    approvals = operation.approvals
    who = _approvers(operation) or user(operation.decided_by)
    return f"{len(approvals.given)} of {approvals.needed} approved: {who}"


def _denied_decision(operation: Operation) -> str:
    if operation.denied_by_person:
        return _decided_by("denied", user(operation.decided_by), operation)
    return _decided(operation)


def _expired_decision(operation: Operation) -> str:
    return f"approved by {_approvers(operation)} alone" if operation.approvals.given else ""


def _cancelled_decision(operation: Operation) -> str:
    verb = "superseded" if operation.superseded else "cancelled"
    return _decided_by(verb, user(operation.decided_by), operation)


def _approvers(operation: Operation) -> str:
    return " and ".join(user(one.user) for one in operation.approvals.given)


def _decided_by(verb: str, who: str, operation: Operation) -> str:
    when = f" {format_clock(operation.decided_at)}" if operation.decided_at else ""
    return f"{verb} by {who}{when}"


_TEXTS: Mapping[State, Decision] = {
    State.WAITING: _waiting_decision,
    State.DENIED: _denied_decision,
    State.EXPIRED: _expired_decision,
    State.CANCELLED: _cancelled_decision,
}
