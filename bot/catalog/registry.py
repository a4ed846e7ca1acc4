"""The actions as data: parsing, forms, help, policy names, docs and emulation follow from them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from bot.catalog import builtin as own
from bot.catalog import car, live, trtc
from bot.model.actions import Action, EffectSpec, Product, ResourceType
from bot.model.commands import Command
from bot.model.operations import Operation

PRODUCTS: tuple[Product, ...] = (live.LIVE, trtc.TRTC, car.CAR)
ACTIONS: tuple[Action, ...] = (*live.ACTIONS, *trtc.ACTIONS, *car.ACTIONS)
"""Tencent Cloud's."""

ALL_ACTIONS: tuple[Action, ...] = (*ACTIONS, *own.ACTIONS)
"""All that may be asked for: theirs, and what the bot does itself."""

RESOURCE_TYPES: Mapping[str, ResourceType] = {
    a.effect_spec.resource_type.name: a.effect_spec.resource_type for a in ACTIONS
}
"""Everything that actions are about, by name."""

_BY_API = {action.api.casefold(): action for action in ALL_ACTIONS}


def by_api(name: str) -> Action:
    """Find an action by its API name, in any case.

    Raises:
        KeyError: There is none.
    """
    return _BY_API[name.casefold()]


def action_of(operation: Operation) -> Action | None:
    """Find an operation's action, which another release may have and this one not."""
    return _BY_API.get(operation.api.casefold())


def command_of(operation: Operation) -> Command | None:
    """Give what an operation was asked to do; None where this release does not know its action."""
    action = action_of(operation)
    if action is None:
        return None
    return Command(
        action,
        operation.params,
        operation.region,
        operation.account,
        operation.case,
        operation.origin.spans,
    )


def undo_of(action: Action | None) -> Action | None:
    """Give the action that takes another back, if one does."""
    return by_api(action.undo) if action is not None and action.undo else None


def declaration_errors(actions: Sequence[Action]) -> Iterator[str]:
    """Say where declarations contradict themselves or each other."""
    known = {action.api: action for action in actions}
    for name, times in Counter(action.api.casefold() for action in actions).items():
        if times > 1:
            yield f"{name} is declared {times} times"
    spoken = Counter((action.effect.value, action.words) for action in actions)
    for (effect, words), times in spoken.items():
        if times > 1:
            yield f'"{effect} {words}" means {times} actions'
    for action in actions:
        yield from (f"{action.api}: {mistake}" for mistake in _mistakes(action, known))


def _mistakes(action: Action, known: dict[str, Action]) -> Iterator[str]:
    names = {param.api for param in action.params}
    words = [param.word for param in action.params]
    # Words that every action takes besides its own.
    ours = {"region", "case"}
    if len(names) < len(action.params) or len({*words, *ours}) < len(words) + len(ours):
        yield "two parameters answer to one name"
    yield from _strange_touches(action.effect_spec, names)
    after = names | {action.effect_spec.creates}
    for other, given in (
        (action.undo, after),
        (action.longer_variant, names),
        (action.status_read, names),
        *((read, names) for read in action.impact_reads),
    ):
        if other is not None and other not in known:
            yield f"there is no {other}"
        elif other and not _needs(known[other]) <= given:
            yield f"{other} needs parameters that it has not"
    if action.toggles == "off" and action.undo and known[action.undo].toggles != "on":
        yield f"{action.undo} is to bring back what it takes away, and does not"
    if not {action.toggle_param, (action.expiry or ("",))[0]} <= names | {""}:
        yield "what it turns by, or ends by, is no parameter"
    if action.regions is not None and not any(action.regions.values()):
        yield "it needs a region and names none"


def _needs(action: Action) -> set[str]:
    return {p.api for p in action.params if p.required and p.default is None}


def _strange_touches(touch: EffectSpec, names: set[str]) -> Iterator[str]:
    many = {*touch.counts.values(), *touch.lists.values()}
    if not many and (missing := set(touch.key) - names - {touch.creates}):
        yield f"{', '.join(sorted(missing))} names what it touches, but is no parameter"
    thing = RESOURCE_TYPES.get(touch.resource_type.name, touch.resource_type)
    if thing != touch.resource_type:
        yield f"there are two sorts of {thing.name}"
    states = {touch.new_state, *touch.refused, *touch.state_values, *(s for of in many for s in of)}
    if strange := states - {None, *touch.resource_type.states}:
        yield f"a {thing.name} is never {', '.join(sorted(map(str, strange)))}"


if _FOUND := tuple(declaration_errors(ALL_ACTIONS)):
    raise ValueError("; ".join(_FOUND))
