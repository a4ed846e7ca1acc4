"""The card: the root message of an operation, edited as its state changes; pure."""

from bot.model.actions import Action
from bot.model.operations import Operation, State
from handlers.messages.annotations import access_request_text, case_text, runbook_link
from handlers.messages.blocks import TEXT_MOST, Message, context, section
from handlers.messages.buttons import choice_buttons
from handlers.messages.later_text import later_label, later_text
from handlers.messages.mrkdwn import code, format_slack_time, truncate, user
from handlers.messages.operation_text import emergency_text, request_text
from handlers.messages.state_text import card_label, decision_text, summary


def card(operation: Operation, action: Action | None) -> Message:
    """Render the root message of an operation as it is now."""
    label = later_label(operation, action) or card_label(operation, action)
    request, later = request_text(operation, action), later_text(operation, action)
    now, origin = summary(operation, action), _origin(operation)
    emergency, lacking = emergency_text(operation), access_request_text(operation)
    sentences = " ".join(part for part in (f"{label}: {request}.", later, lacking, now) if part)
    text = " ".join(part for part in (emergency, f"{sentences} {origin}.") if part)
    lines = (emergency, f"*{label}:* {request}", later, lacking, now)
    body = "\n".join(part for part in lines if part)
    blocks = [section(body), context(origin)]
    if operation.state is State.WAITING:
        blocks.append(choice_buttons(operation, request))
    return Message(truncate(text, TEXT_MOST), tuple(blocks))


def _origin(operation: Operation) -> str:
    """Describe who asked, under which rule, who decided, and what it belongs to."""
    asked = f"Asked by {user(operation.actor.user)} {format_slack_time(operation.asked_at)}"
    region = f"region {code(operation.region)}" if operation.region else ""
    parts = (
        asked,
        _rule(operation),
        decision_text(operation),
        region,
        case_text(operation),
        runbook_link(operation),
    )
    return " · ".join(filter(None, parts))


def _rule(operation: Operation) -> str:
    # The rule of what a person denies is the one that let it wait for them.
    if not operation.rule or operation.denied_by_person:
        return ""
    how = "forbidden" if operation.state is State.DENIED else "allowed"
    how = "open to requests" if operation.origin.request_of else how
    return f"{how} by {code(operation.rule)}"
