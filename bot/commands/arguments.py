"""Arguments of an action: each token after the kind is assigned to a parameter and read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.catalog import param_types, stream_urls
from bot.commands import secrets, user_lists
from bot.commands.actions import resolve_action, split_verb, times_of
from bot.commands.context import Context
from bot.commands.decoration import (
    holds_mention,
    holds_several,
    is_unclear,
    undecorated,
)
from bot.commands.diagnostics import CommandError, printable
from bot.commands.formatting import EVERYTHING, quoted
from bot.commands.one_name import (
    given_twice,
    glued,
    is_one_more,
    one_at_a_time,
    one_more_name,
    parted,
)
from bot.commands.one_place import require_one_place
from bot.commands.parsed import Assignment, ParsedArguments
from bot.commands.several import SeveralNamesError, with_ways
from bot.commands.suggestions import unknown_word
from bot.commands.tokens import BINDS, Token, is_plain, unescape
from bot.commands.unclear import everything, is_labelled, unclear_name
from bot.commands.values import read_arguments, read_url
from bot.commands.vocabulary import COMMON_NAMES, REASON
from bot.errors import ParseError
from bot.model.actions import Action, Effect, Param
from bot.redact import redact


def parse_arguments(
    context: Context, action: Action, tokens: Sequence[Token], base: ParsedArguments
) -> tuple[ParsedArguments, Assignment]:
    """Return the typed arguments, and the tokens that they came from.

    Args:
        base: The arguments of a target, which typed ones override.
    """
    # Which parameters exist depends on the account's site, wherever the account is named.
    accounts = (token.value.casefold() for token in tokens if token.name.casefold() == "account")
    assignment = Assignment(base=base, account=next(accounts, ""))
    try:
        for token in _named_first(action, tokens):
            _require_binding(context, action, token)
            longer = user_lists.continued(context, action, token, assignment)
            assignment = longer or assign(context, action, token, assignment)
        return read_arguments(context, action, assignment), assignment
    except CommandError as caught:
        error = caught
        if isinstance(error, SeveralNamesError):
            error = with_ways(context, action, tokens, times_of(context, action), error)
        error.hidden |= secrets.assigned(action, assignment.places)
        error.hidden |= secrets.unassigned(action, tokens, assignment.places)
        raise error from None


def _named_first(action: Action, tokens: Sequence[Token]) -> Sequence[Token]:
    """Return the tokens, with the pairs that are no name first: no bare word takes their place."""
    if secrets.takes_secret(action) or not any(token.name for token in tokens):
        return tokens
    key = action.param(next(iter(action.effect_spec.key), ""))
    return sorted(tokens, key=lambda one: not one.name or action.param(one.name) is key)


def assign(context: Context, action: Action, token: Token, assignment: Assignment) -> Assignment:
    """Return the assignment with one more word or pair."""
    if token.name:
        name = _named_parameter(context, action, token)
    else:
        name = _next_parameter(context, action, token, assignment)
    param = action.param(name)
    if token.glued and (param is None or param.type.json != "array<string>"):
        raise glued(context, action, token)
    if name in assignment.places:
        raise given_twice(context, action, param, token)
    if param is not None and is_one_more(action, param, token):
        raise one_at_a_time(context, action, token)
    holds_host = param is not None and param.type is param_types.hostname
    if not token.quoted and (holds_host or not is_plain(token.value)):
        token = _undecorated(context, action, param, token)
    elif holds_host and not token.name and (more := one_more_name(context, action, param, token)):
        raise more
    if token.name and not token.value and not token.quoted:
        word = param.word if param is not None else name.lower()
        way = f"write {word}={word.upper()}."
        raise context.error(f'"{token.name}" has no value; {way}', token, verbatim=way)
    is_bare_name = name in action.effect_spec.key and not (token.name or token.quoted)
    if is_bare_name and token.value.casefold() in EVERYTHING:
        raise everything(context, action, token)
    if param is not None and param.word == "stream":
        return _assign_stream(context, action, param, token, assignment)
    return assignment.place(name, token)


_FREE_TEXTS = (param_types.text, param_types.reason, param_types.rtmp, param_types.address)
"""Types whose values may hold and end with any mark."""


def _undecorated(context: Context, action: Action, param: Param | None, token: Token) -> Token:
    """Return an unquoted token without decoration.

    Raises:
        CommandError: It holds several names, or may be decorated still.
    """
    is_name = param is not None and param.api in action.effect_spec.key
    if param is not None and not is_name and (param.secret or param.type in _FREE_TEXTS):
        return token
    value = undecorated(token.value)
    if param is not None and param.word == "stream":
        value = _with_bare_name(stream_urls.with_plain_query(value))
        if error := parted(context, token, value):
            raise error
    if param is None or not is_name or param.type.json != "string":
        return token.with_value(value or token.value)
    if not token.name and (more := one_more_name(context, action, param, token)):
        raise more
    if error := _unlike_one_name(context, action, param, token, value):
        raise error
    return token.with_value(value)


def _with_bare_name(value: str) -> str:
    """Return a push name, `stream1?txSecret=…`, without decoration before its `?`."""
    name, _, query = value.partition("?")
    if not query or secrets.is_url(value):
        return value
    return f"{undecorated(name)}?{query}"


def _unlike_one_name(
    context: Context, action: Action, param: Param, token: Token, value: str
) -> CommandError | None:
    """Return the error of a word that is not one name for certain; None if it is.

    Args:
        value: The word without decoration.
    """
    what, is_stream = action.effect_spec.resource_type.name, param.word == "stream"
    is_url = is_stream and secrets.is_url(value)
    name = value.partition("?")[0] if is_stream and not is_url else value
    if is_url or holds_several(name):
        return one_at_a_time(context, action, token) if holds_several(name) else None
    if stream_urls.looks_like_url(value) and param.type is not param_types.hostname:
        problem = f"An address is not the {param.word} of a {what}"
        return context.error(f"{problem}; write the {param.word}, or quote it all.", token)
    if holds_mention(value):
        problem = f"A mention is not the name of a {what}"
        return context.error(f"{problem}; write the name, or quote it all if it is meant.", token)
    # After a `-`, a `?` is a sign for any character, or the end of a question.
    end = token.value.rpartition(name)[2] if name.endswith(("-", "_")) else ""
    is_cut = name == value and not {"?", "\uff1f"}.isdisjoint(end)
    is_odd = is_cut or is_unclear(name) or is_labelled(context.vocabulary, name)
    return unclear_name(context, param, token) if token.value and is_odd else None


def _assign_stream(
    context: Context, action: Action, param: Param, token: Token, assignment: Assignment
) -> Assignment:
    """Return the assignment with a stream's name, its URL, or a target that names it."""
    if not token.name and (target := _target_of(context, token)):
        named = token.with_value(target)
        base = _target_values(context, action, param, named).merge(assignment.base)
        return replace(assignment, base=base)
    if is_plain(token.value):
        return assignment.place(param.api, token)
    if token.quoted and " " in token.value and "://" in token.value:
        inner = stream_urls.only_url_in(token.value)
        if not inner:
            raise context.error("This text holds no address, or several; paste one alone.", token)
        token = token.with_value(inner)
    if secrets.is_url(token.value):
        url = read_url(context, token)
        require_one_place(context, token, {"domain": url.host, "app": url.app})
        if not token.quoted and holds_several(url.stream):
            raise one_at_a_time(context, action, token)
        labelled = is_labelled(context.vocabulary, url.stream)
        if not token.quoted and (labelled or is_unclear(url.stream)):
            raise unclear_name(context, param, token)
        return assignment.place(param.api, token, url)
    require_one_place(context, token, {})
    if not token.quoted:
        # The push name as consoles and encoders show it: `stream1?txSecret=…`.
        name, _, key = token.value.partition("?")
        token = token.with_value(undecorated(name) or token.value)
        if key and is_unclear(token.value):
            raise unclear_name(context, param, token)
    return assignment.place(param.api, token)


def _target_of(context: Context, token: Token) -> str:
    """Return the target that a bare word names; empty if it names none."""
    if token.quoted:
        # A stream may be called as a target is but for the case.
        return token.value if token.value in context.vocabulary.targets else ""
    return context.vocabulary.target_named(token.value)


def _next_parameter(context: Context, action: Action, token: Token, assignment: Assignment) -> str:
    """Return the parameter that a bare word fills."""
    account = assignment.assumed_account(context.vocabulary)
    site, given = (
        context.vocabulary.site(action, account),
        context.vocabulary.given(action, account),
    )
    url_has_domain = assignment.url is not None and assignment.url.side == "push"
    for param in action.params:
        is_open = param.required and param.default is None and param.only in (None, site)
        # Of what the policy fills in, only a host can be told from one more name.
        is_open = is_open and (param.api not in given or _is_told(action, param))
        is_filled = param.api in assignment.places or param.api in assignment.base.values
        if is_open and not is_filled and not (url_has_domain and param.word == "domain"):
            return param.api
    if assignment.url is not None and "\n" in context.text[: token.start]:
        raise context.error(
            "The address was cut at a line break: this is one word too many. Paste it again on "
            "one line; one command is for one address.",
            token,
        )
    raise SeveralNamesError(
        "This is one word too many: one command is for one name; send one for each, and write "
        "everything else as name=value.",
        text=context.text,
        start=token.start,
        end=token.end,
    )


def _is_told(action: Action, param: Param) -> bool:
    """Return whether a bare word fills a parameter even where the policy does."""
    return param.type is param_types.hostname or param.api == action.effect_spec.key[0]


def _named_parameter(context: Context, action: Action, token: Token) -> str:
    """Return Tencent's name of a typed parameter, or `Region`, `Account`, `Case` or `Reason`."""
    param = action.param(token.name)
    if param is not None:
        return param.api
    name = token.name.casefold()
    if name == "region" and action.regions is None:
        raise context.error(f"{action.api} takes no region.", token)
    takes_code = context.vocabulary.takes_code(action)
    if name in COMMON_NAMES or (name == REASON.casefold() and takes_code):
        return name.capitalize()
    words = [param.word for param in action.params] + ["region"] * bool(action.regions)
    words += ["reason"] * (takes_code and "reason" not in words)
    raise unknown_word(
        context,
        f'{action.words} takes no "{printable(token.name)}"',
        f"; it takes {', '.join(words)}.",
        replace(token, start=token.name_start, end=token.name_start + len(token.name)),
        token.name,
        known=[*words, "account", "case", *(param.api for param in action.params)],
    )


def _require_binding(context: Context, action: Action, token: Token) -> None:
    """Refuse a secret's name without its value: the next word would fill another parameter."""
    if token.name or token.quoted or not secrets.takes_secret(action):
        return
    param = action.param(token.value.rstrip(BINDS))
    if token.value[:1] in BINDS or (param is not None and param.secret):
        raise context.error("Write it without spaces: name=value.", token)


# A target's text has arguments, and an argument may be a target: hence one module.


@dataclass(frozen=True, slots=True)
class ExpandedTarget:
    """The meaning of a target's text.

    Attributes:
        has_verb: The text itself tells whether to stop or to start.
    """

    action: Action
    has_verb: bool
    arguments: ParsedArguments


def expand_target(context: Context, name: Token) -> ExpandedTarget:
    """Return what a target's text means; targets inside it are not expanded."""
    text = unescape(context.vocabulary.targets[name.value])
    inner = Context(text, context.vocabulary.without_targets(), context.now)
    try:
        tokens, verb = split_verb(inner, secrets.tokenize_hiding_secrets(inner), None)
        if not tokens or tokens[0].name:
            raise inner.error("It names no command.", None)
        action = resolve_action(inner, tokens[0], verb or Effect.STOP)
        arguments, _ = parse_arguments(inner, action, tokens[1:], ParsedArguments())
    except ParseError as error:
        raise context.error(
            f'The target "{printable(name.value)}" is wrong in the policy file: '
            f"{redact(error.sentence)}",
            name,
        ) from None
    has_verb = verb is not None or tokens[0].value.casefold() == action.api.casefold()
    return ExpandedTarget(action, has_verb, arguments)


def _target_values(context: Context, action: Action, param: Param, name: Token) -> ParsedArguments:
    """Return those of a target's arguments that another action takes, too."""
    arguments = expand_target(context, name).arguments.restrict_to(action)
    if param.api not in arguments.values:
        raise context.error(
            f'The target "{printable(name.value)}" names no {param.word}; write '
            f"{param.word}={quoted(printable(name.value))} if you mean a {param.word} of that "
            "name.",
            name,
        )
    return arguments
