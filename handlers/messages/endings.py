"""What is said in the thread about an ending, and to the asker alone; pure."""

from bot.catalog.effects import is_on, live_before
from bot.catalog.registry import undo_of
from bot.model.actions import Action
from bot.model.operations import UNREADABLE, LiveBefore, Operation, State
from bot.operations.follow_ups import FollowUp
from bot.redact import redact
from handlers.messages.annotations import case_text, offer_button, offer_text, runbook_link
from handlers.messages.blocks import SECTION_MOST, TEXT_MOST, Message, section
from handlers.messages.buttons import domain_buttons, follow_up_buttons, live_now_buttons
from handlers.messages.later_text import NO_LONGER
from handlers.messages.mrkdwn import (
    channel,
    code,
    escape,
    format_slack_time,
    link,
    truncate,
    user,
)
from handlers.messages.next_steps import check_text
from handlers.messages.operation_text import (
    approvers_text,
    detail_text,
    emergency_text,
    live_before_text,
    live_now_text,
    request_text,
)
from handlers.messages.state_text import outcome_lines

_FOLLOW_UPS = (FollowUp.UNDO, FollowUp.KEEP_OFF, FollowUp.RETRY, FollowUp.CHECK)


def reminder(operation: Operation, action: Action | None) -> Message:
    """Remind those who may approve, in the thread, that it is still waiting."""
    expires_at = operation.expires_at
    until = f" until {format_slack_time(expires_at)}" if expires_at else ""
    text = (
        f"Still waiting for approval: {request_text(operation, action)}, asked by "
        f"{user(operation.actor.user)}. Whoever is in {approvers_text(operation)} can approve or "
        f"deny it on the card above{until}."
    )
    return Message(truncate(text, SECTION_MOST), (section(text),))


def ending(operation: Operation, action: Action | None) -> Message:
    """Describe in the thread how an operation ended, and what to do next."""
    text = _outcome(operation, action)
    decided_by_other = operation.decided_by not in ("", operation.actor.user)
    if decided_by_other or operation.state is State.EXPIRED:
        # The asker may no longer be watching.
        text = f"{user(operation.actor.user)} {text}"
    if notes := " · ".join(filter(None, (case_text(operation), runbook_link(operation)))):
        text = f"{text}\n{notes[:1].upper()}{notes[1:]}"
    buttons = (*live_now_buttons(operation), *follow_up_buttons(operation, _FOLLOW_UPS))
    blocks = (section(text), *buttons)
    return Message(truncate(f"{request_text(operation, action)}. {text}", TEXT_MOST), blocks)


def _outcome(operation: Operation, action: Action | None) -> str:
    emergency = emergency_text(operation)
    lines = outcome_lines(operation, action)
    return "\n".join([emergency, *lines] if emergency else lines)


def verification(operation: Operation, action: Action | None, after: str = "") -> Message:
    """Describe in the thread which state was read a while after the stop.

    Args:
        after: Seconds from the stop to that, as digits.
    """
    state = operation.verified_state
    becomes = action.effect_spec.new_state if action else state
    held = state == becomes != UNREADABLE
    text = _verified(operation, action, after, held=held)
    blocks = [section(text)]
    if held and operation.live_before is LiveBefore.UNREADABLE:
        blocks += live_now_buttons(operation)
    if not held:
        blocks += follow_up_buttons(operation, [FollowUp.KEEP_OFF, FollowUp.CHECK])
    return Message(truncate(text, TEXT_MOST), tuple(blocks))


def late_answer(operation: Operation, action: Action | None, observed: str = "") -> Message:
    """Describe in the thread what the cloud answered after another replica had taken over.

    Args:
        observed: The ending that it would have been, or an error code, and the RequestId.
    """
    answer, _, request_id = observed.partition(" ")
    taken = {State.ACCEPTED.value: "accepted", State.ALREADY.value: "found over already"}
    became = taken.get(answer, f"refused with {code(redact(answer), 80)}")
    which = "the request" if operation.state is State.UNKNOWN else "an earlier request"
    text = (
        f"Tencent Cloud answered late: {which} to {request_text(operation, action)} was {became}. "
        f"RequestId {code(redact(request_id), 80)}."
    )
    return Message(truncate(text, TEXT_MOST), (section(text),))


def _verified(operation: Operation, action: Action | None, after: str, *, held: bool) -> str:
    request, state = request_text(operation, action), operation.verified_state
    name = code(redact(operation.target), 80)
    when = f"checked {after} s later" if after.isdecimal() else "checked afterwards"
    if state == UNREADABLE:
        return (
            f"Whether {name} is off could not be checked: {check_text(operation, action)}. "
            f"It was {request}."
        )
    if action is not None and is_on(action, undo_of(action), state):
        if live_before(action, state) is not LiveBefore.LIVE:
            return (
                f"⚠️ {user(operation.actor.user)} *{NO_LONGER}*: {name} is {code(state)}, {when}, "
                f"so it can come back. It was {request}."
            )
        again = "" if operation.live_before is LiveBefore.NOT_LIVE else " again"
        return (
            f"🔴 {user(operation.actor.user)} *Live{again}*: {name} is {code(state)}, {when}. "
            f"It was {request}."
        )
    if held and operation.live_before is LiveBefore.LIVE:
        return f"⚫ *Off*: {name}, {when}."
    known = "" if operation.live_before is LiveBefore.LIVE else live_before_text(operation, action)
    seen = f"The state of {name} is {code(state)}, {when}."
    return " ".join(filter(None, (seen, known, live_now_text(operation) if held else "")))


def private_reply(
    operation: Operation, action: Action | None, permalink: str = "", *, again: bool = False
) -> Message:
    """Tell the asker alone why it was refused, or an ending whose card could not be posted.

    Args:
        permalink: Of the card of the operation that this one duplicates.
        again: It may have been shown before: Slack cannot be asked whether it was.
    """
    text = _private_text(operation, action, permalink)
    text = f"(You may have read this before.) {text}" if again else text
    text = truncate(text, SECTION_MOST)
    offers = (offer_button(operation),) if operation.approvals.request_from else ()
    return Message(text, (section(text), *domain_buttons(operation), *offers))


def _private_text(operation: Operation, action: Action | None, permalink: str) -> str:
    request, place = request_text(operation, action), channel(operation.place.channel)
    match operation.state:
        case State.DENIED if operation.approvals.withheld:
            return detail_text(operation)
        case State.DENIED:
            text = f"Denied: {request}. {detail_text(operation)} Nothing was sent."
            return f"{text} {offer_text(operation)}".rstrip()
        case State.INVALID:
            return f"Not understood: {escape(operation.detail, 600)} Nothing was done."
        case State.CANCELLED if operation.duplicate_of and not operation.superseded:
            where = link(permalink, "its card") or place
            added = f"So nothing was added: {request} is decided on {where}."
            return f"{detail_text(operation)} {added}"
        case _:
            asked = f"This is {request}, asked {format_slack_time(operation.asked_at)}."
            why = f"I could not post its card in {place}, so only you see this."
            return f"{_outcome(operation, action)}\n{asked} {why}"
