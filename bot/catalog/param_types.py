"""Types of parameters: each reads text, and gives a reason for what it refuses."""

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from bot.model.actions import Json, ParamType
from bot.times import format_utc, is_duration, parse_duration

_LONGEST = 1024
_LONGEST_REASON = 2048
"""Bytes; Tencent's limit."""
_HOSTNAME = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    r"(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+\Z"
)
# Python takes any character between date and time: a digit, with which the whole may be epoch
# seconds, or a `*`, with which it is a glob.
_TIME = re.compile(
    r"[0-9]{4}(?:-[0-9]{2}-[0-9]{2}|[0-9]{4}|-?W[0-9]{2}(?:-?[0-9])?)"
    r"(?:[T ][0-9:.,]+(?:Z|[+-][0-9:.]+)?)?",
    re.IGNORECASE,
)


CASE = r"[A-Za-z0-9][A-Za-z0-9._/#:-]{0,63}"
"""The pattern of an incident's or ticket's name."""


def case(text: str) -> str:
    """Return the name of an incident or ticket.

    Raises:
        ValueError: It is none.
    """
    if not re.fullmatch(CASE, text):
        raise ValueError("write it like INC-42: at most 64 letters, digits and any of ._/#:-")
    return text


# What Python counts as printable, though it shows nothing.
_SHOWS_NOTHING = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\ufe0e\ufe0f\uffa0")
# Parts of an emoji, which a reason may hold.
_JOINERS = re.compile("[\u200b-\u200d\u2060\ufeff]")


def is_invisible(char: str) -> bool:
    """Return whether a character shows nothing, though it may count as printable."""
    if char in _SHOWS_NOTHING or "\U000e0100" <= char <= "\U000e01ef":
        return True
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def _text(text: str, _now: float) -> Json:
    _require_printable(text)
    # All that ASCII has of them is not printable.
    if not text.isascii() and any(map(is_invisible, text)):
        raise ValueError("it holds an invisible character")
    if len(text) > _LONGEST:
        raise ValueError(f"it is longer than {_LONGEST} characters")
    return text


_NOT_OF_ROOM = re.compile(r"[^A-Za-z0-9 !#$%&()+:;<=.>?@\[\]^_{}|~,-]")
_LONGEST_ROOM = 64


def _room_name(text: str, now: float) -> Json:
    value = _text(text, now)
    if (wrong := _NOT_OF_ROOM.search(text)) is not None:
        raise ValueError(f"it holds {wrong[0]}")
    if len(text) > _LONGEST_ROOM:
        raise ValueError(f"it is longer than {_LONGEST_ROOM} characters")
    return value


def _reason(text: str, _now: float) -> Json:
    text = _JOINERS.sub("", text)
    _require_printable(text)
    if len(text.encode()) > _LONGEST_REASON:
        raise ValueError(f"it is longer than {_LONGEST_REASON} bytes")
    return text


def _require_printable(text: str) -> None:
    if not text:
        raise ValueError("it is empty")
    if set(text) & set("\r\n"):
        raise ValueError("it holds a line break")
    if not text.isprintable():
        raise ValueError("it holds an invisible character")


_PORT = re.compile(r":[0-9]*\Z")


def _hostname(text: str, _now: float) -> Json:
    if "/" in text:
        raise ValueError("give the host name alone, without rtmp:// and path")
    if _PORT.search(text):
        raise ValueError("give the host name alone, without a port")
    # Some non-ASCII letters become ASCII in lower case, so this comes first.
    if not text.isascii():
        raise ValueError("write an international name in its xn-- form")
    lowered = text.lower().removesuffix(".")
    if not _HOSTNAME.match(lowered):
        raise ValueError("")
    return lowered


def _number(low: int, high: int) -> Callable[[str, float], Json]:
    def read(text: str, _now: float) -> Json:
        if not re.fullmatch(r"-?[0-9]{1,20}", text):
            raise ValueError("")
        value = int(text)
        if not low <= value <= high:
            raise ValueError("it is out of range")
        return value

    return read


def _tempo(text: str, _now: float) -> Json:
    if text not in ("0.5", "0.75", "1", "1.0", "1.25", "1.5", "1.75", "2", "2.0"):
        raise ValueError("")
    return float(text)


def _url(schemes: str) -> Callable[[str, float], Json]:
    """Return a reader of URLs whose errors do not repeat the text, which may hold a key."""
    pattern = re.compile(rf"(?:{schemes})://[^\s/]+(?:/\S*)?", re.IGNORECASE)

    def read(text: str, now: float) -> Json:
        value = _text(text, now)
        if not pattern.fullmatch(text):
            raise ValueError("")
        return value

    return read


def _yes_or_no(text: str, _now: float) -> Json:
    match text.lower():
        case "yes" | "true" | "on" | "1":
            return True
        case "no" | "false" | "off" | "0":
            return False
        case _:
            raise ValueError("")


def _epoch(text: str, now: float) -> float:
    """Return whole epoch seconds, as Tencent's format has no fractions."""
    away = text.removeprefix("-")
    if is_duration(away):
        return (now + (parse_duration(away) if away == text else -parse_duration(away))) // 1
    refusal = ValueError("write a time like 30m, 12h, 7d or 2026-12-31T10:00Z")
    if _TIME.fullmatch(text) is None:
        raise refusal
    try:
        at = datetime.fromisoformat(text.upper())
    except ValueError:
        raise refusal from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() // 1


def _time_ahead(text: str, now: float, days: int, back: int = 0) -> float:
    at = _epoch(text, now)
    if at <= now - back * 86_400:
        raise ValueError(f"{back} days ago are the most" if back else "it is in the past")
    if at > now + days * 86_400:
        raise ValueError(f"{days} days are the most")
    return at


def fixed_time(kind: ParamType, text: str) -> Json:
    """Return a time of a type for times, past or future, as the type's values are.

    Raises:
        ValueError: It is no time, or depends on when it is read.
    """
    if is_duration(text.removeprefix("-")):
        raise ValueError("depends on when it is read; write a time like 2026-12-31T10:00Z")
    if kind.json == "uint64" and re.fullmatch(r"[0-9]{9,11}", text):
        return int(text)
    try:
        at = _epoch(text, 0.0)
    except ValueError:
        raise ValueError("is no time; write one like 2026-12-31T10:00Z") from None
    return int(at) if kind.json == "uint64" else format_utc(at)


def moment(*, max_days: int) -> ParamType:
    """Return the type of a time in the future, at most `max_days` away.

    It reads a duration from now or an ISO 8601 time, by default in UTC, and returns Tencent's
    format, `2026-11-27T10:00:00Z`.
    """

    def read(text: str, now: float) -> Json:
        return format_utc(_time_ahead(text, now, max_days))

    description = f"a time at most {max_days} days from now"
    return ParamType(description, "string", read, example="2h", max_days_ahead=max_days)


def timestamp(*, max_days: int, back: int = 0) -> ParamType:
    """Return the type of a time in epoch seconds, at most `max_days` away.

    Args:
        back: Days that it may lie in the past, where `-2h` means two hours ago.
    """

    def read(text: str, now: float) -> Json:
        return int(_time_ahead(text, now, max_days, back))

    description = f"a time at most {max_days} days from now"
    description += f" or {back} days ago" if back else ""
    return ParamType(
        description, "uint64", read, example="2h", max_days_ahead=max_days, max_days_back=back
    )


def number(low: int, high: int, json: Literal["int64", "uint64"] = "uint64") -> ParamType:
    """Return the type of a whole number from `low` to `high`, both included."""
    description = f"a whole number from {low} to {high}"
    return ParamType(description, json, _number(low, high), str(high), (low, high))


_BETWEEN = re.compile("[,;|\n\u3001\uff0c\uff1b\uff5c]")
"""What separates the parts of a list, as people and phones write it."""

_AROUND = (
    " \t*~`\"'()[]{}<>\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u300c\u300d\u300e\u300f"
    "\u3010\u3011\uff02\uff07\uff08\uff09\uff3b\uff3d\uff5b\uff5d"
)
"""Quotes, brackets and other signs around a list and its parts."""

# What Tencent documents, `[A-Za-z0-9_]`, and what an e-mail address has besides.
_USER_ID = re.compile(r"(?!@)[\w.@-]+")


def _user_id(text: str, now: float) -> Json:
    bare = text.strip(_AROUND)
    _text(bare, now)
    if bare.startswith("@"):
        raise ValueError("a name in Slack is no user id; write the id in your application")
    if not _USER_ID.fullmatch(bare):
        raise ValueError("an id has letters, digits and any of _.@- only")
    return bare


def user_ids(most: int) -> ParamType:
    """Return the type of a list of at most `most` ids of users, also as JSON writes it."""

    def read(text: str, now: float) -> Json:
        found: list[Json] = [_user_id(one, now) for one in _BETWEEN.split(text)]
        if len(found) > most:
            raise ValueError(f"{most} are the most")
        return found

    description = f"a list of user ids like a,b, of at most {most}"
    return ParamType(
        description, "array<string>", read, bounds=(1, most), max_length=most * _LONGEST
    )


text = ParamType("a text", "string", _text)
room_name = ParamType(
    f"a name of at most {_LONGEST_ROOM} English letters, digits and signs",
    "string",
    _room_name,
    max_length=_LONGEST_ROOM,
)
reason = ParamType("a text", "string", _reason, max_length=_LONGEST_REASON)
hostname = ParamType(
    "a host name like push.example.com", "string", _hostname, "push.example.com", max_length=256
)
integer = ParamType("a whole number", "int64", _number(-(2**63), 2**63 - 1), "1234")
whole = ParamType("a whole number, 0 or more", "uint64", _number(0, 2**64 - 1), "1234")
yes_or_no = ParamType("yes or no", "bool", _yes_or_no, "yes")
tempo = ParamType("a speed like 0.5, 1 or 2, in steps of 0.25", "float", _tempo, "1.0", (0.5, 2.0))
rtmp = ParamType("an address that begins with rtmp://", "string", _url("rtmp"))
address = ParamType("an address like rtmp://… or https://…", "string", _url("[a-z][a-z0-9+.-]*"))
