"""The buttons that lead to the form and to a command that is typed for the reader; pure."""

from bot.model.actions import Effect
from handlers.messages.blocks import Block, plain

OPEN_FORM = "open-form"
"""The action_id of a button that opens the form."""

SUGGESTED = "suggested"
"""The action_id of a button that runs a command, as if its presser had typed it."""

FORM_TITLES = {
    Effect.STOP: "Stop something",
    Effect.START: "Start something",
    Effect.CHANGE: "Change something",
    Effect.READ: "Check something",
}
"""The title of a verb's form, and the label of the button that opens it."""


def form_button(verb: Effect, label: str = "") -> Block:
    """Return the button that opens the form of a verb."""
    return {
        "type": "button",
        "action_id": f"{OPEN_FORM}:{verb.value}",
        "value": verb.value,
        "text": plain(label or FORM_TITLES[verb]),
    }


def more_button() -> Block:
    """Return the button that replaces a short help by the whole one."""
    return {
        "type": "button",
        "action_id": f"{SUGGESTED}:more",
        "value": "help all",
        "text": plain("More"),
    }
