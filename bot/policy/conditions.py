"""Conditions of rules and limits, read by the type of the parameter that they are about."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from bot.catalog.param_types import fixed_time, hostname
from bot.catalog.stream_urls import lacks_its_scheme, looks_like_url
from bot.model.actions import Json, Param
from bot.redact import redact

Condition: TypeAlias = str | bool
"""As it stands in the file: a value or a glob. Only a plain `true` or `false` is no text."""

_WILD = re.compile(r"[*?\[]")
_DIGITS = re.compile(r"-?[0-9*?\[\]!-]+")
_LEADING_ZERO = re.compile(r"-?0[0-9]")
_TIME = re.compile(r"[0-9TZ:*?\[\]!-]+")
_HOST = re.compile(r"[a-z0-9.*?\[\]!-]+")


class Expected(NamedTuple):
    """What a value is compared with.

    Attributes:
        value: Equal to it, in the parameter's own type.
        glob: Or its text matches this; empty for none.
    """

    value: Json
    glob: str = ""


@lru_cache(maxsize=4096)
def read(param: Param, condition: Condition) -> tuple[Expected, ...]:
    """Return what a condition on a parameter is compared with; of a list like a,b each part.

    Raises:
        ValueError: No value of the parameter could ever match; the reason does not repeat it.
    """
    if isinstance(condition, bool):
        if param.type.json != "bool":
            raise ValueError(f"is yes or no, and {param.api} is not; put it in quotes")
        return (Expected(condition),)
    if not param.secret and redact(condition) != condition:
        raise ValueError("holds what looks like a key, which is taken out of every value")
    if param.word == "stream" and (looks_like_url(condition) or lacks_its_scheme(condition)):
        raise ValueError("is an address, and a command reads a name out of it; write that name")
    if param.type.json == "array<string>":
        return tuple(_expected(param, part.strip()) for part in condition.split(","))
    return (_expected(param, condition),)


def matches(param: Param, value: Json, condition: Condition) -> bool:
    """Return whether a value, or an entry of a list value, matches a condition."""
    try:
        expected = read(param, condition)
    except ValueError:
        # The file is refused unless another action that it names has such a value.
        return False
    return any(_is(value, one) for one in expected)


def region_matches(region: str, condition: Condition) -> bool:
    """Return whether a region matches a condition; case makes no difference."""
    return fnmatchcase(region, str(condition).casefold())


def written(conditions: Iterable[tuple[str, Condition]]) -> str:
    """Return conditions as the policy file writes them."""
    return ", ".join(f"{name} {written_value(condition)}" for name, condition in conditions)


def written_value(condition: Condition) -> str:
    """Return a condition as the policy file writes it."""
    return str(condition).lower() if isinstance(condition, bool) else condition


def _is(value: Json, expected: Expected) -> bool:
    if expected.glob and fnmatchcase(str(value), expected.glob):
        return True
    # True equals 1 in Python, but not in any type of a parameter.
    return isinstance(value, bool) == isinstance(expected.value, bool) and value == expected.value


def _expected(param: Param, text: str) -> Expected:
    if _WILD.search(text):
        return _glob(param, text)
    if param.type.max_days_ahead is not None:
        return Expected(fixed_time(param.type, text))
    return Expected(_value(param, text))


def _value(param: Param, text: str) -> Json:
    try:
        value = param.type.read(text, 0.0)
    except ValueError as error:
        reason = f": {error}" if str(error) else ""
        raise ValueError(f"is not {param.type.description}{reason}") from None
    # A part of a list is read as a list of one.
    return value[0] if isinstance(value, list) else value


def _glob(param: Param, text: str) -> Expected:
    """Return a glob. A text that the type accepts with a `*` or the like matches itself, too."""
    refusal = ValueError(f"matches nothing that is {param.type.description}")
    kind = param.type
    if kind is hostname:
        if not _HOST.fullmatch(text.lower()):
            raise refusal
        return Expected(text.lower(), text.lower())
    if kind.max_days_ahead is not None:
        allowed = _TIME if kind.json == "string" else _DIGITS
    elif kind.json == "bool":
        allowed = re.compile(r"\*+")
    elif kind.json in ("int64", "uint64"):
        allowed = _DIGITS
    elif kind.json == "float":
        return _float_glob(param, text, refusal)
    else:
        return _text_glob(param, text, refusal)
    if not allowed.fullmatch(text) or (allowed is _DIGITS and _LEADING_ZERO.match(text)):
        raise refusal
    return Expected(text, text)


def _float_glob(param: Param, text: str, refusal: ValueError) -> Expected:
    low, high = param.type.bounds or (0.0, 0.0)
    values = [low + step / 4 for step in range(int((high - low) * 4) + 1)]
    if not any(fnmatchcase(str(value), text) for value in values):
        raise refusal
    return Expected(text, text)


def _text_glob(param: Param, text: str, refusal: ValueError) -> Expected:
    try:
        kept = str(param.type.read(text, 0.0)) if param.type.json == "string" else text
    except ValueError as error:
        # Of an address, the scheme may be part of the glob; nothing else has no reason.
        if str(error) or ("://" in text and not _WILD.match(text)):
            raise refusal from None
        kept = text
    return Expected(kept, kept)
