"""What an action takes off the air or brings back, until when, and what a hold is about; pure."""

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import replace

from bot.catalog import stream_urls as links
from bot.model.actions import Action, Effect, Params, Toggle
from bot.model.off_air import OffAirChange
from bot.model.operations import Operation, State
from bot.times import parse_instant

SOON = 600.0
"""Seconds before something ends by itself at which people are told, at most."""

_SHARE = 3
"""They are told no earlier than in the last part of so many."""

LISTED_FOR = 86_400.0
"""Seconds for which something is listed that nothing brings back."""

_LOOKED_AFTER = 30.0

MAYBE, SURE, UNDOABLE = range(3)
"""What an entry weighs: it may be off; it is; it is, and something brings it back."""


def toggle_of(action: Action, params: Params) -> Toggle:
    """Say whether an action with these parameters turns something off or on."""
    if not action.toggle_param:
        return action.toggles
    return "on" if params.get(action.toggle_param) is False else "off"


def can_be_undone(action: Action) -> bool:
    """Say whether something brings back what the action took away."""
    return action.undo is not None or bool(action.toggle_param)


def off_air_change(
    operation: Operation, action: Action, body: Params, now: float
) -> OffAirChange | None:
    """Say what an ending changes; None for nothing.

    Args:
        operation: As it is after its ending.
        body: Fields of the answer.
        now: Epoch seconds.
    """
    known = {**body, **operation.params}
    key = _key(action, known)
    if key is None:
        return None
    to = (
        _read(action, body) if action.effect is Effect.READ else toggle_of(action, operation.params)
    )
    # What is no more cannot be brought back.
    absent = operation.state is State.FAILED and operation.code == action.effect_spec.absent
    ran = operation.state in (State.ACCEPTED, State.ALREADY) or (absent and to == "on")
    if not to or not (ran or (operation.state is State.UNKNOWN and to == "off")):
        return None
    weight = MAYBE if not ran else UNDOABLE if can_be_undone(action) else SURE
    # A stop is looked after once, whatever somebody else has read meanwhile.
    older = _LOOKED_AFTER if action.effect is Effect.READ else 0.0
    ends = expires_at(replace(operation, ended_at=now), action) if to == "off" else None
    said = action.expiry is not None and action.expiry[0] in operation.params
    announced = ends is not None and said
    thing = action.effect_spec.resource_type.name
    final = action.effect_spec.new_state in action.effect_spec.resource_type.gone
    off = to == "off"
    return OffAirChange(operation.account, thing, key, off, weight, ends, announced, older, final)


def expires_at(operation: Operation, action: Action) -> float | None:
    """Say when what an operation did ends by itself, epoch seconds; None: it does not."""
    if action.expiry is None:
        return None
    name, left_out = action.expiry
    if name in operation.params:
        return parse_instant(operation.params[name])
    return None if operation.ended_at is None else operation.ended_at + left_out


def announce_at(now: float, ends: float) -> float:
    """Say when to tell that something is about to end."""
    return ends - min(SOON, (ends - now) / _SHARE)


def is_on(action: Action, undo: Action | None, seen: str) -> bool:
    """Say whether what an action took away is there again, by its state.

    Args:
        undo: What brings it back.
    """
    back = {action.effect_spec.resource_type.on, undo.effect_spec.new_state if undo else None}
    return seen in back - {"", None, action.effect_spec.new_state}


def near_names(name: str, others: Iterable[str]) -> tuple[str, ...]:
    """Give the names that somebody may have meant who wrote this one, the likeliest first.

    Those of a row, like cam-1 and cam-2, or cam and cam-hd, are not mistaken for each other.
    """
    found = sorted({other for other in others if _mistyped(name, other)})
    return tuple(difflib.get_close_matches(name, found, _ALIKE, _NEAR))


def _mistyped(name: str, other: str) -> bool:
    """Say whether names have as many words, and each is nearly the other's."""
    words, others = _WORDS.findall(name.casefold()), _WORDS.findall(other.casefold())
    pairs = list(zip(words, others, strict=False))
    near = all(difflib.SequenceMatcher(None, *pair).ratio() >= _NEAR for pair in pairs)
    return len(words) == len(others) and words != others and near


_WORDS = re.compile(r"[^\W\d_]+")
_ALIKE, _NEAR = 3, 0.7


def hold_target(action: Action, params: Params) -> str:
    """Name what a hold on the thing of an action is about; empty if it cannot be named."""
    thing = action.effect_spec.resource_type
    names = _held_by(action)
    values = [params.get(name) for name in names]
    if not names or None in values:
        return ""
    return " ".join([thing.of or thing.name, *map(str, values)])


def comes_back(action: Action, actions: Iterable[Action]) -> bool:
    """Say whether some action starts the very thing that this one is about, and names it."""
    sort = action.effect_spec.resource_type.of or action.effect_spec.resource_type.name
    return any(
        sort in (one.effect_spec.resource_type.of, one.effect_spec.resource_type.name)
        and all(one.param(name) for name in _held_by(one))
        for one in actions
        if one.toggles == "on" or one.toggle_param
    )


def start_targets(action: Action, params: Params) -> tuple[str, ...]:
    """Name what an action would start, as holds do; where it pushes to, too."""
    if toggle_of(action, params) != "on":
        return ()
    pushed = [
        f"stream {link.stream}"
        for param in action.params
        if param.secret and (link := _link(params.get(param.api))) and link.side == "push"
    ]
    return tuple(filter(None, [hold_target(action, params), *pushed]))


def _link(given: object) -> links.StreamUrl | None:
    try:
        return links.parse_url(str(given)) if given else None
    except ValueError:
        return None


def parse_hold_target(said: str, actions: Iterable[Action], now: float) -> str:
    """Read such a name back, as people may write it; empty if it is none.

    Args:
        now: Epoch seconds.
    """
    name, _, rest = said.strip().partition(" ")
    for action in actions:
        thing, names = action.effect_spec.resource_type, _held_by(action)
        words = rest.split(maxsplit=max(0, len(names) - 1))
        if name != thing.name or thing.of or not names or len(words) != len(names):
            continue
        params = [action.param(api) for api in names]
        try:
            values = {
                param.api: param.type.read(word, now)
                for param, word in zip(params, words, strict=True)
                if param is not None
            }
        except ValueError:
            return ""
        return hold_target(action, values)
    return ""


def _held_by(action: Action) -> tuple[str, ...]:
    """Give an action's own names of the parameters that a hold on its thing goes by."""
    if not toggle_of(action, {}) or not action.effect_spec.key:
        return ()
    return action.effect_spec.resource_type.by or action.effect_spec.key


def _key(action: Action, known: Params) -> str | None:
    names = action.effect_spec.key
    if not names or any(known.get(name) is None for name in names):
        return None
    return json.dumps([str(known[name]) for name in names])


def _read(action: Action, body: Params) -> Toggle:
    thing = action.effect_spec.resource_type
    return "on" if thing.on and action.effect_spec.read_state(body) == thing.on else ""
