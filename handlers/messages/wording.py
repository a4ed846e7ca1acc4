"""What an operation does, in plain words: its deed, its place and its time; pure."""

import re

from bot.catalog.effects import expires_at
from bot.catalog.registry import action_of
from bot.commands.vocabulary import REASON
from bot.model.actions import DEFAULT, Action, Effect
from bot.model.commands import Command
from bot.model.operations import UNREADABLE, Operation, State
from bot.redact import redact
from handlers.messages.mrkdwn import code, escape, format_slack_time, param_value

_UNSENT = (State.ASKED, State.WAITING, State.DUE, State.DENIED, State.EXPIRED, State.CANCELLED)
_BLANK = re.compile(r"\{[^{}]*\}")
_ONE_VERB = re.compile(r"(\w+) \{[^{}]*\}")
_DOMAINS, _APP = ("DomainName", "PushDomainName"), "AppName"

_STATES = {
    "stream": {"active": "live", "inactive": "not live", "forbid": "banned"},
    "pad": {"on": "hidden by the pad", "off": "not hidden by the pad"},
    "domain": {"enabled": "switched on", "disabled": "switched off"},
}
_NOT = {
    "Stop": "stopped",
    "Ban": "banned",
    "Unban": "unbanned",
    "Check": "checked",
    "Watch": "watching",
}
_UNITS = (("day", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def deed(operation: Operation, action: Action | None, *, duration: bool = True) -> str:
    """Describe what was asked, e.g. ``Ban `stream1` for 30 min``; without a capital inside."""
    if action is None or not operation.api:
        return f"{escape(operation.api, 80)} {subject(operation, action)}".strip()
    title = _title(operation, action)
    named = _BLANK.sub(lambda _found: subject(operation, action), title)
    where = _where(operation, action)
    how_long = duration_text(operation, action) if duration else ""
    return " ".join(filter(None, (named, where, how_long)))


def title_on(command: Command) -> str:
    """Describe a command that nobody has asked for yet, e.g. ``Ban `stream1` ``."""
    if not command.target:
        return escape(command.action.plain_name)
    return _BLANK.sub(lambda _found: code(redact(command.target), 80), command.action.title)


def lower_deed(operation: Operation, action: Action | None, *, duration: bool = True) -> str:
    """Describe the same within a sentence."""
    text = deed(operation, action, duration=duration)
    known = action is not None and bool(operation.api)
    return f"{text[:1].lower()}{text[1:]}" if known else text


def sent_text(operation: Operation, action: Action | None) -> str:
    """Describe what was sent, e.g. ``Stop sent: `stream1` ``."""
    verb = verb_of(operation, action)
    if action is None or not verb:
        return f"Sent: {lower_deed(operation, action)}"
    return f"{verb} sent: {thing(operation, action)}"


def not_done_text(operation: Operation, action: Action | None) -> str:
    """Describe what was not done, e.g. ``Not stopped: `stream1` ``."""
    done = _NOT.get(verb_of(operation, action))
    if done is None:
        return f"Failed: {lower_deed(operation, action)}"
    return f"Not {done}: {thing(operation, action, duration=False)}"


def thing(operation: Operation, action: Action | None, *, duration: bool = True) -> str:
    """Name what it is about, where that is unusual, and for how long."""
    where = _where(operation, action)
    how_long = duration_text(operation, action) if duration else ""
    return " ".join(filter(None, (subject(operation, action), where, how_long)))


def subject(operation: Operation, action: Action | None) -> str:
    """Name what it is about."""
    if operation.target:
        return code(redact(operation.target), 80)
    names = action.effect_spec.key if action is not None else ()
    found = (operation.params[name] for name in names if name in operation.params)
    return code(redact(str(next(found, operation.text))), 300)


def verb_of(operation: Operation, action: Action | None) -> str:
    """Return the verb that is all there is besides the name; or empty."""
    found = _ONE_VERB.fullmatch(_title(operation, action)) if action is not None else None
    return found[1] if found else ""


def _title(operation: Operation, action: Action) -> str:
    back = action.toggle_param and operation.params.get(action.toggle_param) is False
    return action.title.replace("Pause", "Resume") if back else action.title


def _where(operation: Operation, action: Action | None) -> str:
    """Name domain and app where they are not the defaults, and the account."""
    parts = []
    for name in (*_DOMAINS, _APP):
        given = operation.params.get(name)
        if given in (None, "", operation.target) or name in operation.origin.usual:
            continue
        param = action.param(name) if action else None
        shown = param_value(param, given)
        parts.append(f"app {shown}" if name == _APP else shown)
    text = f"on {', '.join(parts)}" if parts else ""
    account = f"account {code(operation.account)}" if operation.account != DEFAULT else ""
    return ", ".join(filter(None, (text, account)))


def duration_text(operation: Operation, action: Action | None) -> str:
    """Describe how long it lasts: a span until it is sent, then its end; or empty."""
    span = max(operation.origin.spans.values(), default=0.0)
    if span and operation.state in _UNSENT:
        return f"for {span_text(span)}"
    ends = expires_at(operation, action) if action is not None else None
    if ends is not None:
        return f"until {format_slack_time(ends)}"
    if action is not None and action.expiry and action.expiry[0] not in operation.params:
        return f"for {span_text(action.expiry[1])}"
    return ""


def span_text(seconds: float) -> str:
    """Render a duration as people say it, e.g. `1 h 30 min`; never as none at all."""
    left, words = max(round(seconds), 0), []
    for unit, length in _UNITS:
        count, left = divmod(left, length)
        plural = "s" if unit == "day" and count > 1 else ""
        words += [f"{count} {unit}{plural}"] if count else []
    return " ".join(words[:2]) or "less than 1 s"


def took_text(seconds: float | None) -> str:
    """Render how long an answer took, e.g. `in 45 ms`; empty where it is unknown."""
    if seconds is None:
        return ""
    return f"in {max(round(seconds * 1000), 1)} ms" if seconds < 1 else f"in {seconds:.1f} s"


def state_text(action: Action | None, state: str) -> str:
    """Render a state in words; one that is not known as it is."""
    resource = action.effect_spec.resource_type.name if action is not None else ""
    if state == UNREADABLE:
        return "unknown"
    return _STATES.get(resource, {}).get(state) or code(redact(state), 80)


def details(operation: Operation, action: Action | None) -> list[str]:
    """Name the parameters that the deed does not show, without secrets."""
    declared = {param.api: param for param in action.params} if action else {}
    shown = {*_DOMAINS, _APP, *operation.origin.usual, *operation.origin.spans}
    if action is not None and action.expiry:
        shown.add(action.expiry[0])
    if operation.origin.reason_code:
        # It is said once, with its code.
        shown.add(REASON)
    named, found = subject(operation, action), list[str]()
    for name in [*(n for n in declared if n in operation.params), *operation.params]:
        param, given = declared.get(name), operation.params[name]
        if name in shown or code(redact(str(given)), 80) == named:
            continue
        shown.add(name)
        label = escape(param.word if param else name, 40)
        found.append(f"{label} {param_value(param, given)}")
    region = [f"region {code(operation.region)}"] if operation.region else []
    return [*found[:12], *region]


def is_stop(action: Action | None) -> bool:
    """Return whether an action takes something off."""
    return action is not None and action.effect is Effect.STOP


def deed_of(operation: Operation) -> str:
    """Describe what was asked, by the catalog."""
    return deed(operation, action_of(operation))
