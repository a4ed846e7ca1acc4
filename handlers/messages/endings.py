"""What is said in the thread about an ending, and to the asker alone; pure."""

from bot.catalog.effects import is_on
from bot.catalog.registry import undo_of
from bot.model.actions import Action
from bot.model.commands import Via
from bot.model.operations import UNREADABLE, LiveBefore, Operation, State
from bot.operations.follow_ups import FollowUp
from bot.redact import redact
from handlers.messages import watch_text
from handlers.messages.annotations import (
    case_text,
    evidence_text,
    last_push_text,
    offer_button,
    offer_text,
    runbook_link,
)
from handlers.messages.blocks import SECTION_MOST, TEXT_MOST, Message, context, section
from handlers.messages.buttons import (
    domain_buttons,
    ending_buttons,
    follow_up_buttons,
    live_now_buttons,
)
from handlers.messages.contacts import NOBODY, Contacts
from handlers.messages.later_text import is_live, on_again
from handlers.messages.looks import Look
from handlers.messages.mrkdwn import (
    channel,
    code,
    escape,
    format_clock,
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
    request_id_text,
    request_text,
)
from handlers.messages.state_text import headline, outcome_lines
from handlers.messages.wording import lower_deed, span_text, state_text


def reminder(operation: Operation, action: Action | None) -> Message:
    """Remind those who may approve, in the thread, that it is still waiting."""
    expires_at = operation.expires_at
    until = f" by {format_clock(expires_at)}" if expires_at else ""
    text = (
        f"{Look.STILL_WAITING.says(lower_deed(operation, action))}, asked by "
        f"{user(operation.actor.user)}. Anyone in {approvers_text(operation)} can approve or "
        f"deny it on the card{until}."
    )
    return Message(truncate(text, SECTION_MOST), (section(text),))


def ending(operation: Operation, action: Action | None, to: Contacts = NOBODY) -> Message:
    """Describe in the thread how an operation ended, and what to do next.

    Args:
        to: Whom to turn to where it failed.
    """
    text = _outcome(operation, action, to)
    decided_by_other = operation.decided_by not in ("", operation.actor.user)
    if decided_by_other or operation.state is State.EXPIRED:
        # The asker may no longer be watching.
        text = f"{user(operation.actor.user)} {text}"
    if notes := " · ".join(filter(None, (case_text(operation), runbook_link(operation)))):
        text = f"{text}\n{notes[:1].upper()}{notes[1:]}"
    for note in filter(None, (last_push_text(operation), evidence_text(operation))):
        text = f"{text}\n{note}"
    small = _small_print(operation, action)
    blocks = (section(text), context(small), *ending_buttons(operation))
    return Message(truncate(f"{text}\n{small}", TEXT_MOST), blocks)


def _small_print(operation: Operation, action: Action | None) -> str:
    """Name what was sent by Tencent's names, the rule and the RequestId."""
    rule = f"rule {code(operation.rule)}" if operation.rule else ""
    parts = (request_text(operation, action), rule, request_id_text(operation))
    return " · ".join(filter(None, parts))


def _outcome(operation: Operation, action: Action | None, to: Contacts) -> str:
    emergency = emergency_text(operation)
    lines = outcome_lines(operation, action, to)
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


def seen(operation: Operation, action: Action | None, observed: str = "") -> Message:
    """Describe in the thread what was seen of a watched stream: it is live again, or has ended.

    Args:
        observed: The seconds from the stop to that, and the state; of a stream that somebody asked
            to watch, see `watch_text.change`.
    """
    if watch_text.is_watch(operation):
        return watch_text.change(operation, action, observed)
    seconds, _, state = observed.partition(" ")
    name = code(redact(operation.target), 80)
    after = f", {span_text(float(seconds))} after the stop" if seconds else ""
    if not _is_back(action, state):
        text = f"{Look.OFF.says(name)}{after}."
        return Message(truncate(text, TEXT_MOST), (section(text),))
    look, label = on_again(operation, action, state)
    text = f"{look.emoji} {user(operation.actor.user)} *{label}: {name}*{after}."
    if not is_live(look):
        text = f"{text[:-1]}: {state_text(action, state)}, so it can come back."
    buttons = follow_up_buttons(operation, [FollowUp.KEEP_OFF, FollowUp.CHECK])
    return Message(truncate(text, TEXT_MOST), (section(text), *buttons))


def _is_back(action: Action | None, state: str) -> bool:
    return action is not None and is_on(action, undo_of(action), state)


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
        f"Tencent Cloud answered late: {which} to {lower_deed(operation, action)} was {became}. "
        f"RequestId {code(redact(request_id), 80)}."
    )
    return Message(truncate(text, TEXT_MOST), (section(text),))


def _verified(operation: Operation, action: Action | None, after: str, *, held: bool) -> str:
    name, state = code(redact(operation.target), 80), operation.verified_state
    later = f"{span_text(float(after))} later" if after.isdecimal() else "afterwards"
    if state == UNREADABLE:
        check = check_text(operation, action, NOBODY)
        return f"{Look.UNCHECKED.emoji} {Look.UNCHECKED.word} whether {name} is off: {check}."
    if _is_back(action, state):
        look, label = on_again(operation, action, state)
        who = f"{look.emoji} {user(operation.actor.user)} *{label}: {name}*"
        if not is_live(look):
            return f"{who}: {state_text(action, state)} {later}, so it can come back."
        return f"{who}, seen {later}."
    if held and operation.live_before is LiveBefore.LIVE:
        return f"{Look.OFF.says(name)}, checked {later}."
    known = "" if operation.live_before is LiveBefore.LIVE else live_before_text(operation, action)
    seen = f"{name} is {state_text(action, state)}, checked {later}."
    return " ".join(filter(None, (seen, known, live_now_text(operation) if held else "")))


def private_reply(
    operation: Operation,
    action: Action | None,
    permalink: str = "",
    *,
    again: bool = False,
    to: Contacts = NOBODY,
) -> Message:
    """Tell the asker alone why it was refused, or an ending whose card could not be posted.

    Args:
        permalink: Of the card of the operation that this one duplicates.
        again: It may have been shown before: Slack cannot be asked whether it was.
        to: Whom to turn to where it failed.
    """
    text = _private_text(operation, action, permalink, to)
    text = f"(You may have read this before.) {text}" if again else text
    text = truncate(text, SECTION_MOST)
    offers = (offer_button(operation),) if operation.approvals.request_from else ()
    reason = follow_up_buttons(operation, [FollowUp.GIVE_REASON])
    return Message(text, (section(text), *reason, *domain_buttons(operation), *offers))


def _own_words(operation: Operation, action: Action | None) -> str:
    """Name a request by what its asker typed; empty where the bot may have put words to it."""
    secret = action is None or bool(action.secret_params)
    if secret or operation.via not in (Via.COMMAND, Via.MENTION):
        return ""
    return f"{Look.DENIED.emoji} {Look.DENIED.word}: {code(operation.text, 300)}. "


def _private_text(operation: Operation, action: Action | None, permalink: str, to: Contacts) -> str:
    request, place = lower_deed(operation, action), channel(operation.place.channel)
    match operation.state:
        case State.DENIED if operation.approvals.withheld:
            return f"{_own_words(operation, action)}{detail_text(operation)}"
        case State.DENIED:
            denied = f"{Look.DENIED.emoji} {Look.DENIED.word}: {request}."
            text = f"{denied} {detail_text(operation)} Nothing was sent."
            return f"{text} {offer_text(operation)}".rstrip()
        case State.INVALID:
            return f"Not understood. {escape(operation.detail, 600)} Nothing was done."
        case State.CANCELLED if operation.duplicate_of and not operation.superseded:
            where = link(permalink, "its card") or f"its card in {place}"
            return f"{detail_text(operation)} See {where}."
        case _:
            head = headline(operation, action)
            why = f"I couldn't post its card in {place}, so only you see this."
            small = _small_print(operation, action)
            return f"{head}\n{_outcome(operation, action, to)}\n{small}\n{why}"
