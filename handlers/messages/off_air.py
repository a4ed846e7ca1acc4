"""What is off and not yet on, what is held, and what ends by itself: as people read it; pure."""

from collections.abc import Iterable

from bot.catalog import effects as offair
from bot.catalog.builtin import HOLD
from bot.catalog.registry import action_of
from bot.model.actions import DEFAULT, Action
from bot.model.off_air import OffAirEntry
from bot.model.operations import Operation, State
from bot.operations.follow_ups import FollowUp, added, follow_ups
from bot.operations.service import OffAirList
from bot.redact import redact
from bot.times import format_duration
from handlers.messages import annotations as beside
from handlers.messages.cards import (
    TEXT_MOST,
    Block,
    Message,
    follow_button,
    follow_buttons,
    section,
    wanted,
)
from handlers.messages.mrkdwn import channel, code, escape, fit, moment, user

BRING = "off"
"""What the action_id of a button in the list begins with; its value is an operation's id."""

SHOWN = 15
"""How many of each are listed."""

_LONG = 30 * 86_400.0
_NOTHING = "Nothing that was stopped here is off now, and nothing is held."
_NO_ROLE = "You have no role in the policy, so what is off is not shown to you."


def lift(operation: Operation, action: Action | None, soon: str) -> Message:
    """Say in the thread when something ends by itself; `soon`, where that is not empty."""
    ends = offair.expires_at(operation, action) if action else None
    when = moment(ends) if ends is not None else "by itself"
    what = wanted(operation, action)
    begin = f"{user(operation.actor.user)} *It ends soon*" if soon else "*It ends by itself*"
    buttons = follow_buttons(operation, [FollowUp.EXTEND, FollowUp.LIFT])
    ways = f" Extend {_added(operation, ends)}, Lift now ends it at once." if buttons else ""
    text = f"{begin}, {when}.{ways} It is {what}."
    blocks = (section(text), *buttons)
    return Message(fit(text, TEXT_MOST), blocks)


def _added(operation: Operation, ends: float | None) -> str:
    """Say by how much it is extended; see `bot.follow`."""
    by = added(operation, ends or 0.0)
    # So long that the most may be less.
    return f"adds {code(format_duration(by))}" if by < _LONG else "makes it last longer"


def lifted(operation: Operation, action: Action | None, seen: str) -> Message:
    """Say in the thread that something has ended by itself, and what was seen then."""
    what = wanted(operation, action)
    if action is not None and seen == action.effect_spec.new_state:
        text = (
            f"{user(operation.actor.user)} *Its time is over, and it is off all the same*: "
            f"its state is {code(seen)}. It was {what}."
        )
        blocks = (section(text), *follow_buttons(operation, [FollowUp.LIFT, FollowUp.CHECK]))
        return Message(fit(text, TEXT_MOST), blocks)
    now = f"its state is {code(seen)} now" if seen else "its state could not be read"
    text = f"{user(operation.actor.user)} *Its time is over*: {now}. It was {what}."
    blocks = (section(text), *follow_buttons(operation, [FollowUp.CHECK]))
    return Message(fit(text, TEXT_MOST), blocks)


def listed(found: OffAirList) -> Message:
    """List what is off and what is held, each with the button that brings it back."""
    if not found.may:
        return Message(_NO_ROLE)
    blocks = list(blocks_of(found, SHOWN))
    lines = [_back(one) for one in found.on] + [_off(one) for one in found.off[:SHOWN]]
    lines += [_held(one) for one in found.holds[:SHOWN]]
    if not lines:
        return Message(_NOTHING)
    more = len(found.off[SHOWN:]) + len(found.holds[SHOWN:])
    if more:
        lines.append(f"{more} more are not shown.")
        blocks.append(section(lines[-1]))
    return Message(fit("\n".join(lines), TEXT_MOST), tuple(blocks))


def blocks_of(found: OffAirList, most: int) -> Iterable[Block]:
    """Draw the same, at most so many of each."""
    for back in found.on:
        yield section(_back(back))
    for one in found.off[:most]:
        yield _with_button(_off(one), one.operation, [FollowUp.UNDO, FollowUp.CHECK])
    for held in found.holds[:most]:
        yield _with_button(_held(held), held, [FollowUp.UNDO])


def _with_button(text: str, operation: Operation, wished: Iterable[FollowUp]) -> Block:
    block = section(text)
    open_to = follow_ups(operation)
    for one in wished:
        if one in open_to:
            label = _LABELS[one] if operation.api != HOLD.api else "Release"
            return {**block, "accessory": follow_button(BRING, one, operation, label)}
    return block


_LABELS = {FollowUp.UNDO: "Bring it back", FollowUp.CHECK: "Check status"}


def _off(one: OffAirEntry) -> str:
    operation = one.operation
    sure = "Off" if operation.state is not State.UNKNOWN else "May be off"
    parts = [
        f"{sure}: {wanted(operation, action_of(operation))}",
        f"{user(operation.actor.user)} {_since(operation)}",
    ]
    if one.until is not None and not _says_until(operation):
        parts.append(f"ends by itself {moment(one.until)}")
    if one.state:
        parts.append(f"{_whose(operation)} {code(one.state)}")
    return _line(parts, operation)


def _whose(operation: Operation) -> str:
    """Say whose state is read: a pad that is on hides a stream."""
    action = action_of(operation)
    thing = action.effect_spec.resource_type if action else None
    return f"its {thing.name} is" if thing and thing.of and thing.on == "off" else "now"


def _says_until(operation: Operation) -> bool:
    action = action_of(operation)
    ends = action.expiry if action else None
    return ends is not None and ends[0] in operation.params


def _held(operation: Operation) -> str:
    target, reason = (str(operation.params.get(name, "")) for name in ("Target", "Reason"))
    parts = [
        f"Held: {code(redact(target))}",
        f"{user(operation.actor.user)} {_since(operation)}",
        f"because: {escape(redact(reason), 300)}",
    ]
    return _line(parts, operation)


def _back(one: OffAirEntry) -> str:
    what = wanted(one.operation, action_of(one.operation))
    return f"• On again, and so off this list: {what} · now {code(one.state)}"


def _since(operation: Operation) -> str:
    return moment(operation.ended_at or operation.asked_at)


def _line(parts: list[str], operation: Operation) -> str:
    if operation.place.channel:
        parts.append(channel(operation.place.channel))
    if operation.api == HOLD.api and operation.account != DEFAULT:
        parts.append(f"account {code(operation.account)}")
    if case := beside.case(operation):
        parts.append(case)
    return "• " + " · ".join(parts)
