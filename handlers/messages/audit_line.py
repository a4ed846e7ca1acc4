"""Lines for the audit channel; pure."""

import re

from bot.model.actions import Action
from bot.model.operations import Operation, State
from handlers.messages.annotations import access_request_text, case_text, reason_text
from handlers.messages.blocks import SECTION_MOST, Message
from handlers.messages.decision_text import decision_text
from handlers.messages.mrkdwn import channel, code, escape, link, truncate, user
from handlers.messages.operation_text import detail_text, request_text
from handlers.messages.state_text import STATE_TEXTS, state_label

_THEY = {"You": "They", "you": "they", "Your": "Their", "your": "their"}
_YOU = re.compile(r"\b[Yy]our?\b")


def audit_line(
    operation: Operation,
    action: Action | None,
    permalink: str = "",
    about: State | None = None,
) -> Message:
    """Render a line for the audit channel, about a decision or about an ending.

    Args:
        permalink: Of the card.
        about: The state that the line is about: `DUE` for a decision.
    """
    decided = about is State.DUE
    parts = [
        f"{_begin(operation, action, decided=decided)}: {request_text(operation, action)}",
        f"{user(operation.actor.user)} in {_place(operation)}",
        access_request_text(operation),
        decision_text(operation),
        reason_text(operation),
        case_text(operation),
        f"reason: {escape(operation.reason, 500)}" if operation.reason else "",
        f"region {code(operation.region)}" if operation.region else "",
        _rule(operation),
        *([] if decided else _answer(operation)),
        _of_the_asker(detail_text(operation)) if _has_detail(operation) else "",
        f"operation {code(operation.id)}",
        link(permalink, "card"),
    ]
    return Message(truncate(" · ".join(filter(None, parts)), SECTION_MOST))


def _begin(operation: Operation, action: Action | None, *, decided: bool) -> str:
    label = "Going ahead" if decided else state_label(operation, action)
    return f"*EMERGENCY without a second person* · {label}" if operation.emergency else label


def _rule(operation: Operation) -> str:
    """Name the rule; of what a person denied it is the one that let it wait for them."""
    if not operation.rule:
        return ""
    how = "allowed by rule" if operation.denied_by_person else "rule"
    return f"{how} {code(operation.rule)}"


def _place(operation: Operation) -> str:
    return channel(operation.place.channel) if operation.place.channel else "a terminal"


def _answer(operation: Operation) -> list[str]:
    return [
        f"code {code(operation.code)}" if operation.code else "",
        f"RequestId {code(operation.request_id)}" if operation.request_id else "",
    ]


def _of_the_asker(detail: str) -> str:
    """Return a sentence to the asker as one about them: others read the audit channel."""
    return _YOU.sub(lambda found: _THEY[found[0]], detail)


def _has_detail(operation: Operation) -> bool:
    return bool(operation.detail) and STATE_TEXTS[operation.state].audit_detail


def audit_notice(text: str) -> Message:
    """Render a sentence for the audit channel that belongs to no operation."""
    return Message(escape(text, SECTION_MOST))
