"""The actions of the catalog, from which parsing, forms, help, docs and emulation follow."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from bot.catalog import builtin, car, live, trtc
from bot.model.actions import Action, Effect, EffectSpec, Product, ResourceType
from bot.model.commands import Command
from bot.model.operations import Operation

PRODUCTS: tuple[Product, ...] = (live.LIVE, trtc.TRTC, car.CAR)
ACTIONS: tuple[Action, ...] = (*live.ACTIONS, *trtc.ACTIONS, *car.ACTIONS)
"""The APIs of Tencent Cloud."""

ALL_ACTIONS: tuple[Action, ...] = (*ACTIONS, *builtin.ACTIONS)
"""The APIs of Tencent Cloud, and the actions that the bot performs itself."""

RESOURCE_TYPES: Mapping[str, ResourceType] = {
    a.effect_spec.resource_type.name: a.effect_spec.resource_type for a in ACTIONS
}
"""The resource types of Tencent Cloud's actions, by name."""

OPERATOR = "Operator"
"""Tencent's name of the parameter for who does something."""

_BY_API = {action.api.casefold(): action for action in ALL_ACTIONS}


def by_api(name: str) -> Action:
    """Return an action by its API name, in any case.

    Raises:
        KeyError: There is none.
    """
    return _BY_API[name.casefold()]


def action_of(operation: Operation) -> Action | None:
    """Return an operation's action; None if this release does not know it."""
    return _BY_API.get(operation.api.casefold())


def command_of(operation: Operation) -> Command | None:
    """Return an operation's command; None if this release does not know its action."""
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
        operation.origin.reason_code,
    )


def undo_of(action: Action | None) -> Action | None:
    """Return the action that undoes another, if there is one."""
    return by_api(action.undo) if action is not None and action.undo else None


def live_list(action: Action) -> Action | None:
    """Return the read that lists what is live of the kind that an action is about, if any does."""
    spec = action.effect_spec
    reads = map(by_api, action.impact_reads)
    lists = (one for one in reads if one.effect_spec.lists and not one.effect_spec.ended)
    return next((one for one in lists if one.effect_spec.resource_type is spec.resource_type), None)


def picks_live(action: Action) -> bool:
    """Return whether what an action stops can be picked from what is live."""
    return action.effect is Effect.STOP and live_list(action) is not None


def declaration_errors(actions: Sequence[Action]) -> Iterator[str]:
    """Yield a sentence for each contradiction within or between declarations."""
    known = {action.api: action for action in actions}
    for name, times in Counter(action.api.casefold() for action in actions).items():
        if times > 1:
            yield f"{name} is declared {times} times"
    words_used = Counter((action.effect.value, action.words) for action in actions)
    for (effect, words), times in words_used.items():
        if times > 1:
            yield f'"{effect} {words}" means {times} actions'
    for action in actions:
        yield from (f"{action.api}: {error}" for error in _declaration_errors(action, known))


def _declaration_errors(action: Action, known: dict[str, Action]) -> Iterator[str]:
    names = {param.api for param in action.params}
    words = [param.word for param in action.params]
    # Words that every action takes in addition to its own.
    common = {"region", "case"}
    if len(names) < len(action.params) or len({*words, *common}) < len(words) + len(common):
        yield "two parameters answer to one name"
    yield from _effect_errors(action.effect_spec, names)
    if not action.emulation.refused.keys() <= set(action.effect_spec.resource_type.states):
        yield "it is refused in a state that does not exist"
    after = names | {action.effect_spec.creates}
    for other, params in (
        (action.undo, after),
        (action.longer_variant, names),
        (action.stop, names),
        (action.status_read, names),
        *((read, names) for read in action.impact_reads),
    ):
        if other is not None and other not in known:
            yield f"there is no {other}"
        elif other and not _required_params(known[other]) <= params:
            yield f"{other} needs parameters that it has not"
    if action.toggles == "off" and action.undo and known[action.undo].toggles != "on":
        yield f"{action.undo} is to bring back what it takes away, and does not"
    if not {action.toggle_param, (action.expiry or ("",))[0]} <= names | {""}:
        yield "what it turns by, or ends by, is no parameter"
    if action.regions is not None and not any(action.regions.values()):
        yield "it needs a region and names none"


def _required_params(action: Action) -> set[str]:
    return {p.api for p in action.params if p.required and p.default is None}


def _effect_errors(spec: EffectSpec, names: set[str]) -> Iterator[str]:
    many = {*spec.counts.values(), *spec.lists.values()}
    if not many and (missing := set(spec.key) - names - {spec.creates}):
        yield f"{', '.join(sorted(missing))} names what it touches, but is no parameter"
    resource_type = RESOURCE_TYPES.get(spec.resource_type.name, spec.resource_type)
    if resource_type != spec.resource_type:
        yield f"there are two sorts of {resource_type.name}"
    states = {spec.new_state, *spec.state_values, *(s for of in many for s in of)}
    if strange := states - {None, *spec.resource_type.states}:
        yield f"a {resource_type.name} is never {', '.join(sorted(map(str, strange)))}"


if _ERRORS := tuple(declaration_errors(ALL_ACTIONS)):
    raise ValueError("; ".join(_ERRORS))
