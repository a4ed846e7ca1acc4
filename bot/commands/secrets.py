"""Spans of a text that may hold a secret, which no parse error may show."""

from collections.abc import Iterable, Mapping, Sequence

from bot.catalog import stream_urls
from bot.commands.context import Context
from bot.commands.diagnostics import CommandError, Span
from bot.commands.tokens import Token, tokenize
from bot.commands.vocabulary import COMMON_NAMES, Vocabulary
from bot.errors import ParseError
from bot.model.actions import Action


def tokenize_hiding_secrets(context: Context) -> list[Token]:
    """Return the tokens of a text.

    Raises:
        CommandError: A quote is not closed. What may be secret after it is hidden.
    """
    try:
        return tokenize(context.text)
    except ParseError as error:
        raise CommandError(
            error.sentence,
            text=error.text,
            start=error.start,
            end=error.end,
            hidden=_in_unclosed(context, error.start),
        ) from None


def takes_secret(action: Action) -> bool:
    """Return whether an action has a secret parameter."""
    return bool(action.secret_params)


def is_url(text: str) -> bool:
    """Return whether a text looks like a URL, with or without its scheme."""
    # Nearly every word has no slash, and each is asked about several times.
    return "/" in text and (stream_urls.looks_like_url(text) or stream_urls.lacks_its_scheme(text))


def named(tokens: Iterable[Token], vocabulary: Vocabulary) -> frozenset[Span]:
    """Return the values whose name is that of a secret parameter of any action."""
    names = vocabulary.secret_names
    return frozenset(_value_span(t) for t in tokens if t.value and t.name.casefold() in names)


def urls(tokens: Iterable[Token]) -> frozenset[Span]:
    """Return the values that are URLs, whose path may hold a key."""
    return frozenset(_value_span(token) for token in tokens if is_url(token.value))


def assigned(action: Action, places: Mapping[str, Token]) -> frozenset[Span]:
    """Return the values of an action's secret parameters."""
    secret = action.secret_params
    return frozenset(_value_span(token) for name, token in places.items() if name in secret)


def unassigned(
    action: Action, tokens: Iterable[Token], places: Mapping[str, Token]
) -> frozenset[Span]:
    """Return the values without a parameter: one may be a key under a misspelt name."""
    if not takes_secret(action):
        return frozenset()
    placed = places.values()
    return frozenset(
        _value_span(token)
        for token in tokens
        if token.value and token not in placed and not _has_own_name(action, token)
    )


def _has_own_name(action: Action, token: Token) -> bool:
    own = token.name.casefold() in (*COMMON_NAMES, "reason") or action.param(token.name) is not None
    return bool(token.name) and own


def _in_unclosed(context: Context, start: int) -> frozenset[Span]:
    """Return what may be secret in a text with a quote that is not closed.

    Args:
        start: Where the quote begins.
    """
    end = len(context.text)
    before = tokenize(context.text[:start])
    hidden = named(before, context.vocabulary)
    if before and not before[-1].value:
        name = before[-1].name.casefold()
        hidden |= {(start, end)} if name in context.vocabulary.secret_names else set()
    rest = Token("", "…", start, end, 0, start)
    return hidden | _after_kind([*before, rest], context.vocabulary)


def _after_kind(tokens: Sequence[Token], vocabulary: Vocabulary) -> frozenset[Span]:
    """Return what follows a kind with secret parameters, or a target for one."""
    kinds = {
        word: action
        for action in vocabulary.actions
        if takes_secret(action)
        for word in (action.words, action.api.casefold())
    }
    for at, token in enumerate(tokens[:3]):
        target = vocabulary.targets.get(vocabulary.target_named(token.value), "")
        words = [token.value, *target.split()]
        found = next((kinds[w.casefold()] for w in words if w.casefold() in kinds), None)
        if found is not None and not token.name:
            return unassigned(found, tokens[at + 1 :], {})
    return frozenset()


def _value_span(token: Token) -> Span:
    return token.value_start, token.end
