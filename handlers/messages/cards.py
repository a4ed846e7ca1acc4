"""The card: the root message of an operation, edited as its state changes; pure."""

from bot.model.actions import Action, Approval
from bot.model.operations import Operation, State
from handlers.messages.annotations import access_request_text, case_text, reason_text, runbook_link
from handlers.messages.blocks import TEXT_MOST, Message, context, section
from handlers.messages.buttons import card_buttons, choice_buttons
from handlers.messages.confirmation import confirmation
from handlers.messages.contacts import NOBODY, Contacts
from handlers.messages.decision_text import decision_text
from handlers.messages.later_text import later_headline, later_lines
from handlers.messages.mrkdwn import code, format_clock, truncate, user
from handlers.messages.operation_text import emergency_text, request_id_text
from handlers.messages.state_text import headline, summary_lines
from handlers.messages.wording import details, lower_deed

_OPEN = (State.ASKED, State.WAITING, State.DUE, State.RUNNING)
_DECIDED = (State.DENIED, State.CANCELLED)


def card(operation: Operation, action: Action | None, to: Contacts = NOBODY) -> Message:
    """Render the root message of an operation as it is now.

    Args:
        to: Whom to turn to where it failed.
    """
    if operation.state is State.WAITING and operation.approval is Approval.CONFIRM:
        return confirmation(operation, action)
    head = later_headline(operation, action) or headline(operation, action)
    lines = [
        head,
        emergency_text(operation),
        access_request_text(operation),
        *later_lines(operation, action),
        *([] if operation.later else summary_lines(operation, action, to)),
    ]
    body, origin = "\n".join(filter(None, lines)), _origin(operation, action)
    blocks = [section(body), context(origin)]
    if operation.state is State.WAITING:
        blocks.append(choice_buttons(operation, lower_deed(operation, action)))
    else:
        blocks += card_buttons(operation)
    return Message(truncate(f"{body}\n{origin}", TEXT_MOST), tuple(blocks))


def _origin(operation: Operation, action: Action | None) -> str:
    """Describe who asked and decided, what else was asked, and what it belongs to."""
    parts = (
        f"{user(operation.actor.user)} {format_clock(operation.asked_at)}",
        "" if operation.state in _DECIDED else decision_text(operation),
        *details(operation, action),
        reason_text(operation),
        case_text(operation),
        runbook_link(operation),
        f"code {code(operation.code)}" if _shows_code(operation) else "",
        request_id_text(operation) if _shows_ids(operation) else "",
    )
    return " · ".join(filter(None, parts))


def _shows_ids(operation: Operation) -> bool:
    """Return whether the RequestId is small print: a failure has it among its lines."""
    failed = operation.state is State.FAILED and bool(operation.code)
    return not failed and operation.state not in _OPEN


def _shows_code(operation: Operation) -> bool:
    return bool(operation.code) and operation.state is State.UNKNOWN
