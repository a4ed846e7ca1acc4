"""The form in which one of the policy's reasons is chosen for a button that lacks one; pure.

Source: https://docs.slack.dev/reference/views
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.model.commands import Command, Reason
from handlers.messages.blocks import Block, plain, section
from handlers.messages.wording import title_on

REASON_CHOICE = "reason-choice"
"""The form's callback_id."""

CODE_BLOCK, CODE_VALUE = "reason-code", "value"
"""The block_id and the action_id of its field."""

_OPTION_MOST = 75
_OPTIONS_MOST = 100


@dataclass(frozen=True, slots=True)
class ButtonPress:
    """The press that the form belongs to: what its button names, and where it is.

    Attributes:
        action_id: Of the button.
        value: Of the button: a reference, never an instruction.
    """

    action_id: str
    value: str
    channel: str
    thread_ts: str
    message_ts: str


def reason_choice(
    press: ButtonPress, command: Command, reasons: Mapping[str, Reason]
) -> dict[str, Any]:
    """Render the form; nothing is sent before a reason is chosen.

    Args:
        command: What the button means.
        reasons: By code; at least one.
    """
    return {
        "type": "modal",
        "callback_id": REASON_CHOICE,
        "private_metadata": _encoded(press),
        "title": plain("Reason", 24),
        "submit": plain("Continue", 24),
        "close": plain("Cancel", 24),
        "blocks": [
            section(f"{title_on(command)}: choose a reason. Nothing has been sent yet."),
            reason_field(CODE_BLOCK, CODE_VALUE, reasons, optional=False),
        ],
    }


def reason_field(
    block_id: str, action_id: str, reasons: Mapping[str, Reason], *, optional: bool
) -> Block:
    """Return the field in which a reason is chosen by its text."""
    options = [
        {"text": plain(f"{name}: {one.text}", _OPTION_MOST), "value": name}
        for name, one in list(reasons.items())[:_OPTIONS_MOST]
    ]
    return {
        "type": "input",
        "block_id": block_id,
        "optional": optional,
        "label": plain("reason"),
        "element": {"type": "static_select", "action_id": action_id, "options": options},
    }


def _encoded(press: ButtonPress) -> str:
    where = [press.channel, press.thread_ts, press.message_ts]
    return json.dumps([press.action_id, press.value, *where])


def decode_press(metadata: str) -> ButtonPress | None:
    """Decode the `private_metadata` of the form; None if it is malformed."""
    try:
        found = json.loads(metadata)
        press = ButtonPress(*found)
    except (TypeError, ValueError):
        return None
    return press if all(isinstance(one, str) for one in found) else None
