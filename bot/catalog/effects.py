"""Effects of actions: what goes off air or returns, until when, and what a hold covers; pure."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from bot.catalog.stream_urls import StreamUrl, parse_url
from bot.model.actions import Action, Effect, Params, Toggle
from bot.model.off_air import OffAirChange
from bot.model.operations import LiveBefore, Operation, State
from bot.times import parse_instant

SOON = 600.0
"""Seconds before an expiry at which it is announced, at most."""

_SHARE = 3
"""An expiry is announced no earlier than in the last third of its time."""

LISTED_FOR = 86_400.0
"""Seconds for which a resource is listed that no action brings back."""

_VERIFY_DELAY = 30.0

MAYBE, SURE, UNDOABLE = range(3)
"""Weights of an entry: maybe off; off; off, and an action brings it back."""


def toggle_of(action: Action, params: Params) -> Toggle:
    """Return whether an action with these parameters takes a resource off air or back on."""
    if not action.toggle_param:
        return action.toggles
    return "on" if params.get(action.toggle_param) is False else "off"


def can_be_undone(action: Action) -> bool:
    """Return whether another action undoes this one."""
    return action.undo is not None or bool(action.toggle_param)


def takes_off_air(action: Action) -> bool:
    """Return whether an action stops what is in another state before than afterwards."""
    spec = action.effect_spec
    unchanged = (None, spec.resource_type.states[0])
    return action.effect is Effect.STOP and spec.new_state not in unchanged


def keeps_off(action: Action) -> bool:
    """Return whether what an action stops stays off until another action lifts that."""
    return takes_off_air(action) and action.undo is not None


def live_before(action: Action, state: str | None) -> LiveBefore:
    """Return whether a state is one that a stop ends; None is one that could not be read."""
    spec, resource = action.effect_spec, action.effect_spec.resource_type
    if not state:
        return LiveBefore.UNREADABLE
    if resource.on and resource.on != spec.new_state:
        return LiveBefore.LIVE if state == resource.on else LiveBefore.NOT_LIVE
    if state == spec.new_state or state in resource.gone:
        return LiveBefore.NOT_LIVE
    return LiveBefore.LIVE if state == resource.states[0] else LiveBefore.UNREADABLE


def off_air_change(
    operation: Operation, action: Action, body: Params, now: float
) -> OffAirChange | None:
    """Return the change that a finished operation makes; None if it makes none.

    Args:
        operation: In its final state.
        body: Fields of the response.
        now: Epoch seconds.
    """
    known = {**body, **operation.params}
    key = resource_key(action, known)
    if key is None:
        return None
    to = (
        _toggle_read(action, body)
        if action.effect is Effect.READ
        else toggle_of(action, operation.params)
    )
    # A resource that no longer exists cannot be brought back.
    absent = operation.state is State.FAILED and operation.code == action.effect_spec.absent
    ran = operation.state in (State.ACCEPTED, State.ALREADY) or (absent and to == "on")
    if not to or not (ran or (operation.state is State.UNKNOWN and to == "off")):
        return None
    if to == "off" and operation.live_before is LiveBefore.NOT_LIVE and not can_be_undone(action):
        # Nothing was stopped; a ban, which is in force, stays listed.
        return None
    weight = MAYBE if not ran else UNDOABLE if can_be_undone(action) else SURE
    # A stop is verified once, whatever another operation has read meanwhile.
    older = _VERIFY_DELAY if action.effect is Effect.READ else 0.0
    ends = expires_at(replace(operation, ended_at=now), action) if to == "off" else None
    said = action.expiry is not None and action.expiry[0] in operation.params
    announced = ends is not None and said
    thing = action.effect_spec.resource_type.name
    final = action.effect_spec.new_state in action.effect_spec.resource_type.gone
    off = to == "off"
    return OffAirChange(operation.account, thing, key, off, weight, ends, announced, older, final)


def expires_at(operation: Operation, action: Action) -> float | None:
    """Return when an operation's effect expires, epoch seconds; None if it does not."""
    if action.expiry is None:
        return None
    name, left_out = action.expiry
    if name in operation.params:
        return parse_instant(operation.params[name])
    return None if operation.ended_at is None else operation.ended_at + left_out


def announce_at(now: float, ends: float) -> float:
    """Return when to announce an expiry."""
    return ends - min(SOON, (ends - now) / _SHARE)


def is_on(action: Action, undo: Action | None, seen: str) -> bool:
    """Return whether a state shows that an action's effect is undone.

    Args:
        undo: The action that undoes it.
    """
    back = {action.effect_spec.resource_type.on, undo.effect_spec.new_state if undo else None}
    return seen in back - {"", None, action.effect_spec.new_state}


def hold_target(action: Action, params: Params) -> str:
    """Return the hold target of an action's resource; empty if it has none."""
    thing = action.effect_spec.resource_type
    names = _hold_params(action)
    values = [params.get(name) for name in names]
    if not names or None in values:
        return ""
    return " ".join([thing.of or thing.name, *map(str, values)])


def comes_back(action: Action, actions: Iterable[Action]) -> bool:
    """Return whether some action starts the resource of this one and names it fully."""
    sort = action.effect_spec.resource_type.of or action.effect_spec.resource_type.name
    return any(
        sort in (one.effect_spec.resource_type.of, one.effect_spec.resource_type.name)
        and all(one.param(name) for name in _hold_params(one))
        for one in actions
        if one.toggles == "on" or one.toggle_param
    )


def start_targets(action: Action, params: Params) -> tuple[str, ...]:
    """Return the hold targets that an action would start, its push destination included."""
    if toggle_of(action, params) != "on":
        return ()
    pushed = [
        f"stream {url.stream}"
        for param in action.params
        if param.secret and (url := _stream_url(params.get(param.api))) and url.side == "push"
    ]
    return tuple(filter(None, [hold_target(action, params), *pushed]))


def _stream_url(value: object) -> StreamUrl | None:
    try:
        return parse_url(str(value)) if value else None
    except ValueError:
        return None


def parse_hold_target(words: Sequence[str], actions: Iterable[Action], now: float) -> str:
    """Return the hold target that some words name; empty if they name none.

    Args:
        words: What it is, and a word for each value that names it, which may hold spaces.
        now: Epoch seconds.
    """
    name, *values_typed = words or ("",)
    for action in actions:
        thing, names = action.effect_spec.resource_type, _hold_params(action)
        if name != thing.name or thing.of or not names or len(values_typed) != len(names):
            continue
        params = [action.param(api) for api in names]
        try:
            values = {
                param.api: param.type.read(word, now)
                for param, word in zip(params, values_typed, strict=True)
                if param is not None
            }
        except ValueError:
            return ""
        return hold_target(action, values)
    return ""


def _hold_params(action: Action) -> tuple[str, ...]:
    """Return the parameters that a hold on an action's resource depends on."""
    if not toggle_of(action, {}) or not action.effect_spec.key:
        return ()
    return action.effect_spec.resource_type.by or action.effect_spec.key


def resource_key(action: Action, known: Params) -> str | None:
    """Return what identifies an action's resource, as text; None where that is not known."""
    names = action.effect_spec.key
    if not names or any(known.get(name) is None for name in names):
        return None
    return json.dumps([str(known[name]) for name in names])


def _toggle_read(action: Action, body: Params) -> Toggle:
    thing = action.effect_spec.resource_type
    return "on" if thing.on and action.effect_spec.read_state(body) == thing.on else ""
