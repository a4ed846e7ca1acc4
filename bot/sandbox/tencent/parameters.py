"""The checks of a request's body: its form, and the type and range of each parameter."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from bot.model.actions import Action, Json, Param, Site
from bot.sandbox.tencent.errors import CodeError
from bot.sandbox.tencent.requests import Request
from bot.sandbox.tencent.resources import parse_time

_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"


_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "int64": (int,),
    "uint64": (int,),
    "float": (int, float),
    "bool": (bool,),
    "array<string>": (list,),
}


def parse_params(request: Request, action: Action, *, site: Site, now: float) -> dict[str, Json]:
    """Return the parameters of a request, each with its declared type.

    Raises:
        CodeError: One is unknown, missing, of another type or out of range.
    """
    params = _parse_body(request)
    known = {param.api: param for param in action.params if param.only in (None, site)}
    for name, value in params.items():
        if name not in known:
            raise CodeError("UnknownParameter", f"The parameter {name} is not recognized.")
        typed = params[name] = _typed(known[name], value, form=request.method == "GET")
        if not _is_in_range(known[name], typed, now):
            raise CodeError(_range_code(action, name), f"The parameter {name} is out of range.")
    for param in action.params:
        if param.required and params.get(param.api) in (None, ""):
            raise CodeError("MissingParameter", f"The parameter {param.api} is missing.")
    return params


def _parse_body(request: Request) -> dict[str, Json]:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip()
    if request.method == "GET":
        if content_type != _FORM:
            raise CodeError("InvalidRequest", "GET needs the form content type.")
        return _unflattened(parse_qsl(request.query, keep_blank_values=True))
    if content_type != _JSON:
        raise CodeError("InvalidRequest", "POST needs the JSON content type.")
    try:
        body = json.loads(request.body or b"{}")
    except (ValueError, RecursionError):
        raise CodeError("InvalidParameter", "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise CodeError("InvalidParameter", "The body is not a JSON object.")
    return body


def _typed(param: Param, value: Json, *, form: bool) -> Json:
    if form and isinstance(value, str) and param.type.json not in ("string", "array<string>"):
        try:
            value = json.loads(value.lower())
        except ValueError:
            value = None
    wrong_bool = isinstance(value, bool) and param.type.json != "bool"
    negative = param.type.json == "uint64" and isinstance(value, int) and value < 0
    items = value if isinstance(value, list) else ()
    wrong_item = any(not isinstance(item, str) for item in items)
    right = isinstance(value, _TYPES[param.type.json])
    if not right or wrong_bool or negative or wrong_item:
        raise CodeError(
            "InvalidParameter", f"The parameter {param.api} must be of type {param.type.json}."
        )
    return value


def _is_in_range(param: Param, value: Json, now: float) -> bool:
    kind = param.type
    if kind.max_days_ahead is not None:
        return (
            now - kind.max_days_back * 86_400
            < parse_time(value)
            <= now + kind.max_days_ahead * 86_400
        )
    size = len(value) if isinstance(value, list) else value
    if kind.bounds is None or not isinstance(size, int | float):
        return True
    return kind.bounds[0] <= size <= kind.bounds[1]


def _range_code(action: Action, name: str) -> str:
    """Return the closest of the codes that the action's page lists for a value out of range."""
    general = "InvalidParameterValue"
    codes = (f"InvalidParameter.{name}", f"{general}.{name}", general, "InvalidParameter")
    return next((code for code in codes if code in action.errors), general)


def _unflattened(pairs: Sequence[tuple[str, str]]) -> dict[str, Json]:
    """Return the pairs of a GET form, where `A.0=x&A.1=y` is a list."""
    found: dict[str, Json] = {}
    for name, value in pairs:
        base, dot, index = name.partition(".")
        if dot and index.isdecimal():
            items: Any = found.setdefault(base, [])
            items.append(value)
        else:
            found[name] = value
    return found
