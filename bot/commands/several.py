"""Which of several words are names: a list of them, or a name in a sentence; pure."""

import itertools
import re
from collections.abc import Collection, Iterator, Sequence

from bot.catalog import stream_urls
from bot.commands import secrets
from bot.commands.context import Context
from bot.commands.decoration import holds_mention, is_filler, is_unclear, split_names, undecorated
from bot.commands.diagnostics import CommandError
from bot.commands.formatting import as_typed, command_prefix, quoted
from bot.commands.places import find_places
from bot.commands.queries import places_of
from bot.commands.sentences import (
    ALWAYS_OWN,
    JOINING,
    REASONS,
    WORDS,
    asks_for_more,
    own_words,
    reverses,
)
from bot.commands.spoken_keys import without_keys
from bot.commands.tokens import QUOTES, Token
from bot.commands.unread_times import delayed_error, delaying, unread_error, unread_time
from bot.model.actions import Action, Effect, Param
from bot.times import is_duration

_LISTED = re.compile(r"[,;|&+/\n\u3001\uff0c\uff1b]|\band\b", re.IGNORECASE)
_SHAPE = re.compile(r"[0-9]|[^\W_][-_.][^\W_]|[^\x00-\x7f]")
"""What names have, and hardly any word of a sentence."""


class SeveralNamesError(CommandError):
    """There are more words than a command takes."""


def is_shaped(word: str) -> bool:
    """Return whether a word has what names have: a digit, a hyphen inside, a point."""
    return _SHAPE.search(word) is not None or secrets.is_url(word)


def with_ways(
    context: Context,
    action: Action,
    tokens: Sequence[Token],
    times: Sequence[Param],
    error: CommandError,
) -> CommandError:
    """Return the error of several names with a command for each, or that of an unread time.

    Args:
        tokens: All that stand after the kind.
        times: The parameters that a length of time may be for.
    """
    tokens = without_keys(context.text, tokens)
    if times:
        if late := delaying(tokens, times[0].word):
            return delayed_error(context, late)
        if unread := unread_time(tokens, strict=_has_end(action)):
            return unread_error(context, unread)
    error.alternatives = one_by_one(context, action, tokens)
    return error


def _has_end(action: Action) -> bool:
    """Return whether what an action does ends at a time that it takes."""
    return any(param.type.max_days_ahead is not None for param in action.params)


def one_by_one(context: Context, action: Action, tokens: Sequence[Token]) -> tuple[str, ...]:
    """Return a command for each name among the words after a kind, with all other values.

    There is none where the rest of the text is not understood.
    """
    key = action.param(next(iter(action.effect_spec.key), ""))
    if key is None or secrets.takes_secret(action) or key.type.json not in ("string", "uint64"):
        return ()
    named = [token for token in tokens if token.name and action.param(token.name) is not key]
    words = [token for token in tokens if token not in named and not _is_glued(context, token)]
    pairs = ""
    if key.word != "domain":
        texts = {param.word: one.value for one in named if (param := action.param(one.name))}
        places = find_places(words, texts)
        takes_place = action.param("domain") is not None
        if places.has_server and not (takes_place and places.is_clear):
            return ()
        # Of a place that is not sure, only the addresses themselves are.
        words = [one for one in places.words if places.is_clear or "/" in one.value]
        pairs = places.pairs if takes_place else ""
    names = names_among(context, action, words)
    if key.type.json == "uint64":
        names = [name for name in names if name.isdecimal()]
    rest = "".join(f" {token.name}={_value(token)}" for token in named)
    return tuple(
        f"{command_prefix(action)} {as_typed(name)}{rest}{'' if secrets.is_url(name) else pairs}"
        for name in names
    )


def names_among(context: Context, action: Action, words: Sequence[Token]) -> Sequence[str]:
    """Return the names among the words after a kind."""
    own = own_words(action, context.vocabulary)
    return names_of(context, words, action.effect, own, strict=_has_end(action))


def names_of(
    context: Context,
    words: Sequence[Token],
    effect: Effect,
    own: frozenset[str] = ALWAYS_OWN,
    *,
    strict: bool,
) -> Sequence[str]:
    """Return the names among words; none where the sentence may say something else of them.

    Args:
        effect: What the command does.
        own: Words that repeat the command.
        strict: Every word must be understood: it may be a time.
    """
    parts = list(_parts(context.text, words))
    said = [word for part in parts for word in part]
    if any(map(reverses, said)):
        # What is named may be what must go on, or is meant for later.
        return ()
    if asks_for_more(said, own, effect, context.vocabulary):
        return ()
    names = (_without_query(name) for name in likely_names(parts, own, strict=strict))
    return list(dict.fromkeys(filter(None, names)))


def is_listed(text: str) -> bool:
    """Return whether a text has a sign or a word between the names of a list."""
    return _LISTED.search(text) is not None


def _parts(text: str, words: Sequence[Token]) -> Iterator[list[str]]:
    """Yield the words between one sign of a list and the next."""
    part: list[str] = []
    for before, token in zip([None, *words], words, strict=False):
        if before is not None and is_listed(text[before.end - 1 : token.start]):
            yield part
            part = []
        first, *others = _words(token) or [""]
        part += [first] if first else []
        for other in others:
            yield part
            part = [other]
    yield part


def _words(token: Token) -> list[str]:
    """Return what stands in a token: one word, or each of a list without spaces."""
    if token.quoted:
        return [one for one in token.glued or (token.value,) if one and not QUOTES & set(one)]
    words = [undecorated(one) for one in split_names(undecorated(token.value))]
    return [word for word in words if _may_be_word(token, word)]


def _may_be_word(token: Token, word: str) -> bool:
    if is_unclear(word.partition("?")[0] if secrets.is_url(word) else word):
        return False
    return not (is_filler(token) or holds_mention(word) or is_duration(word))


def likely_names(
    parts: Sequence[Sequence[str]], own: Collection[str], *, strict: bool
) -> Sequence[str]:
    """Return the names of a list; of a sentence only what is no word of it.

    Args:
        parts: The words between one sign of a list and the next.
        own: Words that repeat the command.
        strict: Every word must be understood: it may be a time.
    """
    words = [word for part in parts for word in part]
    if all(len(word) == 1 for word in words):
        # Nobody writes a sentence of letters: `a` is no article here.
        return words
    items = [[word for word in part if word.casefold() not in own] for part in parts]
    items = [item for item in items if item]
    if len(parts) > 1 and all(len(item) == 1 for item in items):
        names = [name for (name,) in items]
        return [] if strict and len({is_shaped(name) for name in names}) > 1 else names
    said = list(itertools.takewhile(lambda word: word.casefold() not in REASONS, words))
    return _of_sentence(said, own, strict=strict, goes_on=len(said) < len(words))


def _of_sentence(
    words: Sequence[str], own: Collection[str], *, strict: bool, goes_on: bool
) -> Sequence[str]:
    """Return the names of a sentence; none where a word that is not understood may exclude one.

    Args:
        goes_on: It goes on with a reason.
    """
    others = [word for word in words if word.casefold() not in WORDS | {*own}]
    names = [word for word in others if is_shaped(word) or " " in word]
    if not names:
        if len(others) == len(words) and not goes_on:
            return others
        return others[:1] if len(others) == 1 or not strict else []
    first, last = words.index(names[0]), len(words) - 1 - words[::-1].index(names[-1])
    unknown = [at for at, word in enumerate(words) if word in others and word not in names]
    if any(at < last for at in unknown) or (unknown and (strict or len(names) > 1)):
        return []
    between = [word for word in words[first:last] if word not in names]
    return names if all(word.casefold() in JOINING | {*own} for word in between) else []


def _without_query(name: str) -> str:
    """Return a name without the key after its `?`; empty if a place stands there."""
    bare, _, query = name.partition("?")
    return name if secrets.is_url(name) else "" if places_of(query) else bare


def _is_glued(context: Context, token: Token) -> bool:
    """Return whether a token is a server and a word of the sentence after it."""
    if token.quoted or not re.search(r"\s", context.text[token.start : token.end]):
        return False
    url = stream_urls.find_url(token.value) if secrets.is_url(token.value) else None
    return url is not None and url.stream.casefold() in WORDS


def _value(token: Token) -> str:
    return quoted(token.value) if token.quoted else token.value
