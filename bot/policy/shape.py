"""Problems of a policy file that is not well-formed, in words for people; pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from bot.policy.salvage import existing
from bot.policy.schema import KEYS
from bot.policy.validation import Location, Problem, suggest
from bot.redact import redact

_KINDS: Mapping[str, str] = {
    **dict.fromkeys(("model_type", "dict_type"), "must be keys with values, as in {{name: value}}"),
    **dict.fromkeys(("tuple_type", "list_type"), "must be a list, as in [one, another]"),
    "string_type": "must be a text",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "must be a whole number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    "too_short": "may not be empty",
    "string_too_short": "may not be empty",
    **dict.fromkeys(("string_too_long", "too_long"), "is too long: {max_length} at most"),
    **dict.fromkeys(("enum", "literal_error"), "write {expected}"),
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "missing": "is required",
}
"""What is wrong, by the type of the error; pydantic's own words are of a program."""

_SCALAR = "must be a text, a number, true or false"


def problems_of_shape(data: Any, error: ValidationError) -> list[Problem]:
    """Return the problems of a file that pydantic refuses, one for each value.

    Args:
        data: The file.
    """
    found: dict[Location, list[Any]] = {}
    for one in error.errors():
        location = one["loc"]
        if one["type"] not in ("missing", "extra_forbidden"):
            # Where a value may be of several kinds, each of them adds its name and an error.
            location = existing(data, location)
        found.setdefault(location, []).append(one)
    return [(location, _why(errors)) for location, errors in found.items()]


def flat(text: str) -> str:
    """Return a text in one line, without what a terminal might obey, cut."""
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))[:500]


def _why(errors: Iterable[Any]) -> str:
    whys = {one["type"]: _why_of_one(one) for one in errors}
    empty = whys.get("string_too_short")
    return empty or (whys.popitem()[1] if len(whys) == 1 else _SCALAR)


def _why_of_one(error: Any) -> str:
    kind, said = error["type"], flat(str(error["msg"]))
    match kind:
        case "extra_forbidden":
            return "is not a key that is known here" + suggest(str(error["loc"][-1]), KEYS)
        case "string_pattern_mismatch":
            given = flat(redact(str(error["input"]), 60))
            return f'"{given}" is no id: users have U…, usergroups S…, channels C…'
        case "value_error":
            return said.removeprefix("Value error, ")
        case kind if kind in _KINDS:
            return _KINDS[kind].format(**error.get("ctx", {})).replace("'", "")
        case _:
            return said.lower()
