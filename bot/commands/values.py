"""Values of arguments, read from their tokens."""

import contextlib
import re
from collections.abc import Mapping

from bot.catalog import stream_urls
from bot.catalog.param_types import case
from bot.catalog.stream_urls import StreamUrl
from bot.commands.context import Context
from bot.commands.decoration import is_unclear
from bot.commands.defaults import default_value
from bot.commands.diagnostics import printable
from bot.commands.parsed import Assignment, ParsedArguments
from bot.commands.reasons import read_reason
from bot.commands.secrets import is_url, takes_secret
from bot.commands.suggestions import unknown_word
from bot.commands.tokens import Token, value_only
from bot.commands.vocabulary import REASON
from bot.model.actions import Action, Json, Param
from bot.redact import redact
from bot.times import parse_duration

_WHOLE = ("int64", "uint64")
_ZERO_BEFORE = re.compile(r"-?0[0-9]{1,20}|-0")


def read_arguments(context: Context, action: Action, assignment: Assignment) -> ParsedArguments:
    """Return the values of assigned tokens, completed by those of a target."""
    places = assignment.places
    values: dict[str, Json] = {}
    of_reason = places.get(REASON) if context.vocabulary.takes_code(action) else None
    for param in action.params:
        place = places.get(param.api)
        if place is of_reason:
            continue
        if place is not None and not (assignment.url and param.word == "stream"):
            text = _without_key(context, action, param, place)
            values[param.api] = read_value(context, param, place, text)
    if assignment.url is not None:
        values |= _url_values(context, action, assignment, assignment.url, values)
    region, account, of_case = places.get("Region"), places.get("Account"), places.get("Case")
    typed = ParsedArguments(
        values,
        region.value.casefold() if region else "",
        read_account(context, account) if account else "",
        read_case(context, of_case) if of_case else "",
        _spans(action, places),
        read_reason(context, of_reason) if of_reason else "",
    )
    return typed.merge(assignment.base)


def read_value(context: Context, param: Param, token: Token, text: str) -> Json:
    """Return the value of a parameter.

    Args:
        token: Where an error is reported.
        text: The value as text.

    Raises:
        CommandError: The text is not of the parameter's type.
    """
    try:
        _require_no_zero(param, text)
        return param.type.read(text, context.now)
    except ValueError as error:
        reason = f": {error}" if str(error) else ""
        shown = "This" if param.secret else f'"{printable(text)}"'
        raise context.error(f"{shown} is not {param.type.description}{reason}.", token) from None


def _require_no_zero(param: Param, text: str) -> None:
    """Refuse a number with a zero before it, which is as likely a name: room 0012 is not room 12.

    Only typed ones are refused: a condition or a default of the policy may be written so.

    Raises:
        ValueError: It has one.
    """
    if param.type.json in _WHOLE and _ZERO_BEFORE.fullmatch(text):
        raise ValueError(
            f"with a zero before it, it may be a name; write {int(text)} for the number"
        )


def read_account(context: Context, token: Token) -> str:
    """Return the name of an account that the policy contains."""
    name, accounts = token.value.casefold(), context.vocabulary.accounts
    if name in accounts:
        return name
    raise unknown_word(
        context,
        f'There is no account "{printable(name)}"',
        f"; there is {', '.join(accounts)}.",
        value_only(token),
        name,
        known=[*accounts],
    )


def read_case(context: Context, token: Token) -> str:
    """Return the name of a case, without keys."""
    try:
        return redact(case(token.value))
    except ValueError as error:
        shown = printable(token.value)
        raise context.error(f'"{shown}" is not the name of a case: {error}.', token) from None


def read_url(context: Context, token: Token) -> StreamUrl:
    """Return the stream that a URL names."""
    try:
        return stream_urls.parse_url(stream_urls.with_scheme(token.value))
    except ValueError as error:
        is_cut = context.text[token.end :].lstrip(" ").startswith("\n")
        cut = ", and may have been cut at the line break" if is_cut else ""
        raise context.error(f"This address names no stream{cut}: {error}.", token) from None


def _without_key(context: Context, action: Action, param: Param, token: Token) -> str:
    """Return a value without a stream key.

    Raises:
        CommandError: The value cannot be told from a key.
    """
    value = token.value
    if param.secret:
        return value
    if is_url(value) and takes_secret(action):
        # Bare words in the wrong order would show the address with its key.
        raise context.error(
            f"This {param.word} looks like an address; write each value as name=value.", token
        )
    if redact(value) == value:
        return value
    if param.word == "stream":
        # The push name as consoles and encoders show it: `stream1?txSecret=…`.
        name = re.split("[?&]", value)[0]
        if name and redact(name) == name and not is_unclear(name):
            return name
    if param.api in action.effect_spec.key:
        raise context.error(f"This {param.word} holds what looks like a key; leave it out.", token)
    return redact(value)


def _spans(action: Action, places: Mapping[str, Token]) -> dict[str, float]:
    """Return the seconds of each time that is typed as a duration from now."""
    found: dict[str, float] = {}
    for param in action.params:
        token = places.get(param.api)
        if token is not None and param.type.max_days_ahead is not None:
            with contextlib.suppress(ValueError):
                found[param.api] = parse_duration(token.value)
    return found


def _url_values(
    context: Context,
    action: Action,
    assignment: Assignment,
    url: StreamUrl,
    typed: Mapping[str, Json],
) -> dict[str, Json]:
    """Return the values that a stream URL holds.

    Raises:
        CommandError: A typed value contradicts the URL.
    """
    place = next(assignment.places[p.api] for p in action.params if p.word == "stream")
    texts = {"stream": url.stream, "app": url.app}
    texts |= _url_domain(context, action, assignment, url, typed)
    values: dict[str, Json] = {}
    for word, text in texts.items():
        param = action.param(word)
        if param is None:
            continue
        value = read_value(context, param, place, text)
        other = typed.get(param.api, value)
        if other != value:
            raise context.error(
                f"The address says {word}={printable(str(value))}, but "
                f"{word}={printable(str(other))} is typed beside it: which one?",
                assignment.places[param.api],
            )
        values[param.api] = value
    return values


def _url_domain(
    context: Context,
    action: Action,
    assignment: Assignment,
    url: StreamUrl,
    typed: Mapping[str, Json],
) -> dict[str, str]:
    """Return the push domain of a URL; nothing if it does not tell one.

    Raises:
        CommandError: The domain is required, and nothing else tells it.
    """
    param = action.param("domain")
    if param is None:
        return {}
    known = param.api in typed or param.api in assignment.base.values
    if not known:
        account = assignment.assumed_account(context.vocabulary)
        known = default_value(context, action, param, account) is not None
    if url.side == "push" or (url.side == "unclear" and not known):
        return {"domain": url.host}
    if param.required and not known:
        place = next(assignment.places[p.api] for p in action.params if p.word == "stream")
        way = "A play address does not tell the push domain; add domain=DOMAIN."
        raise context.error(way, place)
    return {}
