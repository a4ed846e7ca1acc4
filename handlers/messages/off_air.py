"""What is off the air and not yet on, what is held, and what ends by itself; pure."""

from collections.abc import Iterable

from bot.catalog.builtin import HOLD
from bot.catalog.effects import expires_at
from bot.catalog.registry import action_of
from bot.model.actions import DEFAULT, Action
from bot.model.off_air import OffAirEntry
from bot.model.operations import Operation, State
from bot.operations.follow_ups import FollowUp, added, follow_ups
from bot.operations.results import OffAirList
from bot.redact import redact
from handlers.messages.annotations import case_text
from handlers.messages.blocks import TEXT_MOST, Block, Message, section
from handlers.messages.buttons import follow_up_button, follow_up_buttons
from handlers.messages.looks import Look
from handlers.messages.mrkdwn import channel, code, escape, format_slack_time, truncate, user
from handlers.messages.wording import lower_deed, span_text, state_text, thing

FOLLOW_IN_LIST = "off"
"""Prefix of the action_id of a button in the list; its value is an operation's id."""

LISTED_MOST = 15
"""How many entries and how many holds are listed."""

_LABELS = {FollowUp.UNDO: "Bring it back", FollowUp.CHECK: "Check status"}

_LONG = 30 * 86_400.0
_NOTHING = "Nothing is off, and nothing is held."
_NO_ROLE = "You have no role here, so I can't show you what is off."


def expiry_notice(operation: Operation, action: Action | None, soon: str) -> Message:
    """Describe in the thread when something ends by itself.

    Args:
        soon: Not empty if the end is near.
    """
    ends_at = expires_at(operation, action) if action else None
    when = format_slack_time(ends_at) if ends_at is not None else "on its own"
    begin = f"{user(operation.actor.user)} *Ends soon, {when}*" if soon else f"*Ends {when}*"
    buttons = follow_up_buttons(operation, [FollowUp.EXTEND, FollowUp.LIFT])
    extension = _extension(operation, ends_at)
    ways = f" *Extend* {extension}." if buttons else ""
    text = f"{begin}: {lower_deed(operation, action, duration=False)}.{ways}"
    return Message(truncate(text, TEXT_MOST), (section(text), *buttons))


def _extension(operation: Operation, ends_at: float | None) -> str:
    """Describe by how much it would be extended."""
    seconds = added(operation, ends_at or 0.0)
    # The maximum may be less than a long extension.
    return f"adds {span_text(seconds)}" if seconds < _LONG else "makes it last longer"


def expired_notice(operation: Operation, action: Action | None, state: str) -> Message:
    """Describe in the thread that something has ended by itself.

    Args:
        state: As it was read then; empty if it could not be read.
    """
    name, words = thing(operation, action, duration=False), state_text(action, state)
    ended = Look.ENDED.says(lower_deed(operation, action, duration=False))
    still_off = action is not None and state == action.effect_spec.new_state
    if still_off:
        text = f"{Look.STILL_OFF.says(name)}: its time is up, but it is still {words}."
    elif state:
        text = f"{ended}. It is {words} now."
    else:
        text = f"{ended}. {Look.UNCHECKED.word} its state."
    text = f"{user(operation.actor.user)} {text}"
    wanted = [FollowUp.LIFT, FollowUp.CHECK] if still_off else [FollowUp.CHECK]
    blocks = (section(text), *follow_up_buttons(operation, wanted))
    return Message(truncate(text, TEXT_MOST), blocks)


def off_air_list(found: OffAirList) -> Message:
    """List what is off and what is held, each with the button that brings it back."""
    if not found.may:
        return Message(_NO_ROLE)
    blocks = list(off_air_blocks(found, LISTED_MOST))
    lines = [_on_line(entry) for entry in found.on]
    lines += [_off_line(entry) for entry in found.off[:LISTED_MOST]]
    lines += [_hold_line(hold) for hold in found.holds[:LISTED_MOST]]
    if not lines:
        return Message(_NOTHING)
    more = len(found.off[LISTED_MOST:]) + len(found.holds[LISTED_MOST:])
    if more:
        lines.append(f"{more} more are not shown.")
        blocks.append(section(lines[-1]))
    return Message(truncate("\n".join(lines), TEXT_MOST), tuple(blocks))


def off_air_blocks(found: OffAirList, most: int, *, brief: bool = False) -> Iterable[Block]:
    """Return the blocks of that list, with at most so many of what is off and of what is held.

    Args:
        brief: Without who took it off, and where.
    """
    for entry in found.on:
        yield section(_on_line(entry))
    for entry in found.off[:most]:
        wanted = [FollowUp.UNDO, FollowUp.CHECK]
        yield _with_button(_off_line(entry, brief=brief), entry.operation, wanted)
    for hold in found.holds[:most]:
        yield _with_button(_hold_line(hold, brief=brief), hold, [FollowUp.UNDO])


def _with_button(text: str, operation: Operation, wanted: Iterable[FollowUp]) -> Block:
    """Return a section with the first of these follow-ups that is possible as its button."""
    block = section(text)
    possible = follow_ups(operation)
    for one in wanted:
        if one in possible:
            label = _LABELS[one] if operation.api != HOLD.api else "Release"
            return {**block, "accessory": follow_up_button(FOLLOW_IN_LIST, one, operation, label)}
    return block


def _off_line(entry: OffAirEntry, *, brief: bool = False) -> str:
    operation = entry.operation
    action = action_of(operation)
    label = "Off" if operation.state is not State.UNKNOWN else "May be off"
    if action is None:
        # Of another release: what it has done is not known here.
        label = escape(operation.api, 80)
    parts = [f"{label}: {thing(operation, action)}", _since(operation, brief=brief)]
    if entry.until is not None and not _shows_expiry(operation):
        parts.append(f"ends on its own {format_slack_time(entry.until)}")
    if entry.state:
        parts.append(f"now {state_text(action_of(operation), entry.state)}")
    return _line(parts, operation, brief=brief)


def _shows_expiry(operation: Operation) -> bool:
    """Return whether the parameters already show when it ends."""
    action = action_of(operation)
    expiry = action.expiry if action else None
    return expiry is not None and expiry[0] in operation.params


def _hold_line(operation: Operation, *, brief: bool = False) -> str:
    target, reason = (str(operation.params.get(name, "")) for name in ("Target", "Reason"))
    parts = [
        f"Held: {code(redact(target))}",
        _since(operation, brief=brief),
        f"reason: {escape(redact(reason), 60 if brief else 300)}",
    ]
    return _line(parts, operation, brief=brief)


def _on_line(entry: OffAirEntry) -> str:
    action = action_of(entry.operation)
    name, words = thing(entry.operation, action, duration=False), state_text(action, entry.state)
    return f"• On again: {name} · now {words}, removed from this list"


def _since(operation: Operation, *, brief: bool) -> str:
    when = format_slack_time(operation.ended_at or operation.asked_at)
    return when if brief else f"{user(operation.actor.user)} {when}"


def _line(parts: list[str], operation: Operation, *, brief: bool) -> str:
    if operation.place.channel and not brief:
        parts.append(channel(operation.place.channel))
    if operation.api == HOLD.api and operation.account != DEFAULT:
        parts.append(f"account {code(operation.account)}")
    if (case := case_text(operation)) and not brief:
        parts.append(case)
    return "• " + " · ".join(parts)
