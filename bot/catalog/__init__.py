"""The actions as data: parsing, forms, help, policy names, docs and emulation follow from them."""

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
}
"""The state of a thing that has just come into being, for the emulated cloud."""

_BY_API = {action.api.casefold(): action for action in ACTIONS}


def by_api(name: str) -> Action:
    """Find an action by Tencent's name, in any case.

    Raises:
        KeyError: There is none.
    """
    return _BY_API[name.casefold()]
