"""The commands that may follow an ending: undo, keep off, retry, check; pure."""

from dataclasses import replace
from enum import StrEnum

from bot.catalog import effects as offair
from bot.catalog.error_codes import Repeat, explain
from bot.catalog.registry import OPERATOR, action_of, by_api
from bot.model.actions import Action, Effect, Params
from bot.model.commands import Command
from bot.model.operations import Operation, State
from bot.policy.domains import domain_param
from bot.policy.reasons import PLACE
from bot.times import format_utc


class FollowUp(StrEnum):
    """What somebody may choose after an ending; each is an operation of its own."""

    UNDO = "undo"
    KEEP_OFF = "keep-off"
    RETRY = "retry"
    CHECK = "check"
    EXTEND = "extend"
    LIFT = "lift"
    STOP = "stop"
    STOP_LIVE = "stop-live"
    OTHER_DOMAIN = "other-domain"
    GIVE_REASON = "give-reason"


_FOR_THE_SAME_REASON = (
    FollowUp.KEEP_OFF,
    FollowUp.RETRY,
    FollowUp.EXTEND,
    FollowUp.STOP_LIVE,
    FollowUp.OTHER_DOMAIN,
)
"""Those that go on with what was asked; what takes it back needs a reason of its own."""

KEEP_OFF_FOR = (1800.0, 7200.0, 604_800.0)
"""The seconds for which something that was stopped can be kept off."""

UNDOING = (FollowUp.UNDO, FollowUp.LIFT, FollowUp.EXTEND)
"""Those that refer to exactly what an operation did, so not after a later one."""


_RAN = (State.ACCEPTED, State.ALREADY)
_SENT = (*_RAN, State.FAILED, State.UNKNOWN)


def follow_ups(operation: Operation) -> tuple[FollowUp, ...]:
    """Return the follow-ups of an operation's ending, the most likely first."""
    return tuple(one for one in FollowUp if follow_up_command(operation, one) is not None)


def follow_up_command(
    operation: Operation, follow: FollowUp, now: float = 0.0, index: int = 0
) -> Command | None:
    """Return the command of a follow-up; None where it is not possible.

    Args:
        now: Epoch seconds, from which an extension counts.
        index: Which of the names that were live, for `stop-live`, of the domains that were
            offered, for `other-domain`, or of KEEP_OFF_FOR, from 1 on, for `keep-off`.
    """
    action = action_of(operation)
    wanted = _wanted(operation, action, follow, now, index) if action else None
    if wanted is None or follow not in _FOR_THE_SAME_REASON:
        return wanted
    return replace(wanted, reason=operation.origin.reason_code)


def _wanted(
    operation: Operation, action: Action, follow: FollowUp, now: float, index: int
) -> Command | None:
    """Return the command of a follow-up without a reason; None where it is not possible."""
    state = operation.state
    wanted: Command | None = None
    match follow:
        case FollowUp.UNDO | FollowUp.LIFT if state is State.ACCEPTED and action.toggle_param:
            wanted = _turned_back(operation, action)
        case FollowUp.UNDO if state is State.ACCEPTED:
            wanted = _of(operation, action.undo)
        case FollowUp.LIFT if state in _RAN and action.expiry:
            wanted = _of(operation, action.undo)
        case FollowUp.EXTEND if state in _RAN and action.expiry:
            wanted = _extended(operation, action, now)
        case FollowUp.STOP | FollowUp.KEEP_OFF if state in _RAN:
            wanted = _stopped(operation, action, now, index, keep=follow is FollowUp.KEEP_OFF)
        case FollowUp.CHECK if state in _SENT and action.effect is not Effect.READ:
            wanted = _of(operation, action.status_read)
        case FollowUp.STOP_LIVE | FollowUp.OTHER_DOMAIN:
            wanted = _on_other(operation, action, follow, index)
        case FollowUp.RETRY | FollowUp.GIVE_REASON if _may_be_asked_again(
            operation, action, follow
        ):
            wanted = _of(operation, action.api)
        case _:
            pass
    return wanted


def _stopped(
    operation: Operation, action: Action, now: float, index: int, *, keep: bool
) -> Command | None:
    """Return what stops it, or keeps it off for the span that was chosen, or for its default."""
    if not keep:
        return _of(operation, action.stop)
    stop = by_api(action.stop) if action.stop else action
    wanted = _of(operation, stop.longer_variant)
    if wanted is None or not 0 < index <= len(KEEP_OFF_FOR) or wanted.action.expiry is None:
        return wanted
    name, seconds = wanted.action.expiry[0], KEEP_OFF_FOR[index - 1]
    params = {**wanted.params, name: format_utc(now + seconds)}
    return replace(wanted, params=params, spans={name: seconds})


def _of(operation: Operation, api: str | None) -> Command | None:
    """Return another action on the same resource; its answer names what a start has created."""
    if api is None:
        return None
    action = by_api(api)
    known = {**operation.result, **operation.params}
    params = {
        p.api: known[name]
        for p in action.params
        for name in reversed(p.names)
        # Who did the one before is not who asks now.
        if name in known and (p.required or p.api != OPERATOR)
    }
    if not {p.api for p in action.params if p.required and p.default is None} <= params.keys():
        return None
    defaults = {p.api: p.default for p in action.params if p.default is not None}
    region = operation.region if action.regions is not None else ""
    # A retry lasts as long as the first try would have.
    spans = operation.origin.spans if api == operation.api else {}
    return Command(action, defaults | params, region, operation.account, operation.case, spans)


def _on_other(operation: Operation, action: Action, follow: FollowUp, index: int) -> Command | None:
    """Return the same command on something else that was offered; None if it was not."""
    offered: tuple[Params, ...] = operation.live_instead
    if follow is FollowUp.OTHER_DOMAIN:
        param, denied = domain_param(action), operation.state is State.DENIED
        domains = operation.preview.domains if denied else ()
        offered = tuple({param.api: domain} for domain in domains) if param else ()
    if not 0 <= index < len(offered):
        return None
    return _of(replace(operation, params={**operation.params, **offered[index]}), action.api)


def _turned_back(operation: Operation, action: Action) -> Command | None:
    """Return the same action with the toggle reversed, on the same resource, if it is named."""
    if not set(action.effect_spec.key) <= operation.params.keys():
        return None
    off = operation.params.get(action.toggle_param) is not False
    params = {name: operation.params[name] for name in action.effect_spec.key}
    params[action.toggle_param] = not off
    return Command(action, params, operation.region, operation.account, operation.case)


def _extended(operation: Operation, action: Action, now: float) -> Command | None:
    """Return the same action for as long again, from its end on."""
    name, _ = action.expiry or ("", 0.0)
    ends, kind = offair.expires_at(operation, action), action.param(name)
    if ends is None or kind is None:
        return None
    most = now + (kind.type.max_days_ahead or 1) * 86_400
    later = min(max(ends, now) + added(operation, ends), most - 1)
    params = {**operation.params, name: format_utc(later)}
    return Command(action, params, operation.region, operation.account, operation.case)


def asked_span(operation: Operation) -> float:
    """Return how long something was asked for, in seconds; 0 if that was not given."""
    return operation.origin.extension or max(operation.origin.spans.values(), default=0.0)


def added(operation: Operation, ends: float) -> float:
    """Return the seconds by which an extension is longer, if the API's limit allows it."""
    lasts = ends - (operation.ended_at or operation.asked_at)
    return max(asked_span(operation) or lasts, _LEAST)


_LEAST = 60.0
"""Seconds by which something is extended, at least."""


def _may_be_asked_again(operation: Operation, action: Action, follow: FollowUp) -> bool:
    if follow is FollowUp.GIVE_REASON:
        return operation.state is State.DENIED and operation.rule == PLACE
    return _may_be_retried(operation, action)


def _may_be_retried(operation: Operation, action: Action) -> bool:
    match operation.state:
        case State.EXPIRED:
            return True
        case State.FAILED if not operation.code:
            return True
        case State.FAILED:
            return explain(operation.code, action).repeat is not Repeat.NEVER
        case State.UNKNOWN:
            # It may have run: twice must leave the same as once.
            return action.repeatable
        case _:
            return False
