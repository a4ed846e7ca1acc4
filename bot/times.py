"""Durations and times, as they are typed, stored and shown."""

import re
from datetime import UTC, datetime

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_WORDS = {
    "s": "seconds?|secs?|s|\u79d2\u949f?",
    "m": "minutes?|mins?|m|\u5206\u949f?",
    "h": "hours?|hrs?|h|\u4e2a?\u5c0f\u65f6",
    "d": "days?|d|\u5929",
    "w": "weeks?|wks?|w|\u5468",
}
_AMOUNT = r"[0-9]{1,6}(?:\.[0-9]{1,2})?"
_DURATION = re.compile(rf"(?:{_AMOUNT} ?(?:{'|'.join(_WORDS.values())}) ?)+", re.IGNORECASE)
_PART = re.compile(
    rf"({_AMOUNT}) ?(?:{'|'.join(f'(?P<{unit}>{words})' for unit, words in _WORDS.items())})",
    re.IGNORECASE,
)


def is_duration(text: str) -> bool:
    """Return whether a text is a length of time, of zero or more."""
    return _DURATION.fullmatch(text) is not None


def duration_unit(word: str) -> str:
    """Return the letter of a unit of time, e.g. `h` for `hours`; empty if it is none."""
    found = (unit for unit, words in _WORDS.items() if re.fullmatch(words, word, re.IGNORECASE))
    return next(found, "")


def parse_duration(text: str) -> float:
    """Read `90s`, `15m`, `2h30m`, `1.5h`, `30 min`, `2 hours`, `7d` or `1w`, and return seconds.

    Raises:
        ValueError: It is none of these, or nothing at all.
    """
    if not is_duration(text):
        raise ValueError("write a time like 30m, 12h or 7d")
    seconds = sum(float(one[1]) * _UNITS[one.lastgroup or ""] for one in _PART.finditer(text))
    if not seconds:
        raise ValueError("it must be more than nothing")
    return float(seconds)


def format_duration(seconds: float) -> str:
    """Render a duration as people type it, e.g. `1h30m`."""
    left, words = int(seconds), ""
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, length)
        words += f"{count}{unit}" if count else ""
    return words or "0s"


TO_SECOND = "%Y-%m-%d %H:%M:%S"
"""The form of times in a terminal."""

TO_MINUTE = "%Y-%m-%d %H:%M UTC"
"""The form of times in a sentence."""


def format_utc(at: float, form: str = "%Y-%m-%dT%H:%M:%SZ") -> str:
    """Render epoch seconds in UTC, by default as Tencent Cloud does: `2026-11-27T10:00:00Z`."""
    return datetime.fromtimestamp(at, UTC).strftime(form)


def parse_instant(given: object) -> float | None:
    """Read a time in Tencent's form, or epoch seconds; None if it is neither."""
    if isinstance(given, int | float) and not isinstance(given, bool):
        return float(given)
    try:
        at = datetime.fromisoformat(str(given))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
