"""What a request touches, for one who may decide over it and nobody else; pure."""

from bot.model.actions import Action
from bot.operations.results import Touched
from handlers.messages.blocks import Message, context, section
from handlers.messages.mrkdwn import format_clock, user
from handlers.messages.operation_text import live_instead_text
from handlers.messages.state_text import touched_text
from handlers.messages.wording import deed


def touched_reply(found: Touched, action: Action | None) -> Message:
    """Render what was read, when, with whose rights, and why nobody else sees it."""
    operation = found.operation
    lines = [
        f"*{deed(operation, action)}?* As of {format_clock(found.at)}:",
        live_instead_text(operation, action),
        touched_text(operation, action),
        "Some of it is hidden from you too." if found.hidden else "",
    ]
    body = "\n".join(filter(None, lines))
    why = f"Only you see this: {user(operation.actor.user)} isn't allowed to."
    return Message(f"{body}\n{why}", (section(body), context(why)))
