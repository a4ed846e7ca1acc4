"""The `audit` command: a search of the audit log."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from bot.commands.binding import bind_names
from bot.commands.context import Context
from bot.commands.decoration import (
    holds_several,
    is_filler,
    is_unclear,
    split_names,
    undecorated,
)
from bot.commands.diagnostics import printable
from bot.commands.formatting import quoted
from bot.commands.offers import in_place, offering
from bot.commands.parsed import ME, Audit
from bot.commands.secrets import is_url
from bot.commands.several import is_shaped
from bot.commands.suggestions import unknown_word
from bot.commands.tokens import Token, value_only
from bot.commands.values import read_case, read_url
from bot.model.operations import State
from bot.redact import redact
from bot.times import is_duration, parse_duration

_USAGE = (
    "The audit takes one since=24h, user=me, action=live, target=stream1, ending=failed, "
    "case=INC-42 and account=europe, each if you like; a person may be mentioned instead of user=."
)
_USER = re.compile(r"@?([UW][A-Z0-9]{1,31})")
_USER_WORDS = frozenset({"by", "from", "of", "for"})
"""Words before a person's name, or before a length of time."""

_MYSELF = frozenset({"me", "@me", "myself", "i"})
_LONGEST_LOOK_BACK = 3650 * 86_400.0
_LONGEST_TARGET = 256
_LONGEST_ACCOUNT = 64
_LONGEST_NAME = 80


def parse_audit(context: Context, tokens: Iterable[Token]) -> Audit:
    """Return the search that the words after `audit` describe."""
    query = Audit()
    seen: set[str] = set()
    bound = bind_names(list(tokens), frozenset({*_FILTERS, *_USER_WORDS}))
    for token in [_with_name(one) for one in bound if not is_filler(one)]:
        name = token.name.casefold()
        read = _FILTERS.get(name)
        if read is None or name in seen:
            error = context.error(_USAGE, token)
            raise error if name else offering(error, _meant(context, token))
        bare = token if token.quoted else token.with_value(undecorated(token.value))
        if not bare.value:
            raise context.error(f'"{printable(token.name)}" has no value.', token)
        query = read(context, bare, query)
        seen.add(name)
    return query


def _meant(context: Context, token: Token) -> tuple[str, ...]:
    """Return the text with each of the filters that a bare word may be for."""
    before, after = context.text[: token.start], context.text[token.end :]
    word = quoted(token.value if token.quoted else undecorated(token.value))
    likely = ("target", "user") if is_shaped(word) else ("user", "target")
    ways = ("ending", "action", *likely)
    return tuple(f"{before}{way}={word}{after}" for way in ways)


def _with_name(token: Token) -> Token:
    """Return a mention of a user, and a bare length of time, as the filter that it stands for."""
    if token.name.casefold() in _USER_WORDS:
        is_time = is_duration(undecorated(token.value))
        return replace(token, name="since" if is_time else "user")
    if token.name or token.quoted:
        return token
    value = undecorated(token.value)
    if value.startswith("@") or _USER.fullmatch(value) or value.casefold() in _MYSELF:
        return replace(token, name="user", value=value)
    return replace(token, name="since", value=value) if is_duration(value) else token


def _since(context: Context, token: Token, query: Audit) -> Audit:
    try:
        return replace(query, since=min(parse_duration(token.value), _LONGEST_LOOK_BACK))
    except ValueError as error:
        problem = f'"{printable(token.value)}" is no length of time: {error}.'
        raise context.error(problem, token) from None


def _user(context: Context, token: Token, query: Audit) -> Audit:
    if token.value.casefold() in _MYSELF:
        return replace(query, user=ME)
    value = token.value
    if (found := _USER.fullmatch(value)) is not None:
        return replace(query, user=found[1])
    name = value.removeprefix("@").strip()
    if not name or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise context.error("Mention the person, write their name, or user=me.", token)
    return replace(query, name=name)


def _action(context: Context, token: Token, query: Audit) -> Audit:
    actions, word = context.vocabulary.actions, token.value.casefold()
    apis = tuple(a.api for a in actions if word in (a.words, a.api.casefold()))
    if apis:
        return replace(query, apis=apis)
    known = [name for a in actions for name in (a.words, a.api)]
    problem = f'There is no action "{printable(token.value)}"'
    raise unknown_word(context, problem, ".", value_only(token), token.value, known=known)


def _target(context: Context, token: Token, query: Audit) -> Audit:
    value = token.value if token.quoted else _bare_target(context, token)
    return replace(query, target=redact(value)[:_LONGEST_TARGET])


def _bare_target(context: Context, token: Token) -> str:
    """Return the target of an unquoted word, the stream of an address.

    Raises:
        CommandError: It is a list, or has signs that may not belong to it.
    """
    if holds_several(token.value):
        error = context.error("One search is for one target: search for each of them.", token)
        names = [undecorated(one) for one in split_names(token.value)]
        raise offering(error, in_place(context, token, names))
    if is_url(token.value):
        return read_url(context, token).stream
    if "*" in token.value[:-1]:
        raise context.error("A * stands only at the end of a target: target=prod-*.", token)
    name = token.value.partition("?")[0] if redact(token.value) != token.value else token.value
    if is_unclear(name.removesuffix("*")):
        shown = quoted(printable(token.value))
        raise context.error(f"Write the target without marks, or quote it all: {shown}.", token)
    return name


def _ending(context: Context, token: Token, query: Audit) -> Audit:
    try:
        return replace(query, state=State(token.value.casefold()))
    except ValueError:
        known = [state.value for state in State]
        problem = f'There is no ending "{printable(token.value)}"'
        ways = f"; there is {', '.join(known)}."
        error = unknown_word(context, problem, ways, value_only(token), token.value, known=known)
        raise error from None


def _case(context: Context, token: Token, query: Audit) -> Audit:
    return replace(query, case=read_case(context, token))


def _account(_context: Context, token: Token, query: Audit) -> Audit:
    return replace(query, account=redact(token.value.casefold())[:_LONGEST_ACCOUNT])


_FILTERS: Mapping[str, Callable[[Context, Token, Audit], Audit]] = {
    "since": _since,
    "user": _user,
    "action": _action,
    "target": _target,
    "ending": _ending,
    "case": _case,
    "account": _account,
}
