"""What is said of an operation, as words and blocks: card, ending, private and audit line; pure.

The top-level text says it all: phones and screen readers have nothing else.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from bot.catalog import readings as sights
from bot.catalog.effects import expires_at, is_on
from bot.catalog.error_codes import explain
from bot.catalog.registry import ACTIONS, action_of, by_api, undo_of
from bot.model.actions import DEFAULT, Action, Approval, Effect, Json, Param
from bot.model.messages import EphemeralNotice
from bot.model.operations import UNREADABLE, Choice, Operation, State
from bot.operations.follow_ups import FollowUp, follow_ups
from bot.redact import redact
from bot.times import format_duration
from handlers.messages import annotations as beside
from handlers.messages.mrkdwn import (
    channel,
    code,
    escape,
    fit,
    link,
    moment,
    people,
    spoken,
    typed,
    user,
    value,
    worded,
)

Block: TypeAlias = dict[str, Any]

TEXT_MOST = 4000
"""Characters of a message's text; chat.update refuses more."""

SECTION_MOST = 3000

STATES: Mapping[State, str] = {
    State.ASKED: "Checking",
    State.WAITING: "Waiting for approval",
    State.DUE: "Next in line",
    State.RUNNING: "Sending",
    State.ACCEPTED: "Accepted",
    State.ALREADY: "Already so",
    State.FAILED: "Failed",
    State.UNKNOWN: "Unknown, it may have run",
    State.DENIED: "Denied",
    State.INVALID: "Not understood",
    State.EXPIRED: "Expired",
    State.CANCELLED: "Cancelled",
}
"""The word that a state has for people."""


DECIDE = "decide"
"""What the action_id of a button begins with that decides over an operation; its value is the
operation's id."""

CHOICES: Mapping[Choice, str] = {
    Choice.CONFIRM: "Confirm",
    Choice.APPROVE: "Approve",
    Choice.DENY: "Deny",
    Choice.CANCEL: "Cancel",
    Choice.EMERGENCY: "Emergency",
}
"""The word on the button of a choice."""


FOLLOW = "follow"
"""The same of a button for what may follow an ending."""

FOLLOWS: Mapping[FollowUp, str] = {
    FollowUp.UNDO: "Undo",
    FollowUp.KEEP_OFF: "Keep it off",
    FollowUp.RETRY: "Retry",
    FollowUp.CHECK: "Check status",
    FollowUp.EXTEND: "Extend",
    FollowUp.LIFT: "Lift now",
}
"""The word on the button of what may follow."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message for Slack.

    Attributes:
        text: Says everything, in mrkdwn.
        blocks: The same, arranged; may be empty.
    """

    text: str
    blocks: tuple[Block, ...] = ()


def card(operation: Operation, action: Action | None) -> Message:
    """Draw the root message of an operation as it is now."""
    word, what = _state_word(operation, action), wanted(operation, action)
    now = _so_far(operation, action)
    frame = [f"Asked by {user(operation.actor.user)} {moment(operation.asked_at)}"]
    if operation.rule:
        how = "forbidden" if operation.state is State.DENIED else "allowed"
        how = "open to requests" if operation.origin.request_of else how
        frame.append(f"{how} by {code(operation.rule)}")
    if passed := _passed(operation):
        frame.append(passed)
    if operation.region:
        frame.append(f"region {code(operation.region)}")
    frame += filter(None, (beside.case(operation), beside.runbook(operation)))
    around = " · ".join(frame)
    loud, lacking = _emergency(operation), beside.request(operation)
    said = " ".join(part for part in (f"{word}: {what}.", lacking, now) if part)
    text = " ".join(part for part in (loud, f"{said} {around}.") if part)
    body = "\n".join(part for part in (loud, f"*{word}:* {what}", lacking, now) if part)
    blocks = [section(body), context(around)]
    if operation.state is State.WAITING:
        blocks.append(_choices(operation, what))
    return Message(fit(text, TEXT_MOST), tuple(blocks))


def _state_word(operation: Operation, action: Action | None) -> str:
    if operation.state is State.WAITING and operation.approval is Approval.CONFIRM:
        return "Waiting for a confirmation"
    return state_word(operation, action)


def state_word(operation: Operation, action: Action | None) -> str:
    """Say the word of a state; what is read is answered, nothing is taken on."""
    read = action is not None and action.effect is Effect.READ
    if read and operation.state is State.ACCEPTED:
        return "Answered"
    return STATES[operation.state]


def _choices(operation: Operation, what: str) -> Block:
    """Make the buttons of a waiting card; each refers to the operation and says nothing more."""
    if operation.approval is Approval.CONFIRM:
        open_to = [Choice.CONFIRM, Choice.CANCEL]
    else:
        approvals = operation.approvals
        # Where nobody may approve, nobody may deny it either.
        others = [Choice.APPROVE, Choice.DENY] if approvals.roles or approvals.escalates_to else []
        open_to = [*others, Choice.CANCEL]
        open_to += [Choice.EMERGENCY] if approvals.break_glass_rule else []
    return {
        "type": "actions",
        "block_id": f"{DECIDE}:{operation.id}",
        "elements": [_choice(choice, operation.id, what) for choice in open_to],
    }


def _choice(choice: Choice, id_: str, what: str) -> Block:
    style = {
        Choice.CONFIRM: {"style": "primary"},
        Choice.APPROVE: {"style": "primary"},
        Choice.EMERGENCY: {"style": "danger"},
    }
    return {
        "type": "button",
        "action_id": f"{DECIDE}:{choice.value}",
        "value": id_,
        "text": {"type": "plain_text", "text": CHOICES[choice], "emoji": False},
        "accessibility_label": fit(f"{CHOICES[choice]} {spoken(what)}", 70),
        **style.get(choice, {}),
    }


def reminder(operation: Operation, action: Action | None) -> Message:
    """Say in the thread that it still waits, to those who may approve."""
    until = f" until {moment(operation.expires_at)}" if operation.expires_at else ""
    text = (
        f"Still waiting for approval: {wanted(operation, action)}, asked by "
        f"{user(operation.actor.user)}. Whoever is in {_who_may(operation)} can approve or deny "
        f"it on the card above{until}."
    )
    return Message(fit(text, SECTION_MOST), (section(text),))


def word(word_: EphemeralNotice) -> Message:
    """Say a sentence to whoever pressed a button."""
    again = "(You may have read this before.) " if word_.maybe_sent else ""
    return Message(f"{again}{worded(word_.text, 1500)}")


def ending(operation: Operation, action: Action | None) -> Message:
    """Say in the thread how it ended, and what to do next."""
    told = _told(operation, action)
    others = operation.decided_by not in ("", operation.actor.user)
    if others or operation.state is State.EXPIRED:
        # Whoever asked may have stopped looking by now.
        told = f"{user(operation.actor.user)} {told}"
    if of := " · ".join(filter(None, (beside.case(operation), beside.runbook(operation)))):
        told = f"{told}\n{of[:1].upper()}{of[1:]}"
    blocks = (section(told), *follow_buttons(operation, _UNDER_AN_ENDING))
    return Message(fit(f"{wanted(operation, action)}. {told}", TEXT_MOST), blocks)


def looked(operation: Operation, action: Action | None, alike: str = "") -> Message:
    """Say in the thread what a look at the cloud saw a moment after the stop.

    Args:
        alike: What is live under a name like the one that was stopped, a line each.
    """
    what = wanted(operation, action)
    back = action is not None and is_on(action, undo_of(action), operation.verified_state)
    becomes = action.effect_spec.new_state if action else operation.verified_state
    held = operation.verified_state == becomes != UNREADABLE
    if operation.verified_state == UNREADABLE:
        text = f"Whether it has held is not known: {_check(operation, action)}. It was {what}."
    elif back:
        text = (
            f"{user(operation.actor.user)} *It is back*: looked at after the stop, its state is "
            f"{code(operation.verified_state)} again. It was {what}."
        )
    elif not held:
        text = (
            f"Looked at afterwards, its state is {code(operation.verified_state)}. It was {what}."
        )
    else:
        text = f"It has held: looked at afterwards, its state is {code(operation.verified_state)}."
        if alike:
            names = ", ".join(code(redact(name), 80) for name in alike.splitlines())
            text += (
                f" {user(operation.actor.user)} *Is it the right name?* Live there now is {names}; "
                f"this one was {code(redact(operation.target), 80)}."
            )
    blocks = [section(text)]
    if not held:
        blocks += follow_buttons(operation, [FollowUp.KEEP_OFF, FollowUp.CHECK])
    return Message(fit(text, TEXT_MOST), tuple(blocks))


_UNDER_AN_ENDING = (FollowUp.UNDO, FollowUp.KEEP_OFF, FollowUp.RETRY, FollowUp.CHECK)


def follow_buttons(operation: Operation, wished: Iterable[FollowUp]) -> list[Block]:
    """Make the buttons of what may follow, as far as it may."""
    open_to = follow_ups(operation)
    found = [follow_button(FOLLOW, one, operation) for one in wished if one in open_to]
    if not found:
        return []
    return [{"type": "actions", "block_id": f"{FOLLOW}:{operation.id}", "elements": found}]


def follow_button(kind: str, follow: FollowUp, operation: Operation, label: str = "") -> Block:
    """Make one button; it refers to the operation and says nothing more."""
    label = label or FOLLOWS[follow]
    what = spoken(wanted(operation, action_of(operation)))
    return {
        "type": "button",
        "action_id": f"{kind}:{follow.value}",
        "value": operation.id,
        "text": {"type": "plain_text", "text": label, "emoji": False},
        "accessibility_label": fit(f"{label} {what}", 70),
    }


def private(
    operation: Operation, action: Action | None, permalink: str = "", *, again: bool = False
) -> Message:
    """Tell the asker alone: why not, what was wrong, or an ending whose card has no place."""
    match operation.state:
        case State.DENIED:
            text = f"Denied: {wanted(operation, action)}. {_reason(operation)} Nothing was sent."
            text = f"{text} {beside.offer(operation)}".rstrip()
        case State.INVALID:
            text = f"Not understood: {escape(operation.detail, 600)} Nothing was done."
        case State.CANCELLED if operation.duplicate_of:
            where = link(permalink, "its card") or channel(operation.place.channel)
            text = (
                f"{_reason(operation)} So nothing was added: {wanted(operation, action)} "
                f"is decided on {where}."
            )
        case _:
            where = channel(operation.place.channel)
            text = (
                f"{_told(operation, action)}\n"
                f"This is {wanted(operation, action)}, asked {moment(operation.asked_at)}. "
                f"I could not post its card in {where}, so only you see this."
            )
    if again:
        # Slack cannot be asked whether it was shown, so it is said twice rather than never.
        text = f"(You may have read this before.) {text}"
    text = fit(text, SECTION_MOST)
    offers = (beside.offer_button(operation),) if operation.approvals.request_from else ()
    return Message(text, (section(text), *offers))


def audit_line(
    operation: Operation,
    action: Action | None,
    permalink: str = "",
    about: State | None = None,
) -> Message:
    """Write a line for the audit channel, about a decision or about the ending."""
    decided = about is State.DUE
    begin = "Let through" if decided else state_word(operation, action)
    if operation.emergency:
        begin = f"*EMERGENCY without a second person* · {begin}"
    parts = [
        f"{begin}: {wanted(operation, action)}",
        f"{user(operation.actor.user)} in {_where(operation)}",
    ]
    beneath = (beside.request(operation), _passed(operation), beside.case(operation))
    parts += filter(None, beneath)
    if operation.reason:
        parts.append(f"reason: {escape(operation.reason, 500)}")
    if operation.region:
        parts.append(f"region {code(operation.region)}")
    if operation.rule:
        parts.append(f"rule {code(operation.rule)}")
    if operation.code and not decided:
        parts.append(f"code {code(operation.code)}")
    if operation.request_id and not decided:
        parts.append(f"RequestId {code(operation.request_id)}")
    if operation.state in (State.DENIED, State.INVALID, State.UNKNOWN) and operation.detail:
        parts.append(_reason(operation))
    parts.append(f"operation {code(operation.id)}")
    if shown := link(permalink, "card"):
        parts.append(shown)
    return Message(fit(" · ".join(parts), SECTION_MOST))


def notice(text: str) -> Message:
    """Say something that belongs to no operation."""
    return Message(escape(text, SECTION_MOST))


# --- the parts -----------------------------------------------------------------------


def wanted(operation: Operation, action: Action | None) -> str:
    """Say what was asked: the API, its parameters, secrets hidden, and the account."""
    if not operation.api:
        return code(operation.text, 300)
    # They count from when it is sent.
    spans = operation.origin.spans if operation.state in _UNSENT else {}
    shown = [
        f"{escape(_word(name, param), 40)} {value(param, given)}"
        if name not in spans
        else f"for {code(format_duration(spans[name]))}"
        for name, param, given in _params(operation, action)
    ]
    on = [f"account {code(operation.account)}"] if operation.account != DEFAULT else []
    return f"{escape(operation.api, 80)} {', '.join(shown[:12] + on)}".strip()


_UNSENT = (State.ASKED, State.WAITING, State.DUE, State.DENIED, State.EXPIRED, State.CANCELLED)


def _word(name: str, param: Param | None) -> str:
    if param is None:
        return name
    # People type for how long; what is kept and shown is until when.
    return "until" if param.word == "for" else param.word


def section(text: str) -> Block:
    """Make a section of mrkdwn in which Slack links nothing by itself."""
    return {"type": "section", "text": _mrkdwn(fit(text, SECTION_MOST))}


def context(text: str) -> Block:
    """Make a line of small print."""
    return {"type": "context", "elements": [_mrkdwn(fit(text, SECTION_MOST))]}


def _mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _params(operation: Operation, action: Action | None) -> list[tuple[str, Param | None, Json]]:
    """Give the parameters in the order of their declaration; undeclared ones come last."""
    declared = {param.api: param for param in action.params} if action else {}
    order = [*(n for n in declared if n in operation.params), *operation.params]
    return [(n, declared.get(n), operation.params[n]) for n in dict.fromkeys(order)]


def _where(operation: Operation) -> str:
    return channel(operation.place.channel) if operation.place.channel else "a terminal"


def _reason(operation: Operation) -> str:
    return worded(operation.detail)


def _passed(operation: Operation) -> str:
    """Say who decided, and when."""
    given = [one.user for one in operation.approvals.given]
    who = " and ".join(user(one) for one in given) or user(operation.decided_by)
    if not (given or operation.decided_by):
        return ""
    match operation.state:
        case State.WAITING:
            return f"{len(given)} of {operation.approvals.needed} approved: {who}"
        case State.EXPIRED:
            return f"approved by {who} alone" if given else ""
        case State.DENIED if operation.decided_by and not operation.sent_at:
            verb, who = "denied", user(operation.decided_by)
        case State.CANCELLED:
            verb, who = "cancelled", user(operation.decided_by)
        case _ if operation.emergency:
            verb, who = "called an emergency", user(operation.decided_by)
        case _:
            verb = "approved" if given else "confirmed"
    when = f" {moment(operation.decided_at)}" if operation.decided_at else ""
    return f"{verb} by {who}{when}"


def _emergency(operation: Operation) -> str:
    if not operation.emergency:
        return ""
    return f"*EMERGENCY, without a second person.* Reason: {escape(operation.reason, 500)}"


def _who_may(operation: Operation) -> str:
    approvals = operation.approvals
    if not approvals.roles:
        return "Nobody"
    most = 10
    who = people(approvals.people[:most])
    rest = " and others" if len(approvals.people) > most else ""
    return f"{' or '.join(code(role) for role in approvals.roles)} ({who}{rest or ''})"


def _waiting(operation: Operation, action: Action | None) -> str:
    """Say what a waiting operation waits for, and what is known of what it will touch."""
    approvals, preview = operation.approvals, operation.preview
    lines = [action.does] if action is not None else []
    if operation.approval is Approval.CONFIRM:
        lines += [f"Nothing is sent before {user(operation.actor.user)} confirms it."]
    elif not approvals.roles:
        lines += ["The policy lets nobody approve this: its list of approvers is empty."]
    else:
        count = "someone" if approvals.needed == 1 else f"{approvals.needed} people"
        approve = "approves" if approvals.needed == 1 else "approve"
        lines += [f"Nothing is sent before {count} in {_who_may(operation)} {approve} it."]
    if preview.state_at_press:
        lines.append(_changed(operation) + " Press again if you still want it.")
    elif preview.state:
        lines.append(f"State when it was asked: {code(preview.state)}.")
    lines += map(beside.sight, preview.readings)
    if operation.expires_at:
        lines.append(f"Expires {moment(operation.expires_at)}.")
    return "\n".join(lines)


def _changed(operation: Operation) -> str:
    """Say what has changed between asking and deciding."""
    preview = operation.preview
    if not preview.state_at_press:
        return ""
    return (
        f"*Changed:* the state was {code(preview.state)} when it was asked and "
        f"{code(preview.state_at_press)} when it was decided."
    )


def _so_far(operation: Operation, action: Action | None) -> str:
    """Say in a sentence or two what is known now."""
    changed = "" if operation.state is State.WAITING else _changed(operation)
    said = _so_far_now(operation, action)
    return f"{changed}\n{said}" if changed else said


def _so_far_now(operation: Operation, action: Action | None) -> str:
    detail = worded(operation.detail, 600)
    if operation.state in _ENDED:
        return _ended_so_far(operation, action) or detail or "Nothing was sent."
    if operation.state is State.WAITING:
        return _waiting(operation, action)
    tried = operation.attempts
    match operation.state:
        case State.DUE if tried:
            return f"It did not run and is tried again (try {tried + 1}). {detail}"
        case State.RUNNING if tried > 1:
            return f"It is sent again (try {tried}). {detail}"
        case State.RUNNING if _is_ours(action):
            return "It is being noted."
        case _:
            return _UNDER_WAY[operation.state]


_UNDER_WAY: Mapping[State, str] = {
    State.ASKED: "Nothing is sent yet.",
    State.DUE: "It waits for its turn under the limit of the API. Nothing is sent yet.",
    State.RUNNING: "The request is on its way to Tencent Cloud.",
}
_ENDED = frozenset(State) - frozenset(_UNDER_WAY) - {State.WAITING}


def _ended_so_far(operation: Operation, action: Action | None) -> str:
    explained = explain(operation.code, action)
    match operation.state:
        case State.ACCEPTED | State.ALREADY if _is_ours(action):
            return _reason(operation) or _DONE[operation.api]
        case State.ACCEPTED:
            return f"{_given(operation, action)} The RequestId is in the thread."
        case State.ALREADY:
            return explained.means
        case State.FAILED:
            refused = f"Tencent Cloud refused it: {explained.means} What to do is in the thread."
            return refused if operation.code else f"It did not run: {_reason(operation)}"
        case State.UNKNOWN:
            return "No clear answer came. How to check is in the thread."
        case _:
            return _unsent_so_far(operation)


def _unsent_so_far(operation: Operation) -> str:
    who = user(operation.decided_by)
    match operation.state:
        case State.DENIED if operation.decided_by and not operation.detail:
            why = f" Reason: {escape(operation.reason, 500)}" if operation.reason else ""
            return f"{who} decided against it. Nothing was sent.{why}"
        case State.DENIED:
            return f"{_reason(operation)} Nothing was sent."
        case State.CANCELLED if operation.decided_by:
            return f"{who} cancelled it. Nothing was sent."
        case State.EXPIRED:
            return "Nobody decided in time. Nothing was sent. Ask again if it is still needed."
        case _:
            return ""


def _told(operation: Operation, action: Action | None) -> str:
    lines = [_emergency(operation), *_ending_lines(operation, action)]
    return "\n".join(line for line in lines if line)


def _ending_lines(operation: Operation, action: Action | None) -> list[str]:
    explained = explain(operation.code, action)
    detail = worded(operation.detail, 600)
    request_id = f"RequestId {code(operation.request_id)}" if operation.request_id else ""
    match operation.state:
        case State.ACCEPTED if not _is_ours(action):
            return [
                f"*{state_word(operation, action)}.* {_given(operation, action)} {request_id}",
                _tries(operation),
                _ends(operation, action),
                _afterwards(operation, action),
            ]
        case State.ALREADY if not _is_ours(action):
            return [
                f"*Already so.* {explained.means} It needs no repeat.",
                _tries(operation),
                f"Code {code(operation.code)}",
                request_id,
            ]
        case State.FAILED if operation.code:
            return [
                f"*Failed* with {code(operation.code)}: {explained.means}",
                detail if operation.detail not in ("", operation.error_message) else "",
                _tries(operation),
                f"Next: {explained.next_step}",
                _said(operation),
                request_id,
            ]
        case State.FAILED:
            return [
                f"*Failed*, it did not run: {detail}",
                _tries(operation),
                "Next: ask again; if it stays so, tell whoever runs this bot.",
            ]
        case State.UNKNOWN:
            broke = f"Tencent Cloud answered {code(operation.code)}: {explained.means}"
            return [
                f"*Unknown: it may have run.* {broke if operation.code else detail}",
                _tries(operation),
                f"Next: {_check(operation, action)} before you repeat it.",
                _said(operation),
                request_id,
            ]
        case _:
            so_far = f"*{STATES[operation.state]}.* {_so_far(operation, action)}"
            return [so_far, _afterwards(operation, action) if operation.state in _DONE_IN else ""]


def _is_ours(action: Action | None) -> bool:
    return action is not None and action.product.local


_DONE_IN = (State.ACCEPTED, State.ALREADY)
_DONE = {
    "Hold": "Nobody may start it through this bot until it is released.",
    "Release": "It may be started again, by whomever the policy lets.",
}


def _ends(operation: Operation, action: Action | None) -> str:
    """Say until when it holds, where nobody said so."""
    left_out = action is not None and action.expiry and action.expiry[0] not in operation.params
    ends = expires_at(operation, action) if action and left_out else None
    return f"It ends by itself {moment(ends)}." if ends is not None else ""


def _tries(operation: Operation) -> str:
    return f"It was sent {operation.attempts} times." if operation.attempts > 1 else ""


def _taken(operation: Operation, action: Action | None) -> str:
    read = action is not None and action.effect is Effect.READ
    took = f" in {operation.duration:.1f} s" if operation.duration is not None else ""
    return f"Tencent Cloud {'answered' if read else 'took it'}{took}."


def _given(operation: Operation, action: Action | None) -> str:
    """Say what came back: of a read its answer first."""
    taken, result = _taken(operation, action), _result(operation, action)
    read = action is not None and action.effect is Effect.READ
    return " ".join(filter(None, (result, taken) if read else (taken, result)))


def _said(operation: Operation) -> str:
    return (
        f"Tencent Cloud said: {code(operation.error_message, 800)}"
        if operation.error_message
        else ""
    )


def _result(operation: Operation, action: Action | None) -> str:
    """Say what the answer held; nothing of an action that the catalog has no more."""
    if action is None:
        return ""
    return " ".join(map(beside.sight, sights.answered(action, operation.params, operation.result)))


def _check(operation: Operation, action: Action | None) -> str:
    look = by_api(action.status_read) if action and action.status_read else None
    if look is None:
        return "look in the console of Tencent Cloud"
    said = typed(look, operation.params, operation.region, operation.account)
    return f"look with {code(said, 300)}"


# A command in `Action.afterwards`, up to the last place for a value.
_COMMAND = re.compile(r"/(start|stop)stream((?: [a-z-]+)+)((?: \{[a-z]+\})+)")
_PLACE = re.compile(r"\{([a-z]+)\}")


def _afterwards(operation: Operation, action: Action | None) -> str:
    """Say what the asker must know, its commands complete enough to be pasted."""
    if action is None:
        return ""

    def command(found: re.Match[str]) -> str:
        other = _spoken(found[1], found[2].split())
        if other is None:
            return found[0]
        said = typed(other, operation.params, operation.region, operation.account)
        return code(said, 300)

    def place(found: re.Match[str]) -> str:
        param = action.param(found[1])
        given = operation.params.get(param.api) if param else None
        return value(param, given) if given is not None else found[1].upper()

    text = f"{action.afterwards} {action.deprecated}".strip()
    return _PLACE.sub(place, _COMMAND.sub(command, text))


def _spoken(verb: str, words: list[str]) -> Action | None:
    """Find the action that a command's words name."""
    effect = Effect.START if verb == "start" else Effect.STOP
    if words[0] == Effect.READ.value and len(words) > 1:
        effect, words = Effect.READ, words[1:]
    found = (a for a in ACTIONS if a.words == words[0] and a.effect is effect)
    return next(found, None)
