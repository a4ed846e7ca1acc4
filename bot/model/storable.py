"""Makes foreign data storable: JSON can hold what neither UTF-8 nor a database does; pure."""

import math
import re

from bot.model.actions import Json

_DEEPEST = 64
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable_text(text: str) -> str:
    """Replace what UTF-8 or a database cannot hold: lone surrogates and NUL."""
    return _UNSTORABLE.sub("\ufffd", text)


def storable(value: Json, depth: int = 0) -> Json:
    """Return a value with storable texts; null replaces no number, and what is nested too deeply.

    Args:
        depth: Of the value in what was sent.
    """
    match value:
        case str():
            return storable_text(value)
        case float() if not math.isfinite(value):
            return None
        case list() | dict() if depth >= _DEEPEST:
            return None
        case list():
            return [storable(one, depth + 1) for one in value]
        case dict():
            return {storable_text(key): storable(one, depth + 1) for key, one in value.items()}
        case _:
            return value
