"""What is said of an operation, as words and blocks: card, ending, private and audit line; pure.

The top-level text says it all: phones and screen readers have nothing else.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from bot.catalog import ACTIONS, by_api
from bot.catalog.codes import explain
from bot.model import Action, Effect, Json, Operation, Param, State
from handlers.words import (
    channel,
    code,
    escape,
    fit,
    link,
    moment,
    typed,
    user,
    value,
    with_channels,
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
    word, what = STATES[operation.state], wanted(operation, action)
    now = _so_far(operation, action)
    frame = [f"Asked by {user(operation.actor.user)} {moment(operation.asked_at)}"]
    if operation.rule:
        how = "forbidden" if operation.state is State.DENIED else "allowed"
        frame.append(f"{how} by {code(operation.rule)}")
    if operation.region:
        frame.append(f"region {code(operation.region)}")
    if operation.account != "default":
        frame.append(f"account {code(operation.account)}")
    around = " · ".join(frame)
    return Message(
        fit(f"{word}: {what}. {around}. {now}", TEXT_MOST),
        (section(f"*{word}:* {what}\n{now}"), context(around)),
    )


def ending(operation: Operation, action: Action | None) -> Message:
    """Say in the thread how it ended, and what to do next."""
    told = _told(operation, action)
    return Message(fit(f"{wanted(operation, action)}. {told}", TEXT_MOST), (section(told),))


def private(operation: Operation, action: Action | None) -> Message:
    """Tell the asker alone: why not, what was wrong, or an ending whose card has no place."""
    match operation.state:
        case State.DENIED:
            text = f"Denied: {wanted(operation, action)}. {_reason(operation)} Nothing was sent."
        case State.INVALID:
            text = f"Not understood: {escape(operation.detail, 600)} Nothing was done."
        case _:
            where = channel(operation.place.channel)
            text = (
                f"{_told(operation, action)}\n"
                f"This is {wanted(operation, action)}, asked {moment(operation.asked_at)}. "
                f"I could not post its card in {where}, so only you see this."
            )
    text = fit(text, SECTION_MOST)
    return Message(text, (section(text),))


def audit_line(operation: Operation, action: Action | None, permalink: str = "") -> Message:
    """Write the one line for the audit channel."""
    parts = [
        f"{STATES[operation.state]}: {wanted(operation, action)}",
        f"{user(operation.actor.user)} in {_where(operation)}",
    ]
    if operation.region:
        parts.append(f"region {code(operation.region)}")
    if operation.rule:
        parts.append(f"rule {code(operation.rule)}")
    if operation.code:
        parts.append(f"code {code(operation.code)}")
    if operation.request_id:
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


def action_of(operation: Operation) -> Action | None:
    """Find the action, which an older catalog may have had and this one not."""
    try:
        return by_api(operation.api)
    except KeyError:
        return None


# --- the parts -----------------------------------------------------------------------


def wanted(operation: Operation, action: Action | None) -> str:
    """Say what was asked: the API and its parameters, secrets hidden."""
    if not operation.api:
        return code(operation.text, 300)
    shown = [
        f"{escape(param.word if param else name, 40)} {value(param, given)}"
        for name, param, given in _params(operation, action)
    ]
    return f"{escape(operation.api, 80)} {', '.join(shown[:12])}".strip()


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
    return with_channels(escape(operation.detail, 900))


def _so_far(operation: Operation, action: Action | None) -> str:
    """Say in a sentence or two what is known now."""
    detail = escape(operation.detail, 600)
    if operation.state in _ENDED:
        return _ended_so_far(operation, action) or detail or "Nothing was sent."
    tried = operation.attempts
    match operation.state:
        case State.DUE if tried:
            return f"It did not run and is tried again (try {tried + 1}). {detail}"
        case State.RUNNING if tried > 1:
            return f"It is sent again (try {tried}). {detail}"
        case _:
            return _UNDER_WAY[operation.state]


_UNDER_WAY: Mapping[State, str] = {
    State.ASKED: "Nothing is sent yet.",
    State.WAITING: "Nothing is sent before it is approved.",
    State.DUE: "It waits for its turn under the limit of the API. Nothing is sent yet.",
    State.RUNNING: "The request is on its way to Tencent Cloud.",
}
_ENDED = frozenset(State) - frozenset(_UNDER_WAY)


def _ended_so_far(operation: Operation, action: Action | None) -> str:
    explained = explain(operation.code, action)
    match operation.state:
        case State.ACCEPTED:
            result = _result(operation, action)
            return f"{_taken(operation, action)}{result} The RequestId is in the thread."
        case State.ALREADY:
            return explained.means
        case State.FAILED:
            refused = f"Tencent Cloud refused it: {explained.means} What to do is in the thread."
            return refused if operation.code else f"It did not run: {_reason(operation)}"
        case State.UNKNOWN:
            return "No clear answer came. How to check is in the thread."
        case State.DENIED:
            return f"{_reason(operation)} Nothing was sent."
        case _:
            return ""


def _told(operation: Operation, action: Action | None) -> str:
    return "\n".join(line for line in _ending_lines(operation, action) if line)


def _ending_lines(operation: Operation, action: Action | None) -> list[str]:
    explained = explain(operation.code, action)
    detail = escape(operation.detail, 600)
    request_id = f"RequestId {code(operation.request_id)}" if operation.request_id else ""
    match operation.state:
        case State.ACCEPTED:
            return [
                f"*Accepted.* {_taken(operation, action)}{_result(operation, action)} {request_id}",
                f"It was sent {operation.attempts} times." if operation.attempts > 1 else "",
                _afterwards(operation, action),
            ]
        case State.ALREADY:
            return [
                f"*Already so.* {explained.means} It needs no repeat.",
                f"Code {code(operation.code)}",
                request_id,
            ]
        case State.FAILED if operation.code:
            return [
                f"*Failed* with {code(operation.code)}: {explained.means}",
                detail if operation.detail not in ("", operation.said) else "",
                f"Next: {explained.next_step}",
                _said(operation),
                request_id,
            ]
        case State.FAILED:
            return [
                f"*Failed*, it did not run: {detail}",
                "Next: ask again; if it stays so, tell whoever runs this bot.",
            ]
        case State.UNKNOWN:
            broke = f"Tencent Cloud answered {code(operation.code)}: {explained.means}"
            return [
                f"*Unknown: it may have run.* {broke if operation.code else detail}",
                f"Next: {_check(operation, action)} before you repeat it.",
                _said(operation),
                request_id,
            ]
        case _:
            return [f"*{STATES[operation.state]}.* {_so_far(operation, action)}"]


def _taken(operation: Operation, action: Action | None) -> str:
    read = action is not None and action.effect is Effect.READ
    took = f" in {operation.took:.1f} s" if operation.took is not None else ""
    return f"Tencent Cloud {'answered' if read else 'took it'}{took}."


def _said(operation: Operation) -> str:
    return f"Tencent Cloud said: {code(operation.said, 800)}" if operation.said else ""


def _result(operation: Operation, action: Action | None) -> str:
    """Say what a read gave: the field that carries the state first."""
    if not operation.result:
        return ""
    shows = action.touch.shows if action else None
    names = sorted(operation.result, key=lambda name: (not shows or name != shows[0], name))
    told = [f"{escape(name, 60)} is {_shown(operation.result[name])}" for name in names[:10]]
    rest = " (more is left out)" if len(names) > len(told) else ""
    return f" {', '.join(told)}{rest}."


def _shown(given: Json) -> str:
    if isinstance(given, str):
        return code(given)
    return code(json.dumps(given, ensure_ascii=False), 200)


def _check(operation: Operation, action: Action | None) -> str:
    look = by_api(action.look) if action and action.look else None
    if look is None:
        return "look in the console of Tencent Cloud"
    return f"look with {code(typed(look, operation.params, operation.region), 300)}"


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
        return code(typed(other, operation.params, operation.region), 300)

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
