"""What a card says about a stop after its ending: checked, on again, extended, undone; pure."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from bot.catalog.builtin import HOLD
from bot.catalog.effects import live_before
from bot.model.actions import Action
from bot.model.operations import UNREADABLE, LaterEvent, LaterKind, LiveBefore, Operation
from handlers.messages import watch_text
from handlers.messages.contacts import NOBODY
from handlers.messages.looks import Look
from handlers.messages.mrkdwn import format_slack_time, user
from handlers.messages.state_text import summary_lines
from handlers.messages.wording import (
    duration_text,
    is_stop,
    lower_deed,
    span_text,
    state_text,
    subject,
    thing,
)

_Text: TypeAlias = Callable[[Operation, Action | None, LaterEvent], str]

_SOON = 120.0
"""Up to so many seconds after a stop, what was seen is told by the seconds since."""


# --- headlines: what it has become; empty where its ending says it ---


def _checked_head(operation: Operation, action: Action | None, event: LaterEvent) -> str:
    if not is_off(operation, action, event.state):
        return ""
    name, ban = _named(operation, action), _ban(operation, action)
    return f"{Look.OFF.says(name)}{ban} · checked {_when(operation, event)}"


def _on_again_head(operation: Operation, action: Action | None, event: LaterEvent) -> str:
    look, label = on_again(operation, action, event.state)
    seen = f"seen {_when(operation, event)}"
    if not is_live(look):
        seen = f"{state_text(action, event.state)} {_when(operation, event)}, so it can come back"
    return f"{look.emoji} *{label}: {_named(operation, action)}* · {seen}"


def _extended_head(operation: Operation, action: Action | None, event: LaterEvent) -> str:
    who = f"by {user(event.by)} {format_slack_time(event.at)}"
    return f"{Look.EXTENDED.says(f'{subject(operation, action)}{_until(event)}')} · {who}"


def _undone_head(operation: Operation, action: Action | None, event: LaterEvent) -> str:
    who = f"by {user(event.by)} {format_slack_time(event.at)}"
    return f"{_undone(operation, action).says(_named(operation, action))} · {who}"


def _ended_head(operation: Operation, action: Action | None, event: LaterEvent) -> str:
    over = f"{format_slack_time(event.at)}, {state_text(action, event.state)} then"
    return f"{Look.ENDED.says(lower_deed(operation, action, duration=False))} · {over}"


def _still_off_head(operation: Operation, action: Action | None, event: LaterEvent) -> str:
    if not event.state:
        return ""
    when, words = format_slack_time(event.at), state_text(action, event.state)
    over = f"due to end {when}, still {words}"
    return f"{Look.STILL_OFF.says(_named(operation, action))} · {over}"


# --- lines: what is known besides, where the ending's headline remains ---


def _checked_line(operation: Operation, action: Action | None, event: LaterEvent) -> str:
    when = _when(operation, event)
    if event.state == UNREADABLE:
        return f"Couldn't check whether it is off ({when})."
    if is_off(operation, action, event.state):
        return ""
    words = state_text(action, event.state)
    return f"{words[:1].upper()}{words[1:]}, checked {when}."


def _stopped_again_line(_operation: Operation, _action: Action | None, event: LaterEvent) -> str:
    return f"Stopped again by {user(event.by)} {format_slack_time(event.at)}{_until(event, ',')}."


def _still_off_line(_operation: Operation, _action: Action | None, event: LaterEvent) -> str:
    if event.state:
        return ""
    over = f"It was due to end {format_slack_time(event.at)}"
    return f"{over}; couldn't check whether it is still off."


def _no_line(*_of: object) -> str:
    return ""


_TEXTS: Mapping[LaterKind, tuple[_Text, _Text]] = {
    LaterKind.CHECKED: (_checked_head, _checked_line),
    LaterKind.ON_AGAIN: (_on_again_head, _no_line),
    LaterKind.EXTENDED: (_extended_head, _no_line),
    LaterKind.STOPPED_AGAIN: (_no_line, _stopped_again_line),
    LaterKind.UNDONE: (_undone_head, _no_line),
    LaterKind.ENDED: (_ended_head, _no_line),
    LaterKind.STILL_OFF: (_still_off_head, _still_off_line),
}
"""The headline and the line of each kind of event; either is empty."""


def later_headline(operation: Operation, action: Action | None) -> str:
    """Describe what a stop has become; empty where its ending says it."""
    event = operation.later
    if watch_text.is_watch(operation):
        return watch_text.later_headline(operation, action)
    return _TEXTS[event.kind][0](operation, action, event) if event else ""


def later_lines(operation: Operation, action: Action | None) -> list[str]:
    """Describe what else became of a stop after its ending, a line each."""
    event = operation.later
    if event is None:
        return []
    if watch_text.is_watch(operation):
        return watch_text.later_lines(operation, action)
    line = _TEXTS[event.kind][1](operation, action, event)
    ended = [] if later_headline(operation, action) else summary_lines(operation, action, NOBODY)
    return [*ended, *([line] if line else [])]


def is_off(operation: Operation, action: Action | None, state: str) -> bool:
    """Return whether it was live before and is off now."""
    became = action is not None and state == action.effect_spec.new_state
    return became and state != UNREADABLE and operation.live_before is LiveBefore.LIVE


def on_again(operation: Operation, action: Action | None, state: str) -> tuple[Look, str]:
    """Return how it looks and is called that something is on again, or no longer in force."""
    if action is not None and live_before(action, state) is not LiveBefore.LIVE:
        look = Look.NO_LONGER_BANNED if action.expiry else Look.NO_LONGER_IN_FORCE
        return look, look.word
    resource = action.effect_spec.resource_type.name if action is not None else ""
    look = Look.LIVE if resource == "stream" else Look.ON
    return look, look.word if operation.live_before is LiveBefore.NOT_LIVE else f"{look.word} again"


def is_live(look: Look) -> bool:
    """Return whether something looks live, and not only free to come back."""
    return look in (Look.LIVE, Look.ON)


def _named(operation: Operation, action: Action | None) -> str:
    return thing(operation, action, duration=False)


def _undone(operation: Operation, action: Action | None) -> Look:
    if operation.api == HOLD.api:
        return Look.RELEASED
    # What ends by itself is lifted if somebody ends it before.
    return Look.LIFTED if action is not None and action.expiry else Look.UNDONE


def _ban(operation: Operation, action: Action | None) -> str:
    """Describe until when it stays off; empty where nothing keeps it off."""
    until = duration_text(operation, action)
    return f", banned {until}" if until and is_stop(action) else ""


def _when(operation: Operation, event: LaterEvent) -> str:
    after = event.at - (operation.ended_at or event.at)
    if after < _SOON:
        return f"{span_text(after)} later"
    return format_slack_time(event.at)


def _until(event: LaterEvent, begin: str = "") -> str:
    return f"{begin} until {format_slack_time(event.until)}" if event.until is not None else ""
