"""What is said of an operation in each of its states, one row for each state; pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from bot.catalog.error_codes import explain
from bot.model.actions import Action, Approval
from bot.model.operations import LiveBefore, Operation, State
from handlers.messages import watch_text
from handlers.messages.annotations import reading_text
from handlers.messages.contacts import Contacts
from handlers.messages.failures import failure_lines, failure_outcome
from handlers.messages.local_text import local_look, local_result
from handlers.messages.looks import Look
from handlers.messages.mrkdwn import (
    code,
    escape,
    format_clock,
    render_sentence,
    user,
)
from handlers.messages.next_steps import afterwards_text, check_text
from handlers.messages.operation_text import (
    approvers_text,
    attempts_text,
    detail_text,
    error_message_text,
    expiry_text,
    is_local,
    is_read,
    live_before_text,
    live_instead_text,
    live_now_text,
    nothing_live_text,
    result_text,
    state_change_text,
)
from handlers.messages.wording import (
    deed,
    is_stop,
    lower_deed,
    not_done_text,
    sent_text,
    state_text,
    subject,
    thing,
    took_text,
)

Head: TypeAlias = Callable[[Operation, Action | None], str]
Lines: TypeAlias = Callable[[Operation, Action | None, Contacts], list[str]]

_NOT_SENT = "Nothing was sent."


# --- heads: the first line of the card ---


def _asks(look: Look) -> Head:
    return lambda operation, action: f"{look.word}: {lower_deed(operation, action)}"


def _waiting_head(operation: Operation, action: Action | None) -> str:
    if operation.approval is Approval.CONFIRM:
        return f"{deed(operation, action)}?"
    return f"{Look.APPROVAL.word}: {lower_deed(operation, action)}"


def _accepted_head(operation: Operation, action: Action | None) -> str:
    if is_local(action):
        return f"{local_look(operation).word}: {thing(operation, action)}"
    if is_read(action):
        word = _state_read(operation, action) or Look.ANSWERED.word
        return f"{word}: {thing(operation, action)}"
    if operation.live_before is LiveBefore.NOT_LIVE:
        return nothing_live_text(operation, action)
    return sent_text(operation, action)


def _already_head(operation: Operation, action: Action | None) -> str:
    if is_stop(action):
        return f"{Look.ALREADY_OVER.word}: {thing(operation, action)}"
    return f"{Look.ALREADY.word}: {lower_deed(operation, action)}"


def _unknown_head(operation: Operation, action: Action | None) -> str:
    return f"{Look.UNKNOWN.word}: {lower_deed(operation, action)}"


def _invalid_head(operation: Operation, _action: Action | None) -> str:
    return f"{Look.NOT_UNDERSTOOD.word}: {code(operation.text, 300)}"


def _state_read(operation: Operation, action: Action | None) -> str:
    """Return in words which state a read of one thing has found; empty for other reads."""
    if action is None or not action.effect_spec.state_field or not operation.result:
        return ""
    words = state_text(action, action.effect_spec.read_state(operation.result))
    return f"{words[:1].upper()}{words[1:]}" if words and words[0] != "`" else ""


def _state_text(operation: Operation, action: Action | None) -> str:
    """Say in words what a read of a state alone has found; empty for other reads."""
    field = action.effect_spec.state_field if action is not None else None
    alone = field is not None and operation.result.keys() == {field[0]}
    words = _state_read(operation, action) if alone else ""
    return f"{subject(operation, action)} is {words[:1].lower()}{words[1:]}." if words else ""


# --- summaries: the lines of the card after its first ---


def _nothing_yet(*_of: object) -> list[str]:
    return []


def _waiting(operation: Operation, action: Action | None, _to: Contacts) -> list[str]:
    return [
        live_instead_text(operation, action),
        state_change_text(operation, action),
        touched_text(operation, action, when=" when it was asked"),
        condition_text(operation),
    ]


def touched_text(operation: Operation, action: Action | None, when: str = "") -> str:
    """Describe what it touches: what was read of it, and what else it does.

    Args:
        when: The state was read.
    """
    read = read_sentences(operation, action, when)
    return " ".join(filter(None, (*read, impact_text(action, read))))


def read_sentences(operation: Operation, action: Action | None, when: str = "") -> list[str]:
    """Describe what was read of what it touches; nothing where that has changed since.

    Args:
        when: The state was read.
    """
    preview = operation.preview
    if preview.state_at_press:
        return []
    read = list(map(reading_text, preview.readings))
    on = action.effect_spec.resource_type.on if action is not None else ""
    unsaid = preview.state and not (read and preview.state == on)
    if unsaid and not operation.live_instead:
        words = state_text(action, preview.state)
        read.insert(0, f"{words[:1].upper()}{words[1:]}{when}.")
    return read


def impact_text(action: Action | None, read: Sequence[str]) -> str:
    """Describe what else it does, or what it does at all where nothing was read."""
    if action is None:
        return ""
    if action.impact or read:
        return action.impact
    return action.does.partition(". ")[0].removesuffix(".") + "."


def condition_text(operation: Operation) -> str:
    """Describe who has to press what, and by when."""
    approvals, expires_at = operation.approvals, operation.expires_at
    until = f" by {format_clock(expires_at)}" if expires_at else ""
    if operation.approval is Approval.CONFIRM:
        # Who has to is in the small print, as on any card.
        return f"Confirm{until}." if until else ""
    if not approvals.roles:
        return "Nobody can approve this: the policy's list of approvers is empty."
    count = "" if approvals.needed == 1 else f"{approvals.needed} people in "
    return f"{count}{approvers_text(operation)}: approve{until}."


def _due(operation: Operation, _action: Action | None, _to: Contacts) -> list[str]:
    if operation.attempts:
        again = f"It did not run. Trying again (try {operation.attempts + 1})."
        return [f"{again} {render_sentence(operation.detail, 600)}"]
    return ["Waiting for the API's rate limit. Nothing has been sent yet."]


def _running(operation: Operation, _action: Action | None, _to: Contacts) -> list[str]:
    if operation.attempts > 1:
        again = f"Sending again (try {operation.attempts})."
        return [f"{again} {render_sentence(operation.detail, 600)}"]
    return []


def _accepted(operation: Operation, action: Action | None, _to: Contacts) -> list[str]:
    if is_local(action):
        return [local_result(operation, action)]
    if is_read(action):
        said = _state_read(operation, action) and len(operation.result) == 1
        return [] if said else [result_text(operation, action)]
    if operation.live_before is LiveBefore.NOT_LIVE:
        return [live_now_text(operation), f"{sent_text(operation, action)}."]
    if operation.live_before is LiveBefore.UNREADABLE:
        return ["Couldn't check whether it was live before."]
    return []


def _already(operation: Operation, action: Action | None, _to: Contacts) -> list[str]:
    if is_local(action):
        return [local_result(operation, action)]
    return [explain(operation.code, action).means]


def _unknown(_operation: Operation, action: Action | None, _to: Contacts) -> list[str]:
    safe = action is not None and action.repeatable
    return [f"No clear answer came. {_SAFE if safe else _CHECK_FIRST}"]


_SAFE = "Sending it again is safe."
_CHECK_FIRST = "Check before you send it again."


def _denied(operation: Operation, _action: Action | None, _to: Contacts) -> list[str]:
    if operation.denied_by_person:
        why = f": {escape(operation.reason, 500).rstrip('.')}" if operation.reason else ""
        return [f"{user(operation.decided_by)} denied it{why}. {_NOT_SENT}"]
    return [f"{detail_text(operation)} {_NOT_SENT}"]


def _invalid(operation: Operation, _action: Action | None, _to: Contacts) -> list[str]:
    return [render_sentence(operation.detail, 600) or _NOT_SENT]


def _expired(operation: Operation, _action: Action | None, _to: Contacts) -> list[str]:
    wanted = "confirmed" if operation.approval is Approval.CONFIRM else "approved"
    return [f"Not {wanted} in time. {_NOT_SENT}"]


def _cancelled(operation: Operation, _action: Action | None, _to: Contacts) -> list[str]:
    if operation.superseded:
        return [detail_text(operation)]
    if operation.decided_by:
        return [f"{user(operation.decided_by)} cancelled it. {_NOT_SENT}"]
    return [render_sentence(operation.detail, 600) or _NOT_SENT]


# --- outcomes: what the thread says, a line each; empty lines are left out ---


def _accepted_outcome(operation: Operation, action: Action | None, _to: Contacts) -> list[str]:
    if watch_text.is_watch(operation):
        return [watch_text.begin_line(operation, action)]
    if is_local(action):
        return _local_outcome(operation, action, _to)
    label = state_label(operation, action)
    return [
        live_before_text(operation, action),
        _state_text(operation, action) or result_text(operation, action),
        f"*{label}* {took_text(operation.duration)}".rstrip() + ".",
        attempts_text(operation),
        expiry_text(operation, action),
        "" if operation.live_before is LiveBefore.NOT_LIVE else afterwards_text(operation, action),
    ]


def _already_outcome(operation: Operation, action: Action | None, to: Contacts) -> list[str]:
    if is_local(action):
        return _local_outcome(operation, action, to)
    return [
        f"*{state_label(operation, action)}.* {explain(operation.code, action).means}",
        attempts_text(operation),
        f"Code {code(operation.code)}",
    ]


def _local_outcome(operation: Operation, action: Action | None, to: Contacts) -> list[str]:
    return [*_summary_outcome(operation, action, to), afterwards_text(operation, action)]


def _failed_outcome(operation: Operation, action: Action | None, to: Contacts) -> list[str]:
    return [
        *failure_outcome(operation, action, to),
        attempts_text(operation),
        error_message_text(operation),
    ]


def _unknown_outcome(operation: Operation, action: Action | None, to: Contacts) -> list[str]:
    means = explain(operation.code, action).means
    answered = f"Tencent Cloud answered {code(operation.code)}: {means}" if operation.code else ""
    why = f"{render_sentence(operation.detail, 600)} {answered}".strip()
    safe = action is not None and action.repeatable
    check = check_text(operation, action, to)
    return [
        f"*Unknown: it may have run.* {why}",
        attempts_text(operation),
        f"{_SAFE} To check, {check}." if safe else f"{check[:1].upper()}{check[1:]} first.",
        error_message_text(operation),
    ]


def _summary_outcome(operation: Operation, action: Action | None, to: Contacts) -> list[str]:
    label = state_label(operation, action)
    lines = STATE_TEXTS[operation.state].summary(operation, action, to)
    return [f"*{label}.* {' '.join(filter(None, lines))}"]


# --- the table ---


@dataclass(frozen=True, slots=True)
class StateText:
    """What people read of an operation in one state.

    Attributes:
        label: The name of the state, on the trail and in the audit channel.
        look: Whose emoji is before the first line.
        head: Returns the first line of the card.
        summary: Returns the other lines of the card.
        outcome: Returns the lines in the thread.
        read_label: The name for an action that only reads; empty where it is `label`.
        audit_detail: Whether the audit line quotes the operation's detail.
    """

    label: str
    look: Look
    head: Head
    summary: Lines
    outcome: Lines = _summary_outcome
    read_label: str = ""
    audit_detail: bool = False


STATE_TEXTS: Mapping[State, StateText] = {
    State.ASKED: StateText("Checking", Look.CHECKING, _asks(Look.CHECKING), _nothing_yet),
    State.WAITING: StateText("Waiting for approval", Look.APPROVAL, _waiting_head, _waiting),
    State.DUE: StateText("Queued", Look.QUEUED, _asks(Look.QUEUED), _due),
    State.RUNNING: StateText("Sending", Look.SENDING, _asks(Look.SENDING), _running),
    State.ACCEPTED: StateText(
        "Accepted", Look.SENT, _accepted_head, _accepted, _accepted_outcome, read_label="Answered"
    ),
    State.ALREADY: StateText(
        "No change needed", Look.ALREADY, _already_head, _already, _already_outcome
    ),
    State.FAILED: StateText("Failed", Look.FAILED, not_done_text, failure_lines, _failed_outcome),
    State.UNKNOWN: StateText(
        "Unknown, it may have run",
        Look.UNKNOWN,
        _unknown_head,
        _unknown,
        _unknown_outcome,
        audit_detail=True,
    ),
    State.DENIED: StateText("Denied", Look.DENIED, _asks(Look.DENIED), _denied, audit_detail=True),
    State.INVALID: StateText(
        "Not understood", Look.NOT_UNDERSTOOD, _invalid_head, _invalid, audit_detail=True
    ),
    State.EXPIRED: StateText("Expired", Look.EXPIRED, _asks(Look.EXPIRED), _expired),
    State.CANCELLED: StateText("Cancelled", Look.CANCELLED, _asks(Look.CANCELLED), _cancelled),
}

_READ = {look.word: look for look in (Look.LIVE, Look.NOT_LIVE, Look.BANNED)}


def state_label(operation: Operation, action: Action | None) -> str:
    """Return the name of an operation's state, as the trail has it."""
    row = STATE_TEXTS[operation.state]
    if operation.superseded:
        return "Superseded"
    return (is_read(action) and row.read_label) or row.label


def headline(operation: Operation, action: Action | None) -> str:
    """Describe what came of it so far, e.g. ``*Stop sent: `stream1`* · accepted in 45 ms``."""
    row = STATE_TEXTS[operation.state]
    took = ""
    if operation.superseded:
        return Look.SUPERSEDED.says(lower_deed(operation, action))
    if operation.state is State.ACCEPTED and not is_local(action):
        took = f" · accepted {took_text(operation.duration)}" if not is_read(action) else ""
    head = row.head(operation, action)
    if operation.live_before is LiveBefore.NOT_LIVE:
        took = ""
    return f"{_look(operation, action).emoji} *{head}*{took.rstrip()}"


def _look(operation: Operation, action: Action | None) -> Look:
    """Return how a state looks, whose emoji the first line has."""
    look = STATE_TEXTS[operation.state].look
    if operation.state is not State.ACCEPTED:
        return look
    if is_local(action):
        return local_look(operation)
    if is_read(action):
        return _READ.get(_state_read(operation, action), Look.ANSWERED)
    if operation.live_before is LiveBefore.NOT_LIVE:
        return Look.NOTHING_LIVE
    return Look.STOP_SENT if is_stop(action) else look


def summary_lines(operation: Operation, action: Action | None, to: Contacts) -> list[str]:
    """Describe what else is known now, a line each."""
    lines = STATE_TEXTS[operation.state].summary(operation, action, to)
    # A waiting card has its change among its lines.
    waits = operation.state is State.WAITING
    changed = "" if waits else state_change_text(operation, action)
    return [line for line in (changed, *lines) if line]


def outcome_lines(operation: Operation, action: Action | None, to: Contacts) -> list[str]:
    """Describe how an operation ended, and what to do next, a line each."""
    lines = STATE_TEXTS[operation.state].outcome(operation, action, to)
    return [line for line in lines if line]
