"""The form in which a reason is given for a denial or an emergency, as a view; pure.

Source: https://docs.slack.dev/reference/views
"""

import json
from dataclasses import dataclass
from typing import Any

from bot.model.operations import Choice, Decision
from handlers.messages.blocks import Block, plain, section

REASON = "reason"
"""The form's callback_id."""

REASON_BLOCK, REASON_VALUE = "reason", "value"
"""The block_id and the action_id of its field."""

REASON_MOST = 500
"""Characters that the field takes."""


@dataclass(frozen=True, slots=True)
class ReasonPlace:
    """The press of a button that a reason form belongs to."""

    operation: str
    choice: str
    channel: str
    thread_ts: str
    message_ts: str


def reason_form(decision: Decision) -> dict[str, Any]:
    """Render the form of a reason, which a denial may have and an emergency must have."""
    emergency = decision.choice is Choice.EMERGENCY
    explanation = (
        "This skips the second person and is marked as an emergency everywhere."
        if emergency
        else "Nothing is sent. The person who asked sees your reason in the thread."
    )
    return {
        "type": "modal",
        "callback_id": REASON,
        "private_metadata": _encode_reason(decision),
        "title": plain("Emergency" if emergency else "Deny", 24),
        "submit": plain("Run it now" if emergency else "Deny", 24),
        "close": plain("Back", 24),
        "blocks": [section(explanation), _reason_input(emergency=emergency)],
    }


def _reason_input(*, emergency: bool) -> Block:
    return {
        "type": "input",
        "block_id": REASON_BLOCK,
        "optional": not emergency,
        "label": plain("Why it cannot wait" if emergency else "Reason"),
        "element": {
            "type": "plain_text_input",
            "action_id": REASON_VALUE,
            "multiline": True,
            "max_length": REASON_MOST,
        },
    }


def _encode_reason(decision: Decision) -> str:
    place = decision.place
    press = [decision.operation, decision.choice.value]
    return json.dumps([*press, place.channel, place.thread_ts, decision.message_ts])


def decode_reason(metadata: str) -> ReasonPlace | None:
    """Decode the `private_metadata` of a reason form; None if it is malformed."""
    try:
        found = json.loads(metadata)
        place = ReasonPlace(*found)
    except (TypeError, ValueError):
        return None
    return place if all(isinstance(one, str) for one in found) else None
