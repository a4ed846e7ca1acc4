"""What may follow an ending: taken back, kept off, asked again, looked at; pure."""

from enum import StrEnum

from bot.catalog import by_api
from bot.catalog.codes import Repeat, explain
from bot.model import Action, Command, Effect, Operation, State


class Follow(StrEnum):
    """What somebody may choose under an ending; each is asked anew, under its own rules."""

    UNDO = "undo"
    KEEP_OFF = "keep-off"
    RETRY = "retry"
    CHECK = "check"


_RAN = (State.ACCEPTED, State.ALREADY)
_SENT = (*_RAN, State.FAILED, State.UNKNOWN)


def follows(operation: Operation) -> tuple[Follow, ...]:
    """Give what helps after an operation's ending, the most likely first."""
    return tuple(one for one in Follow if command(operation, one) is not None)


def command(operation: Operation, follow: Follow) -> Command | None:
    """Give what a choice asks for; None where it is no choice."""
    try:
        action = by_api(operation.api)
    except KeyError:
        return None
    state = operation.state
    match follow:
        case Follow.UNDO if state is State.ACCEPTED:
            return _of(operation, action.undo)
        case Follow.KEEP_OFF if state in _RAN:
            return _of(operation, action.lasting)
        case Follow.RETRY if _may_be_retried(operation, action):
            return _of(operation, action.api)
        case Follow.CHECK if state in _SENT and action.effect is not Effect.READ:
            return _of(operation, action.look)
        case _:
            return None


def _of(operation: Operation, api: str | None) -> Command | None:
    """Give another action on the same thing; what a start has made is named by its answer."""
    if api is None:
        return None
    action = by_api(api)
    known = {**operation.result, **operation.params}
    params = {
        p.api: known[name] for p in action.params for name in reversed(p.names) if name in known
    }
    if not {p.api for p in action.params if p.required and p.default is None} <= params.keys():
        return None
    defaults = {p.api: p.default for p in action.params if p.default is not None}
    region = operation.region if action.regions is not None else ""
    return Command(action, defaults | params, region, operation.account, operation.case)


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
