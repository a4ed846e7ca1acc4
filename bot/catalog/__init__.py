"""The actions as data: parsing, forms, help, policy names, docs and emulation follow from them."""

from collections import Counter
from collections.abc import Iterator, Sequence

from bot.catalog import car, live, trtc
from bot.model import Action, Product

PRODUCTS: tuple[Product, ...] = (live.LIVE, trtc.TRTC, car.CAR)
ACTIONS: tuple[Action, ...] = (*live.ACTIONS, *trtc.ACTIONS, *car.ACTIONS)

FRESH = {
    "stream": "active",
    "recording": "running",
    "record-task": "running",
    "ingest": "InProgress",
    "session": "pushing",
    "domain": "enabled",
}
"""The state of a thing that has just come into being, for the emulated cloud."""

_BY_API = {action.api.casefold(): action for action in ACTIONS}


def by_api(name: str) -> Action:
    """Find an action by Tencent's name, in any case.

    Raises:
        KeyError: There is none.
    """
    return _BY_API[name.casefold()]


def mistakes(actions: Sequence[Action]) -> Iterator[str]:
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
    names = [param.api for param in action.params]
    words = [param.word for param in action.params]
    if len(set(names)) < len(names) or len({*words, "region"}) <= len(words):
        yield "two parameters answer to one name"
    if missing := set(action.touch.key) - set(names):
        yield f"{', '.join(sorted(missing))} names what it touches, but is no parameter"
    if action.touch.thing not in FRESH:
        yield f"nothing is known of the state of a new {action.touch.thing}"
    for other in filter(None, (action.undo, action.look)):
        if other not in known:
            yield f"there is no {other}"
        elif not {p.api for p in known[other].params if p.required} <= set(names):
            yield f"{other} needs parameters that it has not"
    if action.regions is not None and not any(action.regions.values()):
        yield "it needs a region and names none"


if _FOUND := tuple(mistakes(ACTIONS)):
    raise ValueError("; ".join(_FOUND))
