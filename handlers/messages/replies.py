"""Replies to the asker alone: receipts, errors in a command, and the offer of the form; pure."""

import zlib
from collections.abc import Mapping

from bot.catalog.registry import action_of
from bot.commands.diagnostics import caret
from bot.commands.parsed import Audit, Form, Help, OffAir, WhoAmI
from bot.commands.vocabulary import Vocabulary
from bot.errors import ParseError, SuggestedCommand
from bot.model.actions import Action, Effect
from bot.model.commands import Command
from bot.model.lifecycle import ENDINGS
from bot.model.messages import EphemeralNotice
from bot.model.operations import Operation, State
from bot.operations.results import Accepted, DryRun, Invalid, NotRecorded, Reply
from handlers.messages.annotations import case_text
from handlers.messages.blocks import Block, Message, button_row, plain, section
from handlers.messages.help import help_on
from handlers.messages.help_topics import as_mentions
from handlers.messages.later_text import later_headline
from handlers.messages.mrkdwn import (
    channel,
    code,
    code_block,
    escape,
    format_command,
    format_slack_time,
    link,
    render_sentence,
    user,
)
from handlers.messages.state_text import headline
from handlers.messages.ways_in import SUGGESTED, form_button
from handlers.messages.wording import lower_deed

MALFORMED = (
    "Slack sent this without what makes it unique, so nothing was done. Please send it again."
)

WHO_ARE_YOU = "Looking up what you can do…"

NOTHING = Message("")
"""Where what was asked shows at once: as a card, or as a form."""

_IN_PROGRESS: Mapping[type, str] = {
    DryRun: "Dry run: nothing is sent. Checking the policy…",
    WhoAmI: WHO_ARE_YOU,
    Audit: "Searching the audit trail…",
    OffAir: "Looking up what is off…",
}


def receipt(reply: Reply, vocabulary: Vocabulary, action: Action | None = None) -> Message:
    """Render the text of an ack; it claims nothing that has not happened.

    Args:
        action: Of an accepted operation.
    """
    match reply:
        case Accepted(operation, again=True):
            request = lower_deed(operation, action)
            return Message(f"Already asked: {request}. Slack sent it twice; it runs only once.")
        case Accepted() | Form():
            return NOTHING
        case Invalid(error):
            return parse_error(error)
        case NotRecorded(sentence, instead):
            return Message(f"{render_sentence(sentence, 1500)}{_instead(instead)}")
        case Help(topic):
            return help_on(
                topic,
                vocabulary.actions,
                targets=vocabulary.targets,
                filled_in=vocabulary.filled_in,
            )
        case WhoAmI() | Audit() | OffAir() | DryRun():
            return Message(_IN_PROGRESS[type(reply)])


def card_is_late() -> Message:
    """Say that what was asked is saved though no card shows it yet; nothing of the policy."""
    return Message("Saved. Slack isn't taking messages right now, so the card will be late.")


def approval_requested(operation: Operation) -> Message:
    """Render what takes the place of a refusal once others are asked."""
    return Message(f"Approval requested: {lower_deed(operation, action_of(operation))}.")


def _instead(command: Command | None) -> str:
    if command is None:
        return ""
    text = format_command(
        command.action, command.params, command.region, command.account, command.reason
    )
    return f" If you still want it: {code(text, 1000)}"


def parse_error(error: ParseError, *, in_thread: bool = False) -> Message:
    """Describe an error in a command in one sentence, and mark its position."""
    sentence, for_example, command = error.sentence.partition("For example: ")
    text = escape(sentence.rstrip(), 900)
    if command:
        # Escaped, an address in it could not be pasted.
        text += f" {for_example}{code(command, 300)}"
    text = as_mentions(text) if in_thread else text
    if error.text.strip():
        text = f"{text}\n{code_block(caret(error), 600)}"
    if not error.commands:
        return Message(text)
    return Message(text, (section(text), button_row(*map(_suggestion_button, error.commands))))


def _suggestion_button(command: SuggestedCommand) -> Block:
    """Return a button that runs a command, which is parsed and judged again when it is pressed."""
    return {
        "type": "button",
        "action_id": f"{SUGGESTED}:{zlib.crc32(command.text.encode()):08x}",
        "value": command.text,
        "text": plain(command.label, 75),
    }


def ephemeral_notice(notice: EphemeralNotice) -> Message:
    """Render a sentence to the person who pressed a button."""
    again = "(You may have read this before.) " if notice.maybe_sent else ""
    return Message(f"{again}{render_sentence(notice.text, 1500)}")


def accepted_from_list(operation: Operation) -> Message:
    """Describe where the answer comes to what was asked from the off-air list."""
    where = channel(operation.place.channel)
    return Message(f"Asked in {where}: {lower_deed(operation, action_of(operation))}.")


def asked_before(operation: Operation, action: Action | None, permalink: str = "") -> Message:
    """Describe the progress of what a second press asks for again.

    Args:
        permalink: Of its card.
    """
    card = link(permalink, "its card")
    if operation.state in ENDINGS:
        now = f"{headline(operation, action)}{f' · see {card}' if card else ''}"
        return Message(f"You already asked for this. {now}")
    if operation.state is State.WAITING:
        now = f"See {card or 'its card'}."
    else:
        now = f"It is under way, see {card or 'its card'}."
    return Message(f"You already asked for this: {lower_deed(operation, action)}. {now}")


def form_offer(verb: Effect) -> Message:
    """Offer a button for the form, which only a press can open."""
    text = f"Say what to {verb.value} in the same message, or fill in the form."
    return Message(text, (section(text), button_row(form_button(verb))))


def operation_line(operation: Operation) -> str:
    """Describe an operation in one line of a list."""
    action = action_of(operation)
    parts = [
        later_headline(operation, action) or headline(operation, action),
        f"{user(operation.actor.user)} {format_slack_time(operation.asked_at)}",
        channel(operation.place.channel) if operation.place.channel else "",
        case_text(operation),
        f"code {code(operation.code)}" if operation.code else "",
        f"RequestId {code(operation.request_id)}" if operation.request_id else "",
    ]
    return "• " + " · ".join(filter(None, parts))
