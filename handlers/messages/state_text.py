"""What is said of an operation in each of its states, one row for each state; pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from bot.catalog.error_codes import explain
from bot.model.actions import Action, Approval
from bot.model.operations import Operation, State
from handlers.messages.annotations import reading_text
from handlers.messages.mrkdwn import code, escape, format_slack_time, render_sentence, user
from handlers.messages.next_steps import afterwards_text, check_text
from handlers.messages.operation_text import (
    answer_text,
    approvers_text,
    attempts_text,
    detail_text,
    error_message_text,
    expiry_text,
    is_local,
    is_read,
    live_before_text,
    live_instead_text,
    request_id_text,
    state_change_text,
)

Summary: TypeAlias = Callable[[Operation, Action | None], str]
Outcome: TypeAlias = Callable[[Operation, Action | None], list[str]]
Decision: TypeAlias = Callable[[Operation], str]

_NOT_SENT = "Nothing was sent."


# --- summaries: what the card says ---


def _asked(_operation: Operation, _action: Action | None) -> str:
    return "Nothing is sent yet."


def _waiting(operation: Operation, action: Action | None) -> str:
    preview = operation.preview
    mistaken = live_instead_text(operation, action)
    lines = [mistaken] if mistaken else []
    lines += [action.does] if action is not None else []
    lines.append(_condition(operation))
    if preview.state_at_press:
        lines.append(state_change_text(operation) + " Press again if you still want it.")
    elif preview.state:
        lines.append(f"State when it was asked: {code(preview.state)}.")
    lines += map(reading_text, preview.readings)
    if operation.expires_at:
        lines.append(f"Expires {format_slack_time(operation.expires_at)}.")
    return "\n".join(lines)


def _condition(operation: Operation) -> str:
    """Describe what has to happen before a waiting request is sent."""
    approvals = operation.approvals
    if operation.approval is Approval.CONFIRM:
        return f"Nothing is sent before {user(operation.actor.user)} confirms it."
    if not approvals.roles:
        return "The policy lets nobody approve this: its list of approvers is empty."
    count = "someone" if approvals.needed == 1 else f"{approvals.needed} people"
    approve = "approves" if approvals.needed == 1 else "approve"
    return f"Nothing is sent before {count} in {approvers_text(operation)} {approve} it."


def _due(operation: Operation, _action: Action | None) -> str:
    if operation.attempts:
        again = f"It did not run and is tried again (try {operation.attempts + 1})."
        return f"{again} {render_sentence(operation.detail, 600)}"
    return "It waits for its turn under the limit of the API. Nothing is sent yet."


def _running(operation: Operation, action: Action | None) -> str:
    if operation.attempts > 1:
        again = f"It is sent again (try {operation.attempts})."
        return f"{again} {render_sentence(operation.detail, 600)}"
    if is_local(action):
        return "It is being noted."
    return "The request is on its way to Tencent Cloud."


_LOCAL_RESULTS = {
    "Hold": "Nobody may start it through this bot until it is released.",
    "Release": "It may be started again, by whomever the policy lets.",
}


def _accepted(operation: Operation, action: Action | None) -> str:
    if is_local(action):
        return detail_text(operation) or _LOCAL_RESULTS[operation.api]
    before = live_before_text(operation, action)
    answer = f"{answer_text(operation, action)} The RequestId is in the thread."
    return f"{before}\n{answer}" if before else answer


def _already(operation: Operation, action: Action | None) -> str:
    if is_local(action):
        return detail_text(operation) or _LOCAL_RESULTS[operation.api]
    return explain(operation.code, action).means


def _failed(operation: Operation, action: Action | None) -> str:
    if not operation.code:
        return f"It did not run: {detail_text(operation)}"
    means = explain(operation.code, action).means
    return f"Tencent Cloud refused it: {means} What to do is in the thread."


def _unknown(_operation: Operation, _action: Action | None) -> str:
    return "No clear answer came. How to check is in the thread."


def _denied(operation: Operation, _action: Action | None) -> str:
    if operation.denied_by_person:
        why = f" Reason: {escape(operation.reason, 500)}" if operation.reason else ""
        return f"{user(operation.decided_by)} decided against it. {_NOT_SENT}{why}"
    return f"{detail_text(operation)} {_NOT_SENT}"


def _invalid(operation: Operation, _action: Action | None) -> str:
    return render_sentence(operation.detail, 600) or _NOT_SENT


def _expired(_operation: Operation, _action: Action | None) -> str:
    return f"Nobody decided in time. {_NOT_SENT} Ask again if it is still needed."


def _cancelled(operation: Operation, _action: Action | None) -> str:
    if operation.superseded:
        return detail_text(operation)
    if operation.decided_by:
        return f"{user(operation.decided_by)} cancelled it. {_NOT_SENT}"
    return render_sentence(operation.detail, 600) or _NOT_SENT


# --- outcomes: what the thread says, a line each; empty lines are left out ---


def _accepted_outcome(operation: Operation, action: Action | None) -> list[str]:
    if is_local(action):
        return _local_outcome(operation, action)
    label = state_label(operation, action)
    return [
        live_before_text(operation, action),
        f"*{label}.* {answer_text(operation, action)} {request_id_text(operation)}",
        attempts_text(operation),
        expiry_text(operation, action),
        afterwards_text(operation, action),
    ]


def _already_outcome(operation: Operation, action: Action | None) -> list[str]:
    if is_local(action):
        return _local_outcome(operation, action)
    return [
        f"*Already so.* {explain(operation.code, action).means} It needs no repeat.",
        attempts_text(operation),
        f"Code {code(operation.code)}",
        request_id_text(operation),
    ]


def _local_outcome(operation: Operation, action: Action | None) -> list[str]:
    return [*_summary_outcome(operation, action), afterwards_text(operation, action)]


def _failed_outcome(operation: Operation, action: Action | None) -> list[str]:
    detail = render_sentence(operation.detail, 600)
    if not operation.code:
        return [
            f"*Failed*, it did not run: {detail}",
            attempts_text(operation),
            "Next: ask again; if it stays so, tell whoever runs this bot.",
        ]
    explained = explain(operation.code, action)
    return [
        f"*Failed* with {code(operation.code)}: {explained.means}",
        detail if operation.detail not in ("", operation.error_message) else "",
        attempts_text(operation),
        f"Next: {explained.next_step}",
        error_message_text(operation),
        request_id_text(operation),
    ]


def _unknown_outcome(operation: Operation, action: Action | None) -> list[str]:
    means = explain(operation.code, action).means
    answered = f"Tencent Cloud answered {code(operation.code)}: {means}" if operation.code else ""
    why = f"{render_sentence(operation.detail, 600)} {answered}".strip()
    return [
        f"*Unknown: it may have run.* {why}",
        attempts_text(operation),
        f"Next: {check_text(operation, action)} before you repeat it.",
        error_message_text(operation),
        request_id_text(operation),
    ]


def _summary_outcome(operation: Operation, action: Action | None) -> list[str]:
    label = STATE_TEXTS[operation.state].label
    return [f"*{label}.* {summary(operation, action)}"]


# --- decisions: who decided, and when ---


def _decided(operation: Operation) -> str:
    if operation.emergency:
        return _decided_by("called an emergency", user(operation.decided_by), operation)
    if operation.approvals.given:
        return _decided_by("approved", _approvers(operation), operation)
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
    when = f" {format_slack_time(operation.decided_at)}" if operation.decided_at else ""
    return f"{verb} by {who}{when}"


# --- the table ---


@dataclass(frozen=True, slots=True)
class StateText:
    """What people read of an operation in one state.

    Attributes:
        label: The name of the state.
        summary: Returns the sentences on the card.
        outcome: Returns the lines in the thread.
        decision: Returns who decided, and when.
        read_label: The name for an action that only reads; empty where it is `label`.
        confirm_label: The name while a confirmation is awaited; empty where it is `label`.
        audit_detail: Whether the audit line quotes the operation's detail.
    """

    label: str
    summary: Summary
    outcome: Outcome = _summary_outcome
    decision: Decision = _decided
    read_label: str = ""
    confirm_label: str = ""
    audit_detail: bool = False


STATE_TEXTS: Mapping[State, StateText] = {
    State.ASKED: StateText("Checking", _asked),
    State.WAITING: StateText(
        "Waiting for approval",
        _waiting,
        decision=_waiting_decision,
        confirm_label="Waiting for a confirmation",
    ),
    State.DUE: StateText("Next in line", _due),
    State.RUNNING: StateText("Sending", _running),
    State.ACCEPTED: StateText("Accepted", _accepted, _accepted_outcome, read_label="Answered"),
    State.ALREADY: StateText("Already so", _already, _already_outcome),
    State.FAILED: StateText("Failed", _failed, _failed_outcome),
    State.UNKNOWN: StateText(
        "Unknown, it may have run", _unknown, _unknown_outcome, audit_detail=True
    ),
    State.DENIED: StateText("Denied", _denied, decision=_denied_decision, audit_detail=True),
    State.INVALID: StateText("Not understood", _invalid, audit_detail=True),
    State.EXPIRED: StateText("Expired", _expired, decision=_expired_decision),
    State.CANCELLED: StateText("Cancelled", _cancelled, decision=_cancelled_decision),
}


def state_label(operation: Operation, action: Action | None) -> str:
    """Return the name of an operation's state."""
    row = STATE_TEXTS[operation.state]
    if operation.superseded:
        return "Superseded"
    return (is_read(action) and row.read_label) or row.label


def card_label(operation: Operation, action: Action | None) -> str:
    """Return the name of an operation's state on its card."""
    confirm_label = STATE_TEXTS[operation.state].confirm_label
    if confirm_label and operation.approval is Approval.CONFIRM:
        return confirm_label
    return state_label(operation, action)


def summary(operation: Operation, action: Action | None) -> str:
    """Describe in a sentence or two what is known now."""
    text = STATE_TEXTS[operation.state].summary(operation, action)
    # A waiting card has its change among its lines.
    changed = "" if operation.state is State.WAITING else state_change_text(operation)
    return f"{changed}\n{text}" if changed else text


def outcome_lines(operation: Operation, action: Action | None) -> list[str]:
    """Describe how an operation ended, and what to do next, a line each."""
    lines = STATE_TEXTS[operation.state].outcome(operation, action)
    return [line for line in lines if line]


def decision_text(operation: Operation) -> str:
    """Describe who decided, and when; empty if nobody did."""
    if not (operation.approvals.given or operation.decided_by):
        return ""
    return STATE_TEXTS[operation.state].decision(operation)
