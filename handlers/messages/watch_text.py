"""What is said of a stream that somebody watches: its beginning, each change, and its end; pure."""

from bot.catalog.builtin import WATCH
from bot.model.actions import Action
from bot.model.operations import LaterKind, Operation
from bot.redact import redact
from handlers.messages.blocks import TEXT_MOST, Message, section
from handlers.messages.buttons import follow_up_buttons, is_live_in, next_steps_of_watch
from handlers.messages.looks import Look
from handlers.messages.mrkdwn import (
    code,
    format_clock,
    format_command,
    format_slack_time,
    render_sentence,
    truncate,
    user,
)
from handlers.messages.wording import span_text, state_text, thing

OVER = "over"
"""What is observed of a watch that has ended, before the reason."""

_LOOKS = {"active": Look.LIVE, "inactive": Look.OFF, "forbid": Look.BANNED}


def is_watch(operation: Operation) -> bool:
    """Return whether an operation asked for a watch."""
    return operation.api == WATCH.api


def begin_text(operation: Operation, action: Action | None) -> str:
    """Describe on the card what was read at the beginning."""
    state = first_state(operation)
    if not state:
        return "Couldn't read its state yet; reading it again."
    words = state_text(action, state)
    return f"{words[:1].upper()}{words[1:]} at {format_clock(operation.ended_at or 0.0)}."


def begin_line(operation: Operation, action: Action | None) -> str:
    """Describe the same in the thread, and what follows there."""
    state = first_state(operation)
    name = code(redact(operation.target), 80)
    if not state:
        return (
            f"{Look.UNCHECKED.emoji} {Look.UNCHECKED.word} {name} yet. Each change is posted here."
        )
    words = state_text(action, state)
    look = _LOOKS.get(state, Look.ANSWERED)
    return f"{look.emoji} *{words[:1].upper()}{words[1:]}: {name}*. Each change is posted here."


def first_state(operation: Operation) -> str:
    """Return the state that was read at the beginning; empty where it could not be."""
    return next((str(value) for value in operation.result.values()), "")


def later_headline(operation: Operation, action: Action | None) -> str:
    """Describe the watch on its card; empty while its ending says it."""
    event = operation.later
    if event is None:
        return ""
    at, name = format_slack_time(event.at), thing(operation, action, duration=False)
    match event.kind:
        case LaterKind.UNDONE:
            return f"{Look.NOT_WATCHING.says(name)} · ended by {user(event.by)} {at}"
        case LaterKind.ENDED:
            last = f", {state_text(action, event.state)} then" if event.state else ""
            return f"{Look.NOT_WATCHING.says(name)} · ended {at}{last}"
        case _:
            return Look.WATCHING.says(thing(operation, action))


def later_lines(operation: Operation, action: Action | None) -> list[str]:
    """Describe on the card what was seen last."""
    event = operation.later
    if event is None or event.kind not in (LaterKind.ON_AGAIN, LaterKind.CHECKED):
        return []
    words = state_text(action, event.state)
    return [f"{words[:1].upper()}{words[1:]} since {format_clock(event.at)}."]


def change(operation: Operation, action: Action | None, observed: str) -> Message:
    """Describe in the thread what was seen, or that the watch is over.

    Args:
        observed: The number of the change, how many seconds the stream had been live (`-` where
            that is not known), and the state; or OVER and the reason.
    """
    begin, _, rest = observed.partition(" ")
    name, who = code(redact(operation.target), 80), user(operation.actor.user)
    if begin == OVER:
        why = render_sentence(rest) if rest else f"the time is up. {_again(operation, action)}"
        text = f"{Look.NOT_WATCHING.says(name)}: {why}."
        return Message(truncate(text, TEXT_MOST), (section(text),))
    lasted, _, state = rest.partition(" ")
    look = _LOOKS.get(state)
    words = look.word if look is not None else f"Now {state_text(action, state)}"
    live_for = "" if lasted == "-" else f" · after {span_text(float(lasted))} live"
    text = f"{(look or Look.ANSWERED).emoji} {who} *{words}: {name}*{live_for}"
    buttons = follow_up_buttons(operation, next_steps_of_watch(live=is_live_in(state)))
    return Message(truncate(text, TEXT_MOST), (section(text), *buttons))


def _again(operation: Operation, action: Action | None) -> str:
    """Describe how to watch it again, without a full stop."""
    if action is None:
        return "Ask again to keep watching"
    named = {name: operation.params[name] for name in action.effect_spec.key}
    unusual = {name: v for name, v in named.items() if name not in operation.origin.usual}
    command = format_command(action, unusual, operation.region, operation.account)
    return f"To keep watching: {code(command, 300)}"
