"""The `audit` command: a search of the audit log."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from bot.commands.context import Context
from bot.commands.diagnostics import printable
from bot.commands.parsed import Audit
from bot.commands.suggestions import unknown_word
from bot.commands.tokens import Token, value_only
from bot.commands.values import read_case
from bot.model.operations import State
from bot.redact import redact
from bot.times import parse_duration

_USAGE = (
    "The audit takes one since=24h, user=@…, action=…, target=…, ending=…, case=… and account=…, "
    "each if you like."
)
_USER = re.compile(r"@?([UW][A-Z0-9]{1,31})")
_LONGEST_LOOK_BACK = 3650 * 86_400.0
_LONGEST_TARGET = 256
_LONGEST_ACCOUNT = 64


def parse_audit(context: Context, tokens: Iterable[Token]) -> Audit:
    """Return the search that the words after `audit` describe."""
    query = Audit()
    seen: set[str] = set()
    for token in tokens:
        name = token.name.casefold()
        read = _FILTERS.get(name)
        if read is None or name in seen:
            raise context.error(_USAGE, token)
        if not token.value:
            raise context.error(f'"{printable(token.name)}" has no value.', token)
        query = read(context, token, query)
        seen.add(name)
    return query


def _since(context: Context, token: Token, query: Audit) -> Audit:
    try:
        return replace(query, since=min(parse_duration(token.value), _LONGEST_LOOK_BACK))
    except ValueError as error:
        problem = f'"{printable(token.value)}" is no length of time: {error}.'
        raise context.error(problem, token) from None


def _user(context: Context, token: Token, query: Audit) -> Audit:
    found = _USER.fullmatch(token.value)
    if found is None:
        raise context.error("Name the user by a mention, for example user=@alice.", token)
    return replace(query, user=found[1])


def _action(context: Context, token: Token, query: Audit) -> Audit:
    actions, word = context.vocabulary.actions, token.value.casefold()
    apis = tuple(a.api for a in actions if word in (a.words, a.api.casefold()))
    if apis:
        return replace(query, apis=apis)
    known = [name for a in actions for name in (a.words, a.api)]
    problem = f'There is no action "{printable(token.value)}"'
    raise unknown_word(context, problem, ".", value_only(token), token.value, known=known)


def _target(_context: Context, token: Token, query: Audit) -> Audit:
    return replace(query, target=redact(token.value)[:_LONGEST_TARGET])


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
