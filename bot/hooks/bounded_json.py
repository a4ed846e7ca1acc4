"""Reads the JSON of a notice, within bounds of its size and depth; pure."""

import json
from collections.abc import Mapping
from typing import Any

from bot.model.storable import storable, storable_text

MOST = 256 * 1024
"""Bytes of a notice."""

DEEPEST = 20
"""Levels of objects and lists in each other."""

_TOO_DEEP = "it is nested too deeply"


class MalformedError(ValueError):
    """The body is no JSON object within the bounds."""


def parse_object(body: bytes) -> Mapping[str, Any]:
    """Return the JSON object of a body.

    Raises:
        MalformedError: It is none, or is too large or too deep.
    """
    if len(body) > MOST:
        raise MalformedError("it is too large")
    try:
        found = json.loads(body.decode(), parse_constant=_no_number)
    except ValueError:
        raise MalformedError("it is not JSON") from None
    except RecursionError:
        raise MalformedError(_TOO_DEEP) from None
    if not isinstance(found, dict):
        raise MalformedError("it is not a JSON object")
    if _is_too_deep(found):
        raise MalformedError(_TOO_DEEP)
    return found


def parse_storable(body: bytes) -> Mapping[str, Any]:
    """Return the same, with what UTF-8 or a database cannot hold replaced.

    Raises:
        MalformedError: As above.
    """
    found = parse_object(body)
    return {storable_text(name): storable(value) for name, value in found.items()}


def _no_number(name: str) -> None:
    raise MalformedError(f"{name} is no number of JSON")


def _is_too_deep(found: object) -> bool:
    level = [found]
    for _ in range(DEEPEST):
        # A level at a time, because a function that calls itself has bounds of its own.
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def _inside(outer: object) -> list[Any]:
    """Return the objects and lists right inside of one."""
    inner: list[Any] = []
    if isinstance(outer, dict):
        inner = list(outer.values())
    elif isinstance(outer, list):
        inner = outer
    return [one for one in inner if isinstance(one, dict | list)]
