"""What a card says about a stop after its ending: checked, on again, extended, undone; pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from bot.catalog.builtin import HOLD
from bot.catalog.effects import live_before
from bot.model.actions import Action
from bot.model.operations import UNREADABLE, LaterEvent, LaterKind, LiveBefore, Operation
from bot.redact import redact
from handlers.messages.mrkdwn import code, format_slack_time, user

_Text: TypeAlias = Callable[[Operation, Action | None, LaterEvent], str]

NO_LONGER = "No longer in force"
"""Says of a stop that it is undone while what it stopped is not on, like a ban that is gone."""

_SOON = 120.0
"""Up to so many seconds after a stop, what was seen is told by the seconds since."""


def _checked(operation: Operation, action: Action | None, event: LaterEvent) -> str:
    when = _when(operation, event)
    if event.state == UNREADABLE:
        return f"Whether it is off could not be checked {when}."
    held = action is not None and event.state == action.effect_spec.new_state
    if held and operation.live_before is LiveBefore.LIVE:
        return f"⚫ *Off*, checked {when}."
    return f"Its state was {_state(event)} {when}."


def _on_again(operation: Operation, action: Action | None, event: LaterEvent) -> str:
    label = _on_again_label(operation, action)
    mark = "🔴" if _is_live(operation, action) else "⚠️"
    return f"{mark} *{label}*: its state was {_state(event)} {_when(operation, event)}."


def _extended(_operation: Operation, _action: Action | None, event: LaterEvent) -> str:
    return f"Extended by {user(event.by)} {format_slack_time(event.at)}{_until(event)}."


def _stopped_again(_operation: Operation, _action: Action | None, event: LaterEvent) -> str:
    return f"Stopped again by {user(event.by)} {format_slack_time(event.at)}{_until(event)}."


def _undone(operation: Operation, action: Action | None, event: LaterEvent) -> str:
    label = _undone_label(operation, action)
    return f"{label} by {user(event.by)} {format_slack_time(event.at)}."


def _ended(_operation: Operation, _action: Action | None, event: LaterEvent) -> str:
    return f"It ended by itself {format_slack_time(event.at)}; its state was {_state(event)} then."


def _still_off(_operation: Operation, _action: Action | None, event: LaterEvent) -> str:
    over = f"Its time was over {format_slack_time(event.at)}"
    if not event.state:
        return f"{over}; whether it is still off could not be read."
    return f"{over}, and it was off all the same: its state was {_state(event)}."


def _on_again_label(operation: Operation, action: Action | None) -> str:
    if not _is_live(operation, action):
        return NO_LONGER
    resource = action.effect_spec.resource_type.name if action is not None else ""
    label = "Live" if resource == "stream" else "On"
    return label if operation.live_before is LiveBefore.NOT_LIVE else f"{label} again"


def _is_live(operation: Operation, action: Action | None) -> bool:
    """Return whether it was on when it was seen; what is undone need not be on."""
    seen = operation.later.state if operation.later is not None else ""
    return action is None or live_before(action, seen) is LiveBefore.LIVE


def _still_off_label(operation: Operation, _action: Action | None) -> str:
    return "Still off" if operation.later and operation.later.state else ""


def _undone_label(operation: Operation, action: Action | None) -> str:
    if operation.api == HOLD.api:
        return "Released"
    # What ends by itself is lifted if somebody ends it before.
    return "Lifted" if action is not None and action.expiry else "Undone"


def _state(event: LaterEvent) -> str:
    return code(redact(event.state), 80)


def _when(operation: Operation, event: LaterEvent) -> str:
    after = event.at - (operation.ended_at or event.at)
    if after < _SOON:
        return f"{round(max(after, 0.0))} s later"
    return format_slack_time(event.at)


def _until(event: LaterEvent) -> str:
    return f", until {format_slack_time(event.until)}" if event.until is not None else ""


@dataclass(frozen=True, slots=True)
class _LaterText:
    """What people read of one kind of event.

    Attributes:
        label: Returns the name of what the stop has become; empty where its state says it.
    """

    text: _Text
    label: Callable[[Operation, Action | None], str] = lambda _operation, _action: ""


_TEXTS: Mapping[LaterKind, _LaterText] = {
    LaterKind.CHECKED: _LaterText(_checked),
    LaterKind.ON_AGAIN: _LaterText(_on_again, _on_again_label),
    LaterKind.EXTENDED: _LaterText(_extended, lambda _operation, _action: "Extended"),
    LaterKind.STOPPED_AGAIN: _LaterText(_stopped_again),
    LaterKind.UNDONE: _LaterText(_undone, _undone_label),
    LaterKind.ENDED: _LaterText(_ended, lambda _operation, _action: "Ended"),
    LaterKind.STILL_OFF: _LaterText(_still_off, _still_off_label),
}


def later_label(operation: Operation, action: Action | None) -> str:
    """Return the name of what a stop has become; empty where its state says it."""
    return _TEXTS[operation.later.kind].label(operation, action) if operation.later else ""


def later_text(operation: Operation, action: Action | None) -> str:
    """Describe what became of a stop after its ending; empty while nothing is known."""
    event = operation.later
    return _TEXTS[event.kind].text(operation, action, event) if event else ""
