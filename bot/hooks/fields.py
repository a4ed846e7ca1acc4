"""Reads fields of a notice without trusting their shape, each within a bound; pure."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from bot.redact import redact

TEXT_MOST = 4000
"""Characters of one alert in which streams are looked for."""

TITLE_MOST = 200
SUMMARY_MOST = 500
SEVERITY_MOST = 40
KEY_MOST = 300
ITEMS_MOST = 100
"""Alerts of one notice that are read."""

_NAME_MOST, _ADDRESS_MOST = 256, 2000
_LINK_MOST = 1000
_NAMES_MOST = 60
_LAST_MOMENT = 253_402_300_799.0


def text_at(found: object, *path: str, most: int = TEXT_MOST) -> str:
    """Return the text at a path of keys, cut; empty if it is absent or no text."""
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found.strip()[:most] if isinstance(found, str) else ""


def object_at(found: object, name: str) -> Mapping[str, Any]:
    """Return the object under a key; empty if there is none."""
    inner = found.get(name) if isinstance(found, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def objects_at(found: object, name: str) -> list[Mapping[str, Any]]:
    """Return the objects of the list under a key, ITEMS_MOST of them at most."""
    inner = found.get(name) if isinstance(found, Mapping) else None
    if not isinstance(inner, list):
        return []
    return [one for one in inner if isinstance(one, Mapping)][:ITEMS_MOST]


def link_at(found: object, *path: str) -> str:
    """Return an address that may be shown as a link; empty for any other."""
    link = text_at(found, *path, most=_LINK_MOST + 1)
    return link if link.startswith("https://") and len(link) <= _LINK_MOST else ""


def name_of(value: object) -> str:
    """Return a name; empty where it is none, is too long, or would be taken for a key."""
    if not isinstance(value, str) or not 0 < len(value) <= _NAME_MOST or not value.isprintable():
        return ""
    return value if redact(value) == value else ""


def address_of(value: object) -> str:
    """Return an address; empty where it is none. Whether it may be called is decided later."""
    if not isinstance(value, str) or not 0 < len(value) <= _ADDRESS_MOST:
        return ""
    return value if value.isascii() and value.isprintable() and " " not in value else ""


def time_at(found: object, *path: str) -> float | None:
    """Return a time as epoch seconds, from RFC 3339 or a number; None if it is neither."""
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    if isinstance(found, int | float) and not isinstance(found, bool):
        return float(found) if 0 < found < _LAST_MOMENT else None
    if not isinstance(found, str):
        return None
    try:
        at = datetime.fromisoformat(found[:40])
    except ValueError:
        return None
    seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    return seconds if 0 < seconds < _LAST_MOMENT else None


def lines_of(names: Mapping[str, Any]) -> Iterator[str]:
    """Yield labels or annotations, a line each, in which streams are looked for."""
    for name, value in list(names.items())[:_NAMES_MOST]:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            yield f"{str(name)[:100]}: {str(value)[:TEXT_MOST]}"
