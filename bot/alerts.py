"""What an alert names that can be stopped: addresses, stream names, task ids; pure.

An alert is foreign text: what is found only fills in a form, which a person reads and sends.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot import links
from bot.catalog import ACTIONS
from bot.model import Action, Effect

MOST = 10
"""How many things of one message are offered."""

_READ_MOST = 20_000
_VALUE_MOST = 200
_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]{1,10}://[^\s<>|\"'`]+", re.IGNORECASE)
_NAMED = re.compile(r"([A-Za-z][A-Za-z _-]{1,20}?)[`*_ ]{0,4}[:=][\s`\"'*_]{0,6}([\w.:-]{1,128})")


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that an alert names.

    Attributes:
        api: The action that stops it.
        params: Its parameters, as far as the alert tells; never a key.
    """

    api: str
    params: Mapping[str, str]

    @property
    def label(self) -> str:
        """Say what it is, in one line."""
        return ", ".join(f"{name} {value}" for name, value in self.params.items())


def found_in(message: Mapping[str, Any]) -> tuple[Found, ...]:
    """Find what a message names, in its text, blocks and attachments; addresses first."""
    text = "\n".join(_strings(message))[:_READ_MOST]
    addresses = [_of_address(found[0]) for found in _ADDRESS.finditer(text)]
    named = [_of_name(*found.groups()) for found in _NAMED.finditer(_ADDRESS.sub(" ", text))]
    known: dict[tuple[str, str], Found] = {}
    for one in filter(None, (*addresses, *named)):
        # An address says more of a stream than its name alone, and came first.
        known.setdefault(next(iter(one.params.items())), one)
    return tuple(known.values())[:MOST]


def _strings(message: Mapping[str, Any]) -> Iterator[str]:
    """Give every text that people see in a message."""
    for name in ("text", "blocks", "attachments"):
        yield from _texts(message.get(name), depth=0)


def _texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and depth < _DEEP:
        for one in value:
            yield from _texts(one, depth + 1)
    elif isinstance(value, Mapping) and depth < _DEEP:
        if isinstance(title := value.get("title"), str) and isinstance(value.get("value"), str):
            # A field of an attachment.
            yield f"{title}: {value['value']}"
            return
        for name in _SEEN:
            yield from _texts(value.get(name), depth + 1)


_DEEP = 12
_SEEN = (
    *("pretext", "title", "text", "fallback", "url", "fields", "elements"),
    *("blocks", "footer", "rows", "columns"),
)


def _of_address(address: str) -> Found | None:
    try:
        link = links.read(address.replace("&amp;", "&").rstrip(".,;)"))
    except ValueError:
        return None
    params = {"StreamName": link.stream, "AppName": link.app}
    if link.side == "push":
        # A play domain is none that streams are cut on.
        params["DomainName"] = link.host
    return _found(params)


def _of_name(label: str, value: str) -> Found | None:
    wanted = re.sub(r"[ _-]", "", label).casefold().removesuffix("name")
    value = value.strip(".:-")
    for action in _STOPS:
        first = action.params[0]
        names = {first.api.casefold().removesuffix("name"), first.api.casefold()}
        if value and any(wanted.endswith(name) for name in names):
            return _found({first.api: value}, action)
    return None


def _found(params: Mapping[str, str], action: Action | None = None) -> Found | None:
    if any(len(value) > _VALUE_MOST for value in params.values()):
        return None
    stop = action or next(a for a in _STOPS if a.params[0].api in params)
    return Found(stop.api, params)


_STOPS = tuple(a for a in ACTIONS if a.effect is Effect.STOP and a.params and a.undo is None)
"""What stops a thing without forbidding it: the mildest is offered, the form has the others."""
